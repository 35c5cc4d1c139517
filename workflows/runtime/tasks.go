package runtime

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	atATime   = 64               // calls into the runner of one provider
	firstPoll = time.Second      // when a runner does not say when to look again
	longPoll  = 15 * time.Second // what that grows to
)

// tasks keeps what is under way outside equal to what the states want: after
// each commit, and after each load, the pipeline's open tasks are compared with
// the jobs here. It holds nothing that could not be found out again.
type tasks struct {
	e *Engine

	mu         sync.Mutex
	jobs       map[string]*job            // by task ID
	ofPipeline map[string]map[string]*job // the same
	fresh      map[string]bool            // task IDs that this process opened in a commit of unknown end: not begun
	lanes      map[string]*lane           // by provider
	stopped    bool
}

// job is one task and how far this process has come with it.
type job struct {
	task     work.Task
	begun    bool               // its start was called, or may have been by an earlier process
	busy     bool               // queued, being called, or its outcome is being decided about
	cancel   context.CancelFunc // ends the call under way; nil: none
	outcome  *work.Outcome      // known and not yet durable
	polls    int
	failures int
	hurry    bool // to be called again at once, after the call under way
	dropped  bool // the state no longer wants it
}

// lane bounds the calls that are under way at a provider.
type lane struct {
	running int
	queue   []func()
}

func newTasks(e *Engine) *tasks {
	return &tasks{
		e: e, jobs: map[string]*job{}, ofPipeline: map[string]map[string]*job{},
		fresh: map[string]bool{}, lanes: map[string]*lane{},
	}
}

// notBegun notes attempts that were opened in a commit of unknown end. Should
// they turn out to be durable, nobody has begun them.
func (t *tasks) notBegun(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		t.fresh[id] = true
	}
}

// sync compares a pipeline's open tasks, as durable, with what is under way.
// Those in opened have just become durable; of any other that is not under way
// an earlier process may have begun it.
func (t *tasks) sync(pipeline string, open []work.Task, opened []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := make(map[string]bool, len(open))
	for _, task := range open {
		wanted[task.ID] = true
		if j := t.jobs[task.ID]; j != nil {
			t.renew(j, task)
			continue
		}
		j := &job{task: task, begun: !t.fresh[task.ID] && !slices.Contains(opened, task.ID)}
		t.jobs[task.ID] = j
		if t.ofPipeline[pipeline] == nil {
			t.ofPipeline[pipeline] = map[string]*job{}
		}
		t.ofPipeline[pipeline][task.ID] = j
		t.schedule(j, task.After)
	}
	for id, j := range t.ofPipeline[pipeline] {
		if !wanted[id] {
			t.drop(pipeline, id, j)
		}
	}
}

// renew gives a job the task as it is now.
func (t *tasks) renew(j *job, task work.Task) {
	turned := j.task.Kind != task.Kind
	j.task = task
	if turned {
		j.polls, j.failures = 0, 0
		if task.Kind == work.Cancel && j.cancel != nil {
			j.cancel() // a start or poll that hangs must not keep the cancel waiting
		}
	}
	if !j.busy && (turned || j.outcome != nil) {
		t.schedule(j, task.After)
	}
}

// drop forgets a job that the state no longer wants. Its run folder goes, except
// while somebody may still want to look into it.
func (t *tasks) drop(pipeline, id string, j *job) {
	delete(t.jobs, id)
	delete(t.fresh, id)
	if delete(t.ofPipeline[pipeline], id); len(t.ofPipeline[pipeline]) == 0 {
		delete(t.ofPipeline, pipeline)
	}
	t.e.timers.drop("task/" + id)
	j.dropped = true
	if j.cancel != nil {
		j.cancel()
	}
	if j.outcome != nil && j.outcome.State == work.InDoubt {
		return
	}
	task := j.task
	t.enqueue("", func() {
		if err := t.e.o.Blobs.Release(task); err != nil {
			t.e.log.Warn("a run folder could not be removed", "task", task.ID, "err", err)
		}
	})
}

// schedule has the job called at a time, or at once. t.mu is held.
func (t *tasks) schedule(j *job, at time.Time) {
	if !at.After(t.e.o.Now()) {
		t.launch(j)
		return
	}
	t.e.timers.set("task/"+j.task.ID, at, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.launch(j)
	})
}

// hasten has a task's runner called now, because there is news.
func (t *tasks) hasten(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch j := t.jobs[id]; {
	case j == nil:
	case j.busy:
		j.hurry = true
	default:
		t.launch(j)
	}
}

// launch queues a call. t.mu is held.
func (t *tasks) launch(j *job) {
	if j.busy || j.dropped {
		return
	}
	t.e.timers.drop("task/" + j.task.ID)
	j.busy = true
	if j.outcome != nil {
		t.deliver(j, *j.outcome, j.task.Kind)
		return
	}
	t.enqueue(j.task.Action.ActionType.Provider, func() { t.call(j) })
}

// enqueue runs f on a goroutine of its own, when the provider's lane has room. t.mu is held.
func (t *tasks) enqueue(provider string, f func()) {
	if t.stopped {
		return
	}
	one := t.lanes[provider]
	if one == nil {
		one = &lane{}
		t.lanes[provider] = one
	}
	if one.running >= atATime {
		one.queue = append(one.queue, f)
		return
	}
	one.running++
	t.e.crew.do(func() { t.work(one, f) })
}

// work runs f, and then what queues in the lane.
func (t *tasks) work(one *lane, f func()) {
	for f != nil {
		f()
		f = nil
		t.mu.Lock()
		if len(one.queue) > 0 && !t.stopped {
			f, one.queue = one.queue[0], one.queue[1:]
		} else {
			one.running--
		}
		t.mu.Unlock()
	}
}

// call asks the runner once and has its answer decided about.
func (t *tasks) call(j *job) {
	t.mu.Lock()
	if j.dropped {
		t.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(t.e.acting)
	defer cancel()
	j.cancel = cancel
	task, before := j.task, j.begun
	j.begun = true
	t.mu.Unlock()

	outcome, err := t.ask(ctx, task, before)

	t.mu.Lock()
	defer t.mu.Unlock()
	j.cancel = nil
	switch {
	case j.dropped:
	case err != nil && j.task.Kind != task.Kind: // a cancel has overtaken the call
		j.busy = false
		t.launch(j)
	case err != nil:
		t.failed(j, err)
	default:
		outcome.Task = task.ID
		j.outcome = &outcome
		t.deliver(j, outcome, task.Kind)
	}
}

// failed has a call repeated that could not be made. t.mu is held.
func (t *tasks) failed(j *job, err error) {
	j.busy = false
	pause := backoff(j.failures)
	j.failures++
	t.e.log.Warn("an action's runner could not be asked; it is tried again", "task", j.task.ID, "kind", j.task.Kind,
		"provider", j.task.Action.ActionType.Provider, "tries", j.failures, "again_in", pause, "err", err)
	t.schedule(j, t.e.o.Now().Add(pause))
}

// ask calls the runner as the task's kind says. before: the start was called earlier, or may have been.
func (t *tasks) ask(ctx context.Context, task work.Task, before bool) (o work.Outcome, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			t.e.log.Error("a runner panicked", "task", task.ID, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("the runner of %s panicked: %v", task.Action.ActionType.Provider, fault)
		}
	}()
	provider := task.Action.ActionType.Provider
	runner := t.e.o.Runners[provider]
	if runner == nil {
		return outcome(work.Failed, "ConfigurationInvalid", fmt.Sprintf("nothing here carries out actions of the provider %s; it may be switched off in the configuration", provider)), nil
	}
	if task.Kind == work.Cancel && !before {
		return work.Outcome{State: work.Cancelled, Summary: "it had not begun"}, nil
	}
	space, err := t.e.o.Blobs.Workspace(task)
	if err != nil {
		return o, fmt.Errorf("prepare the run folder: %w", err)
	}
	switch task.Kind {
	case work.Start:
		return start(ctx, runner, task, space, before)
	case work.Poll:
		return runner.Poll(ctx, task, space)
	case work.Cancel:
		return runner.Cancel(ctx, task, space)
	}
	return o, fmt.Errorf("no runner knows tasks of the kind %q", task.Kind)
}

// start begins the work, unless it may have begun before: then it is looked up
// first, and where that is impossible it is in doubt, never repeated blindly.
func start(ctx context.Context, runner Runner, task work.Task, space work.Workspace, before bool) (work.Outcome, error) {
	if finder, ok := runner.(Finder); ok && before {
		found, ok, err := finder.Find(ctx, task, space)
		if err != nil || ok {
			return found, err
		}
	} else if before && !task.Restartable {
		return outcome(work.InDoubt, "InDoubt", "rollcall was interrupted while it started this action, and cannot find out whether it runs"), nil
	}
	return runner.Start(ctx, task, space)
}

func outcome(state, code, message string) work.Outcome {
	return work.Outcome{State: state, Error: &workflows.Reason{Code: code, Message: message}}
}

// deliver has the outcome of a call of that kind decided about. t.mu is held;
// the reply comes on another goroutine.
func (t *tasks) deliver(j *job, o work.Outcome, kind string) {
	t.e.post(t.e.chased(&ask{
		pipeline: j.task.Pipeline, by: workflows.EnginePrincipal(), outcome: &o,
		reply: func(got answer) { t.delivered(j, o, kind, got.err) },
	}))
}

// delivered goes on after an outcome is durable, or delivers it again when that is not known.
func (t *tasks) delivered(j *job, o work.Outcome, kind string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j.busy = false
	if err != nil {
		if !j.dropped {
			t.failed(j, fmt.Errorf("its outcome (%s) could not be saved: %w", o.State, err))
		}
		return
	}
	if j.outcome = nil; j.dropped {
		return
	}
	j.failures = 0
	pause := o.PollAfter
	if pause <= 0 {
		pause = min(firstPoll<<min(j.polls, 4), longPoll)
	}
	j.polls++
	at := later(t.e.o.Now().Add(pause), j.task.After)
	if kind != work.Cancel && j.task.Kind == work.Cancel || j.hurry {
		at = j.task.After // a cancel that came meanwhile need not wait
	}
	j.hurry = false
	t.schedule(j, at)
}

// stop begins no more calls.
func (t *tasks) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}
