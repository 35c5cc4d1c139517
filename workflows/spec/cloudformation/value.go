package cloudformation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// What a template may hold at most: CloudFormation's own limit of its size, and
// bounds of what aliases and references multiply.
const (
	maxBytes = 1 << 20
	maxNodes = 200_000
	maxDepth = 64
)

// Kind is what a value is.
type Kind int

// The kinds of values. A Call is an intrinsic function that has not been
// resolved; resolved values hold none.
const (
	Scalar Kind = iota
	Null
	List
	Map
	Call
)

// Value is a value of a template with its place, both numbers from 1.
type Value struct {
	Line, Col int
	Kind      Kind
	Text      string // of a scalar; of a call the name of the function, such as Ref or Fn::Sub
	Plain     bool   // a scalar without quotes: may be a number or a yes or no
	Items     []*Value
	Entries   []Entry
	Missing   []string // what the placeholders in Text stand for
}

// Entry is a key of a map with its value.
type Entry struct {
	Line, Col int
	Key       string
	Value     *Value
}

// Get returns the value of a key, or nil.
func (v *Value) Get(key string) *Value {
	if v != nil && v.Kind == Map {
		for _, e := range v.Entries {
			if e.Key == key {
				return e.Value
			}
		}
	}
	return nil
}

// Absent says whether a resolved value is to be left out: AWS::NoValue.
func (v *Value) Absent() bool { return v.Kind == Null }

// String is the text of a scalar, or "".
func (v *Value) String() string {
	if v == nil || v.Kind != Scalar {
		return ""
	}
	return v.Text
}

// Values reads a file of YAML or JSON that need not be a template. The value is
// nil exactly when there is a fault.
func Values(file string, data []byte) (*Value, []spec.Diagnostic) { return read(file, data) }

// Open says whether a placeholder is part of the text.
func (v *Value) Open() bool { return strings.Contains(strings.ToUpper(v.Text), marker) }

// OwnRegion says whether the value is the Region of the stack, which is not known.
func (v *Value) OwnRegion() bool { return v.String() == unknownRegion }

// read parses a file; the value is nil exactly when there is a fault.
func read(file string, data []byte) (root *Value, faults []spec.Diagnostic) {
	fault := func(line, col int, message, hint string) []spec.Diagnostic {
		return []spec.Diagnostic{{File: file, Line: max(line, 1), Col: max(col, 1), Message: message, Hint: hint}}
	}
	const check = "check brackets, quotes and indentation here and just before"
	defer func() { // the parser is somebody else's
		if r := recover(); r != nil {
			root, faults = nil, fault(1, 1, "the file cannot be read as YAML", "check brackets, quotes and indentation")
		}
	}()
	if len(data) > maxBytes {
		return nil, fault(1, 1, fmt.Sprintf("the template has %d bytes", len(data)), fmt.Sprintf("CloudFormation takes at most %d", maxBytes))
	}
	if !utf8.Valid(data) {
		for i, line := range bytes.Split(data, []byte("\n")) {
			if !utf8.Valid(line) {
				return nil, fault(i+1, 1, "the line is not UTF-8", "save the file as UTF-8")
			}
		}
	}
	var doc yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(spec.YAML(data))).Decode(&doc)
	var load *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF), err == nil && len(doc.Content) == 0:
		return nil, fault(1, 1, "the file is empty", "a template has Resources")
	case errors.As(err, &load):
		return nil, fault(load.Mark.Line, load.Mark.Column, load.Message, check)
	case err != nil:
		return nil, fault(1, 1, strings.TrimPrefix(err.Error(), "yaml: "), check)
	}
	r := &reader{}
	root = r.value(doc.Content[0], 0)
	if r.problem != "" {
		return nil, fault(r.line, r.col, r.problem, r.hint)
	}
	return root, nil
}

// reader turns the parser's tree into values. After its first problem it reads no further.
type reader struct {
	nodes, line, col int
	problem, hint    string
}

func (r *reader) fail(n *yaml.Node, problem, hint string) *Value {
	if r.problem == "" {
		r.line, r.col, r.problem, r.hint = n.Line, n.Column, problem, hint
	}
	return &Value{Line: max(n.Line, 1), Col: max(n.Column, 1), Kind: Null}
}

func (r *reader) value(n *yaml.Node, depth int) *Value {
	if r.nodes++; r.problem != "" || r.nodes > maxNodes || depth > maxDepth {
		return r.fail(n, "the template is nested too deeply, or its aliases hold too much", "CloudFormation refuses it too")
	}
	v := &Value{Line: max(n.Line, 1), Col: max(n.Column, 1)}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		v.Kind = List
		for _, c := range n.Content {
			v.Items = append(v.Items, r.value(c, depth+1))
		}
	case yaml.MappingNode:
		v.Kind = Map
		r.entries(v, n, depth)
	case yaml.ScalarNode:
		v.Text, v.Plain = n.Value, n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
		if n.ShortTag() == "!!null" {
			v.Kind = Null
		}
	}
	return called(v, n.Tag)
}

func (r *reader) entries(v *Value, n *yaml.Node, depth int) {
	seen := map[string]bool{}
	var merged []Entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, content := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			r.fail(k, "a key must be a word", "quote it")
			return
		}
		if k.ShortTag() == "!!merge" {
			merged = append(merged, r.value(content, depth+1).Entries...)
			continue
		}
		if seen[k.Value] {
			r.fail(k, k.Value+" is given twice", "keep one of them")
			return
		}
		seen[k.Value] = true
		v.Entries = append(v.Entries, Entry{max(k.Line, 1), max(k.Column, 1), k.Value, r.value(content, depth+1)})
	}
	for _, e := range merged {
		if !seen[e.Key] {
			seen[e.Key] = true
			v.Entries = append(v.Entries, e)
		}
	}
}

// called recognises intrinsic functions: as YAML's short tags, and as maps of one key.
func called(v *Value, tag string) *Value {
	if name, short := strings.CutPrefix(tag, "!"); short && name != "" && name[0] != '!' {
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return &Value{Line: v.Line, Col: v.Col, Kind: Call, Text: name, Items: []*Value{v}}
	}
	if v.Kind != Map || len(v.Entries) != 1 {
		return v
	}
	e := v.Entries[0]
	if e.Key == "Ref" && e.Value.Kind == Scalar || e.Key == "Condition" && e.Value.Kind == Scalar || strings.HasPrefix(e.Key, "Fn::") && !strings.HasPrefix(e.Key, "Fn::ForEach") {
		return &Value{Line: v.Line, Col: v.Col, Kind: Call, Text: e.Key, Items: []*Value{e.Value}}
	}
	return v
}
