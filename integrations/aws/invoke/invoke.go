// Package invoke calls functions and state machines, and tells topics and event buses.
package invoke

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Kinds are the kinds that call something. The rule LambdaInvoke is among them: it
// calls a function as the action does, and is met as the function answers.
func Kinds() []runner.Kind {
	return slices.Concat([]runner.Kind{function("Invoke", "Lambda"), function("Rule", "LambdaInvoke")}, stepFunctions(), topics(), buses())
}

// nothingToPoll is of kinds that end with their start.
func nothingToPoll(_ context.Context, a *runner.Attempt) (work.Outcome, error) {
	return work.Outcome{}, fmt.Errorf("%s ends with its start: there is nothing to look at", a.Task.Action.ActionType.Provider)
}
