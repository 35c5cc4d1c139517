package spec_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// A cases file says in words what is given and what follows. Below stand
// pipeline files, each followed by what is said of it ("FILE says"), which
// -update writes; a template has no such answer unless a file extends it.
const says = " says"

// TestScenarios are the numbered rules of CodePipeline about structure.
func TestScenarios(t *testing.T) {
	everyCase(t, "testdata/scenarios/*.txt", false)
}

// TestTemplates shows files that extend others, with what comes of them.
func TestTemplates(t *testing.T) {
	everyCase(t, "testdata/templates/*.txt", true)
}

func everyCase(t *testing.T, pattern string, print bool) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			given, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := &txtar.Archive{Comment: given.Comment}
			for _, f := range given.Files {
				if strings.HasSuffix(f.Name, says) {
					continue
				}
				out.Files = append(out.Files, f)
				if !spec.IsTemplate(f.Data) {
					out.Files = append(out.Files, txtar.File{Name: f.Name + says, Data: []byte(answer(t, given, f, print))})
				}
			}
			compare(t, file, string(txtar.Format(out)))
		})
	}
}

// answer is what a person is told of a file of the archive.
func answer(t *testing.T, all *txtar.Archive, f txtar.File, print bool) string {
	t.Helper()
	p, faults := spec.ParseWith(f.Name, f.Data, func(path string) ([]byte, error) {
		for _, other := range all.Files {
			if other.Name == path {
				return other.Data, nil
			}
		}
		return nil, fs.ErrNotExist
	})
	var out strings.Builder
	for _, f := range faults {
		fmt.Fprintln(&out, f)
		if f.Hint == "" {
			t.Errorf("%s: a person is not told what to do", f)
		}
	}
	if p == nil {
		return out.String()
	}
	roundTrip(t, p)
	if print {
		return out.String() + string(spec.Print(p))
	}
	return out.String() + "accepted\n"
}

// TestATemplateAlone is checked as far as that goes.
func TestATemplateAlone(t *testing.T) {
	for text, says := range map[string]string{
		"parameters: [{name: a}]\nchannel: \"${{parameters.a}}\"\n":                     "",
		"parameters: [{name: a}]\nchannel: \"${{parameters.b}}\"\n":                     `t.yaml:2:10: the template declares no parameter "b" (known: a)`,
		"extends: x.yaml\nparameters: [{name: a, pattern: \"(\"}]\n":                    `t.yaml:2:33: the pattern "(" is no regular expression (RE2 syntax; it must match the whole value)`,
		"name: shop\nstages: []\n":                                                      "t.yaml:1:1: the file is no template (a template has parameters: [] and no name)",
		"parameters: [{name: a, defualt: 1}]\nchannel: \"${{ parameters.a }}${{x}}\"\n": "t.yaml:1:24: the parameter has no key \"defualt\" (did you mean default?)\nt.yaml:2:10: \"${{x}}\" is no reference (write ${{parameters.NAME}})",
	} {
		var got []string
		for _, f := range spec.CheckTemplate("t.yaml", []byte(text)) {
			got = append(got, f.String())
		}
		if strings.Join(got, "\n") != says {
			t.Errorf("%s\ngot  %s\nwant %s", text, strings.Join(got, "\n"), says)
		}
	}
	if p, faults := spec.Parse("t.yaml", []byte("parameters: []\n")); p != nil || len(faults) != 1 || !strings.Contains(faults[0].Message, "a template, not a pipeline") {
		t.Errorf("got %v and %v", p, faults)
	}
	if p, faults := spec.Parse("t.yaml", []byte("extends: x.yaml\nname: shop\n")); p != nil || len(faults) != 1 || !strings.Contains(faults[0].Message, "extends works in files only") {
		t.Errorf("got %v and %v", p, faults)
	}
}

// TestTemplatesCannotGrowWithoutBounds: parameters multiply what is in a template.
func TestTemplatesCannotGrowWithoutBounds(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	for about, c := range map[string]struct{ template, value string }{
		"text": {"channel: \"" + strings.Repeat("${{parameters.a}}", 10_000) + "\"\n", big},
		"list": {"owners: [" + strings.Repeat("\"${{parameters.a}}\", ", 9_000) + "x]\n", "[" + strings.Repeat("x, ", 20_000) + "x]"},
		"copy": {"owners: [" + strings.Repeat("\"${{parameters.a}}\", ", 9_000) + "x]\n", big},
	} {
		leaf := "extends: t.yaml\nname: shop\nparameters: {a: " + c.value + "}\n"
		p, faults := spec.ParseWith("shop.yaml", []byte(leaf), func(string) ([]byte, error) {
			return []byte("parameters: [{name: a}]\n" + c.template), nil
		})
		if p != nil || len(faults) == 0 || !strings.Contains(faults[0].Message, "the templates hold too much") {
			t.Errorf("%s: got %.300v", about, faults)
		}
	}
}

// FuzzTemplates checks what must hold for every file that extends another.
func FuzzTemplates(f *testing.F) {
	files, err := filepath.Glob("testdata/templates/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		a := txtar.Parse(data)
		f.Add(a.Files[0].Data, a.Files[1].Data)
		f.Add(a.Files[0].Data, a.Files[len(a.Files)-1].Data)
	}
	f.Add([]byte("extends: a.yaml\nparameters: [{name: a}]\n"), []byte("extends: b.yaml\nname: x\nparameters: {a: [b]}\n"))
	f.Fuzz(func(t *testing.T, template, leaf []byte) {
		p, faults := spec.ParseWith("leaf.yaml", leaf, func(path string) ([]byte, error) {
			if strings.HasPrefix(path, "..") || strings.HasPrefix(path, "/") {
				t.Errorf("%s was asked for", path)
			}
			return template, nil
		})
		failed := false
		for _, fault := range faults {
			if fault.Line < 1 || fault.Col < 1 || fault.Message == "" || fault.File == "" {
				t.Errorf("a fault without a place: %+v", fault)
			}
			failed = failed || !fault.Warning
		}
		if (p == nil) != failed {
			t.Fatalf("%v and %v", faults, p)
		}
		if p != nil {
			roundTrip(t, p)
		}
		spec.CheckTemplate("template.yaml", template)
	})
}
