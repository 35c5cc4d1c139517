package card

import (
	"strconv"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// finding is what is known of an action's failure beyond its error: in short, what
// happened, the first thing to do, and where to look.
func finding(a *workflows.ActionExecution) []string {
	f := findingOf(a)
	if f == nil {
		return nil
	}
	fix, see := "", ""
	if len(f.Fix) > 0 {
		fix = esc(f.Fix[0], 300)
	}
	if len(f.Links) > 0 {
		see = link(f.Links[0].URL, esc(f.Links[0].Title, 100))
	}
	return []string{"🔎 " + join(esc(f.Title, 300), fix, see)}
}

// findings is all of it but for the evidence and the policy statement.
func findings(a *workflows.ActionExecution) []string {
	f := findingOf(a)
	if f == nil {
		return nil
	}
	lines := []string{"🔎 " + join(esc(f.Title, 300), esc(f.Cause, 300), say.RetryHelps(f))}
	for i, fix := range f.Fix {
		lines = append(lines, strconv.Itoa(i+1)+". "+esc(fix, 300))
	}
	for _, l := range f.Links {
		lines = append(lines, link(l.URL, esc(l.Title, 100)))
	}
	return lines
}

func findingOf(a *workflows.ActionExecution) *workflows.Finding {
	if a.Error == nil || a.Status == workflows.StatusSucceeded {
		return nil
	}
	return a.Error.Finding
}
