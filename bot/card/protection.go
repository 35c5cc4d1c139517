package card

import (
	"github.com/rollcall-bot/rollcall/workflows"

	"github.com/rollcall-bot/rollcall/bot/layout"
)

// runOnGitHub leads to the run of GitHub Actions whose deployment waits, or waited, for
// an approval; empty for all other executions.
func runOnGitHub(e *workflows.Execution) string {
	if page := e.Variables["runUrl"]; e.Trigger.Type == workflows.TriggerProtected && page != "" {
		return layout.Link(page, "run "+e.Variables["run"]+" on GitHub")
	}
	return ""
}
