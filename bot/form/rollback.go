package form

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	// Stage as the current definition has it; nil: not known.
	Stage *workflows.Stage
	// Freeze that holds the stage now; nil: none.
	Freeze *workflows.Freeze
	// Reason that was typed already, and Lock what was chosen; nil: nothing yet.
	Reason string
	Lock   *bool
	// Reader is what the person is called, Zone their time zone (nil: UTC), Now the time.
	Reader string
	Zone   *time.Location
	Now    time.Time
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

// Rollback asks what is missing for a rollback: the stage, the target, and where
// they matter, which definition and what becomes of work that runs. What must be
// known stands above the choice in few lines, what is long below it.
func Rollback(r Return) slack.ModalViewRequest {
	title := "Roll back"
	if r.About.Stage != "" {
		title += " " + r.About.Stage
	}
	var blocks []slack.Block
	if len(r.Places) > 0 {
		blocks = append(blocks, r.places())
	}
	options, chosen := r.options()
	submit := len(r.Places) > 0 || len(options) > 0
	l := layout.View()
	switch {
	case r.About.Stage == "" && len(r.Places) == 0:
		l.Lines("There is no stage that you can roll back: none has an earlier execution, or you do not have the right.")
	case r.About.Stage != "":
		l.Lines(r.now())
		if len(options) == 0 {
			l.Lines("There is nothing to roll back to in *" + layout.Name(r.About.Stage) + "*.")
		}
	}
	r.alerts(l, chosen)
	blocks = append(blocks, l.Done("")...)
	if len(options) > 0 {
		blocks = append(blocks, r.target(options, chosen)...)
	}
	if !submit {
		return form(FormRollback, title, "", r.About, append(blocks, r.notOffered()...))
	}
	if len(options) > 0 {
		blocks = append(blocks, r.lock())
	}
	blocks = append(blocks, input(InReason, "Reason", shown, r.Reason, true, true, workflows.RollBack.Longest()))
	blocks = append(blocks, r.leaves(chosen)...)
	return form(FormRollback, title, "Roll back", r.About, append(blocks, r.notOffered()...))
}

// now says what the stage runs, since when, and how long its last deploy took.
func (r *Return) now() string {
	text := "*" + layout.Name(r.About.Pipeline) + " · " + layout.Name(r.About.Stage) + "*"
	for i := range r.Targets {
		t := &r.Targets[i]
		if !t.Now {
			continue
		}
		text += fmt.Sprintf(" runs #%d: %s", t.Number, layout.Text(summary(t.SourceRevisions), 120))
		since, took := "", ""
		if len(t.Ran) > 0 {
			since = "since " + layout.Moment(t.Ran[0].From)
		}
		if t.Took > 0 {
			took = "last deploy took " + layout.Duration(time.Duration(t.Took)*time.Second)
		}
		text += "\n" + layout.Join(t.Caveat(), since, took)
	}
	return strings.TrimSpace(text)
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

// options are the eligible targets, and the one that is chosen.
func (r *Return) options() (options []*slack.OptionBlockObject, chosen *ledger.Target) {
	for i := range r.Targets {
		t := &r.Targets[i]
		if !t.Eligible || len(options) == 100 {
			continue
		}
		now := ""
		if t.Now {
			now = " (now)"
		}
		options = append(options, option(t.Execution, fmt.Sprintf("#%d%s · %s", t.Number, now, summary(t.SourceRevisions)), r.marks(t)))
		switch {
		case r.About.Target == t.Execution:
			chosen = t
		case chosen == nil && t.Preselected && r.About.Target == "":
			chosen = t
		}
	}
	return options, chosen
}

// notOffered says which targets are none, and why.
func (r *Return) notOffered() []slack.Block {
	var not []string
	for _, t := range r.Targets {
		if reason := cmp.Or(t.Why, "cannot be rolled back to"); !t.Eligible && !t.Now && len(not) < 10 {
			not = append(not, fmt.Sprintf("#%d %s", t.Number, layout.Text(reason, 120)))
		}
	}
	l := layout.View()
	if len(not) > 0 {
		l.Context("Not offered: " + strings.Join(not, "; "))
	}
	return l.Done("")
}

// target is the choice of what to roll back to, with the questions it brings.
func (r *Return) target(options []*slack.OptionBlockObject, chosen *ledger.Target) []slack.Block {
	el := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, layout.PlainText("Choose an execution"), InTarget, options...)
	for _, o := range options {
		if chosen != nil && o.Value == chosen.Execution {
			el.WithInitialOption(o)
		}
	}
	hint := strings.TrimSpace("Redeploys the artifacts of that execution; nothing is rebuilt. " + r.asks(chosen))
	blocks := []slack.Block{slack.NewInputBlock(InTarget, layout.PlainText("Roll back to"), layout.PlainText(layout.Line(hint, 300)), el).WithDispatchAction(true)}
	if chosen != nil && utf8.RuneCountInString(r.marks(chosen)) > layout.MaxOption { // what the choice has no room for
		l := layout.View()
		l.Context(fmt.Sprintf("#%d: %s", chosen.Number, layout.Text(r.marks(chosen), 600)))
		blocks = append(blocks, l.Done("")...)
	}
	if chosen != nil && chosen.StageChanged {
		was := option("original", layout.Sentence(say.Definition("original")), "")
		q := radio(InDefinition, "The stage was edited since. Which definition should run?", was, option("current", layout.Sentence(say.Definition("current")), ""))
		q.Element.(*slack.RadioButtonsBlockElement).InitialOption = was
		blocks = append(blocks, q)
	}
	if r.Busy != "" {
		blocks = append(blocks, radio(InRunning, layout.Line(r.Busy+" is running actions in this stage. What should happen to it?", 200),
			option("stop", "Stop it, then roll back", ""), option("wait", "Roll back when it ends", "")))
	}
	return blocks
}

// asks says whether people have to approve again; empty: the stage asks nobody, or it is not known.
func (r *Return) asks(chosen *ledger.Target) string {
	if chosen == nil || r.Stage == nil {
		return ""
	}
	gated := slices.ContainsFunc(r.Stage.Actions, func(a workflows.Action) bool { return a.IsApproval() })
	switch {
	case chosen.Approvals > 0:
		return "Asks for " + layout.Count(chosen.Approvals, "approval", "approvals") + " again."
	case !gated:
		return ""
	case r.Stage.Rollback.Approval == "skip":
		return "No approval is asked."
	}
	return "No approval is asked: it is one of the last 5 successes."
}

// lock is the box that says whether the stage is locked afterwards.
func (r *Return) lock() slack.Block {
	o := option(InLock, "Lock "+r.About.Stage+" afterwards", "The next run does not redeploy what you roll back.")
	el := slack.NewCheckboxGroupsBlockElement(InLock, o)
	locks := r.Stage == nil || r.Stage.Rollback.Lock != "never"
	if r.Lock != nil {
		locks = *r.Lock
	}
	if locks {
		el.InitialOptions = []*slack.OptionBlockObject{o}
	}
	return slack.NewInputBlock(InLock, layout.PlainText("Lock"), nil, el).WithOptional(true)
}

// summary is the commit of the first source, with its subject.
func summary(revisions []workflows.SourceRevision) string {
	if len(revisions) == 0 {
		return "no source"
	}
	r := revisions[0]
	return strings.TrimSpace(words.Revision(r.RevisionID) + " " + r.RevisionSummary)
}
