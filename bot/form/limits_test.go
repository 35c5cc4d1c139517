package form_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/bot/internal/webshop"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// Whatever an execution and its pipeline hold, their forms can be sent and say
// nothing they must not.
func TestAnyFormIsWithinSlacksLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := blocktest.Text()
		v, about := anyView(t)
		places := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) form.Place {
			return form.Place{Pipeline: blocktest.Name(t), Stage: blocktest.Name(t)}
		}), 0, 120).Draw(t, "places")
		calls := rapid.SampledFrom(blocktest.Called()).Draw(t, "called")
		for _, d := range []blocktest.Drawing{
			modal("reject", form.Reason(v, workflows.Reject, about)), modal("approve", form.Reason(v, workflows.Approve, about)), modal("override", form.Reason(v, workflows.Override, about)),
			modal("loading", form.Loading(about.Stage, about.Action)),
			modal("stop", form.Stop(v, about)), modal("start", form.Start(v.Pipeline, about, v.Execution.Variables)),
			modal("rollback", form.Rollback(form.Return{About: about, Places: places, Targets: anyTargets(t), Busy: "x" + text.Draw(t, "busy"), Reason: text.Draw(t, "reason"), Reader: text.Draw(t, "reader"), Freeze: anyFreeze(t)})),
		} {
			for _, f := range d.Named(calls).Refused() {
				t.Errorf("%s: %s", d.Name, f)
			}
		}
	})
}

// anyView is an execution at a gate with texts from outside, and what somebody is about to do there.
func anyView(t *rapid.T) (card.View, card.Subject) {
	text := blocktest.Text()
	e, p := webshop.Waiting(), webshop.Shop()
	stage, action := &e.Stages[2], &e.Stages[2].Actions[0]
	e.Pipeline, e.Number, stage.Name, action.Name = blocktest.Name(t), rapid.IntRange(1, 1<<40).Draw(t, "number"), blocktest.Name(t), blocktest.Name(t)
	e.SourceRevisions[0].RevisionSummary, e.SourceRevisions[0].RevisionID = text.Draw(t, "summary"), text.Draw(t, "revision")
	e.Variables = rapid.MapOfN(text, text, 0, 20).Draw(t, "variables")
	e.Notes = []workflows.Note{{Name: "changes/" + stage.Name, State: "done", Text: text.Draw(t, "changes"), URL: text.Draw(t, "compare"), Detail: text.Draw(t, "commits")}}
	action.Approval.Missing, action.Approval.Warning = rapid.SliceOfN(text, 0, 20).Draw(t, "missing"), text.Draw(t, "warning")
	p.Name, p.Stages[2].Name = e.Pipeline, stage.Name
	p.Definition.Variables = []workflows.Variable{{Name: blocktest.Name(t), Description: text.Draw(t, "description"), Pattern: text.Draw(t, "pattern")}}
	return webshop.View(e, p), card.Subject{Pipeline: e.Pipeline, Stage: stage.Name, Action: action.Name, Execution: e.ID, Gate: action.Approval.Token, Target: e.ID, Seen: e.ID}
}

// anyTargets are what a stage could be rolled back to, few or many.
func anyTargets(t *rapid.T) []ledger.Target {
	text := blocktest.Text()
	var all []ledger.Target
	for i := range rapid.SampledFrom([]int{0, 1, 3, 120}).Draw(t, "targets") {
		r := webshop.Revision()
		r.RevisionSummary = rapid.SampledFrom([]string{"", blocktest.Hostile, "fine", strings.Repeat("x", 400)}).Draw(t, "summary")
		all = append(all, ledger.Target{Execution: fmt.Sprintf("0192f000-0000-7000-8000-%012d", i), Number: i, Eligible: rapid.Bool().Draw(t, "eligible"), Now: i == 0, Why: blocktest.Text().Draw(t, "why"),
			StageChanged: rapid.Bool().Draw(t, "changed"), Ran: []ledger.Span{{From: webshop.At(i), To: anyTime(t)}}, SourceRevisions: []workflows.SourceRevision{r},
			By: workflows.Principal{ID: text.Draw(t, "by"), Name: text.Draw(t, "who")}, Left: &ledger.Leave{By: text.Draw(t, "left by"), Reason: text.Draw(t, "left why"), At: anyTime(t)},
			Whose: rapid.SliceOfN(text, 0, 8).Draw(t, "whose"), Unsafe: rapid.SliceOfN(text, 0, 8).Draw(t, "unsafe"), Lines: rapid.SliceOfN(text, 0, 11).Draw(t, "lines"), Pulls: anyLeaving(t), Issues: anyLeaving(t), Took: rapid.IntRange(0, 1<<30).Draw(t, "took"),
			Preselected: i == 2, Compared: rapid.Bool().Draw(t, "compared"), Undoes: rapid.IntRange(0, 1<<40).Draw(t, "undoes"), Brings: rapid.IntRange(0, 1<<40).Draw(t, "brings"), CompareURL: blocktest.Text().Draw(t, "compare")})
	}
	return all
}

// anyTime is a moment, or none.
func anyTime(t *rapid.T) *time.Time {
	if rapid.Bool().Draw(t, "never") {
		return nil
	}
	return webshop.When(rapid.IntRange(-1000000, 1000000).Draw(t, "minutes"))
}

// anyLeaving are pull requests or issues.
func anyLeaving(t *rapid.T) (all []ledger.Leaving) {
	for range rapid.IntRange(0, 10).Draw(t, "leave") {
		all = append(all, ledger.Leaving{Text: blocktest.Text().Draw(t, "leaving"), URL: blocktest.Text().Draw(t, "at")})
	}
	return all
}

// anyFreeze is a freeze, or none.
func anyFreeze(t *rapid.T) *workflows.Freeze {
	if rapid.Bool().Draw(t, "not frozen") {
		return nil
	}
	return &workflows.Freeze{Name: blocktest.Text().Draw(t, "freeze"), To: webshop.At(5)}
}
