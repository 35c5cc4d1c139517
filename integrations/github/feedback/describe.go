package feedback

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The states of a commit status. Failure is a verdict on the commit; error
// means that rollcall never came to one.
const (
	statePending = "pending"
	stateSuccess = "success"
	stateFailure = "failure"
	stateError   = "error"
)

// maxDescription is GitHub's limit, in characters.
const maxDescription = 140

// describe puts an execution into a commit status. Statuses may be public: what
// an action wrote, which its reason holds, is left out.
func describe(e *workflows.Execution) (state, description string) {
	f := &say.Format{}
	switch e.Status {
	case workflows.StatusSucceeded:
		state, description = stateSuccess, f.Ended(e)
	case workflows.StatusFailed:
		state, description = stateFailure, f.Failure(e)
		if e.StatusReason != nil && e.StatusReason.Code == "ArtifactNotStored" { // what ran has worked
			state, description = stateError, e.StatusReason.Message
		}
	case workflows.StatusSuperseded, workflows.StatusStopped, workflows.StatusCancelled:
		state, description = stateError, f.Ended(e)
	default:
		state = statePending
		_, description = f.Execution(e)
	}
	return state, words.Cut(clean.Line(description), maxDescription)
}
