package home

import (
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// HelpLine teaches one sub-command.
type HelpLine struct {
	Name, Usage, Does string
	Possible          bool // the reader has the right somewhere
}

// Help lists the sub-commands by what is possible: first those that may help
// the reader, then, in one line, those that need a right the reader has nowhere.
func Help(slash string, all []HelpLine) card.Message {
	l := layout.Message()
	l.Header("Commands")
	var not []string
	for _, u := range all {
		if !u.Possible {
			not = append(not, u.Name)
			continue
		}
		l.Lines(layout.Code(strings.TrimSpace(slash+" "+u.Usage), 120) + " " + u.Does)
	}
	l.Lines("P is a pipeline; E is an execution: " + layout.Code("webshop#42", 20) + ", its ID, or the end of its ID")
	if len(not) > 0 {
		l.Context("You do not have the permission for: " + strings.Join(not, ", ") + ". " + layout.Code(slash+" who P", 60) + " shows who has; ask one of them, or an admin")
	}
	return card.Message{Text: "Commands of " + layout.Text(slash, 40), Blocks: l.Done("")}
}
