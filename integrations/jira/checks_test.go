package jira

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// refuse ends the execution because a condition of a kind does not hold: its
// rule fails, the stage with it, and the execution.
func (h *house) refuse(e *workflows.Execution, kind string) {
	why := &workflows.Reason{Code: reasonCondition, Message: "the condition of Production does not hold: Calm: 7 percent"}
	rule := &workflows.Reason{Code: "ActionFailed", Message: "7 percent", Finding: &workflows.Finding{Title: "too many errors", Fix: []string{"look at the log"}, Retry: "afterFix"}}
	e.Status, e.StatusReason, e.Stages[0].Status = workflows.StatusFailed, why, workflows.StatusFailed
	e.Stages[0].Actions[0].Status = workflows.StatusSucceeded
	if kind == workflows.BeforeEntry {
		e.Stages[0].Actions[0].Status = workflows.StatusNotStarted
	}
	e.Stages[0].Conditions = []workflows.ConditionExecution{{Kind: kind, Status: workflows.StatusFailed, Reason: why,
		Rules: []workflows.ActionExecution{{Name: kind + ":Calm", Status: workflows.StatusFailed, Error: rule, Attempt: 1}}}}
	h.commit(event.Event{Kind: event.ActionFailed, Execution: e.ID, Stage: "Production", Action: kind + ":Calm", Attempt: 1, Reason: rule},
		event.Event{Kind: event.ConditionFailed, Execution: e.ID, Stage: "Production", Text: kind, Reason: why},
		event.Event{Kind: event.StageFailed, Execution: e.ID, Stage: "Production", Reason: why},
		event.Event{Kind: event.ExecutionFailed, Execution: e.ID, Reason: why})
}

func TestWhatAnEntryConditionKeepsOutIsNoFailure(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.refuse(h.start(45), workflows.BeforeEntry)
	h.catchUp()
	if len(h.jira.Calls()) > 0 || len(h.notes) > 0 {
		t.Errorf("calls %v, notes %v", h.jira.Calls(), h.notes)
	}
}

func TestASuccessConditionThatDoesNotHoldOpensATicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.refuse(h.start(45), workflows.OnSuccess)
	h.catchUp()
	i := h.only()
	if i.Summary != "webshop #45: success condition Calm failed in Production" || !strings.Contains(i.Description, "*Error:* 7 percent\n*Since:* 2026-03-01 12:00 UTC\n*Finding:* too many errors\n*What to do, 1:* look at the log\n") {
		t.Errorf("issue %+v", i)
	}
	h.refuse(h.start(46), workflows.OnSuccess)
	h.catchUp()
	if c := h.only().Comments; len(c) != 1 || !strings.HasPrefix(c[0], "*success condition Calm failed in Production 2 times*, last seen ") {
		t.Errorf("comments %q", c)
	}
}

// An execution whose entry condition was overridden, and whose action fails
// then, has failed by its action; a failure condition that is not met changes nothing.
func TestARuleNeverNamesTheFailureOfAnAction(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	rule := &workflows.Reason{Code: "ActionFailed", Message: "50 is not 10"}
	h.commit(event.Event{Kind: event.ActionFailed, Execution: e.ID, Stage: "Production", Action: "beforeEntry:Calm", Attempt: 1, Reason: rule},
		event.Event{Kind: event.ConditionOverridden, Execution: e.ID, Stage: "Production", Text: workflows.BeforeEntry})
	h.commit(event.Event{Kind: event.ActionFailed, Execution: e.ID, Stage: "Production", Action: "onFailure:Alarm", Attempt: 1, Reason: rule})
	h.fail(e, "ActionFailed")
	h.catchUp()
	if i := h.only(); i.Summary != "webshop #45: Deploy failed in Production" || strings.Contains(i.Description, "50 is not 10") {
		t.Errorf("issue %+v", i)
	}
}

// While rollcall tries again by itself nothing has failed; when that fails too, the ticket says so.
func TestAnAutomaticRetryIsNoFailure(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	first := &workflows.Reason{Code: "ActionFailed", Message: "a passing trouble"}
	h.commit(event.Event{Kind: event.ActionFailed, Execution: e.ID, Stage: "Production", Action: "Deploy", Attempt: 1, Reason: first},
		event.Event{Kind: event.StageFailed, Execution: e.ID, Stage: "Production", Reason: first},
		event.Event{Kind: event.StageResumed, Execution: e.ID, Stage: "Production", Text: "FAILED_ACTIONS"})
	h.catchUp()
	if len(h.jira.Calls()) > 0 {
		t.Fatalf("a ticket before the execution has failed: %v", h.jira.Calls())
	}
	e.Stages[0].Actions[0].Attempt, e.Stages[0].Retries = 2, &workflows.Retries{Automatic: 1, Latest: "AutomatedStageRetry"}
	h.fail(e, "ActionFailed")
	h.catchUp()
	i := h.only()
	for _, want := range []string{"*Action:* Deploy, attempt 2\n", "*Error:* exit status 3\n", "*Automatic retry:* failed again after an automatic retry\n"} {
		if !strings.Contains(i.Description, want) {
			t.Errorf("the description lacks %q:\n%s", want, i.Description)
		}
	}
	if strings.Contains(i.Description, "a passing trouble") {
		t.Errorf("the first try stands in the ticket as well:\n%s", i.Description)
	}
}

func TestATicketNamesWhatWasSetAside(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	by := &workflows.Overridden{By: workflows.Principal{Name: "Cho"}, Reason: "the [shop] is down", Without: "1 of 2 approvals"}
	e.Stages[0].Actions = append(e.Stages[0].Actions, workflows.ActionExecution{Name: "SignOff", Status: workflows.StatusSucceeded, Approval: &workflows.Approval{Closed: "overridden", Override: by}})
	e.Stages[0].Conditions = []workflows.ConditionExecution{{Kind: workflows.BeforeEntry, Status: workflows.StatusOverridden, Override: &workflows.Overridden{By: by.By, Reason: "a half is enough"}}}
	h.fail(e, "ActionFailed")
	h.fail(h.start(46), "ActionFailed")
	h.catchUp()
	i := h.only()
	for _, want := range []string{`*Overridden:* Production: SignOff overridden by Cho without 1 of 2 approvals: the \[shop\] is down` + "\n", "*Overridden:* Production: entry condition overridden by Cho: a half is enough\n"} {
		if !strings.Contains(i.Description, want) {
			t.Errorf("the description lacks %q:\n%s", want, i.Description)
		}
	}
	if strings.Contains(i.Description, "approved") || strings.Contains(i.Comments[0], "overridden") {
		t.Errorf("issue %+v", i)
	}
}

// Parallel actions that fail together share a ticket, which names all of them,
// whether their events came together or one batch after the other.
func TestActionsThatFailTogether(t *testing.T) {
	for _, apart := range []bool{false, true} {
		h := newHouse(t, jirafake.Options{})
		e := h.start(45)
		why := &workflows.Reason{Code: "ActionFailed", Message: "2 of 9 pages are blank"}
		e.Stages[0].Actions = append(e.Stages[0].Actions, workflows.ActionExecution{Name: "Smoke", Status: workflows.StatusFailed, Attempt: 1, Error: why})
		smoke := event.Event{Kind: event.ActionFailed, Execution: e.ID, Stage: "Production", Action: "Smoke", Attempt: 1, Reason: why}
		h.commit(smoke)
		want := []string{"*Action:* Smoke, attempt 1\n*Error:* 2 of 9 pages are blank\n*Since:* 2026-03-01 12:00 UTC\n*Failed as well:* Deploy: exit status 3\n"}
		if apart {
			h.catchUp()
			h.frames = nil
			want = []string{"*Action:* Deploy, attempt 1\n*Error:* exit status 3\n*Since:* 2026-03-01 12:00 UTC\n*Failed as well:* Smoke: 2 of 9 pages are blank\n"}
		}
		h.fail(e, "ActionFailed")
		h.catchUp()
		for _, w := range want {
			if i := h.only(); !strings.Contains(i.Description, w) {
				t.Errorf("apart %t: the description lacks %q:\n%s", apart, w, i.Description)
			}
		}
	}
}

// A ticket that was closed a short while ago is opened again; one that has been
// closed for long gets a successor.
func TestATicketIsOpenedAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		within  string
		jira    jirafake.Options
		webhook bool // has told us that it was closed
		after   time.Duration
		trouble fault.Fault
		want    int // issues
	}{
		{name: "a moment later", within: "168h", after: time.Hour, want: 1},
		{name: "a moment later, and heard of", within: "168h", webhook: true, after: time.Hour, want: 1},
		{name: "on a server of one's own", within: "168h", jira: jirafake.Options{OnPremise: true}, after: time.Hour, want: 1},
		{name: "just in time", within: "2h", after: 2*time.Hour - time.Second, want: 1},
		{name: "too late", within: "2h", after: 2 * time.Hour, want: 2},
		{name: "never", within: "", after: time.Second, want: 2},
		{name: "Jira stumbles", within: "168h", after: time.Hour, trouble: fault.Fault{Match: "POST /rest/api/2/issue/OPS-1/transitions", Status: 503, Times: 2}, want: 1},
		{name: "the answer gets lost", within: "168h", after: time.Hour, trouble: fault.Fault{Match: "POST /rest/api/2/issue/OPS-1/transitions", Cut: true, After: true, Times: 1}, want: 1},
		{name: "Jira refuses", within: "168h", after: time.Hour, trouble: fault.Fault{Match: "POST /rest/api/2/issue/OPS-1/transitions", Status: 400, Body: `{"errorMessages":["no"]}`}, want: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, c.jira)
			h.pipeline.Ticket.ReopenWithin = c.within
			h.fail(h.start(45), "ActionFailed")
			h.catchUp()
			if _, err := h.jira.Move(t.Context(), "OPS-1", "Done"); err != nil {
				t.Fatal(err)
			}
			if c.webhook {
				h.memos[closedKey("OPS-1")] = []byte(`{"at":1,"done":true}`)
			}
			h.pass(c.after)
			if c.trouble.Match != "" {
				h.jira.Faults.Set(c.trouble)
			}
			h.fail(h.start(47), "ActionFailed")
			h.catchUp()
			list := h.jira.Issues()
			if len(list) != c.want {
				t.Fatalf("%d issues, want %d: %+v", len(list), c.want, list)
			}
			if c.want == 2 {
				if list[0].Status != "Done" || len(list[0].Comments) != 0 || !strings.Contains(list[1].Description, "Regression of:* [OPS-1|") {
					t.Errorf("issues %+v", list)
				}
				return
			}
			if i := list[0]; i.Status != "To Do" || len(i.Comments) != 1 || !strings.Contains(i.Comments[0], "webshop#47") || !strings.Contains(i.Comments[0], "is open again because of this") {
				t.Errorf("issue %+v", i)
			}
			// It is an ordinary open ticket from now on, also for what is heard late.
			h.fail(h.start(48), "ActionFailed")
			h.catchUp()
			if i := h.only(); len(i.Comments) != 1 || !strings.Contains(i.Comments[0], " 3 times*, last seen ") || strings.Contains(i.Comments[0], "open again") || h.note(47).Text != "OPS-1" {
				t.Errorf("issue %+v, note %+v", i, h.note(47))
			}
			h.succeed(h.start(49))
			h.catchUp()
			if i := h.only(); len(i.Comments) != 2 || !strings.Contains(i.Comments[1], "webshop#49") {
				t.Errorf("the success is not told: %q", i.Comments)
			}
		})
	}
}

// TestReopeningSurvivesCrashes kills the follower at every place while it opens
// a ticket again: it is opened once, and told once.
func TestReopeningSurvivesCrashes(t *testing.T) {
	for n := 1; ; n++ {
		h := newHouse(t, jirafake.Options{})
		h.pipeline.Ticket.ReopenWithin = "168h"
		h.fail(h.start(45), "ActionFailed")
		h.catchUp()
		if _, err := h.jira.Move(t.Context(), "OPS-1", "Done"); err != nil {
			t.Fatal(err)
		}
		h.fail(h.start(47), "ActionFailed")
		places := h.crashAt(n)
		died := h.untilCrash()
		if died {
			h.catchUp()
		}
		if i := h.only(); i.Status != "To Do" || len(i.Comments) != 1 || !strings.Contains(i.Comments[0], "is open again because of this") {
			t.Fatalf("crash at place %d: %+v", n, i)
		}
		if !died {
			if places() < 10 {
				t.Errorf("only %d places to crash were tried", places())
			}
			return
		}
	}
}
