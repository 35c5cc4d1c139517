package bot

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// TestWhatAnExecutionAsksOfPeople: each of these is told past a channel that refuses it (C4).
func TestWhatAnExecutionAsksOfPeople(t *testing.T) {
	in := func(status workflows.Status, a workflows.ActionExecution) *workflows.Execution {
		return &workflows.Execution{Status: status, Stages: []workflows.StageExecution{{Name: "Production", Status: status, Actions: []workflows.ActionExecution{a}}}}
	}
	for _, c := range []struct {
		about string
		e     *workflows.Execution
		want  string
	}{
		{"an open approval", in(workflows.StatusInProgress, workflows.ActionExecution{Name: "SignOff", Needs: workflows.NeedsApproval, Approval: &workflows.Approval{Token: "t"}}), "waiting for approval in Production"},
		{"one that is closed", in(workflows.StatusInProgress, workflows.ActionExecution{Name: "SignOff", Approval: &workflows.Approval{Token: "t", Closed: "approved"}}), ""},
		{"an action in doubt", in(workflows.StatusInProgress, workflows.ActionExecution{Name: "Deploy", Needs: workflows.NeedsResolve, Status: workflows.StatusInProgress}), "needs an answer: the result of Deploy in Production is unknown"},
		{"a failure", in(workflows.StatusFailed, workflows.ActionExecution{Name: "Deploy", Status: workflows.StatusFailed}), "failed in Production"},
		{"work under way", in(workflows.StatusInProgress, workflows.ActionExecution{Name: "Deploy", Status: workflows.StatusInProgress}), ""},
	} {
		if got := asks(c.e); got != c.want {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
}
