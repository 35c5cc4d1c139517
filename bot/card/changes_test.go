package card_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// certified is that with what GitHub says of its image and tag.
func certified(e workflows.Execution, text string) workflows.Execution {
	e.Notes = append(e.Notes, workflows.Note{Name: "facts/Production", State: "done", Text: text})
	return e
}

// asksAnother is webshop with the policy of its gate: nobody approves their own.
func asksAnother(p workflows.PipelineView) workflows.PipelineView {
	p.Definition = &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{
		{Name: "Production", Actions: []workflows.Action{{Name: "SignOff", Approval: &workflows.ApprovalPolicy{Required: 2}}}}}}
	return p
}

// changing are the cards on which people see what changes (U4), and whose hands
// are not known (T2).
func changing() []drawing {
	const three = "3 commits since #42"
	gate := func(e workflows.Execution, p workflows.PipelineView) card.Message {
		a := asking(e, signOff())
		a.View.Pipeline = asksAnother(p)
		return card.Gate(a)
	}
	nothing := shop()
	for i := range nothing.Stages {
		nothing.Stages[i].Running = nil
	}
	back := brings(back(workflows.StatusSucceeded, workflows.TriggerRollback), "done", "undoes 3 commits of #43")
	unasked := fresh()
	unasked.Trigger.Detail = "acme/webshop main; which files changed is not known, so no filter was asked about them"
	return []drawing{
		message("changes-execution", card.Execution(view(brings(waiting(), "done", three), shop()))),
		message("changes-gate", gate(brings(waiting(), "done", three), shop())),
		message("changes-gate-unknown", gate(brings(waiting(), "refused", "what is new since #42 is not known, because commit 1111111 is no longer in acme/webshop"), shop())),
		message("changes-gate-first", gate(waiting(), nothing)),
		message("changes-announcement", card.Announcement(view(brings(succeeded(), "done", three), shop()), "Production")),
		message("changes-announcement-issues", card.Announcement(view(listed(succeeded(), 12), shop()), "Production")),
		message("changes-announcement-rollback", card.Announcement(view(back, locked()), "Production")),
		message("changes-not-known-to-a-filter", card.Execution(view(unasked, shop()))),
		message("changes-gate-1", gate(listed(waiting(), 1), shop())),
		message("changes-gate-12", gate(listed(waiting(), 12), shop())),
		message("changes-gate-400", gate(listed(waiting(), 400), shop())),
		message("facts-gate", gate(certified(listed(waiting(), 1), "image shop (sha256:1a2b3c4d5e6f) is attested by build.yml@main, not verified here; release v2.3.1 is immutable"), shop())),
		message("facts-gate-hostile", gate(certified(listed(waiting(), 400), strings.Repeat(hostile, 30)), shop())),
		message("facts-execution", card.Execution(view(certified(listed(waiting(), 1), "tag v2.3.1 may move"), shop()))),
		message("changes-execution-400", card.Execution(view(listed(waiting(), 400), shop()))),
	}
}

// T2: that somebody may have had a hand in it unseen is said where it matters, and only there.
func TestWhoIsNotKnownIsSaid(t *testing.T) {
	const says = "is kept from approving it"
	for name, c := range map[string]struct {
		note    string // its state; empty: none
		runs    bool
		may     bool // requesterMayApprove
		want    bool
		defined bool
	}{
		"first deploy":                     {"", false, false, true, true},
		"first deploy, anybody may":        {"", false, true, false, true},
		"known":                            {"done", true, false, false, true},
		"being looked up":                  {"", true, false, false, true},
		"cannot be known":                  {"refused", true, false, true, true},
		"cannot be known, anybody may":     {"refused", true, true, false, true},
		"the pipeline is not known either": {"refused", true, false, false, false},
	} {
		e, p := waiting(), shop()
		if c.note != "" {
			e = brings(e, c.note, "what is new")
		}
		if c.defined {
			p = asksAnother(p)
			p.Definition.Stages[0].Actions[0].Approval.RequesterMayApprove = c.may
		}
		if !c.runs {
			for i := range p.Stages {
				p.Stages[i].Running = nil
			}
		}
		a := asking(e, signOff())
		a.View.Pipeline = p
		m := card.Gate(a)
		if got := strings.Contains(rendered(drawing{Message: &m}), says); got != c.want {
			t.Errorf("%s: said %v, want %v", name, got, c.want)
		}
	}
}
