// Package say puts into words how things stand: an execution, a stage, an
// action, a gate, a condition, a wait, a lock, an override, a rollback. Every
// surface that people read (chat, command line, tests of pipelines, Jira, GitHub,
// the API) takes its sentences from here, so that one thing has one name.
//
// The sentences have no markup, no icons and no capital at the beginning. What
// differs from surface to surface, how a person, a time or foreign text is
// written, comes with a [Format]. An [OpenApproval] is what a list of gates shows. Pure.
package say

import (
	"cmp"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Format is how a surface writes the values inside a sentence. The zero value is
// plain text without times, for readers that show those themselves.
type Format struct {
	// Person names somebody; nil: by [workflows.Principal.Called].
	Person func(workflows.Principal) string
	// Time writes a moment so that it can follow "since", "until" or a name; nil:
	// sentences go without their times.
	Time func(time.Time) string
	// End writes the moment at which a freeze ends; nil: as Time.
	End func(time.Time) string
	// Text writes what comes from outside: names, reasons, comments; nil: in one
	// line without control characters.
	Text func(string) string
	// Ref names an execution of the same pipeline by its ID, "#42"; empty or nil:
	// it is not known.
	Ref func(id string) string
}

// Who names a person.
func (f *Format) Who(p workflows.Principal) string {
	if f.Person != nil {
		return f.Person(p)
	}
	return f.Clean(p.Called())
}

// Clean writes what comes from outside.
func (f *Format) Clean(s string) string {
	if f.Text != nil {
		return f.Text(s)
	}
	return clean.Line(s)
}

func (f *Format) ref(id string) string {
	if f.Ref == nil || id == "" {
		return ""
	}
	return f.Ref(id)
}

// Other names an execution by its ID, as far as it is known.
func (f *Format) Other(id string) string { return cmp.Or(f.ref(id), "one execution") }

// at is a moment behind a word: " since 04:43"; empty without times.
func (f *Format) at(word string, t time.Time) string {
	if f.Time == nil || t.IsZero() {
		return ""
	}
	return " " + word + " " + f.Time(t)
}

// Until says when a freeze ends: " until 4 Jan"; empty without times.
func (f *Format) Until(end time.Time) string {
	if f.End != nil {
		return " until " + f.End(end)
	}
	return f.at("until", end)
}

// because adds the reason that somebody gave.
func (f *Format) because(text, reason string) string {
	return words.Because(text, f.Clean(strings.TrimSpace(reason)))
}

// ActionName is how people call an action: a rule by the condition it is of.
func ActionName(name string) string {
	if kind, rule, ok := strings.Cut(name, ":"); ok {
		return ConditionName(kind) + " " + rule
	}
	return name
}

// ConditionName is a kind of condition in words.
func ConditionName(kind string) string {
	switch kind {
	case workflows.BeforeEntry:
		return "entry condition"
	case workflows.OnSuccess:
		return "success condition"
	case workflows.AfterFailed:
		return "failure condition"
	}
	return "condition"
}

// Approver is a who-expression as people read it: a group by its name.
func Approver(expression string) string {
	switch kind, name, _ := strings.Cut(expression, ":"); kind {
	case subject.Group, subject.GitHubTeam:
		return name
	case subject.Token:
		return "token " + name
	}
	return expression
}

// AnyOf names who-expressions of which one will do: "ben@acme.example or release-managers".
func AnyOf(expressions []string) string {
	names := make([]string, len(expressions))
	for i, who := range expressions {
		names[i] = Approver(who)
	}
	return words.List(names, "or")
}

// Warning says that an execution brings back what people rolled back: "warning:
// includes 72b00e6, which Ana rolled back"; empty without one.
func Warning(text string) string {
	if text == "" {
		return ""
	}
	return "warning: " + text
}

// Weakened says which gate of a stage asks for less than before.
func Weakened(stage, action, old, now string) string {
	return clean.Line("the gate " + stage + "/" + action + " asks for less: " + old + " -> " + now)
}
