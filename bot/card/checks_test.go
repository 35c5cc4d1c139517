package card_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	id41    = "0192f000-0000-7000-8000-000000000041"
	id44    = "0192f000-0000-7000-8000-000000000044"
	tainted = "includes 1a2b3c4, which Ana rolled back (\"checkout is down\")"
)

// pressed is Cho's word to go on without what is missing.
func pressed(without string) *workflows.Overridden {
	return &workflows.Overridden{By: cho(), Reason: "the shop is down and Ben sleeps", At: at(12), Without: without}
}

// setAside is a gate that Ana agreed to and Cho opened alone.
func setAside() workflows.ActionExecution {
	a := closed("overridden", yes(ana(), 10))
	a.Status, a.Approval.Override, a.Approval.Missing = workflows.StatusSucceeded, pressed("1 of 2 approvals"), nil
	return a
}

// forced is webshop#43 behind such a gate.
func forced(s workflows.Status) workflows.Execution {
	e := succeeded()
	deploy := action("Deploy", s)
	if s == workflows.StatusFailed {
		e = ended(workflows.StatusFailed, "ActionFailed", "Deploy failed in Production: exit status 1")
		deploy.Error = &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}
	}
	e.Stages[2] = stage("Production", s, setAside(), deploy)
	return e
}

// stuck is webshop#43 at its gate, seen by somebody who may override it.
func stuck() workflows.Execution {
	e := waiting(yes(ana(), 10))
	e.Offers = append(e.Offers, workflows.Offer{Verb: workflows.Override, Stage: "Production", Action: "SignOff"})
	return e
}

func rule(name string, s workflows.Status, says string) workflows.ActionExecution {
	r := action(name, s)
	r.Provider = "DeploymentWindow"
	if s == workflows.StatusFailed {
		r.Error = &workflows.Reason{Code: "ActionFailed", Message: says}
	} else {
		r.Summary = says
	}
	return r
}

// conditioned is webshop#43 in Production with conditions.
func conditioned(s workflows.Status, conditions ...workflows.ConditionExecution) workflows.Execution {
	e := ended(workflows.StatusInProgress, "", "")
	if s == workflows.StatusFailed {
		e = ended(workflows.StatusFailed, "ConditionFailed", "the entry condition of Production failed")
	} else {
		e.EndedAt = nil
	}
	e.Stages[2] = stage("Production", s, action("Deploy", workflows.StatusNotStarted))
	e.Stages[2].Conditions = conditions
	return e
}

func inbound(e workflows.Execution, w workflows.Wait) workflows.Execution {
	e.Status, e.EndedAt, w.Stage, w.Since = workflows.StatusInProgress, nil, "Production", at(12)
	e.WaitsFor = &w
	return e
}

func queue() workflows.PipelineView {
	p := shop()
	p.ExecutionMode = workflows.ModeQueued
	p.Stages[2].LatestExecution = latest(id41, 41, workflows.StatusInProgress)
	p.Stages[2].Inbound = []string{id42, id44, id43}
	return p
}

func frozen() workflows.PipelineView {
	p := shop()
	p.Freezes = []workflows.Freeze{
		{Name: "year-end", From: at(-60), To: at(60 * 24 * 20), On: []string{"*/Production"}, MayPass: []string{"group:sre"}},
		{Name: "audit", From: at(60 * 23), To: at(60 * 30), On: []string{"webshop"}},
		{Name: "far away", From: at(60 * 48), To: at(60 * 50), On: []string{"webshop"}},
		{Name: "over", From: at(-60), To: at(0), On: []string{"webshop"}},
	}
	p.PollingDisabledAt = when(-500)
	return p
}

func retried(s workflows.Status) workflows.Execution {
	e := broken()
	e.ID, e.Number = id43, 43
	if s == workflows.StatusInProgress {
		e.Status, e.StatusReason, e.EndedAt = s, nil, nil
		e.Stages[2].Actions[1] = action("Deploy", s)
	}
	e.Stages[2].Status, e.Stages[2].Attempt = s, 2
	e.Stages[2].Retries = &workflows.Retries{Automatic: 1, Latest: "AutomatedStageRetry"}
	return e
}

func parallel() (workflows.PipelineView, []workflows.Execution) {
	p := shop()
	p.ExecutionMode = workflows.ModeParallel
	third := retried(workflows.StatusInProgress)
	third.ID, third.Number = id44, 44
	return p, []workflows.Execution{third, waiting(), fresh()}
}

// ringing is webshop#43 after an alarm rang that its success condition wants quiet. What
// the condition after a failure asks for is no failure, whatever is known of it.
func ringing() workflows.Execution {
	known := &workflows.Finding{Class: "HealthCheck", Title: "the alarm <shop-5xx> is in state ALARM", Cause: "Threshold Crossed: 12 errors", Fix: []string{"look at what the alarm measures", "then: rollcall retry webshop#43"}, Retry: "afterFix"}
	loud := rule("onSuccess:Quiet", workflows.StatusFailed, "alarm shop-5xx is in state ALARM: Threshold Crossed: 12 errors")
	loud.Error.Finding = known
	calm := rule("onFailure:Rings", workflows.StatusFailed, "alarm shop-cpu is in state OK")
	calm.Error.Finding = &workflows.Finding{Title: "this is not to be shown"}
	e := conditioned(workflows.StatusFailed, workflows.ConditionExecution{Kind: workflows.OnSuccess, Result: "ROLLBACK", Status: workflows.StatusFailed, Rules: []workflows.ActionExecution{loud}},
		workflows.ConditionExecution{Kind: workflows.AfterFailed, Result: "RETRY", Status: workflows.StatusFailed, Rules: []workflows.ActionExecution{calm}})
	e.StatusReason.Message = "the success condition of Production does not hold: Quiet"
	e.Stages[2].Actions = []workflows.ActionExecution{action("Deploy", workflows.StatusSucceeded)}
	return e
}

func checks() []drawing {
	window := workflows.ConditionExecution{Kind: workflows.BeforeEntry, Result: "FAIL", Status: workflows.StatusInProgress, Rules: []workflows.ActionExecution{
		rule("beforeEntry:window", workflows.StatusInProgress, "opens Mon 09:00 Europe/Berlin"), rule("beforeEntry:coverage", workflows.StatusSucceeded, "81 %")}}
	missed := window
	missed.Status = workflows.StatusFailed
	missed.Rules = []workflows.ActionExecution{rule("beforeEntry:window", workflows.StatusSucceeded, ""), rule("beforeEntry:coverage", workflows.StatusFailed, "71 %, wanted are 80 %")}
	errored := missed
	errored.Kind, errored.Status = workflows.OnSuccess, workflows.StatusErrored
	through := missed
	through.Status, through.Override = workflows.StatusOverridden, pressed("")
	past := missed
	past.Result, past.Reason = "SKIP", &workflows.Reason{Code: "ConditionFailed", Message: "the entry condition of Production does not hold: coverage: 71 %, wanted are 80 %"}
	skip := ended(workflows.StatusSucceeded, "", "")
	skip.Stages[2] = stage("Production", workflows.StatusSkipped, action("Deploy", workflows.StatusNotStarted))
	skip.Stages[2].Conditions = []workflows.ConditionExecution{past}
	refused := conditioned(workflows.StatusFailed, missed)
	refused.Offers = []workflows.Offer{{Verb: workflows.Retry, Stage: "Production"}, {Verb: workflows.Override, Stage: "Production"}}
	after := conditioned(workflows.StatusFailed, through, errored)
	after.StatusReason.Message = "the success condition of Production failed"
	after.Stages[2].Actions = []workflows.ActionExecution{action("Deploy", workflows.StatusSucceeded)}
	going := conditioned(workflows.StatusInProgress, through)
	going.Stages[2].Actions = []workflows.ActionExecution{action("Deploy", workflows.StatusInProgress)}
	suspect := inbound(waiting(), workflows.Wait{For: workflows.WaitsForFreeze, Freeze: "year-end", Warning: tainted})
	suspect.Stages[2] = stage("Production", workflows.StatusNotStarted, action("Deploy", workflows.StatusNotStarted))
	suspect.Offers = []workflows.Offer{{Verb: workflows.Unlock, Stage: "Production", Target: id43}, {Verb: workflows.StopExecution}}
	line := inbound(ended(workflows.StatusInProgress, "", ""), workflows.Wait{For: workflows.WaitsForStage})
	first := queue()
	first.Stages[2].Inbound = []string{id43}
	p, moving := parallel()
	invoked := fresh()
	invoked.Trigger = workflows.StartedBy{Type: workflows.TriggerStart, Detail: "shop#12 Release/Services", By: ana(), Execution: id42}
	return append([]drawing{
		message("gate-overridden", card.Gate(asking(forced(workflows.StatusInProgress), setAside()))),
		message("gate-nobody-is-tempted", card.Gate(asking(stuck(), signOff(yes(ana(), 10))))),
		message("execution-nobody-is-tempted", card.Execution(view(stuck(), shop()))),
		message("details-override-offered", card.Details(view(stuck(), shop()))),
		message("execution-overridden", card.Execution(view(forced(workflows.StatusSucceeded), shop()))),
		message("execution-overridden-failed", card.Execution(view(forced(workflows.StatusFailed), uncertain()))),
		message("details-overridden", card.Details(view(forced(workflows.StatusSucceeded), shop()))),
		message("announcement-overridden", card.Announcement(view(forced(workflows.StatusSucceeded), shop()), "Production")),
		message("failure-overridden", card.Failure(view(forced(workflows.StatusFailed), uncertain()))),
		message("refusal-overridden", card.Refusal(&workflows.Problem{Message: "this gate has been answered"}, nil, "", *setAside().Approval)),
		message("executions-overridden", home.Executions("webshop", []card.View{view(forced(workflows.StatusSucceeded), shop())}, "")),

		message("condition-waiting", card.Execution(view(conditioned(workflows.StatusInProgress, window), shop()))),
		message("condition-failed", card.Execution(view(refused, shop()))),
		message("condition-set-aside", card.Execution(view(going, shop()))),
		message("condition-not-checked", card.Execution(view(after, shop()))),
		message("condition-failure", card.Failure(view(refused, shop()))),
		message("condition-failed-with-a-finding", card.Execution(view(ringing(), shop()))),
		message("condition-failure-with-a-finding", card.Failure(view(ringing(), shop()))),
		message("condition-details-with-a-finding", card.Details(view(ringing(), shop()))),
		message("stage-skipped", card.Execution(view(skip, shop()))),

		message("execution-invoked", card.Execution(view(invoked, shop()))),
		message("queue-third", card.Execution(view(line, queue()))),
		message("queue-first", card.Execution(view(line, first))),
		message("status-queue", home.Status(queue(), []workflows.Execution{line}, at(0), url)),
		message("status-parallel", home.Status(p, moving, at(0), url)),
		message("retry-running", card.Execution(view(retried(workflows.StatusInProgress), shop()))),
		message("retry-failed", card.Failure(view(retried(workflows.StatusFailed), uncertain()))),

		message("execution-frozen", card.Execution(view(suspect, frozen()))),
		message("pipelines-frozen", home.Pipelines("Pipelines", []workflows.PipelineView{frozen(), shop()}, at(0), url)),
		message("status-frozen", home.Status(frozen(), nil, at(0), url)),
	}, warned()...)
}

// warned are the messages about an execution that brings back what people
// rolled back from, and those about a pipeline as such.
func warned() []drawing {
	gate := signOff()
	gate.Approval.Warning = tainted
	e := waiting()
	e.Stages[2].Actions[0] = gate
	edit := event.Event{Kind: event.PipelineDefined, By: ana(), Defined: &event.Defined{Version: 8, ManagedBy: "api", Weakened: []event.Weakened{
		{Stage: "Production", Action: "SignOff", Old: "2 of group:release-managers, at least 1 of group:security, with a comment", New: "1 of group:release-managers"},
		{Stage: "Staging", Action: "Look", Old: "1 of ana@acme.example", New: "removed"}}}}
	file := event.Event{Kind: event.PipelineDefined, By: workflows.EnginePrincipal(), Defined: &event.Defined{Version: 8, ManagedBy: "file:webshop.yaml", Weakened: edit.Defined.Weakened[:1]}}
	full := workflows.Problem{Code: workflows.CodeConcurrencyLimit, Message: "webshop has 50 executions on their way, which is as many as it may", Hint: "stop some of them, then start it by hand"}
	return []drawing{
		message("gate-warned", card.Gate(asking(e, gate))),
		message("execution-warned", card.Execution(view(e, shop()))),
		message("reminder-warned", reminded(asking(e, gate))),
		message("edit-weakened", card.Edited("webshop", edit, []string{"<@U1>", "<!subteam^S1>"})),
		message("edit-cancels", card.Edited("webshop", event.Event{By: ana(), Defined: &event.Defined{Version: 8, ManagedBy: "api", Cancels: []string{"webshop#42", "webshop#43"}}}, []string{"<@U1>"})),
		message("edit-weakened-file", card.Edited("webshop", file, nil)),
		message("missed", card.Notice("webshop", fired(true, "rollcall was not running at 2026-03-12 06:00 UTC, and it is too late to start now"), "")),
		message("missed-refused", card.Notice("webshop", fired(false, full.Message), "")),
		message("not-started", card.Notice("webshop", event.Event{Kind: event.IntentRefused, By: workflows.Principal{ID: "github:dee", Name: "dee", Via: "github"}, Refused: &event.Refused{Problem: full}}, "")),
		message("polling-off", card.Notice("webshop", event.Event{Kind: event.PollingDisabled}, "/rollcall")),
	}
}

func fired(missed bool, why string) event.Event {
	return event.Event{Kind: event.ScheduleFired, Reason: &workflows.Reason{Message: why},
		Schedule: &event.Scheduled{Cron: "0 6 * * 1-5", Timezone: "Europe/Berlin", Nominal: at(0), Missed: missed}}
}

// What somebody's right opened is never called approved, wherever it is told,
// and every message of it says so.
func TestAnOverrideIsNeverCalledAnApproval(t *testing.T) {
	for _, d := range checks() {
		if !strings.Contains(d.Name, "-overridden") {
			continue
		}
		text := rendered(d)
		if strings.Contains(strings.ToLower(text), "approved") {
			t.Errorf("%s says that it was approved:\n%s", d.Name, text)
		}
		if !strings.Contains(text, "verridden by Cho without 1 of 2 approvals: the shop is down and Ben sleeps") {
			t.Errorf("%s does not say who overrode it, without what, and why:\n%s", d.Name, text)
		}
	}
}

// The button that overrides stands last, is plain, and says what it does.
func TestOverrideIsTheLastAndPlainestButton(t *testing.T) {
	for _, d := range checks() {
		if !strings.HasSuffix(d.Name, "-override-offered") {
			continue
		}
		text := rendered(d)
		_, last, found := strings.Cut(text, "[Override…] override \n      ? Override Production? — webshop#43 goes on in Production without: 1 more approval, 1 of group:security.")
		if !found || strings.Contains(last, "\n  [") {
			t.Errorf("%s has no such button at its end:\n%s", d.Name, text)
		}
	}
	for _, d := range append(checks(), append(executions(), gates()...)...) {
		if !strings.HasPrefix(d.Name, "details-") && !strings.HasPrefix(d.Name, "condition-") && d.Form == nil && strings.Contains(rendered(d), "[Override") {
			t.Errorf("%s offers everybody to go past people", d.Name)
		}
	}
}

// Whatever warns stands above the buttons, and in the question before a click.
func TestAWarningStandsAboveTheButtons(t *testing.T) {
	for _, d := range append(checks(), warned()...) {
		if !strings.HasSuffix(d.Name, "-warned") || d.Form != nil || d.Name == "reminder-warned" {
			continue
		}
		above, buttons, _ := strings.Cut(rendered(d), "\n  [")
		if !strings.Contains(above, "⚠️ *Production: "+tainted+"*") || !strings.Contains(buttons, "Warning: "+tainted) {
			t.Errorf("%s warns too late:\n%s", d.Name, rendered(d))
		}
	}
}
