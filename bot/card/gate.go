package card

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
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
	if say.Gate(&a.Approval) != say.WaitingForApproval {
		return a.closed()
	}
	e, g := &a.Execution, &a.Approval
	text := "✋ " + layout.Text(e.Ref(), 130) + " is waiting for approval in " + layout.Text(a.Stage, 100) + inBrackets(a.Action)
	if g.Warning != "" {
		text = layout.Join(text, "⚠️ "+layout.Text(g.Warning, 300))
	}
	l := layout.Message()
	l.Lines("✋ *" + layout.Name(e.Ref()) + " is waiting for approval in " + layout.Name(a.Stage) + "*" + inBrackets(a.Action))
	l.Lines(layout.Fit(a.format().Approvers(g, a.asks()...), 1500))
	if len(a.Ask) > 0 {
		text += " · " + layout.Fit(strings.Join(a.Ask, " "), 1500)
	}
	about := Subject{Pipeline: e.Pipeline, Stage: a.Stage, Action: a.Action, Execution: e.ID, Gate: g.Token}
	about.Seen, _ = a.Running(a.Stage)
	r := &row{}
	if a.acts() && !a.sent() {
		a.answer(r, workflows.Approve, about, g.Warning, layout.Line(a.Action, 60))
		a.answer(r, workflows.Reject, about, "", layout.Line(a.Action, 60))
	}
	r.add(button{act: ActDetails, text: "Details", about: Subject{Pipeline: e.Pipeline, Execution: e.ID}})
	l.Lines(a.standing())
	l.Lines(warning(a.Stage, g.Warning)...)
	l.Lines(append(bridge(a.Pipeline.Bridge), a.toAWS()...)...)
	l.Buttons(r.done()...)
	l.Lines(append(votes(g.Votes), dropped(g)...)...)
	l.Lines(slices.Concat(a.content(), []string{a.change(), a.Changed(a.Stage)}, a.Commits(a.Stage), []string{a.issues(a.Stage), a.known(a.Stage), a.unknown()})...)
	l.Context(layout.Join(a.console("console"), a.inAWS(), runOnGitHub(e)))
	return Message{Text: text, Blocks: l.Done(a.console("all of it in the console"))}
}

// inBrackets is an action behind its stage.
func inBrackets(action string) string {
	if action == "" {
		return ""
	}
	return " (" + layout.Text(action, 100) + ")"
}

// standing is the quorum: "1 of 2 approvals, 1 more needed", until when.
func (a *Asking) standing() string {
	g := &a.Approval
	expires := ""
	if !g.ExpiresAt.IsZero() {
		expires = "expires " + layout.Moment(g.ExpiresAt)
	}
	comment := ""
	if g.Comment == "required" {
		comment = "a comment is required"
	}
	return layout.Join("*"+a.format().Quorum(g)+"*", expires, comment)
}

// asks are those who may answer, as chat mentions or names them.
func (a *Asking) asks() []string {
	if len(a.Ask) > 0 {
		return []string{strings.Join(a.Ask, " ")}
	}
	names := make([]string, len(a.From))
	for i, who := range a.From {
		names[i] = layout.Text(say.Approver(who), 200)
	}
	return names
}

func votes(all []workflows.Vote) []string {
	var lines []string
	for i := range all {
		v := all[i]
		comment := v.Comment
		v.Comment = ""
		i := icon(say.Approved)
		if v.Answer == "reject" {
			i = icon(say.Rejected)
		}
		text := i + " " + plainly().Vote(&v) + " " + layout.Moment(v.At)
		if v.Via != "" && v.Via != "slack" {
			text += " (" + layout.Text(v.Via, 20) + ")"
		}
		lines = append(lines, layout.Because(text, comment))
	}
	return lines
}

// decided is what became of a gate: by whom and when, in one line, then who had
// agreed where somebody's right opened it, and what people wrote with their answers.
func decided(g *workflows.Approval) []string {
	f := plainly()
	text := outside(g)
	if text == "" {
		text = f.Decision(g, true)
	}
	if text == "" {
		return votes(g.Votes)
	}
	lines := []string{icon(say.Gate(g)) + " " + layout.Sentence(text)}
	if agreed := f.Agreed(g); agreed != "" {
		lines = append(lines, "👍 "+agreed)
	}
	return append(lines, (&View{}).comments(g)...)
}

// comments are what people wrote with their answers.
func (v *View) comments(g *workflows.Approval) []string {
	var lines []string
	for _, vote := range commented(g) {
		lines = append(lines, "💬 "+layout.Because(name(vote.By), vote.Comment))
	}
	return lines
}

// dropped says whose votes count no more, and why.
func dropped(g *workflows.Approval) []string {
	lines := make([]string, len(g.Dropped))
	for i, why := range g.Dropped {
		lines[i] = "⚠️ " + layout.Text(why, 300)
	}
	return lines
}

// content is what the pipeline's author wants the people to read, and what they approve.
func (a *Asking) content() []string {
	var lines []string
	if a.Approval.Text != "" {
		lines = append(lines, layout.Prose(a.Approval.Text, 1500))
	}
	if a.Approval.Link != "" {
		lines = append(lines, "🔗 "+layout.Link(a.Approval.Link, layout.Text(a.Approval.Link, 200)))
	}
	lines = append(lines, a.inJira())
	lines = append(lines, a.planned()...)
	return append(lines, revisions(&a.Execution, 5)...)
}

// mostPlanned is how many changes to a stack a gate shows.
const mostPlanned = 10

// planned are the changes to stacks that the people decide about, one line each.
func (a *Asking) planned() []string {
	var lines []string
	for _, list := range say.PlannedChanges(&a.Execution, a.Stage, a.Action) {
		lines = append(lines, "📋 "+layout.Text(list[0], 300))
		for i, change := range list[1:] {
			if i == mostPlanned {
				lines = append(lines, fmt.Sprintf("      and %d more", len(list)-1-mostPlanned))
				break
			}
			sign := "•"
			if strings.Contains(change, "(replacement") || strings.HasPrefix(change, "Remove ") {
				sign = "⚠️"
			}
			lines = append(lines, "      "+sign+" "+layout.Text(change, 200))
		}
	}
	return lines
}

// change says from what to what the stage goes.
func (a *Asking) change() string {
	_, now := a.Running(a.Stage)
	if now == "" || say.IsECS(a.Pipeline.Bridge) { // one hook does not follow another
		return ""
	}
	text := "➡️ " + layout.Text(a.Stage, 100) + ": " + say.Change(now, a.Execution.Number)
	if s, ok := a.Pipeline.Stage(a.Stage); ok {
		if c := s.Running.Caveat(); c != "" {
			text += fmt.Sprintf(" (%s is %s)", now, layout.Text(c, 200))
		}
	}
	return text
}

// closed is what is left of a gate: no buttons, but who, what and when.
func (a *Asking) closed() Message {
	e, g := &a.Execution, &a.Approval
	state := say.Gate(g)
	head := fmt.Sprintf("%s: %s in %s", layout.Sentence(string(state)), e.Ref(), a.Stage)
	l := layout.Message()
	l.Lines(icon(state) + " *" + layout.Name(head) + "*" + inBrackets(a.Action))
	l.Lines(a.hook())
	switch state {
	case say.Approved, say.Rejected, say.Overridden:
		l.Lines(decided(g)...)
	default:
		l.Lines(layout.Join(a.format().Quorum(g), a.when()))
		l.Lines(votes(g.Votes)...)
	}
	l.Lines(dropped(g)...)
	l.Lines(a.cause(), a.inJira())
	l.Lines(revisions(e, 5)...)
	l.Context(layout.Join(a.console("console"), a.inAWS(), runOnGitHub(e)))
	text := icon(state) + " " + layout.Text(head, 300) + inBrackets(a.Action)
	if state == say.Overridden {
		text = icon(state) + " " + layout.Text(e.Ref()+" in "+a.Stage, 300) + inBrackets(a.Action) + ": " + a.format().Decision(g, false)
	}
	return Message{Text: text, Blocks: l.Done("")}
}

func (a *Asking) when() string {
	if a.ClosedAt.IsZero() {
		return ""
	}
	return layout.Moment(a.ClosedAt)
}

// expired says what AWS does with a deployment of ECS after nobody has decided.
func (a *Asking) expired() string {
	if !say.IsECS(a.Pipeline.Bridge) {
		return ""
	}
	switch a.Execution.Variables["onTimeout"] {
	case "CONTINUE":
		return ": ECS goes on with the deployment"
	case "ROLLBACK":
		return ": ECS rolls the deployment back"
	}
	return ""
}

// cause says why a gate closed without a decision of its people.
func (a *Asking) cause() string {
	e, g := &a.Execution, &a.Approval
	switch {
	case g.Closed == "expired":
		return "⌛ Nobody decided before " + layout.Moment(g.ExpiresAt) + a.expired()
	case g.Closed != "withdrawn":
		return ""
	case e.Status == workflows.StatusSuperseded:
		text := "⏭️ A newer execution took its place"
		if e.StatusReason != nil {
			text = layout.Because(text, e.StatusReason.Message)
		}
		return text
	case e.Stop != nil && e.Stop.Code != "":
		return "🛑 " + layout.Text(layout.Sentence(e.Stop.Reason), 500)
	case e.Stop != nil:
		return layout.Because("🛑 Stopped by "+name(e.Stop.By), e.Stop.Reason)
	case e.Status == workflows.StatusInProgress:
		return "↩️ It left the stage; when it enters again, approval is requested again"
	}
	return ""
}
