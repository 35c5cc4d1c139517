package spec

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const reference = "../../docs/pipelines.md"

// TestReference keeps docs/pipelines.md in step with the table; -update writes it.
func TestReference(t *testing.T) {
	page := page{t, readTable(), map[string]string{}, map[string]bool{}}
	page.gather()
	prose, err := os.ReadFile("testdata/pipelines.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.New("pipelines.md").Delims("[[", "]]").Funcs(template.FuncMap{"keys": page.keys, "providers": page.providers, "judges": page.judges, "outputs": outputs}).Parse(string(prose))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range words.Keys(page.shapes) {
		if !page.written[name] {
			t.Errorf("the page does not show the keys of %s", name)
		}
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(reference, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, out.Bytes()) {
		t.Errorf("%s is not what the table says; write it with -update", reference)
	}
	examples(t, out.String())
}

// outputs lists the output variables of a provider's actions.
func outputs(provider string) string {
	names, _ := source.Outputs(&workflows.Action{ActionType: workflows.ActionType{Provider: provider}})
	return "`" + strings.Join(names, "`, `") + "`"
}

// examples reads every file that the page shows: a block whose first line is its name.
func examples(t *testing.T, page string) {
	shown := map[string][]byte{}
	for _, block := range strings.Split(page, "```yaml\n# ")[1:] {
		name, text, _ := strings.Cut(block, "\n")
		text, _, _ = strings.Cut(text, "```")
		shown[name] = []byte(text)
	}
	if len(shown) < 4 {
		t.Errorf("the page shows %d files", len(shown))
	}
	for name, text := range shown {
		if IsTemplate(text) {
			continue
		}
		if _, faults := ParseWith(name, text, func(path string) ([]byte, error) {
			if shown[path] == nil {
				return nil, fs.ErrNotExist
			}
			return shown[path], nil
		}); len(faults) > 0 {
			t.Errorf("%v", faults)
		}
	}
}

// page writes the parts of the reference that come from the tables.
type page struct {
	t        *testing.T
	shapes   shapes
	examples map[string]string // by part and key
	written  map[string]bool
}

// gather takes the examples from files that hold every key.
func (p *page) gather() {
	for file, part := range map[string]string{"testdata/all-keys.json": "file", "testdata/all-keys.yaml": "pipeline"} {
		data, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		p.object(plain(p.t, data), part, part == "pipeline")
	}
}

func (p *page) object(v any, name string, short bool) {
	m, _ := v.(map[string]any)
	for _, k := range p.shapes[name].keys {
		v, given := m[k.name]
		if !given {
			continue
		}
		if text := flowOf(p.t, v); len(text) <= 70 && (short || p.examples[name+"."+k.name] == "") {
			p.examples[name+"."+k.name] = text
		}
		for _, f := range k.forms {
			p.inside(f, v, short)
		}
	}
}

func (p *page) inside(f form, v any, short bool) {
	list, _ := v.([]any)
	object, isObject := v.(map[string]any)
	switch {
	case f.sort == part && isObject:
		p.object(v, f.words[0], short)
	case f.sort == many:
		for _, item := range list {
			for _, of := range f.of {
				p.inside(of, item, short)
			}
		}
	case f.sort == free:
		for _, key := range words.Keys(object) {
			for _, of := range f.of {
				p.inside(of, object[key], short)
			}
		}
	}
}

// flowOf writes a value as one writes it in a file.
func flowOf(t *testing.T, v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case []any:
		each := []string{}
		for _, item := range v {
			each = append(each, flowOf(t, item))
		}
		return "[" + strings.Join(each, ", ") + "]"
	case map[string]any:
		each := []string{}
		for _, key := range words.Keys(v) {
			each = append(each, quote(key)+": "+flowOf(t, v[key]))
		}
		return "{" + strings.Join(each, ", ") + "}"
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keys writes a part of the file as a table.
func (p *page) keys(name string) (string, error) {
	s := p.shapes[name]
	if s == nil {
		return "", fmt.Errorf("there is no part %s", name)
	}
	p.written[name] = true
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n%s\n\n| Key | Holds | Default | Meaning | Example |\n|---|---|---|---|---|\n", name, s.about)
	for _, k := range s.keys {
		must := ""
		if k.must {
			must = " ●"
		}
		example := p.examples[name+"."+k.name]
		if example != "" {
			example = "`" + example + "`"
		}
		fmt.Fprintf(&out, "| `%s`%s | %s | %s | %s | %s |\n", k.name, must, cell(linked(k.forms)), cell(k.otherwise), cell(k.about), cell(example))
	}
	return out.String(), nil
}

// linked says what a key may hold, with links to the parts.
func linked(forms []form) string {
	return regexp.MustCompile(`keys of (\w+)`).ReplaceAllStringFunc(inWords(forms), func(m string) string {
		name := strings.TrimPrefix(m, "keys of ")
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	})
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// providers writes the catalogue of actions, one line per provider and category.
func (p *page) providers() string {
	return rowsOf("| Provider | Category | Inputs | Outputs | Configuration | Runs here |\n|---|---|---|---|---|---|\n", func(r row) string {
		if r.category == rules {
			return ""
		}
		return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n", r.provider, r.category, fromTo(r.minIn, r.maxIn), fromTo(r.minOut, r.maxOut), configurationOf(r), map[bool]string{true: "yes"}[r.runs])
	})
}

// judges writes the catalogue of rules.
func (p *page) judges() string {
	return rowsOf("| Provider | Configuration | Runs here |\n|---|---|---|\n", func(r row) string {
		if r.category != rules {
			return ""
		}
		return fmt.Sprintf("| `%s` | %s | %s |\n", r.provider, configurationOf(r), map[bool]string{true: "yes"}[r.runs])
	})
}

func rowsOf(head string, line func(row) string) string {
	out, seen := head, map[string]bool{}
	for text := range strings.Lines(catalogue) {
		f := strings.Fields(text)
		if len(f) == 0 {
			continue
		}
		r, _ := lookup(f[2], strings.TrimPrefix(f[0], "+"), f[1])
		if l := line(r); !seen[l] {
			out += l
			seen[l] = true
		}
	}
	return out
}

func fromTo(low, high int) string {
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

func configurationOf(r row) string {
	if r.anyKey {
		return "any, not checked"
	}
	var each []string
	for _, key := range r.keys {
		if slices.Contains(r.required, key) {
			key += " ●"
		}
		each = append(each, key)
	}
	return strings.Join(each, ", ")
}
