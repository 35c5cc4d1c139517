package ledger_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// A target says who rolled back from it, when and why, and how long its actions
// worked: side by side once, one after another together, people not at all.
func TestWhatATargetSays(t *testing.T) {
	var st ledger.Stage
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	one, two := execution(1, "e1", "aaaaaaaaaa"), execution(2, "e2", "bbbbbbbbbb")
	one.Trigger.By.Name = "dan"
	st.Succeed(one, &workflows.StageExecution{}, at)
	st.Succeed(two, &workflows.StageExecution{}, at.Add(time.Hour))
	rollback := back(3, "e3", one, "e2")
	st.Leave(rollback, nil)
	st.Succeed(rollback, &workflows.StageExecution{}, at.Add(2*time.Hour))
	left := st.Target(two, nil)
	if left.Left == nil || left.Left.By != "ana" || left.Left.Reason != "checkout is broken" || left.Left.At == nil || !left.Left.At.Equal(at.Add(2*time.Hour)) {
		t.Errorf("left: %+v", left.Left)
	}
	if stays := st.Target(one, nil); stays.Left != nil || stays.By.Name != "dan" {
		t.Errorf("stays: %+v", stays)
	}

	ran := func(order, from, to int) workflows.ActionExecution {
		began, ended := at.Add(time.Duration(from)*time.Second), at.Add(time.Duration(to)*time.Second)
		return workflows.ActionExecution{RunOrder: order, StartedAt: &began, EndedAt: &ended}
	}
	gate, open := ran(1, 0, 5000), ran(4, 6000, 6000)
	gate.Approval, open.EndedAt = &workflows.Approval{}, nil
	if got := ledger.Worked(&workflows.StageExecution{Actions: []workflows.ActionExecution{gate, ran(2, 5000, 5030), ran(2, 5010, 5040), ran(3, 5040, 5044), open}}); got != 44 {
		t.Errorf("it worked for %d s", got)
	}
}

// Approvals are asked again for older successes, as the stage says, and always in AWS.
func TestWhichApprovalsAreAskedAgain(t *testing.T) {
	var st ledger.Stage
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for n := 1; n <= 7; n++ {
		st.Succeed(execution(n, string(rune('a'+n)), "r"), &workflows.StageExecution{}, at.Add(time.Duration(n)*time.Hour))
	}
	manual := workflows.ActionType{Category: "Approval", Provider: "Manual"}
	def := workflows.Stage{Actions: []workflows.Action{{ActionType: manual}, {ActionType: manual, Approval: &workflows.ApprovalPolicy{Required: 2}}, {Name: "Deploy"}}}
	for _, c := range []struct {
		policy, target string
		outside        bool
		want           int
	}{{"skipRecent", "h", false, 0}, {"skipRecent", "d", false, 0}, {"skipRecent", "c", false, 3}, {"skip", "b", false, 0}, {"require", "h", false, 3}, {"skipRecent", "h", true, 3}} {
		def.Rollback.Approval = c.policy
		if got := st.AsksAgain(&def, c.target, c.outside); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
