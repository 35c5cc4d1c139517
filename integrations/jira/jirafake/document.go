package jirafake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// version3 says whether a call is one of version 3, whose texts are documents.
func version3(r *http.Request) bool { return strings.Contains(r.URL.Path, "/rest/api/3/") }

// cloudOnly answers as a server does where a call is only Cloud's.
func (s *Server) cloudOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.options.OnPremise {
			refuse(w, http.StatusNotFound, "null for uri: "+r.URL.Path, nil)
			return
		}
		h(w, r)
	}
}

// node is a node of a document (ADF), as far as this Jira knows them.
type node struct {
	Type    string            `json:"type"`
	Version int               `json:"version,omitempty"`
	Text    *string           `json:"text,omitempty"`
	Marks   []mark            `json:"marks,omitempty"`
	Attrs   map[string]string `json:"attrs,omitempty"`
	Content []node            `json:"content,omitempty"`
}

type mark struct {
	Type  string            `json:"type"`
	Attrs map[string]string `json:"attrs,omitempty"`
}

// What Jira says of a text of the wrong kind.
var (
	errNoDocument = errors.New("Operation value must be an Atlassian Document (see the Atlassian Document Format)") //nolint:staticcheck // Jira's words
	errNoText     = errors.New("Operation value must be a string")                                                  //nolint:staticcheck // Jira's words
)

// textOf reads a text: a document, or a string of markup. A document is kept as markup.
func textOf(raw json.RawMessage, documents bool) (string, error) {
	if !documents {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return "", errNoText
		}
		return text, nil
	}
	var doc node
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&doc) != nil || doc.Type != "doc" || doc.Version != 1 || len(doc.Content) == 0 {
		return "", errNoDocument
	}
	var blocks []string
	for i := range doc.Content {
		text, err := doc.Content[i].block()
		if err != nil {
			return "", err
		}
		blocks = append(blocks, text)
	}
	return strings.Join(blocks, "\n"), nil
}

// block is a paragraph or a block of code as markup.
func (n *node) block() (string, error) {
	var b strings.Builder
	switch n.Type {
	case "codeBlock":
		for _, c := range n.Content {
			if c.Type != "text" || len(c.Marks) > 0 || c.Text == nil || *c.Text == "" {
				return "", fmt.Errorf("INVALID_INPUT: %w", errNoDocument)
			}
			b.WriteString(*c.Text)
		}
		return "{noformat}\n" + strings.ReplaceAll(b.String(), "{noformat}", "{ noformat}") + "\n{noformat}\n", nil
	case "paragraph":
	default:
		return "", fmt.Errorf("INVALID_INPUT: %w", errNoDocument)
	}
	for i := range n.Content {
		text, err := n.Content[i].inline()
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String() + "\n", nil
}

// inline is a piece of a paragraph as markup.
func (n *node) inline() (string, error) {
	switch {
	case n.Type == "hardBreak" && n.Text == nil:
		return "\n", nil
	case n.Type != "text" || n.Text == nil || *n.Text == "":
		return "", fmt.Errorf("INVALID_INPUT: %w", errNoDocument)
	}
	text := escaped(*n.Text)
	for _, m := range n.Marks {
		switch m.Type {
		case "strong":
			text = "*" + text + "*"
		case "link":
			if m.Attrs["href"] == "" {
				return "", fmt.Errorf("INVALID_INPUT: %w", errNoDocument)
			}
			text = "[" + text + "|" + m.Attrs["href"] + "]"
		default:
			return "", fmt.Errorf("INVALID_INPUT: %w", errNoDocument)
		}
	}
	return text, nil
}

// escaped takes the meaning from the characters of the markup.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\{}[]|*!`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// documentOf is a text of markup as a document: its lines, without their form.
func documentOf(text string) map[string]any {
	var content []any
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if i > 0 {
			content = append(content, map[string]any{"type": "hardBreak"})
		}
		if line = plain(line); line != "" {
			content = append(content, map[string]any{"type": "text", "text": line})
		}
	}
	return map[string]any{"type": "doc", "version": 1, "content": []any{map[string]any{"type": "paragraph", "content": content}}}
}

// plain is a line of markup without its form.
func plain(s string) string {
	var out strings.Builder
	for {
		m := marked.FindStringSubmatchIndex(s)
		if m == nil {
			return out.String() + s
		}
		out.WriteString(s[:m[0]])
		switch {
		case m[2] >= 0:
			out.WriteString(s[m[2]:m[3]])
		case m[4] >= 0:
			out.WriteString(plain(s[m[4]:m[5]]))
		default:
			out.WriteString(plain(s[m[6]:m[7]]))
		}
		s = s[m[1]:]
	}
}
