package card

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// maxTail is how many characters of a log stand in a message about a failure.
const maxTail = 2000

// Log is the end of an action's log, in the fixed font; secrets were masked
// before it was stored.
func Log(e *workflows.Execution, stage, action string, lines []string) Message {
	head := fmt.Sprintf("%s · %s · %s, the last %s of its log", e.Ref(), stage, action, layout.Count(len(lines), "line", "lines"))
	if len(lines) == 0 {
		head = fmt.Sprintf("%s · %s · %s has written no log", e.Ref(), stage, action)
	}
	l := layout.Message()
	l.Lines(layout.Text(head, 300))
	l.Lines(block(lines, layout.MaxSection-10))
	return Message{Text: layout.Text(head, 300), Blocks: l.Done("")}
}

// block is the end of a log in the fixed font, at most n characters; empty
// when there is nothing to read.
func block(lines []string, n int) string {
	text := tail(strings.Join(lines, "\n"), n)
	if text == "" {
		return ""
	}
	return "```" + text + "```"
}

// tail is the escaped end of a log, at most n characters: the end says what
// went wrong.
func tail(text string, n int) string {
	r := []rune(strings.TrimSpace(clean.Text(text)))
	size := 1
	for from := len(r); from > 0; from-- {
		if size += utf8.RuneCountInString(layout.Escape(string(r[from-1]))); size > n {
			return "…" + layout.Escape(string(r[from:]))
		}
	}
	return layout.Escape(string(r))
}

// isBareStatus says whether an error names the exit status of a process and not why it failed.
func isBareStatus(text string) bool {
	for _, begins := range []string{"exit status ", "exit code "} {
		if number, ok := strings.CutPrefix(text, begins); ok && isNumber(number) {
			return true
		}
	}
	return false
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// isLogNoise says whether a line of a log says no more than how a process ended, or
// comes from rollcall itself.
func isLogNoise(text string) bool {
	text = strings.ToLower(text)
	if strings.HasPrefix(text, "[rollcall] ") {
		return true
	}
	if recipe, ok := strings.CutPrefix(strings.TrimPrefix(text, "g"), "make"); ok { // make[2]: *** [all] Error 1
		if level, rest, nested := strings.Cut(recipe, "]"); nested && strings.HasPrefix(level, "[") && isNumber(level[1:]) {
			recipe = rest
		}
		i := strings.LastIndex(recipe, " error ")
		return strings.HasPrefix(recipe, ": *** ") && i >= len(": *** ") && isNumber(recipe[i+len(" error "):])
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "error: "), "process completed with ")
	text, exits := strings.CutPrefix(text, "exit")
	text = strings.TrimPrefix(text, "ed with")
	for _, what := range []string{" status", " code"} {
		if number, ok := strings.CutPrefix(text, what); exits && ok {
			number, spaced := strings.CutPrefix(strings.TrimPrefix(number, ":"), " ")
			return spaced && isNumber(strings.TrimSuffix(number, "."))
		}
	}
	return false
}

// lastWords is the last line of a log that says something; empty: none does.
func lastWords(lines []string) string {
	for _, text := range slices.Backward(lines) {
		text = strings.TrimSpace(clean.Text(text))
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) && !isLogNoise(text) {
			return text
		}
	}
	return ""
}

// lastLines are the last n lines of the log of what failed that say something; none
// where nobody may see it here.
func (v *View) lastLines(n int) []string {
	var lines []string
	for _, text := range slices.Backward(v.Tail.Lines) {
		if len(lines) < n && lastWords([]string{text}) != "" {
			lines = append(lines, text)
		}
	}
	slices.Reverse(lines)
	return lines
}

// cause is why an action failed, not yet escaped: where its error only names a
// status, what it last wrote.
func (v *View) cause(stage string, a *workflows.ActionExecution) string {
	if a.Error == nil {
		return ""
	}
	text := a.Error.Message
	if v.quoted && len(v.lastLines(1)) > 0 {
		return text // what it wrote stands below
	}
	if v.Tail.Stage != stage || v.Tail.Action != a.Name {
		return text
	}
	last := lastWords(v.Tail.Lines)
	switch {
	case last == "":
	case isBareStatus(text):
		return layout.Line(last, 200) + " (" + text + ")"
	case strings.HasPrefix(text, "ended by signal: "):
		return text + ", after: " + layout.Line(last, 200)
	}
	return text
}

// failing is the action of which a failure is told first; nil when none has
// failed. What people did not approve has not failed.
func failing(e *workflows.Execution) (stage string, a *workflows.ActionExecution) {
	for i := range e.Stages {
		s := &e.Stages[i]
		all := say.Actions(s)
		for j := range all {
			if all[j].Status == workflows.StatusFailed && all[j].Approval == nil && s.Status == workflows.StatusFailed {
				return s.Name, all[j]
			}
		}
	}
	return "", nil
}

// logs adds the way to the log of what failed.
func (v *View) logs(r *row) {
	if stage, a := failing(&v.Execution); a != nil {
		r.add(button{act: ActLogs, text: "Logs", named: fmt.Sprintf("Logs of #%d", v.Execution.Number), about: Subject{Pipeline: v.Execution.Pipeline, Stage: stage, Action: a.Name, Execution: v.Execution.ID}})
	}
}

// repeats says whether a reason names an action or a condition that failed, or ends
// in its error: that stands in the stage's line already, and better.
func (v *View) repeats(reason string) bool {
	for i := range v.Execution.Stages {
		s := &v.Execution.Stages[i]
		for _, a := range say.Actions(s) {
			if a.Status == workflows.StatusFailed && (strings.HasPrefix(reason, a.Name+" ") && a.Approval == nil || a.Error != nil && a.Error.Message != "" && strings.HasSuffix(reason, a.Error.Message)) {
				return true
			}
		}
		for _, c := range s.Conditions {
			if c.Status == workflows.StatusFailed && strings.HasPrefix(reason, "the "+say.ConditionName(c.Kind)+" ") {
				return true
			}
		}
	}
	return false
}
