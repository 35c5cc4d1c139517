package archtest

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// imports finds in a doc comment what its package may import: "Imports: workflows, event."
var importsLine = regexp.MustCompile(`(?s)\nImports: (.*?)\.\n`)

// TestRuntimePackagesImportWhatTheySay compares what the doc comment of each
// package of the runtime says it imports with what it does import: neither more
// nor less. None of them imports another, and none imports the runtime.
func TestRuntimePackagesImportWhatTheySay(t *testing.T) {
	parts := []string{"workflows/runtime/acting", "workflows/runtime/contents", "workflows/runtime/decider", "workflows/runtime/following", "workflows/runtime/inbound", "workflows/runtime/retention"}
	found := 0
	for _, p := range packages(t) {
		if p.ImportPath != "workflows/runtime" && !slices.Contains(parts, p.ImportPath) {
			continue
		}
		found++
		said := saidImports(t, p)
		var real []string
		for _, i := range p.ours() {
			if slices.Contains(parts, p.ImportPath) && within(i, "workflows/runtime") {
				t.Errorf("%s imports %s: the runtime's packages know neither each other nor their entry point", p.ImportPath, i)
			}
			real = append(real, strings.TrimPrefix(i, "workflows/"))
		}
		slices.Sort(real)
		if !slices.Equal(said, real) {
			t.Errorf("the doc comment of %s says that it imports %v, and it imports %v", p.ImportPath, said, real)
		}
	}
	if found != len(parts)+1 {
		t.Errorf("found %d of the runtime's %d packages", found, len(parts)+1)
	}
}

// saidImports returns what the doc comment of a package says that it imports, sorted.
func saidImports(t *testing.T, p pkg) []string {
	t.Helper()
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, data, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc == nil {
			continue
		}
		if m := importsLine.FindStringSubmatch(f.Doc.Text()); m != nil {
			said := strings.Split(strings.Join(strings.Fields(m[1]), " "), ", ")
			slices.Sort(said)
			return said
		}
	}
	t.Errorf("%s has no paragraph \"Imports: …\" in its doc comment", p.ImportPath)
	return nil
}
