package spec_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// TestDiff compares every file of a cases file with its first one.
func TestDiff(t *testing.T) {
	files, err := filepath.Glob("testdata/diffs/*.txt")
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
			var old *workflows.Pipeline
			for _, f := range given.Files {
				if strings.HasSuffix(f.Name, says) {
					continue
				}
				p, faults := spec.Parse(f.Name, f.Data)
				if p == nil {
					t.Fatal(faults)
				}
				out.Files = append(out.Files, f)
				if old == nil {
					old = p
					continue
				}
				var lines strings.Builder
				for _, c := range spec.Diff(old, p) {
					fmt.Fprintln(&lines, c)
				}
				out.Files = append(out.Files, txtar.File{Name: f.Name + says, Data: []byte(lines.String())})
				if (len(lines.String()) == 0) != (old.Digest() == p.Digest()) {
					t.Errorf("%s: the digests say otherwise", f.Name)
				}
			}
			compare(t, file, string(txtar.Format(out)))
		})
	}
}

func TestTheFirstDefinitionIsAdded(t *testing.T) {
	p, _ := spec.Parse("x.yaml", []byte(file("", "", "", "")))
	if c := spec.Diff(nil, p); len(c) != 1 || c[0].String() != "pipeline webshop is added" {
		t.Errorf("got %v", c)
	}
}
