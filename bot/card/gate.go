package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Asking is a gate as its message shows it.
type Asking struct {
	View
	Stage, Action string
	Approval      workflows.Approval
	Ask           []string  // mentions of whom it asks, ready for Slack
	From          []string  // who may answer, as who-expressions: nobody is mentioned for that
	ClosedAt      time.Time // zero while open, or unknown
}

// Gate is the message that asks people. While the gate is open it carries the
// buttons; afterwards it says who, what and when.
func Gate(a Asking) Message {
	if a.Approval.Closed != "" || aside(&a.Approval) != nil {
		return a.closed()
	}
	e, g := &a.Execution, &a.Approval
	text := "✋ " + esc(e.Ref(), 130) + " waits for approval in " + esc(a.Stage, 100)
	if g.Warning != "" {
		text = join(text, "🚨 "+esc(g.Warning, 300))
	}
	l := messageLayout()
	l.lines("✋ *" + v0(e.Ref()) + " waits for approval in " + v0(a.Stage) + "* (" + esc(a.Action, 100) + ")")
	if len(a.Ask) > 0 {
		who := strings.Join(a.Ask, " ")
		l.lines("Asked: " + fit(who, 1500))
		text += " · " + fit(who, 1500)
	}
	about := Subject{Pipeline: e.Pipeline, Stage: a.Stage, Action: a.Action, Execution: e.ID, Gate: g.Token}
	about.Seen, _ = a.running(a.Stage)
	r := newRow()
	a.answer(r, workflows.Approve, about, g.Warning)
	a.answer(r, workflows.Reject, about, "")
	r.add(ActDetails, "Details", Subject{Pipeline: e.Pipeline, Execution: e.ID}, slack.StyleDefault, nil)
	l.lines(a.standing())
	l.lines(warning(a.Stage, g.Warning)...)
	l.buttons(r.buttons...)
	l.lines(votes(g.Votes)...)
	l.lines(append(a.content(), a.change())...)
	l.context(a.small())
	return Message{Text: text, Blocks: l.done(a.console("all of it in the console"))}
}

func v0(s string) string { return strings.ReplaceAll(esc(s, 130), "*", "∗") }

// standing is the quorum: "1 of 2", what is missing, until when.
func (a *Asking) standing() string {
	g := &a.Approval
	missing := ""
	if len(g.Missing) > 0 {
		missing = "missing: " + esc(strings.Join(g.Missing, ", "), 300)
	}
	expires := ""
	if !g.ExpiresAt.IsZero() {
		expires = "expires " + moment(g.ExpiresAt)
	}
	comment := ""
	if g.Comment == "required" {
		comment = "a comment is required"
	}
	return join("*"+quorum(g)+"* approvals", missing, expires, comment)
}

func votes(all []workflows.Vote) []string {
	var lines []string
	for _, v := range all {
		st := state{"✅", "approved"}
		if v.Answer == "reject" {
			st = state{"🚫", "rejected"}
		}
		line := st.String() + " by " + name(v.By) + " " + moment(v.At)
		if v.Via != "" && v.Via != "slack" {
			line += " (" + esc(v.Via, 20) + ")"
		}
		lines = append(lines, because(line, v.Comment))
	}
	return lines
}

// content is what the pipeline's author wants the people to read, and what they let through.
func (a *Asking) content() []string {
	var lines []string
	if a.Approval.Text != "" {
		lines = append(lines, prose(a.Approval.Text, 1500))
	}
	if a.Approval.Link != "" {
		lines = append(lines, "🔗 "+link(a.Approval.Link, esc(a.Approval.Link, 200)))
	}
	return append(lines, revisions(&a.Execution, 5)...)
}

// change says from what to what the stage goes.
func (a *Asking) change() string {
	_, now := a.running(a.Stage)
	if now == "" {
		return ""
	}
	text := fmt.Sprintf("%s runs %s now", esc(a.Stage, 100), now)
	if s, ok := a.Pipeline.Stage(a.Stage); ok && !s.Running.Certain {
		text += ", as far as anybody can know (the last deploy there failed)"
	}
	return "➡️ " + text + fmt.Sprintf(", then #%d", a.Execution.Number)
}

func (a *Asking) small() string {
	from := "whoever may approve here"
	if len(a.From) > 0 {
		from = strings.Join(escaped(a.From), ", ")
	}
	return join(fit("may answer: "+from, 1000), a.console("console"))
}

// closed is what is left of a gate: no buttons, but who, what and when.
func (a *Asking) closed() Message {
	e, g := &a.Execution, &a.Approval
	st := ofGate(g.Closed)
	if aside(g) != nil {
		st = ofGate(gateOverridden)
	}
	head := fmt.Sprintf("%s: %s in %s", sentence(st.word), e.Ref(), a.Stage)
	l := messageLayout()
	l.lines(st.icon + " *" + v0(head) + "* (" + esc(a.Action, 100) + ")")
	l.lines("~waits for approval~ · " + join(quorum(g), decided(g), a.when()))
	l.lines(answers(g)...)
	l.lines(a.cause())
	l.lines(revisions(e, 5)...)
	l.context(a.console("console"))
	text := st.icon + " " + esc(head, 300)
	if o := aside(g); o != nil {
		text = st.icon + " " + esc(e.Ref()+" in "+a.Stage, 300) + ": " + overridden(o)
	}
	return Message{Text: text, Blocks: l.done("")}
}

func (a *Asking) when() string {
	if a.ClosedAt.IsZero() {
		return ""
	}
	return moment(a.ClosedAt)
}

// cause says why a gate closed without a decision of its people.
func (a *Asking) cause() string {
	e, g := &a.Execution, &a.Approval
	switch {
	case aside(g) != nil:
		return ""
	case g.Closed == "expired":
		return "⌛ Nobody decided in time: " + strings.Join(append([]string{quorum(g) + " until " + moment(g.ExpiresAt)}, escaped(g.Missing)...), ", missing ")
	case g.Closed != "withdrawn":
		return ""
	case e.Status == workflows.StatusSuperseded:
		text := "⏭️ A newer execution took its place"
		if e.StatusReason != nil {
			text = because(text, e.StatusReason.Message)
		}
		return text
	case e.Stop != nil:
		return because("🛑 Stopped by "+name(e.Stop.By), e.Stop.Reason)
	case e.Status == workflows.StatusInProgress:
		return "↩️ It stepped back before the stage; when it enters again, a new gate asks"
	}
	return ""
}

func escaped(all []string) []string {
	some := make([]string, len(all))
	for i, s := range all {
		some[i] = esc(s, 200)
	}
	return some
}
