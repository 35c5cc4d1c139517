package rehearsal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// What a test file may hold at most: a slip must not cost a machine its memory.
const (
	maxBytes = 512 << 10
	maxNodes = 50_000 // after aliases have been followed
	maxDepth = 24
)

// The kinds of nodes.
const (
	scalar = iota
	null
	list
	mapping
)

// node is a value of a file with its place, both numbers from 1.
type node struct {
	line, col int
	kind      int
	text      string
	items     []*node
	entries   []entry
}

// entry is a key of a mapping with its value.
type entry struct{ key, value *node }

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	if n != nil {
		for _, e := range n.entries {
			if e.key.text == key {
				return e.value
			}
		}
	}
	return nil
}

// str returns the text of a key, or "".
func (n *node) str(key string) string {
	if v := n.get(key); v != nil {
		return v.text
	}
	return ""
}

// texts returns the items of a list; of a single value, that one.
func (n *node) texts() []string {
	switch {
	case n == nil || n.kind == null:
		return nil
	case n.kind == scalar:
		return []string{n.text}
	}
	words := make([]string, len(n.items))
	for i, item := range n.items {
		words[i] = item.text
	}
	return words
}

// table returns a mapping of texts.
func (n *node) table() map[string]string {
	if n == nil {
		return nil
	}
	all := make(map[string]string, len(n.entries))
	for _, e := range n.entries {
		all[e.key.text] = e.value.text
	}
	return all
}

// String writes the value on one line, as it could stand in a file.
func (n *node) String() string {
	var parts []string
	switch n.kind {
	case list:
		for _, item := range n.items {
			parts = append(parts, item.String())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		for _, e := range n.entries {
			parts = append(parts, e.key.text+": "+e.value.String())
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return n.text
}

// faults gathers what is wrong with a file.
type faults struct {
	file string
	list []Fault
}

func (f *faults) add(n *node, message, hint string) {
	at := Fault{File: f.file, Line: 1, Col: 1, Message: message, Hint: hint}
	if n != nil {
		at.Line, at.Col = n.line, n.col
	}
	f.list = append(f.list, at)
}

// tree reads a file; nil after an error that leaves nothing to check.
func tree(data []byte, f *faults) *node {
	switch {
	case len(data) > maxBytes:
		f.add(nil, fmt.Sprintf("the file has %d KiB", len(data)>>10), fmt.Sprintf("at most %d KiB are allowed", maxBytes>>10))
		return nil
	case !utf8.Valid(data):
		f.add(nil, "the file is not UTF-8", "save it as UTF-8")
		return nil
	}
	doc := oneDocument(data, f)
	if doc == nil {
		return nil
	}
	b := builder{faults: f}
	if root := b.node(doc, 0); !b.broken {
		return root
	}
	return nil
}

// oneDocument parses the one document of a file.
func oneDocument(data []byte, f *faults) (body *yaml.Node) {
	// The parser is somebody else's; a file must never end the program in a stack trace.
	defer func() {
		if r := recover(); r != nil {
			f.add(nil, "the file cannot be read as YAML", "check brackets, quotes and indentation")
			body = nil
		}
	}()
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		var at *yaml.LoadError
		switch {
		case errors.Is(err, io.EOF) && body == nil:
			f.add(nil, "the file is empty", "a test file begins with pipeline: FILE")
			return nil
		case errors.Is(err, io.EOF):
			return body
		case errors.As(err, &at):
			f.add(&node{line: max(at.Mark.Line, 1), col: max(at.Mark.Column, 1)}, at.Message, "check brackets, quotes and indentation here and just before")
			return nil
		case err != nil:
			f.add(nil, strings.TrimPrefix(err.Error(), "yaml: "), "check brackets, quotes and indentation")
			return nil
		case len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null":
		case body != nil:
			f.add(&node{line: doc.Content[0].Line, col: doc.Content[0].Column}, "the file holds more than one document", "write one test file per document")
			return nil
		default:
			body = doc.Content[0]
		}
	}
}

// builder turns the parser's tree into ours.
type builder struct {
	*faults
	nodes  int
	broken bool // an error was reported after which the tree says nothing
}

func (b *builder) fail(at *node, message, hint string) *node {
	if !b.broken {
		b.add(at, message, hint)
	}
	b.broken = true
	return at
}

func (b *builder) node(n *yaml.Node, depth int) *node {
	at := &node{line: max(n.Line, 1), col: max(n.Column, 1), kind: null}
	b.nodes++
	if depth > maxDepth || b.nodes > maxNodes || b.broken {
		return b.fail(at, "the file is nested too deeply, or its aliases hold too much", "split it")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return b.node(n.Alias, depth+1)
	case yaml.SequenceNode:
		at.kind = list
		for _, v := range n.Content {
			at.items = append(at.items, b.node(v, depth+1))
		}
	case yaml.MappingNode:
		at.kind = mapping
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := b.node(n.Content[i], depth+1), b.node(n.Content[i+1], depth+1)
			switch {
			case key.kind != scalar || n.Content[i].ShortTag() == "!!merge":
				b.fail(key, "a key must be a word", "quote it")
			case at.get(key.text) != nil:
				b.add(key, key.text+" is given twice", "keep one of them")
			default:
				at.entries = append(at.entries, entry{key, value})
			}
		}
	default:
		if n.ShortTag() != "!!null" {
			at.kind, at.text = scalar, n.Value
		}
	}
	return at
}
