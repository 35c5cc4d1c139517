package bot_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// announced are the announcements by their first lines, oldest first, with a mark
// for those that offer the way back: questions that were answered, and of a rollback
// the reply to its card.
func (h *fixture) announced() (all []string) {
	for _, m := range h.posted("#webshop") {
		text, _, _ := strings.Cut(m.Text, " · ")
		if m.Metadata.Type == "rollcall_gate" && strings.Contains(text, "in Production") && !strings.Contains(text, "waiting") || m.Metadata.Type == "rollcall_announcement" && strings.HasPrefix(text, "↩️ webshop: ") {
			if slices.Contains(buttons(m), "rollback") {
				text += " [Roll back]"
			}
			all = append(all, text)
		}
	}
	return all
}

// U3: the announcement of what is live offers the way back, and only that one:
// after a newer release, after a rollback, and after the way back from that.
func TestOnlyWhatIsLiveOffersTheWayBack(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		holds := func(want ...string) {
			t.Helper()
			h.until(strings.Join(want, "; "), func() bool { return slices.Equal(h.announced(), want) })
		}
		h.released("1")
		holds("🚀 webshop #1 is in Production") // there is nothing to go back to yet
		h.released("2")
		holds("🚀 webshop #1 was in Production", "🚀 webshop #2 is in Production [Roll back]")
		// Ten executions later it is still known which announcement has to change.
		h.locks("Production")
		for n := range newestAndMore {
			h.says(h.ben, "start webshop")
			h.reads("rollcall_execution", strconv.Itoa(3+n), "blocked: Production is locked")
		}
		h.says(h.cho, "enable webshop Production")
		gate := h.reads("rollcall_gate", "13", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, gate, "approve")
		holds("🚀 webshop #1 was in Production", "🚀 webshop #2 was in Production", "🚀 webshop #13 is in Production [Roll back]")
		var told slackfake.Message
		for _, m := range h.Messages("#webshop") {
			if m.Metadata != nil && m.Metadata.Type == "rollcall_gate" {
				told = m
			}
		}
		h.clicks(h.cho, told, "rollback")
		h.submits(h.cho, h.form(h.cho, "rollback"), map[string]string{"reason": "checkout is down"})
		h.reads("rollcall_execution", "14", "rolled back Production to #2")
		holds("🚀 webshop #1 was in Production", "🚀 webshop #2 is in Production", "↩️ webshop #13 was in Production", "↩️ webshop: Production rolled back to #2 [Roll back]")

		// U21: wherever it is shown, what was rolled back from has not just succeeded.
		h.reads("rollcall_execution", "13", "↩️ webshop #13 · rolled back")
		h.says(h.eve, "status webshop#13")
		h.hears(h.eve, "↩️ webshop #13 · rolled back")
		h.says(h.eve, "executions webshop")
		h.hears(h.eve, "Executions of webshop", "#13* rolled back")
		h.says(h.cho, "rollback webshop Production #13 it was innocent")
		h.until("#13 has succeeded again", func() bool { return strings.Contains(h.channel(), "# ✅ webshop #13 · in Production") })
	})
}

// newestAndMore is more executions than a follower looks at for one event.
const newestAndMore = 11

// U9: what comes with one commit is told in the order of the stages: that
// Staging has succeeded before Production asks.
func TestTheChannelReadsForwards(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	s.pipeline.Definition.Stages = []workflows.Stage{{Name: "Staging", Announce: "success"}, {Name: "Production", Announce: "success"}}
	e := steps()[1].execution
	e.Stages = slices.Insert(e.Stages, 0, workflows.StageExecution{Name: "Staging", Status: workflows.StatusSucceeded})
	s.executions[e1] = e
	o := newOutside()
	staged := happened(event.StageSucceeded)
	staged.Stage = "Staging"
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.ExecutionStarted), staged, happened(event.StageEntered), happened(event.GateOpened))); err != nil {
		t.Fatal(err)
	}
	e.Stages[1] = steps()[3].execution.Stages[0]
	s.executions[e1] = e
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.GateVoted), happened(event.StageSucceeded))); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range o.messages {
		got = append(got, m.EventType)
	}
	want := []string{"rollcall_execution", "rollcall_announcement", "rollcall_gate", "rollcall_announcement"}
	if !slices.Equal(got, want) {
		t.Errorf("the channel reads %v, want %v", got, want)
	}
}

// What Jira says after the stage has succeeded comes into the announcement as well, once.
func TestIssuesThatAreKnownLate(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	s.pipeline.Definition.Stages = []workflows.Stage{{Name: "Production", Announce: "success"}}
	e := steps()[3].execution
	o := newOutside()
	follow := func(events ...event.Event) {
		t.Helper()
		s.executions[e1] = e
		if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(events...)); err != nil {
			t.Fatal(err)
		}
	}
	follow(happened(event.ExecutionStarted), happened(event.StageSucceeded))
	if all := o.of("rollcall_announcement"); len(all) != 1 || strings.Contains(all[0], "SHOP-12") {
		t.Fatalf("announced: %s", all)
	}
	e.Notes = append(e.Notes, workflows.Note{Name: "issues/Production", State: "done", Text: "SHOP-12, SHOP-13"})
	follow(happened(event.ExecutionNoted))
	if all := o.of("rollcall_announcement"); len(all) != 1 || !strings.Contains(all[0], "SHOP-12, SHOP-13") {
		t.Errorf("announced: %s", all)
	}
	e.Notes = append(e.Notes, workflows.Note{Name: "commit status", State: "done", Text: "success"})
	e.Notes[0].Text = "SHOP-14"
	follow(happened(event.ExecutionNoted))
	if all := o.of("rollcall_announcement"); !strings.Contains(all[0], "SHOP-13") {
		t.Errorf("it was edited again: %s", all)
	}
}
