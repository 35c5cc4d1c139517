package slackfake

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Rendered is the message as people read it: blocks as lines of text, buttons
// in brackets, menus with their placeholder, mentions by name. Without blocks
// it is the text.
func (w *Server) Rendered(m Message) string {
	if len(m.Blocks) == 0 {
		return w.renderMrkdwn(m.Text)
	}
	return w.render(m.Blocks)
}

// RenderedView is a form or home tab as people read it, with its title, what
// is entered, and the errors beside their fields.
func (w *Server) RenderedView(v View) string {
	var b strings.Builder
	if v.Title != "" {
		b.WriteString("= " + v.Title + " =\n")
	}
	b.WriteString(w.render(v.Blocks))
	for id, e := range v.Errors {
		b.WriteString("\n! " + strings.TrimPrefix(id+": ", ": ") + e)
	}
	if v.Submit != "" {
		b.WriteString("\n(" + v.Submit + ")")
	}
	return b.String()
}

func (w *Server) render(blocks json.RawMessage) string {
	var lines []string
	for _, b := range parse(blocks) {
		if line := w.renderBlock(b); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// renderBlock is one block as text.
func (w *Server) renderBlock(b object) string {
	if text, ok := w.renderNewer(b); ok {
		return text
	}
	switch str(b, "type") {
	case "header":
		return "# " + w.renderText(obj(b, "text"))
	case "section":
		parts := []string{w.renderText(obj(b, "text"))}
		for _, f := range list(b, "fields") {
			parts = append(parts, w.renderText(f))
		}
		if a := obj(b, "accessory"); a != nil {
			parts = append(parts, w.renderElement(a))
		}
		return join(parts, " ")
	case "context", "actions", "context_actions":
		var parts []string
		for _, e := range list(b, "elements") {
			parts = append(parts, w.renderElement(e))
		}
		return join(parts, " ")
	case "input":
		return join([]string{w.renderText(obj(b, "label")) + ":", w.renderElement(obj(b, "element")), w.renderText(obj(b, "hint"))}, " ")
	case "divider":
		return "---"
	case "image":
		return "[image: " + str(b, "alt_text") + "]"
	case "markdown":
		return str(b, "text")
	}
	return strings.TrimSpace(w.renderNested(b["elements"]) + w.renderNested(b["rows"]))
}

// renderElement is an element as text.
func (w *Server) renderElement(e object) string {
	switch str(e, "type") {
	case "plain_text", "mrkdwn":
		return w.renderText(e)
	case "button":
		return "[" + w.renderText(obj(e, "text")) + "]"
	case "image":
		return "[image: " + str(e, "alt_text") + "]"
	case "overflow":
		return "[...]"
	case "":
		return ""
	}
	if chosen := obj(e, "initial_option"); chosen != nil {
		return "<" + w.renderText(obj(chosen, "text")) + ">"
	}
	return "<" + join([]string{str(e, "initial_value"), w.renderText(obj(e, "placeholder"))}, " ") + ">"
}

// renderNested is the text inside rich text and tables.
func (w *Server) renderNested(v any) string {
	switch v := v.(type) {
	case object:
		switch str(v, "type") {
		case "user":
			return w.renderMrkdwn("<@" + str(v, "user_id") + ">")
		case "usergroup":
			return w.renderMrkdwn("<!subteam^" + str(v, "usergroup_id") + ">")
		case "link":
			if str(v, "text") == "" {
				return str(v, "url")
			}
		case "emoji":
			return ":" + str(v, "name") + ":"
		}
		return str(v, "text") + w.renderNested(v["elements"])
	case []any:
		var b strings.Builder
		for _, inner := range v {
			b.WriteString(w.renderNested(inner))
			if _, row := inner.([]any); row {
				b.WriteString("\n")
			}
		}
		return b.String()
	}
	return ""
}

// renderText is a text object as people read it.
func (w *Server) renderText(t object) string {
	if str(t, "type") == "plain_text" {
		return str(t, "text")
	}
	return w.renderMrkdwn(str(t, "text"))
}

// renderMrkdwn resolves mentions, links and dates of one mrkdwn text and undoes its escapes.
func (w *Server) renderMrkdwn(s string) string {
	s = regexp.MustCompile(`<[^<>]*>`).ReplaceAllStringFunc(s, func(tag string) string {
		target, label, labelled := strings.Cut(strings.Trim(tag, "<>"), "|")
		if labelled {
			return label
		}
		return w.named(target)
	})
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// named is what stands behind <…>: a user, a group, a channel, a word to all, a link.
func (w *Server) named(target string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id, ok := strings.CutPrefix(target, "@"); ok {
		if u := w.users[id]; u != nil {
			return "@" + u.Name
		}
	}
	if id, ok := strings.CutPrefix(target, "!subteam^"); ok {
		if g := w.groups[id]; g != nil {
			return "@" + g.Handle
		}
	}
	if id, ok := strings.CutPrefix(target, "#"); ok {
		if r := w.channels[id]; r != nil {
			return "#" + r.Name
		}
	}
	return strings.Replace(target, "!", "@", 1)
}

// join puts what is not empty together.
func join(parts []string, sep string) string {
	var full []string
	for _, p := range parts {
		if p != "" {
			full = append(full, p)
		}
	}
	return strings.Join(full, sep)
}
