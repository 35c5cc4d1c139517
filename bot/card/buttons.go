package card

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
)

// The action_ids of buttons, without the suffix that several of one kind in a
// message carry (".2").
const (
	ActApprove  = "approve"
	ActReject   = "reject"
	ActRollback = "rollback"
	ActRetry    = "retry"
	ActStop     = "stop"
	ActEnable   = "enable"
	ActStart    = "start"
	ActResolve  = "resolve"
	ActOverride = "override"
	ActDetails  = "details"
	// ActPlace is the form's choice of a stage; it shows that stage's targets.
	ActPlace = "rollback.place"
)

// row numbers the buttons of one message: approve, approve.2, …
type row struct {
	seen    map[string]int
	primary bool // there is one already; a message has at most one
	buttons []*slack.ButtonBlockElement
}

func newRow() *row { return &row{seen: map[string]int{}} }

func (r *row) add(act, text string, about Subject, style slack.Style, confirm *slack.ConfirmationBlockObject) {
	r.seen[act]++
	id := act
	if n := r.seen[act]; n > 1 {
		id += "." + strconv.Itoa(n)
	}
	if style == slack.StylePrimary {
		if r.primary {
			style = slack.StyleDefault
		}
		r.primary = true
	}
	b := slack.NewButtonBlockElement(id, about.String(), plain(line(text, maxButton))).WithStyle(style)
	if confirm != nil {
		confirm.Style = style
		b.WithConfirm(confirm)
	}
	r.buttons = append(r.buttons, b)
}

// ask is a confirm dialog. Only the client enforces it; every click is checked
// again where it arrives.
func ask(title, text, yes string) *slack.ConfirmationBlockObject {
	return slack.NewConfirmationBlockObject(plain(line(title, 100)), plain(line(text, 300)), plain(line(yes, 30)), plain("Never mind"))
}

// buttons are the card's, from what can be done now. The order is that of use.
func (v *View) buttons() []*slack.ButtonBlockElement {
	r := newRow()
	for _, verb := range []workflows.Verb{workflows.Approve, workflows.Reject, workflows.Resolve, workflows.Retry, workflows.RollBack, workflows.Enable, workflows.StopIt} {
		for i, o := range offersOf(v.offers(), verb) {
			if i == 3 {
				break
			}
			v.offer(r, o)
		}
	}
	r.add(ActDetails, "Details", Subject{Pipeline: v.Execution.Pipeline, Execution: v.Execution.ID}, slack.StyleDefault, nil)
	v.override(r, false)
	return r.buttons
}

// offers are the execution's, and the door's where a closed or a frozen one concerns it.
func (v *View) offers() []workflows.Offer {
	offers := slices.Clone(v.Execution.Offers)
	for i := range v.Pipeline.Stages {
		s := &v.Pipeline.Stages[i]
		waits := v.Execution.WaitsFor != nil && v.Execution.WaitsFor.Stage == s.Name
		closed := !s.Transition.Enabled && (waits || v.concerned(s))
		for _, o := range offersOf(s.Offers, workflows.Enable) {
			if closed || waits && v.Execution.WaitsFor.For == workflows.WaitsForFreeze && o.Target == v.Execution.ID {
				offers = append(offers, o)
			}
		}
	}
	return offers
}

// offersOf returns the offers of one verb, each once.
func offersOf(offers []workflows.Offer, verb workflows.Verb) []workflows.Offer {
	var some []workflows.Offer
	seen := map[workflows.Offer]bool{}
	for _, o := range offers {
		if o.Verb == verb && !seen[o] {
			seen[o] = true
			some = append(some, o)
		}
	}
	return some
}

// offer draws one thing that can be done.
func (v *View) offer(r *row, o workflows.Offer) {
	e := &v.Execution
	about := Subject{Pipeline: e.Pipeline, Stage: o.Stage, Action: o.Action, Execution: e.ID, Target: o.Target}
	about.Seen, _ = v.running(o.Stage)
	stage := line(o.Stage, 40)
	switch o.Verb {
	case workflows.Approve, workflows.Reject:
		if a := gateOf(e, o.Stage, o.Action); a != nil {
			about.Gate = a.Token
			v.answer(r, o.Verb, about, a.Warning)
		}
	case workflows.Resolve:
		about.Target = ""
		for _, as := range []string{"succeeded", "failed", "again"} {
			about.As = as
			r.add(ActResolve, resolveWord(as, o.Action), about, slack.StyleDefault, ask("Resolve "+o.Action+"?",
				fmt.Sprintf("%s, %s: %s counts as: %s.", e.Ref(), stage, line(o.Action, 100), as), "Resolve"))
		}
	case workflows.Retry:
		r.add(ActRetry, "Retry "+stage, about, slack.StyleDefault, ask("Retry "+stage+"?",
			fmt.Sprintf("%s runs the failed actions of %s again, with %s.", e.Ref(), stage, carries(e)), "Retry"))
	case workflows.RollBack:
		text := "Roll back " + stage
		if o.Target != "" && o.Target == e.ID {
			text += " to #" + strconv.Itoa(e.Number)
		}
		r.add(ActRollback, text, about, slack.StyleDanger, nil)
	case workflows.Enable:
		v.enable(r, o, about)
	case workflows.StopIt:
		where := ""
		if at := current(e); at != nil && e.WaitsFor != nil {
			where = " It waits before " + line(at.Name, 60) + "."
		} else if at != nil {
			where = " It is in " + line(at.Name, 60) + "."
		}
		r.add(ActStop, "Stop", about, slack.StyleDanger, ask("Stop "+e.Ref()+"?",
			"What runs now ends first, nothing more begins."+where, "Stop"))
	}
}

func resolveWord(as, action string) string {
	switch as {
	case "again":
		return "Resolve: run " + line(action, 40) + " again"
	}
	return "Resolve: it " + as
}

func (v *View) enable(r *row, o workflows.Offer, about Subject) {
	stage := line(o.Stage, 40)
	title, yes := "Enable "+stage+"?", "Enable"
	text, explain := "Enable "+stage, fmt.Sprintf("%s: %s opens again for every execution.", line(v.Execution.Pipeline, 100), stage)
	if o.Target != "" {
		who := v.number(o.Target)
		if who == "" {
			who = "this execution"
		}
		text = "Let " + who + " into " + stage
		explain = fmt.Sprintf("%s: only %s may enter %s; the door stays closed for the others.", line(v.Execution.Pipeline, 100), who, stage)
		title, yes = text+"?", "Let it in"
		if w := v.Execution.WaitsFor; w != nil && o.Target == v.Execution.ID {
			explain = warned(w.Warning, explain)
		}
	}
	if _, now := v.running(o.Stage); now != "" {
		explain += " It runs " + now + " now."
	}
	r.add(ActEnable, text, about, slack.StyleDefault, ask(title, explain, yes))
}

// answer adds Approve or Reject for a gate. Approve says what will change, and
// first of all what the gate warns of.
func (v *View) answer(r *row, verb workflows.Verb, about Subject, warning string) {
	if verb == workflows.Reject {
		r.add(ActReject, "Reject", about, slack.StyleDanger, nil)
		return
	}
	e := &v.Execution
	change := ""
	if _, now := v.running(about.Stage); now != "" {
		change = fmt.Sprintf(" %s goes from %s to #%d.", line(about.Stage, 60), now, e.Number)
	}
	r.add(ActApprove, "Approve", about, slack.StylePrimary, ask("Approve "+e.Ref()+"?",
		warned(warning, fmt.Sprintf("%s into %s, with %s.%s", e.Ref(), line(about.Stage, 60), carries(e), change)), "Approve"))
}

// carries is what an execution brings, in a few plain words.
func carries(e *workflows.Execution) string {
	if e.Rollback != nil {
		return "what #" + strconv.Itoa(e.Rollback.TargetNumber) + " ran there"
	}
	if len(e.SourceRevisions) == 0 {
		return "its sources"
	}
	r := e.SourceRevisions[0]
	return line(short(r.RevisionID)+" "+r.RevisionSummary, 80)
}

// gateOf is the open gate of an action, nil when there is none.
func gateOf(e *workflows.Execution, stage, action string) *workflows.Approval {
	s, ok := e.Stage(stage)
	if !ok {
		return nil
	}
	for i := range s.Actions {
		a := &s.Actions[i]
		if a.Approval != nil && a.Approval.Closed == "" && (action == "" || a.Name == action) {
			return a.Approval
		}
	}
	return nil
}
