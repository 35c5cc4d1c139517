package gate

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
)

// StillNext refuses to stop an execution so that another one (IfCurrent; empty: it is
// stopped for its own sake) is asked for instead, unless it only waits for people in that stage, and that one enters it next. st is
// the stage it is in, nil: none; line are those who wait before the intent's.
func StillNext(in *workflows.Intent, e *workflows.Execution, st *workflows.StageExecution, line []*workflows.Execution) error {
	const lookAgain = "look how it stands now"
	if in.IfCurrent == "" {
		return nil
	}
	works := func(a *workflows.ActionExecution) bool { return !a.IsGate() }
	if st == nil || in.Stage != st.Name || len(st.Open()) == 0 || slices.ContainsFunc(st.Open(), works) {
		return workflows.Refuse(workflows.CodeChanged, lookAgain, "%s no longer only waits for approval in %s", e.Ref(), in.Stage)
	}
	if len(line) == 0 {
		return workflows.Refuse(workflows.CodeChanged, lookAgain, "nobody is waiting behind %s in %s any more", e.Ref(), in.Stage)
	}
	switch next := line[0]; {
	case next.ID != in.IfCurrent:
		return workflows.Refuse(workflows.CodeChanged, lookAgain, "%s is next behind %s in %s by now", next.Ref(), e.Ref(), in.Stage)
	case next.WaitsFor.For != workflows.WaitsForStage:
		return workflows.Refuse(workflows.CodeChanged, "unlock it first, or wait until the freeze is over", "%s could not enter %s now: it is locked or frozen", next.Ref(), in.Stage)
	}
	return nil
}
