package archtest

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md as the code says")

// meanings says in a sentence what a code means, for whoever gets it. A new code needs one.
var meanings = map[string]string{
	"":                         "Errors of the command line itself; no request was sent. Exit status 1.",
	"AccessDenied":             "You lack a permission. The sentence names it, the hint says who can help. Other people can still use the button.",
	"ActionNotFound":           "There is no action of that name there.",
	"ApprovalAlreadyCompleted": "Somebody has already decided this approval; the sentence says who, what and when.",
	"Changed":                  "The state has changed since you looked. Nothing was done; check again.",
	"AWSUnavailable":           "AWS did not answer. What was asked for there may or may not follow: look how it stands, then ask again.",
	"CommitUnknown":            "It is unknown whether the decision was saved. Check the state before you repeat the request.",
	"ConcurrentPipelineExecutionsLimitExceeded": "A pipeline in QUEUED or PARALLEL mode has reached its limit of unfinished executions.",
	"ConditionNotOverridable":                   "There is nothing to override, or it cannot be overridden.",
	"Conflict":                                  "Not possible in the current state.",
	"DuplicatedStopRequest":                     "The execution is already being stopped.",
	"Internal":                                  "An internal error. Please report it with the log lines that contain this id.",
	"InvalidApprovalToken":                      "The token belongs to no open approval: it is unknown, expired, withdrawn, or of another execution.",
	"LogNotFound":                               "The log is gone: it was kept as long as the configuration says.",
	"ManagedByBridge":                           "The pipeline stays in AWS CodePipeline; edit it there, or its row in the configuration of the bridge.",
	"ManagedByFile":                             "The pipeline is defined in a file; edit it there, not through the API.",
	"NotAnApprover":                             "You, or the token, are not among the approvers of this approval.",
	"NotFound":                                  "The API has no such route.",
	"NotLatestPipelineExecution":                "Another execution has entered the stage since; retrying the older one would replace newer content by older.",
	"PipelineExecutionNotFound":                 "There is no such execution, or it is not visible to you.",
	"PipelineExecutionNotStoppable":             "The execution has ended.",
	"PipelineExecutionOutdated":                 "The stage can only be rolled back to executions of the current pipeline version, and this one ran under another.",
	"PipelineNotFound":                          "There is no such pipeline, it is archived, or it is not visible to you.",
	"PipelineVersionNotFound":                   "The pipeline has no such version.",
	"RequestTimeout":                            "The body of the request took longer than 15 s to arrive.",
	"SelfApproval":                              "People may not approve executions that they started or whose changes they wrote. Rejecting is always possible.",
	"StageDisabled":                             "A freeze blocks the stage, and you are not among those who may let an execution in.",
	"StageNotFound":                             "There is no stage of that name there.",
	"StageNotRetryable":                         "There is nothing to retry in the stage, or not now.",
	"TooLarge":                                  "The body of the request is too large.",
	"TooManyRequests":                           "Too many requests from this address had no token or a wrong one, or somebody asked for too many links or codes to sign in with. Requests with a valid token are still answered.",
	"UnableToRollbackStage":                     "The stage cannot be rolled back to that execution, or not now.",
	"Unauthorized":                              "The request has no API token and no session, or an unknown one; the command line says which.",
	"Unavailable":                               "Something that had to be queried did not respond. Nothing was decided, so it is safe to try again.",
	"Unreachable":                               "Only on the command line: no rollcall responds at that address. Exit status 5.",
	"WatchOnly":                                 "rollcall only watches this pipeline in AWS; it asks AWS for nothing until the bridge is configured to act.",
	"Validation":                                "The request is incomplete or invalid. `field` says which part.",
}

// names are the words by which docs/errors.md says what stands in a sentence;
// for what is not here it is the last part of the expression.
var names = map[string]string{
	"e.Ref()": "EXECUTION", "x.Ref()": "EXECUTION", "g.Ref": "EXECUTION", "target.Ref()": "EXECUTION", "ref": "EXECUTION",
	"busy.Ref()": "EXECUTION", "newer": "EXECUTION", "cut(ref)": "EXECUTION", "id": "EXECUTION",
	"d.s.ref(good.Number)": "EXECUTION", "d.s.ref(runs.Number)": "EXECUTION", "d.s.ref(target.Rollback.TargetNumber)": "EXECUTION",
	"workflows/bridged:name": "PIPELINE", "workflows/bridged:d.Name": "PIPELINE", "workflows/bridged:b.Name": "BRIDGE", "words.Moment(m.LostAt)": "TIME", "m.Lost.Message": "WHY", "inside[0].Ref()": "EXECUTION", "carried.Ref()": "EXECUTION",
	"d.s.Name": "PIPELINE", "p.Name": "PIPELINE", "e.Pipeline": "PIPELINE", "cut(name)": "PIPELINE", "near": "PIPELINE", "name": "NAME",
	"cut(target)": "PIPELINE", "in.Stage": "STAGE", "st.Name": "STAGE", "o.stage.Name": "STAGE", "cut(stage)": "STAGE",
	"a.Name": "ACTION", "at.action": "ACTION", "g.Action": "ACTION", "cut(what)": "ACTION", "in.Action": "ACTION", "o.ActionName": "ACTION",
	"d.s.Version": "VERSION", "view.Version": "VERSION", "target.Version": "VERSION", "words.Moment(v.At)": "TIME", "words.Moment(g.At)": "TIME",
	"words.Moment(f.To)": "TIME", "v.Name": "VARIABLE", "v.By.Name": "PERSON", "e.Stop.By.Name": "PERSON", "person.Name": "PERSON",
	"g.By": "PERSON", "why": "WHAT YOU DID", "e.Status": "STATUS", "st.Status": "STATUS", "f.Name": "FREEZE", "v.Answer": "ANSWER", "g.Closed": "ANSWER",
	`setting("logs", age)`: " (logs: AGE)", `setting("executions", age)`: " (executions: AGE)", "e.whyMissing(x)": "was removed by retention (artifacts: AGE), or is missing from the data folder", "moment(age.Before(e.o.Now()), age)": "TIME",
	`strings.Join(way, " -> ")`: "PIPELINE -> PIPELINE", `words.List(d.s.definition().StageNames(), "and")`: "STAGES",
	`words.List(st.OpenActions(), "or")`: "ACTIONS", `words.List(st.OpenActions(), "and")`: "ACTIONS", `strings.Join(names, " or ")`: "ACTIONS",
	`words.List(a.Approval.Missing, "and")`: "WHAT IS MISSING", `strings.Join(gate.Asked(pol), ", ")`: "PEOPLE", `strings.Join(others, ", ")`: "PEOPLE",
	`strings.Join(f.MayPass, ", ")`: "PEOPLE", `strings.Join(verdict.Holders, ", ")`: "PEOPLE", `strings.Join(declared, ", ")`: "VARIABLES",
	`strings.Join(kinds, " or ")`: "TYPES", "o.RevisionType": "TYPE", "v.Reason": "WHO MAY NOT DO WHAT", "len(d.s.Executions)": "NUMBER",
	"d.s.definition().ExecutionMode": "MODE", "nearestStage(view, stage)": "did you mean STAGE?", "string(in.Verb)": "VERB", "in.Verb": "VERB", "target": "PIPELINE",
	"n": "NUMBER", "most": "NUMBER", "longestValue": "1000", "deepest": "NUMBER", "field": "COMMENT OR REASON", "in.IfCurrent": "VERSION", "in.As": "TEXT",
	"in.Condition": "TEXT", "in.Definition": "TEXT", "in.WhileRunning": "TEXT",
	"innermost(err)": "WHY", "web:err.Error()": "WHAT HAPPENED TO THE BODY", `web:strings.TrimPrefix(err.Error(), "json: ")`: "WHY", "web:maxBody": "1048576", "r.URL.Path": "PATH", "web:name": "NAME",
	"b.Condition": "TEXT", "b.Mode": "TEXT", "wrong.Field": "FIELD", "wrong.Type": "TYPE", "wrong.Value": "TYPE", "web:kind": "CONTENT TYPE", "web:strconv.Itoa(most)": "NUMBER",
	"client.Choose(c.Pipeline, c.Stage, targets)": "choose one of those that are listed", "client.Ended(&e)": "HOW IT ENDED", "client.Sentence(&e)": "HOW IT STANDS",
	`strings.Join(open, ", ")`: "ACTIONS", "open[0]": "ACTION", "cmd/rollcall:answer": "approve or reject", "cmd/rollcall:v.Name": "PIPELINE", "cmd/rollcall:pipeline": "PIPELINE", "cmd/rollcall:short": "EXECUTION", "full": "EXECUTION", `words.List(names[:min(len(names), 5)], "and")`: "PIPELINES", "d.pipeline.Name": "PIPELINE", "cmd/rollcall:name": "PIPELINE",
	`cmd/rollcall:strings.Join(names, ", ")`: "PIPELINES", "cmd/rollcall:len(all)": "NUMBER", "cmd/rollcall:c.Source": "FILE",
	"cmd/rollcall:other": "FILE", "web:first.Hint": "HINT", "web:field": "If-Match or version", "web:message": "the declaration is faulty at line LINE, column COLUMN: WHAT IS WRONG, and NUMBER more",
}

// refusal is a place in the code that says no.
type refusal struct{ code, sentence, hint, pkg, at string }

// scope is what is needed to read an expression: the file, and the function around it.
type scope struct {
	source
	fn     ast.Node          // or the declaration
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
	for _, key := range []string{s.pkg + ":" + s.code(e), s.code(e)} {
		if word, ok := names[key]; ok {
			return word
		}
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
		case strings.HasSuffix(name, ".Called"): // a principal, as sentences name them
			return "PERSON"
		case len(x.Args) > 0:
			return s.words(x.Args[0], nil)
		}
		return s.words(x.Fun, nil)
	}
	return "?"
}

// refusals lists what this function refuses: by Refuse, by a
// function of its own that shortens them, and by a Problem written out.
func (s scope) refusals(t *testing.T) (all []refusal) {
	add := func(n ast.Node, code string, sentence, hint ast.Expr, args []ast.Expr) {
		at := s.fset.Position(n.Pos())
		if text, known := s.consts[code]; known {
			code = text
		}
		all = append(all, refusal{code, strings.TrimSpace(s.words(sentence, args)), strings.TrimSpace(s.words(hint, nil)), s.pkg, fmt.Sprintf("%s:%d", s.path, at.Line)})
	}
	is := func(e ast.Expr, name string) bool {
		return s.code(e) == "workflows."+name || s.nouns && s.code(e) == name
	}
	short := map[string]string{} // a local function that refuses: its code
	ast.Inspect(s.fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.AssignStmt:
			if len(x.Lhs) == 2 && len(x.Rhs) == 2 && s.code(x.Lhs[0]) == "p.Message" { // the client knows better than the service
				code := map[bool]string{true: "Unauthorized", false: "workflows.CodeUnavailable"}[s.pkg == "cmd/rollcall/internal/client"]
				add(x, code, x.Rhs[0], x.Rhs[1], nil)
			}
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
			case s.pkg == "web" && s.code(x.Fun) == "invalid":
				add(x, "workflows.CodeValidation", x.Args[1], x.Args[2], nil)
			}
		case *ast.CompositeLit:
			if _, ok := x.Type.(*ast.MapType); ok {
				s.mapped(x, add)
			}
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

// mapped is a refusal written out as a map, where no package of ours is known.
func (s scope) mapped(x *ast.CompositeLit, add func(n ast.Node, code string, sentence, hint ast.Expr, args []ast.Expr)) {
	field := map[string]ast.Expr{}
	for _, el := range x.Elts {
		if kv, ok := el.(*ast.KeyValueExpr); ok {
			field[s.code(kv.Key)] = kv.Value
		}
	}
	if field[`"detail"`] != nil && field[`"code"`] != nil {
		add(x, s.code(field[`"code"`]), field[`"detail"`], field[`"hint"`], nil)
	}
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
// The codes are as they are written there.
func statusOf(t *testing.T, all []source) map[string]int {
	t.Helper()
	numbers := map[string]int{"StatusBadRequest": http.StatusBadRequest, "StatusForbidden": http.StatusForbidden, "StatusNotFound": http.StatusNotFound,
		"StatusServiceUnavailable": http.StatusServiceUnavailable, "StatusRequestTimeout": http.StatusRequestTimeout, "StatusUnauthorized": http.StatusUnauthorized,
		"StatusRequestEntityTooLarge": http.StatusRequestEntityTooLarge, "StatusInternalServerError": http.StatusInternalServerError, "StatusTooManyRequests": http.StatusTooManyRequests}
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
						of[s.text[s.fset.Position(e.Pos()).Offset:s.fset.Position(e.End()).Offset]] = numbers[answer]
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

// refuses says whether people or programs read the refusals of a package.
func refuses(pkg string) bool {
	switch pkg {
	case "web", "cmd/rollcall", "cmd/rollcall/internal/client", "cmd/rollcall/internal/limit":
		return true
	}
	return within(pkg, "workflows")
}

// TestRefusals reads every refusal of the engine, of the API and of the command
// line out of the code: each has a code that is known, a sentence and a hint, and
// docs/errors.md lists them all. (D11)
func TestRefusals(t *testing.T) {
	all := sources(t, false)
	var found []refusal
	codes := map[string]string{"unauthorized.Code": "Unauthorized"} // as it is written -> what it is
	helpers := []string{"Refuse", "invalid"}
	for _, p := range packages(t) {
		if !refuses(p.ImportPath) {
			continue
		}
		files := slices.DeleteFunc(slices.Clone(all), func(s source) bool { return s.pkg != p.ImportPath })
		consts := texts(files)
		for name, text := range consts {
			switch p.ImportPath {
			case "workflows":
				codes["workflows."+name] = text
			case "web":
				codes[name] = text
			}
		}
		for _, s := range files {
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && (f.Body == nil || slices.Contains(helpers, f.Name.Name)) {
					continue
				}
				found = append(found, scope{s, d, consts, p.ImportPath == "workflows"}.refusals(t)...)
			}
		}
	}
	by := map[string][]refusal{}
	for _, r := range found {
		code := cmp.Or(codes[r.code], strings.Trim(r.code, `"`))
		if meanings[code] == "" {
			t.Errorf("%s: say in meanings what the code %q means", r.at, code)
		}
		if len(r.sentence) < 3 || strings.Contains(r.sentence, "?") && !strings.HasSuffix(r.sentence, "?") {
			t.Errorf("%s: the sentence is %q", r.at, r.sentence)
		}
		if len(r.hint) < 3 {
			t.Errorf("%s: nobody is told what to do now (%s)", r.at, r.sentence)
		}
		by[code] = append(by[code], r)
	}
	if len(found) < 110 {
		t.Errorf("only %d refusals were found", len(found))
	}
	for code := range meanings {
		if by[code] == nil {
			t.Errorf("%s is explained, and nothing is refused with it", code)
		}
	}
	status := map[string]int{"TooManyRequests": http.StatusTooManyRequests}
	for written, number := range statusOf(t, all) {
		status[cmp.Or(codes[written], written)] = number
	}
	commandsExist(t, found)
	compareErrors(t, errorsPage(by, status)+reasonsPage(t, all))
}

const errorsIntro = `# Errors

Every error has a code for programs, a sentence that says what happened, and a hint that says what to do. They are the same
everywhere: in Slack only the person who clicked sees them, the command line prints the sentence and the hint below it, the API answers
with ` + "`application/problem+json`" + ` and has them in ` + "`code`, `detail` and `hint`" + `. A refused request changes nothing and is recorded. Words in
capitals are placeholders. A command in a hint works on the command line (` + "`rollcall status webshop#42`" + `) and in Slack (` + "`/rollcall status webshop#42`" + `).

Why an execution or an action failed is not an error of a request: see [reasons](#reasons-of-executions-and-actions). Usage errors of the command line
(exit status 2) are not listed.

This page is generated from the code by ` + "`go test ./cmd/rollcall/internal/archtest -run Refusals -update`" + `. Codes are AWS's exception names without
` + "`Exception`" + ` where one exists. Faults in a pipeline file are reported by ` + "`rollcall validate`" + `, with line and column, and are not listed here.
`

func errorsPage(by map[string][]refusal, status map[string]int) string {
	var out strings.Builder
	out.WriteString(errorsIntro)
	cell := func(text string) string { return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ") }
	for _, code := range sortedCodes(by) {
		title := fmt.Sprintf("%s (%d)", code, cmp.Or(status[code], http.StatusConflict))
		switch code {
		case "":
			title = "Without a code"
		case "Unreachable":
			title = code
		}
		fmt.Fprintf(&out, "\n## %s\n\n%s\n\n| Sentence | What to do | From |\n|---|---|---|\n", title, meanings[code])
		rows := []string{}
		for _, r := range by[code] {
			rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", cell(r.sentence), cell(r.hint), path.Base(r.pkg)))
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
