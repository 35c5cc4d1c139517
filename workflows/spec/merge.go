package spec

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// budget bounds what the templates of one file may grow to.
type budget struct {
	nodes, text int
	spent       bool // and reported
}

// substitution replaces ${{parameters.NAME}} in one template. Without values
// (a template alone) it only reports what is not declared.
type substitution struct {
	*diagnostics
	declared map[string]*parameter
	values   map[string]*node
	budget   *budget
}

// tree copies a template's tree with every reference replaced.
func (s *substitution) tree(n *node, depth int) *node {
	out := &node{pos: n.pos, kind: n.kind, text: n.text, plain: n.plain}
	if s.spend(n, 1, 0) {
		return out
	}
	switch n.kind {
	case scalar:
		return s.scalar(n)
	case list:
		for _, item := range n.items {
			out.items = append(out.items, s.tree(item, depth+1))
		}
	case mapping:
		for _, e := range n.entries {
			if depth == 0 && (e.key == "extends" || e.key == "parameters") {
				continue
			}
			if strings.Contains(e.key, opens) {
				s.add(e.pos, "a key cannot hold a parameter", "parameters are for values")
			}
			out.entries = append(out.entries, entry{e.pos, e.key, s.tree(e.value, depth+1)})
		}
	}
	return out
}

// spend says, and reports once, that there is more than a pipeline can need.
func (s *substitution) spend(n *node, nodes, text int) bool {
	b := s.budget
	if b == nil {
		return false
	}
	b.nodes, b.text = b.nodes+nodes, b.text+text
	over := b.nodes > maxNodes || b.text > mostText
	if over && !b.spent {
		s.add(n.pos, "the templates hold too much once their parameters are filled in", "a pipeline is much smaller than that")
		b.spent = true
	}
	return over
}

const opens = "${{"

// scalar fills in the references of a value. One that is a reference and
// nothing else becomes the parameter's value, whatever that is, and stands
// where that was written.
func (s *substitution) scalar(n *node) *node {
	var filled strings.Builder
	rest := n.text
	for {
		before, after, found := strings.Cut(rest, opens)
		filled.WriteString(before)
		if !found {
			break
		}
		inner, behind, closed := strings.Cut(after, "}}")
		name, prefixed := strings.CutPrefix(strings.TrimSpace(inner), "parameters.")
		p := s.declared[name]
		switch {
		case !closed || !prefixed:
			s.add(n.pos, words.Quoted(opens+inner+map[bool]string{true: "}}"}[closed])+" is no reference", "write ${{parameters.NAME}}")
			return n
		case p == nil:
			s.add(n.pos, "the template declares no parameter "+words.Quoted(name), orThe(meant(name, words.Keys(s.declared)), "add it to parameters"))
			return n
		}
		rest = behind
		value := s.values[name]
		if value == nil {
			value = p.fallback
		}
		switch whole := before == "" && behind == "" && filled.Len() == 0; {
		case s.budget == nil || value == nil: // a template alone, or a value that is missing, which is reported once
		case whole:
			return s.copied(value)
		case value.kind != scalar:
			s.add(n.pos, "the parameter "+name+" is a list here", "a list can only be a value of its own: ${{parameters."+name+"}}")
			return n
		default:
			if s.spend(n, 0, len(value.text)) {
				return n
			}
			filled.WriteString(value.text)
		}
	}
	return &node{pos: n.pos, text: filled.String(), plain: n.plain && !strings.Contains(n.text, opens)}
}

// copied is a value of its own: what is read is rewritten in place.
func (s *substitution) copied(v *node) *node {
	s.spend(v, 1, len(v.text))
	out := &node{pos: v.pos, kind: v.kind, text: v.text, plain: v.plain}
	for _, i := range v.items {
		out.items = append(out.items, s.copied(i))
	}
	return out
}

// mergedByName are the lists whose entries are told apart by their names.
// Every other list is replaced as a whole.
const mergedByName = "variables stages actions rules environmentVariables"

// replaced are the mappings that belong together and are replaced as a whole.
const replaced = "actionTypeId ruleTypeId"

// merge lays a file over the template that it extends. Nothing (~) takes a key away.
func merge(base, over *node) *node {
	out := &node{pos: base.pos, kind: mapping}
	for _, e := range base.entries {
		v := over.get(e.key)
		switch {
		case v == nil:
			out.entries = append(out.entries, e)
		case v.kind == null:
		default:
			out.entries = append(out.entries, entry{e.pos, e.key, mergeValue(e.key, e.value, v)})
		}
	}
	for _, e := range over.entries {
		if base.get(e.key) == nil {
			out.entries = append(out.entries, e)
		}
	}
	return out
}

func mergeValue(key string, base, over *node) *node {
	switch {
	case base.kind == mapping && over.kind == mapping && !slices.Contains(strings.Fields(replaced), key):
		return merge(base, over)
	case base.kind == list && over.kind == list && slices.Contains(strings.Fields(mergedByName), key):
		return mergeByName(base, over)
	}
	return over
}

// mergeByName keeps the template's order. A new entry is put behind the one
// that it follows in the file, and at the end when it follows none.
func mergeByName(base, over *node) *node {
	out := &node{pos: base.pos, kind: list, items: slices.Clone(base.items)}
	last := len(out.items) - 1
	for _, v := range over.items {
		i := slices.IndexFunc(out.items, func(b *node) bool { return named(b) != "" && named(b) == named(v) })
		switch {
		case i >= 0 && v.kind == mapping && out.items[i].kind == mapping:
			out.items[i] = merge(out.items[i], v)
			last = i
		default:
			last++
			out.items = slices.Insert(out.items, last, v)
		}
	}
	return out
}

func named(n *node) string {
	if name := n.get("name"); name != nil && name.kind == scalar {
		return name.text
	}
	return ""
}
