package acting

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// InvokeProvider is the provider whose actions the [Invoker] carries out.
const InvokeProvider = "CodePipeline"

// InvokedPrefix is the prefix, before the task's ID, of the engine's memos that
// note which execution a task started.
const InvokedPrefix = "invoked/"

const (
	deepest     = 5 // pipelines that start one another, below the first
	invokePause = 30 * time.Second
)

// Invoker carries out actions of the provider CodePipeline: each starts an
// execution of another pipeline and ends as that one does. Which execution a
// task has started is a memo in the commit of that start, so it is never
// started twice. That a task waits is remembered here only to be faster: the
// polls find out too.
type Invoker struct {
	pipelines  Pipelines
	executions Executions
	memos      Memos
	wake       func(tasks ...string)

	mu      sync.Mutex
	waiting map[string]string // execution -> the task that waits for its end
}

// NewInvoker returns the runner; wake has tasks called again, as [Tasks.Wake] does.
func NewInvoker(p Pipelines, x Executions, m Memos, wake func(tasks ...string)) *Invoker {
	return &Invoker{pipelines: p, executions: x, memos: m, wake: wake, waiting: map[string]string{}}
}

// OnCommit wakes the tasks that wait for an execution that has ended.
func (v *Invoker) OnCommit(f event.Frame) {
	for _, ev := range f.Events {
		switch ev.Kind {
		case event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionStopped, event.ExecutionSuperseded, event.ExecutionCancelled:
			v.mu.Lock()
			task, awaited := v.waiting[ev.Execution]
			delete(v.waiting, ev.Execution)
			v.mu.Unlock()
			if awaited {
				v.wake(task)
			}
		}
	}
}

// Start starts the other pipeline. What is refused there fails the action, in the same words.
func (v *Invoker) Start(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	in, err := v.intent(ctx, t)
	var wrong *workflows.Problem
	if errors.As(err, &wrong) {
		return outcome(work.Failed, "ConfigurationInvalid", wrong.Error()), nil
	}
	if err != nil {
		return work.Outcome{}, err
	}
	attach := record.Attachment{Started: []record.Memo{{Owner: record.RuntimeOwner, Key: InvokedPrefix + t.ID}}}
	got, refused, err := v.pipelines.Submit(context.WithoutCancel(ctx), in, attach) // a cancel must find what this starts
	if err != nil {
		return work.Outcome{}, err
	}
	if refused != nil {
		return outcome(work.Failed, "ActionFailed", in.Pipeline+" was not started: "+refused.Error()), nil
	}
	if got.Execution == nil {
		return outcome(work.Failed, "ActionFailed", in.Pipeline+" was not started"), nil
	}
	return v.wait(ctx, t, got.Execution.ID)
}

// Find looks the execution of a task up.
func (v *Invoker) Find(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, bool, error) {
	child, ok, err := v.started(ctx, t)
	if err != nil || !ok {
		return work.Outcome{}, false, err
	}
	o, err := v.wait(ctx, t, child)
	return o, err == nil, err
}

// Poll says how the other execution stands.
func (v *Invoker) Poll(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return v.wait(ctx, t, t.Handle)
}

// Cancel stops the other execution, unless it has ended; what runs in it may finish.
func (v *Invoker) Cancel(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	child, ok, err := v.started(ctx, t)
	if err != nil || !ok {
		return work.Outcome{State: work.Cancelled, Summary: "it had started nothing"}, err
	}
	o, err := v.wait(ctx, t, child)
	if err != nil || o.State == work.Succeeded {
		return o, err
	}
	if o.State == work.Running {
		row, ok, err := v.executions.Execution(ctx, child)
		if err == nil && ok {
			row, ok, err = v.executions.Current(ctx, row.Pipeline, child)
		}
		if err != nil || !ok || row.Stop != nil {
			return o, err // asked already: every further request would be refused, and that recorded
		}
		in := workflows.Intent{Verb: workflows.StopExecution, Pipeline: row.Pipeline, Execution: child, Reason: "given up by " + caller(t)}
		if _, _, err := v.pipelines.Submit(ctx, in, record.Attachment{}); err != nil {
			return work.Outcome{}, err
		}
		if o, err = v.wait(ctx, t, child); err != nil || o.State == work.Running {
			return o, err
		}
	}
	return work.Outcome{State: work.Cancelled, Summary: o.Summary}, nil
}

// started returns the execution that a task has started, if it has.
func (v *Invoker) started(ctx context.Context, t work.Task) (id string, ok bool, err error) {
	if t.Handle != "" {
		return t.Handle, true, nil
	}
	value, ok, err := v.memos.Memo(ctx, record.RuntimeOwner, InvokedPrefix+t.ID)
	var child record.Started
	if err == nil && ok {
		err = json.Unmarshal(value, &child)
	}
	if err != nil {
		return "", false, fmt.Errorf("read what %s has started: %w", t.ID, err)
	}
	return child.Execution, ok, nil
}

// wait is the outcome of a task that waits for an execution, as that stands now.
func (v *Invoker) wait(ctx context.Context, t work.Task, id string) (work.Outcome, error) {
	v.mu.Lock()
	v.waiting[id] = t.ID // before it is read, so that its end is not missed
	v.mu.Unlock()
	row, ok, err := v.executions.Execution(ctx, id)
	if err == nil && ok {
		row, ok, err = v.executions.Current(ctx, row.Pipeline, id)
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
func (v *Invoker) intent(ctx context.Context, t work.Task) (in workflows.Intent, err error) {
	target := strings.TrimSpace(t.Configuration["PipelineName"])
	if !v.pipelines.Exists(target) {
		return in, &workflows.Problem{Code: workflows.CodePipelineNotFound, Field: "PipelineName", Message: fmt.Sprintf("there is no pipeline %q to start", clean.Cut(target)), Hint: "define it, or correct PipelineName"}
	}
	parent, ok, err := v.executions.Execution(ctx, t.Execution)
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
		if in.Variables == nil {
			in.Variables = map[string]string{}
		}
		in.Variables[g.Name] = g.Value
	}
	if err := list(t, "SourceRevisions", &in.Revisions); err != nil {
		return in, err
	}
	in.AnyRevision = len(in.Revisions) > 0 && !slices.ContainsFunc(in.Revisions, func(o workflows.RevisionOverride) bool {
		return !slices.ContainsFunc(parent.SourceRevisions, func(r workflows.SourceRevision) bool { return r.AnyBranch && r.RevisionID == o.RevisionValue })
	})
	return in, nil
}

// list reads a key of the configuration that is a list as JSON text.
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
func (v *Invoker) loop(ctx context.Context, x workflows.Execution, target string) error {
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
		above, ok, err := v.executions.Execution(ctx, x.Trigger.Execution)
		if err != nil || !ok {
			return err
		}
		x = above
	}
}
