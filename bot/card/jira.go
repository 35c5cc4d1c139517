package card

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
)

// inJira says where the gate is answered in Jira, or why it cannot be.
func (a *Asking) inJira() string {
	j := a.Approval.Jira
	i := slices.IndexFunc(a.Execution.Notes, func(n workflows.Note) bool { return n.Name == j.Note(a.Stage, a.Action) })
	if j == nil || i < 0 {
		return ""
	}
	n := &a.Execution.Notes[i]
	text := "🎫 Jira: " + layout.Link(n.URL, layout.Text(n.Text, 500))
	switch {
	case n.State != "done" || a.Approval.Closed != "":
		return text
	case j.Change:
		return text + "; what is decided about it there is one answer"
	}
	return text + ", moved to *" + strings.ReplaceAll(layout.Text(j.Status, 100), "*", "∗") + "* or *" + strings.ReplaceAll(layout.Text(j.RejectedStatus, 100), "*", "∗") + "* by an approver"
}
