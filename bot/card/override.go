package card

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What an override sets aside, in the words of Intent.Condition.
const (
	asideEntry    = "BEFORE_ENTRY"
	asideSuccess  = "ON_SUCCESS"
	asideApproval = "APPROVAL"
)

// overridden says who set a check aside, without what, and why: "overridden by
// Cho without 1 of 2 approvals: checkout is down".
func overridden(o *workflows.Overridden) string {
	text := "overridden by " + name(o.By)
	if o.Without != "" {
		text += " without " + esc(o.Without, 100)
	}
	return because(text, o.Reason)
}

// aside is the override that opened a gate; nil where its people did, or nobody yet.
func aside(g *workflows.Approval) *workflows.Overridden {
	if g.Override == nil && g.Closed == gateOverridden {
		return &workflows.Overridden{}
	}
	return g.Override
}

// decided is what became of a gate: "approved by Ana and Cho"; empty while it is open.
func decided(g *workflows.Approval) string {
	if o := aside(g); o != nil {
		return overridden(o)
	}
	if g.Closed != gateApproved {
		return ""
	}
	var names []string
	for _, v := range g.Votes {
		if v.Answer == answerApprove {
			names = append(names, name(v.By))
		}
	}
	return strings.TrimSuffix("approved by "+and(names, 5), " by ")
}

// and is a list as people say it, of at most so many.
func and(all []string, most int) string {
	if len(all) > most {
		all = append(all[:most-1:most-1], fmt.Sprintf("%d more", len(all)-most+1))
	}
	if n := len(all); n > 1 {
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
	return strings.Join(all, "")
}

// answers are a gate's votes. Where somebody's right opened it, nobody reads
// that it was approved: whoever agreed, agreed.
func answers(g *workflows.Approval) []string {
	lines := votes(g.Votes)
	if aside(g) == nil {
		return lines
	}
	for i := range lines {
		lines[i] = strings.Replace(lines[i], "✅ approved by ", "👍 agreed: ", 1)
	}
	return lines
}

// overrides are the gates and conditions of an execution that somebody set
// aside: every message that says how it went says this too.
func overrides(e *workflows.Execution) []string {
	var lines []string
	for i := range e.Stages {
		for _, text := range stageOverrides(&e.Stages[i]) {
			lines = append(lines, "🔓 *"+v0(e.Stages[i].Name)+"* · "+text)
		}
	}
	return lines
}

func stageOverrides(s *workflows.StageExecution) []string {
	var lines []string
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil && aside(g) != nil {
			lines = append(lines, esc(s.Actions[i].Name, 100)+" "+overridden(aside(g)))
		}
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Override != nil {
			lines = append(lines, conditionName(c.Kind)+" "+overridden(c.Override))
		}
	}
	return lines
}

// lacking is what an override would set aside: in plain words that are not yet
// escaped, as Intent.Condition names it, and the gate's token where it is a gate.
func lacking(e *workflows.Execution, stage, action string) (missing []string, condition, gate string) {
	if g := gateOf(e, stage, action); g != nil {
		return g.Missing, asideApproval, g.Token
	}
	s, ok := e.Stage(stage)
	if !ok {
		return nil, "", ""
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		condition := map[string]string{workflows.BeforeEntry: asideEntry, workflows.OnSuccess: asideSuccess}[c.Kind]
		if condition != "" && c.Status != workflows.StatusSucceeded && c.Status != workflows.StatusOverridden {
			return []string{conditionName(c.Kind) + ", " + unmet(c)}, condition, ""
		}
	}
	return nil, "", ""
}

// override adds the last and plainest buttons there are. In front of everybody
// only conditions have them: to go past people is offered in Details, which is
// drawn for whoever asks and has that right, and by the command.
func (v *View) override(r *row, gates bool) {
	e := &v.Execution
	offers := slices.DeleteFunc(offersOf(e.Offers, workflows.Override), func(o workflows.Offer) bool {
		_, _, gate := lacking(e, o.Stage, o.Action)
		return gate != "" && !gates
	})
	for i, o := range offers {
		if i == 3 {
			break
		}
		text, stage := "Override…", line(o.Stage, 60)
		if len(offers) > 1 {
			text = "Override " + line(strings.TrimSpace(stage+" "+o.Action), 50) + "…"
		}
		missing, condition, gate := lacking(e, o.Stage, o.Action)
		about := Subject{Pipeline: e.Pipeline, Stage: o.Stage, Action: o.Action, Execution: e.ID, Gate: gate, As: condition}
		explain := fmt.Sprintf("%s goes on in %s without what is missing", e.Ref(), stage)
		if len(missing) > 0 {
			explain = fmt.Sprintf("%s goes on in %s without: %s", e.Ref(), stage, line(strings.Join(missing, ", "), 100))
		}
		r.add(ActOverride, text, about, slack.StyleDefault, ask("Override "+stage+"?", explain+". You are asked why; everybody reads it.", "Go on"))
	}
}

// OverrideForm asks why somebody sets aside what is missing, and says what
// that is. The reason stays on the execution for good.
func OverrideForm(v View, about Subject) slack.ModalViewRequest {
	e := &v.Execution
	missing, _, _ := lacking(e, about.Stage, about.Action)
	l := &layout{most: maxHome}
	l.lines("*" + v0(e.Ref()) + "* goes on in *" + v0(about.Stage) + "*: " + esc(carries(e), 120))
	for i, m := range missing {
		if i == 10 {
			break
		}
		l.lines("Without: " + esc(m, 300))
	}
	l.lines(v.warnings()...)
	return form(FormOverride, "Override "+e.Ref(), "Override", about,
		append(l.done(""), input(InReason, "Why can it not wait?", "Everybody reads this. It stays on the execution for good.", "", false, true)))
}
