package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// blind cannot read rows once something has ended.
type blind struct {
	runtime.History
	ended func() bool
}

func (b blind) Execution(ctx context.Context, id string) (workflows.Execution, bool, error) {
	if b.ended() {
		return workflows.Execution{}, false, errors.New("bad sector")
	}
	return b.History.Execution(ctx, id)
}

// What was decided is not called undone because it cannot be read afterwards:
// here by somebody who repeats a start, and whose execution has ended.
func TestADecisionThatCannotBeReadIsNotCalledUndone(t *testing.T) {
	play(t, func(w *world) {
		w.outside.answer = func(work.Task) (work.Outcome, error) { return work.Outcome{State: work.Running}, nil } // it is stopped, not through
		w.boot()
		w.define(named("web"))
		start := workflows.Intent{Verb: workflows.Start, Pipeline: "web", Token: "t1"}
		id := w.submit(ben, start).Execution.ID
		w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Abandon: true})
		w.stop()
		w.options.History = blind{w.plug, func() bool { return w.disk.count(event.ExecutionStopped) > 0 }}
		w.boot()
		_, err := w.Submit(w.t.Context(), start, ben)
		var p *workflows.Problem
		if !errors.As(err, &p) || p.Code != workflows.CodeUnavailable || strings.Contains(p.Message, "nothing was changed") || w.disk.count(event.ExecutionStarted) != 1 {
			t.Errorf("%v, with %d executions started", err, w.disk.count(event.ExecutionStarted))
		}
	})
}
