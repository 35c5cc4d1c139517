package home

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// Overview is what waits for somebody, and what runs in their environments: the
// App Home in short, as an answer.
func Overview(p Person) card.Message {
	l := layout.Message()
	p.Places = p.Places[:min(len(p.Places), 10)]
	p.waiting(l)
	p.places(l)
	l.Context(console(p.URL))
	return card.Message{Text: fmt.Sprintf("%d waiting for your approval, %s", len(p.Waiting), layout.Count(len(p.Places), "environment", "environments")), Blocks: l.Done(console(p.URL))}
}
