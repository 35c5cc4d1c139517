package house

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md as the code says")

// meanings says in a sentence what a code means, for whoever gets it. A new code needs one.
var meanings = map[string]string{
	"AccessDenied":             "You lack a right. The sentence names it, the hint says who can help. The button stays for others.",
	"ActionNotFound":           "There is no action of that name where it was looked for.",
	"ApprovalAlreadyCompleted": "Somebody has answered this gate before you: who, what and when is in the sentence.",
	"Changed":                  "What you saw when you chose is no longer so. Nothing was done; look again.",
	"CommitUnknown":            "The disk did not say whether the decision was saved. It may have been: look before you repeat it.",
	"ConcurrentPipelineExecutionsLimitExceeded": "A pipeline in QUEUED or PARALLEL mode has as many unfinished executions as it may.",
	"ConditionNotOverridable":                   "There is nothing to override, or it is not for people to override.",
	"Conflict":                                  "It cannot be done as things stand now.",
	"DuplicatedStopRequest":                     "The execution is being stopped already.",
	"InvalidApprovalToken":                      "The token names no open gate: it is unknown, expired, withdrawn, or of another execution.",
	"ManagedByFile":                             "The pipeline is defined in a file, so it is edited there and not through the API.",
	"NotAnApprover":                             "This gate asks other people, or a machine that its policy does not name.",
	"NotLatestPipelineExecution":                "Another execution has entered the stage since; to take the older one up again would put older content over newer.",
	"PipelineExecutionNotFound":                 "There is no such execution, or you may not see it.",
	"PipelineExecutionNotStoppable":             "The execution has ended.",
	"PipelineExecutionOutdated":                 "The stage only goes back to executions of the version in force, and this one is of another.",
	"PipelineNotFound":                          "There is no such pipeline, it is archived, or you may not see it.",
	"PipelineVersionNotFound":                   "The pipeline has no such version.",
	"SelfApproval":                              "Who asked for an execution, or wrote what is in it, does not approve it. A veto is always possible.",
	"StageDisabled":                             "A freeze keeps executions out of the stage, and you are not among those who may let one pass.",
	"StageNotFound":                             "There is no stage of that name where it was looked for.",
	"StageNotRetryable":                         "There is nothing to take up again in the stage, or not now.",
	"UnableToRollbackStage":                     "The stage cannot go back to that execution, or not now.",
	"Unavailable":                               "Something that had to be looked up did not answer. Nothing was decided, so trying again is safe.",
	"Validation":                                "What was asked for is incomplete or cannot be meant. `field` says which part.",
}

// names are the words by which docs/errors.md says what stands in a sentence;
// for what is not here it is the last part of the expression.
var names = map[string]string{
	"e.Ref()": "EXECUTION", "x.Ref()": "EXECUTION", "g.Ref": "EXECUTION", "target.Ref()": "EXECUTION", "ref": "EXECUTION",
	"busy.Ref()": "EXECUTION", "newer": "EXECUTION", "cut(ref)": "EXECUTION", "id": "EXECUTION",
	"d.s.ref(good.Number)": "EXECUTION", "d.s.ref(runs.Number)": "EXECUTION", "d.s.ref(target.Rollback.TargetNumber)": "EXECUTION",
	"d.s.Name": "PIPELINE", "p.Name": "PIPELINE", "e.Pipeline": "PIPELINE", "cut(name)": "PIPELINE", "near": "PIPELINE", "name": "NAME",
	"cut(target)": "PIPELINE", "in.Stage": "STAGE", "st.Name": "STAGE", "o.stage.Name": "STAGE", "cut(stage)": "STAGE",
	"a.Name": "ACTION", "at.action": "ACTION", "g.Action": "ACTION", "cut(what)": "ACTION", "in.Action": "ACTION", "o.ActionName": "ACTION",
	"d.s.Version": "VERSION", "view.Version": "VERSION", "target.Version": "VERSION", "words.Moment(v.At)": "TIME", "words.Moment(g.At)": "TIME",
	"words.Moment(f.To)": "TIME", "v.Name": "VARIABLE", "v.By.Name": "PERSON", "e.Stop.By.Name": "PERSON", "person.Name": "PERSON",
	"g.By": "PERSON", "why": "WHAT YOU DID", "e.Status": "STATUS", "st.Status": "STATUS", "f.Name": "FREEZE", "v.Answer": "ANSWER", "g.Closed": "ANSWER",
	`strings.Join(way, " -> ")`: "PIPELINE -> PIPELINE", `words.List(d.s.definition().StageNames(), "and")`: "STAGES",
	`words.List(st.OpenActions(), "or")`: "ACTIONS", `words.List(st.OpenActions(), "and")`: "ACTIONS", `strings.Join(names, " or ")`: "ACTIONS",
	`words.List(a.Approval.Missing, "and")`: "WHAT IS MISSING", `strings.Join(gate.Asked(pol), ", ")`: "PEOPLE", `strings.Join(others, ", ")`: "PEOPLE",
	`strings.Join(f.MayPass, ", ")`: "PEOPLE", `strings.Join(verdict.Holders, ", ")`: "PEOPLE", `strings.Join(declared, ", ")`: "VARIABLES",
	`strings.Join(kinds, " or ")`: "TYPES", "o.RevisionType": "TYPE", "verdict.Reason": "WHO MAY NOT DO WHAT", "len(d.s.Executions)": "NUMBER",
	"d.s.definition().ExecutionMode": "MODE", "nearestStage(view, stage)": "did you mean STAGE?", "string(in.Verb)": "VERB", "in.Verb": "VERB", "target": "PIPELINE",
	"n": "NUMBER", "most": "NUMBER", "longestValue": "1000", "deepest": "NUMBER", "field": "COMMENT OR REASON", "in.IfCurrent": "VERSION", "in.As": "TEXT",
	"in.Condition": "TEXT", "in.Definition": "TEXT", "in.WhileRunning": "TEXT",
}

// refusal is a place in the code that says no.
type refusal struct{ code, sentence, hint, pkg, at string }

// scope is what is needed to read an expression: the file, and the function around it.
type scope struct {
	source
	fn     *ast.FuncDecl
	consts map[string]string // of the package: name -> text
	nouns  bool              // it is package workflows itself
}

// assigned lists what a name is given within the function.
func (s scope) assigned(name string) (all []ast.Expr) {
	ast.Inspect(s.fn, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
			for i, l := range a.Lhs {
				if id, ok := l.(*ast.Ident); ok && id.Name == name {
					all = append(all, a.Rhs[i])
				}
			}
		}
		return true
	})
	return all
}

func (s scope) code(e ast.Expr) string {
	return s.text[s.fset.Position(e.Pos()).Offset:s.fset.Position(e.End()).Offset]
}

var verbs = regexp.MustCompile(`%[sdqv%]`)

// words reads an expression as people read what it makes, with what is only
// known later in capitals. args belong to a format.
func (s scope) words(e ast.Expr, args []ast.Expr) string {
	if e == nil {
		return ""
	}
	if word, ok := names[s.code(e)]; ok {
		return word
	}
	switch x := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(x.Value)
		if x.Kind != token.STRING || err != nil {
			return x.Value
		}
		return verbs.ReplaceAllStringFunc(text, func(verb string) string {
			if verb == "%%" || len(args) == 0 {
				return strings.TrimPrefix(verb, "%")
			}
			word := s.words(args[0], nil)
			args = args[1:]
			if verb == "%q" {
				word = `"` + word + `"`
			}
			return word
		})
	case *ast.BinaryExpr:
		return s.words(x.X, args) + s.words(x.Y, nil)
	case *ast.Ident:
		if text, ok := s.consts[x.Name]; ok {
			return text
		}
		var all []string
		for _, given := range s.assigned(x.Name) {
			if lit, ok := given.(*ast.BasicLit); ok && lit.Kind != token.STRING {
				continue
			}
			if text := s.words(given, nil); text != "" && !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
		if len(all) > 0 {
			return strings.Join(all, ", or: ")
		}
		return strings.ToUpper(x.Name)
	case *ast.SelectorExpr:
		return strings.ToUpper(x.Sel.Name)
	case *ast.IndexExpr:
		return s.words(x.X, nil)
	case *ast.CompositeLit: // a map of texts
		var all []string
		for _, el := range x.Elts {
			all = append(all, s.words(el.(*ast.KeyValueExpr).Value, nil))
		}
		return strings.Join(all, ", or: ")
	case *ast.CallExpr:
		switch name := s.code(x.Fun); {
		case name == "fmt.Sprintf":
			return s.words(x.Args[0], x.Args[1:])
		case name == "cmp.Or":
			return s.words(x.Args[0], nil) + ", or: " + s.words(x.Args[1], nil)
		case name == "strings.TrimSuffix":
			return s.words(x.Args[0], nil)
		case len(x.Args) > 0:
			return s.words(x.Args[0], nil)
		}
		return s.words(x.Fun, nil)
	}
	return "?"
}

// refusals lists what this function refuses: by Refuse and Invalid, by a
// function of its own that shortens them, and by a Problem written out.
func (s scope) refusals(t *testing.T) (all []refusal) {
	add := func(n ast.Node, code string, sentence, hint ast.Expr, args []ast.Expr) {
		at := s.fset.Position(n.Pos())
		all = append(all, refusal{code, strings.TrimSpace(s.words(sentence, args)), strings.TrimSpace(s.words(hint, nil)), s.pkg, fmt.Sprintf("%s:%d", s.path, at.Line)})
	}
	is := func(e ast.Expr, name string) bool {
		return s.code(e) == "workflows."+name || s.nouns && s.code(e) == name
	}
	short := map[string]string{} // a local function that refuses: its code
	ast.Inspect(s.fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.AssignStmt:
			if lit, ok := x.Rhs[0].(*ast.FuncLit); ok && len(x.Rhs) == 1 {
				ast.Inspect(lit, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && is(call.Fun, "Refuse") && call.Ellipsis.IsValid() {
						short[s.code(x.Lhs[0])] = s.code(call.Args[0])
					}
					return true
				})
			}
		case *ast.CallExpr:
			code, shortened := short[s.code(x.Fun)]
			switch {
			case x.Ellipsis.IsValid(): // the shortening itself
			case shortened:
				add(x, code, x.Args[1], x.Args[0], x.Args[2:])
			case is(x.Fun, "Refuse"):
				add(x, s.code(x.Args[0]), x.Args[2], x.Args[1], x.Args[3:])
			case is(x.Fun, "Invalid"):
				add(x, "CodeValidation", x.Args[2], x.Args[1], x.Args[3:])
			}
		case *ast.CompositeLit:
			if x.Type == nil || !is(x.Type, "Problem") {
				return true
			}
			field := map[string]ast.Expr{}
			for _, el := range x.Elts {
				kv, ok := el.(*ast.KeyValueExpr)
				if !ok {
					t.Errorf("%s: a Problem whose fields have no names", s.fset.Position(x.Pos()))
					return true
				}
				field[s.code(kv.Key)] = kv.Value
			}
			code := ""
			if field["Code"] != nil {
				code = s.code(field["Code"])
			}
			add(x, code, field["Message"], field["Hint"], nil)
		}
		return true
	})
	return all
}

// texts are the string constants of files.
func texts(files []source) map[string]string {
	all := map[string]string{}
	for _, s := range files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i, name := range v.Names {
					if i < len(v.Values) {
						if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
							all[name.Name], _ = strconv.Unquote(lit.Value)
						}
					}
				}
			}
			return true
		})
	}
	return all
}

// statusOf reads the one map from codes to HTTP, function status of package web.
func statusOf(t *testing.T, all []source) map[string]int {
	t.Helper()
	numbers := map[string]int{"StatusBadRequest": http.StatusBadRequest, "StatusForbidden": http.StatusForbidden, "StatusNotFound": http.StatusNotFound,
		"StatusServiceUnavailable": http.StatusServiceUnavailable, "StatusUnauthorized": http.StatusUnauthorized,
		"StatusRequestEntityTooLarge": http.StatusRequestEntityTooLarge, "StatusInternalServerError": http.StatusInternalServerError}
	of := map[string]int{}
	for _, s := range all {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.pkg != "web" || f.Name.Name != "status" {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if c, ok := n.(*ast.CaseClause); ok {
					answer := c.Body[0].(*ast.ReturnStmt).Results[0].(*ast.SelectorExpr).Sel.Name
					if numbers[answer] == 0 {
						t.Fatalf("which number is %s?", answer)
					}
					for _, e := range c.List {
						if sel, ok := e.(*ast.SelectorExpr); ok {
							of[sel.Sel.Name] = numbers[answer]
						}
					}
				}
				return true
			})
		}
	}
	if len(of) == 0 {
		t.Fatal("package web no longer maps codes in function status")
	}
	return of
}

// TestRefusals reads every refusal of the engine out of the code: each has a
// code that is known, a sentence and a hint, and docs/errors.md lists them all.
func TestRefusals(t *testing.T) {
	all := sources(t, false)
	var found []refusal
	codes := map[string]string{}
	for _, p := range packages(t) {
		files := slices.DeleteFunc(slices.Clone(all), func(s source) bool { return s.pkg != p.ImportPath })
		if !within(p.ImportPath, "workflows") {
			continue
		}
		consts := texts(files)
		if p.ImportPath == "workflows" {
			codes = consts
		}
		for _, s := range files {
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && (p.ImportPath != "workflows" || f.Name.Name != "Refuse" && f.Name.Name != "Invalid") {
					found = append(found, scope{s, f, consts, p.ImportPath == "workflows"}.refusals(t)...)
				}
			}
		}
	}
	by := map[string][]refusal{}
	for _, r := range found {
		name := strings.TrimPrefix(r.code, "workflows.")
		code, known := codes[name]
		if !known || !strings.HasPrefix(name, "Code") {
			t.Errorf("%s: %q is none of the codes of workflows/problem.go", r.at, r.code)
		}
		if len(r.sentence) < 3 || strings.Contains(r.sentence, "?") && !strings.HasSuffix(r.sentence, "?") {
			t.Errorf("%s: the sentence is %q", r.at, r.sentence)
		}
		if len(r.hint) < 3 {
			t.Errorf("%s: nobody is told what to do now (%s)", r.at, r.sentence)
		}
		r.code = name
		by[code] = append(by[code], r)
	}
	if len(found) < 80 {
		t.Errorf("only %d refusals were found", len(found))
	}
	for code := range meanings {
		if by[code] == nil {
			t.Errorf("%s is explained, and nothing is refused with it", code)
		}
	}
	compareErrors(t, errorsPage(t, by, statusOf(t, all)))
}

const errorsIntro = `# What rollcall refuses

Every refusal is a code for programs, a sentence that says what happened to what, and a hint that says what to do now. It is the same on
every surface: in chat only the person who clicked sees it, the command line prints the sentence and the hint below it, the API answers
with ` + "`application/problem+json`" + `, whose ` + "`code`, `detail` and `hint`" + ` these are. A refusal changes nothing, and is recorded. Words in
capitals stand for what is named in each case.

This page is written from the code by ` + "`go test ./cmd/rollcall/internal/house -run Refusals -update`" + `. Codes are AWS's exception names without
` + "`Exception`" + ` where one exists. What is wrong in a pipeline file is said by ` + "`rollcall validate`" + `, with its line and column, and is not listed here.
`

func errorsPage(t *testing.T, by map[string][]refusal, status map[string]int) string {
	t.Helper()
	var out strings.Builder
	out.WriteString(errorsIntro)
	cell := func(text string) string { return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ") }
	for _, code := range sortedCodes(by) {
		if meanings[code] == "" {
			t.Errorf("say in meanings what the code %s means", code)
		}
		fmt.Fprintf(&out, "\n## %s (%d)\n\n%s\n\n| Sentence | What to do | From |\n|---|---|---|\n", code, cmp.Or(status[by[code][0].code], http.StatusConflict), meanings[code])
		rows := []string{}
		for _, r := range by[code] {
			rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", cell(r.sentence), cell(r.hint), strings.TrimPrefix(r.pkg, "workflows/")))
		}
		slices.Sort(rows)
		out.WriteString(strings.Join(slices.Compact(rows), ""))
	}
	return out.String()
}

func sortedCodes(by map[string][]refusal) []string {
	var all []string
	for code := range by {
		all = append(all, code)
	}
	slices.Sort(all)
	return all
}

func compareErrors(t *testing.T, want string) {
	t.Helper()
	const file = "../../../../docs/errors.md"
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	is, should := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for i := range min(len(is), len(should)) {
		if is[i] != should[i] {
			t.Fatalf("docs/errors.md is not what the code says; run with -update. Line %d is\n%s\nand should be\n%s", i+1, is[i], should[i])
		}
	}
	t.Fatal("docs/errors.md is longer or shorter than what the code says; run with -update")
}
