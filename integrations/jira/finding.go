package jira

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// maxStatement is how long a policy statement may be that a ticket shows.
const maxStatement = 4000

// addFinding writes all that is known of a failure beyond its error.
func addFinding(b *strings.Builder, line func(name, text string), f *workflows.Finding) {
	if f == nil {
		return
	}
	text := func(s string) string { return words.Cut(wiki(clean.Line(s)), 500) }
	line("Finding", text(f.Title))
	if f.Cause != "" {
		line("Cause", text(f.Cause))
	}
	for i, step := range f.Fix {
		line(fmt.Sprintf("What to do, %d", i+1), text(step))
	}
	if helps := say.RetryHelps(f); helps != "" {
		line("Retry", helps)
	}
	for _, e := range f.Evidence {
		line("Evidence", text(e.From)+": "+text(e.Text))
	}
	for _, l := range f.Links {
		if safeLink(l.URL) {
			line("See", fmt.Sprintf("[%s|%s]", text(l.Title), l.URL))
		}
	}
	var statement bytes.Buffer
	if json.Indent(&statement, f.Statement, "", "  ") == nil && statement.Len() <= maxStatement {
		b.WriteString("*The statement that is missing:*\n{noformat}\n" + strings.ReplaceAll(clean.Text(statement.String()), "{noformat}", "{ noformat}") + "\n{noformat}\n")
	}
}
