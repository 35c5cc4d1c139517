package rehearsal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// files returns the test files below folders.
func files(t *testing.T, folders ...string) []string {
	t.Helper()
	var all []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(name string, e os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(name, ".test.yaml") {
				all = append(all, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Fatal("there are no test files in", folders)
	}
	return all
}

func read(t *testing.T, name string) *File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, faults := Read(name, data, os.ReadFile)
	for _, fault := range faults {
		t.Error(fault)
	}
	if f == nil {
		t.FailNow()
	}
	return f
}

const examples = "../../../../examples"

// TestExamples plays the tests of the examples, and those of this package, which
// together use every word that a test file knows.
func TestExamples(t *testing.T) {
	for _, name := range files(t, examples, "testdata/passing") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, test := range read(t, name).Tests {
				t.Run(test.Name, func(t *testing.T) {
					if r := test.Play(); len(r.Faults) > 0 {
						for _, f := range r.Faults {
							t.Error(f)
						}
						t.Log("\n" + strings.Join(r.Trace, "\n"))
					}
				})
			}
		})
	}
}

// TestExamplesAreWhole: every pipeline of the examples is right, without so much
// as a warning, and has a test that it passes.
func TestExamplesAreWhole(t *testing.T) {
	tested := map[string]bool{}
	for _, name := range files(t, examples) {
		tested[read(t, name).main] = true
	}
	n := 0
	err := filepath.WalkDir(examples, func(name string, e os.DirEntry, err error) error {
		if err != nil || !slices.Contains([]string{".yaml", ".json"}, filepath.Ext(name)) || strings.HasSuffix(name, ".test.yaml") {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if spec.IsTemplate(data) {
			for _, d := range spec.CheckTemplate(name, data) {
				t.Error(d)
			}
			return nil
		}
		if !strings.Contains("\n"+string(data), "\nname: ") && !strings.Contains(string(data), `"pipeline": {`) {
			return nil // a configuration, or another tool's
		}
		n++
		_, diagnostics := spec.ParseWith(filepath.ToSlash(name), data, os.ReadFile)
		for _, d := range diagnostics {
			t.Error(d)
		}
		if !tested[filepath.ToSlash(name)] {
			t.Errorf("%s has no test", name)
		}
		return nil
	})
	if err != nil || n < 8 {
		t.Errorf("%d pipelines, %v", n, err)
	}
}
