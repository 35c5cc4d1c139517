package card

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Asking is a gate as its message shows it.
type Asking struct {
	View
	Stage, Action string
	Approval      workflows.Approval
	Ask           []string       // mentions of whom it asks, ready for Slack
	From          []string       // who may answer, as who-expressions: nobody is mentioned for that
	Answerable    say.Answerable // whether enough people can
	Behind        []string       // "#43": those who wait for the stage that this one keeps busy, the next one first
	Next          string         // the ID of that one; empty: it cannot be asked for instead
	Command       string         // the slash command, for ways out
	Again         bool           // closed: it is the newest of its action, and asking again is offered
	ClosedAt      time.Time      // zero while open, or unknown
}

// Gate is the message that asks people. While the gate is open it carries the
// buttons, behind the facts and before long text; afterwards one line says who,
// what and when.
func Gate(a Asking) Message {
	if say.Gate(&a.Approval) != say.WaitingForApproval {
		return a.closed()
	}
	e, g := &a.Execution, &a.Approval
	head := a.head("is waiting for approval in")
	text := "✋ " + layout.Escape(head) + inBrackets(a.named())
	if g.Warning != "" {
		text = layout.Join(text, "⚠️ "+layout.Text(g.Warning, 300))
	}
	if len(a.Ask) > 0 {
		text += " · " + layout.Fit(strings.Join(a.Ask, " "), 1500)
	}
	l := layout.Message()
	l.Lines("✋ *" + layout.Name(head) + "*" + inBrackets(a.named()))
	l.Lines(a.brings()...)
	l.Lines(warning(a.Stage, g.Warning)...)
	l.Lines(a.standing(), a.approvers(), a.tooFew(), a.behind())
	l.Lines(append(bridge(a.Pipeline.Bridge), a.toAWS()...)...)
	l.Buttons(a.buttons()...)
	l.Lines(slices.Concat(a.comments(g), dropped(g), a.content(), []string{a.known(a.Stage), a.unknown()})...)
	a.list(l)
	l.Context(layout.Join(a.console("console"), a.inAWS(), runOnGitHub(e)))
	return Message{Text: text, Blocks: l.Done(a.console("all of it in the console"))}
}

// head is a headline of at most 60 characters, icon and all: "webshop #43 is
// waiting for approval in Production".
func (a *Asking) head(is string) string {
	return layout.Line(fmt.Sprintf("%s #%d %s %s", layout.Line(a.Execution.Pipeline, 20), a.Execution.Number, is, a.Stage), 58)
}

// named is the action, where its stage asks at more than one gate.
func (a *Asking) named() string {
	n := 0
	if s, ok := a.Execution.Stage(a.Stage); ok {
		for i := range s.Actions {
			if s.Actions[i].Approval != nil {
				n++
			}
		}
	}
	if p := a.Pipeline.Definition; p != nil {
		if s, ok := p.Stage(a.Stage); ok {
			n = max(n, len(slices.DeleteFunc(slices.Clone(s.Actions), func(of workflows.Action) bool { return !of.IsApproval() })))
		}
	}
	if n < 2 {
		return ""
	}
	return a.Action
}

// buttons answer the gate, or ask for the next execution instead.
func (a *Asking) buttons() []*slack.ButtonBlockElement {
	e, g := &a.Execution, &a.Approval
	about := Subject{Pipeline: e.Pipeline, Stage: a.Stage, Action: a.Action, Execution: e.ID, Gate: g.Token}
	about.Seen, _ = a.Running(a.Stage)
	r := &row{}
	if a.acts() && !a.sent() {
		a.answer(r, workflows.Approve, about, g.Warning, layout.Line(a.Action, 60))
		a.answer(r, workflows.Reject, about, "", layout.Line(a.Action, 60))
		a.instead(r)
	}
	r.add(button{act: ActDetails, text: "Details", about: Subject{Pipeline: e.Pipeline, Execution: e.ID}})
	return r.done()
}

// inBrackets is an action behind its stage.
func inBrackets(action string) string {
	if action == "" {
		return ""
	}
	return " (" + layout.Text(action, 100) + ")"
}

// standing is the quorum: "1 of 2 approvals: Ana · 1 more needed", until when.
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
	f := a.format()
	given, who, _ := strings.Cut(f.Given(g), ":")
	if given = "*" + given + "*"; who != "" {
		given += ":" + who
	}
	return layout.Join(given, f.Needed(g), expires, comment)
}

// approvers are those who may answer, each once, and the groups that they are of:
// "Approvers: @Ana, @Cho (release-managers)".
func (a *Asking) approvers() string {
	var names, groups []string
	for _, who := range a.From {
		if name := say.Approver(who); len(a.Ask) == 0 {
			names = append(names, layout.Text(name, 200))
		} else if name != who && !strings.Contains(strings.Join(a.Ask, " "), name) {
			groups = append(groups, layout.Text(name, 100))
		}
	}
	if len(a.Ask) > 0 {
		names = []string{strings.Join(a.Ask, ", ")}
	}
	text := a.format().Approvers(&a.Approval, names...)
	if len(groups) > 0 {
		text += " (" + strings.Join(groups, ", ") + ")"
	}
	return layout.Fit(text, 1500)
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
		return nil
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

// content is what the pipeline's author wants the people to read, and the plans that they approve.
func (a *Asking) content() []string {
	var lines []string
	if a.Approval.Text != "" {
		lines = append(lines, layout.Prose(a.Approval.Text, 1500))
	}
	if a.Approval.Link != "" {
		lines = append(lines, "🔗 "+layout.Link(a.Approval.Link, layout.Text(a.Approval.Link, 200)))
	}
	return append(append(lines, a.inJira()), a.planned()...)
}

// mostCommits is how many commits a gate shows before its buttons.
const mostCommits = 3

// brings says from what to what the stage goes, and what comes with that: how many
// commits, the first of them, the issues.
func (a *Asking) brings() []string {
	n, change := a.changes(a.Stage), a.change()
	if n == nil {
		return append([]string{change}, revisions(&a.Execution, mostCommits)...)
	}
	count := n.Text
	if _, now := a.Running(a.Stage); now != "" && change != "" {
		count = strings.TrimSuffix(count, " since "+now) // that stands before it
	}
	if count = layout.Text(count, 300); change == "" {
		count = layout.Sentence(count)
	}
	lines := []string{layout.Join(change, layout.Link(n.URL, count))}
	commits := a.Commits(a.Stage)
	if len(commits) > mostCommits { // they stand below the buttons
		commits = nil
	}
	if len(commits) == 0 || !a.listed(n) {
		lines = append(lines, revisions(&a.Execution, mostCommits)...)
	}
	return append(append(lines, commits...), a.issues(a.Stage))
}

// list adds the commits that do not stand before the buttons, for who unfolds them.
func (a *Asking) list(l *layout.Layout) {
	if commits := a.Commits(a.Stage); len(commits) > mostCommits {
		l.Collapsed(layout.Sentence(a.changes(a.Stage).Text), commits...)
	}
}

// listed says whether the commits that are listed hold all the execution's own revisions.
func (a *Asking) listed(n *workflows.Note) bool {
	return !slices.ContainsFunc(a.Execution.SourceRevisions, func(r workflows.SourceRevision) bool {
		return !strings.Contains(n.Detail, words.Revision(r.RevisionID))
	})
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
	text := layout.Text(a.Stage, 100) + ": " + say.Change(now, a.Execution.Number)
	if s, ok := a.Pipeline.Stage(a.Stage); ok {
		if c := s.Running.Caveat(); c != "" {
			text += fmt.Sprintf(" (%s is %s)", now, layout.Text(c, 200))
		}
	}
	return text
}
