package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// release tells the story of one release, from the start to the approval, as
// somebody would who repeats what was not answered. It may be told again and again.
func (w *world) release(ctx context.Context) error {
	r, err := w.Submit(ctx, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Token: "release-1"}, ben)
	if err != nil {
		return err
	}
	pass(5 * time.Second)
	x, err := w.Execution(ctx, ana, r.Execution.ID)
	if err != nil {
		return err
	}
	if len(x.Stages) == 3 && x.Stages[2].Actions[0].Needs == workflows.NeedsApproval {
		if _, err := w.Submit(ctx, workflows.Intent{Verb: workflows.Approve, Execution: x.ID}, ana); err != nil {
			return err
		}
	}
	pass(5 * time.Second)
	if x, err = w.Execution(ctx, ana, x.ID); err != nil {
		return err
	}
	if x.Status != workflows.StatusSucceeded {
		return errors.New("it is " + string(x.Status))
	}
	return nil
}

// TestCrashAtEveryCommit ends the process at each commit of a release, before
// and after it was written. The next process finishes it, and no action starts twice.
func TestCrashAtEveryCommit(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for at := 1; ; at++ {
			reached := false
			play(t, func(w *world) {
				w.outside.answer = func(t work.Task) (work.Outcome, error) {
					if t.Action.Name == "Deploy" { // takes a while: it is running when things break
						return work.Outcome{State: work.Running, Handle: "h"}, nil
					}
					return succeeded(t), nil
				}
				w.boot()
				w.define(shop)
				down := make(chan struct{})
				w.plug.fail(func(n int) string {
					switch {
					case n < at:
						return ""
					case n > at:
						return "before"
					}
					reached = true
					w.plug.kill()
					close(down)
					return when
				})
				ctx, cancel := context.WithCancel(w.t.Context())
				defer cancel()
				go func() {
					select {
					case <-down:
						cancel()
					case <-ctx.Done():
					}
				}()
				err := w.release(ctx)
				if !reached {
					if err != nil {
						t.Errorf("without a crash: %v", err)
					}
					return
				}
				w.crash()
				w.boot()
				if err := w.release(w.t.Context()); err != nil {
					t.Errorf("%s commit %d: %v", when, at, err)
				}
				w.once()
				if n := w.disk.count(event.ExecutionStarted); n != 1 {
					t.Errorf("%s commit %d: %d executions", when, at, n)
				}
			})
			if !reached || t.Failed() {
				if at < 6 {
					t.Errorf("only %d commits were tried", at)
				}
				break
			}
		}
	}
}

func (d *disk) count(kind event.Kind) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.frames {
		for _, ev := range f.Events {
			if ev.Kind == kind {
				n++
			}
		}
	}
	return n
}

// TestACommitOfUnknownEnd fails each commit of a release once, written or not,
// while the process lives on.
func TestACommitOfUnknownEnd(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for at := 1; ; at++ {
			reached := false
			play(t, func(w *world) {
				w.boot()
				w.define(shop)
				w.plug.fail(func(n int) string {
					if n == at {
						reached = true
						return when
					}
					return ""
				})
				for range 3 {
					err := w.release(w.t.Context())
					var p *workflows.Problem
					if err == nil {
						break
					}
					if errors.As(err, &p) && p.Code != workflows.CodeCommitUnknown {
						t.Errorf("%s commit %d: %v", when, at, err)
					}
					pass(3 * time.Second)
				}
				w.status("webshop#1", workflows.StatusSucceeded)
				w.once()
				if reached && w.plug.opens == 0 {
					t.Errorf("%s commit %d: the store was not opened again", when, at)
				}
				if n := w.disk.count(event.ExecutionStarted); n != 1 {
					t.Errorf("%s commit %d: %d executions", when, at, n)
				}
			})
			if !reached || t.Failed() {
				break
			}
		}
	}
}

// TestWhatRestsOnAnUncommittedDecisionWaitsForIt: the second of two equal
// requests changes nothing, and yet must not be answered before the first.
func TestWhatRestsOnAnUncommittedDecisionWaitsForIt(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		w.plug.slower(time.Second)
		w.plug.fail(func(int) string { return "before" })
		got := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := w.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Token: "twice"}, ben)
				got <- err
			}()
			time.Sleep(100 * time.Millisecond)
		}
		for range 2 {
			w.problem(<-got, workflows.CodeCommitUnknown)
		}
		w.plug.work()
	})
}

func TestACommitErrorIsUnknownAndNotNo(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		w.plug.fail(func(n int) string {
			if n == 1 {
				return "after"
			}
			return ""
		})
		w.refused(ben, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, workflows.CodeCommitUnknown)
		pass(time.Second)
		if n := len(w.gates()); n != 1 {
			t.Errorf("%d gates: what was written after all was not taken up", n)
		}
	})
}

// TestAnOutcomeSurvivesAnUnknownCommit holds for runners that cannot be asked
// what became of a start: the answer is kept until it is durable.
func TestAnOutcomeSurvivesAnUnknownCommit(t *testing.T) {
	play(t, func(w *world) {
		w.options.Runners = map[string]runtime.Runner{"Git": finder{hand{w.outside}}, "Commands": hand{w.outside}}
		w.boot()
		w.define(named("web"))
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if !t.Action.IsSource() {
				w.plug.fail(func(n int) string {
					if n == 1 {
						return "before"
					}
					return ""
				})
			}
			return succeeded(t), nil
		}
		id := w.begin("web")
		pass(5 * time.Second)
		w.status(id, workflows.StatusSucceeded)
		w.once()
	})
}

func TestAStartNobodyCanLookUpIsInDoubt(t *testing.T) {
	for _, c := range []struct {
		about, file string
		want        string
		starts      int
	}{
		{"not restartable", strings.Replace(plain, `commands: ["true"]`, `commands: ["true"], restartable: false`, 1), workflows.NeedsResolve, 1},
		{"restartable", plain, "", 2},
	} {
		t.Run(c.about, func(t *testing.T) {
			play(t, func(w *world) {
				w.options.Runners = map[string]runtime.Runner{"Git": finder{hand{w.outside}}, "Commands": hand{w.outside}}
				w.boot()
				w.define(strings.ReplaceAll(c.file, "NAME", "web"))
				w.outside.answer = func(t work.Task) (work.Outcome, error) {
					if !t.Action.IsSource() {
						w.plug.kill() // the power goes while it starts
					}
					return succeeded(t), nil
				}
				id := w.begin("web")
				w.crash()
				w.outside.acts(func() { w.outside.answer = nil })
				w.boot()
				pass(5 * time.Second)
				x := w.execution(id)
				if ship := x.Stages[1].Actions[0]; ship.Needs != c.want {
					t.Errorf("the action needs %q, want %q", ship.Needs, c.want)
				}
				total := 0
				for task, n := range w.starts() {
					if strings.Contains(task, "/Ship/") {
						total += n
					}
				}
				if total != c.starts {
					t.Errorf("%d starts, want %d", total, c.starts)
				}
			})
		})
	}
}

func TestATaskThatWasNeverBegunNeedsNoLookUp(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		w.begin("webshop")
		if w.outside.finds != 0 {
			t.Errorf("%d look-ups for tasks that this process has just opened", w.outside.finds)
		}
	})
}

func TestAnIdlePipelineIsParked(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		pass(time.Minute)
		cp := w.disk.checkpoints["webshop"]
		if want := w.execution(id).Stages[2].Actions[0].Approval.ExpiresAt; !cp.Due.Equal(want) && cp.Due.After(want) {
			t.Errorf("the parked pipeline is due %s, the gate expires %s", cp.Due, want)
		}
		commits := w.disk.made()
		pass(30 * time.Minute)
		if n := w.disk.made() - commits; n != 0 {
			t.Errorf("%d commits while nothing happens", n)
		}
		loads := w.plug.loads
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		if n := w.plug.loads - loads; n != 1 {
			t.Errorf("the pipeline was read %d times for an answer, want once: it was not in memory", n)
		}
		w.status(id, workflows.StatusSucceeded)
	})
}

func TestDeadlinesFireAfterARestart(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		pass(time.Minute)
		w.crash()
		w.boot()
		pass(58 * time.Minute)
		w.status(id, workflows.StatusInProgress)
		pass(2 * time.Minute)
		w.status(id, workflows.StatusFailed)
		if x := w.execution(id); x.StatusReason.Code != "ApprovalExpired" {
			t.Errorf("it failed because %+v", x.StatusReason)
		}
		w.crash()
		pass(time.Hour) // away while something is due
		w.boot()
		w.status(id, workflows.StatusFailed)
	})
}

// TestWorkUnderWayIsTakenUp restarts while an action runs whose pipeline has no
// checkpoint since: its head alone must say that there is something to do.
func TestWorkUnderWayIsTakenUp(t *testing.T) {
	play(t, func(w *world) {
		w.outside.answer = func(t work.Task) (work.Outcome, error) {
			if t.Action.Name == "Deploy" {
				return work.Outcome{State: work.Running, Handle: "h"}, nil
			}
			return succeeded(t), nil
		}
		w.outside.poll = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running, Handle: "h"}, nil }
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		pass(time.Minute) // parked at the gate: due in an hour
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		w.crash()
		w.outside.acts(func() { w.outside.poll = nil })
		w.boot()
		pass(time.Minute)
		w.status(id, workflows.StatusSucceeded)
		w.once()
	})
}

// TestAnAttemptOfAnUnknownCommitWasNotBegun: what this process opened in a
// commit of unknown end, it has not started, so nobody needs to doubt.
func TestAnAttemptOfAnUnknownCommitWasNotBegun(t *testing.T) {
	play(t, func(w *world) {
		w.options.Runners = map[string]runtime.Runner{"Git": finder{hand{w.outside}}, "Commands": hand{w.outside}}
		w.boot()
		w.define(strings.Replace(named("web"), `commands: ["true"]`, `commands: ["true"], restartable: false`, 1))
		w.plug.fail(func(n int) string {
			if n == 2 { // the source has succeeded, and the deploy opens
				return "after"
			}
			return ""
		})
		id := w.begin("web")
		pass(5 * time.Second)
		w.status(id, workflows.StatusSucceeded)
		w.once()
	})
}

// TestWhatHasJustLeftTheStateIsFound retries an execution whose end is decided
// and not yet written: its row is only right after the commit.
func TestWhatHasJustLeftTheStateIsFound(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		w.plug.slower(time.Second)
		go func() {
			_, _ = w.Submit(context.Background(), workflows.Intent{Verb: workflows.Reject, Execution: id, Reason: "not today"}, ana)
		}()
		time.Sleep(100 * time.Millisecond)
		r := w.submit(ana, workflows.Intent{Verb: workflows.Retry, Execution: id, Stage: "Production"})
		if r.Execution == nil || r.Execution.Status != workflows.StatusInProgress || r.Execution.Attempt != 2 {
			t.Errorf("got %+v", r.Execution)
		}
		pass(5 * time.Second)
		if n := len(w.gates()); n != 1 {
			t.Errorf("%d gates after the retry", n)
		}
	})
}

// TestRunFoldersAreRemovedAfterACrash ends the process when an outcome is
// durable and its run folder not yet removed.
func TestRunFoldersAreRemovedAfterACrash(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		release := w.holdUp()
		id := w.begin("web")
		task := id + "/Deploy/Ship/1"
		release()
		w.plug.fail(func(int) string { w.plug.kill(); return "after" })
		pass(time.Minute)
		w.crash()
		if n := w.desk.released[task]; n != 0 {
			t.Fatalf("the folder was removed %d times before it was known that the outcome is durable", n)
		}
		w.boot()
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
		if w.desk.released[task] == 0 {
			t.Error("the run folder of an action that has ended stays for ever")
		}
		w.desk.here["0195a000-0001-7000-8000-00000000beef/Deploy/Ship/1"] = true
		w.reboot()
		synctest.Wait()
		if n := w.desk.released["0195a000-0001-7000-8000-00000000beef/Deploy/Ship/1"]; n != 0 {
			t.Error("the run folder of an execution that nobody here knows was removed")
		}
		w.outside.acts(func() {
			w.outside.answer = func(t work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running, Handle: "h"}, nil }
			w.outside.poll = w.outside.answer
			w.outside.cancel = w.outside.answer
		})
		id = w.begin("web")
		w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
		pass(2 * time.Minute) // nobody confirms the cancel: the action ends without
		w.reboot()
		synctest.Wait()
		w.status(id, workflows.StatusStopped)
		if n := w.desk.released[id+"/Source/App/1"]; n != 0 {
			t.Error("the run folder was removed of work whose cancel nobody has confirmed")
		}
	})
}
