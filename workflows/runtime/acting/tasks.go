package acting

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	atATime   = 64               // calls into the runner of one provider
	firstPoll = time.Second      // when a runner does not say when to poll again
	longPoll  = 15 * time.Second // what that grows to
	cancelFor = 24 * time.Hour   // after its deadline, until the cancel of work that nobody waits for any more is given up
)

// Options are what [Tasks] work with. All but Log are needed.
type Options struct {
	// Runners by what they carry out: "Category/Provider", or the provider alone,
	// which serves every category that has no runner of its own.
	Runners  map[string]Runner
	Runs     Runs
	Outcomes Outcomes
	Timers   Timers
	Now      func() time.Time
	// Go runs f on a goroutine of its own; false: the process is ending and f does not run.
	Go  func(f func()) bool
	Log *slog.Logger
}

// Tasks keeps what is under way outside equal to what the states want: after
// each commit, and after each load, the pipeline's open tasks are compared with
// the jobs here. All of it can be derived again from durable state.
type Tasks struct {
	o     Options
	calls context.Context // of the calls into runners

	mu         sync.Mutex
	jobs       map[string]*job   // by task ID
	ofPipeline map[string][]*job // the same
	unstarted  map[string]bool   // task IDs that this process opened in a commit of unknown end
	lanes      map[string]*lane  // by provider
	inline     []*job            // called by whoever unlocks mu
	generation int               // counts the calls of Reconcile
	stopped    bool
}

// job is one task and how far this process has come with it.
type job struct {
	task       work.Task
	generation int                // in which the state wanted it last
	started    bool               // its start was called, or may have been by an earlier process
	folder     atomic.Bool        // it may have a run folder
	timed      bool               // a timer is set for it
	busy       bool               // queued, being called, or its outcome is being decided about
	cancel     context.CancelFunc // ends the call under way; nil: none
	outcome    *work.Outcome      // known and not yet durable
	polls      int
	failures   int
	woken      bool // to be called again at once, after the call under way
	dropped    bool // the state no longer wants it
}

// NewTasks returns tasks of which none is called before [Tasks.Start].
func NewTasks(o Options) *Tasks {
	return &Tasks{
		o: o, calls: context.Background(), jobs: map[string]*job{}, ofPipeline: map[string][]*job{},
		unstarted: map[string]bool{}, lanes: map[string]*lane{},
	}
}

// Start says in which context runners are called. It comes before anything else.
func (t *Tasks) Start(calls context.Context) { t.calls = calls }

// Stop begins no more calls.
func (t *Tasks) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

// NotStarted notes attempts that were opened in a commit of unknown end. Should
// they turn out to be durable, nobody has started them.
func (t *Tasks) NotStarted(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		t.unstarted[id] = true
	}
}

// Open are the tasks of a kind of action ("Deploy/ECS") that are under way.
func (t *Tasks) Open(kind string) (all []work.Task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range t.jobs {
		if of := j.task.Action.ActionType; of.Category+"/"+of.Provider == kind {
			all = append(all, j.task)
		}
	}
	return all
}

// Reconcile compares a pipeline's open tasks, as durable, with what is under
// way. Those in opened have just become durable; of any other that is not under
// way an earlier process may have started it.
func (t *Tasks) Reconcile(pipeline string, open []work.Task, opened []string) {
	t.mu.Lock()
	defer t.unlock()
	t.generation++
	for i := range open {
		task := &open[i]
		j := t.jobs[task.ID]
		if j != nil {
			t.update(j, task)
		} else {
			j = &job{task: *task, started: !t.unstarted[task.ID] && !slices.Contains(opened, task.ID)}
			j.folder.Store(j.started)
			t.jobs[task.ID] = j
			t.ofPipeline[pipeline] = append(t.ofPipeline[pipeline], j)
			t.schedule(j, task.After)
		}
		j.generation = t.generation
	}
	if len(t.ofPipeline[pipeline]) > len(open) {
		t.dropOthers(pipeline)
	}
}

// dropOthers forgets the pipeline's jobs that this call of Reconcile did not want.
func (t *Tasks) dropOthers(pipeline string) {
	kept := t.ofPipeline[pipeline][:0]
	for _, j := range t.ofPipeline[pipeline] {
		if j.generation == t.generation {
			kept = append(kept, j)
		} else {
			t.drop(j)
		}
	}
	clear(t.ofPipeline[pipeline][len(kept):])
	if t.ofPipeline[pipeline] = kept; len(kept) == 0 {
		delete(t.ofPipeline, pipeline)
	}
}

// unlock unlocks mu, and then makes the calls that need no goroutine of their own.
func (t *Tasks) unlock() {
	calls := t.inline
	t.inline = nil
	t.mu.Unlock()
	for _, j := range calls {
		t.call(t.calls, j)
	}
}

// update gives a job the task as it is now.
func (t *Tasks) update(j *job, task *work.Task) {
	turned := j.task.Kind != task.Kind
	j.task = *task
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
// while somebody may still want to inspect it.
func (t *Tasks) drop(j *job) {
	delete(t.jobs, j.task.ID)
	delete(t.unstarted, j.task.ID)
	t.dropTimer(j)
	j.dropped = true
	if j.cancel != nil {
		j.cancel()
	}
	if j.outcome != nil && j.outcome.State == work.InDoubt || !j.folder.Load() {
		return
	}
	task := j.task
	t.enqueue("", func() {
		if err := t.o.Runs.Release(task); err != nil {
			t.o.Log.With(about(&task)...).Warn("a run folder could not be removed", "task", task.ID, "err", err)
		}
	})
}

// schedule has the job called at a time, or at once. t.mu is held.
func (t *Tasks) schedule(j *job, at time.Time) {
	if !at.After(t.o.Now()) {
		t.dispatch(j)
		return
	}
	j.timed = true
	t.o.Timers.Set("task/"+j.task.ID, at, func() {
		t.mu.Lock()
		defer t.unlock()
		t.dispatch(j)
	})
}

// dropTimer forgets the job's timer, if it has one. t.mu is held.
func (t *Tasks) dropTimer(j *job) {
	if j.timed {
		j.timed = false
		t.o.Timers.Drop("task/" + j.task.ID)
	}
}

// Wake has the runners of open tasks called now, because there is news: one
// that is being called is called once more. Tasks that are not open are passed over.
func (t *Tasks) Wake(ids ...string) {
	t.mu.Lock()
	defer t.unlock()
	for _, id := range ids {
		switch j := t.jobs[id]; {
		case j == nil:
		case j.busy:
			j.woken = true
		default:
			t.dispatch(j)
		}
	}
}

// dispatch queues a call. t.mu is held.
func (t *Tasks) dispatch(j *job) {
	if j.busy || j.dropped {
		return
	}
	t.dropTimer(j)
	j.busy = true
	switch one, ok := t.runnerOf(j.task.Action.ActionType).(Inline); {
	case j.outcome != nil:
		t.report(j, j.outcome, j.task.Kind)
	case ok && one.Inline(j.task) && !t.stopped:
		t.inline = append(t.inline, j)
	default:
		t.enqueue(j.task.Action.ActionType.Provider, func() {
			ctx, cancel := context.WithCancel(t.calls)
			defer cancel()
			t.mu.Lock()
			j.cancel = cancel
			t.mu.Unlock()
			t.call(ctx, j)
		})
	}
}

// call asks the runner once and has its answer decided about.
func (t *Tasks) call(ctx context.Context, j *job) {
	t.mu.Lock()
	if j.dropped {
		t.mu.Unlock()
		return
	}
	task, before := j.task, j.started
	j.started = true
	t.mu.Unlock()

	outcome, err := t.ask(ctx, task, before, &j.folder)

	t.mu.Lock()
	defer t.unlock()
	j.cancel = nil
	switch {
	case j.dropped:
	case err != nil && j.task.Kind != task.Kind: // a cancel has overtaken the call
		j.busy = false
		t.dispatch(j)
	case err != nil:
		t.retryLater(j, err)
		t.reportRetrying(j, err)
	default:
		outcome.Task = task.ID
		j.outcome = &outcome
		t.report(j, &outcome, task.Kind)
	}
}

// retryLater has a call repeated that could not be made. t.mu is held.
func (t *Tasks) retryLater(j *job, err error) {
	j.busy = false
	pause := work.Backoff(j.failures)
	j.failures++
	t.o.Log.With(about(&j.task)...).Warn("an action's runner could not be asked; it is tried again", "task", j.task.ID, "kind", j.task.Kind,
		"provider", j.task.Action.ActionType.Provider, "tries", j.failures, "again_in", pause, "err", err)
	t.schedule(j, t.o.Now().Add(pause))
}
