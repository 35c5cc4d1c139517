package client

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Printer writes tables for people.
type Printer struct {
	W       io.Writer
	Now     time.Time          // the moment that "ago" counts from
	Freezes []workflows.Freeze // which say until when; may be empty
	Numbers map[string]int     // of executions that are otherwise known by ID only; may be empty
}

func (p Printer) table(rows ...[]string) {
	var out bytes.Buffer
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t")) // empty cells too, or the columns would not be in line
	}
	_ = tw.Flush()
	for line := range strings.Lines(out.String()) {
		fmt.Fprintln(p.W, strings.TrimRight(line, " \n"))
	}
}

// Pipelines prints one line per stage of every pipeline.
func (p Printer) Pipelines(views []workflows.PipelineView) {
	if len(views) == 0 {
		fmt.Fprintln(p.W, "no pipelines yet; put a file into the service's pipelines folder, or send one: rollcall apply FILE")
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
	fmt.Fprintf(p.W, "%s  version %d", v.Name, v.Version)
	if v.ExecutionMode != workflows.ModeSuperseded && v.ExecutionMode != "" {
		fmt.Fprintf(p.W, "  %s", v.ExecutionMode)
	}
	if v.Archived {
		fmt.Fprint(p.W, "  archived")
	}
	fmt.Fprintln(p.W)
	if at := v.PollingDisabledAt; at != nil {
		fmt.Fprintf(p.W, "since %s branches are no longer looked at: nothing had started for 30 days\n", day(*at))
	}
	for _, f := range v.Freezes {
		if p.Now.Before(f.From) && f.On.Touches(v.Name) {
			fmt.Fprintf(p.W, "to come: frozen from %s until %s (%s)\n", day(f.From), lastDay(f.To), f.Name)
		}
	}
	rows := [][]string{{"STAGE", "LATEST", "STATUS", "RUNS", "DOOR"}}
	for _, s := range v.Stages {
		latest, status, runs := "-", string(s.Status), "-"
		if s.LatestExecution != nil {
			latest = fmt.Sprintf("#%d", s.LatestExecution.Number)
		}
		if r := s.Running; r != nil {
			runs = fmt.Sprintf("#%d since %s", r.Number, p.ago(r.Since))
			if !r.Certain {
				runs += ", uncertain"
			}
		}
		rows = append(rows, []string{s.Name, latest, status, runs, p.door(&v, &s)})
	}
	p.table(rows...)
}

// door says whether an execution may enter a stage, and who waits to.
func (p Printer) door(v *workflows.PipelineView, s *workflows.StageView) string {
	var shut []string
	for i := range v.Freezes {
		if f := &v.Freezes[i]; f.At(p.Now, v.Name, s.Name) {
			shut = append(shut, "frozen: "+f.Name+" until "+lastDay(f.To))
		}
	}
	t := s.Transition
	if !t.Enabled {
		d := "disabled"
		if t.Cause == "rollback" {
			d = "held after a rollback"
		}
		if t.Reason != "" {
			d += ": " + t.Reason
		}
		if t.By != nil && t.Cause == "person" {
			d += ", by " + t.By.Name
		}
		shut = append(shut, d)
	}
	d := "open"
	if len(shut) > 0 {
		d = strings.Join(shut, "; ")
	}
	if t.Only != "" && (!t.Enabled || t.PastFreeze) {
		d += "; only " + p.ref(t.Only) + " may enter"
	}
	if line := p.line(v.ExecutionMode, s.Inbound); line != "" {
		d += " (" + line + ")"
	}
	return d
}

// Executions prints one line per execution.
func (p Printer) Executions(all []workflows.Execution) {
	if len(all) == 0 {
		fmt.Fprintln(p.W, "no executions")
		return
	}
	rows := [][]string{{"EXECUTION", "STATUS", "REVISION", "STARTED", "BY", "NOTE"}}
	for i := range all {
		e := &all[i]
		rows = append(rows, []string{e.Ref(), statusWords(e), revision(e), p.ago(e.StartedAt), e.Trigger.By.Name, p.remarks(e)})
	}
	p.table(rows...)
}

func statusWords(e *workflows.Execution) string {
	s := string(e.Status)
	if e.Type == workflows.TypeRollback && e.Rollback != nil {
		s += fmt.Sprintf(" (rollback to #%d)", e.Rollback.TargetNumber)
	}
	if e.Status == workflows.StatusFailed && e.StatusReason != nil && e.StatusReason.Code == "NotApproved" {
		s = "Not approved"
	}
	return s
}

func revision(e *workflows.Execution) string {
	if len(e.SourceRevisions) == 0 {
		return "-"
	}
	r := e.SourceRevisions[0]
	return strings.TrimSpace(short(r.RevisionID) + " " + clip(r.RevisionSummary, 40))
}

func short(id string) string {
	if len(id) == 40 {
		return id[:7]
	}
	return id
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// Execution prints one execution whole.
func (p Printer) Execution(e *workflows.Execution) {
	fmt.Fprintf(p.W, "%s  %s  %s\n", e.Ref(), statusWords(e), e.ID)
	if e.StatusReason != nil {
		fmt.Fprintf(p.W, "why: %s\n", e.StatusReason.Message)
	}
	fmt.Fprintf(p.W, "started %s by %s (%s)\n", p.ago(e.StartedAt), e.Trigger.By.Name, e.Trigger.Type)
	for _, r := range e.SourceRevisions {
		fmt.Fprintf(p.W, "%s: %s %s\n", r.ActionName, short(r.RevisionID), r.RevisionSummary)
	}
	if w := e.WaitsFor; w != nil {
		fmt.Fprintln(p.W, p.waiting(w))
		if w.Warning != "" {
			fmt.Fprintf(p.W, "careful: %s\n", w.Warning)
		}
	}
	rows := [][]string{{"STAGE", "ACTION", "STATUS", "ATTEMPT", "DETAIL"}}
	for i := range e.Stages {
		rows = append(rows, stageRows(&e.Stages[i])...)
	}
	p.table(rows...)
	for i := range e.Stages {
		if st := &e.Stages[i]; st.Retries != nil {
			fmt.Fprintf(p.W, "%s was %s\n", st.Name, retried(st.Retries))
		}
	}
	for _, n := range e.Notes {
		fmt.Fprintf(p.W, "%s: %s %s\n", n.Name, n.Text, n.URL)
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
		fmt.Fprintf(p.W, "you can: %s\n", strings.Join(verbs, ", "))
	}
}

func detail(a *workflows.ActionExecution) string {
	switch {
	case a.Needs == workflows.NeedsResolve:
		return "in doubt: rollcall resolve … succeeded|failed|again"
	case a.Error != nil:
		return oneLine(a.Error.Message)
	case a.Approval != nil:
		return gate(a.Approval)
	}
	return oneLine(a.Summary)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Targets prints what a stage could be rolled back to.
func (p Printer) Targets(pipeline string, all []workflows.Target) {
	if len(all) == 0 {
		fmt.Fprintln(p.W, "nothing has succeeded there yet")
		return
	}
	rows := [][]string{{"EXECUTION", "ELIGIBLE", "RAN", "REVISION"}}
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
		ran := "-"
		if len(t.Ran) > 0 {
			ran = p.ago(t.Ran[0].From)
		}
		e := workflows.Execution{SourceRevisions: t.SourceRevisions}
		rows = append(rows, []string{fmt.Sprintf("%s#%d", pipeline, t.Number), ok, ran, revision(&e)})
	}
	p.table(rows...)
}

// Event prints one line of the live feed.
func (p Printer) Event(e FeedEvent) {
	where := strings.Trim(e.Stage+"/"+e.Action, "/")
	text := p.happened(&e)
	id := e.Execution
	if len(id) > 6 {
		id = "…" + id[len(id)-6:]
	}
	fmt.Fprintf(p.W, "%s  %s %s  %s\n", e.At.In(p.Now.Location()).Format("15:04:05"), e.Pipeline, id, strings.Join(strings.Fields(string(e.Kind)+" "+where+" "+text), " "))
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
