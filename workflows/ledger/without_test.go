package ledger_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// D6: what somebody's right set aside stays known of what runs: while it runs,
// of it as a target, and when a rollback makes it run again.
func TestWhatWasSetAsideStaysKnown(t *testing.T) {
	var st ledger.Stage
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	forced := &workflows.StageExecution{Actions: []workflows.ActionExecution{{Approval: &workflows.Approval{Override: &workflows.Overridden{Without: "1 of 2 approvals"}}}}}
	one, two := execution(1, "e1", "aaaaaaaaaa"), execution(2, "e2", "bbbbbbbbbb")
	st.Succeed(one, forced, at)
	if st.Runs.Without != "1 of 2 approvals" {
		t.Errorf("runs %+v", st.Runs)
	}
	st.Succeed(two, &workflows.StageExecution{}, at.Add(time.Hour))
	if st.Runs.Without != "" || st.Success("e1").Without != "1 of 2 approvals" {
		t.Errorf("runs %+v, before it %+v", st.Runs, st.Success("e1"))
	}
	st.Succeed(back(3, "e3", one, "e2"), &workflows.StageExecution{}, at.Add(2*time.Hour))
	if st.Runs.Execution != "e1" || st.Runs.Without != "1 of 2 approvals" {
		t.Errorf("runs again %+v", st.Runs)
	}
}
