package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	freezePrefix   = "freeze/"     // PIPELINE: its freezes, as its state has them
	pollPrefix     = "polling/"    // PIPELINE: whether its branches are looked at; none: they are
	versionPrefix  = "version/"    // PIPELINE/VERSION/TIME: a version was put in force
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

// pollNote says whether a pipeline's branches are looked at, and since when.
type pollNote struct {
	Off bool      `json:"off,omitempty"`
	At  time.Time `json:"at"`
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
			note(versionKey(pipeline, ev), versionOf(ev))
		case event.PipelineArchived:
			note(sourcePrefix+pipeline, nil)
		case event.FreezesSet:
			memo := Memo{Owner: owner, Key: freezePrefix + pipeline}
			if len(ev.Freezes) > 0 {
				memo.Value = encode(ev.Freezes)
			}
			memos = append(memos, memo)
		case event.PollingDisabled, event.PollingEnabled:
			note(pollPrefix+pipeline, pollNote{Off: ev.Kind == event.PollingDisabled, At: ev.At})
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

// catalog knows of every pipeline, without loading any, what those need who act
// by themselves: which repositories it follows, whether they are looked at, and
// its freezes.
type catalog struct {
	e *Engine

	mu       sync.RWMutex
	small    map[string]*workflows.Pipeline // never written again once in here
	polling  map[string]pollNote
	freezes  map[string][]workflows.Freeze
	onChange []func() // called after any of that changed
}

func newCatalog(e *Engine) *catalog {
	return &catalog{e: e, small: map[string]*workflows.Pipeline{}, polling: map[string]pollNote{}, freezes: map[string][]workflows.Freeze{}}
}

// load reads what earlier runs knew.
func (c *catalog) load(ctx context.Context) error {
	small, err := readAll[*workflows.Pipeline](ctx, c.e.o.Memos, sourcePrefix)
	if err != nil {
		return err
	}
	polling, err := readAll[pollNote](ctx, c.e.o.Memos, pollPrefix)
	if err != nil {
		return err
	}
	freezes, err := readAll[[]workflows.Freeze](ctx, c.e.o.Memos, freezePrefix)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.small, c.polling, c.freezes = small, polling, freezes
	return nil
}

// readAll reads the engine's memos of a prefix, by what follows it.
func readAll[T any](ctx context.Context, from Memos, prefix string) (map[string]T, error) {
	memos, err := from.List(ctx, owner, prefix)
	if err != nil {
		return nil, err
	}
	all := make(map[string]T, len(memos))
	for _, m := range memos {
		var value T
		if err := json.Unmarshal(m.Value, &value); err != nil {
			return nil, fmt.Errorf("read %s: %w", m.Key, err)
		}
		all[strings.TrimPrefix(m.Key, prefix)] = value
	}
	return all, nil
}

// learn takes in a committed frame.
func (c *catalog) learn(f event.Frame) {
	for _, tell := range c.take(f) {
		tell()
	}
}

// take notes what a frame says, and returns whom to tell.
func (c *catalog) take(f event.Frame) (tell []func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ev := range f.Events {
		switch ev.Kind {
		case event.PipelineDefined:
			c.small[f.Pipeline] = sourcesOf(&ev.Defined.Definition)
		case event.PipelineArchived:
			delete(c.small, f.Pipeline)
		case event.FreezesSet:
			c.freezes[f.Pipeline] = ev.Freezes
		case event.PollingDisabled, event.PollingEnabled:
			c.polling[f.Pipeline] = pollNote{Off: ev.Kind == event.PollingDisabled, At: ev.At}
		default:
			continue
		}
		tell = c.onChange
	}
	return tell
}

// watch has f called after each change; it must not block.
func (c *catalog) watch(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = append(slices.Clip(c.onChange), f)
}

// polls says whether a pipeline's branches are looked at, and since when that is so (zero: always).
func (c *catalog) polls(pipeline string) (on bool, since time.Time) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	note := c.polling[pipeline]
	return !note.Off, note.At
}

// frozen returns the freezes that a pipeline's state has.
func (c *catalog) frozen(pipeline string) []workflows.Freeze {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.freezes[pipeline]
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
