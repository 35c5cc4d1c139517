package card_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// A gate leads to its issue in Jira while it is open and afterwards, and says how
// it is answered there, or why it cannot be.
func TestAGateLeadsToItsIssue(t *testing.T) {
	const link = `<https://acme.example/browse/OPS-12|OPS-12>`
	for name, c := range map[string]struct {
		jira   *workflows.JiraApproval
		note   workflows.Note
		closed string
		want   string
		not    string
	}{
		"open":          {&workflows.JiraApproval{Status: "Approved", RejectedStatus: "Declined"}, workflows.Note{State: "done", Text: "OPS-12", URL: "https://acme.example/browse/OPS-12"}, "", "Jira: " + link + ", moved to *Approved* or *Declined* by an approver", "is one answer"},
		"a change":      {&workflows.JiraApproval{Change: true}, workflows.Note{State: "done", Text: "OPS-12", URL: "https://acme.example/browse/OPS-12"}, "", "Jira: " + link + "; what is decided about it there is one answer", "moved to"},
		"Jira is away":  {&workflows.JiraApproval{}, workflows.Note{State: "waiting", Text: "Jira is away, trying again"}, "", "Jira: Jira is away, trying again", "moved to"},
		"decided":       {&workflows.JiraApproval{Status: "Approved"}, workflows.Note{State: "done", Text: "OPS-12", URL: "https://acme.example/browse/OPS-12"}, "rejected", "Jira: " + link, "moved to"},
		"no more asked": {nil, workflows.Note{State: "done", Text: "OPS-12"}, "", "is waiting for approval", "OPS-12"},
	} {
		a := asking(waiting(), signOff())
		a.Approval.Jira, a.Approval.Closed = c.jira, c.closed
		c.note.Name = c.jira.Note(a.Stage, a.Action)
		a.Execution.Notes = []workflows.Note{c.note}
		raw, err := json.Marshal(card.Gate(a).Blocks)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(raw))
		if !strings.Contains(text, c.want) || strings.Contains(text, c.not) {
			t.Errorf("%s: want %q and not %q in %s", name, c.want, c.not, text)
		}
	}
}
