package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is one parsed file.
type source struct {
	pkg  string // import path without the module
	path string
	fset *token.FileSet
	file *ast.File
	text string
}

func sources(t *testing.T, tests bool) []source {
	t.Helper()
	var all []source
	for _, p := range packages(t) {
		names := p.GoFiles
		if tests {
			names = append(slices.Clone(p.TestGoFiles), p.XTestGoFiles...)
		}
		for _, name := range names {
			path := filepath.Join(p.Dir, name)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, path, data, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, source{p.ImportPath, filepath.Join(p.ImportPath, name), fset, f, string(data)})
		}
	}
	return all
}

// budget checks that the largest number and the 90th percentile stay below their limits.
func budget(t *testing.T, what string, sizes map[string]int, p90, most int) {
	t.Helper()
	all := []int{}
	for name, n := range sizes {
		all = append(all, n)
		if n > most {
			t.Errorf("%s: %d %s, at most %d", name, n, what, most)
		}
	}
	slices.Sort(all)
	if got := all[len(all)*9/10]; got > p90 {
		t.Errorf("the 90th percentile of %s is %d, at most %d", what, got, p90)
	}
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	files, funcs := map[string]int{}, map[string]int{}
	for _, s := range sources(t, false) {
		files[s.path] = strings.Count(s.text, "\n")
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				funcs[s.path+" "+f.Name.Name] = s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			}
		}
	}
	budget(t, "lines of a file", files, 300, 500)
	budget(t, "lines of a function", funcs, 28, 65)
}

func TestPackagesStaySmallAndDocumented(t *testing.T) {
	exported, documented := map[string]int{}, map[string]bool{}
	for _, s := range sources(t, false) {
		if s.file.Doc != nil {
			documented[s.pkg] = true
		} else if _, seen := documented[s.pkg]; !seen {
			documented[s.pkg] = false
		}
		if s.file.Name.Name == "main" {
			continue
		}
		exported[s.pkg] += exports(t, s)
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", pkg)
		}
		switch filepath.Base(pkg) {
		case "util", "utils", "common", "helpers", "types", "models", "shared":
			t.Errorf("package %s is a drawer, not a noun", pkg)
		}
	}
	counts := []int{}
	for pkg, n := range exported {
		most := map[string]int{"workflows": 60, "workflows/event": 60, "bot/card": 35}[pkg]
		if most == 0 {
			most = 40
		}
		if n > most {
			t.Errorf("package %s exports %d names, at most %d", pkg, n, most)
		}
		counts = append(counts, n)
	}
	slices.Sort(counts)
	if median := counts[len(counts)/2]; median > 8 {
		t.Errorf("the median package exports %d names, at most 8", median)
	}
}

// exports counts a file's exported top-level names (a typed const block once) and complains about undocumented ones.
func exports(t *testing.T, s source) int {
	n := 0
	complain := func(name *ast.Ident) {
		t.Errorf("%s: %s has no doc comment", s.fset.Position(name.Pos()), name.Name)
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if !d.Name.IsExported() || d.Recv != nil && !exportedReceiver(d) {
				continue
			}
			if d.Recv == nil {
				n++
			}
			if d.Doc == nil {
				complain(d.Name)
			}
		case *ast.GenDecl:
			n += exportedSpecs(d, complain)
		}
	}
	return n
}

func exportedReceiver(d *ast.FuncDecl) bool {
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

func exportedSpecs(d *ast.GenDecl, complain func(*ast.Ident)) int {
	n, block := 0, false
	for _, sp := range d.Specs {
		switch sp := sp.(type) {
		case *ast.TypeSpec:
			if sp.Name.IsExported() {
				n++
				if d.Doc == nil && sp.Doc == nil {
					complain(sp.Name)
				}
			}
		case *ast.ValueSpec:
			for _, name := range sp.Names {
				if !name.IsExported() {
					continue
				}
				if d.Doc == nil && sp.Doc == nil && sp.Comment == nil {
					complain(name)
				}
				if d.Tok == token.CONST && d.Lparen.IsValid() {
					block = true
					continue
				}
				n++
			}
		}
	}
	if block {
		n++
	}
	return n
}

func TestInterfacesStayNarrow(t *testing.T) {
	for _, s := range sources(t, false) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if i, ok := n.(*ast.InterfaceType); ok && i.Methods.NumFields() > 5 {
				t.Errorf("%s: an interface of %d methods, at most 5", s.fset.Position(i.Pos()), i.Methods.NumFields())
			}
			return true
		})
	}
}

// Nothing happens before main and nothing global changes: no init, and no
// package variable is ever assigned to.
func TestNoHiddenState(t *testing.T) {
	globals := map[string]map[string]bool{}
	all := sources(t, false)
	for _, s := range all {
		if globals[s.pkg] == nil {
			globals[s.pkg] = map[string]bool{}
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: init", s.fset.Position(d.Pos()))
				}
			case *ast.GenDecl:
				for _, sp := range d.Specs {
					if v, ok := sp.(*ast.ValueSpec); ok && d.Tok == token.VAR {
						for _, name := range v.Names {
							globals[s.pkg][name.Name] = true
						}
					}
				}
			}
		}
	}
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if as, ok := n.(*ast.AssignStmt); ok && as.Tok == token.ASSIGN {
				for _, l := range as.Lhs {
					if root := rootIdent(l); root != nil && root.Obj != nil && globals[s.pkg][root.Name] && root.Obj.Kind == ast.Var && isPackageLevel(s.file, root) {
						t.Errorf("%s: the package variable %s is assigned to", s.fset.Position(as.Pos()), root.Name)
					}
				}
			}
			return true
		})
	}
}

func rootIdent(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.IndexExpr:
		return rootIdent(e.X)
	case *ast.SelectorExpr:
		return rootIdent(e.X)
	}
	return nil
}

func isPackageLevel(f *ast.File, id *ast.Ident) bool {
	return f.Scope != nil && f.Scope.Lookup(id.Name) == id.Obj
}

var undone = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func TestTestsDoNotSleepAndNobodyLeavesThingsUndone(t *testing.T) {
	for _, s := range sources(t, true) {
		if strings.HasPrefix(s.pkg, "cmd/rollcall/internal/archtest") {
			continue
		}
		if strings.Contains(s.text, "time.Sleep(") && !strings.Contains(s.text, `"testing/synctest"`) {
			t.Errorf("%s sleeps", s.path)
		}
	}
	for _, s := range sources(t, false) {
		if word := undone.FindString(s.text); word != "" {
			t.Errorf("%s: %s", s.path, word)
		}
		if slices.Contains(pure, s.pkg) && strings.Contains(s.text, "time.Now(") {
			t.Errorf("%s is pure and reads the clock", s.path)
		}
	}
}
