package rehearsal

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what is expected, and the reference in the documentation, with what is so now")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is otherwise now; read the difference, then run with -update:\n%s", name, got)
	}
}

// TestFaults shows what is said about files with mistakes in them.
func TestFaults(t *testing.T) {
	names, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, faults := Read(name, data, os.ReadFile)
		if f != nil || len(faults) == 0 {
			t.Error(name, "has no fault")
		}
		var b strings.Builder
		for _, fault := range faults {
			b.WriteString(strings.ReplaceAll(fault.String(), "testdata/faults/", "") + "\n")
		}
		golden(t, strings.TrimSuffix(name, ".yaml")+".txt", b.String())
	}
}

// TestFailures shows what is said of expectations that do not hold. Every
// expectation there is must be among them: one that cannot fail shows nothing.
func TestFailures(t *testing.T) {
	var b strings.Builder
	for _, name := range files(t, "testdata/failing") {
		for _, test := range read(t, name).Tests {
			r := test.Play()
			if len(r.Faults) == 0 {
				t.Error(test.Name, "passes")
			}
			fmt.Fprintf(&b, "%s\n", test.Name)
			for _, f := range r.Faults {
				fmt.Fprintf(&b, "  %d:%d: %s", f.Line, f.Col, f.Message)
				if f.Hint != "" {
					fmt.Fprintf(&b, " (%s)", f.Hint)
				}
				b.WriteString("\n")
			}
		}
	}
	golden(t, "testdata/failing/said.txt", b.String())
	for _, e := range expectations() {
		if e.key != "execution" && !regexp.MustCompile(`(?m)^  \d+:\d+: `+e.key+"[ :]").MatchString(b.String()) {
			t.Errorf("%s is never seen to fail", e.key)
		}
	}
	for _, k := range gateKeys() {
		if !regexp.MustCompile(`gates of Prod/SignOff ` + k.key + `\b`).MatchString(b.String()) {
			t.Errorf("%s of a gate is never seen to fail", k.key)
		}
	}
}

// TestTrace shows what people read when they ask what happened.
func TestTrace(t *testing.T) {
	f := read(t, "testdata/passing/shop.test.yaml")
	var b strings.Builder
	for _, test := range f.Tests {
		fmt.Fprintf(&b, "%s\n%s\n\n", test.Name, strings.Join(test.Play().Trace, "\n"))
	}
	golden(t, "testdata/passing/shop.txt", b.String())
}

// TestEveryWordIsUsed keeps words out that no test has tried: each key of
// each table stands in some test that passes.
func TestEveryWordIsUsed(t *testing.T) {
	used := map[string]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		for _, e := range n.entries {
			used[e.key.text] = true
			walk(e.value)
		}
		for _, item := range n.items {
			walk(item)
		}
		used[n.text] = true
	}
	for _, name := range files(t, examples, "testdata/passing") {
		walk(read(t, name).root)
	}
	var keys []string
	for _, a := range acts() {
		keys = append(keys, a.key)
		for _, f := range a.fields {
			keys = append(keys, f.key)
		}
	}
	for _, fields := range [][]field{fileKeys(), accessKeys(), testKeys(), stepKeys(), expectKeys(), gateKeys()} {
		for _, f := range fields {
			keys = append(keys, f.key)
		}
	}
	for _, o := range outcomeWords() {
		keys = append(keys, o[0])
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if k = strings.TrimSuffix(k, "!"); !used[k] {
			t.Errorf("no test that passes uses %s", k)
		}
	}
}

// TestReference keeps the documentation's list of keys the reader's own.
func TestReference(t *testing.T) {
	const name, begin = "../../../../docs/testing-pipelines.md", "<!-- The tables below are printed from the reader's: go test ./cmd/rollcall/internal/rehearsal -update -->\n"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(data), begin)
	if !ok {
		t.Fatal("the page has no place for the tables")
	}
	golden(t, name, head+begin+Reference())
}

// TestTheExampleOfThePage plays the test file that the page shows.
func TestTheExampleOfThePage(t *testing.T) {
	data, err := os.ReadFile("../../../../docs/testing-pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(data, -1)
	if len(shown) == 0 {
		t.Fatal("the page shows no example")
	}
	for _, one := range shown {
		f, faults := Read("docs/webshop.test.yaml", one[1], func(name string) ([]byte, error) {
			return os.ReadFile(filepath.Join(examples, "promotion", filepath.Base(name)))
		})
		for _, fault := range faults {
			t.Error(fault)
		}
		if f == nil {
			t.FailNow()
		}
		for _, test := range f.Tests {
			for _, fault := range test.Play().Faults {
				t.Error(fault)
			}
		}
	}
}

// FuzzRead reads anything, and plays what can be read: neither may panic, hang
// or say nothing about a file that it does not take.
func FuzzRead(f *testing.F) {
	for _, folder := range []string{"testdata/passing", "testdata/failing", "testdata/faults"} {
		names, err := filepath.Glob(folder + "/*.yaml")
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	shop, err := os.ReadFile("testdata/passing/shop.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, faults := Read("fuzz.test.yaml", data, func(string) ([]byte, error) { return shop, nil })
		if (file == nil) == (len(faults) == 0) {
			t.Fatal("neither a file nor a fault")
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.Col < 1 || fault.Message == "" {
				t.Errorf("%+v", fault)
			}
		}
		if file == nil {
			return
		}
		for _, test := range file.Tests {
			test.Play()
		}
	})
}
