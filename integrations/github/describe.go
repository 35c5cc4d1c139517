package github

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
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

// describe puts an execution into a commit status.
func describe(e *workflows.Execution) (state, description string) {
	state, description = verdict(e)
	return state, clip(printable(description), maxDescription)
}

func verdict(e *workflows.Execution) (state, description string) {
	switch e.Status {
	case workflows.StatusSucceeded:
		return stateSuccess, "succeeded"
	case workflows.StatusFailed:
		return stateFailure, failure(e)
	case workflows.StatusSuperseded:
		return stateError, because("superseded by a newer execution", e.StatusReason)
	case workflows.StatusStopped:
		if e.Stop != nil && e.Stop.By.Name != "" {
			return stateError, strings.TrimSuffix(fmt.Sprintf("stopped by %s: %s", e.Stop.By.Name, e.Stop.Reason), ": ")
		}
		return stateError, because("stopped", e.StatusReason)
	case workflows.StatusCancelled:
		return stateError, because("cancelled", e.StatusReason)
	case workflows.StatusStopping:
		return statePending, "stopping"
	}
	return statePending, progress(e)
}

// because is the reason's own sentence where there is one.
func because(otherwise string, r *workflows.Reason) string {
	if r == nil || r.Message == "" {
		return otherwise
	}
	return r.Message
}

// failure says who did not approve, or which action failed where.
func failure(e *workflows.Execution) string {
	code := ""
	if e.StatusReason != nil {
		code = e.StatusReason.Code
	}
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			switch {
			case a.Status != workflows.StatusFailed && a.Status != workflows.StatusAbandoned:
			case code == "NotApproved" && rejecter(a.Approval) != "":
				return "not approved by " + rejecter(a.Approval)
			case code == "ApprovalExpired" && a.Approval != nil:
				return "not approved in time in " + st.Name
			case code != "NotApproved" && code != "ApprovalExpired" && a.Approval == nil:
				return fmt.Sprintf("%s failed in %s", a.Name, st.Name)
			}
		}
	}
	switch code {
	case "NotApproved":
		return "not approved"
	case "ApprovalExpired":
		return "not approved in time"
	}
	return because("failed", e.StatusReason)
}

// rejecter is who answered no.
func rejecter(a *workflows.Approval) string {
	if a == nil {
		return ""
	}
	for _, v := range a.Votes {
		if v.Answer == "reject" {
			return v.By.Name
		}
	}
	return ""
}

// progress says what an unfinished execution does, or for what it waits.
func progress(e *workflows.Execution) string {
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			switch a.Needs {
			case workflows.NeedsApproval:
				return "waiting for approval in " + st.Name
			case workflows.NeedsResolve:
				return fmt.Sprintf("%s in %s is in doubt: somebody must say whether it ran", a.Name, st.Name)
			}
		}
	}
	if w := e.WaitsFor; w != nil {
		if w.For == "transition" {
			return fmt.Sprintf("waiting: %s is disabled", w.Stage)
		}
		return fmt.Sprintf("waiting for %s to be free", w.Stage)
	}
	for _, st := range e.Stages {
		if st.Status == workflows.StatusInProgress {
			return "running " + st.Name
		}
	}
	return "started"
}
