package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// waiting says what an inbound execution waits for, a warning included.
func (p Printer) waiting(w *workflows.Wait) string {
	what := "somebody is inside, or before it"
	switch w.For {
	case workflows.WaitsForTransition:
		what = "the door is closed"
	case workflows.WaitsForFreeze:
		what = "frozen: " + w.Freeze + p.until(w.Freeze)
	}
	long := ""
	if d, ok := strings.CutSuffix(p.ago(w.Since), " ago"); ok {
		long = " (" + d + ")"
	}
	return fmt.Sprintf("waits at the door of %s%s: %s", w.Stage, long, what)
}

// careful says that people rolled back from what is in it; nothing without a warning.
func careful(warning string) string {
	if warning == "" {
		return ""
	}
	return "careful: " + warning
}

// until says when a freeze ends, where that is known.
func (p Printer) until(freeze string) string {
	for _, f := range p.Freezes {
		if f.Name == freeze && f.To.After(p.Now) {
			return " until " + lastDay(f.To)
		}
	}
	return ""
}

// day is a moment as its own time zone writes it: midnight is a date.
func day(t time.Time) string {
	if t.Hour() == 0 && t.Minute() == 0 {
		return t.Format("2 Jan 2006")
	}
	return t.Format("2 Jan 2006 15:04 MST")
}

// lastDay is the end of a freeze as its configuration has it: when it is over
// at midnight, the day before is the last one.
func lastDay(to time.Time) string {
	if to.Hour() == 0 && to.Minute() == 0 {
		to = to.AddDate(0, 0, -1)
	}
	return day(to)
}

// ref is how people name an execution of which only the ID is at hand.
func (p Printer) ref(id string) string {
	if n := p.Numbers[id]; n > 0 {
		return fmt.Sprintf("#%d", n)
	}
	return "…" + id[max(0, len(id)-6):]
}

// line says who waits at a door: in QUEUED mode in the order in which they go in.
func (p Printer) line(mode workflows.Mode, inbound []string) string {
	refs := make([]string, len(inbound))
	for i, id := range inbound {
		refs[i] = p.ref(id)
	}
	switch {
	case len(refs) == 0:
		return ""
	case mode == workflows.ModeQueued && len(refs) > 1:
		return "in line: " + strings.Join(refs, ", then ")
	}
	return strings.Join(refs, ", ") + " waiting"
}

// overridden says who set a check aside, what was missing, and why.
func overridden(o *workflows.Overridden) string {
	s := "overridden by " + o.By.Name
	if o.Without != "" {
		s = "without " + o.Without + ", " + s
	}
	if o.Reason != "" {
		s += ": " + oneLine(o.Reason)
	}
	return s
}

// gate says how an approval stands.
func gate(a *workflows.Approval) string {
	names := []string{}
	for _, v := range a.Votes {
		if v.Answer == "approve" || a.Closed == "rejected" {
			names = append(names, v.By.Name)
		}
	}
	s := fmt.Sprintf("%d of %d", a.Approvals(), a.Required)
	if len(names) > 0 {
		s += " (" + strings.Join(names, ", ") + ")"
	}
	switch {
	case a.Override != nil && len(names) > 0:
		s = strings.Join(names, ", ") + " approved; " + overridden(a.Override)
	case a.Override != nil:
		s = overridden(a.Override)
	case a.Closed != "":
		s += ", " + a.Closed
	}
	return strings.TrimSuffix(s+"; "+careful(a.Warning), "; ")
}

// conditionRows are a condition and its rules, as rows of the table of actions.
func conditionRows(stage string, c *workflows.ConditionExecution) [][]string {
	words := ""
	switch {
	case c.Override != nil:
		words = overridden(c.Override)
	case c.Reason != nil:
		words = oneLine(c.Reason.Message)
	}
	if c.Status == workflows.StatusNotStarted {
		return nil // it will be evaluated again
	}
	rows := [][]string{{stage, c.Kind, string(c.Status), "-", words}}
	for i := range c.Rules {
		rows = append(rows, actionRow(stage, &c.Rules[i]))
	}
	return rows
}

func actionRow(stage string, a *workflows.ActionExecution) []string {
	attempt := "-"
	if a.Attempt > 0 {
		attempt = fmt.Sprint(a.Attempt)
	}
	return []string{stage, a.Name, string(a.Status), attempt, clip(detail(a), 160)}
}

// stageRows are a stage's actions between the conditions around it.
func stageRows(st *workflows.StageExecution) (rows [][]string) {
	if c := st.Condition(workflows.BeforeEntry); c != nil {
		rows = append(rows, conditionRows(st.Name, c)...)
	}
	for i := range st.Actions {
		rows = append(rows, actionRow(st.Name, &st.Actions[i]))
	}
	for _, kind := range []string{workflows.OnSuccess, workflows.AfterFailed} {
		if c := st.Condition(kind); c != nil {
			rows = append(rows, conditionRows(st.Name, c)...)
		}
	}
	return rows
}

// retried says how often a stage was taken up again, and by whom.
func retried(r *workflows.Retries) string {
	times := []string{}
	for _, n := range []struct {
		n   int
		who string
	}{{r.Manual, "by people"}, {r.Automatic, "by itself"}} {
		switch {
		case n.n == 1:
			times = append(times, "once "+n.who)
		case n.n > 1:
			times = append(times, fmt.Sprintf("%d times %s", n.n, n.who))
		}
	}
	return "retried " + strings.Join(times, " and ")
}

// remarks are what somebody who lists executions should know of one beyond its
// status: what it waits for, what was set aside, what was retried.
func (p Printer) remarks(e *workflows.Execution) string {
	var all []string
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if w := e.WaitsFor; w != nil {
		switch w.For {
		case workflows.WaitsForFreeze:
			add("frozen out of " + w.Stage + ": " + w.Freeze + p.until(w.Freeze))
		default:
			add("waits for " + w.Stage)
		}
		add(careful(w.Warning))
	}
	for i := range e.Stages {
		st := &e.Stages[i]
		for j := range st.Actions {
			a := st.Actions[j].Approval
			switch {
			case a == nil:
			case a.Override != nil:
				add(st.Name + " without " + a.Override.Without)
			case st.Actions[j].Needs == workflows.NeedsApproval:
				add(fmt.Sprintf("%s waits for approval, %d of %d", st.Name, a.Approvals(), a.Required))
				add(careful(a.Warning))
			}
		}
		for _, c := range st.Conditions {
			if c.Override != nil {
				add(st.Name + " without its " + map[string]string{workflows.BeforeEntry: "entry", workflows.OnSuccess: "success", workflows.AfterFailed: "failure"}[c.Kind] + " condition")
			}
		}
		if st.Retries != nil {
			add(st.Name + " " + retried(st.Retries))
		}
	}
	return strings.Join(all, "; ")
}

// happened says what an event of the live feed is about, beyond its kind and place.
func (p Printer) happened(e *FeedEvent) string {
	switch {
	case e.Refused != nil:
		return e.Refused.Problem.Message
	case e.Override != nil:
		return overridden(e.Override)
	case e.Defined != nil:
		return defined(e.Defined)
	case e.Wait != nil:
		return strings.TrimSuffix(p.waiting(e.Wait)+"; "+careful(e.Wait.Warning), "; ")
	case e.Schedule != nil:
		s := e.Schedule.Cron + " " + e.Schedule.Timezone + ", " + day(e.Schedule.Nominal)
		if e.Schedule.Missed {
			s += ", missed"
		}
		if e.Reason != nil {
			s += ": " + e.Reason.Message
		}
		return s
	case e.Reason != nil && e.Text != "":
		return e.Text + ": " + e.Reason.Message
	case e.Reason != nil:
		return e.Reason.Message
	case e.Freezes != nil:
		names := make([]string, len(e.Freezes))
		for i, f := range e.Freezes {
			names[i] = f.Name + p.until(f.Name)
		}
		return strings.Join(names, ", ")
	case e.Kind == event.PollingDisabled:
		return "branches are no longer looked at: nothing had started for 30 days"
	}
	return e.Text
}

func defined(d *event.Defined) string {
	s := fmt.Sprintf("version %d", d.Version)
	for _, w := range d.Weakened {
		s += "; " + WeakenedWords(w)
	}
	return s
}

// WeakenedWords says which gate asks for less than before.
func WeakenedWords(w workflows.Weakened) string {
	return fmt.Sprintf("the gate %s/%s asks for less: %s -> %s", w.Stage, w.Action, w.Old, w.New)
}
