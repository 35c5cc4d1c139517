package spec

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// What templates may cost: they multiply.
const (
	mostTemplates = 3       // above a file
	mostText      = 1 << 20 // bytes that references are replaced by
)

// templates puts a file together with those it extends.
type templates struct {
	reader
	open func(path string) ([]byte, error)
}

// layer is one file of a chain: the file itself, or a template above it.
type layer struct {
	path string
	root *node
}

// parameter is what a chain of templates says of one name. A nearer default
// counts; all patterns count.
type parameter struct {
	fallback *node
	patterns []*regexp.Regexp
}

// IsTemplate says whether a file is a template: it lists parameters and has no
// name. Whoever reads a folder of pipelines passes it by; [CheckTemplate] says
// what is wrong with it.
func IsTemplate(data []byte) bool {
	if !bytes.Contains(data, []byte("parameters")) && !bytes.ContainsRune(data, '\\') {
		return false // the key is not there, nor written with escapes
	}
	return isTemplate(tree("", data, &diagnostics{}))
}

func isTemplate(root *node) bool {
	p := root.get("parameters")
	return p != nil && p.kind == list && root.get("name") == nil
}

// CheckTemplate reports what can be said of a template alone: its list of
// parameters, and references that it does not declare. Everything else is
// checked with each file that extends it. Templates that it extends in turn are
// not read, so what they declare is taken for declared.
func CheckTemplate(file string, data []byte) []Diagnostic {
	d := &diagnostics{file: file}
	t := templates{reader: reader{d, shapes{}}}
	root := tree("", data, d)
	switch {
	case root == nil:
	case !isTemplate(root):
		d.add(root.pos, "the file is no template", "a template has parameters: [] and no name")
	case root.get("extends") == nil:
		declared := map[string]*parameter{}
		t.declare(root, declared)
		s := substitution{diagnostics: d, declared: declared}
		s.tree(root, 0)
	default:
		t.declare(root, map[string]*parameter{})
	}
	return d.sorted()
}

// assemble returns the definition with everything it extends; nil after an
// error that leaves nothing to check.
func (t templates) assemble(leaf *node) *node {
	given, extends := leaf.get("parameters"), leaf.get("extends")
	switch {
	case isTemplate(leaf):
		t.add(given.pos, "the file is a template, not a pipeline", "a file with a name and extends: FILE makes a pipeline of it")
		return nil
	case extends == nil && given != nil:
		t.add(given.pos, "parameters belong to a template, or to a file that extends one", "a pipeline's own are variables")
		return nil
	case extends == nil:
		return leaf
	}
	chain, ok := t.chain(leaf)
	if !ok {
		return nil
	}
	declared := map[string]*parameter{}
	var bodies []*node
	values := t.values(extends, given)
	budget := &budget{}
	before := len(t.list)
	for _, l := range slices.Backward(chain) {
		t.declare(l.root, declared)
		s := substitution{diagnostics: t.diagnostics, declared: declared, values: values, budget: budget}
		bodies = append(bodies, s.tree(l.root, 0))
	}
	t.checkValues(given, extends, values, declared)
	if len(t.list) > before {
		return nil
	}
	root := bodies[0]
	lengthen(root)
	for _, body := range append(bodies[1:], bare(leaf)) {
		lengthen(body)
		root = merge(root, body)
	}
	root.pos = leaf.pos
	return root
}

// chain opens what the file extends, nearest first.
func (t templates) chain(leaf *node) (chain []layer, ok bool) {
	own := path.Clean(t.file)
	folder := path.Dir(own)
	seen := []string{own}
	for at := (layer{own, leaf}); at.root.get("extends") != nil; {
		e := at.root.get("extends")
		if e.kind != scalar || e.text == "" {
			t.add(e.pos, "extends must name a file", "such as extends: templates/service.yaml")
			return nil, false
		}
		target := path.Join(path.Dir(at.path), e.text)
		switch {
		case t.open == nil:
			t.add(e.pos, "extends works in files only", "send the whole definition, as rollcall export prints it")
		case path.IsAbs(e.text) || !inside(folder, target):
			t.add(e.pos, "extends cannot be "+words.Quoted(e.text), "the path is relative to this file and stays in the folder of the pipeline file, or below")
		case slices.Contains(seen, target):
			t.add(e.pos, words.Quoted(e.text)+" extends itself, directly or through others", "remove one extends")
		case len(chain) == mostTemplates:
			t.add(e.pos, fmt.Sprintf("there are more than %d templates above the file", mostTemplates), "put some of them together")
		default:
			data, err := t.open(target)
			if err != nil {
				t.add(e.pos, fmt.Sprintf("the template %s cannot be read: %v", words.Quoted(e.text), err), "the path is relative to this file")
				return nil, false
			}
			root := tree(target, data, t.diagnostics)
			if root == nil {
				return nil, false
			}
			if !isTemplate(root) {
				t.add(e.pos, words.Quoted(e.text)+" is no template", "a template lists its parameters, with parameters: [] if there are none, and has no name")
				return nil, false
			}
			at = layer{target, root}
			chain, seen = append(chain, at), append(seen, target)
			continue
		}
		return nil, false
	}
	return chain, true
}

func inside(folder, target string) bool {
	if folder == "." {
		return !path.IsAbs(target) && target != ".." && !strings.HasPrefix(target, "../")
	}
	return strings.HasPrefix(target, strings.TrimSuffix(folder, "/")+"/") && !strings.HasPrefix(target, folder+"/../")
}

// declare reads a template's list of parameters.
func (t templates) declare(root *node, declared map[string]*parameter) {
	seen := map[string]bool{}
	for _, item := range root.get("parameters").list() {
		o := t.object(item, "parameter")
		o.unused("description")
		name, pattern := o.must("name"), o.text("pattern")
		switch {
		case name == "":
			continue
		case len(name) > 128 || !madeOf(name, inNamespaces):
			t.add(o.at("name"), "the parameter's name cannot be "+words.Quoted(name), "use letters, digits and @ - _")
			continue
		case seen[name]:
			t.add(o.at("name"), "there are two parameters "+name, "names of parameters are unique in a template")
			continue
		}
		seen[name] = true
		p := declared[name]
		if p == nil {
			p = &parameter{}
			declared[name] = p
		}
		if whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`); err != nil {
			t.add(o.at("pattern"), "the pattern "+words.Quoted(pattern)+" is no regular expression", "RE2 syntax; it must match the whole value")
		} else if pattern != "" {
			p.patterns = append(p.patterns, whole)
		}
		if v := o.get("default"); v != nil {
			if !plainValue(v) {
				t.add(v.pos, "default must be text, a number, true, false or a list of these", "leave it out to ask for a value")
				continue
			}
			p.fallback = v
			t.match(name, v, p)
		}
	}
}

// plainValue says whether a parameter may have the value.
func plainValue(v *node) bool {
	return v.kind == scalar || v.kind == list && !slices.ContainsFunc(v.items, func(i *node) bool { return i.kind != scalar })
}

// match holds a value against the patterns of its parameter.
func (t templates) match(name string, v *node, p *parameter) {
	for _, item := range append(v.list(), v) {
		for _, whole := range p.patterns {
			if item.kind == scalar && !whole.MatchString(item.text) {
				pattern := strings.TrimSuffix(strings.TrimPrefix(whole.String(), `\A(?:`), `)\z`)
				t.add(item.pos, fmt.Sprintf("the parameter %s cannot be %s", name, words.Quoted(item.text)), "it must match "+pattern+" as a whole")
			}
		}
	}
}

// values reads what the file gives for parameters.
func (t templates) values(extends, given *node) map[string]*node {
	values := map[string]*node{}
	if given != nil && given.kind != mapping {
		t.add(given.pos, "parameters must hold names and values", "such as parameters: {service: webshop}")
		return values
	}
	if given != nil {
		for _, e := range given.entries {
			values[e.key] = e.value
			if !plainValue(e.value) {
				t.add(e.value.pos, fmt.Sprintf("the parameter %s must be text, a number, true, false or a list of these", e.key), "remove it to take the template's default")
			}
		}
	}
	return values
}

// checkValues reports values that nobody asked for or that do not fit, and those that are missing.
func (t templates) checkValues(given, extends *node, values map[string]*node, declared map[string]*parameter) {
	names := words.Keys(declared)
	if given != nil {
		for _, e := range given.entries {
			if p := declared[e.key]; p == nil {
				t.add(e.pos, "the template has no parameter "+words.Quoted(e.key), orThe(meant(e.key, names), "remove it"))
			} else {
				t.match(e.key, e.value, p)
			}
		}
	}
	at := extends.pos
	if given != nil {
		at = given.pos
	}
	for _, name := range names {
		if values[name] == nil && declared[name].fallback == nil {
			t.add(at, "the parameter "+name+" is missing", "add parameters: {"+name+": …}")
		}
	}
}

// bare is a file's definition without what templates need.
func bare(root *node) *node {
	out := &node{pos: root.pos, kind: mapping}
	for _, e := range root.entries {
		if e.key != "extends" && e.key != "parameters" {
			out.entries = append(out.entries, e)
		}
	}
	return out
}
