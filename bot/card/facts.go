package card

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// facts are what somebody must know beyond the stages, the most pressing first.
func (v *View) facts() []string {
	var facts []string
	facts = append(facts, v.ending(), v.left())
	for i := range v.Execution.Stages {
		facts = append(facts, v.stageFacts(v.Execution.Stages[i].Name)...)
		facts = append(facts, v.alarms(v.Execution.Stages[i].Name))
	}
	if n := len(v.Execution.Orphans); n > 0 {
		facts = append(facts, "⚠️ Could not be cancelled: "+strings.Join(codes(v.Execution.Orphans, 5), ", ")+"; check it where it runs")
	}
	for _, n := range v.Execution.Notes {
		if !slices.ContainsFunc([]string{changesNote, issuesNote, factsNote}, func(kind string) bool { return strings.HasPrefix(n.Name, kind) }) {
			facts = append(facts, note(n))
		}
	}
	return facts
}

func codes(all []string, most int) []string {
	var some []string
	for i, s := range all {
		if i == most {
			return append(some, fmt.Sprintf("%d more", len(all)-most))
		}
		some = append(some, layout.Code(s, 120))
	}
	return some
}

func (v *View) inDoubt() []string {
	var facts []string
	for _, s := range v.Execution.Stages {
		for _, a := range say.Actions(&s) {
			if a.Needs == workflows.NeedsResolve {
				facts = append(facts, "❓ "+v.format().ResultUnknownOf(s.Name, a))
			}
		}
	}
	return facts
}

// ending says why it stopped, failed or was superseded.
func (v *View) ending() string {
	e := &v.Execution
	if e.Stop != nil && e.Stop.Code != "" {
		return "🛑 " + layout.Text(layout.Sentence(e.Stop.Reason), 500)
	}
	if e.Stop != nil && e.Status != workflows.StatusSucceeded {
		text := "🛑 Stop requested by " + name(e.Stop.By)
		if e.Stop.Abandon {
			text += ", abandoning what ran"
		}
		return layout.Because(text, e.Stop.Reason)
	}
	if e.StatusReason == nil || e.Status == workflows.StatusSucceeded || e.StatusReason.Message == "" || v.repeats(e.StatusReason.Message) {
		return ""
	}
	return layout.Sentence(layout.Text(e.StatusReason.Message, 500))
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
		return fmt.Sprintf("↩️ The rollback to #%d failed, see #%d", by.Rollback.TargetNumber, by.Number)
	}
	text := fmt.Sprintf("↩️ %s to #%d", layout.Sentence(verb), by.Rollback.TargetNumber)
	if by.Trigger.Type == workflows.TriggerAutomated {
		text = fmt.Sprintf("%s automatically (#%d)", text, by.Number)
		if by.Rollback.Alarm == "" { // it failed, and its card says why
			return text
		}
		return layout.Because(text, by.Rollback.Reason)
	}
	return layout.Because(text+" by "+name(by.Trigger.By), by.Rollback.Reason)
}

// alarms say how the alarms stand that are watched since this came into a stage.
func (v *View) alarms(stage string) string {
	s, ok := v.Pipeline.Stage(stage)
	if !ok || !v.Live(stage) || s.Running.By != "" {
		return ""
	}
	text := v.format().Alarms(s.Running)
	switch {
	case text == "":
		return ""
	case s.Running.Alarm == nil:
		return "🔔 " + layout.Text(stage, 100) + ": " + text
	}
	return "⚠️ " + layout.Text(stage, 100) + ": " + text
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
	if r := s.Running; r != nil && !r.Certain && mine && !v.unknown {
		facts = append(facts, fmt.Sprintf("⚠️ What runs in %s is uncertain until a deployment there succeeds; last known: #%d", layout.Text(stage, 100), r.Number))
	}
	if p := s.Planned; p != nil && mine {
		facts = append(facts, "↩️ "+layout.Text(stage, 100)+" "+v.format().Planned(p))
	}
	switch t := &s.Transition; {
	case t.Enabled || !v.concerned(s):
	case e.Rollback != nil && s.Running != nil && s.Running.By == e.ID && t.Cause == "rollback" && t.Only == "":
		facts = append(facts, "🔒 Locked until someone unlocks it.") // by whom and why stands with the rollback
	default:
		facts = append(facts, "🔒 "+layout.Text(stage, 100)+" is "+v.format().Lock(t))
	}
	return facts
}

// concerned says whether a locked stage matters to this execution: it still has
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
	if n.State == "done" && (n.Name == "status" || n.Name == "answer") {
		return ""
	}
	name := n.Name
	if gate, ok := strings.CutPrefix(name, "approval/"); ok {
		name = "approval in Jira, " + gate
	}
	return icon + " " + layout.Sentence(layout.Text(name, 80)) + ": " + layout.Link(n.URL, layout.Text(n.Text, 500))
}

// chosen are the variables that somebody, or an event, gave a value of their own:
// without those that have the default of the pipeline's definition. Details shows all.
func (v *View) chosen() map[string]string {
	d := v.Pipeline.Definition
	if d == nil || v.whole {
		return v.Execution.Variables
	}
	chosen := maps.Clone(v.Execution.Variables)
	for _, known := range d.Variables {
		if value, ok := chosen[known.Name]; ok && known.DefaultValue != nil && *known.DefaultValue == value {
			delete(chosen, known.Name)
		}
	}
	return chosen
}

// variables are what an execution was started with.
func variables(all map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if len(parts) == 5 {
			return strings.Join(append(parts, fmt.Sprintf("%d more variables", len(all)-5)), ", ")
		}
		parts = append(parts, layout.Code(k+"="+all[k], 80))
	}
	return strings.Join(parts, ", ")
}
