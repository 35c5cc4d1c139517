package card

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The action_ids of buttons, without the suffix that several of one kind in a
// message carry (".2").
const (
	ActApprove  = "approve"
	ActReject   = "reject"
	ActRollback = "rollback"
	ActRetry    = "retry"
	ActStop     = "stop"
	ActUnlock   = "enable"
	ActStart    = "start"
	ActResolve  = "resolve"
	ActOverride = "override"
	ActDetails  = "details"
	ActLogs     = "logs"
	ActMore     = "more" // a menu; see [Chosen]
)

// button is one before it is known what else stands in its message.
type button struct {
	act   string
	text  string // when it is the only one of its kind
	named string // with its object: when another one would say the same
	// several: another message has one that would say the same.
	several bool
	about   Subject
	style   slack.Style
	// confirm draws the question before the click; named: it says which one of
	// several is meant. nil: none is asked.
	confirm func(named bool) *slack.ConfirmationBlockObject
}

// row gathers the buttons of one message, which may stand in several places of it.
type row struct {
	all []button
	// quiet: several stand side by side, and none stands out.
	quiet bool
}

func (r *row) add(b button) { r.all = append(r.all, b) }

// done draws the buttons in order. What would say the same as another one names
// its object, in its text and in its question: nobody has to guess what they
// sign. Of several of one kind the later ones are numbered: approve, approve.2, …;
// at most one is primary.
func (r *row) done() []*slack.ButtonBlockElement {
	same, kinds, taken := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, b := range r.all {
		same[b.text]++
	}
	var drawn []*slack.ButtonBlockElement
	primary := r.quiet
	for _, b := range r.all {
		kinds[b.act]++
		id, text := b.act, b.text
		if n := kinds[b.act]; n > 1 {
			id += "." + strconv.Itoa(n)
		}
		named := b.several || same[b.text] > 1
		if named {
			text = b.named
		}
		text = unique(layout.Line(text, layout.MaxButton), taken)
		if b.style == slack.StylePrimary {
			if primary {
				b.style = slack.StyleDefault
			}
			primary = true
		}
		el := slack.NewButtonBlockElement(id, b.about.String(), layout.PlainText(text)).WithStyle(b.style)
		if b.confirm != nil {
			c := b.confirm(named)
			c.Style = b.style
			el.WithConfirm(c)
		}
		drawn = append(drawn, el)
	}
	return drawn
}

// unique is the text, numbered when long names were cut to the same one.
func unique(text string, taken map[string]bool) string {
	got := text
	for n := 2; taken[got]; n++ {
		end := fmt.Sprintf(" (%d)", n)
		got = layout.Line(text, layout.MaxButton-len(end)) + end
	}
	taken[got] = true
	return got
}

// ask is a confirm dialog. Only the client enforces it; every click is checked
// again where it arrives.
func ask(title, text, yes string) *slack.ConfirmationBlockObject {
	return slack.NewConfirmationBlockObject(layout.PlainText(layout.Line(title, 100)), layout.PlainText(layout.Line(text, 300)), layout.PlainText(layout.Line(yes, 30)), layout.PlainText("Cancel"))
}

// buttons are the card's, from what can be done now, in the order of use. While
// people are asked, Approve and Reject stand alone: what would end or undo the
// execution is in the menu behind them.
func (v *View) buttons() ([]*slack.ButtonBlockElement, *slack.OverflowBlockElement) {
	r := &row{}
	asks := len(offersOf(v.offers(), workflows.Approve)) > 0
	for _, verb := range []workflows.Verb{workflows.Approve, workflows.Reject, workflows.Resolve, workflows.Retry, workflows.RollBack, workflows.Unlock, workflows.StopExecution} {
		if asks && (verb == workflows.RollBack || verb == workflows.StopExecution) {
			continue
		}
		for i, o := range offersOf(v.offers(), verb) {
			if i == 3 {
				break
			}
			v.offer(r, o)
		}
	}
	v.logs(r)
	if v.Failed != nil {
		v.Failed.logs(r)
	}
	r.add(button{act: ActDetails, text: "Details", about: Subject{Pipeline: v.Execution.Pipeline, Execution: v.Execution.ID}})
	v.override(r, false)
	if !asks {
		return r.done(), nil
	}
	return r.done(), v.menu()
}

// offers are the execution's, and the stage's where a locked or a frozen one concerns it.
func (v *View) offers() []workflows.Offer {
	if !v.acts() {
		return nil
	}
	offers := slices.Clone(v.Execution.Offers)
	for i := range v.Pipeline.Stages {
		s := &v.Pipeline.Stages[i]
		waits := v.Execution.WaitsFor != nil && v.Execution.WaitsFor.Stage == s.Name
		closed := !s.Transition.Enabled && (waits || v.concerned(s))
		for _, o := range offersOf(s.Offers, workflows.Unlock) {
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
	about.Seen, _ = v.Running(o.Stage)
	stage := layout.Line(o.Stage, 40)
	switch o.Verb {
	case workflows.Approve, workflows.Reject:
		if a := gateOf(e, o.Stage, o.Action); a != nil {
			about.Gate = a.Token
			v.answer(r, o.Verb, about, a.Warning, layout.Line(o.Action, 60))
		}
	case workflows.Resolve:
		about.Target = ""
		for _, as := range []string{"succeeded", "failed", "again"} {
			about.As = as
			word := "mark as " + as
			if as == "again" {
				word = "run " + layout.Line(o.Action, 40) + " again"
			}
			r.add(button{act: ActResolve, text: "Resolve: " + word, named: "Resolve " + layout.Line(o.Action, 40) + ": " + word, about: about,
				confirm: always(ask("Resolve "+o.Action+"?", resolves(e.Ref(), stage, o.Action, as), "Resolve"))})
		}
	case workflows.Retry:
		r.add(button{act: ActRetry, text: "Retry " + stage, named: "Retry " + o.Stage, about: about, confirm: always(ask("Retry "+stage+"?",
			fmt.Sprintf("%s runs the failed actions of %s again, with %s.", e.Ref(), layout.Line(o.Stage, 100), carries(e)), "Retry"))})
	case workflows.RollBack:
		text := "Roll back " + stage
		if o.Target != "" && o.Target == e.ID {
			text += " to #" + strconv.Itoa(e.Number)
		}
		r.add(button{act: ActRollback, text: text, named: strings.Replace(text, stage, o.Stage, 1), about: about, style: slack.StyleDanger})
	case workflows.Unlock:
		v.enable(r, o, about)
	case workflows.StopExecution:
		where := ""
		if at := say.Current(e); at != nil && e.WaitsFor != nil {
			where = " It is waiting for " + layout.Line(at.Name, 60) + "."
		} else if at != nil {
			where = " It is in " + layout.Line(at.Name, 60) + "."
		}
		r.add(button{act: ActStop, text: "Stop", named: "Stop " + e.Ref(), about: about, style: slack.StyleDanger,
			confirm: always(ask("Stop "+e.Ref()+"?", "Actions that are running finish, nothing more starts."+where, "Stop"))})
	}
}

// always is a question that names what it is about anyway.
func always(c *slack.ConfirmationBlockObject) func(bool) *slack.ConfirmationBlockObject {
	return func(bool) *slack.ConfirmationBlockObject { return c }
}

func (v *View) enable(r *row, o workflows.Offer, about Subject) {
	stage := layout.Line(o.Stage, 40)
	text := "Unlock " + stage
	title, yes := text+"?", "Unlock"
	explain := fmt.Sprintf("%s: every execution may enter %s again.", layout.Line(v.Execution.Pipeline, 100), stage)
	if o.Target != "" {
		who := v.number(o.Target)
		if who == "" {
			who = "this execution"
		}
		text = "Let only " + who + " in"
		explain = fmt.Sprintf("%s: only %s may enter %s; it stays locked for others.", layout.Line(v.Execution.Pipeline, 100), who, stage)
		title, yes = "Let only "+who+" into "+stage+"?", text
		if w := v.Execution.WaitsFor; w != nil && o.Target == v.Execution.ID {
			explain = warned(w.Warning, explain)
		}
	}
	if _, now := v.Running(o.Stage); now != "" {
		explain += " It runs " + now + "."
	}
	r.add(button{act: ActUnlock, text: text, named: text, about: about, confirm: always(ask(title, explain, yes))})
}

// answer adds Approve or Reject for a gate, named by object where it is not the
// only one. Approve says what will change, and first of all what the gate warns of.
func (v *View) answer(r *row, verb workflows.Verb, about Subject, warning, object string) {
	e := &v.Execution
	several := severalGates(e)
	if verb == workflows.Reject {
		r.add(button{act: ActReject, text: "Reject", named: "Reject " + object, several: several, about: about, style: slack.StyleDanger})
		return
	}
	change := ""
	if _, now := v.Running(about.Stage); now != "" {
		change = " " + layout.Line(about.Stage, 60) + ": " + say.Change(now, e.Number) + "."
	}
	if words := v.changeWords(about.Stage); words != "" {
		change += " " + words
	}
	text := warned(warning, fmt.Sprintf("%s into %s, with %s.%s", e.Ref(), layout.Line(about.Stage, 60), carries(e), change))
	r.add(button{act: ActApprove, text: "Approve", named: "Approve " + object, several: several, about: about, style: slack.StylePrimary,
		confirm: func(named bool) *slack.ConfirmationBlockObject {
			if !named {
				return ask("Approve "+e.Ref()+"?", text, "Approve")
			}
			return ask("Approve "+layout.Line(about.Action, maxTitled)+" for "+e.Ref()+"?", whole(about.Action, text), "Approve")
		}})
}

// maxTitled is how much of a name stands in the title of a question.
const maxTitled = 60

// whole is a question's text, with the name in it that is too long for the title.
func whole(object, text string) string {
	if utf8.RuneCountInString(object) <= maxTitled {
		return text
	}
	return object + ": " + text
}

// severalGates says whether an execution asks at more than one gate at a time:
// then "Approve" alone does not say what is signed, in whichever message it stands.
func severalGates(e *workflows.Execution) bool {
	n := 0
	for i := range e.Stages {
		for j := range e.Stages[i].Actions {
			if e.Stages[i].Actions[j].Needs == workflows.NeedsApproval {
				n++
			}
		}
	}
	return n > 1
}

// carries is what an execution brings, in a few plain words.
func carries(e *workflows.Execution) string {
	if e.Rollback != nil {
		return "the artifacts of #" + strconv.Itoa(e.Rollback.TargetNumber)
	}
	if len(e.SourceRevisions) == 0 {
		return "its sources"
	}
	r := e.SourceRevisions[0]
	return layout.Line(words.Revision(r.RevisionID)+" "+r.RevisionSummary, 80)
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

// resolves says what follows from marking an action whose result is unknown.
func resolves(ref, stage, action, as string) string {
	text := fmt.Sprintf("%s, %s: %s is marked as %s.", ref, stage, layout.Line(action, 100), as)
	if as == "again" {
		text = fmt.Sprintf("%s, %s: %s runs again.", ref, stage, layout.Line(action, 100))
	}
	return text
}
