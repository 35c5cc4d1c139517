// Package blocktest is what the tests of all drawings share: golden files, a
// checker of Slack's limits, and texts from outside with intentions.
package blocktest

import (
	"strings"

	"github.com/slack-go/slack"
	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
)

// Drawing is what a golden file holds: a message or a form, whichever is set.
type Drawing struct {
	Name    string
	Message *card.Message
	Form    *slack.ModalViewRequest
}

// Message is a drawing of a message.
func Message(name string, m card.Message) Drawing { return Drawing{Name: name, Message: &m} }

// Modal is a drawing of a form or an App Home.
func Modal(name string, f slack.ModalViewRequest) Drawing { return Drawing{Name: name, Form: &f} }

// Blocks are the drawing's, in order.
func (d Drawing) Blocks() []slack.Block {
	if d.Form != nil {
		return d.Form.Blocks.BlockSet
	}
	return d.Message.Blocks
}

// Named is the drawing as it reaches Slack, with what chat calls the people in it.
func (d Drawing) Named(calls card.Calls) Drawing {
	if d.Form != nil {
		f := *d.Form
		f.Blocks.BlockSet = calls.Blocks(f.Blocks.BlockSet)
		return Drawing{Name: d.Name, Form: &f}
	}
	return Message(d.Name, card.Message{Text: calls.Text(d.Message.Text), Blocks: calls.Blocks(d.Message.Blocks)})
}

// Nobody is a chat that knows none of the people.
func Nobody([]string) (user, shown string) { return "", "" }

// Hostile is text that wants to be more than text.
const Hostile = "<!channel> <https://evil.example|click> *bold* `x` &amp; \u202e @channel #general \n ``` <@U1>"

// Text is what may come from outside: short, long, and with intentions.
func Text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.Just("fine"), rapid.Just(Hostile), rapid.Just(strings.Repeat("<&>", 2000)), rapid.Just(strings.Repeat(Hostile, 40)), rapid.String())
}

// Name is a name as pipelines may have them: up to 100 characters of AWS's alphabet.
func Name(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"Build", "Production"}), rapid.StringMatching(`[A-Za-z0-9.@_-]{1,100}`)).Draw(t, "name")
}

// Lookalikes are the buttons and the questions of a drawing that stand in it twice.
func (d Drawing) Lookalikes() (twice []string) {
	seen := map[string]bool{}
	look := func(what string) {
		if seen[what] {
			twice = append(twice, what)
		}
		seen[what] = true
	}
	for _, block := range d.Blocks() {
		row, ok := block.(*slack.ActionBlock)
		if !ok {
			continue
		}
		for _, e := range row.Elements.ElementSet {
			b, ok := e.(*slack.ButtonBlockElement)
			if !ok {
				continue
			}
			look("button " + b.Text.Text)
			if c := b.Confirm; c != nil {
				look("question " + c.Title.Text + " " + c.Text.Text)
			}
		}
	}
	return twice
}
