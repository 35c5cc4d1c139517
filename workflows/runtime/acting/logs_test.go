package acting_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
)

// Which attempt's log is meant: of the action that is named, else of the one that
// failed, runs, or ran last, and the latest attempt unless another is named.
func TestWhichLogIsMeant(t *testing.T) {
	action := func(name, provider string, attempt int, status workflows.Status) workflows.ActionExecution {
		return workflows.ActionExecution{Name: name, Provider: provider, Attempt: attempt, Status: status}
	}
	done, fails, runs, not := workflows.StatusSucceeded, workflows.StatusFailed, workflows.StatusInProgress, workflows.StatusNotStarted
	x := func(stages ...[]workflows.ActionExecution) *workflows.Execution {
		e := &workflows.Execution{Pipeline: "web", Number: 7}
		for i, actions := range stages {
			e.Stages = append(e.Stages, workflows.StageExecution{Name: string(rune('A' + i)), Actions: actions})
		}
		return e
	}
	one := x([]workflows.ActionExecution{action("Fetch", "Git", 1, done)}, []workflows.ActionExecution{action("Test", "Commands", 3, fails), action("Lint", "Commands", 1, runs)}, []workflows.ActionExecution{action("Ship", "Commands", 0, not)})
	ruled := x([]workflows.ActionExecution{action("Fetch", "Git", 1, done)})
	ruled.Stages[0].Conditions = []workflows.ConditionExecution{{Kind: workflows.BeforeEntry, Rules: []workflows.ActionExecution{action("beforeEntry:Check", "Commands", 1, done)}}}
	for _, c := range []struct {
		x             *workflows.Execution
		stage, action string
		attempt       int
		want          string // STAGE/ACTION/ATTEMPT, or the code of the refusal
	}{
		{one, "", "", 0, "B/Test/3"},
		{one, "", "", 2, "B/Test/2"},
		{one, "A", "", 0, "A/Fetch/1"},
		{one, "B", "Lint", 0, "B/Lint/1"},
		{one, "", "Fetch", 0, "A/Fetch/1"},
		{one, "C", "Ship", 0, "C/Ship/1"}, // not begun: an empty log
		{one, "C", "", 0, "C/Ship/1"},
		{one, "", "Test", 4, workflows.CodeValidation},
		{one, "", "Test", -1, workflows.CodeValidation},
		{one, "A", "Test", 0, workflows.CodeActionNotFound},
		{one, "D", "", 0, workflows.CodeActionNotFound},
		{x([]workflows.ActionExecution{action("One", "Commands", 1, done), action("Two", "Commands", 1, runs)}), "", "", 0, "A/Two/1"},
		{x([]workflows.ActionExecution{action("One", "Commands", 1, done), action("Two", "Commands", 1, done)}), "", "", 0, "A/Two/1"},
		{x([]workflows.ActionExecution{action("One", "Commands", 1, done), action("Sign", "Manual", 1, runs)}), "", "", 0, "A/One/1"},
		{ruled, "", "beforeEntry:Check", 0, "A/beforeEntry:Check/1"},
		{ruled, "", "", 0, "A/Fetch/1"},
		{x(), "", "", 0, workflows.CodeActionNotFound},
	} {
		at, err := acting.FindLog(c.x, c.stage, c.action, c.attempt)
		got := fmt.Sprintf("%s/%s/%d", at.Stage, at.Action, at.Attempt)
		if p, refused := errors.AsType[*workflows.Problem](err); refused {
			got = p.Code
		}
		if got != c.want {
			t.Errorf("%q %q %d: %s, want %s (%v)", c.stage, c.action, c.attempt, got, c.want, err)
		}
	}
}

// The last lines of a log are whole lines without what steers a terminal, however
// long the log is.
func TestTheLastLines(t *testing.T) {
	long := strings.Repeat("0123456789 abcdef\n", 10_000)
	for name, c := range map[string]struct {
		log   string
		lines int
		want  []string
	}{
		"nothing":             {"", 3, nil},
		"fewer than asked":    {"a\nb\n", 3, []string{"a", "b"}},
		"the end":             {"a\nb\nc\nd", 2, []string{"c", "d"}},
		"an escape":           {"a\x1b[31mred\x1b[0m\n", 1, []string{"ared"}},
		"more than is read":   {long + "end\n", 2, []string{"0123456789 abcdef", "end"}},
		"one line, cut off":   {strings.Repeat("x", 100_000), 2, nil},
		"a long line, and on": {strings.Repeat("x", 100_000) + "\nend\n", 9, []string{"end"}},
	} {
		got, err := acting.LastLines(strings.NewReader(c.log), c.lines)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
