package card

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// What an override sets aside, in the words of Intent.Condition.
const (
	asideEntry    = "BEFORE_ENTRY"
	asideSuccess  = "ON_SUCCESS"
	asideApproval = "APPROVAL"
)

// overrides are the gates and conditions of an execution that somebody set
// aside: every message that says how it went says this too.
func (v *View) overrides() []string {
	var lines []string
	for i := range v.Execution.Stages {
		for _, text := range v.format().Overrides(&v.Execution.Stages[i]) {
			lines = append(lines, "🔓 *"+layout.Name(v.Execution.Stages[i].Name)+"* · "+text)
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
			return []string{say.ConditionName(c.Kind) + ", " + say.Unmet(c)}, condition, ""
		}
	}
	return nil, "", ""
}

// override adds the last and plainest buttons there are. In front of everybody
// only conditions have them: to go past people is offered in Details, which is
// drawn for whoever asks and has that right, and by the command.
func (v *View) override(r *row, gates bool) {
	e := &v.Execution
	if !v.acts() {
		return
	}
	offers := slices.DeleteFunc(offersOf(e.Offers, workflows.Override), func(o workflows.Offer) bool {
		_, _, gate := lacking(e, o.Stage, o.Action)
		return gate != "" && !gates
	})
	for i, o := range offers {
		if i == 3 {
			break
		}
		stage, object := layout.Line(o.Stage, 60), strings.TrimSpace(o.Stage+" "+o.Action)
		missing, condition, gate := lacking(e, o.Stage, o.Action)
		about := Subject{Pipeline: e.Pipeline, Stage: o.Stage, Action: o.Action, Execution: e.ID, Gate: gate, As: condition}
		explain := fmt.Sprintf("%s goes on in %s without what is missing", e.Ref(), stage)
		if len(missing) > 0 {
			explain = fmt.Sprintf("%s goes on in %s without: %s", e.Ref(), stage, layout.Line(strings.Join(missing, ", "), 100))
		}
		r.add(button{act: ActOverride, text: "Override…", named: "Override " + layout.Line(object, maxTitled) + "…", about: about, confirm: func(named bool) *slack.ConfirmationBlockObject {
			title, text := stage, explain+". You are asked for a reason, shown in the channel and kept in the history."
			if named {
				title, text = layout.Line(object, maxTitled), whole(object, text)
			}
			return ask("Override "+title+"?", text, "Continue")
		}})
	}
}
