package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	invokeProvider = "CodePipeline"
	invokedPrefix  = "invoked/" // TASK: the execution that the task started
	deepest        = 5          // pipelines that start one another, below the first
	invokePause    = 30 * time.Second
)

// invoker carries out actions of the provider CodePipeline: each starts an
// execution of another pipeline and ends as that one does. Which execution a
// task has started is a memo in the commit of that start, so it is never
// started twice. That somebody waits is remembered here only to be faster: the
// polls find out too.
type invoker struct {
	e *Engine

	mu      sync.Mutex
	waiting map[string]string // execution -> the task that waits for its end
}

// invoked is what a task has started.
type invoked struct {
	Pipeline  string    `json:"pipeline"`
	Execution string    `json:"execution"`
	At        time.Time `json:"at"`
}

func newInvoker(e *Engine) *invoker { return &invoker{e: e, waiting: map[string]string{}} }

// withInvoker adds the engine's own runner, unless somebody brings another.
func withInvoker(runners map[string]Runner, v *invoker) map[string]Runner {
	all := maps.Clone(runners)
	if all == nil {
		all = map[string]Runner{}
	}
	if all[invokeProvider] == nil {
		all[invokeProvider] = v
	}
	return all
}

// learn wakes the tasks that wait for an execution that has ended.
func (v *invoker) learn(f event.Frame) {
	for _, ev := range f.Events {
		switch ev.Kind {
		case event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionStopped, event.ExecutionSuperseded, event.ExecutionCancelled:
			v.mu.Lock()
			task, awaited := v.waiting[ev.Execution]
			delete(v.waiting, ev.Execution)
			v.mu.Unlock()
			if awaited {
				v.e.tasks.hasten(task)
			}
		}
	}
}

// Start starts the other pipeline. What is refused there fails the action, in the same words.
func (v *invoker) Start(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	in, err := v.intent(ctx, t)
	if p, ok := asProblem(err); ok {
		return outcome(work.Failed, "ConfigurationInvalid", p.Error()), nil
	}
	if err != nil {
		return work.Outcome{}, err
	}
	var child invoked
	got := v.e.ask(context.WithoutCancel(ctx), ask{ // a cancel must find what this starts
		pipeline: in.Pipeline, by: workflows.EnginePrincipal(), intent: &in, ride: func(got answer) ([]work.Receipt, []Memo) {
			if got.err != nil || got.result.Execution == nil {
				return nil, nil
			}
			child = invoked{Pipeline: in.Pipeline, Execution: got.result.Execution.ID, At: v.e.o.Now()}
			return nil, []Memo{{Owner: owner, Key: invokedPrefix + t.ID, Value: encode(child)}}
		}})
	if err := undecided(got.err); err != nil {
		return work.Outcome{}, err
	}
	if p, refused := asProblem(got.err); refused {
		return outcome(work.Failed, "ActionFailed", in.Pipeline+" was not started: "+p.Error()), nil
	}
	return v.wait(ctx, t, child.Execution)
}

// Find looks the execution of a task up.
func (v *invoker) Find(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, bool, error) {
	child, ok, err := v.started(ctx, t)
	if err != nil || !ok {
		return work.Outcome{}, false, err
	}
	o, err := v.wait(ctx, t, child)
	return o, err == nil, err
}

// Poll says how the other execution stands.
func (v *invoker) Poll(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return v.wait(ctx, t, t.Handle)
}

// Cancel stops the other execution, unless it has ended; what runs in it may finish.
func (v *invoker) Cancel(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	child, ok, err := v.started(ctx, t)
	if err != nil || !ok {
		return work.Outcome{State: work.Cancelled, Summary: "it had started nothing"}, err
	}
	o, err := v.wait(ctx, t, child)
	if err != nil || o.State == work.Succeeded {
		return o, err
	}
	if o.State == work.Running {
		pipeline, _, err := v.e.resolve(ctx, "", child)
		if err != nil {
			return work.Outcome{}, err
		}
		if x, ok, err := v.e.current(ctx, pipeline, child); err != nil || ok && x.Stop != nil {
			return o, err // asked already: every further request would be refused, and that recorded
		}
		in := workflows.Intent{Verb: workflows.StopIt, Pipeline: pipeline, Execution: child, Reason: "given up by " + caller(t)}
		got := v.e.ask(ctx, ask{pipeline: pipeline, by: workflows.EnginePrincipal(), intent: &in})
		if err := undecided(got.err); err != nil {
			return work.Outcome{}, err
		}
		if o, err = v.wait(ctx, t, child); err != nil || o.State == work.Running {
			return o, err
		}
	}
	return work.Outcome{State: work.Cancelled, Summary: o.Summary}, nil
}

// started returns the execution that a task has started, if it has.
func (v *invoker) started(ctx context.Context, t work.Task) (id string, ok bool, err error) {
	if t.Handle != "" {
		return t.Handle, true, nil
	}
	value, ok, err := v.e.o.Memos.Memo(ctx, owner, invokedPrefix+t.ID)
	var child invoked
	if err == nil && ok {
		err = json.Unmarshal(value, &child)
	}
	if err != nil {
		return "", false, fmt.Errorf("read what %s has started: %w", t.ID, err)
	}
	return child.Execution, ok, nil
}

// wait is the outcome of a task that waits for an execution, as that stands now.
func (v *invoker) wait(ctx context.Context, t work.Task, id string) (work.Outcome, error) {
	v.mu.Lock()
	v.waiting[id] = t.ID // before it is looked at, so that its end is not missed
	v.mu.Unlock()
	row, ok, err := v.e.o.History.Execution(ctx, id)
	if err == nil && ok {
		row, ok, err = v.e.current(ctx, row.Pipeline, id)
	}
	if err != nil {
		return work.Outcome{}, err
	}
	o := work.Outcome{State: work.Running, Handle: id, ExternalID: id, PollAfter: invokePause}
	switch {
	case !ok:
		o = outcome(work.Failed, "ActionFailed", "the execution "+id+" that it waits for is not there any more")
	case row.Status == workflows.StatusSucceeded:
		o.State, o.Summary = work.Succeeded, row.Ref()+" succeeded"
	case row.Status.Final():
		o.State, o.Summary = work.Failed, ended(&row)
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: o.Summary}
	default:
		o.Summary = "waits for " + row.Ref()
		return o, nil
	}
	v.mu.Lock()
	delete(v.waiting, id)
	v.mu.Unlock()
	return o, nil
}

// ended says how an execution came to an end that is no success.
func ended(x *workflows.Execution) string {
	how := map[workflows.Status]string{
		workflows.StatusFailed: " failed", workflows.StatusStopped: " was stopped",
		workflows.StatusSuperseded: " was superseded", workflows.StatusCancelled: " was cancelled",
	}[x.Status]
	if x.StatusReason != nil && x.StatusReason.Message != "" {
		how += ": " + x.StatusReason.Message
	}
	return x.Ref() + how
}

// caller names the action that a task is of: "webshop#42 Prod/Deploy".
func caller(t work.Task) string {
	return fmt.Sprintf("%s#%d %s/%s", t.Pipeline, t.Number, t.Stage, t.Action.Name)
}

// intent is the start that a task asks for. The error is a *workflows.Problem
// when its configuration is wrong. Who began the first pipeline of all is said
// to have asked for the others too, so that nobody approves there what they
// have started here.
func (v *invoker) intent(ctx context.Context, t work.Task) (in workflows.Intent, err error) {
	target := strings.TrimSpace(t.Configuration["PipelineName"])
	if _, known := v.e.known.seq(target); !known {
		return in, &workflows.Problem{Code: workflows.CodePipelineNotFound, Field: "PipelineName", Message: fmt.Sprintf("there is no pipeline %q to start", cut(target)), Hint: "define it, or correct PipelineName"}
	}
	parent, ok, err := v.e.o.History.Execution(ctx, t.Execution)
	if err == nil && !ok {
		err = fmt.Errorf("the execution %s has no row", t.Execution)
	}
	if err != nil {
		return in, err
	}
	if err := v.loop(ctx, parent, target); err != nil {
		return in, err
	}
	sum := sha256.Sum256([]byte(t.ID))
	in = workflows.Intent{
		Verb: workflows.Start, Pipeline: target, Token: "invoke-" + hex.EncodeToString(sum[:20]),
		Trigger: &workflows.StartedBy{Type: workflows.TriggerStart, Detail: caller(t), By: parent.Trigger.By, Execution: parent.ID},
	}
	var given []struct{ Name, Value string }
	if err := list(t, "Variables", &given); err != nil {
		return in, err
	}
	for _, g := range given {
		put(&in.Variables, g.Name, g.Value)
	}
	if err := list(t, "SourceRevisions", &in.Revisions); err != nil {
		return in, err
	}
	in.AnyRevision = len(in.Revisions) > 0 && !slices.ContainsFunc(in.Revisions, func(o workflows.RevisionOverride) bool {
		return !slices.ContainsFunc(parent.SourceRevisions, func(r workflows.SourceRevision) bool { return r.AnyBranch && r.RevisionID == o.RevisionValue })
	})
	return in, nil
}

// list reads a key of the configuration that holds a list as JSON text.
func list(t work.Task, key string, into any) error {
	text := strings.TrimSpace(t.Configuration[key])
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: key, Message: key + " is not the JSON text of a list", Hint: map[string]string{
			"Variables":       `write [{"name": "canary", "value": "10"}]`,
			"SourceRevisions": `write [{"actionName": "App", "revisionType": "COMMIT_ID", "revisionValue": "#{App.CommitId}"}]`,
		}[key]}
	}
	return nil
}

// loop refuses pipelines that start themselves, by way of others, and chains
// that are too long to be meant.
func (v *invoker) loop(ctx context.Context, x workflows.Execution, target string) error {
	way := []string{target}
	for {
		way = append([]string{x.Pipeline}, way...)
		switch {
		case x.Pipeline == target:
			return &workflows.Problem{Code: workflows.CodeConflict, Message: target + " would start itself: " + strings.Join(way, " -> "), Hint: "take one of these actions out"}
		case len(way) > deepest+1:
			return &workflows.Problem{Code: workflows.CodeConflict, Message: fmt.Sprintf("more than %d pipelines would start one another: %s", deepest, strings.Join(way, " -> ")), Hint: "let one of them start the others"}
		case x.Trigger.Execution == "":
			return nil
		}
		above, ok, err := v.e.o.History.Execution(ctx, x.Trigger.Execution)
		if err != nil || !ok {
			return err
		}
		x = above
	}
}
