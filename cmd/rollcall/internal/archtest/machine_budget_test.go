package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

// The part that decides stays small enough to be read in one sitting.
func TestTheMachineStaysSmall(t *testing.T) {
	const lines, function = 3600, 79 // 100 of them, restore.go, for what a restored backup does to every other part
	total := 0
	for _, s := range sources(t, false) {
		if s.pkg != "workflows/machine" {
			continue
		}
		total += strings.Count(s.text, "\n")
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > function {
					t.Errorf("%s of %s has %d lines, at most %d", f.Name.Name, s.path, n, function)
				}
			}
		}
	}
	if total == 0 || total > lines {
		t.Errorf("workflows/machine has %d lines, at most %d", total, lines)
	}
}
