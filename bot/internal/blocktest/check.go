package blocktest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// token is everything that Slack reads as more than text. All that may stand
// in a card is a date, a link over HTTP, and a mention of somebody who is asked.
var token = regexp.MustCompile(`<[^>]*>?`)

var allowed = regexp.MustCompile(`^<(https?://[^\s|<>]+\|[^<>|]+|!date\^\d+\^(\{date_short_pretty\} )?\{time\}\|[^<>|]+|@U\w+|!subteam\^S\w+)>$`)

// Faults finds what Slack would refuse, and what should not be in a drawing,
// whatever the people in it are called; none: it can be sent.
func (d Drawing) Faults() (all []string) {
	for _, calls := range Called() {
		all = append(all, d.Named(calls).Refused()...)
	}
	return all
}

// drawn is the drawing as a workspace gets it that takes Slack's newer blocks, or refuses them.
func (d Drawing) drawn(as func([]slack.Block) []slack.Block) Drawing {
	if d.Form != nil {
		f := *d.Form
		f.Blocks.BlockSet = as(f.Blocks.BlockSet)
		return Drawing{Name: d.Name, Form: &f}
	}
	return Message(d.Name, card.Message{Text: d.Message.Text, Blocks: as(d.Message.Blocks)})
}

// Called is what chat may call people: as given, by a mention, by any name.
func Called() []card.Calls {
	return []card.Calls{Nobody,
		func([]string) (string, string) { return "U0123456789", "" },
		func([]string) (string, string) { return "", strings.Repeat("<&>", 100) },
	}
}

// Refused is Faults for the drawing as it is, with Slack's newer blocks and without.
func (d Drawing) Refused() []string {
	return append(d.drawn(layout.Rich).refused(), d.drawn(layout.Plain).refused()...)
}

func (d Drawing) refused() []string {
	c := &checker{ids: map[string]bool{}, most: 50}
	if d.Form != nil {
		c.most = 100
		if n := utf8.RuneCountInString(d.Form.PrivateMetadata); n > 3000 {
			c.fault("private_metadata has %d characters", n)
		}
		if d.Form.Title != nil {
			c.text("title", map[string]any{"type": "plain_text", "text": d.Form.Title.Text}, 24)
		}
		if d.Form.Submit != nil {
			c.atMost("submit", d.Form.Submit.Text, 24)
		}
	} else {
		c.atMost("fallback text", d.Message.Text, 4000)
		c.mrkdwn("fallback text", d.Message.Text)
		if strings.Contains(d.Message.Text, "<!date^") || strings.Contains(d.Message.Text, "<http") {
			c.fault("fallback text holds markup that notifications show as it is: %s", d.Message.Text)
		}
		c.total = 0 // the sum that Slack limits is that of the blocks
	}
	b, err := json.Marshal(d.Blocks())
	if err != nil {
		return []string{err.Error()}
	}
	var blocks []map[string]any
	if err := json.Unmarshal(b, &blocks); err != nil {
		return []string{err.Error()}
	}
	c.blocks(blocks)
	return c.faults
}

type checker struct {
	faults  []string
	ids     map[string]bool
	actions map[string]bool
	total   int
	most    int
	primary int
	charts  int
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *checker) atMost(what, text string, n int) {
	if size := utf8.RuneCountInString(text); size == 0 || size > n {
		c.fault("%s has %d characters, allowed are 1 to %d: %.80q", what, size, n, text)
	}
	if !utf8.ValidString(text) {
		c.fault("%s is no UTF-8", what)
	}
	c.total += utf8.RuneCountInString(text)
}

func (c *checker) mrkdwn(what, text string) {
	for _, t := range token.FindAllString(text, -1) {
		if !allowed.MatchString(t) {
			c.fault("%s lets %q through", what, t)
		}
	}
}

func (c *checker) text(what string, v any, n int) {
	o, ok := v.(map[string]any)
	if !ok {
		c.fault("%s has no text", what)
		return
	}
	text, _ := o["text"].(string)
	c.atMost(what, text, n)
	if o["type"] == "mrkdwn" {
		c.mrkdwn(what, text)
		if o["verbatim"] != true {
			c.fault("%s is not verbatim: Slack would look for names in it", what)
		}
	}
}

func (c *checker) blocks(blocks []map[string]any) {
	if len(blocks) == 0 || len(blocks) > c.most {
		c.fault("%d blocks, allowed are 1 to %d", len(blocks), c.most)
	}
	c.actions = map[string]bool{}
	for _, b := range blocks {
		if id, ok := b["block_id"].(string); ok {
			if c.ids[id] {
				c.fault("block_id %q twice", id)
			}
			c.ids[id] = true
		}
		switch b["type"] {
		case "header":
			c.text("header", b["text"], 150)
		case "section":
			c.text("section", b["text"], 3000)
		case "context":
			elements := b["elements"].([]any)
			if len(elements) > 10 {
				c.fault("context with %d elements", len(elements))
			}
			for _, e := range elements {
				c.text("context", e, 3000)
			}
		case "actions":
			elements := b["elements"].([]any)
			if len(elements) == 0 || len(elements) > 25 {
				c.fault("%d buttons in a row", len(elements))
			}
			for _, e := range elements {
				switch e := e.(map[string]any); e["type"] {
				case "button":
					c.button(e)
				case "overflow":
					c.more(e)
				default:
					c.menu(e)
				}
			}
		case "input":
			c.input(b)
		case "data_visualization":
			c.chart(b)
		case "alert":
			c.text("alert", b["text"], 3000)
			if c.most != 100 {
				c.fault("an alert outside of a form")
			}
		case "container":
			c.text("container", b["title"], 150)
			c.children(b["child_blocks"].([]any))
		default:
			c.fault("unexpected block %v", b["type"])
		}
	}
	if c.most == 50 && c.total >= 12000 {
		c.fault("%d characters in all", c.total)
	}
	if c.primary > 1 {
		c.fault("%d primary buttons", c.primary)
	}
}

// children are the blocks of a container.
func (c *checker) children(all []any) {
	if len(all) == 0 || len(all) > 10 {
		c.fault("a container of %d blocks", len(all))
	}
	for _, b := range all {
		switch b := b.(map[string]any); b["type"] {
		case "section":
			c.text("section", b["text"], 3000)
		case "context":
			for _, e := range b["elements"].([]any) {
				c.text("context", e, 3000)
			}
		default:
			c.fault("unexpected block %v in a container", b["type"])
		}
	}
}

func (c *checker) button(b map[string]any) {
	id := b["action_id"].(string)
	if c.actions[id] {
		c.fault("action_id %s twice", id)
	}
	c.actions[id] = true
	c.text("button", b["text"], 75)
	value, _ := b["value"].(string)
	if n := utf8.RuneCountInString(value); n > 2000 {
		c.fault("value of %s has %d characters", id, n)
	}
	if _, problem := card.ParseSubject(value); problem != nil {
		c.fault("value of %s cannot be read: %v", id, problem)
	}
	if b["style"] == "primary" {
		c.primary++
	}
	if confirm, ok := b["confirm"].(map[string]any); ok {
		c.text("confirm title", confirm["title"], 100)
		c.text("confirm text", confirm["text"], 300)
		c.text("confirm yes", confirm["confirm"], 30)
		c.text("confirm no", confirm["deny"], 30)
	}
}

// menu is a choice that loads its options when it is opened.
func (c *checker) menu(e map[string]any) {
	id, _ := e["action_id"].(string)
	if c.actions[id] || e["type"] != "external_select" {
		c.fault("action_id %q twice, or a %v in a row", id, e["type"])
	}
	c.actions[id] = true
	c.text("placeholder", e["placeholder"], 150)
	if o, ok := e["initial_option"].(map[string]any); ok {
		c.text("option", o["text"], 75)
		c.atMost("option's value", o["value"].(string), 150)
	}
}

// more checks an overflow menu, whose choices are the card's.
func (c *checker) more(e map[string]any) {
	options := e["options"].([]any)
	if len(options) == 0 || len(options) > 5 {
		c.fault("%d choices in a menu", len(options))
	}
	for _, o := range options {
		o := o.(map[string]any)
		c.text("choice", o["text"], 75)
		c.atMost("choice's value", o["value"].(string), 75)
		if _, problem := card.ParseChosen(o["value"].(string)); problem != nil {
			c.fault("choice %q cannot be read: %v", o["value"], problem)
		}
	}
}

func (c *checker) input(b map[string]any) {
	el := b["element"].(map[string]any)
	if b["block_id"] != el["action_id"] {
		c.fault("block %v holds action %v", b["block_id"], el["action_id"])
	}
	c.text("label", b["label"], 2000)
	options, _ := el["options"].([]any)
	groups, _ := el["option_groups"].([]any)
	if len(options) > 100 || len(groups) > 100 || el["type"] == "radio_buttons" && len(options) > 10 {
		c.fault("%d options, %d groups", len(options), len(groups))
	}
	if el["type"] == "static_select" && len(options)+len(groups) == 0 {
		c.fault("a choice of nothing in %v", b["block_id"])
	}
	for _, g := range groups {
		c.text("group", g.(map[string]any)["label"], 75)
		options = append(options, g.(map[string]any)["options"].([]any)...)
	}
	for _, o := range options {
		o := o.(map[string]any)
		c.text("option", o["text"], 75)
		c.atMost("option's value", o["value"].(string), 150)
		if o["description"] != nil {
			c.text("description", o["description"], 75)
		}
	}
}
