package client

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Printer writes tables for people. Now is the moment that "ago" counts from.
type Printer struct {
	W   io.Writer
	Now time.Time
}

func (p Printer) table(rows ...[]string) {
	tw := tabwriter.NewWriter(p.W, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(r, "\t"), "\t"))
	}
	_ = tw.Flush()
}

// Pipelines prints one line per stage of every pipeline.
func (p Printer) Pipelines(views []workflows.PipelineView) {
	if len(views) == 0 {
		fmt.Fprintln(p.W, "no pipelines yet; put a file into the service's pipelines folder")
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
	fmt.Fprintf(p.W, "%s  version %d\n", v.Name, v.Version)
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
		rows = append(rows, []string{s.Name, latest, status, runs, door(s)})
	}
	p.table(rows...)
}

func door(s workflows.StageView) string {
	d := "open"
	if t := s.Transition; !t.Enabled {
		d = "disabled"
		if t.Cause == "rollback" {
			d = "held after a rollback"
		}
		if t.Reason != "" {
			d += ": " + t.Reason
		}
	}
	if n := len(s.Inbound); n > 0 {
		d += fmt.Sprintf(" (%d waiting)", n)
	}
	return d
}

// Executions prints one line per execution.
func (p Printer) Executions(all []workflows.Execution) {
	if len(all) == 0 {
		fmt.Fprintln(p.W, "no executions")
		return
	}
	rows := [][]string{{"EXECUTION", "STATUS", "REVISION", "STARTED", "BY"}}
	for i := range all {
		e := &all[i]
		rows = append(rows, []string{e.Ref(), statusWords(e), revision(e), p.ago(e.StartedAt), e.Trigger.By.Name})
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
		what := "the stage is taken"
		if w.For == "transition" {
			what = "the door is closed"
		}
		fmt.Fprintf(p.W, "waits at the door of %s: %s\n", w.Stage, what)
	}
	rows := [][]string{{"STAGE", "ACTION", "STATUS", "ATTEMPT", "DETAIL"}}
	for _, s := range e.Stages {
		for _, a := range s.Actions {
			attempt := "-"
			if a.Attempt > 0 {
				attempt = fmt.Sprint(a.Attempt)
			}
			rows = append(rows, []string{s.Name, a.Name, string(a.Status), attempt, clip(detail(&a), 100)})
		}
	}
	p.table(rows...)
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
		names := []string{}
		for _, v := range a.Approval.Votes {
			names = append(names, v.By.Name)
		}
		s := fmt.Sprintf("%d of %d", a.Approval.Approvals(), a.Approval.Required)
		if len(names) > 0 {
			s += " (" + strings.Join(names, ", ") + ")"
		}
		if a.Approval.Closed != "" {
			s += ", " + a.Approval.Closed
		}
		return s
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
	text := e.Text
	if e.Reason != nil {
		text = e.Reason.Message
	}
	if e.Refused != nil {
		text = e.Refused.Problem.Message
	}
	id := e.Execution
	if len(id) > 6 {
		id = "…" + id[len(id)-6:]
	}
	fmt.Fprintf(p.W, "%s  %s %s  %s\n", e.At.Local().Format("15:04:05"), e.Pipeline, id, strings.Join(strings.Fields(string(e.Kind)+" "+where+" "+text), " "))
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
