package home

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// Right is one row of who may do what.
type Right struct {
	What    string // "approve in Production"
	You     bool
	Holders []string // ready for Slack
	AtGate  bool     // the gate names them: whether You may is decided with it
}

// Who says who may do what. about is the pipeline or execution that was asked about.
func Who(about string, rights []Right) card.Message {
	head := "Who may do what in " + about
	l := layout.Message()
	l.Header(head)
	for _, r := range rights {
		who := "only admins"
		switch {
		case slices.Contains(r.Holders, "everyone"):
			who = "everyone"
		case len(r.Holders) > 0:
			who = layout.Fit(strings.Join(r.Holders, ", "), 600)
		}
		you := "you can't"
		switch {
		case r.AtGate:
			you = ""
		case r.You:
			you = "you can"
		}
		l.Lines(layout.Join("*"+layout.Name(r.What)+"*: "+who, you))
	}
	return card.Message{Text: layout.Text(head, 200), Blocks: l.Done("")}
}
