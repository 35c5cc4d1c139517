package card

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The forms' callback_ids, and their input blocks, whose action_id is the same.
const (
	FormApprove  = "approve"
	FormReject   = "reject"
	FormRollback = "rollback"
	FormStart    = "start"
	FormOverride = "override"

	InReason     = "reason"
	InComment    = "comment"
	InTarget     = "target"
	InDefinition = "definition" // original|current
	InRunning    = "running"    // stop|wait
)

// form builds a modal. Without a submit text it only says something.
func form(callback, title, submit string, about Subject, blocks []slack.Block) slack.ModalViewRequest {
	f := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: callback, Title: layout.PlainText(layout.Line(title, 24)), Close: layout.PlainText("Cancel"),
		PrivateMetadata: about.String(), Blocks: slack.Blocks{BlockSet: blocks}}
	if submit != "" {
		f.Submit = layout.PlainText(layout.Line(submit, 24))
	} else {
		f.Close = layout.PlainText("Close")
	}
	return f
}

// input is an input block; block_id and action_id are the same name. most is
// how many characters the engine takes.
func input(id, label, hint, value string, optional, multiline bool, most int) slack.Block {
	el := slack.NewPlainTextInputBlockElement(nil, id).WithMultiline(multiline).WithMaxLength(most)
	if value = strings.TrimSpace(clean.Text(value)); value != "" {
		el.WithInitialValue(string([]rune(value)[:min(len([]rune(value)), most)]))
	}
	var h *slack.TextBlockObject
	if hint != "" {
		h = layout.PlainText(layout.Line(hint, 500))
	}
	return slack.NewInputBlock(id, layout.PlainText(layout.Line(label, 200)), h, el).WithOptional(optional)
}

func radio(id, label string, options ...*slack.OptionBlockObject) *slack.InputBlock {
	return slack.NewInputBlock(id, layout.PlainText(label), nil, slack.NewRadioButtonsBlockElement(id, options...))
}

func option(value, text, description string) *slack.OptionBlockObject {
	var d *slack.TextBlockObject
	if description != "" {
		d = layout.PlainText(layout.Line(description, layout.MaxOption))
	}
	return slack.NewOptionBlockObject(value, layout.PlainText(layout.Line(text, layout.MaxOption)), d)
}

// shown says who reads what is written into a form.
const shown = "Shown in the channel and kept in the history."

// ReasonForm asks for the words that go with an answer: why somebody rejects or
// overrides, or the comment that a gate requires with an approval.
func ReasonForm(v View, verb workflows.Verb, about Subject) slack.ModalViewRequest {
	l := layout.View()
	callback, title, id, label := FormReject, "Reject", InReason, "Why not?"
	l.Lines(append([]string{v.answered(about)}, v.commits(about.Stage)...)...)
	switch verb {
	case workflows.Approve:
		callback, title, id, label = FormApprove, "Approve", InComment, "Comment"
		l.Lines(v.warnings()...)
	case workflows.Override:
		callback, title, label = FormOverride, "Override", "Why can it not wait?"
		l = v.aside(about)
	}
	return form(callback, v.formTitle(title, about), title, about, append(l.Done(""), input(id, label, shown, "", false, true, verb.Longest())))
}

// aside says what an override would set aside.
func (v *View) aside(about Subject) *layout.Layout {
	e := &v.Execution
	missing, _, _ := lacking(e, about.Stage, about.Action)
	l := layout.View()
	l.Lines("*" + layout.Name(e.Ref()) + "* goes on in *" + layout.Name(about.Stage) + "*: " + layout.Text(carries(e), 120))
	for i, m := range missing {
		if i == 10 {
			break
		}
		l.Lines("Without: " + layout.Text(m, 300))
	}
	l.Lines(v.warnings()...)
	return l
}

// formTitle is a form's title. Of several gates it names the one that is answered,
// as its button did; the execution stands below.
func (v *View) formTitle(verb string, about Subject) string {
	if severalGates(&v.Execution) && about.Action != "" {
		return verb + " " + about.Action
	}
	return verb + " " + v.Execution.Ref()
}

// answered is what somebody is about to answer.
func (v *View) answered(about Subject) string {
	text := "*" + layout.Name(v.Execution.Ref()) + "* is waiting for approval in *" + layout.Name(about.Stage) + "*" + inBrackets(about.Action) + ": " + layout.Text(carries(&v.Execution), 120)
	if _, now := v.running(about.Stage); now != "" {
		text += "\n" + layout.Text(about.Stage, 100) + ": " + say.Change(now, v.Execution.Number)
	}
	return strings.TrimSuffix(text+"\n"+v.changed(about.Stage), "\n")
}

// StartForm asks for a pipeline's variables. values are what is filled in
// already; a variable without them shows its default.
func StartForm(p workflows.PipelineView, about Subject, values map[string]string) slack.ModalViewRequest {
	l := layout.View()
	l.Lines("Start an execution of *" + layout.Name(p.Name) + "*, version " + fmt.Sprint(p.Version))
	blocks := l.Done("")
	if p.Definition != nil {
		for _, variable := range p.Definition.Variables {
			value, given := values[variable.Name]
			if !given && variable.DefaultValue != nil {
				value = *variable.DefaultValue
			}
			hint := variable.Description
			if variable.Pattern != "" {
				hint = strings.TrimSpace(hint + " Must match " + variable.Pattern)
			}
			blocks = append(blocks, input(variable.Name, variable.Name, hint, value, variable.DefaultValue != nil, false, variable.Longest()))
		}
	}
	return form(FormStart, "Start "+p.Name, "Start", about, blocks)
}

// Return is what a rollback form knows.
type Return struct {
	// About holds pipeline, stage, what runs there (Seen) and a preselected Target.
	About Subject
	// Places to choose from; empty when the stage is given.
	Places []Place
	// Targets of the stage, newest first.
	Targets []ledger.Target
	// Busy is the execution whose actions run in the stage: "webshop#43".
	Busy string
	// Locks: the rollback locks the stage.
	Locks bool
	// Reason that was typed already.
	Reason string
}

// Place is a stage that could be rolled back.
type Place struct{ Pipeline, Stage string }

// Value is the place as the form's choice carries it.
func (p Place) Value() string { return p.Pipeline + "/" + p.Stage }

// Parse reads what Value wrote; false: it is none.
func (p *Place) Parse(value string) (ok bool) {
	p.Pipeline, p.Stage, ok = strings.Cut(value, "/")
	return ok
}

// RollbackForm asks what is missing for a rollback: the stage, the target, and
// where they matter, which definition and what becomes of work that runs.
func RollbackForm(r Return) slack.ModalViewRequest {
	title := "Roll back"
	if r.About.Stage != "" {
		title += " " + r.About.Stage
	}
	var blocks []slack.Block
	if len(r.Places) > 0 {
		blocks = append(blocks, r.places())
	}
	submit := "Roll back"
	options, preselected, why := r.options()
	l := layout.View()
	switch {
	case r.About.Stage == "" && len(r.Places) == 0:
		l.Lines("There is no stage that you can roll back: none has an earlier execution, or you do not have the right.")
		submit = ""
	case r.About.Stage != "":
		l.Lines(r.now())
		if len(options) == 0 {
			l.Lines("There is nothing to roll back to in *" + layout.Name(r.About.Stage) + "*.")
			if len(r.Places) == 0 {
				submit = ""
			}
		}
	}
	blocks = append(blocks, l.Done("")...)
	if len(options) > 0 {
		blocks = append(blocks, r.target(options, preselected)...)
	}
	if preselected != nil {
		u := layout.View()
		u.Lines(r.loses(preselected.Value)...)
		blocks = append(blocks, u.Done("")...)
	}
	if submit != "" {
		blocks = append(blocks, input(InReason, "Reason", shown, r.Reason, true, true, workflows.RollBack.Longest()))
	}
	if why != "" {
		w := layout.View()
		w.Context(why)
		blocks = append(blocks, w.Done("")...)
	}
	return form(FormRollback, title, submit, r.About, blocks)
}

// now says what the stage runs.
func (r *Return) now() string {
	text := "*" + layout.Name(r.About.Pipeline) + " · " + layout.Name(r.About.Stage) + "*"
	for _, t := range r.Targets {
		if t.Now {
			return text + fmt.Sprintf(" runs #%d: %s", t.Number, layout.Text(summary(t.SourceRevisions), 120))
		}
	}
	return text
}

// places is the choice of a stage; choosing one fills in its targets.
func (r *Return) places() slack.Block {
	var groups []*slack.OptionGroupBlockObject
	var initial *slack.OptionBlockObject
	for _, p := range r.Places {
		if len(p.Value()) > 150 {
			continue // longer than an option's value may be; the command names it
		}
		if n := len(groups); n == 0 || groups[n-1].Label.Text != layout.Line(p.Pipeline, 75) {
			if n == 100 {
				break
			}
			groups = append(groups, slack.NewOptionGroupBlockElement(layout.PlainText(layout.Line(p.Pipeline, 75))))
		}
		g := groups[len(groups)-1]
		if len(g.Options) == 100 {
			continue
		}
		o := option(p.Value(), p.Pipeline+" · "+p.Stage, "")
		g.Options = append(g.Options, o)
		if p.Pipeline == r.About.Pipeline && p.Stage == r.About.Stage {
			initial = o
		}
	}
	el := slack.NewOptionsGroupSelectBlockElement(slack.OptTypeStatic, layout.PlainText("Choose a stage"), ActPlace, groups...)
	if initial != nil {
		el.WithInitialOption(initial)
	}
	return slack.NewInputBlock(ActPlace, layout.PlainText("Stage"), nil, el).WithDispatchAction(true)
}

// options are the eligible targets; why explains the others.
func (r *Return) options() (options []*slack.OptionBlockObject, preselected *slack.OptionBlockObject, why string) {
	var not []string
	for _, t := range r.Targets {
		if !t.Eligible {
			reason := t.Why
			if reason == "" && t.Now {
				reason = "runs now"
			}
			if len(not) < 10 {
				not = append(not, fmt.Sprintf("#%d %s", t.Number, layout.Text(reason, 120)))
			}
			continue
		}
		if len(options) == 100 {
			continue
		}
		text := fmt.Sprintf("#%d · %s", t.Number, summary(t.SourceRevisions))
		if t.Now {
			text = fmt.Sprintf("#%d (now) · %s", t.Number, summary(t.SourceRevisions))
		}
		o := option(t.Execution, text, ran(t))
		options = append(options, o)
		switch {
		case r.About.Target == t.Execution:
			preselected = o
		case preselected == nil && t.Preselected && r.About.Target == "":
			preselected = o
		}
	}
	if len(not) > 0 {
		why = "Not offered: " + strings.Join(not, "; ")
	}
	return options, preselected, why
}

// locks says that the stage is locked afterwards, where it is.
func (r *Return) locks() string {
	if !r.Locks {
		return ""
	}
	return r.About.Stage + " is then locked."
}

// target is the choice of what to roll back to, with the questions it brings.
func (r *Return) target(options []*slack.OptionBlockObject, preselected *slack.OptionBlockObject) []slack.Block {
	el := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, layout.PlainText("Choose an execution"), InTarget, options...)
	if preselected != nil {
		el.WithInitialOption(preselected)
	}
	blocks := []slack.Block{slack.NewInputBlock(InTarget, layout.PlainText("Roll back to"), layout.PlainText(layout.Line("Redeploys the artifacts of that execution; nothing is rebuilt. "+r.locks(), 150)), el).WithDispatchAction(true)}
	for _, t := range r.Targets {
		if t.Eligible && t.StageChanged {
			was := option("original", layout.Sentence(say.Definition("original")), "")
			q := radio(InDefinition, "The stage's definition has changed since. Which one should run?", was, option("current", layout.Sentence(say.Definition("current")), ""))
			q.Element.(*slack.RadioButtonsBlockElement).InitialOption = was
			blocks = append(blocks, q)
			break
		}
	}
	if r.Busy != "" {
		blocks = append(blocks, radio(InRunning, layout.Line(r.Busy+" is running actions in this stage. What should happen to it?", 200),
			option("stop", "Stop it, then roll back", ""), option("wait", "Roll back when it ends", "")))
	}
	return blocks
}

func summary(revisions []workflows.SourceRevision) string {
	if len(revisions) == 0 {
		return "no source"
	}
	r := revisions[0]
	return strings.TrimSpace(words.Revision(r.RevisionID) + " " + r.RevisionSummary)
}

// ran says when a target was live and who brought it there, and what speaks against it.
func ran(t ledger.Target) string {
	text := ""
	if len(t.Ran) > 0 {
		s := t.Ran[0]
		if s.To == nil {
			text = "live since " + layout.Stamp(s.From)
		} else {
			text = "live " + layout.Stamp(s.From) + " (" + layout.Duration(s.To.Sub(s.From)) + ")"
		}
	}
	text = layout.Join(t.Caveat(), undone(t), text) // first what counts most: what is too long is cut at its end
	if t.LeftBy != "" {
		text = layout.Join(text, "was rolled back")
	}
	if t.StageChanged {
		text = layout.Join(text, "stage changed")
	}
	return text
}
