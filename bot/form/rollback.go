package form

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Return is what a rollback form knows.
type Return struct {
	// About holds pipeline, stage, what runs there (Seen) and a preselected Target.
	About card.Subject
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

// Rollback asks what is missing for a rollback: the stage, the target, and
// where they matter, which definition and what becomes of work that runs.
func Rollback(r Return) slack.ModalViewRequest {
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
	if len(r.Places) > MostOptions {
		return r.placeMenu()
	}
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
	el := slack.NewOptionsGroupSelectBlockElement(slack.OptTypeStatic, layout.PlainText("Choose a stage"), InPlace, groups...)
	if initial != nil {
		el.WithInitialOption(initial)
	}
	return slack.NewInputBlock(InPlace, layout.PlainText("Stage"), nil, el).WithDispatchAction(true)
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

// summary is the commit of the first source, with its subject.
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

// undone is what would be lost by going back to a target; empty: not known.
func undone(t ledger.Target) string {
	switch {
	case !t.Compared || t.Now:
		return ""
	case t.Undoes == 0 && t.Brings == 0:
		return "the same commit"
	case t.Undoes == 0:
		return "brings " + layout.Count(t.Brings, "commit", "commits")
	}
	text := "undoes " + layout.Count(t.Undoes, "commit", "commits")
	if t.Brings > 0 {
		text += fmt.Sprintf(", brings %d", t.Brings)
	}
	return text
}

// loses says it of the target that is chosen in a form, with the first of those commits.
func (r *Return) loses(target string) []string {
	for _, t := range r.Targets {
		if text := undone(t); t.Execution == target && text != "" {
			head := "🔀 " + layout.Link(t.CompareURL, strings.TrimSpace(fmt.Sprintf("#%d %s", t.Number, text)))
			return append([]string{head}, layout.Items(t.Lines)...)
		}
	}
	return nil
}
