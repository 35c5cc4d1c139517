package card

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Execution is the card: one per execution, edited in place, always showing
// how it stands.
func Execution(v View) Message {
	e := &v.Execution
	head := Headline(e)
	l := messageLayout()
	l.header(head)
	l.lines(append(revisions(e, 3), startedBy(e))...)
	l.lines(v.warnings()...)
	l.buttons(v.buttons()...)
	l.lines(v.stages()...)
	l.lines(v.facts()...)
	l.context(v.footer())
	text := head
	if len(e.SourceRevisions) > 0 && e.SourceRevisions[0].RevisionSummary != "" {
		text = join(text, line(e.SourceRevisions[0].RevisionSummary, 80))
	}
	if len(overrides(e)) > 0 {
		text = join(text, "overridden")
	}
	return Message{Text: escape(text), Blocks: l.done(v.console("all of it in the console"))}
}

func (v *View) console(text string) string {
	if to := Link(v.URL, v.Execution.ID); to != "" {
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
		text := link(r.RevisionURL, code(short(r.RevisionID), 20)) + " " + esc(r.RevisionSummary, 150)
		lines = append(lines, "📦 "+join(strings.TrimSpace(text), author(r.Author), esc(r.Branch, 60)))
	}
	return lines
}

// short is a revision as people read it: the first 7 characters of a commit.
func short(revision string) string {
	if len(revision) >= 40 && strings.Trim(revision, "0123456789abcdef") == "" {
		return revision[:7]
	}
	return revision
}

func author(a *workflows.Author) string {
	switch {
	case a == nil:
		return ""
	case a.Name != "":
		return "by " + esc(a.Name, 60)
	case a.Login != "":
		return "by " + esc(a.Login, 60)
	}
	return strings.TrimSuffix("by "+esc(a.Email, 60), "by ")
}

// startedBy says who began it and how.
func startedBy(e *workflows.Execution) string {
	by, t := name(e.Trigger.By), e.Trigger
	text := ""
	switch t.Type {
	case workflows.TriggerStart:
		text = "started by " + by
		switch via := t.By.Via; {
		case t.Execution != "":
			text = "started by " + esc(t.Detail, 200) + ", which " + by + " began"
		case via != "" && via != "slack":
			text += " (" + esc(via, 20) + ")"
		}
	case workflows.TriggerWebhook:
		text = "started by a push from " + by
	case workflows.TriggerPoll:
		text = "started by a new commit"
	case workflows.TriggerSchedule:
		text = "started by its schedule"
	case workflows.TriggerRollback:
		text = "rollback asked for by " + by
	case workflows.TriggerAutomated:
		text = "automatic rollback"
	default:
		text = esc("started by "+t.Type, 80)
	}
	return "👤 " + join(sentence(text), moment(e.StartedAt), variables(e.Variables))
}

// stages are the execution's stages in order, with the actions of those that
// people want to look into.
func (v *View) stages() []string {
	var lines []string
	for i := range v.Execution.Stages {
		s := &v.Execution.Stages[i]
		st := ofStage(&v.Execution, s)
		lines = append(lines, join(st.icon+" *"+esc(s.Name, 100)+"* "+v.stageWord(s), v.stageDetail(s)))
		switch s.Status {
		case workflows.StatusSucceeded, workflows.StatusNotStarted, workflows.StatusSkipped, "":
			for _, text := range stageOverrides(s) {
				lines = append(lines, "        🔓 "+text)
			}
			continue
		}
		for _, text := range inside(s, func(st workflows.Status) bool { return st != workflows.StatusNotStarted }) {
			lines = append(lines, "        "+text)
		}
	}
	return lines
}

// stageWord is how a stage stands, of one that was skipped with the reason.
func (v *View) stageWord(s *workflows.StageExecution) string {
	word := ofStage(&v.Execution, s).word
	if s.Status == workflows.StatusSkipped {
		return because(word, skipped(s))
	}
	return word
}

// inside is what happens in a stage, in order: the entry condition, the
// actions, the other conditions, of those in a status that is wanted.
func inside(s *workflows.StageExecution, wanted func(workflows.Status) bool) []string {
	var before, lines, after []string
	for i := range s.Conditions {
		switch c := &s.Conditions[i]; {
		case !wanted(c.Status):
		case c.Kind == workflows.BeforeEntry:
			before = append(before, conditionLine(c))
		default:
			after = append(after, conditionLine(c))
		}
	}
	for j := range s.Actions {
		if a := &s.Actions[j]; wanted(a.Status) {
			lines = append(lines, actionLine(a))
		}
	}
	return slices.Concat(before, lines, after)
}

// stageDetail is what stands behind a stage's word: how long, since when, why it waits.
func (v *View) stageDetail(s *workflows.StageExecution) string {
	e := &v.Execution
	if e.WaitsFor != nil && e.WaitsFor.Stage == s.Name {
		return join(v.door(s.Name), "since "+moment(e.WaitsFor.Since))
	}
	parts := []string{}
	if d, ok := span(s); ok {
		parts = append(parts, lasted(d))
	} else if s.Status == workflows.StatusInProgress && s.Since != nil {
		parts = append(parts, "since "+moment(*s.Since))
	}
	switch by := retrying(s); {
	case by != "":
		parts = append(parts, by)
	case s.Attempt > 1:
		parts = append(parts, "attempt "+strconv.Itoa(s.Attempt))
	}
	if s.Status == workflows.StatusSucceeded {
		for i := range s.Actions {
			if g := s.Actions[i].Approval; g != nil && aside(g) == nil {
				parts = append(parts, decided(g))
			}
		}
	}
	return join(parts...)
}

// door says why an execution has to wait before a stage.
func (v *View) door(stage string) string {
	s, ok := v.Pipeline.Stage(stage)
	switch w := v.Execution.WaitsFor; {
	case w.For == workflows.WaitsForFreeze:
		return v.frozen(stage, w.Freeze)
	case w.For == workflows.WaitsForTransition && (!ok || s.Transition.Enabled):
		return "it is disabled"
	case w.For == workflows.WaitsForTransition:
		return closedDoor(s)
	}
	if ok {
		if line := v.inLine(s); line != "" {
			return line
		}
	}
	if ok && s.LatestExecution != nil && s.LatestExecution.Execution != v.Execution.ID {
		return fmt.Sprintf("until #%d is through", s.LatestExecution.Number)
	}
	return "until it is free"
}

// closedDoor says who closed a stage's door, and why.
func closedDoor(s *workflows.StageView) string {
	t := &s.Transition
	text := "disabled"
	switch {
	case t.Cause == "rollback" && t.Reason == "":
		text = "held after a rollback"
	case t.Cause == "rollback":
		text = "held" // the reason says: rolled back to webshop#42
	case t.By != nil:
		text += " by " + name(*t.By)
	}
	return because(text, t.Reason)
}

// actionLine is one action: state, name, how long, what it said.
func actionLine(a *workflows.ActionExecution) string {
	st := ofAction(a)
	detail := ""
	if g := a.Approval; g != nil && decided(g) != "" {
		st.word = decided(g)
	}
	switch {
	case a.Needs == workflows.NeedsApproval && a.Approval != nil:
		detail = quorum(a.Approval)
	case a.Approval != nil && decided(a.Approval) != "":
	case a.Error != nil && a.Status != workflows.StatusSucceeded:
		detail = esc(a.Error.Message, 300)
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
	return join(st.icon+" "+esc(a.Name, 100)+" "+st.word, took, detail, external)
}

// quorum is "1 of 2".
func quorum(a *workflows.Approval) string {
	return fmt.Sprintf("%d of %d", a.Approvals(), a.Required)
}

func (v *View) footer() string {
	e := &v.Execution
	took := ""
	if e.EndedAt != nil && e.Status.Final() {
		took = "took " + lasted(e.EndedAt.Sub(e.StartedAt))
	}
	return join(esc(e.Ref(), 130), "version "+strconv.Itoa(e.Version), took, code(e.ID, 40), v.console("console"))
}
