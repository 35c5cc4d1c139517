package inbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// desk is a store and a decider in one, that several members share: a start is
// an execution, the same token gives the same one, and rows become durable with it.
type desk struct {
	t *testing.T

	mu       sync.Mutex
	receipts map[string]work.Receipt
	memos    map[string]string
	byToken  map[string]*workflows.Execution
	intents  []workflows.Intent // decided and not refused, each token once
	commits  int
	taken    int                         // of them, those refused because a claim was taken
	slow     time.Duration               // what a commit takes
	fault    func(n int) string          // of the commit n: "before", "after", "" (none)
	refuse   func(workflows.Intent) bool // nil: nothing
	rows     map[string]workflows.Execution
	versions map[int]*workflows.Pipeline
	states   map[string]*machine.State // after the events that were committed here
	looks    int                       // for the versions in use
	broken   error                     // what reading answers instead
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, receipts: map[string]work.Receipt{}, memos: map[string]string{}, byToken: map[string]*workflows.Execution{},
		rows: map[string]workflows.Execution{}, versions: map[int]*workflows.Pipeline{}, states: map[string]*machine.State{}}
}

var errUnknown = &workflows.Problem{Code: workflows.CodeCommitUnknown, Message: "it is unknown whether this was saved"}

// change sets how the desk behaves from now on.
func (d *desk) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// commit writes rows as a store does: all or nothing, and nothing when a claim is taken.
func (d *desk) commit(rows func() record.Commit) error {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	<-time.After(slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.commits++
	fault := ""
	if d.fault != nil {
		fault = d.fault(d.commits)
	}
	if fault == "before" {
		return errUnknown
	}
	c := rows()
	claimed := map[string]bool{}
	for _, n := range c.Claims {
		if there, ok := d.receipts[n.Key]; claimed[n.Key] || ok && n.Taken(there) {
			d.taken++
			return fmt.Errorf("the receipt %s is there: %w", n.Key, record.ErrConflict)
		}
		claimed[n.Key] = true
	}
	for _, n := range c.Claims {
		d.receipts[n.Key] = n.Receipt
	}
	for _, r := range c.Receipts {
		d.receipts[r.Key] = r
	}
	for _, m := range c.Memos {
		if len(m.Value) == 0 {
			delete(d.memos, m.Key)
		} else {
			d.memos[m.Key] = string(m.Value)
		}
	}
	if fault == "after" {
		return errUnknown
	}
	return nil
}

func (d *desk) Persist(_ context.Context, rows record.Commit) error {
	return d.commit(func() record.Commit { return rows })
}

func (d *desk) Submit(_ context.Context, in workflows.Intent, with record.Attachment) (r event.Result, refused *workflows.Problem, err error) {
	var x *workflows.Execution
	undo := func() {}
	err = d.commit(func() record.Commit {
		if d.refuse != nil && d.refuse(in) {
			refused = workflows.Refuse(workflows.CodeConflict, "", "%s takes nothing", in.Pipeline)
			return with.Rows(in.Pipeline, time.Now(), nil, refused)
		}
		if in.Verb == workflows.Start {
			x = d.byToken[in.Token]
		}
		if x == nil {
			d.intents = append(d.intents, in)
			x = &workflows.Execution{ID: fmt.Sprint(in.Pipeline, "-", len(d.intents)), Pipeline: in.Pipeline}
			undo = func() { d.intents = d.intents[:len(d.intents)-1]; delete(d.byToken, in.Token) }
			d.byToken[in.Token] = x
		}
		c := with.Rows(in.Pipeline, time.Now(), x, nil)
		for _, n := range c.Claims { // what is refused leaves no execution
			if there, ok := d.receipts[n.Key]; ok && n.Taken(there) {
				undo()
				break
			}
		}
		return c
	})
	return event.Result{Execution: x}, refused, err
}

func (d *desk) Receipt(_ context.Context, key string) (work.Receipt, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.receipts[key]
	return r, ok, d.broken
}

func (d *desk) Forget(_ context.Context, before time.Time, limit int) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, r := range d.receipts {
		if r.Done && r.At.Before(before) && n < limit {
			delete(d.receipts, key)
			n++
		}
	}
	return n, d.broken
}

func (d *desk) Memo(_ context.Context, _, key string) ([]byte, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.memos[key]
	return []byte(v), ok, d.broken
}

func (d *desk) List(_ context.Context, _, prefix string) (all []record.Memo, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, v := range d.memos {
		if strings.HasPrefix(key, prefix) {
			all = append(all, record.Memo{Owner: record.RuntimeOwner, Key: key, Value: []byte(v)})
		}
	}
	slices.SortFunc(all, func(a, b record.Memo) int { return strings.Compare(a.Key, b.Key) })
	return all, d.broken
}

func (d *desk) ListAfter(ctx context.Context, owner, prefix, after string, limit int) ([]record.Memo, error) {
	all, err := d.List(ctx, owner, prefix)
	return page(all, after, limit), err
}

// page is what comes after a key, at most limit.
func page(all []record.Memo, after string, limit int) []record.Memo {
	all = slices.DeleteFunc(all, func(m record.Memo) bool { return m.Key <= after })
	return all[:min(limit, len(all))]
}

func (d *desk) Execution(_ context.Context, id string) (workflows.Execution, bool, error) {
	x, ok := d.rows[id]
	return x, ok, nil
}

func (d *desk) Current(ctx context.Context, _, id string) (workflows.Execution, bool, error) {
	return d.Execution(ctx, id)
}

func (d *desk) Definition(_ context.Context, _ string, version int) (*workflows.Pipeline, error) {
	return d.versions[version], nil
}

func (d *desk) InUse(context.Context, string) (map[int]*workflows.Pipeline, error) {
	d.looks++
	return d.versions, nil
}

// starts counts the executions of a pipeline.
func (d *desk) starts(pipeline string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, in := range d.intents {
		if in.Verb == workflows.Start && in.Pipeline == pipeline {
			n++
		}
	}
	return n
}

// left are the memos with a prefix.
func (d *desk) left(prefix string) (n int) {
	all, _ := d.List(context.Background(), "", prefix)
	return len(all)
}

// clock is Timers on the clock of the bubble.
type clock struct {
	mu  sync.Mutex
	all map[string]*time.Timer
}

func (c *clock) Set(key string, at time.Time, fire func()) {
	c.Drop(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[key] = time.AfterFunc(time.Until(at), fire)
}

func (c *clock) Drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.all[key]; t != nil {
		t.Stop()
	}
	delete(c.all, key)
}

// member is one process on the desk.
type member struct {
	*desk
	o         *Options
	catalogue *Catalogue
	starter   *Starter
	receipts  *Receipts
	sources   *Sources
	ranges    *Ranges
	freezes   *Freezes
	ended     chan struct{}
	work      sync.WaitGroup
}

func (d *desk) member(change ...func(o *Options)) *member {
	m := &member{desk: d, ended: make(chan struct{})}
	m.o = &Options{
		Inbox: d, Memos: d, Decider: d, Commits: d, Timers: &clock{all: map[string]*time.Timer{}},
		PollInterval: 30 * time.Second, Now: time.Now, Go: func(f func()) bool { m.work.Go(f); return true },
		Ended: m.ended, Stopped: errors.New("stopped"), Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(m.o)
	}
	m.catalogue = NewCatalogue(d)
	m.starter = NewStarter(m.o, m.catalogue)
	m.receipts = NewReceipts(m.o, m.starter)
	m.sources = NewSources(m.o, m.starter)
	m.ranges = NewRanges(m.o)
	m.freezes = NewFreezes(m.o, m.catalogue)
	if err := m.catalogue.Load(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return m
}

// commitEvents has events become durable at the desk, and known to members.
func (d *desk) commitEvents(pipeline string, events []event.Event, members ...*member) {
	d.t.Helper()
	state := d.states[pipeline]
	if state == nil {
		state = machine.New(pipeline)
		d.states[pipeline] = state
	}
	for _, ev := range events {
		if ev.Kind != event.ExecutionStarted || ev.Started != nil {
			state.Evolve(ev)
		}
	}
	if err := d.Persist(d.t.Context(), record.Commit{Memos: Index(state, events)}); err != nil {
		d.t.Fatal(err)
	}
	for _, m := range members {
		m.catalogue.OnCommit(event.Frame{Pipeline: pipeline, Events: events})
	}
}

// define puts pipelines in force that follow main of a repository.
func (m *member) define(names ...string) {
	for _, name := range names {
		p := pipeline(name, git("App", "https://git.example/shop.git", "main"))
		m.commitEvents(name, []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 1, Definition: *p}}}, m)
	}
}

func pipeline(name string, sources ...workflows.Action) *workflows.Pipeline {
	return &workflows.Pipeline{Name: name, Stages: []workflows.Stage{
		{Name: "Source", Actions: sources},
		{Name: "Prod", Environment: "production", Actions: []workflows.Action{{Name: "Ship", ActionType: workflows.ActionType{Category: "Deploy", Provider: "Commands"}}}},
	}}
}

func git(name, repository, branch string) workflows.Action {
	return workflows.Action{Name: name, ActionType: workflows.ActionType{Category: "Source", Provider: "Git"},
		Configuration: map[string]string{"Repository": repository, "BranchName": branch}}
}

func push(commit string) work.Change {
	return work.Change{Provider: "Git", Event: "push", Repository: "https://git.example/shop.git", Branch: "main", Commit: commit,
		By: workflows.Principal{ID: "github:dora", Name: "Dora", Email: "dora@acme.example", Via: "github"}, Commits: []string{commit}}
}
