package acting_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// bench is all that tasks work with, by hand: timers of the bubble's clock, and
// decisions that are durable at once.
type bench struct {
	mu       sync.Mutex
	calls    []string // "RUNNER KIND TASK"
	running  int      // calls under way
	most     int      // of them at one time
	outcomes map[string][]work.Outcome
	released []string
	spawned  int // goroutines
	timers   map[string]*time.Timer
	saved    error // of every report

	loop sync.Mutex // held by Reconcile

	answer func(t work.Task) (work.Outcome, error)
	*acting.Tasks
}

func newBench(runners ...string) *bench {
	b := &bench{outcomes: map[string][]work.Outcome{}, timers: map[string]*time.Timer{}}
	all := map[string]acting.Runner{}
	for _, name := range runners {
		all[name] = runner{b, name}
	}
	b.Tasks = acting.NewTasks(acting.Options{
		Runners: all, Runs: b, Outcomes: b, Timers: b, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Go: func(f func()) bool {
			b.mu.Lock()
			b.spawned++
			b.mu.Unlock()
			go f()
			return true
		},
	})
	return b
}

// Reconcile says what the tasks of a pipeline are by now. As in the loop that
// decides about the pipeline, one call comes after the other.
func (b *bench) Reconcile(pipeline string, tasks []work.Task, all []string) {
	b.loop.Lock()
	defer b.loop.Unlock()
	b.Tasks.Reconcile(pipeline, tasks, all)
}

func (b *bench) Workspace(work.Task) (work.Workspace, error) { return emptyWorkspace{}, nil }

// emptyWorkspace is a workspace whose run folder costs nothing.
type emptyWorkspace struct{ work.Workspace }

func (emptyWorkspace) Dir() string { return "" }

func (b *bench) Release(t work.Task) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released = append(b.released, t.ID)
	return nil
}

func (b *bench) Report(_ string, o work.Outcome, done func(err error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes[o.Task] = append(b.outcomes[o.Task], o)
	err := b.saved
	go func() { // as after a commit: the tasks that are left first, then the answer
		if err == nil && o.State != work.Running {
			b.Reconcile("shop", nil, nil)
		}
		done(err)
	}()
}

func (b *bench) Set(key string, at time.Time, fire func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.timers[key]; old != nil {
		old.Stop()
	}
	b.timers[key] = time.AfterFunc(time.Until(at), fire)
}

func (b *bench) Drop(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.timers[key]; old != nil {
		old.Stop()
	}
	delete(b.timers, key)
}

// called are the calls so far.
func (b *bench) called() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

type runner struct {
	b    *bench
	name string
}

func (r runner) do(kind string, t work.Task) (work.Outcome, error) {
	r.b.mu.Lock()
	r.b.calls = append(r.b.calls, r.name+" "+kind+" "+t.ID)
	r.b.running++
	r.b.most = max(r.b.most, r.b.running)
	answer := r.b.answer
	r.b.mu.Unlock()
	defer func() {
		r.b.mu.Lock()
		r.b.running--
		r.b.mu.Unlock()
	}()
	if answer == nil {
		return work.Outcome{State: work.Running, Handle: "h", PollAfter: time.Hour}, nil
	}
	return answer(t)
}

func (r runner) Start(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	w.Dir()
	return r.do("start", t)
}

func (r runner) Poll(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return r.do("poll", t)
}

func (r runner) Cancel(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return r.do("cancel", t)
}

func task(id, category, provider, kind string) work.Task {
	return work.Task{ID: id, Kind: kind, Pipeline: "shop", Action: workflows.Action{Name: id, ActionType: workflows.ActionType{Category: category, Provider: provider}}}
}

// An action's runner is that of its category and provider, else that of the
// provider: S3 is a source and a deploy, CodeBuild a build and a test.
func TestRunnersByCategoryAndProvider(t *testing.T) {
	for _, c := range []struct {
		category, provider string
		want               string // the runner; empty: none
	}{
		{"Source", "S3", "Source/S3"},
		{"Deploy", "S3", "S3"},
		{"Build", "Commands", "Commands"},
		{"Build", "CodeBuild", "Build/CodeBuild"},
		{"Test", "CodeBuild", ""},
		{"Source", "Commands", "Commands"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench("Source/S3", "S3", "Commands", "Build/CodeBuild")
			b.Reconcile("shop", []work.Task{task("t1", c.category, c.provider, work.Start)}, []string{"t1"})
			synctest.Wait()
			var want []string
			if c.want != "" {
				want = []string{c.want + " start t1"}
			}
			if got := b.called(); !slices.Equal(got, want) {
				t.Errorf("%s/%s: called %q, want %q", c.category, c.provider, got, want)
			}
			if o := b.outcomes["t1"]; len(o) != 1 || (o[0].State == work.Failed) != (c.want == "") {
				t.Errorf("%s/%s: reported %+v", c.category, c.provider, o)
			}
		})
	}
}

// What is under way of a kind of action is known until its pipeline no longer wants it.
func TestOpenTasksOfAKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("S3", "Git")
		b.answer = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running}, nil }
		b.Reconcile("shop", []work.Task{task("t1", "Deploy", "S3", work.Start), task("t2", "Source", "S3", work.Start), task("t3", "Source", "Git", work.Start)}, []string{"t1", "t2", "t3"})
		synctest.Wait()
		if open := b.Open("Deploy/S3"); len(open) != 1 || open[0].ID != "t1" {
			t.Errorf("open: %+v", open)
		}
		b.Reconcile("shop", nil, nil)
		synctest.Wait()
		if open := b.Open("Deploy/S3"); len(open) != 0 {
			t.Errorf("still open: %+v", open)
		}
	})
}

// The kinds of one provider share its lane: at most 64 calls at one time.
func TestALaneIsTheProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("Source/S3", "S3", "Git")
		b.saved = errors.New("unknown")
		free := make(chan struct{})
		b.answer = func(t work.Task) (work.Outcome, error) {
			<-free
			return work.Outcome{State: work.Succeeded}, nil
		}
		var all []work.Task
		var opened []string
		for i := range 100 {
			category := []string{"Source", "Deploy"}[i%2]
			all = append(all, task(fmt.Sprint("t", i), category, "S3", work.Start))
			opened = append(opened, all[i].ID)
		}
		b.Reconcile("shop", all, opened)
		synctest.Wait()
		if n := len(b.called()); n != 64 {
			t.Errorf("%d calls at one time", n)
		}
		b.Reconcile("other", []work.Task{task("g", "Source", "Git", work.Start)}, []string{"g"})
		synctest.Wait()
		if n := len(b.called()); n != 65 {
			t.Errorf("another provider waits: %d calls", n)
		}
		close(free)
		synctest.Wait()
		if n := len(b.called()); n != 101 {
			t.Errorf("%d of 101 were called", n)
		}
	})
}

// A task that is woken is looked at now, whatever was agreed; one that is being
// called is called once more; what is not open is passed over.
func TestWakingATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("AWS")
		first := task("t1", "Build", "AWS", work.Start)
		b.Reconcile("shop", []work.Task{first}, []string{"t1"})
		synctest.Wait()
		first.Kind, first.Handle, first.After = work.Poll, "h", time.Now().Add(time.Hour)
		b.Reconcile("shop", []work.Task{first}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.called(); !slices.Equal(got, []string{"AWS start t1"}) {
			t.Fatalf("looked at too early: %q", got)
		}
		b.Wake("t1", "t2")
		synctest.Wait()
		if got := b.called(); !slices.Equal(got, []string{"AWS start t1", "AWS poll t1"}) {
			t.Fatalf("woken: %q", got)
		}

		hang := make(chan struct{})
		b.mu.Lock()
		b.answer = func(work.Task) (work.Outcome, error) {
			<-hang
			return work.Outcome{State: work.Running, Handle: "h", PollAfter: time.Hour}, nil
		}
		b.mu.Unlock()
		b.Wake("t1")
		synctest.Wait()
		b.Wake("t1")
		b.Wake("t1")
		synctest.Wait()
		if n := len(b.called()); n != 3 {
			t.Fatalf("two calls side by side: %q", b.called())
		}
		first.After = time.Time{}
		b.Reconcile("shop", []work.Task{first}, nil)
		close(hang)
		synctest.Wait()
		if n := len(b.called()); n != 4 {
			t.Errorf("what was woken during a call: %q", b.called())
		}
	})
}

// An outcome that may not be saved is reported again, and the runner is not
// called again for it.
func TestAnOutcomeIsReportedUntilItIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("AWS")
		b.answer = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Succeeded}, nil }
		b.saved = errors.New("unknown")
		b.Reconcile("shop", []work.Task{task("t1", "Build", "AWS", work.Start)}, []string{"t1"})
		synctest.Wait()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := len(b.outcomes["t1"]); n != 3 || len(b.calls) != 1 {
			t.Errorf("%d reports, calls %q", n, b.calls)
		}
		for _, o := range b.outcomes["t1"] {
			if o.State != work.Succeeded {
				t.Errorf("it succeeded, and is reported as %+v", o)
			}
		}
	})
}

// A start that an earlier process may have made is in doubt where it cannot be
// looked up; one that was opened in a commit of unknown end was never made.
func TestAStartIsNeverRepeatedBlindly(t *testing.T) {
	for name, c := range map[string]struct {
		opened, unstarted []string
		restartable       bool
		calls             int
		state             string
	}{
		"just opened":                 {opened: []string{"t1"}, calls: 1, state: work.Running},
		"an earlier process's":        {state: work.InDoubt},
		"an earlier one, restartable": {restartable: true, calls: 1, state: work.Running},
		"of a commit of unknown end":  {unstarted: []string{"t1"}, calls: 1, state: work.Running},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench("AWS")
			b.NotStarted(c.unstarted)
			one := task("t1", "Build", "AWS", work.Start)
			one.Restartable = c.restartable
			b.Reconcile("shop", []work.Task{one}, c.opened)
			synctest.Wait()
			if n := len(b.called()); n != c.calls || len(b.outcomes["t1"]) != 1 || b.outcomes["t1"][0].State != c.state {
				t.Errorf("%s: %d calls, reported %+v", name, n, b.outcomes["t1"])
			}
			b.Reconcile("shop", nil, nil)
			synctest.Wait()
			if kept := len(b.released) == 0; kept != (c.state == work.InDoubt) {
				t.Errorf("%s: the run folder is kept: %v", name, kept)
			}
		})
	}
}

// inlineRunner answers from the task alone, except those whose ID begins with "far".
type inlineRunner struct{ runner }

func (r inlineRunner) Inline(t work.Task) bool { return !strings.HasPrefix(t.ID, "far") }

func (r inlineRunner) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return r.do("start", t)
}

// What a runner answers from the task alone is reported before anything else is
// decided about the pipeline, in order, without a goroutine; and where no run
// folder was asked for, none is removed.
func TestAnswersFromTheTaskAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.Tasks = acting.NewTasks(acting.Options{
			Runners: map[string]acting.Runner{"Wait": inlineRunner{runner{b, "Wait"}}}, Runs: b, Outcomes: b, Timers: b, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Go: func(f func()) bool { b.spawned++; go f(); return true },
		})
		b.answer = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Succeeded}, nil }
		b.Reconcile("shop", []work.Task{task("t1", "Build", "Wait", work.Start), task("t2", "Build", "Wait", work.Start)}, []string{"t1", "t2"})
		if got := b.called(); !slices.Equal(got, []string{"Wait start t1", "Wait start t2"}) || b.spawned > 0 {
			t.Errorf("at once: called %q, with %d goroutines", got, b.spawned)
		}
		synctest.Wait()
		if len(b.outcomes["t1"]) != 1 || len(b.outcomes["t2"]) != 1 || len(b.released) > 0 || b.spawned > 0 {
			t.Errorf("reported %+v, released %q, %d goroutines", b.outcomes, b.released, b.spawned)
		}
		b.Reconcile("shop", []work.Task{task("far", "Build", "Wait", work.Start)}, []string{"far"})
		synctest.Wait()
		if got := b.called(); len(got) != 3 || b.spawned != 1 {
			t.Errorf("what asks somebody: called %q, with %d goroutines", got, b.spawned)
		}
		b.Stop()
		b.Reconcile("shop", []work.Task{task("t4", "Build", "Wait", work.Start)}, []string{"t4"})
		synctest.Wait()
		if got := b.called(); len(got) != 3 {
			t.Errorf("called after the end: %q", got)
		}
	})
}
