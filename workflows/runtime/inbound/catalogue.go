package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// The memos of the catalogue. All are written in the commit of the events they
// follow from, so they are never behind.
const (
	sourcePrefix = "source/"  // PIPELINE: an entry, of the definition in force; none: the pipeline is archived
	freezePrefix = "freeze/"  // PIPELINE: its freezes, as its state has them
	pollPrefix   = "polling/" // PIPELINE: whether its branches are polled; none: they are
)

// polling says whether a pipeline's branches are polled, and since when.
type polling struct {
	Off bool      `json:"off,omitempty"`
	At  time.Time `json:"at"`
}

// InForce is what is in force of a pipeline that is not archived, without its definition.
type InForce struct {
	Version   int    `json:"version,omitempty"`
	ManagedBy string `json:"managedBy,omitempty"` // "api", or "file:PATH"
	Digest    string `json:"digest,omitempty"`    // of the definition; empty in a row of before there were these fields
	Channel   string `json:"-"`                   // as the definition says
}

// inForce says what a definition puts in force.
func inForce(d *event.Defined) InForce {
	return InForce{Version: d.Version, ManagedBy: d.ManagedBy, Digest: d.Definition.Digest(), Channel: d.Definition.Channel}
}

// entry is what the catalogue knows of a pipeline: what is in force, and the
// definition, cut down to what triggers need. In its row their keys stand side by
// side; it is never written again once it is in the catalogue.
type entry struct {
	InForce
	*workflows.Pipeline
	// Reviewed are the stages in which people review what comes in, of every
	// version that was in use; nil: they are not known.
	Reviewed []string `json:"reviewed"`
}

func entryOf(d *event.Defined) entry {
	return entry{inForce(d), sourcesOf(&d.Definition), reviewedIn([]string{}, &d.Definition)}
}

// detached is an entry that shares no memory with the definition that it was cut
// from: else all of that stays in memory for as long as a part of it does.
func (e entry) detached() entry {
	var own workflows.Pipeline
	row, err := json.Marshal(e.Pipeline)
	if err == nil && json.Unmarshal(row, &own) == nil {
		e.Pipeline, e.InForce.Channel = &own, strings.Clone(e.InForce.Channel)
	}
	for i, name := range e.Reviewed {
		e.Reviewed[i] = strings.Clone(name)
	}
	return e
}

// following is an entry in place of an earlier one: executions may still run under
// the versions that the earlier one knows.
func (e entry) following(earlier entry, known bool, version int) entry {
	switch {
	case known && earlier.Reviewed != nil:
		e.Reviewed = joined(earlier.Reviewed, e.Reviewed)
	case known || version != 1:
		e.Reviewed = nil
	}
	return e
}

// Index are the memos that follow from a pipeline's events, for their commit; s is the state after them.
func Index(s *machine.State, events []event.Event) (memos []record.Memo) {
	set := func(key string, value any) {
		memos = append(memos, record.NewMemo(record.RuntimeOwner, key+s.Name, value))
	}
	for _, ev := range events {
		if ev.Under != nil && isNews(s, ev.Under) {
			set(sourcePrefix, inUse(s, &event.Defined{Version: s.Version, ManagedBy: s.ManagedBy, Definition: *s.Definitions[s.Version]}))
		}
		switch ev.Kind {
		case event.PipelineDefined:
			set(sourcePrefix, inUse(s, ev.Defined))
		case event.PipelineArchived:
			set(sourcePrefix, nil)
		case event.FreezesSet:
			if len(ev.Freezes) > 0 {
				set(freezePrefix, ev.Freezes)
			} else {
				set(freezePrefix, nil)
			}
		case event.PollingDisabled, event.PollingEnabled:
			set(pollPrefix, polling{Off: ev.Kind == event.PollingDisabled, At: ev.At})
		}
	}
	return memos
}

// inUse is the entry of what a definition puts in force, with what is reviewed under every version in use.
func inUse(s *machine.State, d *event.Defined) entry {
	e := entryOf(d)
	for _, version := range slices.Sorted(maps.Keys(s.Definitions)) {
		e.Reviewed = reviewedIn(e.Reviewed, s.Definitions[version])
	}
	return e
}

// isNews says whether under a version that is taken up again people review
// stages of which the row of the pipeline need not know.
func isNews(s *machine.State, under *workflows.Pipeline) bool {
	now := s.Definitions[s.Version]
	return now != nil && !s.Archived && len(reviewedIn(reviewedIn(nil, now), under)) > len(reviewedIn(nil, now))
}

// sourcesOf cuts a definition down to its name, channel, role, triggers and source
// actions, and those that dispatch workflows, whose runs do not start it.
// What starts a pipeline that stays in AWS is AWS's own.
func sourcesOf(p *workflows.Pipeline) *workflows.Pipeline {
	small := &workflows.Pipeline{Name: p.Name, ExecutionMode: p.ExecutionMode, Channel: p.Channel, RoleArn: p.RoleArn, Bridge: p.Bridge, Protects: p.Protects, Triggers: p.Triggers}
	if p.Bridge != nil {
		small.Triggers = nil
		return small
	}
	for _, st := range p.Stages {
		one := workflows.Stage{Name: st.Name}
		for _, a := range st.Actions {
			if a.IsSource() || a.ActionType.Provider == "GitHubWorkflow" {
				one.Actions = append(one.Actions, a)
			}
		}
		if len(one.Actions) > 0 {
			small.Stages = append(small.Stages, one)
		}
	}
	return small
}

// Catalogue knows of every pipeline, without loading any, what starts it and
// what binds it from outside: the repositories it follows, whether they are
// polled, and its freezes.
type Catalogue struct {
	memos Memos

	mu       sync.RWMutex
	all      map[string]entry
	sorted   []*workflows.Pipeline // of all, by name; nil: to be made again
	polling  map[string]polling
	freezes  map[string][]workflows.Freeze
	onChange []func(pipeline string) // called after any of that changed; empty: of any pipeline
}

// NewCatalogue returns a catalogue that is empty until it is loaded.
func NewCatalogue(m Memos) *Catalogue {
	return &Catalogue{memos: m, all: map[string]entry{}, polling: map[string]polling{}, freezes: map[string][]workflows.Freeze{}}
}

// Load reads what is durable: at the start, and after a commit of unknown end,
// which may have changed anything.
func (c *Catalogue) Load(ctx context.Context) error {
	all, err := readAll[entry](ctx, c.memos, sourcePrefix)
	if err != nil {
		return err
	}
	polls, err := readAll[polling](ctx, c.memos, pollPrefix)
	if err != nil {
		return err
	}
	freezes, err := readAll[[]workflows.Freeze](ctx, c.memos, freezePrefix)
	if err != nil {
		return err
	}
	for name, one := range all {
		one.InForce.Channel = one.Pipeline.Channel
		all[name] = one
	}
	c.mu.Lock()
	c.all, c.sorted, c.polling, c.freezes = all, nil, polls, freezes
	watchers := c.onChange
	c.mu.Unlock()
	for _, changed := range watchers {
		changed("")
	}
	return nil
}

// readAll reads the engine's memos of a prefix, by what follows it.
func readAll[T any](ctx context.Context, from Memos, prefix string) (map[string]T, error) {
	memos, err := from.List(ctx, record.RuntimeOwner, prefix)
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

// OnCommit takes in a frame that has become durable.
func (c *Catalogue) OnCommit(f event.Frame) {
	for _, changed := range c.apply(f) {
		changed(f.Pipeline)
	}
}

// apply updates the catalogue, and returns the watchers to call.
func (c *Catalogue) apply(f event.Frame) (watchers []func(string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ev := range f.Events {
		if now, known := c.all[f.Pipeline]; known && ev.Under != nil && now.Reviewed != nil {
			now.Reviewed = reviewedIn(now.Reviewed, ev.Under)
			c.all[f.Pipeline] = now
		}
		switch ev.Kind {
		case event.PipelineDefined:
			now, known := c.all[f.Pipeline]
			c.all[f.Pipeline], c.sorted = entryOf(ev.Defined).detached().following(now, known, ev.Defined.Version), nil
		case event.PipelineArchived:
			delete(c.all, f.Pipeline)
			c.sorted = nil
		case event.FreezesSet:
			c.freezes[f.Pipeline] = ev.Freezes
		case event.PollingDisabled, event.PollingEnabled:
			c.polling[f.Pipeline] = polling{Off: ev.Kind == event.PollingDisabled, At: ev.At}
		default:
			continue
		}
		watchers = c.onChange
	}
	return watchers
}

// watch has f called after each change, with the pipeline that changed; empty: any
// of them may have. It must not block.
func (c *Catalogue) watch(f func(pipeline string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = append(slices.Clip(c.onChange), f)
}

// polls says whether a pipeline's branches are polled, and since when that is so (zero: always).
func (c *Catalogue) polls(pipeline string) (on bool, since time.Time) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p := c.polling[pipeline]
	return !p.Off, p.At
}

// frozen returns the freezes that a pipeline's state has.
func (c *Catalogue) frozen(pipeline string) []workflows.Freeze {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.freezes[pipeline]
}

// Pipelines returns the definitions, cut down to what starts them, by name.
func (c *Catalogue) Pipelines() []*workflows.Pipeline {
	c.mu.RLock()
	sorted := c.sorted
	c.mu.RUnlock()
	if sorted != nil {
		return sorted
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sorted == nil {
		c.sorted = make([]*workflows.Pipeline, 0, len(c.all))
		for _, one := range c.all {
			c.sorted = append(c.sorted, one.Pipeline)
		}
		slices.SortFunc(c.sorted, func(a, b *workflows.Pipeline) int { return strings.Compare(a.Name, b.Name) })
	}
	return slices.Clip(c.sorted)
}

// pipeline returns one definition, cut down likewise; nil: there is none.
func (c *Catalogue) pipeline(name string) *workflows.Pipeline {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[name].Pipeline
}

// reviewed returns the stages of a pipeline in which people review what comes in,
// under any version that is in use; false: that is not known.
func (c *Catalogue) reviewed(name string) (stages []string, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	stages = c.all[name].Reviewed
	return stages, stages != nil
}

// InForce says what is in force, by pipeline.
func (c *Catalogue) InForce() map[string]InForce {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make(map[string]InForce, len(c.all))
	for name, one := range c.all {
		all[name] = one.InForce
	}
	return all
}

// Incomplete are the pipelines whose row does not say what is in force.
func (c *Catalogue) Incomplete() (names []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for name, one := range c.all {
		if one.InForce.Digest == "" {
			names = append(names, name)
		}
	}
	return names
}

// Complete takes in what is in force of a pipeline, and returns the row that says so.
func (c *Catalogue) Complete(s *machine.State) record.Memo {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := inUse(s, &event.Defined{Version: s.Version, ManagedBy: s.ManagedBy, Definition: *s.Definitions[s.Version]}).detached()
	c.all[s.Name], c.sorted = now, nil
	return record.NewMemo(record.RuntimeOwner, sourcePrefix+s.Name, now)
}
