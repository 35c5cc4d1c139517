package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// format is how the command line writes what stands in a sentence.
func (p Printer) format() *say.Format { return &say.Format{Time: p.clock, End: lastDay, Ref: p.ref} }

// clock is a moment as somebody at the terminal reads it: of today the time alone.
func (p Printer) clock(t time.Time) string {
	t = t.In(p.Now.Location())
	if t.Format(time.DateOnly) == p.Now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	if t.Year() == p.Now.Year() {
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

// waiting says what an inbound execution waits for, and for how long it has.
func (p Printer) waiting(w *workflows.Wait) string {
	text := p.wait(w)
	if d, ok := strings.CutSuffix(p.ago(w.Since), " ago"); ok {
		text += ", for " + d
	}
	return text
}

// wait is what an inbound execution waits for; of a freeze also until when.
func (p Printer) wait(w *workflows.Wait) string {
	f := p.format()
	if w.For == workflows.WaitsForFreeze {
		return "blocked: " + w.Stage + " is " + f.Frozen(w.Freeze, p.Freezes)
	}
	return f.Wait(w)
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

// line says who waits before a stage: in QUEUED mode in the order in which they go in.
func (p Printer) line(mode string, inbound []string) string {
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

// conditionRows are a condition and its rules, as rows of the table of actions.
func (p Printer) conditionRows(stage string, c *workflows.ConditionExecution) [][]string {
	words := ""
	switch {
	case c.Override != nil:
		words = p.format().Override(c.Override)
	case c.Reason != nil:
		words = c.Reason.Message
	}
	if c.Status == workflows.StatusNotStarted {
		return nil // it will be evaluated again
	}
	rows := [][]string{{stage, c.Kind, string(c.Status), "-", words}}
	for i := range c.Rules {
		rows = append(rows, p.actionRow(stage, &c.Rules[i]))
	}
	return rows
}

func (p Printer) actionRow(stage string, a *workflows.ActionExecution) []string {
	status, took := string(a.Status), p.took(a.StartedAt, a.EndedAt)
	if a.Attempt > 1 {
		status += fmt.Sprintf(" (attempt %d)", a.Attempt)
	}
	if a.Approval != nil && took != "-" {
		took = "waited " + took
	}
	return []string{stage, a.Name, status, took, p.detail(a)}
}

// stageRows are a stage's actions between the conditions around it.
func (p Printer) stageRows(st *workflows.StageExecution) (rows [][]string) {
	if c := st.Condition(workflows.BeforeEntry); c != nil {
		rows = append(rows, p.conditionRows(st.Name, c)...)
	}
	for i := range st.Actions {
		rows = append(rows, p.actionRow(st.Name, &st.Actions[i]))
	}
	for _, kind := range []string{workflows.OnSuccess, workflows.AfterFailed} {
		if c := st.Condition(kind); c != nil {
			rows = append(rows, p.conditionRows(st.Name, c)...)
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
		add(p.wait(w))
		add(say.Warning(w.Warning))
	}
	for _, c := range e.Caveats(&p.View) {
		add(c)
	}
	for i := range e.Stages {
		st := &e.Stages[i]
		for j := range st.Actions {
			a := st.Actions[j].Approval
			switch {
			case a == nil || a.Override != nil:
			case st.Actions[j].Needs == workflows.NeedsApproval:
				add("waiting for approval in " + st.Name + ", " + p.format().Quorum(a))
				add(say.Warning(a.Warning))
			}
		}
		if st.Retries != nil {
			add(st.Name + " " + retried(st.Retries))
		}
	}
	return strings.Join(all, "; ")
}
