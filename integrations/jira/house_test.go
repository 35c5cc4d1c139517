package jira

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	user  = "bot@acme.example"
	token = "a-token-that-nobody-may-read"
)

// house is the engine as far as tickets see it, a Jira, and a clock that only
// the test moves. It outlives crashes of the follower.
type house struct {
	t     *testing.T
	jira  *jirafake.Server
	url   string
	line  http.RoundTripper // to Jira
	clock atomic.Int64      // Unix nanoseconds; the fake reads it too
	log   bytes.Buffer

	executions map[string]*workflows.Execution
	pipeline   workflows.Pipeline
	stages     []workflows.StageView // as they stand
	changes    changes.Set
	tail       []string
	memos      map[string][]byte
	frames     []event.Frame
	notes      []workflows.Note // as they were submitted

	// crash is asked before and after everything that outlives the process.
	crash   func(what string)
	mu      sync.Mutex       // guards noteErr
	noteErr error            // the store's, when it is away
	read    func(key string) // is called after a memo was read

	taken int // frames that the follower has accepted from run
}

func newHouse(t *testing.T, o jirafake.Options) *house {
	t.Helper()
	h := &house{t: t, executions: map[string]*workflows.Execution{}, memos: map[string][]byte{},
		tail: []string{"deploying 1.2.3", "health check failed", "exit status 3"}, crash: func(string) {}}
	h.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	h.pipeline = workflows.Pipeline{Name: "webshop", Ticket: &workflows.Ticket{LogTail: 10, Labels: []string{"deploy team"}},
		Stages: []workflows.Stage{{Name: "Build"}, {Name: "Production", Environment: "production"}}}
	o.User, o.Token, o.Now = user, token, h.now
	h.jira = jirafake.New(o)
	h.url, h.line = "http://jira.test", wirefake.Direct(h.jira)
	return h
}

// inBubble runs a test in a bubble: what the transport waits takes no time.
func inBubble(t *testing.T, o jirafake.Options, test func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newHouse(t, o))
	})
}

func (h *house) now() time.Time { return time.Unix(0, h.clock.Load()).UTC() }

// pass lets time go by.
func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }

func (h *house) Execution(_ context.Context, _ workflows.Principal, ref string) (workflows.Execution, error) {
	e, ok := h.executions[ref]
	if !ok {
		return workflows.Execution{}, &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: "there is no " + ref}
	}
	return *e, nil
}

func (h *house) Pipeline(context.Context, workflows.Principal, string, int) (workflows.PipelineView, error) {
	return workflows.PipelineView{Name: h.pipeline.Name, Definition: &h.pipeline, Stages: h.stages}, nil
}

func (h *house) Changes(context.Context, workflows.Principal, string, string) (changes.Set, error) {
	return h.changes, nil
}

func (h *house) Tail(_ context.Context, _, _, _ string, _, lines int) ([]string, error) {
	return h.tail[max(0, len(h.tail)-lines):], nil
}

func (h *house) Submit(_ context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	if in.Verb != workflows.Annotate || !by.IsEngine() {
		h.t.Errorf("submitted %+v by %+v", in, by)
	}
	h.crash("before the note")
	e := h.executions[in.Execution]
	e.Notes = slices.DeleteFunc(e.Notes, func(n workflows.Note) bool { return n.Name == in.Note.Name })
	e.Notes = append(e.Notes, *in.Note)
	h.notes = append(h.notes, *in.Note)
	h.crash("after the note")
	return event.Result{}, nil
}

func (h *house) Memo(_ context.Context, key string) ([]byte, bool, error) {
	v, ok := h.memos[key]
	if h.read != nil {
		h.read(key)
	}
	return v, ok, nil
}

func (h *house) List(_ context.Context, prefix string) ([]record.Memo, error) {
	var list []record.Memo
	for _, k := range slices.Sorted(maps.Keys(h.memos)) {
		if strings.HasPrefix(k, prefix) {
			list = append(list, record.Memo{Key: k, Value: h.memos[k]})
		}
	}
	return list, nil
}

func (h *house) Note(_ context.Context, key string, value []byte) error {
	h.crash("before the memo")
	h.mu.Lock()
	broken := h.noteErr
	h.mu.Unlock()
	if broken != nil {
		return broken
	}
	if len(value) == 0 {
		delete(h.memos, key)
	} else {
		h.memos[key] = value
	}
	h.crash("after the memo")
	return nil
}

// breakNotes has the store fail, or work again, also beside a webhook.
func (h *house) breakNotes(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteErr = err
}

// RoundTrip carries calls to Jira, past the places where the process may die.
func (h *house) RoundTrip(r *http.Request) (*http.Response, error) {
	h.crash("before " + r.Method)
	resp, err := h.line.RoundTrip(r)
	h.crash("after " + r.Method)
	return resp, err
}

// tickets starts the follower anew, with nothing in memory.
func (h *house) tickets() *Tickets {
	h.t.Helper()
	f, err := New(Options{URL: h.url, User: user, Token: token, Project: "OPS", PublicURL: "https://rollcall.example", Reader: h, Submitter: h, Notes: h,
		Log: slog.New(slog.NewTextHandler(&h.log, nil)), Now: h.now, Transport: h})
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

// once gives the follower everything that happened, as after an error. It is
// the runtime's contract that what was accepted may come again after a crash.
func (h *house) once() error {
	return h.tickets().Follow(h.t.Context(), event.Batch{Pipeline: "webshop", Frames: h.frames})
}

// catchUp follows as the runtime does, after 1 s, doubling to 60 s, and returns how long it took.
func (h *house) catchUp() time.Duration {
	h.t.Helper()
	begin := h.now()
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		err := h.once()
		if err == nil {
			return h.now().Sub(begin)
		}
		if strings.Contains(err.Error(), token) {
			h.t.Fatalf("the token is in the error: %v", err)
		}
		if h.now().Sub(begin) > time.Hour {
			h.t.Fatalf("still failing after an hour: %v", err)
		}
		h.pass(wait)
	}
}

// run is the runtime for a while: frames that were taken do not come again,
// and the follower, new each time, is called when it asked to be.
func (h *house) run(d time.Duration) {
	h.t.Helper()
	for end := h.now().Add(d); ; {
		err := h.tickets().Follow(h.t.Context(), event.Batch{Pipeline: "webshop", Frames: h.frames[h.taken:]})
		var more *event.Unfinished
		if err != nil && !errors.As(err, &more) {
			h.t.Fatalf("the batch was not taken: %v", err)
		}
		h.taken = len(h.frames)
		if err == nil || h.now().Add(more.After).After(end) {
			h.clock.Store(end.UnixNano())
			return
		}
		h.pass(more.After)
	}
}

// commit appends a frame.
func (h *house) commit(events ...event.Event) {
	for i := range events {
		events[i].At = h.now()
	}
	h.frames = append(h.frames, event.Frame{Pipeline: "webshop", Seq: uint64(len(h.frames) + 1), Events: events})
}

func id(number int) string { return fmt.Sprintf("id-%d", number) }

// start begins an execution.
func (h *house) start(number int) *workflows.Execution {
	e := &workflows.Execution{ID: id(number), Number: number, Pipeline: "webshop", Version: 3, Type: workflows.TypeStandard, Status: workflows.StatusInProgress,
		Trigger: workflows.StartedBy{Type: workflows.TriggerWebhook, By: workflows.Principal{Name: "Ana"}},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "4b1c2d3e4f5061728394a5b6c7d8e9f001122334", RevisionSummary: "Fix the [cart]",
			RevisionURL: "https://github.com/acme/webshop/commit/4b1c2d3", Author: &workflows.Author{Name: "Ana"}}},
		Stages: []workflows.StageExecution{{Name: "Production", Status: workflows.StatusInProgress,
			Actions: []workflows.ActionExecution{{Name: "Deploy", Status: workflows.StatusInProgress, Attempt: 1}}}}}
	h.executions[e.ID] = e
	h.commit(event.Event{Kind: event.ExecutionStarted, Execution: e.ID, Started: e}, event.Event{Kind: event.StageEntered, Execution: e.ID, Stage: "Production"})
	return e
}

// fail lets the execution's Deploy fail; more events belong to the same commit.
func (h *house) fail(e *workflows.Execution, code string, more ...event.Event) {
	h.failBecause(e, workflows.Reason{Code: code, Message: "exit status 3"}, more...)
}

func (h *house) failBecause(e *workflows.Execution, reason workflows.Reason, more ...event.Event) {
	why := &reason
	e.Status, e.StatusReason, e.Stages[0].Status = workflows.StatusFailed, why, workflows.StatusFailed
	e.Stages[0].Actions[0].Status, e.Stages[0].Actions[0].Error = workflows.StatusFailed, why
	a := e.Stages[0].Actions[0]
	h.commit(append([]event.Event{
		{Kind: event.ActionFailed, Execution: e.ID, Stage: "Production", Action: a.Name, Attempt: a.Attempt, Reason: why},
		{Kind: event.StageFailed, Execution: e.ID, Stage: "Production", Reason: why},
		{Kind: event.ExecutionFailed, Execution: e.ID, Reason: why},
	}, more...)...)
}

// succeed lets the execution succeed in production.
func (h *house) succeed(e *workflows.Execution) {
	e.Status = workflows.StatusSucceeded
	h.commit(event.Event{Kind: event.StageSucceeded, Execution: e.ID, Stage: "Production"}, event.Event{Kind: event.ExecutionSucceeded, Execution: e.ID})
}

// rollback is an automatic rollback of a failed execution, not yet started.
func (h *house) rollback(number, target int, failed *workflows.Execution) *workflows.Execution {
	e := *failed
	e.ID, e.Number, e.Type, e.Status, e.StatusReason, e.Notes = id(number), number, workflows.TypeRollback, workflows.StatusInProgress, nil, nil
	e.Trigger = workflows.StartedBy{Type: workflows.TriggerAutomated, By: workflows.EnginePrincipal()}
	e.Rollback = &workflows.Rollback{Target: id(target), TargetNumber: target, FailedExecution: failed.ID}
	e.Stages = []workflows.StageExecution{{Name: "Production", Actions: []workflows.ActionExecution{{Name: "Deploy", Attempt: 1}}}}
	h.executions[e.ID] = &e
	return &e
}

// note is the execution's note about its ticket.
func (h *house) note(number int) workflows.Note {
	for _, n := range h.executions[id(number)].Notes {
		if n.Name == noteName {
			return n
		}
	}
	return workflows.Note{}
}

// only is the one issue that Jira must have.
func (h *house) only() jirafake.Issue {
	h.t.Helper()
	list := h.jira.Issues()
	if len(list) != 1 {
		h.t.Fatalf("Jira has %d issues, want exactly one: %+v", len(list), list)
	}
	return list[0]
}

// crashAt arms a crash at the n-th place the process could die, and returns
// how many there were when none happened.
func (h *house) crashAt(n int) (survived func() int) {
	count := 0
	h.crash = func(string) {
		count++
		if count == n {
			h.crash = func(string) {}
			panic(errCrash)
		}
	}
	return func() int { return count }
}

var errCrash = errors.New("crash")

// untilCrash follows until it settles or dies, and says whether it died.
func (h *house) untilCrash() (died bool) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(errCrash) {
				panic(r)
			}
			died = true
		}
	}()
	h.catchUp()
	return false
}
