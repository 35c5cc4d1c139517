package jira

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Jira is away for an hour, in which 200 executions fail in five ways, one of which
// Jira can never take. Within 100 s after it, there are a ticket for each of the others
// that counts its 40 failures, and Jira's words on the cards of the 40 others.
func TestFailuresWhileJiraIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		options jirafake.Options
		away    fault.Fault
	}{
		"the network is down":         {away: fault.Fault{Cut: true}},
		"503":                         {away: fault.Fault{Status: 503}},
		"500":                         {away: fault.Fault{Status: 500}},
		"429":                         {away: fault.Fault{Status: 429}},
		"on a server of one's own":    {options: jirafake.Options{OnPremise: true}, away: fault.Fault{Cut: true}},
		"the search lags by 30 s":     {options: jirafake.Options{SearchLag: 30 * time.Second}, away: fault.Fault{Cut: true}},
		"answers are lost, calls not": {options: jirafake.Options{SearchLag: 30 * time.Second}, away: fault.Fault{Match: "POST ", Cut: true, After: true}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, c.options, func(t *testing.T, h *house) { anHourWithoutJira(t, h, c.away) })
		})
	}
}

func anHourWithoutJira(t *testing.T, h *house, away fault.Fault) {
	h.jira.Spoil("unspeakable", 400, `{"errors":{"description":"It holds a word that we do not like."}}`)
	h.jira.Faults.Set(away)
	for n := range 200 {
		kind := n % 5
		message := fmt.Sprintf("exit status %d after %d ms of execution #%d", kind+1, 1000+n, n)
		if kind == 4 {
			message = "unspeakable " + message
		}
		h.failBecause(h.start(n+1), workflows.Reason{Code: "ActionFailed", Message: message})
		h.run(18 * time.Second)
	}
	h.jira.Faults.Set()
	before := len(h.jira.Calls())
	h.run(100 * time.Second)
	h.fourTicketsOfForty(t)
	if calls := h.jira.Calls()[before:]; len(calls) > 60 {
		t.Errorf("%d calls were made", len(calls))
	}
}

// fourTicketsOfForty holds Jira and the cards to what there must be.
func (h *house) fourTicketsOfForty(t *testing.T) {
	t.Helper()
	list := h.jira.Issues()
	if len(list) != 4 {
		t.Fatalf("%d tickets, want 4", len(list))
	}
	for _, i := range list {
		if len(i.Comments) != 1 || !strings.Contains(i.Comments[0], " 40 times*, last seen ") {
			t.Errorf("%s counts wrongly: %q", i.Key, i.Comments)
		}
	}
	refused := 0
	for n := range 200 {
		note := h.note(n + 1)
		switch {
		case n%5 == 4 && note.State == "refused" && strings.Contains(note.Text, "It holds a word that we do not like."):
			refused++
		case n%5 == 4, note.State != "done":
			t.Fatalf("the card of #%d says %+v", n+1, note)
		}
	}
	if refused != 40 {
		t.Errorf("%d cards say what Jira can never take", refused)
	}
	if _, ok := h.memos["queue/webshop"]; ok {
		t.Error("nothing waits, and the queue is kept")
	}
}

// What Jira can never take it is asked to take twice, for all that waits of the kind.
func TestTwoTriesOfWhatJiraCanNeverTake(t *testing.T) {
	inBubble(t, jirafake.Options{}, twoTries)
}

func twoTries(t *testing.T, h *house) {
	h.jira.Faults.Set(fault.Fault{Status: 503})
	for n := range 40 {
		h.fail(h.start(n+1), "ActionFailed")
		h.run(time.Minute)
	}
	h.jira.Faults.Set(both(fault.Fault{Status: 400, Body: `{"errorMessages":["Never."],"errors":{}}`})...)
	before := h.posts()
	h.run(10 * time.Minute)
	if tries := h.posts() - before; tries != 2 {
		t.Errorf("%d tries, want 2", tries)
	}
	for n := range 40 {
		if note := h.note(n + 1); note.State != "refused" || !strings.Contains(note.Text, "Never.") {
			t.Fatalf("the card of #%d says %+v", n+1, note)
		}
	}
}

// More failures of a kind than can wait by name are counted all the same.
func TestNoFailureIsLostFromTheCount(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.jira.Faults.Set(fault.Fault{Cut: true})
	const failures = mostWaiting + 50
	for n := range failures {
		h.fail(h.start(n+1), "ActionFailed")
	}
	h.run(time.Second)
	if n := h.note(2); n.State != "refused" || !strings.Contains(n.Text, "it is counted there") {
		t.Errorf("the card of what is only counted says %+v", n)
	}
	h.jira.Faults.Set()
	h.run(100 * time.Second)
	if i := h.only(); len(i.Comments) != 1 || !strings.Contains(i.Comments[0], fmt.Sprintf(" %d times*", failures)) {
		t.Errorf("ticket %+v", i)
	}
}

// A credential that was refused is said on the card; once it is good again the ticket
// is there within 40 s.
func TestARefusedCredential(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.jira.Faults.Set(fault.Fault{Status: 401, Body: `{"errorMessages":["no"]}`})
	h.fail(h.start(45), "ActionFailed")
	h.run(8 * time.Hour)
	if n := h.note(45); n.State != "waiting" || !strings.Contains(n.Text, "refuses our credentials (401)") {
		t.Errorf("the card says %+v", n)
	}
	h.jira.Faults.Set()
	h.run(40 * time.Second)
	if h.only(); h.note(45).State != "done" {
		t.Errorf("the card says %+v", h.note(45))
	}
}
