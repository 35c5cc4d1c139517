package feedback

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// maxSummary is GitHub's limit for a check run's summary, in characters.
const maxSummary = 65_535

// checkView is a check run as people read it.
type checkView struct{ status, conclusion, title, summary string }

// digest tells two views apart.
func (v *checkView) digest() string {
	sum := sha256.Sum256([]byte(v.status + "\n" + v.conclusion + "\n" + v.title + "\n" + v.summary))
	return hex.EncodeToString(sum[:8])
}

// viewCheck renders an execution. Check runs of public repositories are public:
// what an action wrote, and a finding beyond its title, is left out.
func viewCheck(e *workflows.Execution) checkView {
	f := &say.Format{Text: markdown}
	v := checkView{status: stateInProgress}
	_, v.title = describe(e)
	switch e.Status {
	case workflows.StatusSucceeded:
		v.conclusion = "success"
	case workflows.StatusFailed:
		v.conclusion = "failure"
	case workflows.StatusSuperseded, workflows.StatusStopped, workflows.StatusCancelled:
		v.conclusion = "cancelled"
	}
	if v.conclusion != "" {
		v.status = "completed"
	}
	rows := []string{"| Stage | Status | Took | Approval |", "|---|---|---|---|"}
	var findings []string
	for i := range e.Stages {
		s := &e.Stages[i]
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", markdown(s.Name), say.Stage(e, s), took(s), approvals(f, s)))
		findings = append(findings, findingsOf(s)...)
	}
	text := strings.Join(rows, "\n")
	if len(findings) > 0 {
		text += "\n\n**What went wrong**\n" + strings.Join(findings, "\n")
	}
	v.summary = words.Cut(text, maxSummary)
	return v
}

// approvals say of each gate of a stage what was decided, or is asked.
func approvals(f *say.Format, s *workflows.StageExecution) string {
	var all []string
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil {
			all = append(all, f.GateNow(g))
		}
	}
	return strings.Join(all, "<br>")
}

// took is how long a stage's actions took, from the first's start to the last's
// end, without the time that an approval waited; empty: it goes on, or nothing ran.
func took(s *workflows.StageExecution) string {
	var first, last time.Time
	for i := range s.Actions {
		a := &s.Actions[i]
		if a.Waits() || a.StartedAt == nil {
			continue
		}
		if a.EndedAt == nil {
			return ""
		}
		if first.IsZero() || a.StartedAt.Before(first) {
			first = *a.StartedAt
		}
		if a.EndedAt.After(last) {
			last = *a.EndedAt
		}
	}
	if first.IsZero() {
		return ""
	}
	return words.Span(last.Sub(first).Round(time.Second))
}

// findingsOf are the titles of what is known of a stage's failures.
func findingsOf(s *workflows.StageExecution) (lines []string) {
	for _, a := range s.AllActions() {
		if a.Error != nil && a.Error.Finding != nil && a.Status != workflows.StatusSucceeded {
			lines = append(lines, fmt.Sprintf("- %s in %s: %s", markdown(say.ActionName(a.Name)), markdown(s.Name), markdown(a.Error.Finding.Title)))
		}
	}
	return lines
}

// markdown writes what comes from outside so that it means nothing to GitHub: no
// markup, no mention, no link to an issue.
func markdown(text string) string {
	var b strings.Builder
	for _, r := range clean.Line(text) {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~&@:", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
