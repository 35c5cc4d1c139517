package slackfake

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of the newer kinds of blocks.
const (
	chartsPerMessage = 2 // undocumented; more was refused by a live workspace
	nestingLimit     = 2 // of containers and layouts
	tableColumns     = 20
	tableRows        = 101 // with the header
)

// newer checks the kinds that came with Slack's later block kits, and says
// whether the block is one of them.
func (c *checker) newer(path string, b object) bool {
	switch str(b, "type") {
	case "alert":
		c.alert(path, b)
	case "data_table":
		c.dataTable(path, b)
	case "data_visualization":
		c.chart(path, b)
	case "container":
		c.container(path, b)
	case "layout":
		c.layout(path, b)
	case "plan":
		c.plans++
		c.plain(path+"/title", b["title"], textMaximum, true)
		for i, t := range list(b, "tasks") {
			c.task(fmt.Sprintf("%s/tasks/%d", path, i), t)
		}
	case "task_card":
		c.tasks++
		c.task(path, b)
	case "card":
		c.card(path, b)
	case "carousel":
		cards := list(b, "elements")
		c.count(path+"/elements", len(cards), 1, 10)
		for i, e := range cards {
			c.card(fmt.Sprintf("%s/elements/%d", path, i), e)
		}
	default:
		return false
	}
	return true
}

// together checks what blocks may not be beside each other.
func (c *checker) together() {
	if c.charts > chartsPerMessage {
		c.add(c.base+"/blocks", "has %d data_visualization blocks, at most %d", c.charts, chartsPerMessage)
	}
	if c.plans > 0 && c.tasks > 0 {
		c.add(c.base+"/blocks", "has a plan and task_card blocks, only one of both is allowed")
	}
}

// plain checks a field that is a bare string.
func (c *checker) plain(path string, v any, limit int, required bool) {
	s, isString := v.(string)
	switch {
	case v == nil && !required:
		return
	case v == nil:
		c.add(path, "is missing")
		return
	case !isString:
		c.add(path, "must be a string")
		return
	case s == "" && required:
		c.add(path, "must not be empty")
	}
	c.total += utf8.RuneCountInString(s)
	c.length(path, s, limit)
}

// oneOf checks a field that is one of some words, or may be missing.
func (c *checker) oneOf(path, s string, words ...string) {
	if s != "" && !slices.Contains(words, s) {
		c.add(path, "must be one of %s, not %q", strings.Join(words, ", "), s)
	}
}

func (c *checker) alert(path string, b object) {
	if c.surface != "modal" {
		c.add(path+"/type", "unsupported type: alert")
	}
	c.text(path+"/text", obj(b, "text"), textMaximum, false, true)
	c.oneOf(path+"/level", str(b, "level"), "default", "info", "warning", "error", "success")
}

func (c *checker) dataTable(path string, b object) {
	c.plain(path+"/caption", b["caption"], textMaximum, true)
	if n, ok := b["page_size"].(float64); b["page_size"] != nil && (!ok || n < 1 || n > 100) {
		c.add(path+"/page_size", "must be 1 to 100")
	}
	rows, _ := b["rows"].([]any)
	c.count(path+"/rows", len(rows), 1, tableRows)
	width := 0
	for i, row := range rows {
		at := fmt.Sprintf("%s/rows/%d", path, i)
		cells, _ := row.([]any)
		c.count(at, len(cells), 1, tableColumns)
		if i == 0 {
			width = len(cells)
		} else if len(cells) != width {
			c.add(at, "has %d cells, the header has %d", len(cells), width)
		}
		for j, cell := range cells {
			o, _ := cell.(object)
			c.cell(fmt.Sprintf("%s/%d", at, j), o, i == 0)
		}
	}
	if n, ok := b["row_header_column_index"].(float64); ok && (n < 0 || int(n) >= width) {
		c.add(path+"/row_header_column_index", "there is no such column")
	}
}

// cell checks a cell of a data table.
func (c *checker) cell(path string, o object, header bool) {
	kind := str(o, "type")
	if header && kind != "raw_text" {
		c.add(path+"/type", "a header cell must be raw_text, not %q", kind)
		return
	}
	switch kind {
	case "raw_text":
		c.plain(path+"/text", o["text"], textMaximum, true)
	case "raw_number":
		if _, ok := o["value"].(float64); !ok {
			c.add(path+"/value", "must be a number")
		}
		c.plain(path+"/text", o["text"], textMaximum, false)
	case "rich_text":
		if len(list(o, "elements")) == 0 {
			c.add(path+"/elements", "must not be empty")
		}
		c.total += letters(o)
	case "action_cell":
		c.actionCell(path, o)
	default:
		c.add(path+"/type", "unsupported type: %s", kind)
	}
}

func (c *checker) actionCell(path string, o object) {
	e := obj(o, "element")
	if str(e, "type") != "button" {
		c.add(path+"/element", "must be a button")
		return
	}
	c.element(path+"/element", e)
	if f := obj(o, "fallback"); f != nil {
		if kind := str(f, "type"); kind != "raw_text" && kind != "raw_number" {
			c.add(path+"/fallback/type", "must be raw_text or raw_number, not %q", kind)
			return
		}
		c.cell(path+"/fallback", f, false)
	}
}

func (c *checker) chart(path string, b object) {
	c.charts++
	c.plain(path+"/title", b["title"], 50, true)
	chart := obj(b, "chart")
	switch kind := str(chart, "type"); kind {
	case "pie":
		segments := list(chart, "segments")
		c.count(path+"/chart/segments", len(segments), 1, 6)
		for i, s := range segments {
			at := fmt.Sprintf("%s/chart/segments/%d", path, i)
			c.plain(at+"/label", s["label"], 20, true)
			if n, ok := s["value"].(float64); !ok || n <= 0 {
				c.add(at+"/value", "must be greater than 0")
			}
		}
	case "bar", "area", "line":
		c.series(path+"/chart", chart)
	default:
		c.add(path+"/chart/type", "unsupported type: %s", kind)
	}
}

func (c *checker) series(path string, chart object) {
	axis := obj(chart, "axis_config")
	c.plain(path+"/axis_config/x_label", axis["x_label"], 50, false)
	c.plain(path+"/axis_config/y_label", axis["y_label"], 50, false)
	categories, _ := axis["categories"].([]any)
	c.count(path+"/axis_config/categories", len(categories), 1, 20)
	known := map[any]bool{}
	for i, name := range categories {
		at := fmt.Sprintf("%s/axis_config/categories/%d", path, i)
		c.plain(at, name, 20, true)
		if _, isString := name.(string); isString && known[name] {
			c.add(at, "%q is there twice", name)
		} else if isString {
			known[name] = true
		}
	}
	all := list(chart, "series")
	c.count(path+"/series", len(all), 1, 6)
	names := map[string]bool{}
	for i, s := range all {
		at := fmt.Sprintf("%s/series/%d", path, i)
		c.plain(at+"/name", s["name"], 20, true)
		if name := str(s, "name"); names[name] {
			c.add(at+"/name", "%q is there twice", name)
		} else {
			names[name] = true
		}
		c.points(at, list(s, "data"), known)
	}
}

// points checks that a series has one point for every category.
func (c *checker) points(path string, points []object, categories map[any]bool) {
	c.count(path+"/data", len(points), 1, 20)
	seen := map[string]bool{}
	for i, p := range points {
		at, label := fmt.Sprintf("%s/data/%d", path, i), str(p, "label")
		switch {
		case !categories[label]:
			c.add(at+"/label", "%q is no category of the axis", label)
		case seen[label]:
			c.add(at+"/label", "%q is there twice", label)
		}
		seen[label] = true
		if _, ok := p["value"].(float64); !ok {
			c.add(at+"/value", "must be a number")
		}
	}
	if len(points) != len(categories) {
		c.add(path+"/data", "has %d points for %d categories", len(points), len(categories))
	}
}

var (
	containerKinds = []string{"actions", "context", "divider", "file", "header", "image", "input", "rich_text", "section", "table", "video", "layout"}
	layoutKinds    = []string{"actions", "context", "divider", "file", "header", "image", "input", "rich_text", "section", "table", "video", "container"}
)

func (c *checker) container(path string, b object) {
	if rich := obj(b, "rich_text_title"); rich == nil {
		c.text(path+"/title", obj(b, "title"), 150, true, true)
	} else {
		c.total += letters(rich)
	}
	c.text(path+"/subtitle", obj(b, "subtitle"), 150, false, false)
	c.oneOf(path+"/width", str(b, "width"), "narrow", "standard", "wide", "full")
	if b["has_header_divider"] == true && b["is_collapsible"] == true {
		c.add(path+"/has_header_divider", "is only for containers that are not collapsible")
	}
	if b["default_collapsed"] == true && b["is_collapsible"] != true {
		c.add(path+"/default_collapsed", "needs is_collapsible")
	}
	children := list(b, "child_blocks")
	c.count(path+"/child_blocks", len(children), 1, 10)
	for i, child := range children {
		c.child(fmt.Sprintf("%s/child_blocks/%d", path, i), child, containerKinds)
	}
}

// child checks a block inside another one.
func (c *checker) child(path string, b object, kinds []string) {
	kind := str(b, "type")
	if !slices.Contains(kinds, kind) {
		c.add(path+"/type", "unsupported type: %s", kind)
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth >= nestingLimit && (kind == "container" || kind == "layout") {
		c.add(path, "containers and layouts nest at most %d deep", nestingLimit)
		return
	}
	c.named(path, b)
}

func (c *checker) layout(path string, b object) {
	c.plain(path+"/label", b["label"], 150, true)
	rows := list(b, "rows")
	c.count(path+"/rows", len(rows), 1, 5)
	for i, row := range rows {
		items := list(row, "items")
		c.count(fmt.Sprintf("%s/rows/%d/items", path, i), len(items), 1, 3)
		for j, item := range items {
			at := fmt.Sprintf("%s/rows/%d/items/%d", path, i, j)
			c.oneOf(at+"/width", str(item, "width"), "narrow", "standard", "wide")
			c.child(at+"/block", obj(item, "block"), layoutKinds)
		}
	}
}

func (c *checker) task(path string, b object) {
	c.plain(path+"/task_id", b["task_id"], idLimit, true)
	c.plain(path+"/title", b["title"], textMaximum, true)
	c.oneOf(path+"/status", str(b, "status"), "pending", "in_progress", "complete", "error")
	c.total += letters(obj(b, "details")) + letters(obj(b, "output"))
}

func (c *checker) card(path string, b object) {
	c.text(path+"/title", obj(b, "title"), 150, false, false)
	c.text(path+"/subtitle", obj(b, "subtitle"), 150, false, false)
	c.text(path+"/body", obj(b, "body"), 200, false, false)
	if all := list(b, "actions"); len(all) > 0 {
		c.elements(path, all, 5)
	}
}
