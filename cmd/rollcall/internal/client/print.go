package client

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Printer writes tables for people. Much of what it prints comes from
// strangers, such as commit messages; it goes out through table and say only,
// which clean it, so that nobody steers the reader's terminal or forges a row.
type Printer struct {
	W       io.Writer
	Now     time.Time          // the moment that "ago" counts from
	Freezes []workflows.Freeze // which say until when; may be empty
	// View is the pipeline as it stands now, of which executions are listed; may be zero.
	View    workflows.PipelineView
	Numbers map[string]int // of executions that are otherwise known by ID only; may be empty
	Wide    bool           // more columns
	Color   bool           // the terminal shows colours
	Width   int            // of the terminal in columns; 0: nothing is cut
}

// say prints a line, without spaces at its end; each argument stays within it.
func (p Printer) say(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = clean.Line(s)
		}
	}
	fmt.Fprintln(p.W, strings.TrimRight(clean.Text(fmt.Sprintf(format, args...)), " "))
}

// Line prints one sentence.
func (p Printer) Line(text string) { p.say("%s", text) }

// Text prints text of several lines.
func (p Printer) Text(text string) { fmt.Fprint(p.W, clean.Text(text)) }

// row is a row of a table, and with Wide the further columns.
func (p Printer) row(cells []string, more ...string) []string {
	if p.Wide {
		return append(cells, more...)
	}
	return cells
}

// Names prints pipelines as a list: "webshop  version 3, SUPERSEDED".
func (p Printer) Names(views []workflows.PipelineView) {
	rows := [][]string{p.row([]string{"PIPELINE", "VERSION", "MODE", "MANAGED BY"}, "STAGES")}
	for _, v := range views {
		var stages []string
		for _, s := range v.Stages {
			stages = append(stages, s.Name)
		}
		rows = append(rows, p.row([]string{v.Name, fmt.Sprint(v.Version), v.ExecutionMode, managedBy(&v)}, strings.Join(stages, ", ")))
	}
	p.table(rows...)
}

// Pipelines prints one line per stage of every pipeline.
func (p Printer) Pipelines(views []workflows.PipelineView) {
	if len(views) == 0 {
		p.say("no pipelines yet; put a file into the service's pipelines folder, or send one: rollcall apply FILE")
		return
	}
	for i, v := range views {
		if i > 0 {
			fmt.Fprintln(p.W)
		}
		p.Pipeline(v)
	}
}

// Pipeline prints a pipeline as it stands.
func (p Printer) Pipeline(v workflows.PipelineView) {
	head, facts := "%s  version %d", []any{v.Name, v.Version}
	if v.ExecutionMode != workflows.ModeSuperseded && v.ExecutionMode != "" {
		head, facts = head+"  %s", append(facts, v.ExecutionMode)
	}
	if v.Archived {
		head += "  archived"
	}
	p.say(head, facts...)
	p.bridge(v.Bridge, true)
	if at := v.PollingDisabledAt; at != nil {
		p.say("since %s branches are no longer polled: nothing had started for 30 days", day(*at))
	}
	for _, f := range v.Freezes {
		if p.Now.Before(f.From) && scope.Touches(f.On, v.Name) {
			p.say("to come: frozen from %s until %s (%s)", day(f.From), lastDay(f.To), f.Name)
		}
	}
	// What a build ran last is live nowhere, where other stages have an environment.
	deploys := slices.ContainsFunc(v.Stages, func(s workflows.StageView) bool { return s.Environment != "" })
	rows := [][]string{p.row([]string{"STAGE", "LATEST", "STATUS", "LIVE", "LOCK"}, "ID OF THE LATEST", "ID OF WHAT RUNS")}
	for _, s := range v.Stages {
		latest, status, runs, latestID, runsID := "-", string(s.Status), "-", "-", "-"
		if e := s.LatestExecution; e != nil {
			latest, latestID = fmt.Sprintf("#%d", e.Number), e.Execution
		}
		if r := s.Running; r != nil && (s.Environment != "" || !deploys) {
			runs, runsID = fmt.Sprintf("#%d since %s", r.Number, p.ago(r.Since)), r.Execution
			if c := r.Caveat(); c != "" {
				runs += ", " + c
			}
		}
		rows = append(rows, p.row([]string{s.Name, latest, status, runs, p.lock(&v, &s)}, latestID, runsID))
	}
	p.table(rows...)
}

// lock says what keeps executions out of a stage, and who waits to enter.
func (p Printer) lock(v *workflows.PipelineView, s *workflows.StageView) string {
	var locks []string
	f, t := p.format(), &s.Transition
	for i := range v.Freezes {
		if z := &v.Freezes[i]; scope.Frozen(z, p.Now, v.Name, s.Name) {
			locks = append(locks, f.Frozen(z.Name, v.Freezes))
		}
	}
	if !t.Enabled {
		locks = append(locks, f.Lock(t))
	}
	l := cmp.Or(strings.Join(locks, "; "), "-")
	if t.Enabled {
		l += f.Only(t)
	}
	if line := p.line(v.ExecutionMode, s.Inbound); line != "" {
		l += " (" + line + ")"
	}
	return l
}

// Executions prints one line per execution.
func (p Printer) Executions(all []workflows.Execution) {
	if len(all) == 0 {
		p.say("no executions")
		return
	}
	p.bridge(p.View.Bridge, false)
	rows := [][]string{p.row([]string{"EXECUTION", "STATUS", "REVISION", "STARTED", "TOOK", "BY", "NOTE"}, "TRIGGER", "VERSION", "ID", "ID IN AWS")}
	for i := range all {
		e := &all[i]
		row := []string{e.Ref(), statusWords(e), revision(e), p.ago(e.StartedAt), p.took(&e.StartedAt, e.EndedAt), e.Trigger.By.Called(), p.remarks(e)}
		rows = append(rows, p.row(row, e.Trigger.Type, fmt.Sprint(e.Version), e.ID, cmp.Or(e.ExternalID, "-")))
	}
	p.table(rows...)
}

func statusWords(e *workflows.Execution) string {
	s := string(e.Status)
	if e.Type == workflows.TypeRollback && e.Rollback != nil {
		s += fmt.Sprintf(" (rollback to #%d)", e.Rollback.TargetNumber)
	}
	if e.Status == workflows.StatusFailed && e.StatusReason != nil && (e.StatusReason.Code == "NotApproved" || e.StatusReason.Code == "ApprovalExpired") {
		s = notApproved
	}
	return s
}

func revision(e *workflows.Execution) string {
	if len(e.SourceRevisions) == 0 {
		return "-"
	}
	r := e.SourceRevisions[0]
	return strings.TrimSpace(words.Revision(r.RevisionID) + " " + r.RevisionSummary)
}

// Execution prints one execution whole.
func (p Printer) Execution(e *workflows.Execution) {
	fmt.Fprintln(p.W, clean.Line(e.Ref())+say.In(e)+"  "+p.paint(statusWords(e), false))
	if p.Wide {
		p.say("id: %s", e.ID)
	}
	if p.Wide && e.ExternalID != "" {
		p.say("id in AWS: %s", e.ExternalID)
	}
	p.bridge(p.View.Bridge, false)
	if e.StatusReason != nil {
		p.say("reason: %s", e.StatusReason.Message)
	}
	p.say("%s, %s", p.format().Trigger(e), p.ago(e.StartedAt))
	for _, r := range e.SourceRevisions {
		p.say("%s: %s %s", r.ActionName, words.Revision(r.RevisionID), r.RevisionSummary)
	}
	if w := e.WaitsFor; w != nil {
		p.say("%s", p.waiting(w))
		if w.Warning != "" {
			p.say("%s", say.Warning(w.Warning))
		}
	}
	if e.Undelivered != "" {
		p.say("not shown in chat: %s", e.Undelivered)
	}
	rows := [][]string{{"STAGE", "ACTION", "STATUS", "TOOK", "DETAIL"}}
	for i := range e.Stages {
		rows = append(rows, p.stageRows(&e.Stages[i])...)
	}
	p.table(rows...)
	for i := range e.Stages {
		if st := &e.Stages[i]; st.Retries != nil {
			p.say("%s was %s", st.Name, retried(st.Retries))
		}
	}
	p.requests(e)
	for _, n := range e.Notes {
		p.say("%s: %s %s", strings.Replace(n.Name, "changes/", "changes in ", 1), n.Text, n.URL)
	}
	if len(e.Offers) > 0 {
		verbs := make([]string, 0, len(e.Offers))
		seen := map[string]bool{}
		for _, o := range e.Offers {
			if v := string(o.Verb); !seen[v] {
				seen[v] = true
				verbs = append(verbs, v)
			}
		}
		p.say("you can: %s", strings.Join(verbs, ", "))
	}
}

func (p Printer) detail(a *workflows.ActionExecution) string {
	switch {
	case a.Needs == workflows.NeedsResolve:
		text := string(say.ResultUnknown) + ": rollcall resolve … succeeded|failed|again"
		if a.Error != nil && a.Error.Message != "" {
			text += " (" + a.Error.Message + ")"
		}
		return text
	case a.Error != nil:
		return a.Error.Message
	case a.Approval != nil:
		return p.format().GateNow(a.Approval)
	}
	return a.Summary
}

// Targets prints what a stage could be rolled back to.
func (p Printer) Targets(pipeline string, all []ledger.Target) {
	if len(all) == 0 {
		p.say("nothing has succeeded there yet")
		return
	}
	rows := [][]string{p.row([]string{"EXECUTION", "ELIGIBLE", "RAN", "REVISION"}, "UNDOES", "BRINGS", "ID")}
	for _, t := range all {
		ok := "yes"
		switch {
		case !t.Eligible:
			ok = "no: " + t.Why
		case t.Now:
			ok = "runs now"
		case t.StageChanged:
			ok = "yes, the stage has changed since"
		}
		if c := t.Caveat(); c != "" {
			ok += ", " + c
		}
		ran := "-"
		if len(t.Ran) > 0 {
			ran = p.ago(t.Ran[0].From)
		}
		e := workflows.Execution{SourceRevisions: t.SourceRevisions}
		undoes, brings := "-", "-"
		if t.Compared {
			undoes, brings = words.Count(t.Undoes, "commit"), words.Count(t.Brings, "commit")
		}
		rows = append(rows, p.row([]string{fmt.Sprintf("%s#%d", pipeline, t.Number), ok, ran, revision(&e)}, undoes, brings, t.Execution))
	}
	p.table(rows...)
}

// took says how long something has taken, or takes since it began: "41 s", "3 min 5 s".
func (p Printer) took(from, to *time.Time) string {
	if from == nil {
		return "-"
	}
	until := p.Now
	if to != nil {
		until = *to
	}
	switch d := until.Sub(*from).Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// ago says how long since, in one unit.
func (p Printer) ago(t time.Time) string {
	d := p.Now.Sub(t)
	switch {
	case d < 0, d < 2*time.Second:
		return "just now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
