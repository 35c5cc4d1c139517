package runtime_test

import (
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestLifeOfAnExecution(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		if len(w.starts()) != 0 {
			t.Error("defining a pipeline started something")
		}
		id := w.begin("webshop")

		x := w.execution("webshop#1")
		if x.ID != id || x.Status != workflows.StatusInProgress {
			t.Fatalf("got %s, %s", x.ID, x.Status)
		}
		gate := w.gates()[0]
		if gate.Stage != "Production" || gate.Number != 1 {
			t.Errorf("got the gate %+v", gate)
		}
		if n := len(w.starts()); n != 3 {
			t.Errorf("%d actions started before the gate, want 3", n)
		}
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Gate: gate.Approval.Token})
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
		w.once()
		if len(w.gates()) != 0 {
			t.Error("a decided gate is still listed")
		}
		if row := w.disk.memo("gate/open/webshop/" + id + "/Production/SignOff"); row != "" {
			t.Errorf("a decided gate still has the row %s", row)
		}
		if n := len(w.desk.released); n != 4 {
			t.Errorf("%d run folders were released, want 4", n)
		}
		rows := w.disk.successes
		if len(rows) != 3 || rows[2].Stage != "Production" || rows[2].Execution != id {
			t.Errorf("the index of successes holds %+v", rows)
		}
	})
}

func (w *world) gates() []say.OpenApproval {
	w.t.Helper()
	open, err := w.Approvals(w.t.Context(), ana)
	if err != nil {
		w.t.Fatal(err)
	}
	return open
}

func TestTheLogFoldsToWhatReadersSee(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		before := w.execution(id)
		w.crash()
		w.boot()
		if after := w.execution(id); after.Status != before.Status || after.UpdatedAt != before.UpdatedAt || len(after.Offers) != len(before.Offers) {
			t.Errorf("after a crash readers see\n%+v, before it\n%+v", after, before)
		}
	})
}

func TestOneCommitHoldsWhatQueuedDuringTheLast(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		var names []string
		for _, c := range "abcdefghijklmnopqrst" {
			names = append(names, "p"+string(c))
			w.define(named("p" + string(c)))
		}
		w.plug.slower(time.Millisecond)
		before := w.disk.made()
		var all sync.WaitGroup
		for _, name := range names {
			all.Go(func() { w.submit(ana, workflows.Intent{Verb: workflows.Start, Pipeline: name}) })
		}
		all.Wait()
		pass(time.Second)
		done := 0
		for _, f := range w.disk.frames {
			for _, ev := range f.Events {
				if ev.Kind == event.ExecutionSucceeded {
					done++
				}
			}
		}
		if done != len(names) {
			t.Errorf("%d executions succeeded, want %d", done, len(names))
		}
		if n := w.disk.made() - before; n > 12 {
			t.Errorf("%d executions took %d commits; what queues while a commit runs should share the next", len(names), n)
		}
	})
}

func TestPollsFollowTheRunnersPace(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		until := time.Now().Add(10 * time.Minute)
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if t.Action.IsSource() {
				return succeeded(t), nil
			}
			return work.Outcome{State: work.Running, Handle: "h1"}, nil
		}
		w.outside.poll = func(t work.Task) (work.Outcome, error) {
			if t.Handle != "h1" {
				w.t.Errorf("polled with the handle %q", t.Handle)
			}
			if time.Now().Before(until) {
				return work.Outcome{State: work.Running, Handle: "h1"}, nil
			}
			return succeeded(t), nil
		}
		id := w.begin("web")
		commits := w.disk.made()
		pass(9 * time.Minute)
		w.outside.mu.Lock()
		polls := maps.Clone(w.outside.polls)
		w.outside.mu.Unlock()
		for task, n := range polls {
			if n < 30 || n > 45 {
				t.Errorf("%s was polled %d times in 9 minutes; want a pace that grows to 15 s", task, n)
			}
		}
		if n := w.disk.made() - commits; n != 0 {
			t.Errorf("%d commits for polls that found nothing new", n)
		}
		pass(2 * time.Minute)
		w.status(id, workflows.StatusSucceeded)
		w.once()
	})
}

func TestARunnerThatCannotBeAskedIsAskedAgain(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		fails := 3
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if fails--; fails >= 0 {
				return work.Outcome{}, errPower
			}
			return succeeded(t), nil
		}
		id := w.begin("web")
		w.status(id, workflows.StatusInProgress)
		pass(time.Minute)
		w.status(id, workflows.StatusSucceeded)
	})
}

func TestAnUnknownProviderFailsWithTheReason(t *testing.T) {
	play(t, func(w *world) {
		delete(w.options.Runners, "Commands")
		w.boot()
		w.define(named("web"))
		id := w.begin("web")
		x := w.execution(id)
		ship := x.Stages[1].Actions[0]
		if x.Status != workflows.StatusFailed || ship.Error == nil || ship.Error.Code != "ConfigurationInvalid" {
			t.Errorf("got %s with %+v", x.Status, ship.Error)
		}
	})
}

func TestAStopCancelsWhatRuns(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if t.Action.IsSource() {
				return succeeded(t), nil
			}
			return work.Outcome{State: work.Running, Handle: "h"}, nil
		}
		w.outside.poll = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running, Handle: "h"}, nil }
		var cancels atomic.Int32
		w.outside.cancel = func(work.Task) (work.Outcome, error) {
			if cancels.Add(1) < 3 {
				return work.Outcome{State: work.Running, Handle: "h"}, nil
			}
			return work.Outcome{State: work.Cancelled}, nil
		}
		id := w.begin("web")
		w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
		synctest.Wait()
		if cancels.Load() == 0 {
			t.Fatal("a stop that abandons does not wait for the next poll")
		}
		pass(30 * time.Second)
		w.status(id, workflows.StatusStopped)
		if n := cancels.Load(); n != 3 {
			t.Errorf("%d cancels were sent, want 3: until it was confirmed", n)
		}
	})
}

func TestTheEngineDrains(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("draining took %s", took)
		}
		if _, err := w.Execution(w.t.Context(), ana, id); err == nil {
			t.Error("a stopped engine answers")
		}
		w.boot()
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
		w.once()
	})
}

// News from outside has a runner called at once, however long it asked not to be.
func TestLookAgainCallsTheRunner(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("shop"))
		over := false
		w.outside.acts(func() {
			w.outside.answer = func(t work.Task) (work.Outcome, error) {
				if t.Action.IsSource() {
					return succeeded(t), nil
				}
				return work.Outcome{State: work.Running, Handle: "h", PollAfter: time.Hour}, nil
			}
			w.outside.poll = func(t work.Task) (work.Outcome, error) {
				if over {
					return succeeded(t), nil
				}
				return work.Outcome{State: work.Running, Handle: "h", PollAfter: time.Hour}, nil
			}
		})
		id := w.begin("shop")
		pass(time.Minute)
		w.status(id, workflows.StatusInProgress)
		w.outside.acts(func() { over = true })
		var tasks []string
		for task := range w.starts() {
			tasks = append(tasks, task)
		}
		w.LookAgain(append(tasks, "of nobody")...)
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
	})
}
