package spec

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// compiled is the schema as somebody else reads it.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plain is a file as plain values, as editors see it.
func plain(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	var err error
	if json.Valid(data) {
		err = json.Unmarshal(data, &v)
	} else {
		err = yaml.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return again(t, v)
}

// again is a copy of plain values.
func again(t testing.TB, v any) any {
	t.Helper()
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(marshal(t, v)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSchemaAcceptsWhatIsAccepted: an editor never underlines what Parse reads.
func TestSchemaAcceptsWhatIsAccepted(t *testing.T) {
	schema := compiled(t)
	patterns := []string{"testdata/*.yaml", "testdata/*.json", "../../examples/*/pipelines/*.yaml", "../../examples/*/*/pipelines/*.yaml"}
	if dir := os.Getenv("ROLLCALL_SAMPLES"); dir != "" {
		patterns = append(patterns, filepath.Join(dir, "codepipeline", "*.json"))
	}
	accepted := 0
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, _ := ParseWith(file, data, os.ReadFile)
			if p == nil && !IsTemplate(data) {
				continue
			}
			accepted++
			if err := schema.Validate(plain(t, data)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			for _, text := range printed(p) {
				if err := schema.Validate(plain(t, text)); err != nil {
					t.Errorf("%s, printed: %v\n%s", file, err, text)
				}
			}
		}
	}
	if accepted < 6 {
		t.Errorf("only %d files were looked at", accepted)
	}
}

// TestSchemaAndParseAgree takes files that hold every key and breaks each of
// their values in each way that the table knows of: what the schema underlines,
// Parse refuses, and the limits are the same in both.
func TestSchemaAndParseAgree(t *testing.T) {
	m := mutator{t: t, schema: compiled(t), shapes: readTable(), seen: map[string]bool{}}
	for file, part := range map[string]string{"testdata/all-keys.yaml": "pipeline", "testdata/all-keys.json": "file"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m.root = plain(t, data)
		m.object(m.root.(map[string]any), m.shapes[part], part)
	}
	for _, name := range words.Keys(m.shapes) {
		for _, k := range m.shapes[name].keys {
			if name != "template" && name != "parameter" && !m.seen[name+"."+k.name] {
				t.Errorf("no file holds %s of %s", k.name, name)
			}
		}
	}
	t.Logf("%d broken files", m.tried)
}

type mutator struct {
	t      *testing.T
	schema *jsonschema.Schema
	shapes shapes
	root   any
	seen   map[string]bool
	tried  int
}

// broken says that the whole file is refused as it is now.
func (m *mutator) broken(what string) {
	m.t.Helper()
	m.tried++
	text := marshal(m.t, m.root)
	if m.schema.Validate(again(m.t, m.root)) == nil {
		m.t.Errorf("%s: the schema accepts it", what)
	}
	if p, faults := Parse("broken.json", text); p != nil {
		m.t.Errorf("%s: Parse accepts it: %v", what, faults)
	}
}

func (m *mutator) object(v map[string]any, s *shape, where string) {
	v["zzz"] = "x"
	m.broken(where + " with an unknown key")
	delete(v, "zzz")
	for _, k := range s.keys {
		old, given := v[k.name]
		at := where + "." + k.name
		if !given {
			continue
		}
		m.seen[s.name+"."+k.name] = true
		if k.must {
			delete(v, k.name)
			m.broken(at + " missing")
			v[k.name] = old
		}
		for _, f := range k.forms {
			if !k.must && f.pattern != "" {
				f.low = 0 // an empty text is none
			}
			m.value(f, old, len(k.forms) == 1, func(n any) { v[k.name] = n }, at)
		}
	}
}

// value breaks a value that has the form; set puts another in its place. Only
// a form that has no alternatives is given what others might allow.
func (m *mutator) value(f form, old any, alone bool, set func(any), at string) {
	try := func(what string, n any) {
		set(n)
		m.broken(at + " " + what)
		set(old)
	}
	list, isList := old.([]any)
	object, isObject := old.(map[string]any)
	scalar := !isList && !isObject
	switch {
	case f.sort == text && scalar:
		if f.high > 0 {
			try("too long", strings.Repeat("x", f.high+1))
		}
		if f.low > 0 {
			try("empty", "")
		}
		if alone {
			try("a list", []any{"x"})
		}
	case f.sort == choice:
		try("another word", "NOPE")
	case f.sort == number:
		try("too small", f.low-1)
		try("a word", "many")
		try("a fraction", 1.5)
		if f.high > 0 {
			try("too large", f.high+1)
		}
	case f.sort == truth:
		try("a word", "maybe")
	case f.sort == part && isObject:
		m.object(object, m.shapes[f.words[0]], at)
		if alone {
			try("a word", "x")
		}
	case f.sort == many && isList && (len(list) == 0 || fitsSort(list[0], f.of)):
		if f.low > 0 {
			try("an empty list", []any{})
		}
		if f.limited && (f.high > 0 || f.low == 0) && f.high < 100 {
			long := slices.Clone(list)
			for len(long) <= f.high {
				long = append(long, "x")
			}
			try("too many", long)
		}
		for i := range list {
			for _, of := range f.of {
				m.value(of, list[i], len(f.of) == 1, func(n any) { list[i] = n }, at+"[]")
			}
		}
	case f.sort == free && isObject:
		for _, key := range slices.Collect(maps.Keys(object)) {
			for _, of := range f.of {
				m.value(of, object[key], len(f.of) == 1, func(n any) { object[key] = n }, at+"."+key)
			}
		}
	}
}

// fitsSort says whether a list's entry is of the sort that one of the forms has.
func fitsSort(v any, forms []form) bool {
	_, object := v.(map[string]any)
	return slices.ContainsFunc(forms, func(f form) bool { return (f.sort == part) == object })
}

// TestSchemaKnowsTemplates: a file that extends may leave things out and patch.
func TestSchemaKnowsTemplates(t *testing.T) {
	schema := compiled(t)
	for text, valid := range map[string]bool{
		"{extends: base.yaml, name: x, parameters: {a: 1, b: [x, y]}, stages: [{name: Build, onFailure: ~}]}":                                        true,
		"{parameters: [{name: a, default: 1, pattern: '[0-9]'}], stages: [{name: '${{parameters.a}}'}]}":                                             true,
		"{parameters: [], stages: [{name: S, actions: [{name: A, runOrder: '${{parameters.a}}'}]}]}":                                                 true,
		"{extends: base.yaml, name: x, stages: [{name: Build, actions: [{name: A, runOrder: one}]}]}":                                                false,
		"{extends: base.yaml, name: x, stage: []}":                                                                                                   false,
		"{name: x, stages: [{name: Build, actions: [{name: A, provider: Commands, runOrder: '${{parameters}}'}]}, {name: B, actions: [{name: A}]}]}": false,
	} {
		if err := schema.Validate(plain(t, []byte(text))); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// printed is a pipeline in both forms of print; a template has none.
func printed(p *workflows.Pipeline) [][]byte {
	if p == nil {
		return nil
	}
	return [][]byte{Print(p), PrintJSON(p)}
}
