package card

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// cardTail is how much of a failed action's log a card shows: lines, characters.
// The message about the failure shows more.
const (
	cardTail     = 3
	cardTailSize = 500
)

// Execution is the card: one per execution, edited in place, always showing how it
// stands. From top to bottom: the headline; what is in it and from what to what the
// environment goes; what can be done; one line per stage; the last lines of what
// failed; what else somebody must know.
func Execution(v View) Message {
	v.quoted = true
	l := layout.Message()
	l.Header(v.Headline())
	l.Lines(v.contents()...)
	l.Lines(v.Warnings()...)
	l.Lines(bridge(v.Pipeline.Bridge)...)
	l.Lines(v.requests()...)
	l.Lines(v.inDoubt()...)
	l.Menu(v.buttons())
	l.Lines(v.stages()...)
	l.Lines(block(v.lastLines(cardTail), cardTailSize))
	l.Lines(v.facts()...)
	l.Context(v.footer())
	return Message{Text: v.sentence(), Blocks: l.Done(v.console("all of it in the console"))}
}

// Unfurled is what stands under a link to the execution: its title and state,
// which everybody in the channel may read, and nothing else.
func (v *View) Unfurled() Message { return Say(v.Headline()) }

// sentence is the card where only words are shown: in a notification, by a screen
// reader. "webshop #43 is waiting for approval in Production: Show the total, by Dee".
func (v *View) sentence() string {
	e := &v.Execution
	state, text := v.headline()
	text = fmt.Sprintf("%s #%d%s%s%s", e.Pipeline, e.Number, say.In(e), stands(e, state, text), text)
	text = layout.Text(icon(state)+" "+text, 300)
	if back := v.back(text); back != "" {
		text = back
	}
	if r := e.SourceRevisions; len(r) > 0 && r[0].RevisionSummary != "" && e.Rollback == nil {
		text += ": " + layout.Text(r[0].RevisionSummary, 100)
		if by := wroteBy(r[0].Author); by != "" {
			text += ", " + by
		}
	}
	if len(v.overrides()) > 0 {
		text = layout.Join(text, "overridden")
	}
	return text
}

// stands is what joins an execution's name with how it stands to a sentence.
func stands(e *workflows.Execution, state say.State, text string) string {
	switch {
	case state == say.Failed && e.Rollback != nil, state == say.Expired:
		return ": "
	case state == say.ResultUnknown:
		return " needs an answer: "
	case !e.Status.Final(), strings.HasPrefix(text, "in "):
		return " is "
	case state == say.Failed, state == say.Succeeded, state == say.RolledBack && e.Rollback != nil:
		return " "
	}
	return " was "
}

func (v *View) console(text string) string {
	if to := page(v.URL, v.Execution.ID); to != "" {
		return layout.Link(to, text)
	}
	return ""
}

// revisions are what the execution carries: short sha, commit text, author.
func revisions(e *workflows.Execution, most int) []string {
	return revisionLines(e, most, func(*workflows.Author) bool { return false })
}

// revisionLines are that without the authors that are named elsewhere.
func revisionLines(e *workflows.Execution, most int, named func(*workflows.Author) bool) []string {
	var lines []string
	for i, r := range e.SourceRevisions {
		if i == most {
			lines = append(lines, fmt.Sprintf("… and %s", layout.Count(len(e.SourceRevisions)-most, "more source", "more sources")))
			break
		}
		by := wroteBy(r.Author)
		if named(r.Author) {
			by = ""
		}
		text := layout.Link(r.RevisionURL, layout.Text(words.Revision(r.RevisionID), 20)) + " " + layout.Text(r.RevisionSummary, 150)
		lines = append(lines, layout.Join(strings.TrimSpace(text), by, layout.Text(r.Branch, 60)))
	}
	return lines
}

func wroteBy(a *workflows.Author) string {
	return strings.TrimSuffix("by "+author(a), "by ")
}

// isAuthor says whether the one who started an execution is known as the author of
// a revision: by an address, a login, or the very name.
func isAuthor(by *workflows.Principal, a *workflows.Author) bool {
	if a == nil {
		return false
	}
	equal := func(x, y string) bool { return x != "" && strings.EqualFold(x, y) }
	return equal(by.Email, a.Email) || equal(by.ID, "github:"+a.Login) && a.Login != "" || equal(by.Name, a.Login) || equal(by.Name, a.Name)
}

// startedBy says who began it and how, and with what: of the variables those that differ
// from their default, where that is known.
func (v *View) startedBy() string {
	e, f := &v.Execution, plainly()
	f.Person = func(p workflows.Principal) string {
		for _, r := range e.SourceRevisions {
			if a := r.Author; isAuthor(&p, a) { // whatever is known of them finds them in chat
				return person("somebody", []string{p.ID, mailed(p.Email), mailed(a.Email), login(a)}, p.Name, a.Name, a.Login)
			}
		}
		return name(p)
	}
	if run := runOnGitHub(e); e.Trigger.Type == workflows.TriggerProtected {
		return layout.Join(layout.Sentence(f.Trigger(e)), layout.Moment(e.StartedAt), run)
	}
	return layout.Join(layout.Sentence(f.Trigger(e)), layout.Moment(e.StartedAt), variables(v.chosen()))
}

// stages are the execution's stages in order, a line each; what was set aside, a
// condition that matters, and actions that people look at at the same time stand below.
func (v *View) stages() []string {
	var lines []string
	for i := range v.Execution.Stages {
		s := &v.Execution.Stages[i]
		now, below := v.work(s)
		lines = append(lines, layout.Join(v.stageLine(s), now))
		for _, text := range v.format().Overrides(s) {
			below = append(below, "🔓 "+text)
		}
		for _, text := range below {
			lines = append(lines, "        "+text)
		}
	}
	return lines
}

// work is what goes on in a stage, or went wrong there: of one action in the stage's
// own line, of several below it.
func (v *View) work(s *workflows.StageExecution) (now string, below []string) {
	switch s.Status {
	case workflows.StatusSucceeded, workflows.StatusNotStarted, workflows.StatusSkipped, "":
		return "", nil
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Override == nil && c.Status != workflows.StatusSucceeded && c.Status != workflows.StatusNotStarted {
			below = append(below, conditionLines(c, finding)...)
		}
	}
	var of []*workflows.ActionExecution
	for j := range s.Actions {
		switch a := &s.Actions[j]; {
		case a.Needs == workflows.NeedsResolve: // it is asked about above
		case a.Status == workflows.StatusSucceeded && a.Needs == "", a.Status == workflows.StatusNotStarted && a.Needs == "", say.Action(a) == say.Overridden:
		default:
			of = append(of, a)
		}
	}
	if len(of) == 1 {
		return v.inOneLine(s.Name, of[0]), slices.Concat(below, finding(of[0]))
	}
	for _, a := range of {
		below = append(append(below, v.actionLine(s.Name, a)), finding(a)...)
	}
	return "", below
}

// inOneLine is an action behind its stage, whose word says how it stands.
func (v *View) inOneLine(stage string, a *workflows.ActionExecution) string {
	says, where := v.said(stage, a)
	text := layout.Text(a.Name, 100)
	if says != "" {
		text += ": " + says
	}
	return layout.Join(text, where)
}

// stageLine is a stage in one line: how it stands, how long, why it waits.
func (v *View) stageLine(s *workflows.StageExecution) string {
	state := say.Stage(&v.Execution, s)
	word := string(state)
	if state == say.ToCome && v.Execution.Status.Final() {
		word = "not reached"
	}
	if s.Status == workflows.StatusSkipped {
		word = layout.Because(word, skipped(s))
	}
	return layout.Join(sign(state)+" *"+layout.Name(s.Name)+"* "+word, v.stageDetail(s))
}

// inside is what happens in a stage, in order: the entry condition, the
// actions, the other conditions, of those in a status that is wanted.
func (v *View) inside(s *workflows.StageExecution, wanted func(workflows.Status) bool) []string {
	var before, lines, after []string
	for i := range s.Conditions {
		switch c := &s.Conditions[i]; {
		case !wanted(c.Status):
		case c.Kind == workflows.BeforeEntry:
			before = append(before, conditionLines(c, finding)...)
		default:
			after = append(after, conditionLines(c, finding)...)
		}
	}
	for j := range s.Actions {
		if a := &s.Actions[j]; wanted(a.Status) {
			lines = append(append(lines, v.actionLine(s.Name, a)), finding(a)...)
		}
	}
	return slices.Concat(before, lines, after)
}

// actionLine is one action: state, name, how long, what it said.
func (v *View) actionLine(stage string, a *workflows.ActionExecution) string {
	state := say.Action(a)
	says, where := v.said(stage, a)
	word := string(state)
	if g := a.Approval; g != nil && g.Closed != "" && a.Needs == "" && a.Error == nil {
		word, says = says, ""
	}
	took := ""
	if a.StartedAt != nil && a.EndedAt != nil {
		took = layout.Duration(a.EndedAt.Sub(*a.StartedAt))
	}
	return layout.Join(sign(state)+" "+layout.Text(a.Name, 100)+" "+word, took, says, where)
}

// said is what an action says of itself, and where it runs.
func (v *View) said(stage string, a *workflows.ActionExecution) (says, where string) {
	switch g := a.Approval; {
	case a.Needs == workflows.NeedsApproval && g != nil:
		says = v.format().Quorum(g)
	case g != nil && g.Closed != "" && a.Error == nil:
		says = v.decision(g)
	case a.Error != nil && a.Status != workflows.StatusSucceeded:
		says = layout.Text(v.cause(stage, a), 300)
	case a.Summary != "":
		says = layout.Text(a.Summary, 150)
	}
	if a.ExternalURL != "" {
		id := a.ExternalID
		if id == "" {
			id = "look"
		}
		where = layout.Link(a.ExternalURL, layout.Text(id, 60))
	}
	return says, where
}
