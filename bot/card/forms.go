package card

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
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
	InDefinition = "definition" // asWas|asIs
	InRunning    = "running"    // stop|wait
)

// form builds a modal. Without a submit text it only says something.
func form(callback, title, submit string, about Subject, blocks []slack.Block) slack.ModalViewRequest {
	f := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: callback, Title: plain(line(title, 24)), Close: plain("Never mind"),
		PrivateMetadata: about.String(), Blocks: slack.Blocks{BlockSet: blocks}}
	if submit != "" {
		f.Submit = plain(line(submit, 24))
	} else {
		f.Close = plain("Close")
	}
	return f
}

// input is an input block; block_id and action_id are the same name.
func input(id, label, hint, value string, optional, multiline bool) slack.Block {
	el := slack.NewPlainTextInputBlockElement(nil, id).WithMultiline(multiline).WithMaxLength(maxInput)
	if value = strings.TrimSpace(clean(value)); value != "" {
		el.WithInitialValue(string([]rune(value)[:min(len([]rune(value)), maxInput)]))
	}
	var h *slack.TextBlockObject
	if hint != "" {
		h = plain(line(hint, 500))
	}
	return slack.NewInputBlock(id, plain(line(label, 200)), h, el).WithOptional(optional)
}

func radio(id, label string, options ...*slack.OptionBlockObject) *slack.InputBlock {
	return slack.NewInputBlock(id, plain(label), nil, slack.NewRadioButtonsBlockElement(id, options...))
}

func option(value, text, description string) *slack.OptionBlockObject {
	var d *slack.TextBlockObject
	if description != "" {
		d = plain(line(description, maxOption))
	}
	return slack.NewOptionBlockObject(value, plain(line(text, maxOption)), d)
}

// RejectForm asks for the reason, which everybody will read.
func RejectForm(v View, about Subject) slack.ModalViewRequest {
	l := &layout{most: maxHome}
	l.lines(v.answered(about))
	return form(FormReject, "Reject "+v.Execution.Ref(), "Reject", about,
		append(l.done(""), input(InReason, "Why not?", "The requester and the channel read this.", "", false, true)))
}

// ApproveForm asks for the comment that a gate requires.
func ApproveForm(v View, about Subject) slack.ModalViewRequest {
	l := &layout{most: maxHome}
	l.lines(v.answered(about))
	l.lines(v.warnings()...)
	return form(FormApprove, "Approve "+v.Execution.Ref(), "Approve", about,
		append(l.done(""), input(InComment, "Comment", "This gate requires one.", "", false, true)))
}

// answered is what somebody is about to answer.
func (v *View) answered(about Subject) string {
	text := "*" + v0(v.Execution.Ref()) + "* waits for approval in *" + v0(about.Stage) + "*: " + esc(carries(&v.Execution), 120)
	if _, now := v.running(about.Stage); now != "" {
		text += fmt.Sprintf("\n%s runs %s now.", esc(about.Stage, 100), now)
	}
	return text
}

// StartForm asks for a pipeline's variables. values are what is filled in
// already; a variable without them shows its default.
func StartForm(p workflows.PipelineView, about Subject, values map[string]string) slack.ModalViewRequest {
	l := &layout{most: maxHome}
	l.lines("Start an execution of *" + v0(p.Name) + "*, version " + fmt.Sprint(p.Version))
	blocks := l.done("")
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
			blocks = append(blocks, input(variable.Name, variable.Name, hint, value, variable.DefaultValue != nil, false))
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
	Targets []workflows.Target
	// Busy is the execution whose actions run in the stage: "webshop#43".
	Busy string
	// Reason that was typed already.
	Reason string
}

// Place is a stage that could be rolled back.
type Place struct{ Pipeline, Stage string }

// Value is the place as the form's choice carries it.
func (p Place) Value() string { return p.Pipeline + "/" + p.Stage }

// ParsePlace reads what Value wrote.
func ParsePlace(value string) (Place, bool) {
	pipeline, stage, ok := strings.Cut(value, "/")
	return Place{Pipeline: pipeline, Stage: stage}, ok
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
	l := &layout{most: maxHome}
	switch {
	case r.About.Stage == "" && len(r.Places) == 0:
		l.lines("There is no stage that you could roll back: none has run anything earlier, or you do not have the right.")
		submit = ""
	case r.About.Stage != "":
		l.lines(r.now())
		if len(options) == 0 {
			l.lines("There is nothing to roll back to in *" + v0(r.About.Stage) + "*.")
			if len(r.Places) == 0 {
				submit = ""
			}
		}
	}
	blocks = append(blocks, l.done("")...)
	if len(options) > 0 {
		blocks = append(blocks, r.target(options, preselected)...)
	}
	if submit != "" {
		blocks = append(blocks, input(InReason, "Reason", "Everybody reads this.", r.Reason, true, true))
	}
	if why != "" {
		w := &layout{most: maxHome}
		w.context(why)
		blocks = append(blocks, w.done("")...)
	}
	return form(FormRollback, title, submit, r.About, blocks)
}

// now says what the stage runs.
func (r *Return) now() string {
	text := "*" + v0(r.About.Pipeline) + " · " + v0(r.About.Stage) + "*"
	for _, t := range r.Targets {
		if t.Now {
			return text + fmt.Sprintf(" runs #%d now: %s", t.Number, esc(summary(t.SourceRevisions), 120))
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
		if n := len(groups); n == 0 || groups[n-1].Label.Text != line(p.Pipeline, 75) {
			if n == 100 {
				break
			}
			groups = append(groups, slack.NewOptionGroupBlockElement(plain(line(p.Pipeline, 75))))
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
	el := slack.NewOptionsGroupSelectBlockElement(slack.OptTypeStatic, plain("Choose a stage"), ActPlace, groups...)
	if initial != nil {
		el.WithInitialOption(initial)
	}
	return slack.NewInputBlock(ActPlace, plain("Stage"), nil, el).WithDispatchAction(true)
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
				not = append(not, fmt.Sprintf("#%d %s", t.Number, esc(reason, 120)))
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

// target is the choice of what to return to, with the questions it brings.
func (r *Return) target(options []*slack.OptionBlockObject, preselected *slack.OptionBlockObject) []slack.Block {
	el := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Choose what to return to"), InTarget, options...)
	if preselected != nil {
		el.WithInitialOption(preselected)
	}
	blocks := []slack.Block{slack.NewInputBlock(InTarget, plain("Return to"), plain("The last that worked comes first. Nothing is built again."), el)}
	for _, t := range r.Targets {
		if t.Eligible && t.StageChanged {
			was := option("asWas", "As it was then", "with the stage as that execution ran it")
			q := radio(InDefinition, "The stage's definition has changed since. Which one runs?", was, option("asIs", "As it is now", "with the stage as it is defined today"))
			q.Element.(*slack.RadioButtonsBlockElement).InitialOption = was
			blocks = append(blocks, q)
			break
		}
	}
	if r.Busy != "" {
		blocks = append(blocks, radio(InRunning, line(r.Busy+" runs actions in this stage. What about it?", 200),
			option("stop", "Stop it, then roll back", ""), option("wait", "Roll back when it ends", "")))
	}
	return blocks
}

func summary(revisions []workflows.SourceRevision) string {
	if len(revisions) == 0 {
		return "no source"
	}
	r := revisions[0]
	return strings.TrimSpace(short(r.RevisionID) + " " + r.RevisionSummary)
}

// ran says when a target's content ran, and what speaks against it.
func ran(t workflows.Target) string {
	text := ""
	if len(t.Ran) > 0 {
		s := t.Ran[0]
		text = "ran " + stamp(s.From)
		if s.To == nil {
			text = "since " + stamp(s.From)
		} else {
			text += " for " + lasted(s.To.Sub(s.From))
		}
	}
	if t.LeftBy != "" {
		text = join(text, "was rolled back from")
	}
	if t.StageChanged {
		text = join(text, "stage changed")
	}
	return text
}
