package card

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Execution is the card: one per execution, edited in place, always showing
// how it stands.
func Execution(v View) Message {
	e := &v.Execution
	head := v.Headline()
	l := messageLayout()
	l.header(head)
	l.lines(append(append(revisions(e, 3), v.everyChange()...), startedBy(e))...)
	l.lines(v.warnings()...)
	l.lines(bridge(v.Pipeline.Bridge)...)
	l.lines(v.requests()...)
	l.buttons(v.buttons()...)
	l.lines(v.stages()...)
	l.lines(v.facts()...)
	l.context(v.footer())
	text := head
	if len(e.SourceRevisions) > 0 && e.SourceRevisions[0].RevisionSummary != "" {
		text = join(text, line(e.SourceRevisions[0].RevisionSummary, 80))
	}
	if len(v.overrides()) > 0 {
		text = join(text, "overridden")
	}
	return Message{Text: escape(text), Blocks: l.done(v.console("all of it in the console"))}
}

func (v *View) console(text string) string {
	if to := page(v.URL, v.Execution.ID); to != "" {
		return link(to, text)
	}
	return ""
}

// revisions are what the execution carries: short sha, commit text, author.
func revisions(e *workflows.Execution, most int) []string {
	var lines []string
	for i, r := range e.SourceRevisions {
		if i == most {
			lines = append(lines, fmt.Sprintf("… and %s", count(len(e.SourceRevisions)-most, "more source", "more sources")))
			break
		}
		text := link(r.RevisionURL, code(words.Revision(r.RevisionID), 20)) + " " + esc(r.RevisionSummary, 150)
		lines = append(lines, "📦 "+join(strings.TrimSpace(text), wroteBy(r.Author), esc(r.Branch, 60)))
	}
	return lines
}

func wroteBy(a *workflows.Author) string {
	return strings.TrimSuffix("by "+author(a), "by ")
}

// startedBy says who began it and how.
func startedBy(e *workflows.Execution) string {
	if run := runOnGitHub(e); e.Trigger.Type == workflows.TriggerProtected {
		return "👤 " + join(sentence(plainly().Trigger(e)), moment(e.StartedAt), run)
	}
	return "👤 " + join(sentence(plainly().Trigger(e)), moment(e.StartedAt), variables(e.Variables))
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
		word = because(word, skipped(s))
	}
	return join(icon(state)+" *"+v0(s.Name)+"* "+word, v.stageDetail(s))
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
		return join(v.format().WaitReason(e, &v.Pipeline), "waiting since "+moment(e.WaitsFor.Since), v.mayPass())
	}
	parts := []string{}
	if d, ok := span(s); ok {
		parts = append(parts, lasted(d))
	} else if s.Status == workflows.StatusInProgress && s.Since != nil {
		parts = append(parts, "since "+moment(*s.Since))
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
	return join(parts...)
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
		detail = esc(v.cause(stage, a), 300)
	case a.Summary != "":
		detail = esc(a.Summary, 150)
	}
	took := ""
	if a.StartedAt != nil && a.EndedAt != nil {
		took = lasted(a.EndedAt.Sub(*a.StartedAt))
	}
	external := ""
	if a.ExternalURL != "" {
		id := a.ExternalID
		if id == "" {
			id = "look"
		}
		external = link(a.ExternalURL, esc(id, 60))
	}
	return join(icon(state)+" "+esc(a.Name, 100)+" "+word, took, detail, external)
}

func (v *View) footer() string {
	e := &v.Execution
	took := ""
	if e.EndedAt != nil && e.Status.Final() {
		took = "took " + lasted(e.EndedAt.Sub(e.StartedAt))
	}
	return join(esc(e.Ref(), 130), "version "+strconv.Itoa(e.Version), took, code(e.ID, 40), v.console("console"), v.inAWS())
}
