package runtime_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// C12: a rollback that waits for what runs is planned, and its token says so as
// long as it is true; then it names the execution. A token whose plan gave way
// to another's is not answered with that one.
func TestAPlannedRollbackIsAnsweredByItsTokenOnceItExists(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		first := w.begin("web")
		pass(time.Minute)
		w.status(first, workflows.StatusSucceeded)
		var held atomic.Bool
		held.Store(true)
		running := func(t work.Task) (work.Outcome, error) {
			if held.Load() && t.Action.ActionType.Provider == "Commands" {
				return work.Outcome{State: work.Running, PollAfter: time.Second}, nil
			}
			return succeeded(t), nil
		}
		w.outside.answer, w.outside.poll = running, running
		w.outside.cancel = func(work.Task) (work.Outcome, error) {
			if held.Load() {
				return work.Outcome{State: work.Running, PollAfter: time.Second}, nil
			}
			return work.Outcome{State: work.Cancelled}, nil
		}
		w.begin("web")
		stage := "Deploy"
		for _, st := range w.execution("web#2").Stages {
			if st.Status == workflows.StatusInProgress {
				stage = st.Name
			}
		}
		back := workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: stage, Target: first, WhileRunning: "stop", Token: "t1"}
		for range 2 {
			if r := w.submit(ana, back); r.Planned == nil || r.Planned.Target != first || r.Execution != nil {
				t.Fatalf("while it waits: %+v", r)
			}
		}
		other := back
		other.Token = "t2"
		w.submit(ana, other)
		if r := w.submit(ana, back); r.Planned != nil || r.Execution != nil {
			t.Errorf("a plan that gave way to another: %+v", r)
		}
		held.Store(false)
		pass(time.Minute)
		for range 2 {
			if r := w.submit(ana, other); r.Execution == nil || r.Execution.Type != workflows.TypeRollback || r.Planned != nil {
				t.Errorf("once it exists: %+v", r)
			}
		}
	})
}
