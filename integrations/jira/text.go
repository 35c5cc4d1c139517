package jira

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Jira's limits, in characters, with room to spare in the description.
const (
	maxSummary     = 255
	maxDescription = 32000
	maxLogLine     = 1000
	defaultTail    = 10
)

// draft writes the ticket.
func (t *Tickets) draft(ctx context.Context, r *ticket, j *job, p *workflows.Pipeline) draft {
	d := draft{project: t.Project, issueType: t.IssueType, summary: clip(oneLine(headline(j)), maxSummary)}
	var own []string
	lines := defaultTail
	if k := p.Ticket; k != nil {
		d.project, d.issueType, own, lines = or(k.Project, d.project), or(k.IssueType, d.issueType), k.Labels, k.LogTail
	}
	if !r.Plain {
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
	return d
}

// headline is the summary: "webshop #45: Deploy failed in Production".
func headline(j *job) string {
	return fmt.Sprintf("%s #%d: %s failed in %s", j.e.Pipeline, j.e.Number, or(called(j.action), "the stage"), j.stage)
}

// called is how people call an action: a condition's rule by what it is.
func called(action string) string {
	if _, rule, ok := strings.Cut(action, ":"); ok {
		return "success condition " + rule
	}
	return action
}

// facts writes what is known of the failure, a line each.
func (t *Tickets) facts(b *strings.Builder, r *ticket, j *job, p *workflows.Pipeline) {
	line := func(name, text string) { fmt.Fprintf(b, "*%s:* %s\n", name, text) }
	line("Execution", t.ref(j.e))
	line("Pipeline", wiki(j.e.Pipeline)+", version "+strconv.Itoa(j.e.Version))
	stage := wiki(j.stage)
	if st, ok := p.Stage(j.stage); ok && st.Environment != "" {
		stage += " (environment " + wiki(st.Environment) + ")"
	}
	line("Stage", stage)
	if j.action != "" {
		line("Action", fmt.Sprintf("%s, attempt %d", wiki(called(j.action)), max(j.attempt, 1)))
	}
	line("Error", cause(j.reason))
	circumstances(line, j)
	for _, s := range j.e.SourceRevisions {
		line("Revision", revision(s))
	}
	if rb := j.e.Rollback; rb != nil {
		line("Rollback", fmt.Sprintf("to %s #%d, which failed as well", wiki(j.e.Pipeline), rb.TargetNumber))
	}
	if by := j.e.Trigger.By.Name; by != "" {
		line("Started by", wiki(by))
	}
	if n := next(t, j); n != "" {
		line("What happened next", n)
	}
	if r.Previous != "" {
		line("Earlier ticket", r.Previous)
	}
}

// circumstances are what else somebody must know of a failure: what failed
// beside it, that it was tried again already, and which checks were set aside.
func circumstances(line func(name, text string), j *job) {
	for i, f := range j.others {
		if i == 10 {
			line("Failed as well", fmt.Sprintf("%d more", len(j.others)-i))
			break
		}
		line("Failed as well", wiki(called(f.action))+": "+cause(f.reason))
	}
	if st, ok := j.e.Stage(j.stage); ok && st.Retries != nil && st.Retries.Latest == "AutomatedStageRetry" {
		line("Automatic retry", "it was tried again by itself, and failed again")
	}
	for _, s := range j.e.Stages {
		for _, a := range s.Actions {
			if a.Approval != nil && a.Approval.Override != nil {
				line("Gate", wiki(a.Name)+" in "+wiki(s.Name)+" was "+overridden(a.Approval.Override))
			}
		}
		for _, c := range s.Conditions {
			if c.Override != nil {
				line("Condition", map[string]string{workflows.BeforeEntry: "entry", workflows.OnSuccess: "success"}[c.Kind]+" condition of "+wiki(s.Name)+" was "+overridden(c.Override))
			}
		}
	}
}

// overridden says who set a check aside, without what, and why.
func overridden(o *workflows.Overridden) string {
	text := "overridden by " + wiki(oneLine(or(o.By.Name, or(o.By.Email, o.By.ID))))
	if o.Without != "" {
		text += " without " + wiki(oneLine(o.Without))
	}
	return text + ": " + clip(wiki(oneLine(o.Reason)), 1000)
}

// tail writes the last lines of the action's log, at most room characters.
func (t *Tickets) tail(ctx context.Context, b *strings.Builder, j *job, lines, room int) {
	if lines <= 0 || j.action == "" {
		return
	}
	log, err := t.Reader.Tail(ctx, j.e.ID, j.stage, j.action, j.attempt, lines)
	if err != nil {
		t.Log.Warn("a ticket goes without log lines", "execution", j.e.Ref(), "action", j.action, "error", err)
		return
	}
	if len(log) > lines {
		log = log[len(log)-lines:]
	}
	var text strings.Builder
	for _, l := range log {
		text.WriteString(clip(strings.ReplaceAll(oneLine(l), "{noformat}", "{ noformat}"), maxLogLine) + "\n")
	}
	const open, end = "\n{noformat}\n", "{noformat}\n"
	if text.Len() == 0 || text.Len()+len(open)+len(end) > room {
		return
	}
	b.WriteString(open + text.String() + end)
}

// again is the comment for one more failure. Its first line names the failure, so that it is recognised.
func again(t *Tickets, r *ticket, j *job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s failed in %s again: %s, attempt %d (%s).\n", wiki(or(called(j.action), "The stage")), wiki(j.stage), t.ref(j.e), max(j.attempt, 1), shortID(j.id))
	line := func(name, text string) { fmt.Fprintf(&b, "*%s:* %s\n", name, text) }
	line("Error", cause(j.reason))
	circumstances(line, j)
	for _, s := range j.e.SourceRevisions {
		line("Revision", revision(s))
	}
	if n := next(t, j); n != "" {
		line("What happened next", n)
	}
	if r.Reopening == j.id {
		b.WriteString("The ticket was closed, and is open again because of this.\n")
	}
	if r.Recovered {
		b.WriteString("It had succeeded in between.\n")
	}
	return b.String()
}

// better is the comment for a success in the stage.
func better(t *Tickets, j *job) string {
	if rb := j.e.Rollback; rb != nil {
		how := "by " + wiki(j.e.Trigger.By.Name)
		if j.e.Trigger.Type == workflows.TriggerAutomated {
			how = "automatically"
		}
		return fmt.Sprintf("%s was rolled back %s to %s #%d: %s succeeded (%s).\n", wiki(j.stage), how, wiki(j.e.Pipeline), rb.TargetNumber, t.ref(j.e), shortID(j.id))
	}
	text := fmt.Sprintf("%s succeeded in %s (%s).\n", t.ref(j.e), wiki(j.stage), shortID(j.id))
	for _, s := range j.e.SourceRevisions {
		text += "*Revision:* " + revision(s) + "\n"
	}
	return text
}

// next says what followed by itself.
func next(t *Tickets, j *job) string {
	if j.next == nil || j.next.Rollback == nil {
		return ""
	}
	return fmt.Sprintf("automatic rollback to %s #%d started: %s", wiki(j.e.Pipeline), j.next.Rollback.TargetNumber, t.ref(j.next))
}

// ref names an execution, as a link where there is an address.
func (t *Tickets) ref(e *workflows.Execution) string {
	if t.PublicURL == "" {
		return wiki(e.Ref())
	}
	return fmt.Sprintf("[%s|%s/executions/%s]", wiki(e.Ref()), t.PublicURL, e.ID)
}

func cause(r workflows.Reason) string {
	return clip(wiki(oneLine(or(r.Message, or(r.Code, "unknown")))), 2000)
}

func revision(s workflows.SourceRevision) string {
	id := s.RevisionID
	if len(id) > 12 {
		id = id[:12]
	}
	text := wiki(s.ActionName) + " " + wiki(id)
	if safeLink(s.RevisionURL) {
		text = fmt.Sprintf("%s [%s|%s]", wiki(s.ActionName), wiki(id), s.RevisionURL)
	}
	if s.RevisionSummary != "" {
		text += " \"" + clip(wiki(oneLine(s.RevisionSummary)), 300) + "\""
	}
	if a := s.Author; a != nil && or(a.Name, a.Login) != "" {
		text += " by " + wiki(oneLine(or(a.Name, a.Login)))
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

// oneLine replaces line breaks and control characters.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}

// clip cuts text to n characters, with an ellipsis in the last place.
func clip(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
