package card

import (
	"strconv"

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

// sign stands before a state's word in a line; pictures are for headlines.
func sign(s say.State) string {
	switch s {
	case say.Succeeded, say.Approved:
		return "✓"
	case say.Failed, say.Rejected, say.NotApproved, say.Expired, say.Abandoned, say.NotChecked:
		return "✗"
	case say.Running, say.Starting, say.Checking, say.Waiting, say.Blocked, say.WaitingForApproval, say.ResultUnknown, say.Cancelling, say.Stopping:
		return "●"
	case say.ToCome:
		return "○"
	}
	return "·"
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
	if where := v.landed(); where != "" {
		return say.Succeeded, where
	}
	return (&say.Format{Text: func(s string) string { return layout.Line(s, 24) }}).Execution(&v.Execution)
}

// landed says where a release is that has succeeded, or was before something else went
// there: "in Production"; empty where no environment is known.
func (v *View) landed() string {
	e := &v.Execution
	if e.Status != workflows.StatusSucceeded || e.Rollback != nil {
		return ""
	}
	for i := len(e.Stages) - 1; i >= 0; i-- {
		p, ok := v.Pipeline.Stage(e.Stages[i].Name)
		if !ok || p.Environment == "" || p.Running == nil || e.Stages[i].Status != workflows.StatusSucceeded {
			continue
		}
		in := "in " + layout.Line(p.Name, 24)
		switch {
		case p.Running.Execution != e.ID:
			return "was " + in
		case p.Running.Certain:
			return in
		}
		return ""
	}
	return ""
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
