package invoke

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What iam-policy prints for a call or a message is enough, and nothing of it is too much.
func TestRightsOfInvokes(t *testing.T) {
	long := func(w *runnertest.World) work.Task {
		_, task := machine(w, false, states.Result{Takes: time.Hour})
		return task
	}
	for name, c := range map[string]runnertest.Case{
		"Invoke/Lambda":      {Given: ready},
		"Rule/LambdaInvoke":  {Given: ready},
		"Invoke/SNS":         {Given: ready},
		"Invoke/EventBridge": {Given: ready},
		"Invoke/StepFunctions": {Given: ready, Ways: []runnertest.Way{
			{Name: "a stop", Ends: work.Cancelled, Given: long, After: time.Minute},
			{Name: "a failure", Given: func(w *runnertest.World) work.Task {
				_, task := machine(w, false, states.Result{Status: "FAILED", Error: "Broken"})
				return task
			}},
			{Name: "an express one", Ends: work.Succeeded, Given: func(w *runnertest.World) work.Task { _, task := machine(w, true, states.Result{}); return task }},
		}},
	} {
		c.Kind = kind(name)
		t.Run(name, func(t *testing.T) { runnertest.Rights(t, c) })
	}
}
