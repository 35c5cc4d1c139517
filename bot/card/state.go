package card

import (
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// state is how something stands: an icon and a word, never one without the other.
type state struct{ icon, word string }

func (s state) String() string { return s.icon + " " + s.word }

// ofStatus is a status in words.
func ofStatus(s workflows.Status) state {
	switch s {
	case workflows.StatusInProgress:
		return state{"🔄", "running"}
	case workflows.StatusStopping:
		return state{"🛑", "stopping"}
	case workflows.StatusStopped:
		return state{"⏹️", "stopped"}
	case workflows.StatusSucceeded:
		return state{"✅", "succeeded"}
	case workflows.StatusSuperseded:
		return state{"⏭️", "superseded"}
	case workflows.StatusFailed:
		return state{"❌", "failed"}
	case workflows.StatusCancelled:
		return state{"✖️", "cancelled"}
	case workflows.StatusAbandoned:
		return state{"⚠️", "abandoned"}
	case workflows.StatusSkipped:
		return state{"↪️", "skipped"}
	case workflows.StatusErrored:
		return state{"⚠️", "not checked"}
	case workflows.StatusOverridden:
		return state{"🔓", "overridden"}
	}
	return state{"▫️", "to come"}
}

// Not approved is not a failure, neither for people nor for anything else.
const (
	reasonNotApproved = "NotApproved"
	reasonExpired     = "ApprovalExpired"
)

// Words of gates, votes and retries.
const (
	gateApproved         = "approved"
	gateOverridden       = "overridden"
	answerApprove        = "approve"
	retriedAutomatically = "AutomatedStageRetry"
)

func notApproved(code string) bool { return code == reasonNotApproved || code == reasonExpired }

// ofAction is an action in words.
func ofAction(a *workflows.ActionExecution) state {
	switch {
	case a.Needs == workflows.NeedsApproval:
		return state{"✋", "waiting for approval"}
	case a.Needs == workflows.NeedsResolve:
		return state{"❓", "needs an answer"}
	case a.Approval != nil && aside(a.Approval) != nil:
		return ofGate(gateOverridden)
	case a.Approval != nil && a.Approval.Closed != "":
		return ofGate(a.Approval.Closed)
	case a.Cancelling && !a.Status.Final() && a.Status != workflows.StatusAbandoned:
		return state{"🛑", "being cancelled"}
	}
	return ofStatus(a.Status)
}

// ofGate is a closed gate in words.
func ofGate(closed string) state {
	switch closed {
	case gateApproved:
		return state{"✅", "approved"}
	case gateOverridden:
		return state{"🔓", "overridden"}
	case "rejected":
		return state{"🚫", "rejected"}
	case "expired":
		return state{"⌛", "expired"}
	}
	return state{"↩️", "withdrawn"}
}

// ofStage is an execution in one of its stages, in words.
func ofStage(e *workflows.Execution, s *workflows.StageExecution) state {
	if e.WaitsFor != nil && e.WaitsFor.Stage == s.Name {
		return state{"🚪", "waiting before it"}
	}
	actions := every(s)
	for _, need := range []string{workflows.NeedsResolve, workflows.NeedsApproval} {
		for i := range actions {
			if actions[i].Needs == need {
				return ofAction(&actions[i])
			}
		}
	}
	if s.Status == workflows.StatusInProgress && checking(s) {
		return state{"🔎", "checking conditions"}
	}
	if s.Status == workflows.StatusFailed {
		if code := reason(e, s); notApproved(code) {
			return state{"🚫", "not approved"}
		}
	}
	return ofStatus(s.Status)
}

// reason is why a stage failed.
func reason(e *workflows.Execution, s *workflows.StageExecution) string {
	for _, a := range s.Actions {
		if a.Status == workflows.StatusFailed && a.Error != nil && !notApproved(a.Error.Code) {
			return a.Error.Code
		}
	}
	if e.StatusReason != nil {
		return e.StatusReason.Code
	}
	return ""
}

// current is the stage an execution is in, waits before, or ended in.
func current(e *workflows.Execution) *workflows.StageExecution {
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
		case workflows.StatusSucceeded, workflows.StatusSkipped:
			last = s
		default:
			return s
		}
	}
	return last
}

// Headline is an execution in one line of at most 60 characters, with its
// icon: "✋ webshop #43 · waiting for approval in Production".
func Headline(e *workflows.Execution) string {
	s := headline(e)
	who := line(e.Pipeline, 20) + " #" + strconv.Itoa(e.Number)
	return line(s.icon+" "+who+" · "+s.word, 60)
}

func headline(e *workflows.Execution) state {
	at := current(e)
	stage, in := "", ""
	if at != nil {
		stage = line(at.Name, 24)
		in = " in " + stage
	}
	if e.Rollback != nil {
		if s, ok := rollbackHeadline(e, stage); ok {
			return s
		}
	}
	if e.Status == workflows.StatusFailed && e.StatusReason != nil && notApproved(e.StatusReason.Code) {
		if e.StatusReason.Code == reasonExpired {
			return state{"⌛", "approval expired" + in}
		}
		return state{"🚫", "not approved" + in}
	}
	switch e.Status {
	case workflows.StatusSucceeded, workflows.StatusSuperseded, workflows.StatusCancelled, "":
		return ofStatus(e.Status)
	case workflows.StatusInProgress:
		if at == nil {
			return state{"🔄", "starting"}
		}
		s := ofStage(e, at)
		switch s.word {
		case "waiting before it":
			return state{s.icon, "waiting before " + stage}
		case "succeeded":
			return state{"🔄", "running, done with " + stage}
		case "skipped":
			return state{"🔄", "running, skipped " + stage}
		}
		return state{s.icon, s.word + in}
	}
	s := ofStatus(e.Status)
	return state{s.icon, s.word + in}
}

// rollbackHeadline says where a stage goes back to; false while something more
// pressing (a gate, an answer, the door) is to be said.
func rollbackHeadline(e *workflows.Execution, stage string) (state, bool) {
	to := "to #" + strconv.Itoa(e.Rollback.TargetNumber)
	switch e.Status {
	case workflows.StatusSucceeded:
		return state{"↩️", "rolled back " + stage + " " + to}, true
	case workflows.StatusFailed:
		return state{"❌", "rollback of " + stage + " " + to + " failed"}, true
	case workflows.StatusInProgress:
		if at := current(e); at != nil && ofStage(e, at).word != "running" {
			return state{}, false
		}
		return state{"🔄", "rolling back " + stage + " " + to}, true
	}
	return state{}, false
}

// span is how long a stage took, from its first action to its end; false while it runs.
func span(s *workflows.StageExecution) (time.Duration, bool) {
	var from, to time.Time
	for _, a := range s.Actions {
		if a.StartedAt != nil && (from.IsZero() || a.StartedAt.Before(from)) {
			from = *a.StartedAt
		}
		if a.EndedAt != nil && a.EndedAt.After(to) {
			to = *a.EndedAt
		}
	}
	switch s.Status {
	case workflows.StatusSucceeded, workflows.StatusFailed, workflows.StatusStopped:
		return to.Sub(from), !from.IsZero() && !to.Before(from)
	}
	return 0, false
}
