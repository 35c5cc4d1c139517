// Package markup is a text for an issue or a comment, written once and rendered
// as each kind of Jira wants it: as a document (ADF) for Cloud, as wiki markup for
// Data Center. What comes from outside is only ever text: it makes no heading, no
// macro, no mention and no link.
package markup

import (
	"strings"
	"unicode"
)

// Span is a piece of text in a line.
type Span struct {
	Text string
	Bold bool
	URL  string // where it leads; anything but a web address counts as none
}

// Text is plain text.
func Text(s string) Span { return Span{Text: s} }

// Bold is bold text.
func Bold(s string) Span { return Span{Text: s, Bold: true} }

// Link is text that leads to a web page.
func Link(s, url string) Span { return Span{Text: s, URL: url} }

// link is the span's address; empty: it has none that is safe to show.
func (s Span) link() string {
	if !IsLink(s.URL) {
		return ""
	}
	return s.URL
}

// IsLink says whether an address is one of the web that a text may link.
func IsLink(url string) bool {
	web := strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
	return web && !strings.ContainsFunc(url, func(c rune) bool { return unicode.IsControl(c) || strings.ContainsRune(" |[]!\"<>\\{}", c) })
}

// Line is one line of a paragraph.
type Line []Span

// block is a paragraph, or a piece of text that is shown as it is.
type block struct {
	lines []Line
	code  string // without lines
}

// Doc is a text. The zero value is empty.
type Doc struct{ blocks []block }

// Paragraph begins a new paragraph, which the next lines belong to.
func (d *Doc) Paragraph() { d.blocks = append(d.blocks, block{}) }

// Line adds a line to the paragraph.
func (d *Doc) Line(spans ...Span) {
	if n := len(d.blocks); n == 0 || d.blocks[n-1].code != "" {
		d.Paragraph()
	}
	last := &d.blocks[len(d.blocks)-1]
	last.lines = append(last.lines, spans)
}

// Fact adds a line that begins with a bold name.
func (d *Doc) Fact(name string, spans ...Span) {
	d.Line(append([]Span{Bold(name + ":"), Text(" ")}, spans...)...)
}

// Code adds lines that are shown as they are; nothing for an empty text.
func (d *Doc) Code(text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		d.blocks = append(d.blocks, block{code: text})
	}
}

// Add adds the other text behind this one.
func (d *Doc) Add(other *Doc) { d.blocks = append(d.blocks, other.blocks...) }

// Plain is the text without any form, a line each.
func (d *Doc) Plain() string {
	var b strings.Builder
	for _, k := range d.blocks {
		for _, l := range k.lines {
			for _, s := range l {
				b.WriteString(s.Text)
			}
			b.WriteByte('\n')
		}
		if k.code != "" {
			b.WriteString(k.code + "\n")
		}
	}
	return b.String()
}

// Map returns the text with every piece of it replaced.
func (d *Doc) Map(replace func(string) string) *Doc {
	var out Doc
	for _, k := range d.blocks {
		n := block{code: replace(k.code)}
		for _, l := range k.lines {
			var line Line
			for _, s := range l {
				s.Text = replace(s.Text)
				line = append(line, s)
			}
			n.lines = append(n.lines, line)
		}
		out.blocks = append(out.blocks, n)
	}
	return &out
}

// FirstLine is the text's first line alone.
func (d *Doc) FirstLine() *Doc {
	var first Doc
	if len(d.blocks) > 0 && len(d.blocks[0].lines) > 0 {
		first.Line(d.blocks[0].lines[0]...)
	}
	return &first
}
