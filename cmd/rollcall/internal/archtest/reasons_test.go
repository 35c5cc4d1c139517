package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/command"
)

// outcomes says what each reason code means: the code of an execution's
// statusReason, of an action's error, or of what an event tells.
var outcomes = map[string]string{
	"AccessDenied":         "GitHub or AWS denied it: the credentials of rollcall, or the role of the action, lack a right. What is known of the cause names it.",
	"ActionFailed":         "The work itself failed: commands ended with another status than 0, a fetch was refused for good, a person said so.",
	"ActionTimedOut":       "It took longer than its time limit, and was ended.",
	"AlarmRang":            "An alarm that was watched after a success rang. The stage was rolled back, or the message says why not; the execution stays as it was.",
	"AlarmsUnseen":         "The alarms that are watched after a success cannot be looked at, and nobody says why. They are looked at again.",
	"ApprovalExpired":      "Nobody, or too few, approved within the time limit. No ticket, no automatic rollback.",
	"ArtifactMissing":      "An input artifact was never stored: the action that should have left it did not run, or not to its end. Nothing ran; nothing is rolled back for it.",
	"ArtifactNotStored":    "The work succeeded, and an output artifact could not be stored. What ran stays as it is: nothing is rolled back or tried again for it.",
	"Cancelled":            "An edit of the stages or of the execution mode ended it, or the stage it was for is gone, or a backup was restored in which it waited for a freeze to end.",
	"ConditionFailed":      "A condition of the stage does not hold: before entry, or after success.",
	"ConfigurationInvalid": "The action cannot work as it is written, or nothing here carries it out: a value that cannot be resolved, a provider that is switched off.",
	"InDoubt":              "rollcall was interrupted while it began the action, and cannot find out whether it runs. A person says succeeded, failed or again.",
	"Missed":               "A schedule was due while the service was away, for too long to make up for it. The next time is kept.",
	"NotApproved":          "Somebody rejected. No ticket, no automatic rollback.",
	"NotCancelled":         "Its cancel was tried for a day without an answer: it may still run outside. A person says how it ended.",
	"Quiet":                "None of the alarms that were watched after a success rang in time.",
	"Restored":             "The backup that was restored says that it was under way. Nobody can know what became of it: a person says succeeded, failed or again.",
	"Retrying":             "The action is in progress, and cannot be carried out or asked about at the moment. The message says why and since when; `stop` ends it.",
	"Refused":              "AWS refused a request and did not say why.",
	"RevisionUnavailable":  "The commit is not on the branch, or not in the repository.",
	"RolledBack":           "The stage is being rolled back, so the open approval in it was withdrawn; it asks again when the execution comes back.",
	"Stopped":              "Somebody stopped the execution.",
	"Superseded":           "A newer execution took its place before the stage, or a forced push replaced its commit before it was fetched. Nothing is broken.",
}

// isCode is the form of a reason's code.
var isCode = regexp.MustCompile(`^[A-Z][a-z]+([A-Z][a-z]+)*$`)

// reasonsPage lists the reason codes of the code, and fails for those that
// nobody explains and for those that are explained and nowhere given. (D11, C17)
func reasonsPage(t *testing.T, all []source) string {
	t.Helper()
	given := map[string]bool{}
	for _, s := range all {
		if within(s.pkg, "workflows") || within(s.pkg, "integrations") && strings.Count(s.pkg, "/") == 1 || s.pkg == "integrations/github/actions" {
			s.reasons(given)
		}
	}
	for code := range given {
		if outcomes[code] == "" {
			t.Errorf("say in outcomes what the reason %s means", code)
		}
	}
	var out strings.Builder
	out.WriteString(reasonsIntro)
	for _, code := range slices.Sorted(maps.Keys(outcomes)) {
		if !given[code] {
			t.Errorf("the reason %s is explained, and is nowhere given", code)
		}
		fmt.Fprintf(&out, "| `%s` | %s |\n", code, outcomes[code])
	}
	return out.String()
}

const reasonsIntro = `
## Reasons of executions and actions

The ` + "`code`" + ` of an execution's ` + "`statusReason`" + `, of an action's ` + "`error`" + `, of a condition's ` + "`reason`" + ` and of what events tell. The ` + "`message`" + ` beside it says the rest in words. What an execution carries is
that of the action which failed first; a code that only a runner knows stands on the action, and the execution says ` + "`ActionFailed`" + `.
A vote that no longer counts, and a schedule that could not start, carry the code of a refusal.

| Code | Means |
|---|---|
`

// reasons notes the reason codes that a file gives: in a Reason written out, in a
// constant, in an assignment, or handed to one of the functions that make one.
func (s source) reasons(given map[string]bool) {
	text := func(e ast.Expr) string {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && isCode.MatchString(text) {
				return text
			}
		}
		return ""
	}
	note := func(e ast.Expr) {
		if code := text(e); code != "" {
			given[code] = true
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ValueSpec:
			for i, name := range x.Names {
				if strings.HasPrefix(name.Name, "reason") && i < len(x.Values) {
					note(x.Values[i])
				}
			}
		case *ast.AssignStmt:
			for i, l := range x.Lhs {
				if sel, ok := l.(*ast.SelectorExpr); ok && sel.Sel.Name == "Code" && i < len(x.Rhs) {
					note(x.Rhs[i])
				}
			}
		case *ast.CompositeLit:
			if name := s.text[s.fset.Position(x.Pos()).Offset:s.fset.Position(x.Lbrace).Offset]; name != "workflows.Reason" && name != "Reason" && name != "ending" {
				return true
			}
			for _, el := range x.Elts {
				if kv, ok := el.(*ast.KeyValueExpr); ok {
					if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Code" {
						note(kv.Value)
					}
				}
			}
		case *ast.CallExpr:
			if f, ok := x.Fun.(*ast.Ident); ok && slices.Contains([]string{"outcome", "fail", "failed"}, f.Name) {
				for _, a := range x.Args {
					note(a)
				}
			}
		}
		return true
	})
}

// inChat is what the command line's word is in Slack, where it is another one.
var inChat = map[string]string{"targets": "rollback"}

var (
	told    = regexp.MustCompile(`with: ([a-z]+)`)
	ofShell = regexp.MustCompile(`rollcall ([a-z]+)`)
)

// commandsExist checks that every command that a hint names is one: of the
// engine's hints, which all surfaces show, of both the command line and Slack.
func commandsExist(t *testing.T, found []refusal) {
	t.Helper()
	shell, chat := commandLine(t), map[string]bool{}
	for _, u := range command.All() {
		chat[string(u.Name)] = true
	}
	for _, r := range found {
		for _, m := range told.FindAllStringSubmatch(r.hint, -1) {
			there := m[1]
			if other := inChat[there]; other != "" {
				there = other
			}
			if !shell[m[1]] || !chat[there] {
				t.Errorf("%s: the hint names %s, which is no command everywhere (%s)", r.at, m[1], r.hint)
			}
		}
		for _, m := range ofShell.FindAllStringSubmatch(r.hint, -1) {
			if !shell[m[1]] {
				t.Errorf("%s: the hint names rollcall %s, which is no command (%s)", r.at, m[1], r.hint)
			}
		}
	}
}

// commandLine reads the command line's words out of the calls that make its commands.
func commandLine(t *testing.T) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	for _, s := range sources(t, false) {
		if s.pkg != "cmd/rollcall" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			name, ok := call.Args[1].(*ast.BasicLit)
			if made, is := call.Fun.(*ast.Ident); ok && is && made.Name == "command" {
				words[strings.Trim(name.Value, `"`)] = true
			}
			return true
		})
	}
	if len(words) < 20 {
		t.Errorf("only %d commands were found", len(words))
	}
	return words
}
