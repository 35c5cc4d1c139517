package jira

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func because(message string) workflows.Reason {
	return workflows.Reason{Code: "ActionFailed", Message: message}
}

func TestWhatIsTheSameKindOfFailure(t *testing.T) {
	e := &workflows.Execution{ID: "0190c1de-aaaa-7bbb-8ccc-ddddeeeeffff", Number: 45, Pipeline: "webshop", SourceRevisions: []workflows.SourceRevision{{RevisionID: "4b1c2d3e4f5061728394a5b6c7d8e9f001122334"}}}
	for _, same := range [][2]string{
		{"exit status 3", "exit status 3"},
		{"timed out after 12.5s", "timed out after 13s"},
		{"no answer of 10.0.0.17:8080 since 2026-03-01T12:00:00Z", "no answer of 10.0.3.4:8080 since 2026-03-02 09:15:01.5 +0100"},
		{"task 0190c1de-aaaa-7bbb-8ccc-ddddeeeeffff ended", "task 0190c1de-0000-7bbb-8ccc-ddddeeeeffff ended"},
		{"container 3f2a9c1b7d stopped", "container 99aa00bb11 stopped"},
		{"webshop#45 cannot deploy 4b1c2d3", "webshop#46 cannot deploy 9f001ab"},
		{"cannot write /tmp/a1/x", "cannot write /tmp/b2/y"},
		{"attempt 2 of version 1.2.3", "attempt 3 of version v1.10.0"},
		{"\x1b[31mred\x1b[0m  alert", "red alert"},
	} {
		if printOf(because(same[0]), e) != printOf(because(same[1]), e) {
			t.Errorf("%q and %q are two kinds: %q, %q", same[0], same[1], normalise(same[0], e), normalise(same[1], e))
		}
	}
	for _, other := range [][2]string{
		{"exit status 3", "exit status 4"},
		{"the server answered 502", "the server answered 503"},
		{"the facade failed", "the cafe failed"},
		{"kind 1", "kind 2"},
	} {
		if printOf(because(other[0]), e) == printOf(because(other[1]), e) {
			t.Errorf("%q and %q are one kind: %q", other[0], other[1], normalise(other[0], e))
		}
	}
	if printOf(workflows.Reason{Code: "ActionFailed", Message: "x"}, e) == printOf(workflows.Reason{Code: "ActionTimedOut", Message: "x"}, e) {
		t.Error("two codes are one kind")
	}
}

func TestAKindHasItsTicket(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	for n, message := range []string{"exit status 1", "exit status 2", "exit status 1", "exit status 2", "exit status 1"} {
		h.failBecause(h.start(n+1), because(message))
		h.run(time.Second)
	}
	list := h.jira.Issues()
	if len(list) != 2 || !strings.Contains(list[0].Comments[0], " 3 times*") || !strings.Contains(list[1].Comments[0], " 2 times*") || len(list[0].Comments) != 1 {
		t.Errorf("tickets %+v", list)
	}
	h.succeed(h.start(6))
	h.run(time.Second)
	for _, i := range h.jira.Issues() {
		if len(i.Comments) != 2 || !strings.Contains(i.Comments[1], "webshop#6") {
			t.Errorf("the success is not in %s: %q", i.Key, i.Comments)
		}
	}
}

// Somebody deletes the comment that counts: it is made anew.
func TestTheCounterComesBack(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	for n := range 2 {
		h.fail(h.start(n+1), "ActionFailed")
		h.run(time.Second)
	}
	h.jira.DeleteComments("OPS-1")
	h.fail(h.start(3), "ActionFailed")
	h.run(time.Minute)
	if i := h.only(); len(i.Comments) != 1 || !strings.Contains(i.Comments[0], " 3 times*") {
		t.Errorf("comments %q", i.Comments)
	}
}

// More kinds than ticket.maxPerHour share one ticket that says so; an hour later a kind
// gets its own.
func TestMostTicketsAnHour(t *testing.T) {
	for _, c := range []struct{ allowed, most int }{{0, 10}, {3, 3}} {
		h := newHouse(t, jirafake.Options{})
		h.pipeline.Ticket.MaxPerHour = c.allowed
		for n := range c.most + 5 {
			h.failBecause(h.start(n+1), because(fmt.Sprint("exit status ", n)))
			h.run(time.Minute)
		}
		list := h.jira.Issues()
		if len(list) != c.most+1 {
			t.Fatalf("%d tickets, want %d", len(list), c.most+1)
		}
		last := list[c.most]
		if last.Summary != fmt.Sprintf("webshop: failures of more than %d kinds an hour", c.most) || !strings.Contains(last.Description, "ticket.maxPerHour") || !strings.Contains(last.Comments[0], " 5 times*") {
			t.Errorf("the ticket that says so: %+v", last)
		}
		if h.note(c.most+5).Text != last.Key {
			t.Errorf("note %+v", h.note(c.most+5))
		}
		calls := len(h.jira.Calls())
		h.catchUp()
		if len(h.jira.Calls()) != calls {
			t.Errorf("the same events again made calls %v", h.jira.Calls()[calls:])
		}
		h.pass(time.Hour)
		h.failBecause(h.start(50), because(fmt.Sprint("exit status ", c.most+1)))
		h.run(time.Second)
		if n := len(h.jira.Issues()); n != c.most+2 {
			t.Errorf("an hour later: %d tickets", n)
		}
	}
}

// What Jira has refused does not count as a ticket of the hour.
func TestARefusedTicketIsNoneOfTheHour(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.pipeline.Ticket.MaxPerHour = 1
	h.jira.Spoil("unspeakable", 400, `{"errors":{"description":"no"}}`)
	h.failBecause(h.start(1), because("unspeakable"))
	h.run(time.Second)
	h.failBecause(h.start(2), because("exit status 3"))
	h.run(time.Second)
	if i := h.only(); i.Summary != "webshop #2: Deploy failed in Production" || h.note(1).State != "refused" {
		t.Errorf("ticket %+v, note %+v", i, h.note(1))
	}
}

func TestARegressionIsLinked(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		want  []jirafake.Link
	}{
		"the usual kinds": {nil, []jirafake.Link{{Type: "Relates", Key: "OPS-1"}}},
		"a kind for it":   {[]string{"Relates", "Regression"}, []jirafake.Link{{Type: "Regression", Key: "OPS-1"}}},
		"other kinds":     {[]string{"Blocks"}, []jirafake.Link{{Type: "Blocks", Key: "OPS-1"}}},
		"turned off":      {[]string{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			if c.types != nil {
				h.jira.SetLinkTypes(c.types...)
			}
			h.fail(h.start(1), "ActionFailed")
			h.run(time.Second)
			if _, err := h.jira.Move(t.Context(), "OPS-1", "Done"); err != nil {
				t.Fatal(err)
			}
			h.fail(h.start(2), "ActionFailed")
			h.fail(h.start(3), "ActionFailed")
			h.run(time.Minute)
			i, _ := h.jira.Issue("OPS-2")
			if !slices.Equal(i.Links, c.want) || !strings.Contains(i.Description, "*Regression of:* [OPS-1|") || len(i.Comments) != 1 || h.note(3).State != "done" {
				t.Errorf("ticket %+v", i)
			}
		})
	}
}

// A story with every write to Jira that there is, killed at every place: never two
// tickets, comments or links, never none.
func TestCrashesBesideCountersLinksAndLimits(t *testing.T) {
	for name, o := range map[string]jirafake.Options{"Cloud": {SearchLag: 3 * time.Second}, "a server of one's own": {OnPremise: true}} {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				h := newHouse(t, o)
				h.pipeline.Ticket.MaxPerHour = 2
				h.pipeline.Ticket.CloseOnSuccess = "Done"
				h.fail(h.start(1), "ActionFailed")
				h.run(time.Second)
				h.succeed(h.start(2)) // which closes it
				h.run(time.Second)
				places := h.crashAt(n)
				died := h.dies(func() {
					h.fail(h.start(3), "ActionFailed") // a regression
					h.fail(h.start(4), "ActionFailed")
					h.failBecause(h.start(5), because("exit status 5")) // beyond the limit
					h.failBecause(h.start(6), because("exit status 6"))
					h.run(time.Second)
				})
				h.run(3 * time.Minute)
				list := h.jira.Issues()
				if len(list) != 3 {
					t.Fatalf("crash at place %d: %d tickets", n, len(list))
				}
				again, rest := list[1], list[2]
				if strings.Contains(again.Summary, "kinds") { // what was looked for came later
					again, rest = rest, again
				}
				if len(again.Links) != 1 || len(again.Comments) != 1 || !strings.Contains(again.Comments[0], " 2 times*") {
					t.Fatalf("crash at place %d: the regression is %+v", n, again)
				}
				if len(rest.Comments) != 1 || !strings.Contains(rest.Comments[0], " 2 times*") || h.note(6).Text != rest.Key || h.note(3).Text != again.Key {
					t.Fatalf("crash at place %d: the rest is %+v, notes %+v, %+v", n, rest, h.note(6), h.note(3))
				}
				if !died {
					if places() < 40 {
						t.Errorf("only %d places to crash were tried", places())
					}
					return
				}
			}
		})
	}
}

// dies says whether the process died in what is done.
func (h *house) dies(do func()) (died bool) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(errCrash) {
				panic(r)
			}
			died = true
		}
	}()
	do()
	return false
}

// What an earlier version noted goes on: its ticket is that of the first kind that
// comes, and counts what it had.
func TestTicketsOfAnEarlierVersionGoOn(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	key := h.jira.Open("OPS", "Bug", "webshop #1: Deploy failed in Production")
	h.memos["ticket/webshop/Production/Deploy"] = []byte(`{"state":"open","issue":"` + key + `","label":"rollcall-0011223344556677","number":2,"done":[{"job":"failed/id-1/2","issue":"` + key + `"},{"job":"failed/id-2/4","issue":"` + key + `"}]}`)
	h.memos["issue/"+key] = []byte("ticket/webshop/Production/Deploy")
	h.memos["queue/webshop"] = []byte(`{"jobs":[{"id":"failed/id-3/6","kind":"failed","execution":"id-3","stage":"Production","action":"Deploy","attempt":1,"reason":{"code":"ActionFailed","message":"exit status 3"},"tried":true}],"rounds":1}`)
	e := h.start(3)
	h.fail(e, "ActionFailed")
	h.frames = nil
	h.fail(h.start(4), "ActionFailed")
	h.failBecause(h.start(5), because("exit status 5"))
	h.run(time.Minute)
	list := h.jira.Issues()
	if len(list) != 2 || len(list[0].Comments) != 1 || !strings.Contains(list[0].Comments[0], " 4 times*") || h.note(3).Text != key || h.note(5).Text != list[1].Key {
		t.Errorf("tickets %+v, notes %+v, %+v", list, h.note(3), h.note(5))
	}
}

// A ticket says between which commits the fault must lie.
func TestATicketSaysSinceWhenAndWhatChanged(t *testing.T) {
	from, to := "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	for name, o := range map[string]jirafake.Options{"Cloud": {}, "a server of one's own": {OnPremise: true}} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, o)
			h.executions["id-40"] = &workflows.Execution{ID: "id-40", Number: 40, Pipeline: "webshop"}
			h.changes = changes.Set{From: &from, To: to, CompareURL: "https://github.com/acme/webshop/compare/1...2", Total: 12, Complete: true,
				Commits: []work.Commit{{ID: to, Pull: &work.Pull{Number: 7, Title: "Rework {code} the [~ana] cart", URL: "https://github.com/acme/webshop/pull/7"}}, {ID: from, Pull: &work.Pull{Number: 7, URL: "https://github.com/acme/webshop/pull/7"}}}}
			e := h.start(45)
			e.Stages[0].From = "id-40"
			e.Stages[0].Actions = append(e.Stages[0].Actions, workflows.ActionExecution{Name: "SignOff", Status: workflows.StatusSucceeded, Approval: &workflows.Approval{Required: 1, Closed: "approved", Votes: []workflows.Vote{{By: workflows.Principal{Name: "Cho"}, Answer: "approve"}}}})
			h.fail(e, "ActionFailed")
			h.run(time.Second)
			for _, want := range []string{"*Since:* 2026-03-01 12:00 UTC\n", "*Worked last:* [webshop#40|https://rollcall.example/executions/id-40]\n",
				"*First bad range:* [1111111..2222222|https://github.com/acme/webshop/compare/1...2], 12 commits\n",
				"*Pull request:* [\\#7|https://github.com/acme/webshop/pull/7] Rework \\{code\\} the \\[~ana\\] cart\n", "*SignOff in Production:* approved by Cho\n"} {
				if text := strings.NewReplacer("[#7|", `[\#7|`, `\~`, "~").Replace(h.only().Description); !strings.Contains(text, want) {
					t.Errorf("the description lacks %q:\n%s", want, text)
				}
			}
			if n := strings.Count(h.only().Description, "pull/7"); n != 1 {
				t.Errorf("the pull request is named %d times", n)
			}
		})
	}
}

// A kind that has been good for half a year is forgotten, one that has not is not.
func TestKindsThatAreGoodAreForgotten(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.failBecause(h.start(1), because("exit status 1"))
	h.run(time.Second)
	h.succeed(h.start(2))
	h.run(time.Second)
	h.failBecause(h.start(3), because("exit status 3"))
	h.run(200 * 24 * time.Hour)
	h.failBecause(h.start(4), because("exit status 4"))
	h.run(time.Second)
	for message, want := range map[string]bool{"exit status 1": false, "exit status 3": true, "exit status 4": true} {
		if _, known := h.memos[h.kind(message)]; known != want {
			t.Errorf("%s is known: %t", message, known)
		}
	}
	if _, known := h.memos[issueKey("OPS-1")]; known {
		t.Error("the way back from a ticket that is forgotten is kept")
	}
}

// A description that would be too long goes without what comes from outside.
func TestADescriptionThatIsTooLong(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	e := h.start(1)
	for n := range 200 {
		e.SourceRevisions = append(e.SourceRevisions, workflows.SourceRevision{ActionName: fmt.Sprint("App", n), RevisionID: "4b1c2d3", RevisionSummary: strings.Repeat("word ", 60)})
	}
	h.fail(e, "ActionFailed")
	h.run(time.Second)
	if i := h.only(); len(i.Description) > maxDescription || !strings.Contains(i.Description, "*Error:* exit status 3") {
		t.Errorf("a description of %d bytes", len(i.Description))
	}
}
