package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/workflows/age"
)

// maxFile bounds the configuration, in bytes.
const maxFile = 256 << 10

// decoder lays a YAML tree out over the structs and gathers every fault on the way.
type decoder struct {
	file, dir string
	private   bool // nobody else can read the file
	problems  Problems
	nodes     map[string]*yaml.Node // by path, for the checks that come after
	kept      []Kept
	values    map[string]string // of secrets that AWS keeps, as far as they have been fetched
}

func (d *decoder) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}

func (d *decoder) problem(n *yaml.Node, message, hint string) {
	p := Problem{File: d.file, Line: 1, Col: 1, Message: message, Hint: hint}
	if n != nil && n.Line > 0 {
		p.Line, p.Col = n.Line, n.Column
	}
	d.problems = append(d.problems, p)
}

func (d *decoder) sorted() Problems {
	sort.SliceStable(d.problems, func(i, j int) bool {
		a, b := d.problems[i], d.problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return d.problems
}

func (d *decoder) decodeFile(data []byte, into *Config) {
	d.nodes = map[string]*yaml.Node{}
	if len(data) > maxFile {
		d.problem(nil, fmt.Sprintf("the file is larger than %d bytes", maxFile), "is this the right file?")
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		d.syntax(err)
		return
	}
	if len(doc.Content) > 0 {
		d.decode(doc.Content[0], "", reflect.ValueOf(into).Elem())
	}
}

func (d *decoder) syntax(err error) {
	p := Problem{File: d.file, Line: 1, Col: 1, Message: "this is not YAML: " + err.Error()}
	var at *yaml.LoadError
	if errors.As(err, &at) {
		p.Message, p.Line, p.Col = "this is not YAML: "+at.Message, max(at.Mark.Line, 1), max(at.Mark.Column, 1)
		if strings.HasPrefix(at.Message, "unknown anchor") { // names what may be a secret that begins with *
			p.Message, p.Hint = "this is not YAML: a value that begins with * is read as an alias, and there is nothing of that name", "quote it"
		}
	}
	d.problems = append(d.problems, p)
}

// decode writes the node into v; a fault leaves v as it was.
func (d *decoder) decode(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		d.problem(n, path+" is an alias", "write the value out: the configuration knows no aliases")
		return
	}
	if n.ShortTag() == "!!null" {
		return
	}
	d.nodes[path] = n
	switch to := v.Addr().Interface().(type) {
	case *Secret:
		d.readSecret(n, path, to)
		return
	case *time.Duration:
		text, _ := scalar(n)
		got, err := time.ParseDuration(text)
		if err != nil || got <= 0 {
			d.problem(n, path+" must be a duration", "for example 30s or 5m")
			return
		}
		*to = got
		return
	case *age.Age:
		text, _ := scalar(n)
		got, err := age.Parse(text)
		if err != nil {
			d.problem(n, path+" must be a time to keep things for", "for example 400d, 90d or 36h; leave it out to keep them for ever")
			return
		}
		*to = got
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(n, path, v.Elem())
	case reflect.Struct:
		d.decodeStruct(n, path, v)
	case reflect.Slice:
		d.decodeList(n, path, v)
	case reflect.Map:
		d.decodeMap(n, path, v)
	default:
		d.decodeScalar(n, path, v)
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, path string, v reflect.Value) {
	values := fields(n)
	if values == nil {
		d.problem(n, name(path)+" must be a section with keys", "")
		return
	}
	known, seen := map[string][]int{}, map[string]bool{}
	var names []string
	for _, f := range reflect.VisibleFields(v.Type()) { // those of an embedded struct too
		if tag := f.Tag.Get("yaml"); tag != "" {
			known[tag] = f.Index
			names = append(names, tag)
		}
	}
	for _, kv := range values {
		key := kv.key.Value
		i, ok := known[key]
		switch {
		case !ok:
			d.problem(kv.key, fmt.Sprintf("there is no key %s here", join(path, key)), didYouMean(key, names))
		case seen[key]:
			d.problem(kv.key, join(path, key)+" is given twice", "keep one")
		default:
			seen[key] = true
			d.decode(kv.value, join(path, key), v.FieldByIndex(i))
		}
	}
}

func (d *decoder) decodeList(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, path+" must be a list", "")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.decode(item, fmt.Sprintf("%s[%d]", path, i), out.Index(i))
	}
	v.Set(out)
}

func (d *decoder) decodeMap(n *yaml.Node, path string, v reflect.Value) {
	values := fields(n)
	if values == nil {
		d.problem(n, path+" must be a section with keys", "")
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, kv := range values {
		item := reflect.New(v.Type().Elem()).Elem()
		key := kv.key.Value
		if out.MapIndex(reflect.ValueOf(key)).IsValid() {
			d.problem(kv.key, join(path, key)+" is given twice", "keep one")
			continue
		}
		d.decode(kv.value, join(path, key), item)
		out.SetMapIndex(reflect.ValueOf(key), item)
	}
	v.Set(out)
}

func (d *decoder) decodeScalar(n *yaml.Node, path string, v reflect.Value) {
	text, ok := scalar(n)
	if !ok {
		d.problem(n, path+" must be a single value", "")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			d.problem(n, path+" must be true or false", "")
			return
		}
		v.SetBool(strings.EqualFold(text, "true"))
	case reflect.Int64:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			d.problem(n, path+" must be a whole number", "")
			return
		}
		v.SetInt(i)
	}
}

// entry is one key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// fields returns a mapping's entries; nil when n is none.
func fields(n *yaml.Node) []entry {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	all := make([]entry, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, entry{n.Content[i], n.Content[i+1]})
	}
	return all
}

// scalar returns the text of a single value.
func scalar(n *yaml.Node) (string, bool) { return n.Value, n.Kind == yaml.ScalarNode }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func name(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// didYouMean names the known key that is nearest, when one is near.
func didYouMean(key string, known []string) string {
	best, far := "", 3
	for _, k := range known {
		if n := distance(strings.ToLower(key), strings.ToLower(k)); n < far {
			best, far = k, n
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	if len(known) == 0 {
		return ""
	}
	slices.Sort(known)
	return "known here: " + strings.Join(known, ", ")
}

// distance is how many letters must change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0]++
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
