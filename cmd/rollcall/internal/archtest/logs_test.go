package archtest

import (
	"go/ast"
	"slices"
	"testing"
)

// TestLogLinesNameThingsByOneHelper wants every log line that is about an
// execution or an action to take its attributes from words.LogAttrs: under the
// same names, with the pipeline beside them.
func TestLogLinesNameThingsByOneHelper(t *testing.T) {
	lines, helped := 0, 0
	for _, s := range sources(t, false) {
		if !within(s.pkg, "workflows/runtime") && !within(s.pkg, "bot") && !within(s.pkg, "integrations") && !within(s.pkg, "web") && !within(s.pkg, "cmd/rollcall/internal/app") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if fun.Sel.Name == "LogAttrs" {
				helped++
			}
			if !slices.Contains([]string{"Debug", "Info", "Warn", "Error", "Log"}, fun.Sel.Name) || len(call.Args) < 1 {
				return true
			}
			lines++
			for _, arg := range call.Args {
				if lit, ok := arg.(*ast.BasicLit); ok && slices.Contains([]string{`"execution"`, `"action"`, `"stage"`}, lit.Value) {
					t.Errorf("%s: the attribute %s of a log line comes from words.LogAttrs", s.fset.Position(lit.Pos()), lit.Value)
				}
			}
			return true
		})
	}
	if lines < 80 || helped < 6 {
		t.Errorf("only %d log lines and %d uses of words.LogAttrs were found", lines, helped)
	}
}
