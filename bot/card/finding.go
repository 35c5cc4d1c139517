package card

import (
	"strconv"

	"github.com/rollcall-bot/rollcall/bot/layout"
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
		fix = layout.Text(f.Fix[0], 300)
	}
	if len(f.Links) > 0 {
		see = layout.Link(f.Links[0].URL, layout.Text(f.Links[0].Title, 100))
	}
	return []string{"🔎 " + layout.Join(layout.Text(f.Title, 300), fix, see)}
}

// findings is all of it but for the evidence and the policy statement.
func findings(a *workflows.ActionExecution) []string {
	f := findingOf(a)
	if f == nil {
		return nil
	}
	lines := []string{"🔎 " + layout.Join(layout.Text(f.Title, 300), layout.Text(f.Cause, 300), say.RetryHelps(f))}
	for i, fix := range f.Fix {
		lines = append(lines, strconv.Itoa(i+1)+". "+layout.Text(fix, 300))
	}
	for _, l := range f.Links {
		lines = append(lines, layout.Link(l.URL, layout.Text(l.Title, 100)))
	}
	return lines
}

func findingOf(a *workflows.ActionExecution) *workflows.Finding {
	if a.Error == nil || a.Status == workflows.StatusSucceeded {
		return nil
	}
	return a.Error.Finding
}
