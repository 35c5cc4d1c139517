package card

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// conditionLine is a condition with its rules, in one line.
func conditionLine(c *workflows.ConditionExecution) string {
	i := sign(say.Status(c.Status))
	switch {
	case c.Status == workflows.StatusInProgress:
		i = "●"
	case c.Kind == workflows.AfterFailed && (c.Status == workflows.StatusFailed || c.Status == workflows.StatusErrored):
		i = "·" // not met: nothing has failed
	}
	return i + " " + plainly().Condition(c)
}

// conditionLines are a condition, and below it what of its failed rules is known: in
// short, or all of it. A condition after a failure that is not met is no failure.
func conditionLines(c *workflows.ConditionExecution, known func(*workflows.ActionExecution) []string) []string {
	lines := []string{conditionLine(c)}
	if c.Kind == workflows.AfterFailed || c.Status != workflows.StatusFailed && c.Status != workflows.StatusErrored {
		return lines
	}
	for i := range c.Rules {
		lines = append(lines, known(&c.Rules[i])...)
	}
	return lines
}

// skipped is why an execution went past a stage.
func skipped(s *workflows.StageExecution) string {
	c := s.Condition(workflows.BeforeEntry)
	if c == nil {
		return ""
	}
	return say.Unmet(c)
}
