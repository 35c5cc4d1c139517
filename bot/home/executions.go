package home

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Executions lists a pipeline's executions, newest first.
func Executions(pipeline string, all []card.View, url string) card.Message {
	head := "Executions of " + pipeline
	l := layout.Message()
	l.Header(head)
	if len(all) == 0 {
		l.Lines("There are none yet.")
	}
	for i := range all {
		v := all[i]
		v.URL = url
		e := &v.Execution
		state, word := v.State()
		ref := v.Page(fmt.Sprintf("#%d", e.Number))
		l.Lines(layout.Join(card.Sign(state)+" *"+ref+"* "+layout.Text(word, 80), layout.Moment(e.StartedAt), layout.Text(brings(e.SourceRevisions), 80), "by "+card.Person(e.Trigger.By)))
		for _, text := range v.Overrides() {
			l.Lines("        " + text)
		}
	}
	return card.Message{Text: layout.Text(head, 150), Blocks: l.Done(console(url))}
}

// brings is the first of an execution's revisions in a few words.
func brings(revisions []workflows.SourceRevision) string {
	if len(revisions) == 0 {
		return "no source"
	}
	return strings.TrimSpace(words.Revision(revisions[0].RevisionID) + " " + revisions[0].RevisionSummary)
}
