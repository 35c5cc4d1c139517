package markup

import (
	"encoding/json"
	"strings"
)

// node is a node of a document.
type node struct {
	Type    string         `json:"type"`
	Version int            `json:"version,omitempty"` // of the document
	Text    string         `json:"text,omitempty"`
	Marks   []mark         `json:"marks,omitempty"`
	Attrs   map[string]any `json:"attrs,omitempty"`
	Content []node         `json:"content,omitempty"`
}

type mark struct {
	Type  string            `json:"type"`
	Attrs map[string]string `json:"attrs,omitempty"`
}

// ADF renders Atlassian's document format, as JSON. A text node is never empty,
// and a block of code holds one text without marks.
func (d *Doc) ADF() json.RawMessage {
	doc := node{Type: "doc", Version: 1}
	for _, k := range d.blocks {
		if k.code != "" {
			doc.Content = append(doc.Content, node{Type: "codeBlock", Content: []node{{Type: "text", Text: k.code}}})
			continue
		}
		p := node{Type: "paragraph"}
		for i, l := range k.lines {
			if i > 0 {
				p.Content = append(p.Content, node{Type: "hardBreak"})
			}
			p.Content = append(p.Content, textNodes(l)...)
		}
		doc.Content = append(doc.Content, p)
	}
	if len(doc.Content) == 0 {
		doc.Content = []node{{Type: "paragraph"}}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		panic("markup: texts always marshal: " + err.Error())
	}
	return raw
}

func textNodes(l Line) (out []node) {
	for _, s := range l {
		if s.Text == "" {
			continue
		}
		n := node{Type: "text", Text: s.Text}
		if s.link() != "" {
			n.Marks = append(n.Marks, mark{Type: "link", Attrs: map[string]string{"href": s.link()}})
		}
		if s.Bold {
			n.Marks = append(n.Marks, mark{Type: "strong"})
		}
		out = append(out, n)
	}
	return out
}

// Flatten is the text of a body that Jira gives back: of a string it is the
// string, of a document its text, a line for each block and each break. What is
// neither is empty.
func Flatten(body json.RawMessage) string {
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	var doc node
	if json.Unmarshal(body, &doc) != nil {
		return ""
	}
	var b strings.Builder
	flatten(&b, &doc, 0)
	return b.String()
}

// deepest is how deep documents are read.
const deepest = 50

func flatten(b *strings.Builder, n *node, depth int) {
	if depth > deepest {
		return
	}
	b.WriteString(n.Text)
	if n.Type == "hardBreak" {
		b.WriteByte('\n')
	}
	for i := range n.Content {
		flatten(b, &n.Content[i], depth+1)
	}
	switch n.Type {
	case "paragraph", "heading", "codeBlock":
		b.WriteByte('\n')
	}
}
