package card_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

func TestGalleryIsWithinSlacksLimits(t *testing.T) {
	for _, d := range gallery() {
		for _, f := range d.Faults() {
			t.Errorf("%s: %s", d.Name, f)
		}
	}
}

// Whatever an execution holds, its messages can be sent, say nothing they must
// not, and are the same when drawn again.
func TestAnyExecutionIsWithinSlacksLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView(t)
		a := card.Asking{View: v, Stage: name(t), Action: name(t), Approval: anyApproval(t), From: rapid.SliceOfN(text(), 0, 60).Draw(t, "from"), Ask: rapid.SliceOfN(rapid.Just("<@U123456>"), 0, 300).Draw(t, "ask")}
		anyGate(t, &a)
		about := card.Subject{Pipeline: name(t), Stage: a.Stage, Action: a.Action, Execution: v.Execution.ID, Gate: a.Approval.Token, Target: v.Execution.ID, Seen: v.Execution.ID}
		problem := &workflows.Problem{Message: "x" + text().Draw(t, "message"), Hint: text().Draw(t, "hint"), ID: "9f3c21"}
		var weak []event.Weakened
		for range rapid.SampledFrom([]int{1, 30}).Draw(t, "weakened") {
			weak = append(weak, event.Weakened{Stage: name(t), Action: name(t), Old: text().Draw(t, "old"), New: text().Draw(t, "new")})
		}
		draw := func() []drawing {
			return []drawing{
				message("execution", card.Execution(v)), message("unfurled", v.Unfurled()), message("details", card.Details(v)), blocktest.Modal("details modal", card.Details(v).Modal(v.Execution.Ref(), about)), message("gate", card.Gate(a)), message("reminder", a.Reminder()), message("skipped", a.Skipped(a.Ask)),
				message("announcement", card.Announcement(v, a.Stage)), message("announced", card.Announced(a, a.Stage)), message("failure", card.Failure(v)), message("failure of a rollback", v.Uncertain(a.Stage, a.Ask)), message("status", home.Status(v.Pipeline, []workflows.Execution{v.Execution, v.Execution}, at(0), url)),
				message("pipelines", home.Pipelines("Pipelines", []workflows.PipelineView{v.Pipeline}, at(0), url)),
				message("executions", home.Executions(about.Pipeline, []card.View{v, v}, url)),
				message("refusal", card.Refusal(problem, a.Ask, a.Approval.Text)), message("done", card.Done(problem.Message, &v.Execution, url)),
				message("log", card.Log(&v.Execution, a.Stage, a.Action, a.From)),
				message("not started", card.Notice(about.Pipeline, event.Event{Kind: event.IntentRefused, By: v.Execution.Trigger.By, Refused: &event.Refused{Problem: *problem}}, "")),
				message("missed", card.Notice(about.Pipeline, fired(false, problem.Hint), "")), message("polling", card.Notice(about.Pipeline, event.Event{Kind: event.PollingDisabled}, "/rollcall")),
				message("weakened", card.Edited(about.Pipeline, event.Event{By: v.Execution.Trigger.By, Defined: &event.Defined{Version: 2, ManagedBy: "file:" + problem.Hint, Weakened: weak}}, a.Ask)),
			}
		}
		calls := rapid.SampledFrom(blocktest.Called()).Draw(t, "called")
		for _, d := range draw() {
			for _, f := range d.Named(calls).Refused() {
				t.Errorf("%s: %s", d.Name, f)
			}
		}
		if n := utf8.RuneCountInString(v.Headline()); n > 60 {
			t.Errorf("headline of %d characters: %s", n, v.Headline())
		}
		if first, second := card.Execution(v), card.Execution(v); first.Text != second.Text || rendered(message("", first)) != rendered(message("", second)) {
			t.Error("the same execution is drawn in two ways")
		}
	})
}

func anyTime(t *rapid.T) *time.Time {
	if rapid.Bool().Draw(t, "never") {
		return nil
	}
	return when(rapid.IntRange(-1000000, 1000000).Draw(t, "minutes"))
}

func anyPrincipal(t *rapid.T) workflows.Principal {
	return workflows.Principal{ID: text().Draw(t, "id"), Name: text().Draw(t, "who"), Email: text().Draw(t, "mail"), Via: text().Draw(t, "via")}
}

func anyStatus(t *rapid.T) workflows.Status {
	return rapid.SampledFrom([]workflows.Status{workflows.StatusNotStarted, workflows.StatusInProgress, workflows.StatusStopping, workflows.StatusStopped, workflows.StatusSucceeded,
		workflows.StatusSuperseded, workflows.StatusFailed, workflows.StatusCancelled, workflows.StatusAbandoned, workflows.StatusSkipped, workflows.StatusErrored, workflows.StatusOverridden, ""}).Draw(t, "status")
}

func anyApproval(t *rapid.T) workflows.Approval {
	a := workflows.Approval{Token: id42, Required: rapid.IntRange(1, 9).Draw(t, "required"), Comment: rapid.SampledFrom([]string{"optional", "required"}).Draw(t, "comment"),
		Text: text().Draw(t, "text"), Link: text().Draw(t, "link"), Missing: rapid.SliceOfN(text(), 0, 5).Draw(t, "missing"), OpenedAt: at(0), ExpiresAt: at(9),
		Closed: rapid.SampledFrom([]string{"", "approved", "overridden", "rejected", "expired", "withdrawn"}).Draw(t, "closed"), Warning: text().Draw(t, "warning"), Override: anyOverride(t)}
	for range rapid.SampledFrom([]int{0, 1, 20}).Draw(t, "votes") {
		a.Votes = append(a.Votes, workflows.Vote{By: anyPrincipal(t), Answer: "approve", Comment: text().Draw(t, "comment"), At: at(3), Via: rapid.OneOf(text(), rapid.Just("outside")).Draw(t, "via")})
	}
	return a
}

func anyOverride(t *rapid.T) *workflows.Overridden {
	if rapid.Bool().Draw(t, "not overridden") {
		return nil
	}
	return &workflows.Overridden{By: anyPrincipal(t), Reason: text().Draw(t, "reason"), Without: text().Draw(t, "without"), At: at(5)}
}

func anyCondition(t *rapid.T, kind string) workflows.ConditionExecution {
	c := workflows.ConditionExecution{Kind: kind, Result: "FAIL", Status: anyStatus(t), Override: anyOverride(t)}
	for range rapid.IntRange(0, 5).Draw(t, "rules") {
		c.Rules = append(c.Rules, anyAction(t))
	}
	if rapid.Bool().Draw(t, "condition's reason") {
		c.Reason = &workflows.Reason{Code: "ConditionFailed", Message: text().Draw(t, "condition says")}
	}
	return c
}

func anyFreezes(t *rapid.T) []workflows.Freeze {
	var all []workflows.Freeze
	for range rapid.SampledFrom([]int{0, 1, 40}).Draw(t, "freezes") {
		all = append(all, workflows.Freeze{Name: text().Draw(t, "freeze"), From: at(rapid.IntRange(-100, 3000).Draw(t, "from")), To: at(rapid.IntRange(-50, 9000).Draw(t, "to")),
			MayPass: rapid.SliceOfN(text(), 0, 20).Draw(t, "may pass")})
	}
	return all
}

func anyAction(t *rapid.T) workflows.ActionExecution {
	a := workflows.ActionExecution{Name: name(t), Status: anyStatus(t), Needs: rapid.SampledFrom([]string{"", workflows.NeedsApproval, workflows.NeedsResolve}).Draw(t, "needs"),
		StartedAt: anyTime(t), EndedAt: anyTime(t), Summary: text().Draw(t, "summary"), ExternalID: text().Draw(t, "external"), ExternalURL: text().Draw(t, "url"),
		OutputVariables: map[string]string{"K": text().Draw(t, "output")}, Cancelling: rapid.Bool().Draw(t, "cancelling")}
	if rapid.Bool().Draw(t, "failed") {
		a.Error = &workflows.Reason{Code: "ActionFailed", Message: text().Draw(t, "error")}
	}
	if a.Needs == workflows.NeedsApproval {
		approval := anyApproval(t)
		a.Approval = &approval
	}
	return a
}

func anyOffers(t *rapid.T, stages []string) []workflows.Offer {
	var offers []workflows.Offer
	for range rapid.SampledFrom([]int{0, 1, 4, 40}).Draw(t, "offers") {
		offers = append(offers, workflows.Offer{Verb: rapid.SampledFrom([]workflows.Verb{workflows.Approve, workflows.Reject, workflows.RollBack, workflows.Retry, workflows.StopExecution,
			workflows.Unlock, workflows.Start, workflows.Resolve, workflows.Lock, workflows.Override}).Draw(t, "verb"), Stage: rapid.SampledFrom(stages).Draw(t, "stage"), Action: name(t), Target: rapid.SampledFrom([]string{"", id42, id43, "?"}).Draw(t, "target")})
	}
	return offers
}

func anyView(t *rapid.T) card.View {
	e := fresh()
	e.Pipeline, e.Number, e.Status = name(t), rapid.IntRange(1, 1<<40).Draw(t, "number"), anyStatus(t)
	e.Trigger = workflows.StartedBy{Type: text().Draw(t, "trigger"), By: anyPrincipal(t)}
	e.Variables = rapid.MapOfN(text(), text(), 0, 20).Draw(t, "variables")
	e.Orphans = rapid.SliceOfN(text(), 0, 20).Draw(t, "orphans")
	e.SourceRevisions[0].RevisionSummary, e.SourceRevisions[0].RevisionURL, e.SourceRevisions[0].RevisionID = text().Draw(t, "summary"), text().Draw(t, "url"), text().Draw(t, "revision")
	for range rapid.IntRange(0, 5).Draw(t, "notes") {
		e.Notes = append(e.Notes, workflows.Note{Name: rapid.SampledFrom([]string{"changes/Production", "ticket", text().Draw(t, "note")}).Draw(t, "named"), State: rapid.SampledFrom([]string{"waiting", "done"}).Draw(t, "state"), Text: text().Draw(t, "says"), URL: text().Draw(t, "at"), Detail: text().Draw(t, "detail")})
	}
	if rapid.Bool().Draw(t, "reason") {
		e.StatusReason = &workflows.Reason{Code: rapid.SampledFrom([]string{"NotApproved", "ActionFailed"}).Draw(t, "code"), Message: text().Draw(t, "message")}
	}
	if rapid.Bool().Draw(t, "rollback") {
		e.Rollback = &workflows.Rollback{TargetNumber: 42, LeftExecution: id43, FailedExecution: id45, Reason: text().Draw(t, "why")}
	}
	e.Stages = nil
	p := workflows.PipelineView{Name: e.Pipeline, Version: 3, Definition: &workflows.Pipeline{Name: e.Pipeline}, ExecutionMode: workflows.ModeSuperseded}
	var names []string
	for range rapid.SampledFrom([]int{1, 2, 3, 50}).Draw(t, "stages") {
		s := stage(name(t), anyStatus(t))
		for range rapid.IntRange(0, 3).Draw(t, "actions") {
			s.Actions = append(s.Actions, anyAction(t))
		}
		for _, kind := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{workflows.BeforeEntry, workflows.OnSuccess, workflows.AfterFailed}), rapid.ID[string]).Draw(t, "conditions") {
			s.Conditions = append(s.Conditions, anyCondition(t, kind))
		}
		if rapid.Bool().Draw(t, "retried") {
			s.Retries = &workflows.Retries{Automatic: 1, Latest: "AutomatedStageRetry"}
		}
		e.Stages = append(e.Stages, s)
		names = append(names, s.Name)
		by := anyPrincipal(t)
		p.Stages = append(p.Stages, workflows.StageView{Name: s.Name, LatestExecution: latest(e.ID, e.Number, s.Status), Running: &workflows.Running{Execution: id42, Number: 42, Since: at(1)},
			Transition: workflows.Transition{Enabled: rapid.Bool().Draw(t, "enabled"), Cause: "person", Reason: text().Draw(t, "closed because"), By: &by}})
	}
	p.Definition.Variables = []workflows.Variable{{Name: name(t), Description: text().Draw(t, "description"), Pattern: text().Draw(t, "pattern")}}
	p.ExecutionMode = rapid.SampledFrom([]string{workflows.ModeSuperseded, workflows.ModeQueued, workflows.ModeParallel}).Draw(t, "mode")
	p.Freezes, p.PollingDisabledAt = anyFreezes(t), anyTime(t)
	if rapid.Bool().Draw(t, "waits") {
		e.WaitsFor = &workflows.Wait{Stage: names[0], For: rapid.SampledFrom([]string{workflows.WaitsForStage, workflows.WaitsForTransition, workflows.WaitsForFreeze}).Draw(t, "for"),
			Freeze: text().Draw(t, "which freeze"), Warning: text().Draw(t, "warning"), Since: at(1)}
		p.Stages[0].Inbound = []string{id41, id43, e.ID}
		p.Stages[0].LatestExecution = latest(id41, 41, workflows.StatusInProgress)
	}
	e.Offers = anyOffers(t, names)
	p.Stages[0].Offers = anyOffers(t, names)
	anyBridge(t, &e, &p)
	v := card.View{Execution: e, Pipeline: p, Numbers: map[string]int{id43: 43}, URL: url}
	if e.Rollback != nil && rapid.Bool().Draw(t, "answers") {
		f := failed(rapid.SliceOfN(text(), 0, 3).Draw(t, "log"))
		f.Execution.Notes = e.Notes
		f.Execution.Stages[2].Actions[1].Error.Message = text().Draw(t, "failed because")
		v.Failed = &f
		v.Execution.Trigger.Type = workflows.TriggerAutomated
	}
	return v
}
