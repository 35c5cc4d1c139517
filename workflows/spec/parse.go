package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// What a file may hold at most. Files come from people with the right to edit,
// over the API too: a slip must not cost the service its memory or its time.
const (
	maxBytes = 256 << 10
	maxNodes = 50_000 // after aliases have been followed
	maxDepth = 24
)

// pos is a place in a file, both numbers from 1. An empty file is the one that
// is being read, any other a template of it.
type pos struct {
	line, col int
	file      string
}

// The kinds of nodes.
const (
	scalar = iota
	null
	list
	mapping
)

// node is a value of the file with its place: what is left of YAML and JSON
// once anchors, tags and merge keys have been followed.
type node struct {
	pos
	kind    int
	text    string // of a scalar, as it is meant; of a null, as it is written: null, ~ or nothing
	plain   bool   // a scalar without quotes: may be a number or a yes or no
	items   []*node
	entries []entry
}

// entry is a key of a mapping with its value.
type entry struct {
	pos
	key   string
	value *node
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	if n != nil {
		for _, e := range n.entries {
			if e.key == key {
				return e.value
			}
		}
	}
	return nil
}

// at returns the place of what a path of keys and indexes leads to. A step
// that leads nowhere is left out, so that what is missing is reported at what
// should hold it.
func (n *node) at(path ...any) pos {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			if v := n.get(step); v != nil {
				n = v
			}
		case int:
			if step < len(n.items) {
				n = n.items[step]
			}
		}
	}
	return n.pos
}

// find returns what a path leads to, or nil.
func (n *node) find(path ...any) *node {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			n = n.get(step)
		case int:
			if n == nil || step >= len(n.items) {
				return nil
			}
			n = n.items[step]
		}
	}
	return n
}

// withoutNulls takes out the keys that are given as null: absent, as AWS prints
// what a pipeline does not have. A key with nothing behind it stays: it is a
// slip, such as a # that was not quoted.
func (n *node) withoutNulls() {
	n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.value.kind == null && e.value.text != "" })
	for _, e := range n.entries {
		e.value.withoutNulls()
	}
	for _, item := range n.items {
		item.withoutNulls()
	}
}

// tree reads a file; an empty name is the file itself, another one a template
// of it. It returns nil after an error that leaves nothing to check.
func tree(file string, data []byte, d *diagnostics) *node {
	if len(data) > maxBytes {
		d.add(pos{1, 1, file}, fmt.Sprintf("the file has %d bytes", len(data)), fmt.Sprintf("at most %d (%d KiB) are allowed", maxBytes, maxBytes>>10))
		return nil
	}
	if !utf8.Valid(data) {
		for line, text := range strings.Split(string(data), "\n") {
			if !utf8.ValidString(text) {
				d.add(pos{line + 1, 1, file}, "the line is not UTF-8", "save the file as UTF-8")
			}
		}
		return nil
	}
	doc := oneDocument(file, YAML(data), d)
	if doc == nil {
		return nil
	}
	b := builder{diagnostics: d, file: file}
	root := b.node(doc, 0)
	if b.broken {
		return nil
	}
	return root
}

// YAML is the text of a file, YAML or JSON, as a parser of YAML reads it: that
// refuses tabs in places where JSON allows them, knows no surrogate pairs, and
// takes more characters for line breaks. Every line keeps its number.
func YAML(data []byte) []byte {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if !json.Valid(data) {
		return data
	}
	data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	return []byte(unprintable().Replace(string(pairs(data))))
}

// unprintable escapes what YAML does not take as it is inside quotes.
func unprintable() *strings.Replacer {
	return strings.NewReplacer("\u0085", `\u0085`, "\u2028", `\u2028`, "\u2029", `\u2029`, "\uFEFF", `\uFEFF`, "\x7f", `\u007F`)
}

// pairs writes JSON's surrogate pairs out as the characters they stand for: YAML has no such escapes.
func pairs(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\u`)) {
		return data
	}
	var out []byte
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' || i+1 == len(data) {
			out = append(out, data[i])
			continue
		}
		if high, low := escape(data, i), escape(data, i+6); utf16.IsSurrogate(high) {
			out = utf8.AppendRune(out, utf16.DecodeRune(high, low))
			i += 5
			if utf16.IsSurrogate(low) {
				i += 6
			}
			continue
		}
		out = append(out, data[i], data[i+1])
		i++
	}
	return out
}

// escape reads \uXXXX at i; 0 when there is none.
func escape(data []byte, i int) rune {
	if i+6 > len(data) || data[i] != '\\' || data[i+1] != 'u' {
		return 0
	}
	r, err := strconv.ParseUint(string(data[i+2:i+6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(r)
}

// oneDocument parses the one document of a file.
func oneDocument(file string, data []byte, d *diagnostics) (body *yaml.Node) {
	// The parser is somebody else's, and a file must never stop the service.
	defer func() {
		if r := recover(); r != nil {
			d.add(pos{1, 1, file}, "the file cannot be read as YAML", "check brackets, quotes and indentation")
			body = nil
		}
	}()
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		switch {
		case errors.Is(err, io.EOF) && body == nil:
			d.add(pos{1, 1, file}, "the file is empty", "a pipeline begins with name and stages")
			return nil
		case errors.Is(err, io.EOF):
			return body
		case err != nil:
			syntax(file, err, d)
			return nil
		case len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null":
		case body != nil:
			d.add(posOf(file, doc.Content[0]), "the file holds more than one document", "write one pipeline per file")
			return nil
		default:
			body = doc.Content[0]
		}
	}
}

func syntax(file string, err error, d *diagnostics) {
	at, message := pos{1, 1, file}, strings.TrimPrefix(err.Error(), "yaml: ")
	var fault *yaml.LoadError
	if errors.As(err, &fault) {
		at, message = pos{max(fault.Mark.Line, 1), max(fault.Mark.Column, 1), file}, fault.Message
	}
	if name, ok := strings.CutPrefix(message, "unknown anchor '"); ok {
		d.add(at, "there is no anchor &"+strings.TrimSuffix(name, "' referenced"), "an alias comes after its anchor")
		return
	}
	d.add(at, message, "check brackets, quotes and indentation here and just before")
}

func posOf(file string, n *yaml.Node) pos { return pos{max(n.Line, 1), max(n.Column, 1), file} }

// builder turns the parser's tree into ours.
type builder struct {
	*diagnostics
	file   string
	nodes  int
	broken bool // an error was reported after which the tree says nothing
}

func (b *builder) fail(at pos, message, hint string) *node {
	if !b.broken {
		b.add(at, message, hint)
	}
	b.broken = true
	return &node{pos: at, kind: null}
}

func (b *builder) node(n *yaml.Node, depth int) *node {
	if b.broken {
		return &node{pos: pos{1, 1, b.file}, kind: null}
	}
	at := posOf(b.file, n)
	b.nodes++
	if depth > maxDepth || b.nodes > maxNodes {
		return b.fail(at, "the file is nested too deeply, or its aliases hold too much", "a pipeline file is much simpler than that")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return b.node(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := &node{pos: at, kind: list}
		for _, v := range n.Content {
			out.items = append(out.items, b.node(v, depth+1))
		}
		return out
	case yaml.MappingNode:
		return b.mapping(at, n.Content, depth)
	}
	if n.ShortTag() == "!!null" {
		return &node{pos: at, kind: null, text: n.Value}
	}
	return &node{pos: at, text: n.Value, plain: n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0}
}

// mapping takes keys and values in turn.
func (b *builder) mapping(at pos, content []*yaml.Node, depth int) *node {
	out := &node{pos: at, kind: mapping}
	seen := map[string]bool{}
	var merged []*node
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].ShortTag() == "!!merge" {
			m := b.node(content[i+1], depth+1)
			if merged = append(merged, m); m.kind == list {
				merged = append(merged, m.items...)
			}
			continue
		}
		key := b.node(content[i], depth+1)
		if key.kind != scalar {
			b.fail(key.pos, "a key must be a word", "quote it")
			continue
		}
		value := b.node(content[i+1], depth+1)
		if seen[key.text] {
			b.add(key.pos, fmt.Sprintf("%s is given twice", key.text), "keep one of them")
			continue
		}
		seen[key.text] = true
		out.entries = append(out.entries, entry{key.pos, key.text, value})
	}
	for _, m := range merged {
		for _, e := range m.entries {
			if !seen[e.key] {
				seen[e.key] = true
				out.entries = append(out.entries, e)
			}
		}
	}
	return out
}
