package card

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Execution is the card: one per execution, edited in place, always showing
// how it stands.
func Execution(v View) Message {
	e := &v.Execution
	head := v.Headline()
	l := layout.Message()
	l.Header(head)
	l.Lines(append(append(revisions(e, 3), v.everyChange()...), startedBy(e))...)
	l.Lines(v.Warnings()...)
	l.Lines(bridge(v.Pipeline.Bridge)...)
	l.Lines(v.requests()...)
	l.Buttons(v.buttons()...)
	l.Lines(v.stages()...)
	l.Lines(v.facts()...)
	l.Context(v.footer())
	text := head
	if len(e.SourceRevisions) > 0 && e.SourceRevisions[0].RevisionSummary != "" {
		text = layout.Join(text, layout.Line(e.SourceRevisions[0].RevisionSummary, 80))
	}
	if len(v.overrides()) > 0 {
		text = layout.Join(text, "overridden")
	}
	return Message{Text: layout.Escape(text), Blocks: l.Done(v.console("all of it in the console"))}
}

func (v *View) console(text string) string {
	if to := page(v.URL, v.Execution.ID); to != "" {
		return layout.Link(to, text)
	}
	return ""
}

// revisions are what the execution carries: short sha, commit text, author.
func revisions(e *workflows.Execution, most int) []string {
	var lines []string
	for i, r := range e.SourceRevisions {
		if i == most {
			lines = append(lines, fmt.Sprintf("… and %s", layout.Count(len(e.SourceRevisions)-most, "more source", "more sources")))
			break
		}
		text := layout.Link(r.RevisionURL, layout.Code(words.Revision(r.RevisionID), 20)) + " " + layout.Text(r.RevisionSummary, 150)
		lines = append(lines, "📦 "+layout.Join(strings.TrimSpace(text), wroteBy(r.Author), layout.Text(r.Branch, 60)))
	}
	return lines
}

func wroteBy(a *workflows.Author) string {
	return strings.TrimSuffix("by "+author(a), "by ")
}

// startedBy says who began it and how.
func startedBy(e *workflows.Execution) string {
	if run := runOnGitHub(e); e.Trigger.Type == workflows.TriggerProtected {
		return "👤 " + layout.Join(layout.Sentence(plainly().Trigger(e)), layout.Moment(e.StartedAt), run)
	}
	return "👤 " + layout.Join(layout.Sentence(plainly().Trigger(e)), layout.Moment(e.StartedAt), variables(e.Variables))
}

// stages are the execution's stages in order, with the actions of those that
// people want to look into.
func (v *View) stages() []string {
	var lines []string
	for i := range v.Execution.Stages {
		s := &v.Execution.Stages[i]
		lines = append(lines, v.stageLine(s))
		switch s.Status {
		case workflows.StatusSucceeded, workflows.StatusNotStarted, workflows.StatusSkipped, "":
			for _, text := range v.format().Overrides(s) {
				lines = append(lines, "        🔓 "+text)
			}
			continue
		}
		for _, text := range v.inside(s, func(st workflows.Status) bool { return st != workflows.StatusNotStarted }) {
			lines = append(lines, "        "+text)
		}
	}
	return lines
}

// stageLine is a stage in one line: how it stands, how long, why it waits.
func (v *View) stageLine(s *workflows.StageExecution) string {
	state := say.Stage(&v.Execution, s)
	word := string(state)
	if s.Status == workflows.StatusSkipped {
		word = layout.Because(word, skipped(s))
	}
	return layout.Join(icon(state)+" *"+layout.Name(s.Name)+"* "+word, v.stageDetail(s))
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

// stageDetail is what stands behind a stage's word: how long, since when, why it waits.
func (v *View) stageDetail(s *workflows.StageExecution) string {
	e := &v.Execution
	if e.WaitsFor != nil && e.WaitsFor.Stage == s.Name {
		return layout.Join(v.format().WaitReason(e, &v.Pipeline), "waiting since "+layout.Moment(e.WaitsFor.Since), v.mayPass())
	}
	parts := []string{}
	if d, ok := span(s); ok {
		parts = append(parts, layout.Duration(d))
	} else if s.Status == workflows.StatusInProgress && s.Since != nil {
		parts = append(parts, "since "+layout.Moment(*s.Since))
	}
	switch by := say.Retried(s); {
	case by != "":
		parts = append(parts, by)
	case s.Attempt > 1:
		parts = append(parts, "attempt "+strconv.Itoa(s.Attempt))
	}
	if s.Status == workflows.StatusSucceeded {
		for i := range s.Actions {
			if g := s.Actions[i].Approval; g != nil && say.Gate(g) != say.Overridden {
				parts = append(parts, v.decision(g))
			}
		}
	}
	return layout.Join(parts...)
}

// actionLine is one action: state, name, how long, what it said.
func (v *View) actionLine(stage string, a *workflows.ActionExecution) string {
	state := say.Action(a)
	word, detail := string(state), ""
	switch g := a.Approval; {
	case a.Needs == workflows.NeedsApproval && g != nil:
		detail = v.format().Quorum(g)
	case g != nil && g.Closed != "" && a.Error == nil:
		word = v.decision(g)
	case a.Error != nil && a.Status != workflows.StatusSucceeded:
		detail = layout.Text(v.cause(stage, a), 300)
	case a.Summary != "":
		detail = layout.Text(a.Summary, 150)
	}
	took := ""
	if a.StartedAt != nil && a.EndedAt != nil {
		took = layout.Duration(a.EndedAt.Sub(*a.StartedAt))
	}
	external := ""
	if a.ExternalURL != "" {
		id := a.ExternalID
		if id == "" {
			id = "look"
		}
		external = layout.Link(a.ExternalURL, layout.Text(id, 60))
	}
	return layout.Join(icon(state)+" "+layout.Text(a.Name, 100)+" "+word, took, detail, external)
}

func (v *View) footer() string {
	e := &v.Execution
	took := ""
	if e.EndedAt != nil && e.Status.Final() {
		took = "took " + layout.Duration(e.EndedAt.Sub(e.StartedAt))
	}
	return layout.Join(layout.Text(e.Ref(), 130), "version "+strconv.Itoa(e.Version), took, layout.Code(e.ID, 40), v.console("console"), v.inAWS())
}
