package client

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// WaitsForApproval says whether an approval of the execution is open.
func WaitsForApproval(e *workflows.Execution) bool {
	state, _ := (&say.Format{}).Execution(e)
	return state == say.WaitingForApproval
}

// Sentence says where an execution is: "webshop#42 is running in Build".
func Sentence(e *workflows.Execution) string {
	switch state, text := (&say.Format{}).Execution(e); {
	case e.ID == "":
		return "it has not been seen"
	case e.Status.Final():
		return Ending(e)
	case state == say.ResultUnknown:
		return e.Ref() + ": " + text
	default:
		return e.Ref() + " is " + text
	}
}

// Ending is a sentence on how an execution ended and why: "webshop#42 failed: …".
func Ending(e *workflows.Execution) string { return e.Ref() + " " + Ended(e) }

// Ended is [Ending] without the name.
func Ended(e *workflows.Execution) string {
	text := (&say.Format{}).Ended(e)
	if strings.HasPrefix(text, string(say.Succeeded)) || strings.HasPrefix(text, string(say.Failed)) {
		return text
	}
	return "was " + text
}

// Previous is the index of the target that a rollback means when it names none:
// the service's own choice, unless that is newer than what runs now, as after a
// rollback; then the newest older one that nobody rolled back from; -1: there is
// none. The targets come newest first.
func Previous(targets []ledger.Target) int {
	older := func(ledger.Target) bool { return true }
	if now := slices.IndexFunc(targets, func(t ledger.Target) bool { return t.Now }); now >= 0 {
		older = func(t ledger.Target) bool { return t.Number < targets[now].Number }
	}
	if i := slices.IndexFunc(targets, func(t ledger.Target) bool { return t.Preselected && (t.Now || older(t)) }); i >= 0 {
		return i
	}
	return slices.IndexFunc(targets, func(t ledger.Target) bool { return t.Eligible && !t.Now && t.LeftBy == "" && older(t) })
}

// Choose is the hint for somebody who has to name a target.
func Choose(pipeline, stage string, targets []ledger.Target) string {
	for _, t := range targets {
		if t.Eligible && !t.Now {
			return fmt.Sprintf("choose one: rollcall rollback %s %s --to %s#%d", pipeline, stage, pipeline, t.Number)
		}
	}
	return "a stage can only be rolled back to an execution that has succeeded there"
}
