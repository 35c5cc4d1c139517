package say

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// StackChanges is the output variable in which an action keeps what it changes, or
// would change: a line that counts the changes, then one line for each.
const StackChanges = "rollcall-changes"

// PlannedChanges are what people decide about at a gate: the changes that actions
// before it keep in [StackChanges], since the gate before. Each is a list of lines,
// of which the first names the action.
func PlannedChanges(e *workflows.Execution, stage, gate string) (all [][]string) {
	for i := range e.Stages {
		s := &e.Stages[i]
		order, here := 0, s.Name == stage
		if g, ok := s.Action(gate); here && ok {
			order = g.RunOrder
		}
		for _, a := range slices.SortedStableFunc(slices.Values(s.Actions), func(x, y workflows.ActionExecution) int { return cmp.Compare(x.RunOrder, y.RunOrder) }) {
			switch {
			case here && a.RunOrder >= order:
				continue
			case a.IsGate():
				all = nil
			case a.Status == workflows.StatusSucceeded && a.OutputVariables[StackChanges] != "":
				lines := strings.Split(a.OutputVariables[StackChanges], "\n")
				lines[0] = s.Name + "/" + a.Name + ": " + lines[0]
				all = append(all, lines)
			}
		}
		if here {
			break
		}
	}
	return all
}
