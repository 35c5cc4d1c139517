package jira

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Jira's limits, in characters, with room to spare in the description.
const (
	maxSummary     = 255
	maxDescription = 32000
	maxLogLine     = 1000
	defaultTail    = 10
)

// headline is the summary: "webshop #45: Deploy failed in Production".
func headline(j *job) string {
	ref := fmt.Sprintf("%s #%d: ", j.execution.Pipeline, j.execution.Number)
	if j.Reason.Code == "ArtifactNotStored" { // what ran has worked
		return ref + fmt.Sprintf("an artifact of %s in %s could not be stored", say.ActionName(j.Action), j.Stage)
	}
	return ref + (&say.Format{}).FailedIn(j.Action, j.Stage)
}

// format is how a ticket writes what stands in a sentence.
func format() *say.Format {
	return &say.Format{Text: func(s string) string { return words.Cut(clean.Line(s), 1000) }}
}

// describe writes the description of a new ticket.
func (t *Tickets) describe(ctx context.Context, r *ticket, g *group) *markup.Doc {
	form, j := g.jobs[0], g.lead()
	var d markup.Doc
	d.Fact("Execution", t.ref(j.execution))
	d.Fact("Pipeline", markup.Text(j.execution.Pipeline+", version "+strconv.Itoa(j.execution.Version)))
	stage := j.Stage
	if st, ok := g.pipeline.Stage(j.Stage); ok && st.Environment != "" {
		stage += " (environment " + st.Environment + ")"
	}
	d.Fact("Stage", markup.Text(stage))
	if j.Action != "" {
		d.Fact("Action", markup.Text(fmt.Sprintf("%s, attempt %d", say.ActionName(j.Action), max(j.Attempt, 1))))
	}
	d.Fact("Error", cause(j.Reason))
	d.Fact("Since", markup.Text(moment(g.first())))
	if !form.Minimal {
		addFinding(&d, j.Reason.Finding, false)
		t.addChanges(ctx, &d, j)
		t.addSurroundings(&d, j)
	}
	if len(form.Without) > 0 {
		d.Fact("Not set", markup.Text(strings.Join(form.Without, ", ")+": "+words.Cut(clean.Line(form.LastError), 500)))
	}
	if r.Previous != "" {
		d.Fact("Regression of", markup.Link(r.Previous, t.jira.link(r.Previous)), markup.Text(", which was closed"))
	}
	var foot markup.Doc
	foot.Paragraph()
	foot.Line(markup.Text("Opened by rollcall. " + r.Label))
	if !form.Minimal {
		t.addTail(ctx, &d, j, tailOf(g.pipeline), maxDescription-size(&d)-size(&foot))
	}
	d.Add(&foot)
	return &d
}

// size is how long a text is in the form of it that is longest.
func size(d *markup.Doc) int { return max(len(d.Wiki()), len(d.ADF())) }

// tailOf is how many lines of the log a ticket of the pipeline holds.
func tailOf(p *workflows.Pipeline) int {
	if p.Ticket == nil {
		return defaultTail
	}
	return p.Ticket.LogTail
}

// addSurroundings writes what led to the failure, and what followed.
func (t *Tickets) addSurroundings(d *markup.Doc, j *job) {
	addCircumstances(d, j)
	for _, s := range j.execution.SourceRevisions {
		d.Fact("Revision", revision(s)...)
	}
	if r := j.runs; r != nil && r.Caveat() != "" {
		d.Fact("Runs there now", markup.Text(fmt.Sprintf("#%d, %s", r.Number, r.Caveat())))
	}
	if rb := j.execution.Rollback; rb != nil {
		d.Fact("Rollback", markup.Text(fmt.Sprintf("to %s #%d, which failed as well", j.execution.Pipeline, rb.TargetNumber)))
	}
	if by := j.execution.Trigger.By.Called(); by != "" {
		d.Fact("Started by", markup.Text(clean.Line(by)))
	}
	for i := range j.execution.Stages {
		addGates(d, &j.execution.Stages[i])
	}
	if n := t.next(j); n != nil {
		d.Fact("What happened next", n...)
	}
}

// addGates names those who approved.
func addGates(d *markup.Doc, st *workflows.StageExecution) {
	for i := range st.Actions {
		if a := &st.Actions[i]; a.Approval != nil {
			if text := format().Decision(a.Approval, false); text != "" {
				d.Fact(say.ActionName(a.Name)+" in "+st.Name, markup.Text(text))
			}
		}
	}
}

// addCircumstances are what else somebody must know of a failure: what failed
// beside it, that it was tried again already, and which checks were set aside.
func addCircumstances(d *markup.Doc, j *job) {
	for i, f := range j.Others {
		if i == 10 {
			d.Fact("Failed as well", markup.Text(fmt.Sprintf("%d more", len(j.Others)-i)))
			break
		}
		d.Fact("Failed as well", markup.Text(say.ActionName(f.Action)+": "), cause(f.Reason))
	}
	if st, ok := j.execution.Stage(j.Stage); ok && st.Retries != nil && st.Retries.Latest == "AutomatedStageRetry" {
		d.Fact("Automatic retry", markup.Text(say.Retried(st)))
	}
	for i := range j.execution.Stages {
		for _, text := range format().Overrides(&j.execution.Stages[i]) {
			d.Fact("Overridden", markup.Text(j.execution.Stages[i].Name+": "+text))
		}
	}
}

// addTail writes the last lines of the action's log, as many as there is room for.
func (t *Tickets) addTail(ctx context.Context, d *markup.Doc, j *job, lines, room int) {
	if lines <= 0 || j.Action == "" {
		return
	}
	log, err := t.Reader.Tail(ctx, j.execution.ID, j.Stage, j.Action, j.Attempt, lines)
	if err != nil {
		t.Log.With(j.about()...).Warn("a ticket goes without log lines", "error", err)
		return
	}
	log = log[max(0, len(log)-lines):]
	for i, l := range log {
		log[i] = words.Cut(clean.Text(l), maxLogLine)
	}
	for ; len(log) > 0; log = log[1:] {
		var code markup.Doc
		code.Code(strings.Join(log, "\n"))
		if size(&code) < room {
			d.Add(&code)
			return
		}
	}
}

// next says what followed by itself; nil: nothing.
func (t *Tickets) next(j *job) markup.Line {
	if j.Next == nil || j.Next.Rollback == nil {
		return nil
	}
	return markup.Line{markup.Text(fmt.Sprintf("automatic rollback to %s #%d started: ", j.execution.Pipeline, j.Next.Rollback.TargetNumber)), t.ref(j.Next)}
}

// ref names an execution, as a link where there is an address.
func (t *Tickets) ref(e *workflows.Execution) markup.Span {
	if t.PublicURL == "" {
		return markup.Text(e.Ref())
	}
	return markup.Link(e.Ref(), t.PublicURL+"/executions/"+e.ID)
}

func cause(r workflows.Reason) markup.Span {
	return markup.Text(words.Cut(clean.Line(or(r.Message, or(r.Code, "unknown"))), 2000))
}

func revision(s workflows.SourceRevision) markup.Line {
	line := markup.Line{markup.Text(s.ActionName + " "), markup.Link(words.Revision(s.RevisionID), s.RevisionURL)}
	if s.RevisionSummary != "" {
		line = append(line, markup.Text(" \""+words.Cut(clean.Line(s.RevisionSummary), 300)+"\""))
	}
	if a := s.Author; a != nil && or(a.Name, a.Login) != "" {
		line = append(line, markup.Text(" by "+clean.Line(or(a.Name, a.Login))))
	}
	return line
}

// shortID is the part of a job's ID that tells it from others of its execution.
func shortID(id string) string { return "event " + id[strings.LastIndexByte(id, '/')+1:] }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// basic replaces characters beyond U+FFFF, which a Jira on an old database
// cannot store.
func basic(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xffff {
			return '\uFFFD'
		}
		return r
	}, s)
}
