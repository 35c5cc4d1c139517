package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// The engine's own memos. All are written in the commit of the events they
// follow from, so they are never behind.
const (
	sourcePrefix   = "source/"     // PIPELINE: the definition in force, cut down to what triggers need
	openGatePrefix = "gate/open/"  // PIPELINE/EXECUTION/STAGE/ACTION: a gate that waits
	tokenPrefix    = "gate/token/" // TOKEN: where the gate of that token is, or was
)

// tokenKept is how long a gate's token is known after it opened: longer than
// any gate can stay open, so that a late answer hears what became of it.
const tokenKept = 90 * 24 * time.Hour

func definitionKey(pipeline string, version int) string {
	return fmt.Sprintf("definition/%s/%d", pipeline, version)
}

// gateNote says where a gate is.
type gateNote struct {
	Pipeline  string    `json:"pipeline"`
	Execution string    `json:"execution"`
	Stage     string    `json:"stage"`
	Action    string    `json:"action"`
	Token     string    `json:"token"`
	OpenedAt  time.Time `json:"openedAt"`
}

func (g gateNote) key() string {
	return openGatePrefix + strings.Join([]string{g.Pipeline, g.Execution, g.Stage, g.Action}, "/")
}

// index are the memos that follow from a pipeline's events.
func index(pipeline string, events []event.Event) []Memo {
	var memos []Memo
	note := func(key string, value any) { memos = append(memos, Memo{Owner: owner, Key: key, Value: encode(value)}) }
	for _, ev := range events {
		switch ev.Kind {
		case event.PipelineDefined:
			note(definitionKey(pipeline, ev.Defined.Version), ev.Defined.Definition)
			note(sourcePrefix+pipeline, sourcesOf(&ev.Defined.Definition))
		case event.PipelineArchived:
			note(sourcePrefix+pipeline, nil)
		case event.GateOpened:
			g := gateNote{Pipeline: pipeline, Execution: ev.Execution, Stage: ev.Stage, Action: ev.Action, Token: ev.Gate.Token, OpenedAt: ev.At}
			note(g.key(), g)
			note(tokenPrefix+g.Token, g)
		case event.GateClosed:
			note(gateNote{Pipeline: pipeline, Execution: ev.Execution, Stage: ev.Stage, Action: ev.Action}.key(), nil)
		}
	}
	return memos
}

// encode is a memo's value; of nil the empty one, which deletes.
func encode(value any) []byte {
	if value == nil {
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		panic("runtime: a memo always marshals: " + err.Error())
	}
	return b
}

// sourcesOf cuts a definition down to its name, triggers and source actions.
func sourcesOf(p *workflows.Pipeline) *workflows.Pipeline {
	small := &workflows.Pipeline{Name: p.Name, ExecutionMode: p.ExecutionMode, Triggers: p.Triggers}
	for _, st := range p.Stages {
		one := workflows.Stage{Name: st.Name}
		for _, a := range st.Actions {
			if a.IsSource() {
				one.Actions = append(one.Actions, a)
			}
		}
		if len(one.Actions) > 0 {
			small.Stages = append(small.Stages, one)
		}
	}
	return small
}

// catalog knows which pipelines follow which repositories, without loading them.
type catalog struct {
	e *Engine

	mu       sync.RWMutex
	small    map[string]*workflows.Pipeline // never written again once in here
	onChange func()                         // called after a definition changed
}

func newCatalog(e *Engine) *catalog {
	return &catalog{e: e, small: map[string]*workflows.Pipeline{}, onChange: func() {}}
}

// load reads what earlier runs knew.
func (c *catalog) load(ctx context.Context) error {
	memos, err := c.e.o.Memos.List(ctx, owner, sourcePrefix)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.small)
	for _, m := range memos {
		var p workflows.Pipeline
		if err := json.Unmarshal(m.Value, &p); err != nil {
			return fmt.Errorf("read %s: %w", m.Key, err)
		}
		c.small[strings.TrimPrefix(m.Key, sourcePrefix)] = &p
	}
	return nil
}

// learn takes in a committed frame.
func (c *catalog) learn(f event.Frame) {
	tell := func() {}
	for _, ev := range f.Events {
		switch ev.Kind {
		case event.PipelineDefined:
			tell = c.set(f.Pipeline, sourcesOf(&ev.Defined.Definition))
		case event.PipelineArchived:
			tell = c.set(f.Pipeline, nil)
		}
	}
	tell()
}

// set notes a definition, nil: none, and returns whom to tell.
func (c *catalog) set(pipeline string, p *workflows.Pipeline) (tell func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p == nil {
		delete(c.small, pipeline)
	} else {
		c.small[pipeline] = p
	}
	return c.onChange
}

// watch has f called after each change of a definition; it must not block.
func (c *catalog) watch(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = f
}

// all returns the definitions, cut down, by name.
func (c *catalog) all() []*workflows.Pipeline {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*workflows.Pipeline, 0, len(c.small))
	for _, p := range c.small {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
