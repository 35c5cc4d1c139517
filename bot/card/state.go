package card

import (
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// icon stands before a state's word, never without it.
func icon(s say.State) string {
	known := map[say.State]string{
		say.Running: "🔄", say.Starting: "🔄", say.Checking: "🔎", say.Waiting: "⏸️", say.Blocked: "⏸️", say.WaitingForApproval: "✋", say.ResultUnknown: "❓",
		say.Cancelling: "🛑", say.Stopping: "🛑", say.Stopped: "⏹️", say.Succeeded: "✅", say.Failed: "❌", say.NotApproved: "🚫", say.Superseded: "⏭️", say.Cancelled: "✖️",
		say.Abandoned: "⚠️", say.Skipped: "↪️", say.NotChecked: "⚠️", say.Overridden: "🔓", say.Approved: "✅", say.Rejected: "🚫", say.Expired: "⌛", say.Withdrawn: "↩️", say.RolledBack: "↩️",
	}
	if i, ok := known[s]; ok {
		return i
	}
	return "▫️"
}

// format is how a card writes what stands in a sentence: people are mentioned,
// times are the reader's own, what comes from outside is escaped.
func (v *View) format() *say.Format {
	return &say.Format{Person: name, Time: layout.Moment, Text: func(s string) string { return layout.Text(s, 300) }, Ref: v.number}
}

// plainly is format without executions, for what has no view.
func plainly() *say.Format { return (&View{}).format() }

// Headline is an execution in one line of at most 60 characters, with its
// icon: "✋ webshop #43 · waiting for approval in Production".
func (v *View) Headline() string {
	state, text := v.headline()
	who := layout.Line(v.Execution.Pipeline, 20) + " #" + strconv.Itoa(v.Execution.Number) + say.In(&v.Execution)
	return layout.Line(icon(state)+" "+who+" · "+text, 60)
}

func (v *View) headline() (say.State, string) {
	if v.rolledBack() {
		return say.RolledBack, string(say.RolledBack)
	}
	return (&say.Format{Text: func(s string) string { return layout.Line(s, 24) }}).Execution(&v.Execution)
}

// rolledBack says whether what succeeded was rolled back from and does not run
// again where that was.
func (v *View) rolledBack() bool {
	by := v.LeftBy
	if by == nil || by.Status != workflows.StatusSucceeded || v.Execution.Status != workflows.StatusSucceeded || len(by.Stages) == 0 {
		return false
	}
	id, _ := v.Running(by.Stages[0].Name)
	return id != v.Execution.ID
}

// span is how long a stage took, from its first action to its end; false while it runs.
func span(s *workflows.StageExecution) (time.Duration, bool) {
	var from, to time.Time
	for _, a := range s.Actions {
		if a.StartedAt != nil && (from.IsZero() || a.StartedAt.Before(from)) {
			from = *a.StartedAt
		}
		if a.EndedAt != nil && a.EndedAt.After(to) {
			to = *a.EndedAt
		}
	}
	switch s.Status {
	case workflows.StatusSucceeded, workflows.StatusFailed, workflows.StatusStopped:
		return to.Sub(from), !from.IsZero() && !to.Before(from)
	}
	return 0, false
}
