package card

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Sign stands before a state's word inside a line, never without it.
func Sign(s say.State) string { return sign(s) }

// Person is how somebody is called in a message: machines and rollcall itself
// by their own names, people as [Calls] finds them.
func Person(p workflows.Principal) string { return name(p) }

// Brought is who is behind an execution: who started it, else who wrote what it
// brings; empty: nobody is known.
func Brought(e *workflows.Execution) string {
	by := e.Trigger.By
	if by.ID != "" && !by.IsEngine() {
		return "by " + name(by)
	}
	if len(e.SourceRevisions) > 0 {
		return wroteBy(e.SourceRevisions[0].Author)
	}
	return ""
}

// Revisions are what an execution brings, a line each, at most so many.
func Revisions(e *workflows.Execution, most int) []string { return revisions(e, most) }

// MayBypass names those who may bypass a freeze.
func MayBypass(f *workflows.Freeze) string { return bypass(f) }

// State is how an execution stands, as its headline says it: also that it was
// rolled back from.
func (v *View) State() (say.State, string) { return v.headline() }

// Page is a link to the execution's page in the console; only the text without one.
func (v *View) Page(text string) string {
	return layout.Link(page(v.URL, v.Execution.ID), text)
}

// Overrides are the gates and conditions that somebody set aside, a line each.
func (v *View) Overrides() []string { return v.overrides() }

// Acts says whether anything can be done from here: not with what is in AWS and
// only watched, or not seen at present.
func (v *View) Acts() bool { return v.acts() }

// Format is how a message writes what stands in a sentence: people are
// mentioned, times are the reader's own, what comes from outside is escaped.
func (v *View) Format() *say.Format { return v.format() }

// InAWS says of a pipeline in AWS that it is not seen, or only watched, a line each.
func (v *View) InAWS() []string { return bridge(v.Pipeline.Bridge) }

// Number is "#42" for an execution that is not this one; empty where it is not known.
func (v *View) Number(id string) string { return v.number(id) }

// Standing is the gate's quorum: "1 of 2 approvals, 1 more needed", and until when.
func (a *Asking) Standing() string { return a.standing() }

// Change is from what to what the stage goes, and how much that is.
func (a *Asking) Change() string {
	return layout.Join(strings.TrimPrefix(a.change(), "➡️ "), strings.TrimPrefix(a.Changed(a.Stage), "🔀 "))
}

// Warning is what somebody must know before they answer; empty: there is nothing.
func (a *Asking) Warning() []string { return warning(a.Stage, a.Approval.Warning) }

// Buttons gathers the buttons of a message or a view about several things. What
// would say the same as another one names its object.
type Buttons struct{ row row }

// Quiet makes none of the buttons stand out, and each name its object: several
// things stand side by side.
func (b *Buttons) Quiet() { b.row.quiet = true }

// Answer adds Approve and Reject for a gate, named by object where there are several.
func (b *Buttons) Answer(a *Asking, object string) {
	about := Subject{Pipeline: a.Execution.Pipeline, Stage: a.Stage, Action: a.Action, Execution: a.Execution.ID, Gate: a.Approval.Token}
	about.Seen, _ = a.Running(a.Stage)
	a.answer(&b.row, workflows.Approve, about, a.Approval.Warning, object)
	a.answer(&b.row, workflows.Reject, about, "", object)
}

// Offer adds what can be done. Where another pipeline's button would say the
// same, it names its pipeline.
func (b *Buttons) Offer(v *View, o workflows.Offer) {
	v.offer(&b.row, o)
	if n := len(b.row.all); n > 0 {
		last := &b.row.all[n-1]
		last.named = layout.Line(last.text, 40) + " of " + v.Execution.Pipeline
		if b.row.quiet {
			last.several, last.style = true, slack.StyleDefault
		}
	}
}

// Len is how many there are.
func (b *Buttons) Len() int { return len(b.row.all) }

// Start adds the button that starts a pipeline.
func (b *Buttons) Start(pipeline string) {
	b.row.add(button{act: ActStart, text: "Start", named: "Start " + pipeline, about: Subject{Pipeline: pipeline},
		confirm: always(ask("Start "+pipeline+"?", "A new execution of "+layout.Line(pipeline, 100)+" begins with the newest sources.", "Start"))})
}

// Done draws the buttons in the order in which they were added.
func (b *Buttons) Done() []*slack.ButtonBlockElement { return b.row.done() }
