package runtime_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// C15: of several unknown things that an intent names, the outermost is the one
// that the refusal names: pipeline, then stage or execution, then action.
func TestTheOutermostUnknownThingIsNamed(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.begin("web")
		pass(time.Minute)
		const none, noStage, noAction = "nowhere", "Nowhere", "Nothing"
		pipeline, stage, action, execution := workflows.CodePipelineNotFound, workflows.CodeStageNotFound, workflows.CodeActionNotFound, workflows.CodeExecutionNotFound
		last := w.execution("web#1").Stages
		there := last[len(last)-1].Name
		for _, c := range []struct {
			in   workflows.Intent
			code string
		}{
			{workflows.Intent{Verb: workflows.Start, Pipeline: none}, pipeline},
			{workflows.Intent{Verb: workflows.RollBack, Pipeline: none, Stage: noStage, Target: "web#9"}, pipeline},
			{workflows.Intent{Verb: workflows.RollBack, Pipeline: none, Stage: there, Target: "web#1"}, pipeline},
			{workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: noStage, Target: "web#9"}, stage},
			{workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: noStage, Target: "web#1"}, stage},
			{workflows.Intent{Verb: workflows.RollBack, Pipeline: "web", Stage: there, Target: "web#9"}, execution},
			{workflows.Intent{Verb: workflows.Lock, Pipeline: none, Stage: noStage}, pipeline},
			{workflows.Intent{Verb: workflows.Lock, Pipeline: "web", Stage: noStage}, stage},
			{workflows.Intent{Verb: workflows.Unlock, Pipeline: none, Stage: noStage, Execution: "web#9"}, pipeline},
			{workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: noStage, Execution: "web#9"}, stage},
			{workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: there, Execution: "web#9"}, execution},
			{workflows.Intent{Verb: workflows.StopExecution, Execution: "web#9"}, execution},
			{workflows.Intent{Verb: workflows.StopExecution, Pipeline: none, Execution: "web#9"}, pipeline},
			{workflows.Intent{Verb: workflows.Retry, Execution: "web#9", Stage: noStage}, execution},
			{workflows.Intent{Verb: workflows.Retry, Execution: "web#1", Stage: noStage}, stage},
			{workflows.Intent{Verb: workflows.Override, Execution: "web#9", Stage: noStage, Reason: "r"}, execution},
			{workflows.Intent{Verb: workflows.Override, Execution: "web#1", Stage: noStage, Reason: "r"}, stage},
			{workflows.Intent{Verb: workflows.Resolve, Execution: "web#9", Stage: noStage, Action: noAction, As: "failed"}, execution},
			{workflows.Intent{Verb: workflows.Resolve, Execution: "web#1", Stage: noStage, Action: noAction, As: "failed"}, stage},
			{workflows.Intent{Verb: workflows.Resolve, Execution: "web#1", Stage: there, Action: noAction, As: "failed"}, action},
			{workflows.Intent{Verb: workflows.Approve, Execution: "web#9", Action: noAction}, execution},
			{workflows.Intent{Verb: workflows.Reject, Execution: "web#9", Action: noAction}, execution},
			{workflows.Intent{Verb: workflows.Approve, Gate: "no-token"}, workflows.CodeInvalidApprovalToken},
			{workflows.Intent{Verb: workflows.Archive, Pipeline: none}, pipeline},
		} {
			_, err := w.Submit(w.t.Context(), c.in, ana)
			var p *workflows.Problem
			if !errors.As(err, &p) || p.Code != c.code {
				t.Errorf("%s of %s %s %s %s %s: %v, want %s", c.in.Verb, c.in.Pipeline, c.in.Execution, c.in.Stage, c.in.Action, c.in.Target, err, c.code)
			}
		}
		p := w.refused(ana, workflows.Intent{Verb: workflows.RollBack, Pipeline: "wbe", Stage: there, Target: "wbe#1"}, pipeline)
		if !strings.Contains(p.Hint, "did you mean web?") {
			t.Errorf("the hint is %q", p.Hint)
		}
	})
}
