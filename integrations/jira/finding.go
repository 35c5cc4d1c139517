package jira

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// maxStatement is how long a policy statement may be that a ticket shows.
const maxStatement = 4000

// addFinding writes all that is known of a failure beyond its error; brief leaves
// out what was said elsewhere.
func addFinding(d *markup.Doc, f *workflows.Finding, brief bool) {
	if f == nil {
		return
	}
	text := func(s string) markup.Span { return markup.Text(words.Cut(clean.Line(s), 500)) }
	d.Fact("Finding", text(f.Title))
	if f.Cause != "" {
		d.Fact("Likely cause", text(f.Cause))
	}
	for i, step := range f.Fix {
		d.Fact(fmt.Sprintf("What to do, %d", i+1), text(step))
	}
	if helps := say.RetryHelps(f); helps != "" {
		d.Fact("Retry", markup.Text(helps))
	}
	if brief {
		return
	}
	for _, e := range f.Evidence {
		d.Fact("Evidence", text(e.From), markup.Text(": "), text(e.Text))
	}
	for _, l := range f.Links {
		if markup.IsLink(l.URL) {
			d.Fact("See", markup.Link(words.Cut(clean.Line(l.Title), 500), l.URL))
		}
	}
	var statement bytes.Buffer
	if json.Indent(&statement, f.Statement, "", "  ") == nil && statement.Len() > 0 && statement.Len() <= maxStatement {
		d.Line(markup.Bold("The statement that is missing:"))
		d.Code(clean.Text(statement.String()))
	}
}
