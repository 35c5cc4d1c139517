package jira

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wiretest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const createIssue = "POST /rest/api/3/issue$"

// What is known of a failure beyond its error stands in the ticket, all of it, as text.
func TestATicketSaysWhatIsKnownOfTheCause(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	found := &workflows.Finding{Class: "AccessDenied", Title: "AWS does not allow ecs:UpdateService", Cause: "the role deploy may not update [shop]", Fix: []string{"add the statement", "retry the stage"},
		Statement: json.RawMessage(`{"Effect":"Allow","Action":"ecs:UpdateService"}`), Retry: "afterFix"}
	more := `{"evidence":[{"from":"ECS","text":"User is not authorized"}],"links":[{"title":"the role","url":"https://console.aws.amazon.com/iam/"},{"title":"none","url":"javascript:alert(1)"}]}`
	if err := json.Unmarshal([]byte(more), found); err != nil {
		t.Fatal(err)
	}
	h.failBecause(h.start(45), workflows.Reason{Code: "AccessDenied", Message: "denied", Finding: found})
	h.catchUp()
	want := `*Error:* denied
*Since:* 2026-03-01 12:00 UTC
*Finding:* AWS does not allow ecs:UpdateService
*Likely cause:* the role deploy may not update \[shop\]
*What to do, 1:* add the statement
*What to do, 2:* retry the stage
*Retry:* trying again helps once that is fixed
*Evidence:* ECS: User is not authorized
*See:* [the role|https://console.aws.amazon.com/iam/]
*The statement that is missing:*

{noformat}
{
  "Effect": "Allow",
  "Action": "ecs:UpdateService"
}
{noformat}

*Revision:* `
	if i := h.only(); !strings.Contains(i.Description, want) {
		t.Errorf("description %s\nlacks %s", i.Description, want)
	}
}

func TestAFailureOpensATicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	back := h.rollback(46, 42, e)
	h.fail(e, "ActionFailed", event.Event{Kind: event.ExecutionStarted, Execution: back.ID, Started: back})
	h.catchUp()
	i := h.only()
	if i.Key != "OPS-1" || i.Type != "Bug" || i.Summary != "webshop #45: Deploy failed in Production" {
		t.Errorf("issue %+v", i)
	}
	if len(i.Labels) != 3 || i.Labels[0] != "rollcall" || !strings.HasPrefix(i.Labels[1], "rollcall-") || i.Labels[2] != "deploy-team" {
		t.Errorf("labels %q", i.Labels)
	}
	want := `*Execution:* [webshop#45|https://rollcall.example/executions/id-45]
*Pipeline:* webshop, version 3
*Stage:* Production (environment production)
*Action:* Deploy, attempt 1
*Error:* exit status 3
*Since:* 2026-03-01 12:00 UTC
*Revision:* App [4b1c2d3|https://github.com/acme/webshop/commit/4b1c2d3] "Fix the \[cart\]" by Ana
*Started by:* Ana
*What happened next:* automatic rollback to webshop #42 started: [webshop#46|https://rollcall.example/executions/id-46]

{noformat}
deploying 1.2.3
health check failed
exit status 3
{noformat}

Opened by rollcall. ` + i.Labels[1] + "\n"
	if diff := cmp.Diff(want, i.Description); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
	if n := h.note(45); n != (workflows.Note{Name: "ticket", State: "done", Text: "OPS-1", URL: h.url + "/browse/OPS-1"}) {
		t.Errorf("note %+v", n)
	}
	calls := len(h.jira.Calls())
	if h.catchUp(); len(h.jira.Calls()) != calls || len(h.notes) != 1 {
		t.Errorf("the same events again made calls %v and notes %v", h.jira.Calls()[calls:], h.notes)
	}
}

// U29: colours and progress of build tools are no rubbish in a ticket, and what
// a commit says steers nobody's eye there.
func TestTextFromOutsideInATicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.tail = []string{"\x1b[31;1mERROR\x1b[0m: broken", "10%\r50%\r100%", "  {noformat}\x1b]0;me\x07"}
	e := h.start(45)
	e.SourceRevisions[0].RevisionSummary = "\x1b[1mFix\x1b[0m \u202e\u009b31m[cart]\r\nh1. gone"
	h.fail(e, "ActionFailed")
	h.catchUp()
	h.fail(h.start(46), "ActionFailed")
	h.executions[id(46)].SourceRevisions = e.SourceRevisions
	h.catchUp()
	i := h.only()
	for text, wanted := range map[string]string{
		i.Description: "{noformat}\nERROR: broken\n100%\n  { noformat}\n{noformat}", i.Comments[0]: "2 times",
	} {
		if !strings.Contains(text, wanted) || !strings.Contains(text, `"Fix \[cart\] h1. gone"`) {
			t.Errorf("Jira got %q", text)
		}
	}
}

func TestWhatIsNoFailure(t *testing.T) {
	for _, code := range []string{"NotApproved", "ApprovalExpired", "Stopped", "Cancelled", "Superseded"} {
		h := newHouse(t, jirafake.Options{})
		h.fail(h.start(45), code)
		h.catchUp()
		if len(h.jira.Calls()) > 0 || len(h.notes) > 0 {
			t.Errorf("%s: calls %v, notes %v", code, h.jira.Calls(), h.notes)
		}
	}
}

// D6: a ticket says what every view says of what runs there.
func TestATicketSaysWhatRunsThereNow(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.stages = []workflows.StageView{{Name: "Production", Running: &workflows.Running{Number: 42, Without: "1 of 2 approvals"}}}
	h.fail(h.start(45), "ActionFailed")
	h.catchUp()
	if all := h.jira.Issues(); len(all) != 1 || !strings.Contains(all[0].Description, "#42, uncertain, without 1 of 2 approvals") {
		t.Errorf("tickets %+v", all)
	}
}

func TestWhichStagesGetTickets(t *testing.T) {
	for _, c := range []struct {
		name        string
		environment string
		stages      []string
		want        int
	}{
		{"an environment", "production", nil, 1},
		{"no environment", "", nil, 0},
		{"no environment, but listed", "", []string{"Production"}, 1},
		{"an environment, but others are listed", "production", []string{"Build"}, 0},
	} {
		h := newHouse(t, jirafake.Options{})
		h.pipeline.Stages[1].Environment, h.pipeline.Ticket.Stages = c.environment, c.stages
		h.fail(h.start(45), "ActionFailed")
		h.catchUp()
		if got := len(h.jira.Issues()); got != c.want {
			t.Errorf("%s: %d issues, want %d", c.name, got, c.want)
		}
	}
}

func TestTheDefinitionSaysWhereTicketsGo(t *testing.T) {
	h := newHouse(t, jirafake.Options{Projects: []string{"OPS", "SHOP"}})
	h.pipeline.Ticket = &workflows.Ticket{Project: "SHOP", IssueType: "Task", LogTail: 1}
	h.fail(h.start(45), "ActionFailed")
	h.catchUp()
	if i := h.only(); i.Project != "SHOP" || i.Type != "Task" || !strings.Contains(i.Description, "{noformat}\nexit status 3\n{noformat}") {
		t.Errorf("issue %+v", i)
	}
}

func TestTheSameFailureAddsToTheOpenTicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.fail(h.start(45), "ActionFailed")
	h.catchUp()
	h.pass(time.Hour)
	h.fail(h.start(47), "ActionFailed")
	h.catchUp()
	i := h.only()
	if len(i.Comments) != 1 || !strings.HasPrefix(i.Comments[0], "*Deploy failed in Production 2 times*, last seen 2026-03-01 13:00 UTC in [webshop#47|") {
		t.Errorf("comments %q", i.Comments)
	}
	if h.note(47).Text != "OPS-1" {
		t.Errorf("note %+v", h.note(47))
	}
	h.catchUp()
	if n := len(h.only().Comments); n != 1 {
		t.Errorf("the same events again: %d comments", n)
	}
}

func TestARetryThatFailsAgainAddsToItsTicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	h.fail(e, "ActionFailed")
	h.catchUp()
	h.commit(event.Event{Kind: event.ExecutionResumed, Execution: e.ID, Resumed: &event.Resumed{}})
	e.Stages[0].Actions[0].Attempt = 2
	h.fail(e, "ActionFailed")
	h.catchUp()
	if i := h.only(); len(i.Comments) != 1 || !strings.Contains(i.Comments[0], "attempt 2") {
		t.Errorf("comments %q", i.Comments)
	}
}

func TestAClosedTicketGetsASuccessor(t *testing.T) {
	for name, closing := range map[string]func(*house){
		"seen when asked": func(h *house) {
			if _, err := h.jira.Move(h.t.Context(), "OPS-1", "Done"); err != nil {
				h.t.Fatal(err)
			}
		},
		"deleted":                func(h *house) { h.jira.Delete("OPS-1") },
		"heard by webhook":       func(h *house) { h.memos[closedKey("OPS-1")] = []byte(`{"at":1,"done":true}`) },
		"open, says the webhook": nil,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{Projects: []string{"OPS"}})
			h.fail(h.start(45), "ActionFailed")
			h.catchUp()
			want := "Regression of:* [OPS-1|"
			if closing == nil {
				h.memos[closedKey("OPS-1")] = []byte(`{"at":1,"done":false}`)
			} else {
				closing(h)
			}
			h.fail(h.start(47), "ActionFailed")
			h.catchUp()
			list := h.jira.Issues()
			last := list[len(list)-1]
			if closing == nil {
				if len(list) != 1 || len(last.Comments) != 1 {
					t.Errorf("issues %+v", list)
				}
				return
			}
			if !strings.Contains(last.Description, want) || h.note(47).Text != last.Key {
				t.Errorf("the newest issue %+v, note %+v", last, h.note(47))
			}
		})
	}
}

func TestJiraAwayCostsTimeNotTickets(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fault.Fault
		took  time.Duration // at most, once Jira is back after the fault's times
	}{
		// C20: whether a cut call made the ticket is only known once the search, which lags, has had its time.
		{"down", fault.Fault{Cut: true, Times: 3}, 64 * time.Second},
		{"503 three times", fault.Fault{Match: createIssue, Status: 503, Times: 3}, 7 * time.Second},
		{"503 for everything", fault.Fault{Status: 503, Times: 12}, 31 * time.Second},
		{"429 with a long time", fault.Fault{Match: createIssue, Status: 429, RetryAfter: time.Minute, Times: 2}, 3 * time.Second},
		{"503 although the ticket was made", fault.Fault{Match: createIssue, Status: 503, After: true, Times: 1}, time.Second},
		{"a lost answer", fault.Fault{Match: createIssue, Cut: true, After: true, Times: 1}, time.Second},
		{"a lost call", fault.Fault{Match: createIssue, Cut: true, Times: 1}, 64 * time.Second},
		{"an answer that cannot be read", fault.Fault{Match: createIssue, Status: 200, Body: "<html>", After: true, Times: 1}, time.Second},
		{"credentials that somebody renews", fault.Fault{Match: createIssue, Status: 401, Times: 2}, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			h.jira.Faults.Set(c.fault)
			h.fail(h.start(45), "ActionFailed")
			took := h.catchUp()
			h.only()
			if took > c.took {
				t.Errorf("it took %s, want at most %s", took, c.took)
			}
			if len(h.notes) != 2 || h.notes[0].State != "waiting" || h.notes[1].State != "done" {
				t.Errorf("notes %+v, want waiting once, then done", h.notes)
			}
		})
	}
}

func TestSearchThatLagsBehind(t *testing.T) {
	for _, premise := range []bool{false, true} {
		h := newHouse(t, jirafake.Options{SearchLag: 4 * time.Second, OnPremise: premise})
		h.jira.Faults.Set(fault.Fault{Match: createIssue, Cut: true, After: true, Times: 1})
		h.fail(h.start(45), "ActionFailed")
		h.catchUp()
		h.only()
	}
}

func TestEverybodyConcernedIsToldThatJiraIsAway(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.jira.Faults.Set(fault.Fault{Cut: true})
	h.fail(h.start(45), "ActionFailed")
	h.fail(h.start(46), "ActionFailed")
	for range 3 {
		if h.once() == nil {
			t.Fatal("accepted, though Jira does not know")
		}
	}
	want := workflows.Note{Name: "ticket", State: "waiting", Text: "Jira is away, trying again"}
	if h.note(45) != want || h.note(46) != want || len(h.notes) != 2 {
		t.Errorf("notes %+v", h.notes)
	}
	h.jira.Faults.Set()
	h.catchUp()
	if i := h.only(); len(i.Comments) != 1 || h.note(46).Text != "OPS-1" {
		t.Errorf("issue %+v, note %+v", i, h.note(46))
	}
}

func TestJiraRefusing(t *testing.T) {
	t.Run("optional fields are left out", func(t *testing.T) {
		h := newHouse(t, jirafake.Options{})
		h.jira.Refuse("labels")
		h.fail(h.start(45), "ActionFailed")
		h.catchUp()
		if i := h.only(); len(i.Labels) != 0 || h.note(45).State != "done" {
			t.Errorf("issue %+v, note %+v", i, h.note(45))
		}
	})
	t.Run("a lost answer is found without labels too", func(t *testing.T) {
		h := newHouse(t, jirafake.Options{})
		h.jira.Refuse("labels")
		creates := 0
		h.crash = func(what string) {
			if what == "after POST" {
				if creates++; creates == 2 {
					panic(errCrash)
				}
			}
		}
		h.fail(h.start(45), "ActionFailed")
		if !h.untilCrash() {
			t.Fatal("the second create did not happen")
		}
		h.catchUp()
		h.only()
	})
	t.Run("the card says what Jira will never take, after two tries", func(t *testing.T) {
		h := newHouse(t, jirafake.Options{})
		h.jira.Faults.Set(both(fault.Fault{Status: 400, Body: `{"errors":{"description":"contains what we do not like"}}`})...)
		h.fail(h.start(45), "ActionFailed")
		h.catchUp()
		want := workflows.Note{Name: "ticket", State: "refused", Text: "Jira answers 400: description: contains what we do not like"}
		if h.note(45) != want || h.posts() != 2 {
			t.Errorf("note %+v, calls %v", h.note(45), h.jira.Calls())
		}
		h.catchUp()
		if h.posts() != 2 || len(h.notes) != 1 {
			t.Errorf("the same events again made calls %v", h.jira.Calls())
		}
		h.jira.Faults.Set()
		h.fail(h.start(46), "ActionFailed")
		h.catchUp()
		if h.only(); h.note(46).State != "done" || h.note(45) != want {
			t.Errorf("after the repair: %+v and %+v", h.note(45), h.note(46))
		}
	})
}

func TestRecovery(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	back := h.rollback(46, 42, e)
	h.fail(e, "ActionFailed", event.Event{Kind: event.ExecutionStarted, Execution: back.ID, Started: back})
	h.succeed(back)
	h.catchUp()
	if c := h.only().Comments; len(c) != 1 || !strings.HasPrefix(c[0], "Production was rolled back automatically to webshop #42: [webshop#46|") {
		t.Errorf("comments %q", c)
	}
	h.pipeline.Ticket.CloseOnSuccess = "done"
	h.succeed(h.start(47))
	h.succeed(h.start(48))
	h.catchUp()
	i := h.only()
	if len(i.Comments) != 2 || !strings.Contains(i.Comments[1], "webshop#47") || i.Status != "Done" {
		t.Errorf("issue %+v", i)
	}
	h.fail(h.start(49), "ActionFailed")
	h.catchUp()
	if n := len(h.jira.Issues()); n != 2 {
		t.Errorf("%d issues, want a second one after the first was closed", n)
	}
}

func TestRecoveryWithoutClosing(t *testing.T) {
	for _, to := range []string{"", "Nirvana"} {
		h := newHouse(t, jirafake.Options{})
		h.pipeline.Ticket.CloseOnSuccess = to
		h.fail(h.start(45), "ActionFailed")
		h.succeed(h.start(46))
		h.succeed(h.start(47))
		h.catchUp()
		if i := h.only(); len(i.Comments) != 1 || i.Status != "To Do" {
			t.Errorf("closeOnSuccess %q: issue %+v", to, i)
		}
	}
}

func TestAnOlderExecutionRepairsNothing(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	older := h.start(44)
	h.fail(h.start(45), "ActionFailed")
	h.succeed(older)
	h.catchUp()
	if c := h.only().Comments; len(c) != 0 {
		t.Errorf("comments %q", c)
	}
}

func TestTroubleOfOurOwnIsNotJiraBeingAway(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.noteErr = errors.New("the store is away")
	h.fail(h.start(45), "ActionFailed")
	if err := h.once(); err == nil || len(h.notes) > 0 || len(h.jira.Calls()) > 0 {
		t.Errorf("%v, notes %+v, calls %v", err, h.notes, h.jira.Calls())
	}
}

func TestAFailedRollbackAddsToTheTicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	back := h.rollback(46, 42, e)
	h.fail(e, "ActionFailed", event.Event{Kind: event.ExecutionStarted, Execution: back.ID, Started: back})
	h.fail(back, "ActionFailed")
	h.catchUp()
	if c := h.only().Comments; len(c) != 1 || !strings.Contains(c[0], "webshop#46") {
		t.Errorf("comments %q", c)
	}
}

// TestCrashAtEveryPoint kills the follower before and after every memo, note
// and call of a whole story, starts it again, and expects the same end.
func TestCrashAtEveryPoint(t *testing.T) {
	for _, c := range []struct {
		name string
		jira jirafake.Options
		with fault.Fault
	}{
		{"all well", jirafake.Options{}, fault.Fault{Match: "POST /nothing", Status: 500}},
		{"search lags", jirafake.Options{SearchLag: 3 * time.Second}, fault.Fault{Match: "POST /nothing", Status: 500}},
		{"Jira stumbles", jirafake.Options{}, fault.Fault{Match: createIssue, Status: 503, Times: 2}},
		{"answers get lost", jirafake.Options{SearchLag: time.Second}, fault.Fault{Match: "POST /rest", Cut: true, After: true, Times: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; ; n++ {
				h := newHouse(t, c.jira)
				h.jira.Faults.Set(c.with)
				e := h.start(45)
				back := h.rollback(46, 42, e)
				h.fail(e, "ActionFailed", event.Event{Kind: event.ExecutionStarted, Execution: back.ID, Started: back})
				h.succeed(back)
				h.fail(h.start(47), "ActionFailed")
				places := h.crashAt(n)
				died := h.untilCrash()
				if died {
					h.catchUp()
				}
				i := h.only()
				// The rollback that succeeded in between is older than what is known.
				if len(i.Comments) != 1 || !strings.Contains(i.Comments[0], " 2 times*, last seen") || h.note(45).Text != "OPS-1" || h.note(47).Text != "OPS-1" {
					t.Fatalf("crash at place %d: comments %q, notes %+v and %+v", n, i.Comments, h.note(45), h.note(47))
				}
				if !died {
					if places() < 20 {
						t.Errorf("only %d places to crash were tried", places())
					}
					return
				}
			}
		})
	}
}

func TestStatusCodes(t *testing.T) {
	wiretest.Run(t, func(t *testing.T, status int) error {
		h := newHouse(t, jirafake.Options{})
		h.jira.Faults.Set(fault.Fault{Match: "POST /rest/api", Status: status, Body: `{"errorMessages":["no"],"errors":{}}`})
		h.fail(h.start(45), "ActionFailed")
		err := h.once()
		want := "refused"
		if err != nil {
			want = "waiting"
		}
		if h.note(45).State != want {
			t.Errorf("note %+v, want %s", h.note(45), want)
		}
		if strings.Contains(h.log.String()+fmt.Sprint(err), token) {
			t.Error("the token got out")
		}
		return err
	})
}

func TestTextsHoldWhatJiraHolds(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	e.SourceRevisions[0].RevisionSummary = "[~accountid:1] {code} !img! " + strings.Repeat("long ", 400)
	e.SourceRevisions[0].RevisionURL = "javascript:alert(1)"
	e.Stages[0].Actions[0].Name = strings.Repeat("D", 300)
	h.pipeline.Ticket.LogTail = 40
	h.tail = nil
	for range 40 {
		h.tail = append(h.tail, "{noformat} "+strings.Repeat("x", 2000))
	}
	h.fail(e, "ActionFailed")
	h.catchUp()
	i := h.only()
	for _, bad := range []string{"[~accountid", "{code}", "!img!", "javascript:", "{noformat} x"} {
		if strings.Contains(strings.ReplaceAll(i.Description, `\`+bad[:1], ""), bad) {
			t.Errorf("%q is live markup in the description", bad)
		}
	}
	if len([]rune(i.Summary)) > 255 || len(i.Description) > 32767 {
		t.Errorf("summary of %d, description of %d characters", len(i.Summary), len(i.Description))
	}
}

func TestOptionsAreRefusedInWords(t *testing.T) {
	for name, o := range map[string]Options{
		"no address":              {Token: token, Project: "OPS"},
		"a secret in the address": {URL: "https://u:" + token + "@j.example", Token: token, Project: "OPS"},
		"no token":                {URL: "https://j.example", Project: "OPS"},
		"no project":              {URL: "https://j.example", Token: token},
	} {
		_, err := New(o)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the secret is in the error: %v", name, err)
		}
	}
}
