// Package webshop is the story that the tests of all drawings tell: the pipeline
// webshop with Build and Production, where #42 runs, #43 arrives, things go wrong
// with #45, and #46 goes back to #42.
package webshop

import (
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// The IDs of its executions, and the address of the console.
const (
	ID42 = "0192f000-0000-7000-8000-000000000042"
	ID43 = "0192f000-0000-7000-8000-000000000043"
	ID45 = "0192f000-0000-7000-8000-000000000045"
	ID46 = "0192f000-0000-7000-8000-000000000046"
	URL  = "https://rollcall.acme.example"
)

// At is a moment of the story, in minutes after #43 came.
func At(minutes int) time.Time {
	return time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// When is At where a time may be missing.
func When(minutes int) *time.Time { t := At(minutes); return &t }

// Ana is a person of chat.
func Ana() workflows.Principal {
	return workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
}

// Cho is a person of the console.
func Cho() workflows.Principal {
	return workflows.Principal{ID: "console:cho@acme.example", Name: "Cho", Email: "cho@acme.example", Via: "console"}
}

// Revision is what #43 brings.
func Revision() workflows.SourceRevision {
	return workflows.SourceRevision{ActionName: "App", RevisionID: "4f2a9c1e5b7d8f0a1b2c3d4e5f60718293a4b5c6", RevisionSummary: "Show the basket's total before shipping",
		RevisionURL: "https://github.com/acme/webshop/commit/4f2a9c1e5b7d8f0a1b2c3d4e5f60718293a4b5c6", Branch: "main", Author: &workflows.Author{Name: "Dee", Login: "dee"}}
}

// Stage is a stage of an execution.
func Stage(name string, s workflows.Status, actions ...workflows.ActionExecution) workflows.StageExecution {
	return workflows.StageExecution{Name: name, Status: s, Since: When(9), Attempt: 1, Actions: actions}
}

// Action is an action in a state, with the times that belong to it.
func Action(name string, s workflows.Status) workflows.ActionExecution {
	a := workflows.ActionExecution{Name: name, RunOrder: 1, Provider: "Commands", Status: s, Attempt: 1}
	switch s {
	case workflows.StatusNotStarted:
		a.Attempt = 0
	case workflows.StatusInProgress:
		a.StartedAt = When(9)
	default:
		a.StartedAt, a.EndedAt = When(2), When(9)
	}
	return a
}

// Fresh is webshop#43 in Build.
func Fresh() workflows.Execution {
	return workflows.Execution{ID: ID43, Number: 43, Pipeline: "webshop", Version: 3, Type: workflows.TypeStandard, Status: workflows.StatusInProgress,
		Trigger:         workflows.StartedBy{Type: workflows.TriggerWebhook, By: workflows.Principal{ID: "github:dee", Name: "dee", Via: "github"}},
		SourceRevisions: []workflows.SourceRevision{Revision()}, StartedAt: At(0), UpdatedAt: At(9), Attempt: 1,
		Stages: []workflows.StageExecution{
			Stage("Source", workflows.StatusSucceeded, Action("App", workflows.StatusSucceeded)),
			Stage("Build", workflows.StatusInProgress, Action("Test", workflows.StatusInProgress)),
			Stage("Production", workflows.StatusNotStarted, Action("SignOff", workflows.StatusNotStarted), Action("Deploy", workflows.StatusNotStarted)),
		},
		Offers: []workflows.Offer{{Verb: workflows.StopExecution}},
	}
}

// Ended is fresh after its end.
func Ended(s workflows.Status, code, message string) workflows.Execution {
	e := Fresh()
	e.Status, e.EndedAt, e.Offers = s, When(31), nil
	e.Stages[1] = Stage("Build", workflows.StatusSucceeded, Action("Test", workflows.StatusSucceeded))
	if code != "" {
		e.StatusReason = &workflows.Reason{Code: code, Message: message}
	}
	return e
}

// SignOff is the open gate of Production, which wants two approvals.
func SignOff(votes ...workflows.Vote) workflows.ActionExecution {
	a := Action("SignOff", workflows.StatusInProgress)
	a.Provider, a.Needs = "Manual", workflows.NeedsApproval
	a.Approval = &workflows.Approval{Token: "5c3d9a70-0000-4000-8000-00000000a001", Required: 2, From: []string{"group:release-managers", "cho@acme.example"}, Comment: "optional",
		Text: "Release #4.2\nRead the notes first.", Link: "https://acme.example/notes/4.2", Votes: votes, Missing: []string{"2 more approvals"}, OpenedAt: At(9), ExpiresAt: At(9 + 24*60)}
	if len(votes) == 1 {
		a.Approval.Missing = []string{"1 more approval", "1 of group:security"}
	}
	return a
}

// Yes is an approval, so many minutes after #43 came.
func Yes(p workflows.Principal, minutes int) workflows.Vote {
	return workflows.Vote{By: p, Answer: "approve", At: At(minutes), Via: p.Via}
}

// Waiting is webshop#43 at its gate.
func Waiting(votes ...workflows.Vote) workflows.Execution {
	e := Ended(workflows.StatusInProgress, "", "")
	e.EndedAt = nil
	e.Stages[2] = Stage("Production", workflows.StatusInProgress, SignOff(votes...), Action("Deploy", workflows.StatusNotStarted))
	e.Offers = []workflows.Offer{{Verb: workflows.StopExecution}, {Verb: workflows.Approve, Stage: "Production", Action: "SignOff"}, {Verb: workflows.Reject, Stage: "Production", Action: "SignOff"}}
	return e
}

// Broken is webshop#45 after its deploy failed.
func Broken() workflows.Execution {
	e := Ended(workflows.StatusFailed, "ActionFailed", "Deploy failed in Production: exit status 1")
	e.ID, e.Number = ID45, 45
	deploy := Action("Deploy", workflows.StatusFailed)
	deploy.Error = &workflows.Reason{Code: "ActionFailed", Message: "exit status 1: health check of web-3 timed out"}
	deploy.ExternalID, deploy.ExternalURL = "run 881", "https://ci.acme.example/runs/881"
	gate := SignOff(Yes(Ana(), 10), Yes(Cho(), 12))
	gate.Needs, gate.Status, gate.Approval.Closed, gate.EndedAt = "", workflows.StatusSucceeded, "approved", When(12)
	e.Stages[2] = Stage("Production", workflows.StatusFailed, gate, deploy)
	e.Offers = []workflows.Offer{{Verb: workflows.Retry, Stage: "Production"}, {Verb: workflows.RollBack, Stage: "Production", Target: ID42}}
	return e
}

// Back is webshop#46, the rollback of Production to #42.
func Back(s workflows.Status, trigger string) workflows.Execution {
	e := Fresh()
	e.ID, e.Number, e.Type, e.Status = ID46, 46, workflows.TypeRollback, s
	e.Trigger = workflows.StartedBy{Type: trigger, By: Ana()}
	e.Rollback = &workflows.Rollback{Target: ID42, TargetNumber: 42, LeftExecution: ID43, Definition: "original", Reason: "checkout is down"}
	e.Stages = []workflows.StageExecution{Stage("Production", s, Action("Deploy", s))}
	if trigger == workflows.TriggerAutomated {
		e.Trigger.By, e.Rollback.FailedExecution, e.Rollback.Reason = workflows.EnginePrincipal(), ID45, ""
	}
	if s.Final() {
		e.EndedAt, e.Offers = When(15), nil
	}
	return e
}

// Shop is the pipeline while #42 runs in Production.
func Shop() workflows.PipelineView {
	def := "10"
	return workflows.PipelineView{Name: "webshop", Version: 3, ManagedBy: "file", File: "webshop.yaml", ExecutionMode: workflows.ModeSuperseded,
		Definition: &workflows.Pipeline{Name: "webshop", Variables: []workflows.Variable{
			{Name: "canaryPercent", DefaultValue: &def, Description: "share of traffic", Pattern: "[0-9]+"}, {Name: "ticket"}}},
		Stages: []workflows.StageView{
			{Name: "Source", Status: workflows.StatusSucceeded, LatestExecution: Latest(ID43, 43, workflows.StatusSucceeded), Transition: workflows.Transition{Enabled: true},
				Offers: []workflows.Offer{{Verb: workflows.Start}}},
			{Name: "Build", Status: workflows.StatusSucceeded, LatestExecution: Latest(ID43, 43, workflows.StatusSucceeded), Transition: workflows.Transition{Enabled: true}},
			{Name: "Production", Environment: "production", Status: workflows.StatusSucceeded, LatestExecution: Latest(ID42, 42, workflows.StatusSucceeded),
				Running: &workflows.Running{Execution: ID42, Number: 42, Since: At(-900), Certain: true}, Transition: workflows.Transition{Enabled: true},
				Offers: []workflows.Offer{{Verb: workflows.RollBack, Stage: "Production"}}},
		}}
}

// Latest is what a stage saw last.
func Latest(id string, n int, s workflows.Status) *workflows.LatestIn {
	return &workflows.LatestIn{Execution: id, Number: n, Type: workflows.TypeStandard, Status: s}
}

// Locked is shop after a rollback locked Production.
func Locked() workflows.PipelineView {
	p := Shop()
	by := Ana()
	p.Stages[2].Transition = workflows.Transition{Cause: "rollback", Reason: "rolled back to webshop#42: checkout is down", By: &by, At: When(14)}
	p.Stages[2].LatestExecution = Latest(ID46, 46, workflows.StatusSucceeded)
	p.Stages[2].Running.By = ID46
	p.Stages[2].Offers = append(p.Stages[2].Offers, workflows.Offer{Verb: workflows.Unlock, Stage: "Production"}, workflows.Offer{Verb: workflows.Unlock, Stage: "Production", Target: ID43})
	p.Stages[2].Inbound = []string{ID43}
	return p
}

// Uncertain is shop after #45 failed in Production.
func Uncertain() workflows.PipelineView {
	p := Shop()
	p.Stages[2].LatestExecution = Latest(ID45, 45, workflows.StatusFailed)
	p.Stages[2].Running.Certain = false
	return p
}

// View is what the card of an execution shows.
func View(e workflows.Execution, p workflows.PipelineView) card.View {
	return card.View{Execution: e, Pipeline: p, Numbers: map[string]int{ID42: 42, ID43: 43, ID45: 45, ID46: 46}, URL: URL}
}

// Asking is what the message of its gate shows.
func Asking(e workflows.Execution, a workflows.ActionExecution) card.Asking {
	q := card.Asking{View: View(e, Shop()), Stage: "Production", Action: "SignOff", Approval: *a.Approval, Ask: []string{"<@U1>", "<!subteam^S1>"}}
	if a.EndedAt != nil {
		q.ClosedAt = *a.EndedAt
	}
	return q
}

// Closed is that gate after its end: approved, rejected, expired, withdrawn, overridden.
func Closed(how string, votes ...workflows.Vote) workflows.ActionExecution {
	a := SignOff(votes...)
	a.Approval.Closed, a.EndedAt, a.Needs = how, When(40), ""
	return a
}

// Targets are what Production could be rolled back to: #43 runs, #42 ran before, #41 lacks an artifact, #40 was left and had another definition.
func Targets() []ledger.Target {
	r := Revision()
	r.RevisionSummary = "Speed up search"
	return []ledger.Target{
		{Execution: ID43, Number: 43, Now: true, Why: "it runs there now", Ran: []ledger.Span{{From: At(20)}}, SourceRevisions: []workflows.SourceRevision{Revision()}},
		{Execution: ID42, Number: 42, Eligible: true, Preselected: true, Ran: []ledger.Span{{From: At(-900), To: When(20)}}, SourceRevisions: []workflows.SourceRevision{r}},
		{Execution: "0192f000-0000-7000-8000-000000000041", Number: 41, Why: "its artifact dist is gone", Ran: []ledger.Span{{From: At(-1900), To: When(-900)}}},
		{Execution: "0192f000-0000-7000-8000-000000000040", Number: 40, Eligible: true, StageChanged: true, LeftBy: "x", Ran: []ledger.Span{{From: At(-5000), To: When(-1900)}}, SourceRevisions: []workflows.SourceRevision{r}},
	}
}
