package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// closed is what is left of a gate: one line that says who, what and when.
// Comments of those who approved stand below it.
func (a *Asking) closed() Message {
	e, g := &a.Execution, &a.Approval
	state := say.Gate(g)
	text, sign := a.outcome(state, a.clocked()), icon(a.sign(state))
	l := layout.Message()
	l.Lines(layout.Join(sign+" "+text, strings.TrimPrefix(a.hook(), "⏸️ "), a.place(true), a.inAWS(), runOnGitHub(e)))
	l.Lines(a.remarks(state))
	l.Lines(dropped(g)...)
	l.Lines(a.inJira())
	r := &row{}
	a.again(r)
	l.Buttons(r.done()...)
	plain := a.format()
	plain.Time = nil // a notification comes when it happens, and knows no reader's clock
	return Message{Text: layout.Join(sign+" "+a.outcome(state, plain), a.place(false)), Blocks: l.Done("")}
}

// sign is the state whose icon a closed gate has: one that nobody decided has that
// of what closed it.
func (a *Asking) sign(state say.State) say.State {
	switch e := &a.Execution; {
	case state != say.Withdrawn:
	case e.Status == workflows.StatusSuperseded:
		return say.Superseded
	case e.Stop != nil:
		return say.Stopped
	}
	return state
}

// place is which gate it was: "webshop #43 in Production", with the way to it.
func (a *Asking) place(link bool) string {
	text := layout.Text(fmt.Sprintf("%s #%d in %s", a.Execution.Pipeline, a.Execution.Number, a.Stage), 200) + inBrackets(a.named())
	if to := page(a.URL, a.Execution.ID); link && to != "" {
		return layout.Link(to, text)
	}
	return text
}

// outcome is what became of a gate, in one sentence; with times where f has a clock.
func (a *Asking) outcome(state say.State, f *say.Format) string {
	g := &a.Approval
	if text := outside(g); text != "" {
		return text
	}
	switch state {
	case say.Approved:
		return layout.Sentence(f.Decision(g, true))
	case say.Overridden:
		return layout.Join(layout.Sentence(f.Decision(g, true)), f.Agreed(g))
	case say.Rejected:
		reason := ""
		for _, v := range g.Votes {
			if v.Answer == "reject" {
				reason = v.Comment
			}
		}
		return layout.Because(layout.Sentence(f.Decision(g, true)), reason)
	case say.Expired:
		return "Expired" + a.when(f) + " with " + f.Given(g) + a.expired()
	}
	given := ""
	if len(g.Votes) > 0 {
		given = f.Given(g)
	}
	return layout.Join(a.withdrawn(f), given)
}

// clocked is format with times alone: an answer is given within a few hours of the
// message, which has its day. Of a gate that was open for longer the days stand there too.
func (a *Asking) clocked() *say.Format {
	f := a.format()
	f.Time = func(t time.Time) string {
		if t.Sub(a.Approval.OpenedAt).Abs() < 12*time.Hour {
			return layout.Clock(t)
		}
		return layout.Moment(t)
	}
	return f
}

func (a *Asking) when(f *say.Format) string {
	if f.Time == nil || a.ClosedAt.IsZero() {
		return ""
	}
	return " " + f.Time(a.ClosedAt)
}

// remarks are what those wrote who answered, where it does not stand in the line.
func (a *Asking) remarks(state say.State) string {
	var all []string
	for _, v := range commented(&a.Approval) {
		if state != say.Rejected || v.Answer != "reject" {
			all = append(all, layout.Because(name(v.By), v.Comment))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "💬 " + strings.Join(all, " · ")
}

// again offers to ask again, where nobody decided in time.
func (a *Asking) again(r *row) {
	if !a.Again || a.Approval.Closed != "expired" || !a.acts() {
		return
	}
	e := &a.Execution
	for _, o := range offersOf(e.Offers, workflows.Retry) {
		if o.Stage == a.Stage {
			r.add(button{act: ActRetry, text: "Ask again", named: "Ask again", about: Subject{Pipeline: e.Pipeline, Stage: a.Stage, Execution: e.ID},
				confirm: always(ask("Ask again?", fmt.Sprintf("%s asks for approval in %s again, with %s.", e.Ref(), layout.Line(a.Stage, 100), carries(e)), "Ask again"))})
			return
		}
	}
}

// expired says what AWS does with a deployment of ECS after nobody has decided.
func (a *Asking) expired() string {
	if !say.IsECS(a.Pipeline.Bridge) {
		return ""
	}
	switch a.Execution.Variables["onTimeout"] {
	case "CONTINUE":
		return "; ECS goes on with the deployment"
	case "ROLLBACK":
		return "; ECS rolls the deployment back"
	}
	return ""
}

// withdrawn says why a gate closed without a decision of its people.
func (a *Asking) withdrawn(f *say.Format) string {
	e := &a.Execution
	switch {
	case e.Status == workflows.StatusSuperseded:
		if r := e.StatusReason; r != nil && strings.HasPrefix(r.Message, "superseded ") {
			return layout.Sentence(layout.Text(r.Message, 300)) + a.when(f)
		}
		return "Superseded" + a.when(f)
	case e.Stop != nil && e.Stop.Code != "":
		return layout.Text(layout.Sentence(e.Stop.Reason), 500)
	case e.Stop != nil:
		return layout.Because("Stopped by "+name(e.Stop.By)+a.when(f), e.Stop.Reason)
	case e.Status == workflows.StatusInProgress:
		return "It left the stage" + a.when(f) + "; when it enters again, approval is requested again"
	}
	return "Withdrawn" + a.when(f)
}
