package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a file may hold at most. Files come from people with the right to edit,
// over the API too: a slip must not cost the service its memory or its time.
const (
	maxBytes  = 256 << 10
	maxTokens = 50_000 // the parser takes quadratic time for the keys of one mapping
	maxNodes  = 50_000 // after aliases have been followed
	maxDepth  = 24
)

// pos is a place in the file, both numbers from 1.
type pos struct{ line, col int }

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
	text    string // of a scalar, as it is meant
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

// tree reads a file. It returns nil after an error that leaves nothing to check.
func tree(data []byte, d *diagnostics) *node {
	if len(data) > maxBytes {
		d.add(pos{1, 1}, fmt.Sprintf("the file has %d KiB", len(data)>>10), fmt.Sprintf("at most %d KiB are allowed", maxBytes>>10))
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if !utf8.Valid(data) {
		for line, text := range strings.Split(string(data), "\n") {
			if !utf8.ValidString(text) {
				d.add(pos{line + 1, 1}, "the line is not UTF-8", "save the file as UTF-8")
			}
		}
		return nil
	}
	if json.Valid(data) { // YAML refuses tabs in places where JSON allows them
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	tokens := lexer.Tokenize(string(data))
	if at, fault := bounded(tokens); fault != "" {
		d.add(at, fault, "a pipeline file is much simpler than that")
		return nil
	}
	doc := document(tokens, d)
	if doc == nil {
		return nil
	}
	b := builder{diagnostics: d, anchors: map[string]ast.Node{}}
	root := b.node(doc, 0)
	if b.broken {
		return nil
	}
	return root
}

// document parses the one document of a file.
func document(tokens token.Tokens, d *diagnostics) (body ast.Node) {
	// The parser is somebody else's, and a file must never stop the service.
	defer func() {
		if r := recover(); r != nil {
			d.add(pos{1, 1}, "the file cannot be read as YAML", "check brackets, quotes and indentation")
			body = nil
		}
	}()
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := pos{1, 1}, err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			message = syntax.Message
			if syntax.Token != nil {
				at = place(syntax.Token)
			}
		}
		d.add(at, message, "check brackets, quotes and indentation here and just before")
		return nil
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body == nil:
			body = doc.Body
		default:
			d.add(place(doc.Start), "the file holds more than one document", "write one pipeline per file")
			return nil
		}
	}
	if body == nil {
		d.add(pos{1, 1}, "the file is empty", "a pipeline begins with name and stages")
	}
	return body
}

// bounded refuses what would make the parser recurse too deep or take too long.
func bounded(tokens token.Tokens) (at pos, fault string) {
	if len(tokens) > maxTokens {
		return pos{1, 1}, "the file holds too many values"
	}
	flow, line, openers := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, openers = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			openers++
		case token.StringType, token.SingleQuoteType, token.DoubleQuoteType:
			if flow > 0 {
				openers = 0
			}
		}
		if flow > maxDepth || openers > maxDepth {
			return place(t), "the file is nested too deeply"
		}
	}
	return pos{}, ""
}

func place(t *token.Token) pos {
	if t == nil || t.Position == nil {
		return pos{1, 1}
	}
	return pos{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// builder turns the parser's tree into ours.
type builder struct {
	*diagnostics
	anchors map[string]ast.Node
	nodes   int
	broken  bool // an error was reported after which the tree says nothing
}

func (b *builder) fail(at pos, message, hint string) *node {
	if !b.broken {
		b.add(at, message, hint)
	}
	b.broken = true
	return &node{pos: at, kind: null}
}

func (b *builder) node(n ast.Node, depth int) *node {
	if n == nil || b.broken {
		return &node{pos: pos{1, 1}, kind: null}
	}
	at := place(n.GetToken())
	b.nodes++
	if depth > maxDepth || b.nodes > maxNodes {
		return b.fail(at, "the file is nested too deeply, or its aliases hold too much", "a pipeline file is much simpler than that")
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		b.anchors[n.Name.GetToken().Value] = n.Value
		return b.node(n.Value, depth)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		if b.anchors[name] == nil {
			return b.fail(at, "there is no anchor &"+name, "an alias comes after its anchor")
		}
		return b.node(b.anchors[name], depth+1)
	case *ast.TagNode:
		return b.node(n.Value, depth+1)
	case *ast.NullNode:
		return &node{pos: at, kind: null}
	case *ast.LiteralNode:
		return &node{pos: at, text: n.Value.Value}
	case *ast.StringNode:
		return &node{pos: at, text: n.Value, plain: n.Token.Type == token.StringType}
	case *ast.SequenceNode:
		out := &node{pos: at, kind: list}
		for _, v := range n.Values {
			out.items = append(out.items, b.node(v, depth+1))
		}
		return out
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			at = place(n.Values[0].Key.GetToken())
		}
		return b.mapping(at, n.Values, depth)
	case *ast.MappingValueNode:
		return b.mapping(place(n.Key.GetToken()), []*ast.MappingValueNode{n}, depth)
	}
	return &node{pos: at, text: n.GetToken().Value, plain: true} // numbers, yes and no
}

func (b *builder) mapping(at pos, values []*ast.MappingValueNode, depth int) *node {
	out := &node{pos: at, kind: mapping}
	seen := map[string]bool{}
	var merged []*node
	for _, v := range values {
		if v.Key.IsMergeKey() {
			m := b.node(v.Value, depth+1)
			if merged = append(merged, m); m.kind == list {
				merged = append(merged, m.items...)
			}
			continue
		}
		key := b.node(v.Key, depth+1)
		if c, complex := v.Key.(*ast.MappingKeyNode); complex {
			key = b.node(c.Value, depth+1)
		}
		if key.kind != scalar {
			b.fail(key.pos, "a key must be a word", "quote it")
			continue
		}
		value := b.node(v.Value, depth+1)
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
