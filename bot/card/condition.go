package card

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// conditionName is a kind of condition in words.
func conditionName(kind string) string {
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

// conditionLine is a condition with its rules, in one line.
func conditionLine(c *workflows.ConditionExecution) string {
	what := conditionName(c.Kind)
	switch c.Status {
	case workflows.StatusInProgress:
		var rules []string
		for i := range c.Rules {
			rules = append(rules, ruleLine(&c.Rules[i]))
		}
		return "🔎 " + strings.TrimSuffix(what+": "+strings.Join(rules, "; "), ": ")
	case workflows.StatusSucceeded:
		return "✅ " + strings.TrimSuffix(what+" met: "+esc(strings.Join(ruleNames(c), ", "), 200), ": ")
	case workflows.StatusOverridden:
		if c.Override != nil {
			return "🔓 " + what + " " + overridden(c.Override)
		}
	case workflows.StatusFailed, workflows.StatusErrored:
		switch {
		case c.Kind == workflows.AfterFailed:
			return because("▫️ "+what+" not met, nothing follows from it", unmet(c))
		case c.Status == workflows.StatusErrored:
			what = "⚠️ " + what + " could not be checked, which counts as failed"
		default:
			what = "❌ " + what + " failed"
		}
		if c.Kind == workflows.BeforeEntry {
			what += ", so nothing ran"
		}
		return because(what, unmet(c))
	}
	st := ofStatus(c.Status)
	return st.icon + " " + what + " " + st.word
}

// ruleLine is a rule: its name, how it stands, and what it says.
func ruleLine(r *workflows.ActionExecution) string {
	st := ofAction(r)
	text := st.icon + " " + esc(ruleName(r), 60) + " " + st.word
	if says := saying(r); says != "" {
		text += ", " + esc(says, 150)
	}
	return text
}

// ruleName is a rule without its condition: "window" of "beforeEntry:window".
func ruleName(r *workflows.ActionExecution) string {
	if _, name, ok := strings.Cut(r.Name, ":"); ok {
		return name
	}
	return r.Name
}

// saying is what an action last said of itself.
func saying(a *workflows.ActionExecution) string {
	if a.Error != nil && a.Error.Message != "" && a.Status != workflows.StatusSucceeded {
		return a.Error.Message
	}
	return a.Summary
}

func ruleNames(c *workflows.ConditionExecution) []string {
	var names []string
	for i := range c.Rules {
		names = append(names, ruleName(&c.Rules[i]))
	}
	return names
}

// unmet names the rules that a condition is not met for, with what they say:
// not yet escaped. Where none says anything, the condition's own reason.
func unmet(c *workflows.ConditionExecution) string {
	var rules []string
	for i := range c.Rules {
		r := &c.Rules[i]
		switch r.Status {
		case workflows.StatusSucceeded, workflows.StatusNotStarted, workflows.StatusAbandoned, "":
			continue
		}
		text := ruleName(r)
		if says := saying(r); says != "" {
			text += ": " + says
		}
		rules = append(rules, text)
	}
	if len(rules) == 0 && c.Reason != nil {
		return c.Reason.Message
	}
	return strings.Join(rules, "; ")
}

// skipped is why an execution went past a stage.
func skipped(s *workflows.StageExecution) string {
	c := s.Condition(workflows.BeforeEntry)
	if c == nil {
		return ""
	}
	return unmet(c)
}

// checking says whether a condition of the stage is being evaluated.
func checking(s *workflows.StageExecution) bool {
	for i := range s.Conditions {
		if s.Conditions[i].Status == workflows.StatusInProgress {
			return true
		}
	}
	return false
}

// every is every action of a stage, the rules of its conditions among them.
func every(s *workflows.StageExecution) []workflows.ActionExecution {
	all := slices.Clone(s.Actions)
	for i := range s.Conditions {
		all = append(all, s.Conditions[i].Rules...)
	}
	return all
}

// retrying is what an automatic retry made of a stage; empty: there was none,
// or people took it up since.
func retrying(s *workflows.StageExecution) string {
	r := s.Retries
	if r == nil || r.Latest != retriedAutomatically {
		return ""
	}
	switch s.Status {
	case workflows.StatusInProgress, workflows.StatusStopping:
		return "retrying by itself (1 of 1)"
	case workflows.StatusSucceeded:
		return "succeeded after an automatic retry"
	case workflows.StatusFailed:
		return "failed again after an automatic retry"
	}
	return ""
}
