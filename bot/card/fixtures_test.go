package card_test

import (
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// The story that most cards tell: webshop with Build and Production, where #42
// runs, #43 arrives, and things go wrong with #45.
const (
	id42 = "0192f000-0000-7000-8000-000000000042"
	id43 = "0192f000-0000-7000-8000-000000000043"
	id45 = "0192f000-0000-7000-8000-000000000045"
	id46 = "0192f000-0000-7000-8000-000000000046"
	url  = "https://rollcall.acme.example"
)

func at(minutes int) time.Time {
	return time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func when(minutes int) *time.Time { t := at(minutes); return &t }

func ana() workflows.Principal {
	return workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
}

func cho() workflows.Principal {
	return workflows.Principal{ID: "console:cho@acme.example", Name: "Cho", Email: "cho@acme.example", Via: "console"}
}

func revision() workflows.SourceRevision {
	return workflows.SourceRevision{ActionName: "App", RevisionID: "4f2a9c1e5b7d8f0a1b2c3d4e5f60718293a4b5c6", RevisionSummary: "Show the basket's total before shipping",
		RevisionURL: "https://github.com/acme/webshop/commit/4f2a9c1e5b7d8f0a1b2c3d4e5f60718293a4b5c6", Branch: "main", Author: &workflows.Author{Name: "Dee", Login: "dee"}}
}

func stage(name string, s workflows.Status, actions ...workflows.ActionExecution) workflows.StageExecution {
	return workflows.StageExecution{Name: name, Status: s, Since: when(9), Attempt: 1, Actions: actions}
}

func action(name string, s workflows.Status) workflows.ActionExecution {
	a := workflows.ActionExecution{Name: name, RunOrder: 1, Provider: "Commands", Status: s, Attempt: 1}
	switch s {
	case workflows.StatusNotStarted:
		a.Attempt = 0
	case workflows.StatusInProgress:
		a.StartedAt = when(9)
	default:
		a.StartedAt, a.EndedAt = when(2), when(9)
	}
	return a
}

// fresh is webshop#43 in Build.
func fresh() workflows.Execution {
	return workflows.Execution{ID: id43, Number: 43, Pipeline: "webshop", Version: 3, Type: workflows.TypeStandard, Status: workflows.StatusInProgress,
		Trigger:         workflows.StartedBy{Type: workflows.TriggerWebhook, By: workflows.Principal{ID: "github:dee", Name: "dee", Via: "github"}},
		SourceRevisions: []workflows.SourceRevision{revision()}, StartedAt: at(0), UpdatedAt: at(9), Attempt: 1,
		Stages: []workflows.StageExecution{
			stage("Source", workflows.StatusSucceeded, action("App", workflows.StatusSucceeded)),
			stage("Build", workflows.StatusInProgress, action("Test", workflows.StatusInProgress)),
			stage("Production", workflows.StatusNotStarted, action("SignOff", workflows.StatusNotStarted), action("Deploy", workflows.StatusNotStarted)),
		},
		Offers: []workflows.Offer{{Verb: workflows.StopExecution}},
	}
}

// ended is fresh after its end.
func ended(s workflows.Status, code, message string) workflows.Execution {
	e := fresh()
	e.Status, e.EndedAt, e.Offers = s, when(31), nil
	e.Stages[1] = stage("Build", workflows.StatusSucceeded, action("Test", workflows.StatusSucceeded))
	if code != "" {
		e.StatusReason = &workflows.Reason{Code: code, Message: message}
	}
	return e
}

func signOff(votes ...workflows.Vote) workflows.ActionExecution {
	a := action("SignOff", workflows.StatusInProgress)
	a.Provider, a.Needs = "Manual", workflows.NeedsApproval
	a.Approval = &workflows.Approval{Token: "5c3d9a70-0000-4000-8000-00000000a001", Required: 2, From: []string{"group:release-managers", "cho@acme.example"}, Comment: "optional",
		Text: "Release #4.2\nRead the notes first.", Link: "https://acme.example/notes/4.2", Votes: votes, Missing: []string{"2 more approvals"}, OpenedAt: at(9), ExpiresAt: at(9 + 24*60)}
	if len(votes) == 1 {
		a.Approval.Missing = []string{"1 more approval", "1 of group:security"}
	}
	return a
}

func yes(p workflows.Principal, minutes int) workflows.Vote {
	return workflows.Vote{By: p, Answer: "approve", At: at(minutes), Via: p.Via}
}

// waiting is webshop#43 at its gate.
func waiting(votes ...workflows.Vote) workflows.Execution {
	e := ended(workflows.StatusInProgress, "", "")
	e.EndedAt = nil
	e.Stages[2] = stage("Production", workflows.StatusInProgress, signOff(votes...), action("Deploy", workflows.StatusNotStarted))
	e.Offers = []workflows.Offer{{Verb: workflows.StopExecution}, {Verb: workflows.Approve, Stage: "Production", Action: "SignOff"}, {Verb: workflows.Reject, Stage: "Production", Action: "SignOff"}}
	return e
}

// broken is webshop#45 after its deploy failed.
func broken() workflows.Execution {
	e := ended(workflows.StatusFailed, "ActionFailed", "Deploy failed in Production: exit status 1")
	e.ID, e.Number = id45, 45
	deploy := action("Deploy", workflows.StatusFailed)
	deploy.Error = &workflows.Reason{Code: "ActionFailed", Message: "exit status 1: health check of web-3 timed out"}
	deploy.ExternalID, deploy.ExternalURL = "run 881", "https://ci.acme.example/runs/881"
	gate := signOff(yes(ana(), 10), yes(cho(), 12))
	gate.Needs, gate.Status, gate.Approval.Closed, gate.EndedAt = "", workflows.StatusSucceeded, "approved", when(12)
	e.Stages[2] = stage("Production", workflows.StatusFailed, gate, deploy)
	e.Offers = []workflows.Offer{{Verb: workflows.Retry, Stage: "Production"}, {Verb: workflows.RollBack, Stage: "Production", Target: id42}}
	return e
}

// back is webshop#46, the rollback of Production to #42.
func back(s workflows.Status, trigger string) workflows.Execution {
	e := fresh()
	e.ID, e.Number, e.Type, e.Status = id46, 46, workflows.TypeRollback, s
	e.Trigger = workflows.StartedBy{Type: trigger, By: ana()}
	e.Rollback = &workflows.Rollback{Target: id42, TargetNumber: 42, LeftExecution: id43, Definition: "original", Reason: "checkout is down"}
	e.Stages = []workflows.StageExecution{stage("Production", s, action("Deploy", s))}
	if trigger == workflows.TriggerAutomated {
		e.Trigger.By, e.Rollback.FailedExecution, e.Rollback.Reason = workflows.EnginePrincipal(), id45, ""
	}
	if s.Final() {
		e.EndedAt, e.Offers = when(15), nil
	}
	return e
}

// shop is the pipeline while #42 runs in Production.
func shop() workflows.PipelineView {
	def := "10"
	return workflows.PipelineView{Name: "webshop", Version: 3, ManagedBy: "file", File: "webshop.yaml", ExecutionMode: workflows.ModeSuperseded,
		Definition: &workflows.Pipeline{Name: "webshop", Variables: []workflows.Variable{
			{Name: "canaryPercent", DefaultValue: &def, Description: "share of traffic", Pattern: "[0-9]+"}, {Name: "ticket"}}},
		Stages: []workflows.StageView{
			{Name: "Source", Status: workflows.StatusSucceeded, LatestExecution: latest(id43, 43, workflows.StatusSucceeded), Transition: workflows.Transition{Enabled: true},
				Offers: []workflows.Offer{{Verb: workflows.Start}}},
			{Name: "Build", Status: workflows.StatusSucceeded, LatestExecution: latest(id43, 43, workflows.StatusSucceeded), Transition: workflows.Transition{Enabled: true}},
			{Name: "Production", Environment: "production", Status: workflows.StatusSucceeded, LatestExecution: latest(id42, 42, workflows.StatusSucceeded),
				Running: &workflows.Running{Execution: id42, Number: 42, Since: at(-900), Certain: true}, Transition: workflows.Transition{Enabled: true},
				Offers: []workflows.Offer{{Verb: workflows.RollBack, Stage: "Production"}}},
		}}
}

func latest(id string, n int, s workflows.Status) *workflows.LatestIn {
	return &workflows.LatestIn{Execution: id, Number: n, Type: workflows.TypeStandard, Status: s}
}

// locked is shop after a rollback locked Production.
func locked() workflows.PipelineView {
	p := shop()
	by := ana()
	p.Stages[2].Transition = workflows.Transition{Cause: "rollback", Reason: "rolled back to webshop#42: checkout is down", By: &by, At: when(14)}
	p.Stages[2].LatestExecution = latest(id46, 46, workflows.StatusSucceeded)
	p.Stages[2].Running.By = id46
	p.Stages[2].Offers = append(p.Stages[2].Offers, workflows.Offer{Verb: workflows.Unlock, Stage: "Production"}, workflows.Offer{Verb: workflows.Unlock, Stage: "Production", Target: id43})
	p.Stages[2].Inbound = []string{id43}
	return p
}

// uncertain is shop after #45 failed in Production.
func uncertain() workflows.PipelineView {
	p := shop()
	p.Stages[2].LatestExecution = latest(id45, 45, workflows.StatusFailed)
	p.Stages[2].Running.Certain = false
	return p
}

func view(e workflows.Execution, p workflows.PipelineView) card.View {
	return card.View{Execution: e, Pipeline: p, Numbers: map[string]int{id42: 42, id43: 43, id45: 45, id46: 46}, URL: url}
}

func asking(e workflows.Execution, a workflows.ActionExecution) card.Asking {
	q := card.Asking{View: view(e, shop()), Stage: "Production", Action: "SignOff", Approval: *a.Approval, Ask: []string{"<@U1>", "<!subteam^S1>"}}
	if a.EndedAt != nil {
		q.ClosedAt = *a.EndedAt
	}
	return q
}

func closed(how string, votes ...workflows.Vote) workflows.ActionExecution {
	a := signOff(votes...)
	a.Approval.Closed, a.EndedAt, a.Needs = how, when(40), ""
	return a
}

func targets() []ledger.Target {
	r := revision()
	r.RevisionSummary = "Speed up search"
	return []ledger.Target{
		{Execution: id43, Number: 43, Now: true, Why: "it runs there now", Ran: []ledger.Span{{From: at(20)}}, SourceRevisions: []workflows.SourceRevision{revision()}},
		{Execution: id42, Number: 42, Eligible: true, Preselected: true, Ran: []ledger.Span{{From: at(-900), To: when(20)}}, SourceRevisions: []workflows.SourceRevision{r}},
		{Execution: "0192f000-0000-7000-8000-000000000041", Number: 41, Why: "its artifact dist is gone", Ran: []ledger.Span{{From: at(-1900), To: when(-900)}}},
		{Execution: "0192f000-0000-7000-8000-000000000040", Number: 40, Eligible: true, StageChanged: true, LeftBy: "x", Ran: []ledger.Span{{From: at(-5000), To: when(-1900)}}, SourceRevisions: []workflows.SourceRevision{r}},
	}
}

// hostile is text that wants to be more than text.
const hostile = "<!channel> <https://evil.example|click> *bold* `x` &amp; \u202e @channel #general \n ``` <@U1>"
