package decider_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// store is a log in memory that several deciders may write.
type store struct {
	mu          sync.Mutex
	frames      map[string][]event.Frame
	checkpoints map[string]record.Checkpoint
	receipts    map[string]work.Receipt
	memos       map[string]string
	commits     []record.Commit // that were written
}

func newStore() *store {
	return &store{frames: map[string][]event.Frame{}, checkpoints: map[string]record.Checkpoint{}, receipts: map[string]work.Receipt{}, memos: map[string]string{}}
}

func (s *store) write(c *record.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[string]uint64{}
	for _, f := range c.Frames {
		if next[f.Pipeline] == 0 {
			next[f.Pipeline] = uint64(len(s.frames[f.Pipeline])) + 1
		}
		if f.Seq != next[f.Pipeline] {
			return fmt.Errorf("%s: frame %d instead of %d: %w", f.Pipeline, f.Seq, next[f.Pipeline], record.ErrConflict)
		}
		next[f.Pipeline]++
	}
	for _, one := range c.Claims {
		if there, ok := s.receipts[one.Key]; ok && one.Taken(there) {
			return fmt.Errorf("%s is there: %w", one.Key, record.ErrConflict)
		}
	}
	for _, f := range c.Frames {
		s.frames[f.Pipeline] = append(s.frames[f.Pipeline], f)
	}
	for _, cp := range c.Checkpoints {
		s.checkpoints[cp.Pipeline] = cp
	}
	for _, due := range c.Dues {
		cp := s.checkpoints[due.Pipeline]
		cp.Due = due.At
		s.checkpoints[due.Pipeline] = cp
	}
	for _, one := range c.Claims {
		s.receipts[one.Key] = one.Receipt
	}
	for _, one := range c.Receipts {
		s.receipts[one.Key] = one
	}
	for _, m := range c.Memos {
		s.memos[m.Key] = string(m.Value)
	}
	s.commits = append(s.commits, *c)
	return nil
}

// member is one decider on a store.
type member struct {
	*decider.Decider
	*outside
}

// outside is everything that a decider is given.
type outside struct {
	store *store
	stop  chan struct{}

	cancel func() // ends the timers
	all    sync.WaitGroup

	mu        sync.Mutex
	answer    func(c *record.Commit) error // before anything is written; nil, or its nil: write
	asked     int                          // commits
	opens     int
	loads     int
	releases  int
	reloads   int
	told      []string            // frames, as "pipeline/seq"
	opened    map[string][]string // task IDs, by pipeline
	unstarted []string
	positions []record.Memo // that are to be saved
	saved     []error
}

// seen is a copy of what happened outside until now: the original changes while a test reads.
func (o *outside) seen() *outside {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return &outside{
		asked: o.asked, opens: o.opens, loads: o.loads, releases: o.releases, reloads: o.reloads, told: slices.Clone(o.told),
		opened: maps.Clone(o.opened), unstarted: slices.Clone(o.unstarted), saved: slices.Clone(o.saved),
	}
}

// seen is a copy of what is written until now.
func (s *store) seen() *store {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return &store{
		frames: maps.Clone(s.frames), checkpoints: maps.Clone(s.checkpoints), receipts: maps.Clone(s.receipts), memos: maps.Clone(s.memos),
		commits: slices.Clone(s.commits),
	}
}

func join(t *testing.T, s *store) *member {
	o := &outside{store: s, stop: make(chan struct{}), opened: map[string][]string{}}
	seed := byte(len(s.commits) + 1)
	timers := decider.NewTimers(time.Now)
	d := decider.New(decider.Options{
		Log: o, Heads: o, Facts: o, Tasks: o, Observer: o, Positions: o, Timers: timers,
		Index: func(*machine.State, []event.Event) []record.Memo { return nil }, Encode: checkpoint.Encode, Decode: checkpoint.Decode, Loops: 2,
		Seed: func() (b [16]byte) {
			o.mu.Lock()
			defer o.mu.Unlock()
			seed++
			b[0] = seed
			return b
		},
		Unloaded: func() { o.mu.Lock(); o.releases++; o.mu.Unlock() },
		Go:       func(f func()) bool { go f(); return true }, Stopping: o.stop, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	heads, err := d.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.Start(t.Context())
	d.Resume(heads)
	ctx, cancel := context.WithCancel(t.Context())
	o.all.Go(func() { timers.Run(ctx) })
	o.cancel = cancel
	return &member{d, o}
}

// alone tells a story of one decider in a bubble of synthetic time.
func alone(t *testing.T, story func(t *testing.T, m *member)) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, newStore())
		story(t, m)
		m.finish()
	})
}

// finish ends the decider, once.
func (m *member) finish() {
	if m.cancel != nil {
		m.cancel()
		m.all.Wait()
		m.cancel = nil
		close(m.stop)
		m.Finish()
	}
}

// define puts pipelines in force whose executions wait for an approval.
func (m *member) define(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if got := m.Submit(t.Context(), definition(t, name, "")); got.Err != nil {
			t.Fatal(got.Err)
		}
	}
}

// pass lets time go by.
func pass(d time.Duration) {
	time.Sleep(d) // synthetic: the bubble's clock jumps
	synctest.Wait()
}

// definition is the request to put a pipeline in force.
func definition(t *testing.T, name, remark string) decider.Request {
	t.Helper()
	p, faults := spec.Parse("test.yaml", []byte(`
name: `+name+`
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/`+name+remark+`.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Deploy
    actions: [{name: Ship, provider: Commands, commands: ["true"], inputArtifacts: [app]}]
`))
	if p == nil {
		t.Fatal(faults)
	}
	return decider.Request{
		Pipeline: name, By: workflows.EnginePrincipal(),
		Intent: &workflows.Intent{Verb: workflows.Edit, Pipeline: name, NewDefinition: p, ManagedBy: "api"},
	}
}

// start is the request to start an execution.
func start(pipeline string) decider.Request {
	return decider.Request{Pipeline: pipeline, By: workflows.EnginePrincipal(), Intent: &workflows.Intent{Verb: workflows.Start, Pipeline: pipeline}}
}

// answers sets how the store answers commits from now on.
func (o *outside) answers(f func(c *record.Commit) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = f
}

// log lists a pipeline's kinds of events, frame by frame.
func (s *store) log(pipeline string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, f := range s.frames[pipeline] {
		var kinds []string
		for _, ev := range f.Events {
			kinds = append(kinds, string(ev.Kind))
		}
		all = append(all, strings.Join(kinds, "+"))
	}
	return strings.Join(all, " ")
}

// count says how many events of a kind were written.
func (s *store) count(pipeline string, kind event.Kind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.frames[pipeline] {
		for _, ev := range f.Events {
			if ev.Kind == kind {
				n++
			}
		}
	}
	return n
}

func (o *outside) Commit(_ context.Context, c *record.Commit) error {
	o.mu.Lock()
	o.asked++
	answer := o.answer
	o.mu.Unlock()
	<-time.After(10 * time.Millisecond) // of the bubble: what comes meanwhile is one commit
	if answer != nil {
		if err := answer(c); err != nil {
			return err
		}
	}
	return o.store.write(c)
}

func (o *outside) Load(_ context.Context, pipeline string) (record.Checkpoint, []event.Frame, error) {
	o.mu.Lock()
	o.loads++
	o.mu.Unlock()
	o.store.mu.Lock()
	defer o.store.mu.Unlock()
	cp := o.store.checkpoints[pipeline]
	var frames []event.Frame
	for _, f := range o.store.frames[pipeline] {
		if f.Seq > cp.Seq {
			frames = append(frames, f)
		}
	}
	return cp, frames, nil
}

func (o *outside) Pipelines(context.Context) (heads []record.Head, err error) {
	o.store.mu.Lock()
	defer o.store.mu.Unlock()
	for name, frames := range o.store.frames {
		heads = append(heads, record.Head{Pipeline: name, Last: frames[len(frames)-1].Seq, Due: o.store.checkpoints[name].Due})
	}
	return heads, nil
}

func (o *outside) Reopen(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opens++
	return nil
}

func (o *outside) LookUp(_ context.Context, _ string, have machine.Facts, _ *machine.NeedFacts, _ []workflows.Principal) (machine.Facts, error) {
	return have, nil
}

func (o *outside) Reconcile(pipeline string, _ []work.Task, opened []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened[pipeline] = append(o.opened[pipeline], opened...)
}

func (o *outside) NotStarted(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unstarted = append(o.unstarted, ids...)
}

func (o *outside) Committed(frames []event.Frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range frames {
		o.told = append(o.told, fmt.Sprintf("%s/%d", f.Pipeline, f.Seq))
	}
}

func (o *outside) Reloaded(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reloads++
	return nil
}

func (o *outside) Positions(bool) ([]record.Memo, func(error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	memos := o.positions
	o.positions = nil
	return memos, func(err error) {
		if len(memos) > 0 {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.saved = append(o.saved, err)
		}
	}
}
