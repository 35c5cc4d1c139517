package jira

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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

// compose writes the ticket.
func (t *Tickets) compose(ctx context.Context, r *ticket, j *job, p *workflows.Pipeline) newIssue {
	d := newIssue{project: t.Project, issueType: t.IssueType, summary: words.Cut(clean.Line(headline(j)), maxSummary)}
	var own []string
	lines := defaultTail
	if k := p.Ticket; k != nil {
		d.project, d.issueType, own, lines = or(k.Project, d.project), or(k.IssueType, d.issueType), k.Labels, k.LogTail
	}
	if !j.Reduced {
		d.labels = []string{"rollcall", r.Label}
		for _, l := range own {
			// Jira's labels hold no spaces.
			d.labels = append(d.labels, strings.Join(strings.Fields(l), "-"))
		}
	}
	var b strings.Builder
	t.facts(&b, r, j, p)
	foot := fmt.Sprintf("\nOpened by rollcall. %s\n", r.Label)
	t.tail(ctx, &b, j, lines, maxDescription-b.Len()-len(foot))
	b.WriteString(foot)
	d.description = b.String()
	if j.Basic {
		d.summary, d.description = basic(d.summary), basic(d.description)
	}
	return d
}

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
	return &say.Format{Text: func(s string) string { return words.Cut(wiki(clean.Line(s)), 1000) }}
}

// facts writes what is known of the failure, a line each.
func (t *Tickets) facts(b *strings.Builder, r *ticket, j *job, p *workflows.Pipeline) {
	line := func(name, text string) { fmt.Fprintf(b, "*%s:* %s\n", name, text) }
	line("Execution", t.ref(j.execution))
	line("Pipeline", wiki(j.execution.Pipeline)+", version "+strconv.Itoa(j.execution.Version))
	stage := wiki(j.Stage)
	if st, ok := p.Stage(j.Stage); ok && st.Environment != "" {
		stage += " (environment " + wiki(st.Environment) + ")"
	}
	line("Stage", stage)
	if j.Action != "" {
		line("Action", fmt.Sprintf("%s, attempt %d", wiki(say.ActionName(j.Action)), max(j.Attempt, 1)))
	}
	line("Error", cause(j.Reason))
	addFinding(b, line, j.Reason.Finding)
	addCircumstances(line, j)
	for _, s := range j.execution.SourceRevisions {
		line("Revision", revision(s))
	}
	if r := j.runs; r != nil && r.Caveat() != "" {
		line("Runs there now", fmt.Sprintf("#%d, %s", r.Number, wiki(r.Caveat())))
	}
	if rb := j.execution.Rollback; rb != nil {
		line("Rollback", fmt.Sprintf("to %s #%d, which failed as well", wiki(j.execution.Pipeline), rb.TargetNumber))
	}
	if by := j.execution.Trigger.By.Called(); by != "" {
		line("Started by", wiki(by))
	}
	if n := next(t, j); n != "" {
		line("What happened next", n)
	}
	if r.Previous != "" {
		line("Earlier ticket", r.Previous)
	}
}

// addCircumstances are what else somebody must know of a failure: what failed
// beside it, that it was tried again already, and which checks were set aside.
func addCircumstances(line func(name, text string), j *job) {
	for i, f := range j.Others {
		if i == 10 {
			line("Failed as well", fmt.Sprintf("%d more", len(j.Others)-i))
			break
		}
		line("Failed as well", wiki(say.ActionName(f.Action))+": "+cause(f.Reason))
	}
	if st, ok := j.execution.Stage(j.Stage); ok && st.Retries != nil && st.Retries.Latest == "AutomatedStageRetry" {
		line("Automatic retry", say.Retried(st))
	}
	for i := range j.execution.Stages {
		for _, text := range format().Overrides(&j.execution.Stages[i]) {
			line("Overridden", wiki(j.execution.Stages[i].Name)+": "+text)
		}
	}
}

// tail writes the last lines of the action's log, at most room characters.
func (t *Tickets) tail(ctx context.Context, b *strings.Builder, j *job, lines, room int) {
	if lines <= 0 || j.Action == "" {
		return
	}
	log, err := t.Reader.Tail(ctx, j.execution.ID, j.Stage, j.Action, j.Attempt, lines)
	if err != nil {
		t.Log.With(j.about()...).Warn("a ticket goes without log lines", "error", err)
		return
	}
	if len(log) > lines {
		log = log[len(log)-lines:]
	}
	var text strings.Builder
	for _, l := range log {
		text.WriteString(words.Cut(strings.ReplaceAll(clean.Text(l), "{noformat}", "{ noformat}"), maxLogLine) + "\n")
	}
	const open, end = "\n{noformat}\n", "{noformat}\n"
	if text.Len() == 0 || text.Len()+len(open)+len(end) > room {
		return
	}
	b.WriteString(open + text.String() + end)
}

// repeatText is the comment for one more failure. Its first line names the failure, so that it is recognised.
func repeatText(t *Tickets, r *ticket, j *job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s again: %s, attempt %d (%s).\n", format().FailedIn(j.Action, j.Stage), t.ref(j.execution), max(j.Attempt, 1), shortID(j.ID))
	line := func(name, text string) { fmt.Fprintf(&b, "*%s:* %s\n", name, text) }
	line("Error", cause(j.Reason))
	addFinding(&b, line, j.Reason.Finding)
	addCircumstances(line, j)
	for _, s := range j.execution.SourceRevisions {
		line("Revision", revision(s))
	}
	if n := next(t, j); n != "" {
		line("What happened next", n)
	}
	if r.Reopening == j.ID {
		b.WriteString("The ticket was closed, and is open again because of this.\n")
	}
	if r.Recovered {
		b.WriteString("It had succeeded in between.\n")
	}
	return b.String()
}

// successText is the comment for a success in the stage.
func successText(t *Tickets, j *job) string {
	if rb := j.execution.Rollback; rb != nil {
		how := "by " + wiki(j.execution.Trigger.By.Called())
		if j.execution.Trigger.Type == workflows.TriggerAutomated {
			how = "automatically"
		}
		return fmt.Sprintf("%s was rolled back %s to %s #%d: %s succeeded (%s).\n", wiki(j.Stage), how, wiki(j.execution.Pipeline), rb.TargetNumber, t.ref(j.execution), shortID(j.ID))
	}
	text := fmt.Sprintf("%s succeeded in %s (%s).\n", t.ref(j.execution), wiki(j.Stage), shortID(j.ID))
	for _, s := range j.execution.SourceRevisions {
		text += "*Revision:* " + revision(s) + "\n"
	}
	return text
}

// next says what followed by itself.
func next(t *Tickets, j *job) string {
	if j.Next == nil || j.Next.Rollback == nil {
		return ""
	}
	return fmt.Sprintf("automatic rollback to %s #%d started: %s", wiki(j.execution.Pipeline), j.Next.Rollback.TargetNumber, t.ref(j.Next))
}

// ref names an execution, as a link where there is an address.
func (t *Tickets) ref(e *workflows.Execution) string {
	if t.PublicURL == "" {
		return wiki(e.Ref())
	}
	return fmt.Sprintf("[%s|%s/executions/%s]", wiki(e.Ref()), t.PublicURL, e.ID)
}

func cause(r workflows.Reason) string {
	return words.Cut(wiki(clean.Line(or(r.Message, or(r.Code, "unknown")))), 2000)
}

func revision(s workflows.SourceRevision) string {
	id := words.Revision(s.RevisionID)
	text := wiki(s.ActionName) + " " + wiki(id)
	if safeLink(s.RevisionURL) {
		text = fmt.Sprintf("%s [%s|%s]", wiki(s.ActionName), wiki(id), s.RevisionURL)
	}
	if s.RevisionSummary != "" {
		text += " \"" + words.Cut(wiki(clean.Line(s.RevisionSummary)), 300) + "\""
	}
	if a := s.Author; a != nil && or(a.Name, a.Login) != "" {
		text += " by " + wiki(clean.Line(or(a.Name, a.Login)))
	}
	return text
}

// safeLink keeps everything but plain web addresses out of the markup.
func safeLink(u string) bool {
	return (strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://")) && !strings.ContainsAny(u, " |]\n\r\"")
}

// wiki escapes Jira's markup, so that a commit text mentions nobody and embeds nothing.
func wiki(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\{}[]|*!`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
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
