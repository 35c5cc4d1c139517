package feedback

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The states of a deployment, beyond those of a commit status.
const (
	stateQueued     = "queued"      // before its first own action
	stateInProgress = "in_progress" //
	stateInactive   = "inactive"    // stopped, superseded, not approved: it never came to an end of its own
)

// entered says whether an execution has begun a stage, or ended in it.
func entered(s *workflows.StageExecution) bool {
	return s.Status != workflows.StatusNotStarted && s.Status != "" && s.Status != workflows.StatusSkipped
}

// deploymentState puts an execution in a stage into a state and a description
// of at most 140 characters. Deployments may be public: what an action wrote,
// which a reason holds, is left out.
func deploymentState(e *workflows.Execution, s *workflows.StageExecution) (state, description string) {
	f := &say.Format{}
	state, description = stateInProgress, f.StageText(e, s)
	switch s.Status {
	case workflows.StatusSucceeded:
		state, description = stateSuccess, approvedBy(f, s)
	case workflows.StatusFailed:
		state, description = failedState(f, e, s)
	case workflows.StatusStopped, workflows.StatusCancelled, workflows.StatusAbandoned, workflows.StatusSkipped, workflows.StatusSuperseded:
		state, description = stateInactive, string(say.Stage(e, s))
	default:
		if !begun(s) {
			state = stateQueued
		}
		if state == stateQueued && description == string(say.Running) {
			description = string(say.Starting)
		}
	}
	if e.Status.Final() && (state == stateQueued || state == stateInProgress) {
		state = stateInactive
		description = f.Ended(e)
	}
	return state, words.Cut(clean.Line(description), maxDescription)
}

// failedState tells what broke from what people decided.
func failedState(f *say.Format, e *workflows.Execution, s *workflows.StageExecution) (state, description string) {
	if say.Stage(e, s) == say.NotApproved {
		return stateInactive, f.Failure(e)
	}
	state, description = stateFailure, f.FailedIn("", s.Name)
	for i := range s.Actions {
		if a := &s.Actions[i]; a.Status == workflows.StatusFailed && a.Approval == nil {
			description = f.FailedIn(a.Name, s.Name)
			if a.Error != nil && a.Error.Code == codeNotStored { // what ran has worked
				state = stateError
			}
			break
		}
	}
	return state, description
}

// codeNotStored is of work that succeeded and whose result could not be kept.
const codeNotStored = "ArtifactNotStored"

// begun says whether an own action of the stage, not only an approval, has begun.
func begun(s *workflows.StageExecution) bool {
	for i := range s.Actions {
		if a := &s.Actions[i]; a.Attempt > 0 && a.Approval == nil && !a.Waits() && a.Status != workflows.StatusNotStarted && a.Status != "" {
			return true
		}
	}
	return false
}

// approvedBy names who let an execution into a stage: "approved by Ana and Cho";
// without a gate "succeeded".
func approvedBy(f *say.Format, s *workflows.StageExecution) string {
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil && g.Closed != "" {
			if text := f.Decision(g, false); text != "" {
				return text
			}
		}
	}
	return string(say.Succeeded)
}
