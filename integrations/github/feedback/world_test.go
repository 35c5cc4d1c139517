package feedback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// world is a pipeline with a build, staging and production, its executions and
// the memos of a follower, as the engine would keep them.
type world struct {
	provider string
	all      map[string]workflows.Execution
	running  map[string]*workflows.Running // by stage
	memos    map[string][]byte
	feed     []string     // IDs of executions, one for each change
	broken   func() error // of the next access to the memos; nil: it works
}

func newWorld() *world {
	return &world{provider: "GitHub", all: map[string]workflows.Execution{}, running: map[string]*workflows.Running{}, memos: map[string][]byte{}}
}

func idOf(number int) string { return fmt.Sprintf("id-%04d", number) }

func (w *world) Execution(_ context.Context, _ workflows.Principal, ref string) (workflows.Execution, error) {
	e, ok := w.all[ref]
	if !ok {
		return e, &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: "there is no execution " + ref}
	}
	return e, nil
}

func (w *world) Pipeline(context.Context, workflows.Principal, string, int) (workflows.PipelineView, error) {
	p := &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{
		{Name: "Source", Actions: []workflows.Action{{Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: w.provider}, Configuration: map[string]string{"FullRepositoryId": "acme/webshop"}}}},
		{Name: "Build"}, {Name: "Staging", Environment: "staging"}, {Name: "Production", Environment: "production"}}}
	view := workflows.PipelineView{Name: "webshop", Definition: p}
	for _, s := range p.Stages {
		view.Stages = append(view.Stages, workflows.StageView{Name: s.Name, Environment: s.Environment, Running: w.running[s.Name]})
	}
	return view, nil
}

func (w *world) Submit(_ context.Context, in workflows.Intent, _ workflows.Principal) (event.Result, error) {
	if in.Verb != workflows.Annotate {
		return event.Result{}, errors.New("only notes are expected")
	}
	e := w.all[in.Execution]
	e.Note(*in.Note)
	w.all[e.ID] = e
	w.feed = append(w.feed, e.ID)
	return event.Result{}, nil
}

func (w *world) Memo(_ context.Context, key string) ([]byte, bool, error) {
	if w.broken != nil {
		if err := w.broken(); err != nil {
			return nil, false, err
		}
	}
	v, ok := w.memos[key]
	return v, ok, nil
}

func (w *world) List(_ context.Context, prefix string) (all []record.Memo, err error) {
	for key, v := range w.memos {
		if strings.HasPrefix(key, prefix) {
			all = append(all, record.Memo{Key: key, Value: v})
		}
	}
	slices.SortFunc(all, func(a, b record.Memo) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// Note may be applied although it fails, as a commit of unknown outcome is.
func (w *world) Note(_ context.Context, key string, value []byte) error {
	if w.broken != nil {
		if err := w.broken(); err != nil {
			if errors.Is(err, errApplied) {
				w.apply(key, value)
			}
			return err
		}
	}
	w.apply(key, value)
	return nil
}

func (w *world) apply(key string, value []byte) {
	if w.memos[key] = value; len(value) == 0 {
		delete(w.memos, key)
	}
}

var errApplied = errors.New("the power went out after the commit")

// change commits a change of an execution.
func (w *world) change(number int, change func(*workflows.Execution)) {
	e, ok := w.all[idOf(number)]
	if !ok {
		e = workflows.Execution{ID: idOf(number), Number: number, Pipeline: "webshop", Version: 1, Attempt: 1}
	}
	e.Stages = slices.Clone(e.Stages)
	for i := range e.Stages {
		e.Stages[i].Actions = slices.Clone(e.Stages[i].Actions)
	}
	change(&e)
	for _, s := range e.Stages {
		if now := w.running[s.Name]; s.Status == workflows.StatusSucceeded && (now == nil || now.Number < e.Number) {
			w.running[s.Name] = &workflows.Running{Execution: e.ID, Number: e.Number, Certain: true}
		}
	}
	w.all[e.ID] = e
	w.feed = append(w.feed, e.ID)
}

// lane takes a follower along the feed, as the runtime does.
type lane struct {
	follow   func(context.Context, event.Batch) error
	world    *world
	taken    int // of the feed
	failures int
	again    time.Time // when to call it although nothing happened; zero: never
	behind   bool      // the last call failed: what happens waits for the time
}

// run lets time pass, in a bubble of synthetic time.
func (l *lane) run(t *testing.T, d time.Duration) (failed error) {
	t.Helper()
	for end := time.Now().Add(d); ; {
		news := len(l.world.feed) > l.taken && !l.behind
		due := !l.again.IsZero() && !time.Now().Before(l.again)
		if news || due {
			if failed = l.call(t); failed != nil {
				return failed
			}
			continue
		}
		if l.again.IsZero() || l.again.After(end) {
			time.Sleep(time.Until(end))
			synctest.Wait()
			return nil
		}
		time.Sleep(time.Until(l.again))
	}
}

// call calls it once; errPower ends the process.
func (l *lane) call(t *testing.T) error {
	b := event.Batch{Pipeline: "webshop"}
	upTo := len(l.world.feed)
	for _, id := range l.world.feed[l.taken:upTo] {
		b.Frames = append(b.Frames, event.Frame{Events: []event.Event{{Execution: id}}})
	}
	err := l.follow(t.Context(), b)
	var more *event.Unfinished
	switch {
	case err == nil:
		l.taken, l.again, l.failures, l.behind = upTo, time.Time{}, 0, false
	case errors.As(err, &more):
		l.taken, l.again, l.failures, l.behind = upTo, time.Now().Add(more.After), 0, false
	case errors.Is(err, errPower):
		return err
	default:
		l.again, l.behind = time.Now().Add(min(time.Second<<l.failures, 30*time.Second)), true
		l.failures++
	}
	return nil
}

var errPower = errors.New("the power went out")

// What executions do.

func begin(e *workflows.Execution) {
	e.Type, e.Status, e.StartedAt = workflows.TypeStandard, workflows.StatusInProgress, time.Now()
	e.SourceRevisions = []workflows.SourceRevision{{ActionName: "App", RevisionID: strings.Repeat(fmt.Sprintf("%04d", e.Number), 10), Repository: "acme/webshop"}}
	for _, name := range []string{"Source", "Build", "Staging", "Production"} {
		e.Stages = append(e.Stages, workflows.StageExecution{Name: name, Status: workflows.StatusNotStarted})
	}
}

func rollback(target int, name string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		begin(e)
		e.Type, e.Stages = workflows.TypeRollback, []workflows.StageExecution{{Name: name, Status: workflows.StatusNotStarted}}
		e.SourceRevisions[0].RevisionID = strings.Repeat(fmt.Sprintf("%04d", target), 10)
		e.Rollback = &workflows.Rollback{Target: idOf(target), TargetNumber: target}
	}
}

func in(e *workflows.Execution, name string) *workflows.StageExecution {
	s, ok := e.Stage(name)
	if !ok {
		panic("no stage " + name)
	}
	return s
}

func enter(name string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		s, now := in(e, name), time.Now()
		e.WaitsFor = nil
		s.Status, s.Since = workflows.StatusInProgress, &now
		s.Actions = []workflows.ActionExecution{{Name: "Deploy", Status: workflows.StatusNotStarted}}
		if name == "Production" {
			s.Actions = slices.Insert(s.Actions, 0, workflows.ActionExecution{Name: "SignOff", Status: workflows.StatusNotStarted})
		}
	}
}

func ask(e *workflows.Execution) {
	a := &in(e, "Production").Actions[0]
	a.Status, a.Attempt, a.Needs, a.Approval = workflows.StatusInProgress, 1, workflows.NeedsApproval, &workflows.Approval{Required: 1}
}

func approve(names ...string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		a := &in(e, "Production").Actions[0]
		g := *a.Approval
		for _, name := range names {
			g.Votes = append(g.Votes, workflows.Vote{By: workflows.Principal{Name: name}, Answer: "approve"})
		}
		g.Closed = "approved"
		a.Status, a.Needs, a.Approval = workflows.StatusSucceeded, "", &g
	}
}

func reject(name string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		a := &in(e, "Production").Actions[0]
		g := *a.Approval
		g.Votes, g.Closed = []workflows.Vote{{By: workflows.Principal{Name: name}, Answer: "reject"}}, "rejected"
		a.Status, a.Needs, a.Approval, a.Error = workflows.StatusFailed, "", &g, &workflows.Reason{Code: "NotApproved", Message: "no"}
		in(e, "Production").Status, e.StatusReason = workflows.StatusFailed, a.Error
		end(e, workflows.StatusFailed)
	}
}

func stepBack(e *workflows.Execution) {
	s := in(e, "Production")
	s.Status = workflows.StatusNotStarted
	for i := range s.Actions {
		s.Actions[i].Reset()
	}
	e.WaitsFor = &workflows.Wait{Stage: "Production", For: workflows.WaitsForStage}
}

func supersede(e *workflows.Execution) {
	e.WaitsFor = nil
	end(e, workflows.StatusSuperseded)
}

func act(name string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		s := in(e, name)
		a := &s.Actions[len(s.Actions)-1]
		a.Status, a.Attempt = workflows.StatusInProgress, a.Attempt+1
	}
}

func succeed(name string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		s := in(e, name)
		s.Actions[len(s.Actions)-1].Status, s.Status = workflows.StatusSucceeded, workflows.StatusSucceeded
		if e.Stages[len(e.Stages)-1].Name == name {
			end(e, workflows.StatusSucceeded)
		}
	}
}

func fail(name, code string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		s := in(e, name)
		a := &s.Actions[len(s.Actions)-1]
		a.Status, a.Error, s.Status = workflows.StatusFailed, &workflows.Reason{Code: code, Message: "exit status 1, and a secret"}, workflows.StatusFailed
		e.StatusReason = a.Error
		end(e, workflows.StatusFailed)
	}
}

func stop(e *workflows.Execution) {
	for i := range e.Stages {
		if s := &e.Stages[i]; s.Status == workflows.StatusInProgress {
			s.Status = workflows.StatusStopped
		}
	}
	end(e, workflows.StatusStopped)
}

func retry(name string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		s := in(e, name)
		s.Status, e.Status, e.StatusReason, e.EndedAt = workflows.StatusInProgress, workflows.StatusInProgress, nil, nil
		e.Attempt++
		a := &s.Actions[len(s.Actions)-1]
		a.Status, a.Error, a.Attempt = workflows.StatusInProgress, nil, a.Attempt+1
	}
}

func finish(e *workflows.Execution) { end(e, workflows.StatusSucceeded) }

func end(e *workflows.Execution, status workflows.Status) {
	now := time.Now()
	e.Status, e.EndedAt = status, &now
}
