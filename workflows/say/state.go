package say

import "github.com/rollcall-bot/rollcall/workflows"

// State is how something stands, in the words that people read.
type State string

// The states of executions, stages, actions, gates and conditions.
const (
	ToCome             State = "to come"
	Starting           State = "starting"
	Running            State = "running"
	Checking           State = "checking conditions"
	Waiting            State = "waiting" // for a stage that is busy
	Blocked            State = "blocked" // by a lock or a freeze
	WaitingForApproval State = "waiting for approval"
	ResultUnknown      State = "result unknown" // in doubt: a person must say what became of it
	Cancelling         State = "being cancelled"
	Stopping           State = "stopping"
	Stopped            State = "stopped"
	Succeeded          State = "succeeded"
	Failed             State = "failed"
	NotApproved        State = "not approved"
	Superseded         State = "superseded"
	Cancelled          State = "cancelled"
	Abandoned          State = "abandoned"
	Skipped            State = "skipped"
	NotChecked         State = "not checked"
	Overridden         State = "overridden"
	Approved           State = "approved"
	Rejected           State = "rejected"
	Expired            State = "expired"
	Withdrawn          State = "withdrawn"
	RolledBack         State = "rolled back"
)

// Codes of a reason that make a failure one that people decided.
const (
	codeNotApproved = "NotApproved"
	codeExpired     = "ApprovalExpired"
)

func notApproved(r *workflows.Reason) bool {
	return r != nil && (r.Code == codeNotApproved || r.Code == codeExpired)
}

// Status is a status in words.
func Status(s workflows.Status) State {
	switch s {
	case workflows.StatusInProgress:
		return Running
	case workflows.StatusErrored:
		return NotChecked
	case workflows.StatusStopping, workflows.StatusStopped, workflows.StatusSucceeded, workflows.StatusSuperseded, workflows.StatusFailed,
		workflows.StatusCancelled, workflows.StatusAbandoned, workflows.StatusSkipped, workflows.StatusOverridden:
		return State([]byte{s[0] + 'a' - 'A'}) + State(s[1:])
	}
	return ToCome
}

// Action is an action in words.
func Action(a *workflows.ActionExecution) State {
	switch {
	case a.Needs == workflows.NeedsApproval:
		return WaitingForApproval
	case a.Needs == workflows.NeedsResolve:
		return ResultUnknown
	case a.Approval != nil && (a.Approval.Closed != "" || a.Approval.Override != nil):
		return Gate(a.Approval)
	case a.Cancelling && !a.Status.Final() && a.Status != workflows.StatusAbandoned:
		return Cancelling
	}
	return Status(a.Status)
}

// Gate is a gate in words. What somebody's right opened was not approved.
func Gate(g *workflows.Approval) State {
	switch s := State(g.Closed); {
	case g.Override != nil:
		return Overridden
	case s == "":
		return WaitingForApproval
	case s == Approved, s == Overridden, s == Rejected, s == Expired:
		return s
	}
	return Withdrawn
}

// Stage is an execution in one of its stages, in words.
func Stage(e *workflows.Execution, s *workflows.StageExecution) State {
	if w := e.WaitsFor; w != nil && w.Stage == s.Name {
		if w.For == workflows.WaitsForStage {
			return Waiting
		}
		return Blocked
	}
	if a := needs(s); a != nil {
		return Action(a)
	}
	switch {
	case s.Status == workflows.StatusInProgress && checks(s):
		return Checking
	case s.Status == workflows.StatusFailed && notApproved(cause(e, s)):
		return NotApproved
	}
	return Status(s.Status)
}

// needs is the action of a stage that needs something from a person; an unknown
// result is said before an open gate. nil: none does.
func needs(s *workflows.StageExecution) *workflows.ActionExecution {
	var first *workflows.ActionExecution
	for _, a := range Actions(s) {
		if a.Needs == workflows.NeedsResolve {
			return a
		}
		if a.Needs != "" && first == nil {
			first = a
		}
	}
	return first
}

// Actions are the actions of a stage and the rules of its conditions.
func Actions(s *workflows.StageExecution) []*workflows.ActionExecution {
	var all []*workflows.ActionExecution
	for i := range s.Actions {
		all = append(all, &s.Actions[i])
	}
	for i := range s.Conditions {
		for j := range s.Conditions[i].Rules {
			all = append(all, &s.Conditions[i].Rules[j])
		}
	}
	return all
}

// checks says whether a condition of the stage is being evaluated.
func checks(s *workflows.StageExecution) bool {
	for i := range s.Conditions {
		if s.Conditions[i].Status == workflows.StatusInProgress {
			return true
		}
	}
	return false
}

// cause is why a stage failed: what failed by itself counts before what people decided.
func cause(e *workflows.Execution, s *workflows.StageExecution) *workflows.Reason {
	for i := range s.Actions {
		if a := &s.Actions[i]; a.Status == workflows.StatusFailed && a.Error != nil && !notApproved(a.Error) {
			return a.Error
		}
	}
	return e.StatusReason
}

// Current is the stage an execution is in, waits before, or ended in; nil: none yet.
func Current(e *workflows.Execution) *workflows.StageExecution {
	if e.WaitsFor != nil {
		if s, ok := e.Stage(e.WaitsFor.Stage); ok {
			return s
		}
	}
	var last *workflows.StageExecution
	for i := range e.Stages {
		s := &e.Stages[i]
		switch s.Status {
		case workflows.StatusNotStarted, "":
			if needs(s) != nil {
				return s
			}
		case workflows.StatusSucceeded, workflows.StatusSkipped:
			last = s
		default:
			return s
		}
	}
	return last
}
