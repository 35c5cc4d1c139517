package slackfake

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Block Kit's limits, as Slack documents them. Lengths are in code points.
const (
	messageBlocks  = 50
	viewBlocks     = 100
	optionLimit    = 100
	viewSizeLimit  = 250_000 // bytes
	messageTotal   = 13_200  // all texts of a message together; more is msg_blocks_too_long
	markdownTotal  = 12_000
	idLimit        = 255
	textMaximum    = 3000
	optionValueMax = 150
)

// Check checks the blocks of a message (a JSON array) against Block Kit's limits.
func Check(blocks []byte) []Violation { return checkMessage(blocks, nil) }

// checkMessage is Check in a workspace that refuses some kinds of blocks.
func checkMessage(blocks []byte, refused map[string]bool) []Violation {
	var all []any
	if err := json.Unmarshal(blocks, &all); err != nil {
		return []Violation{{Path: "/blocks", Message: "must be a list of blocks"}}
	}
	c := newChecker("message", refused)
	c.blocks(all, messageBlocks)
	if c.total > messageTotal {
		c.add("/blocks", "the texts have %d characters together, at most %d", c.total, messageTotal)
		c.found[len(c.found)-1].code = "msg_blocks_too_long"
	}
	return c.found
}

// CheckView checks a form or home tab (a JSON object) against Block Kit's limits.
func CheckView(view []byte) []Violation { return checkView(view, nil) }

// checkView is CheckView in a workspace that refuses some kinds of blocks.
func checkView(view []byte, refused map[string]bool) []Violation {
	var v object
	if err := json.Unmarshal(view, &v); err != nil || v == nil {
		return []Violation{{Path: "/view", Message: "must be an object"}}
	}
	c := newChecker(str(v, "type"), refused)
	c.base = "/view"
	if str(v, "type") == "modal" {
		c.text("/view/title", obj(v, "title"), 24, true, true)
		c.text("/view/submit", obj(v, "submit"), 24, true, false)
		c.text("/view/close", obj(v, "close"), 24, true, false)
	}
	c.length("/view/private_metadata", str(v, "private_metadata"), 3000)
	c.length("/view/callback_id", str(v, "callback_id"), idLimit)
	c.length("/view/external_id", str(v, "external_id"), idLimit)
	all, ok := v["blocks"].([]any)
	if !ok {
		c.add("/view/blocks", "must be a list of blocks")
	}
	c.blocks(all, viewBlocks)
	if c.inputs && str(v, "type") == "modal" && obj(v, "submit") == nil {
		c.add("/view/submit", "is required when there is an input block")
	}
	return c.found
}

// checker walks blocks and collects what is wrong.
type checker struct {
	base     string
	found    []Violation
	ids      map[string]bool // block IDs
	total    int             // characters of all texts
	markdown int             // characters of all markdown blocks
	inputs   bool
	tables   int
	surface  string          // message, modal or home
	refused  map[string]bool // kinds of blocks that this workspace does not take

	charts, plans, tasks int
	depth                int // containers and layouts around the block
}

func newChecker(surface string, refused map[string]bool) *checker {
	return &checker{ids: map[string]bool{}, surface: surface, refused: refused}
}

func (c *checker) add(path, format string, args ...any) {
	c.found = append(c.found, Violation{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) length(path, s string, limit int) {
	if n := utf8.RuneCountInString(s); n > limit {
		c.add(path, "has %d characters, at most %d", n, limit)
	}
}

func (c *checker) count(path string, n, low, high int) {
	if n < low || n > high {
		c.add(path, "has %d items, %d to %d are allowed", n, low, high)
	}
}

// text checks a text object: its type, and 1 to limit characters.
func (c *checker) text(path string, t object, limit int, plain, required bool) {
	if t == nil {
		if required {
			c.add(path, "is missing")
		}
		return
	}
	switch kind := str(t, "type"); {
	case kind != "plain_text" && kind != "mrkdwn":
		c.add(path+"/type", "must be plain_text or mrkdwn, not %q", kind)
	case plain && kind != "plain_text":
		c.add(path+"/type", "must be plain_text")
	}
	s := str(t, "text")
	if s == "" {
		c.add(path+"/text", "must not be empty")
	}
	c.total += utf8.RuneCountInString(s)
	c.length(path+"/text", s, limit)
}

func (c *checker) blocks(all []any, limit int) {
	c.count(c.base+"/blocks", len(all), 0, limit)
	for i, raw := range all {
		path := fmt.Sprintf("%s/blocks/%d", c.base, i)
		b, ok := raw.(object)
		if !ok {
			c.add(path, "must be an object")
			continue
		}
		c.named(path, b)
	}
	if c.markdown > markdownTotal {
		c.add(c.base+"/blocks", "the markdown blocks have %d characters together, at most %d", c.markdown, markdownTotal)
	}
	if c.tables > 1 {
		c.add(c.base+"/blocks", "only one table is allowed")
	}
	c.together()
}

// named checks a block and that its ID is its own.
func (c *checker) named(path string, b object) {
	id := str(b, "block_id")
	c.length(path+"/block_id", id, idLimit)
	if id != "" && c.ids[id] {
		c.add(path+"/block_id", "%q is there twice", id)
	}
	c.ids[id] = true
	c.block(path, b)
}

func (c *checker) block(path string, b object) {
	if kind := str(b, "type"); c.refused[kind] {
		c.add(path+"/type", "unsupported type: %s", kind)
		return
	}
	if c.newer(path, b) {
		return
	}
	switch kind := str(b, "type"); kind {
	case "section":
		c.section(path, b)
	case "header":
		c.text(path+"/text", obj(b, "text"), 150, true, true)
		if n, ok := b["level"].(float64); b["level"] != nil && (!ok || n != 1 && n != 2 && n != 3 && n != 4) {
			c.add(path+"/level", "must be 1 to 4")
		}
	case "context":
		c.context(path, b)
	case "actions":
		c.elements(path, list(b, "elements"), 25)
	case "context_actions":
		c.elements(path, list(b, "elements"), 5)
	case "input":
		c.inputs = true
		c.text(path+"/label", obj(b, "label"), 2000, true, true)
		c.text(path+"/hint", obj(b, "hint"), 2000, true, false)
		if e := obj(b, "element"); e == nil {
			c.add(path+"/element", "is missing")
		} else {
			c.element(path+"/element", e)
		}
	case "image":
		c.image(path, b)
		c.text(path+"/title", obj(b, "title"), 2000, true, false)
	case "markdown":
		n := utf8.RuneCountInString(str(b, "text"))
		c.markdown, c.total = c.markdown+n, c.total+n
	case "table":
		c.tables++
		c.table(path, b)
	case "rich_text":
		if len(list(b, "elements")) == 0 {
			c.add(path+"/elements", "must not be empty")
		}
		c.total += letters(b)
	case "divider", "video", "file", "call":
	default:
		c.add(path+"/type", "unsupported type: %s", kind)
	}
}

// letters counts the texts anywhere inside rich text.
func letters(v any) int {
	n := 0
	switch v := v.(type) {
	case object:
		n = utf8.RuneCountInString(str(v, "text"))
		for _, inner := range v {
			n += letters(inner)
		}
	case []any:
		for _, inner := range v {
			n += letters(inner)
		}
	}
	return n
}

func (c *checker) section(path string, b object) {
	fields := list(b, "fields")
	if obj(b, "text") == nil && len(fields) == 0 {
		c.add(path, "needs text or fields")
	}
	c.text(path+"/text", obj(b, "text"), textMaximum, false, false)
	c.count(path+"/fields", len(fields), 0, 10)
	for i, f := range fields {
		c.text(fmt.Sprintf("%s/fields/%d", path, i), f, 2000, false, true)
	}
	if a := obj(b, "accessory"); a != nil {
		if str(a, "type") == "image" {
			c.image(path+"/accessory", a)
		} else {
			c.element(path+"/accessory", a)
		}
	}
}

func (c *checker) context(path string, b object) {
	elements := list(b, "elements")
	c.count(path+"/elements", len(elements), 1, 10)
	for i, e := range elements {
		at := fmt.Sprintf("%s/elements/%d", path, i)
		if str(e, "type") == "image" {
			c.image(at, e)
		} else {
			c.text(at, e, textMaximum, false, true)
		}
	}
}

func (c *checker) image(path string, e object) {
	c.length(path+"/image_url", str(e, "image_url"), 3000)
	c.length(path+"/alt_text", str(e, "alt_text"), 2000)
	if str(e, "alt_text") == "" {
		c.add(path+"/alt_text", "is missing")
	}
	if str(e, "image_url") == "" && obj(e, "slack_file") == nil {
		c.add(path, "needs image_url or slack_file")
	}
}

func (c *checker) table(path string, b object) {
	rows, _ := b["rows"].([]any)
	c.count(path+"/rows", len(rows), 1, 100)
	for i, row := range rows {
		cells, _ := row.([]any)
		c.count(fmt.Sprintf("%s/rows/%d", path, i), len(cells), 1, 20)
	}
	c.count(path+"/column_settings", len(list(b, "column_settings")), 0, 20)
	c.total += letters(b)
}
