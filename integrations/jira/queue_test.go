package jira

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// kind is the key of the memo of Deploy's failures with this message.
func (h *house) kind(message string) string {
	return kindKey("webshop", "Production", "Deploy", printOf(workflows.Reason{Code: "ActionFailed", Message: message}, &workflows.Execution{}))
}

// failOther lets another action of the same stage fail, whose ticket is another one.
func (h *house) failOther(number int) {
	e := h.start(number)
	e.Stages[0].Actions[0].Name = "Migrate"
	h.fail(e, "ActionFailed")
}

// both is trouble with making issues over either version of the API.
func both(f fault.Fault) []fault.Fault {
	two := []fault.Fault{f, f}
	two[0].Match, two[1].Match = createIssue, "POST /rest/api/2/issue$"
	return two
}

// posts counts the calls that would make a ticket.
func (h *house) posts() (n int) {
	for _, c := range h.jira.Calls() {
		if c == "POST /rest/api/3/issue" || c == "POST /rest/api/2/issue" {
			n++
		}
	}
	return n
}

// C6, C19c: what somebody can mend is told on the card in words that say what,
// stands in nobody's way, and is made by the clock within 40 s of the mending,
// whether that takes a minute or a night.
func TestWhatSomebodyMustMend(t *testing.T) {
	broken := func(status int, body string) func(*house) {
		return func(h *house) { h.jira.Faults.Set(both(fault.Fault{Status: status, Body: body})...) }
	}
	mended := func(h *house) { h.jira.Faults.Set() }
	for name, c := range map[string]struct {
		options     jirafake.Options
		breaks, fix func(*house)
		says        string
	}{
		"credentials":              {breaks: broken(401, `{}`), fix: mended, says: "refuses our credentials"},
		"a CAPTCHA":                {breaks: broken(403, `<html>prove that you are a person`), fix: mended, says: "Jira answers 403 Forbidden; it is made as soon as"},
		"no right in the project":  {breaks: broken(403, `{"errorMessages":["You may not create issues here."]}`), fix: mended, says: "You may not create issues here."},
		"a project not to be seen": {breaks: broken(404, `{"errorMessages":["No project could be found."]}`), fix: mended, says: "No project could be found."},
		"no such project": {jirafake.Options{Projects: []string{"SHOP"}}, func(*house) {},
			func(h *house) { h.pipeline.Ticket.Project = "SHOP" }, "project: valid project is required"},
		"no such type of issue": {jirafake.Options{IssueTypes: []string{"Incident"}}, func(*house) {},
			func(h *house) { h.pipeline.Ticket.IssueType = "Incident" }, "issuetype: Specify a valid issue type"},
		"a field that the project demands": {breaks: broken(400, `{"errors":{"customfield_10010":"Team is required."}}`), fix: mended, says: "customfield_10010: Team is required."},
	} {
		for _, after := range []time.Duration{time.Minute, 8 * time.Hour} {
			t.Run(fmt.Sprint(name, " for ", after), func(t *testing.T) {
				h := newHouse(t, c.options)
				c.breaks(h)
				h.fail(h.start(45), "ActionFailed")
				h.run(10 * time.Second)
				h.failOther(46)
				h.run(after)
				for _, n := range []int{45, 46} {
					if note := h.note(n); note.State != "waiting" || !strings.Contains(note.Text, c.says) {
						t.Errorf("the card of #%d says %+v, want %q", n, note, c.says)
					}
				}
				if most := int(after/longestPause)*2 + 20; h.posts() > most {
					t.Errorf("%d tries in %s", h.posts(), after)
				}
				c.fix(h)
				h.run(40 * time.Second)
				if len(h.jira.Issues()) != 2 || h.note(45).State != "done" || h.note(46).State != "done" {
					t.Errorf("40 s after the mending: %d tickets, notes %+v and %+v", len(h.jira.Issues()), h.note(45), h.note(46))
				}
				if _, ok := h.memos["queue/webshop"]; ok {
					t.Error("nothing waits, and the queue is kept")
				}
			})
		}
	}
}

// C6: a Jira on an old database stumbles over an emoji. Its ticket is made
// without, and stands in the way of no other, of the same action or of another.
func TestWhatAnOldDatabaseCannotStore(t *testing.T) {
	h := newHouse(t, jirafake.Options{OldDatabase: true})
	e := h.start(1)
	e.SourceRevisions[0].RevisionSummary = "🎉 ship it"
	h.fail(e, "ActionFailed")
	h.run(5 * time.Second)
	if n := h.note(1); n.State != "waiting" || !strings.Contains(n.Text, "Jira answers 500") {
		t.Errorf("meanwhile the card says %+v", n)
	}
	h.failOther(2)
	h.run(time.Second)
	if h.only(); h.note(2).State != "done" {
		t.Errorf("the other action's ticket does not wait: %+v", h.note(2))
	}
	h.fail(h.start(3), "ActionFailed")
	h.run(70 * time.Second)
	all := h.jira.Issues()
	if len(all) != 2 || h.note(1).State != "done" || h.note(3).State != "done" || h.note(1).Text != h.note(3).Text {
		t.Fatalf("tickets %+v, notes %+v and %+v", all, h.note(1), h.note(3))
	}
	if text := all[1].Description + fmt.Sprint(all[1].Comments); !strings.Contains(text, "\uFFFD ship it") {
		t.Errorf("the ticket says %s", text)
	}

	// Alone it is made without the emoji, and the comment of the next one too.
	h = newHouse(t, jirafake.Options{OldDatabase: true})
	for n := 1; n <= 2; n++ {
		e := h.start(n)
		e.SourceRevisions[0].RevisionSummary = "🎉 ship it"
		h.fail(e, "ActionFailed")
		h.run(70 * time.Second)
	}
	if i := h.only(); !strings.Contains(i.Description, "\uFFFD ship it") || len(i.Comments) != 1 || h.note(2).State != "done" {
		t.Errorf("ticket %+v", i)
	}
}

// C6: item n always fails, n+1 is delivered within two steps; and n ends with
// Jira's words, after two tries of each form.
func TestOneTicketThatCannotBeMadeKeepsUpNoOther(t *testing.T) {
	for name, how := range map[string]fault.Fault{
		"Jira stumbles":       {Status: 500, Body: `{"errorMessages":["Internal error 4711"]}`},
		"its text is refused": {Status: 400, Body: `{"errors":{"summary":"Internal error 4711"}}`},
		"a wall of fire":      {Status: 403, Body: `{"errorMessages":["Internal error 4711"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			h.jira.Spoil("cursed", how.Status, how.Body)
			e := h.start(1)
			e.SourceRevisions[0].RevisionSummary = "cursed"
			h.fail(e, "ActionFailed")
			h.run(10 * time.Second)
			h.failOther(2)
			h.run(2 * time.Second)
			if h.note(2).State != "done" {
				t.Errorf("another action's: %+v", h.note(2))
			}
			h.fail(h.start(3), "ActionFailed")
			h.run(2 * longestPause)
			if h.note(3).State != "done" {
				t.Errorf("the same action's: %+v", h.note(3))
			}
			h.run(10 * time.Minute)
			if n := h.note(1); n.State != "done" { // counted in the ticket that was written from #3, or from less of #1
				t.Errorf("the card of what cannot be made says %+v", n)
			}
		})
	}

	h := newHouse(t, jirafake.Options{})
	h.jira.Faults.Set(both(fault.Fault{Status: 500, Body: `{"errorMessages":["Internal error 4711"]}`})...)
	h.fail(h.start(1), "ActionFailed")
	h.run(10 * time.Minute)
	if n := h.note(1); n.State != "refused" || !strings.Contains(n.Text, "Internal error 4711") || h.posts() != 4 {
		t.Errorf("after %d tries the card says %+v", h.posts(), n)
	}
}

// C6: nobody is told that Jira is away while it makes other tickets.
func TestJiraIsNotAwayWhileItMakesTickets(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.jira.Faults.Set(fault.Fault{Match: createIssue, Cut: true, Times: 1})
	h.fail(h.start(1), "ActionFailed")
	h.run(5 * time.Second)
	if h.note(1).Text != textAway {
		t.Errorf("nothing is known but a call that was cut: %+v", h.note(1))
	}
	h.failOther(2)
	h.run(10 * time.Second)
	if h.note(2).State != "done" || h.note(1).Text != textLooking {
		t.Errorf("notes %+v and %+v", h.note(1), h.note(2))
	}
	h.run(time.Minute)
	if len(h.jira.Issues()) != 2 || h.note(1).State != "done" {
		t.Errorf("%d tickets, note %+v", len(h.jira.Issues()), h.note(1))
	}
}

// C20: a ticket whose making was cut off on either side of the effect is looked
// for longer than Jira's search lags behind: never two, never none.
func TestAKillBesideALaggingSearch(t *testing.T) {
	for _, place := range []string{"before POST", "after POST"} {
		for _, lag := range []time.Duration{0, 4 * time.Second, 30 * time.Second, 55 * time.Second} {
			t.Run(fmt.Sprint(place, " ", lag), func(t *testing.T) {
				h := newHouse(t, jirafake.Options{SearchLag: lag})
				h.crash = func(what string) {
					if what == place {
						h.crash = func(string) {}
						panic(errCrash)
					}
				}
				h.fail(h.start(45), "ActionFailed")
				func() {
					defer func() { _ = recover() }()
					h.run(0)
				}()
				h.run(20 * time.Second)
				h.fail(h.start(46), "ActionFailed") // and what comes meanwhile makes none of its own
				h.run(80 * time.Second)
				if i := h.only(); h.note(45).Text != i.Key || h.note(46).Text != i.Key {
					t.Errorf("issue %+v, notes %+v and %+v", i, h.note(45), h.note(46))
				}
			})
		}
	}
}

// K3, C1: a delivery about the closing that is carried out while we open the
// ticket again does not make it closed.
func TestADeliveryBesideAReopening(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.pipeline.Ticket.ReopenWithin = "24h"
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.run(time.Second)
	stale := h.now().UnixMilli()
	h.pass(time.Minute)
	if _, err := h.jira.Move(t.Context(), "OPS-1", "Done"); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Minute)
	h.read = func(key string) { // the delivery has read, the follower acts, the delivery writes
		if key == closedKey("OPS-1") {
			h.read = nil
			h.fail(h.start(46), "ActionFailed")
			h.run(time.Second)
		}
	}
	payload := fmt.Sprintf(`{"timestamp":%d,"webhookEvent":"jira:issue_updated","issue":{"id":"1","key":"OPS-1","fields":{"status":{"name":"Done","statusCategory":{"key":"done"}}}},"changelog":{"id":"9","items":[{"field":"status"}]}}`, stale+60_001)
	if _, err := h.jira.Deliver(t.Context(), "late", []byte(payload)); err != nil {
		t.Fatal(err)
	}
	if i := h.only(); i.Status != "To Do" || len(i.Comments) != 1 {
		t.Fatalf("it was not opened again: %+v", i)
	}
	f := h.tickets()
	r, err := f.load(t.Context(), h.kind("exit status 3"))
	if err != nil {
		t.Fatal(err)
	}
	if still, err := f.stillOpen(t.Context(), r); err != nil || !still {
		t.Errorf("what was heard of before the reopening counts: open %v, %v", still, err)
	}
	h.fail(h.start(47), "ActionFailed")
	h.run(time.Second)
	if i := h.only(); len(i.Comments) != 1 || !strings.Contains(i.Comments[0], " 3 times") || h.note(47).Text != "OPS-1" {
		t.Errorf("ticket %+v, note %+v", i, h.note(47))
	}
}

// What waits is told to the next process as it was to the last one.
func TestAJobSurvivesAsItWas(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(45)
	back := h.rollback(46, 42, e)
	h.fail(e, "ActionFailed", event.Event{Kind: event.ExecutionStarted, Execution: back.ID, Started: back})
	j := jobs(event.Batch{Frames: h.frames})[0]
	j.Others = []failedAction{{Action: "Migrate", Attempt: 2, Reason: workflows.Reason{Code: "ActionFailed", Message: "no"}}}
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var again job
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	j.execution, again.execution = e, e
	f := h.tickets()
	r := &ticket{Label: "rollcall-1"}
	text := func(j *job) string {
		return f.describe(t.Context(), r, &group{jobs: []*job{j}, pipeline: &h.pipeline}).Wiki()
	}
	if one, two := text(j), text(&again); one != two || !strings.Contains(one, "automatic rollback to webshop #42") {
		t.Errorf("%s\nbecame\n%s", one, two)
	}
}
