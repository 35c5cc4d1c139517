package card

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// facts are what somebody must know beyond the stages, the most pressing first.
func (v *View) facts() []string {
	var facts []string
	facts = append(facts, v.inDoubt()...)
	facts = append(facts, v.ending(), v.rollback(), v.left())
	for i := range v.Execution.Stages {
		facts = append(facts, v.stageFacts(v.Execution.Stages[i].Name)...)
	}
	if n := len(v.Execution.Orphans); n > 0 {
		facts = append(facts, "⚠️ Not cancelled outside: "+strings.Join(codes(v.Execution.Orphans, 5), ", ")+"; look after it there")
	}
	for _, n := range v.Execution.Notes {
		facts = append(facts, note(n))
	}
	return facts
}

func codes(all []string, most int) []string {
	var some []string
	for i, s := range all {
		if i == most {
			return append(some, fmt.Sprintf("%d more", len(all)-most))
		}
		some = append(some, code(s, 120))
	}
	return some
}

func (v *View) inDoubt() []string {
	var facts []string
	for _, s := range v.Execution.Stages {
		for _, a := range every(&s) {
			if a.Needs == workflows.NeedsResolve {
				text := "❓ *Nobody can know whether " + esc(a.Name, 100) + " ran in " + esc(s.Name, 100) + ".* Look, then say that it succeeded, that it failed, or do it again"
				if a.Error != nil {
					text = because(text, a.Error.Message)
				}
				facts = append(facts, text)
			}
		}
	}
	return facts
}

// ending says why it stopped, failed or was superseded.
func (v *View) ending() string {
	e := &v.Execution
	if e.Stop != nil && e.Status != workflows.StatusSucceeded {
		text := "🛑 Stop asked for by " + name(e.Stop.By)
		if e.Stop.Abandon {
			text += ", abandoning what ran"
		}
		return because(text, e.Stop.Reason)
	}
	if e.StatusReason == nil || e.Status == workflows.StatusSucceeded || e.StatusReason.Message == "" {
		return ""
	}
	return "💬 " + esc(e.StatusReason.Message, 500)
}

// rollback says what a ROLLBACK execution does and why.
func (v *View) rollback() string {
	r := v.Execution.Rollback
	if r == nil || len(v.Execution.Stages) == 0 {
		return ""
	}
	verb := "goes back"
	if v.Execution.Status == workflows.StatusSucceeded {
		verb = "went back"
	}
	text := fmt.Sprintf("↩️ %s %s to #%d", esc(v.Execution.Stages[0].Name, 100), verb, r.TargetNumber)
	if from := v.number(r.LeftExecution); from != "" && r.LeftExecution != r.Target {
		text += " from " + from
	}
	if v.Execution.Trigger.Type == workflows.TriggerAutomated {
		why := ", automatically"
		if failed := v.number(r.FailedExecution); failed != "" {
			why = ", automatic rollback after " + failed + " failed"
		}
		text += why
	} else {
		text = because(text+", by "+name(v.Execution.Trigger.By), r.Reason)
	}
	if r.Definition == "asIs" {
		text += " · with the stage as it is defined now"
	}
	return text
}

// left says that people or the engine rolled back from this execution.
func (v *View) left() string {
	by := v.LeftBy
	if by == nil || by.Rollback == nil {
		return ""
	}
	verb := "rolled back"
	switch by.Status {
	case workflows.StatusSucceeded:
	case workflows.StatusInProgress, workflows.StatusStopping:
		verb = "being rolled back"
	default:
		return fmt.Sprintf("↩️ The rollback to #%d did not work, see #%d", by.Rollback.TargetNumber, by.Number)
	}
	text := fmt.Sprintf("↩️ %s to #%d", sentence(verb), by.Rollback.TargetNumber)
	if by.Trigger.Type == workflows.TriggerAutomated {
		return fmt.Sprintf("%s automatically (#%d)", text, by.Number)
	}
	return because(text+" by "+name(by.Trigger.By), by.Rollback.Reason)
}

// stageFacts are what is true of a stage now and concerns this execution.
func (v *View) stageFacts(stage string) []string {
	s, ok := v.Pipeline.Stage(stage)
	if !ok {
		return nil
	}
	e := &v.Execution
	var facts []string
	mine := s.LatestExecution != nil && s.LatestExecution.Execution == e.ID
	if r := s.Running; r != nil && !r.Certain && mine {
		facts = append(facts, fmt.Sprintf("⚠️ What %s runs is uncertain until something succeeds there; last known: #%d", esc(stage, 100), r.Number))
	}
	if p := s.Planned; p != nil && mine {
		text := "↩️ " + esc(stage, 100) + " goes back"
		if to := v.number(p.Target); to != "" {
			text += " to " + to
		}
		facts = append(facts, because(text+" when it is free, asked for by "+name(p.By), p.Reason))
	}
	if t := &s.Transition; !t.Enabled && v.concerned(s) {
		text := "🔒 " + esc(stage, 100) + " is " + closedDoor(s)
		if only := v.number(t.Only); t.Only != "" && only != "" {
			text += "; only " + only + " may enter"
		}
		facts = append(facts, text)
	}
	return facts
}

// concerned says whether a closed door matters to this execution: it still has
// to go through, or its rollback closed it. Waiting at it is said in the stage's line.
func (v *View) concerned(s *workflows.StageView) bool {
	e := &v.Execution
	if e.WaitsFor != nil && e.WaitsFor.Stage == s.Name {
		return s.Transition.Only != ""
	}
	mine, _ := e.Stage(s.Name)
	if e.Status == workflows.StatusInProgress && mine != nil && mine.Status == workflows.StatusNotStarted {
		return true
	}
	return e.Rollback != nil && s.Running != nil && s.Running.By == e.ID
}

// note is what the outside made of it.
func note(n workflows.Note) string {
	icon := map[string]string{"done": "🎫", "waiting": "⏳"}[n.State]
	if icon == "" {
		icon = "⚠️"
	}
	if n.State == "done" && n.Name == "status" {
		return ""
	}
	return icon + " " + sentence(esc(n.Name, 40)) + ": " + link(n.URL, esc(n.Text, 500))
}

// variables are what an execution was started with.
func variables(all map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if len(parts) == 5 {
			return strings.Join(append(parts, fmt.Sprintf("%d more variables", len(all)-5)), ", ")
		}
		parts = append(parts, code(k+"="+all[k], 80))
	}
	return strings.Join(parts, ", ")
}
