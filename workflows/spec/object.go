package spec

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// reader turns the tree into values and reports what has the wrong shape. What
// cannot be read becomes a zero value, in its place, so that everything else
// can still be checked.
type reader struct {
	*diagnostics
	shapes shapes
}

// object is a mapping that is being read. A nil or misshapen node reads as empty.
type object struct {
	reader
	*node
	what string // "the stage": for messages
	part *shape
}

// object begins to read a part of the file (see table) and reports all keys
// that are not its own.
func (r reader) object(n *node, part string) object {
	s := r.shapes.part(part)
	o, known := object{r, n, s.what, s}, s.names()
	if n.kind != mapping {
		r.add(n.pos, o.what+" must hold keys and values", "such as {"+known[0]+": …}")
		return o
	}
	for _, e := range n.entries {
		if !slices.Contains(known, e.key) {
			hint := meant(e.key, known)
			if part == "rollback" && e.key == "hold" { // as files of before the first release said
				hint = "it is called lock now"
			}
			r.add(e.pos, o.what+" has no key "+words.Quoted(e.key), hint)
		}
	}
	return o
}

// has says whether a key is given.
func (o object) has(key string) bool { return o.get(key) != nil }

// scalar returns the value of a key, when it is one.
func (o object) scalar(key string) *node {
	v := o.get(key)
	switch {
	case v == nil:
		return nil
	case v.kind == null:
		o.add(v.pos, key+" has no value", "remove the key, or give it a value; # begins a comment unless it is quoted")
		return nil
	case v.kind != scalar:
		o.add(v.pos, key+" must be text", "such as "+key+": …")
		return nil
	}
	return v
}

// text returns a key's value, or "". An empty one is reported where the table
// wants at least one character.
func (o object) text(key string) string {
	v := o.scalar(key)
	if v == nil {
		return ""
	}
	short := func(f form) bool { return f.sort == text && f.limited && f.low > 0 }
	if v.text == "" && !slices.ContainsFunc(o.part.key(key).forms, func(f form) bool { return !short(f) }) {
		o.add(v.pos, key+" is empty", "remove the key, or give it a value")
	}
	return v.text
}

// must is text that has to be given.
func (o object) must(key string) string {
	v := o.scalar(key)
	switch {
	case v != nil && v.text != "":
		return v.text
	case v != nil:
		o.add(v.pos, key+" is empty", "give it a value")
	case !o.has(key) && o.kind == mapping:
		o.add(o.pos, o.what+" has no "+key, "add "+key+": …")
	}
	return ""
}

// oneOf is text that must be one of the table's words; the first of them by default.
func (o object) oneOf(key string) string {
	known := o.part.words(key)
	v := o.scalar(key)
	if v == nil {
		return known[0]
	}
	if !slices.Contains(known, v.text) {
		o.add(v.pos, key+" cannot be "+words.Quoted(v.text), meant(v.text, known))
	}
	return v.text
}

// unused holds keys that mean nothing here against the table all the same.
func (o object) unused(keys ...string) {
	for _, name := range keys {
		if v := o.get(name); v != nil {
			o.checkValue(name, v, o.part.key(name).forms)
		}
	}
}

// checkValue reports a value that has none of the forms.
func (r reader) checkValue(name string, v *node, forms []form) {
	switch f := forms[0]; {
	case f.sort == part:
		o := r.object(v, f.words[0])
		for _, k := range o.part.keys {
			if k.must {
				o.must(k.name)
			}
		}
		o.unused(o.part.names()...)
	case f.sort == free && v.kind == mapping:
		for _, e := range v.entries {
			r.checkValue(e.key, e.value, f.of)
		}
	case !slices.ContainsFunc(forms, v.fits):
		r.add(v.pos, name+" cannot be "+orThe(map[bool]string{true: words.Quoted(v.text)}[v.kind == scalar], "this"), "it is "+inWords(forms))
	}
}

// fits says whether a value without parts has the form.
func (n *node) fits(f form) bool {
	switch f.sort {
	case text:
		length := utf8.RuneCountInString(n.text)
		return n.kind == scalar && (!f.limited || f.low <= length && length <= f.high) &&
			(f.pattern == "" || regexp.MustCompile(f.pattern).MatchString(n.text))
	case choice:
		return n.kind == scalar && slices.Contains(f.words, n.text)
	}
	return f.sort == anything
}

// number is a whole number.
func (o object) number(key string, otherwise int) int {
	v := o.scalar(key)
	if v == nil {
		return otherwise
	}
	n, err := strconv.Atoi(v.text)
	if err != nil || !v.plain {
		o.add(v.pos, key+" must be a whole number, not "+words.Quoted(v.text), "such as "+key+": 1")
		return otherwise
	}
	return n
}

// flag is true or false.
func (o object) flag(key string, otherwise bool) bool {
	v := o.scalar(key)
	if v == nil {
		return otherwise
	}
	word := strings.ToLower(v.text)
	if !v.plain || word != "true" && word != "false" {
		o.add(v.pos, key+" must be true or false, not "+words.Quoted(v.text), "without quotes")
		return otherwise
	}
	return word == "true"
}

// each returns the values of a list.
func (o object) each(key string) []*node {
	v := o.get(key)
	if v == nil || v.kind == null {
		return nil
	}
	if v.kind != list {
		o.add(v.pos, key+" must be a list", "write it in [ ], or each entry behind a dash")
		return nil
	}
	return v.items
}

// texts is a list of texts.
func (o object) texts(key string) (out []string) {
	for _, v := range o.each(key) {
		if v.kind != scalar || v.text == "" {
			o.add(v.pos, key+" holds an entry that is no text", "quote what holds a colon and a space")
		}
		out = append(out, v.text)
	}
	return out
}

// pairs returns the values of a mapping whose keys are free.
func (o object) pairs(key string) []entry {
	v := o.get(key)
	if v == nil || v.kind == null {
		return nil
	}
	if v.kind != mapping {
		o.add(v.pos, key+" must hold keys and values", "such as "+key+": {…: …}")
		return nil
	}
	return v.entries
}

// table is a mapping of free keys to texts.
func (o object) table(key string) map[string]string {
	var out map[string]string
	for _, e := range o.pairs(key) {
		if e.value.kind != scalar {
			o.add(e.value.pos, e.key+" must be text", "quote it; structured values are given as JSON text")
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[e.key] = e.value.text
	}
	return out
}
