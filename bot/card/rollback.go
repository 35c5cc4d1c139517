package card

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// rollback says what a ROLLBACK execution does and why, and what failed before it where
// that is known: "#45 failed: Deploy: web-3 does not answer (exit status 1)". That
// stands for the reason, which says no more than that it failed.
func (v *View) rollback() (text, failed string) {
	e := v.Execution
	if failed = v.failed(); failed != "" {
		r := *e.Rollback
		r.Reason, e.Rollback = "", &r
	}
	return v.format().Rollback(&e), failed
}

// failed is what an automatic rollback answers, in a sentence; empty: no failure, or
// it is not known.
func (v *View) failed() string {
	f, r := v.Failed, v.Execution.Rollback
	if f == nil || r == nil || f.Execution.Status != workflows.StatusFailed {
		return ""
	}
	text := fmt.Sprintf("#%d failed", f.Execution.Number)
	if stage, a := failing(&f.Execution); a != nil {
		text += ": " + layout.Text(say.RuleName(a), 100)
		return layout.Because(text, f.cause(stage, a))
	}
	if why := f.Execution.StatusReason; why != nil {
		return layout.Because(text, why.Message)
	}
	return text
}

// ticket is a link to the ticket of the failure that an automatic rollback answers.
func (v *View) ticket() string {
	if v.Failed == nil {
		return ""
	}
	for _, n := range v.Failed.Execution.Notes {
		if n.Name == ticketNote && n.State == "done" {
			return layout.Link(n.URL, layout.Text(n.Text, 60))
		}
	}
	return ""
}

// ticketNote is the name of the note about the ticket of a failure.
const ticketNote = "ticket"

// back is an automatic rollback where only words are shown: where the stage is, and
// why; empty: it is another execution.
func (v *View) back(head string) string {
	e := &v.Execution
	if e.Rollback == nil || e.Trigger.Type != workflows.TriggerAutomated || len(e.Stages) == 0 {
		return ""
	}
	why := v.failed()
	if why == "" {
		why = layout.Text(e.Rollback.Reason, 300)
	}
	if e.Status == workflows.StatusSucceeded {
		head = layout.Text(fmt.Sprintf("↩️ %s #%d: %s back on #%d", e.Pipeline, e.Number, e.Stages[0].Name, e.Rollback.TargetNumber), 300)
	}
	if why != "" {
		head += ", " + why
	}
	return head
}
