package card_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// gallery is every card there is, in the states that people meet.
func gallery() []drawing {
	return slices.Concat(executions(), gates(), openGates(), lists(), checks(), several(), changing(), bridged(), answers())
}

func executions() []drawing {
	blocked := ended(workflows.StatusInProgress, "", "")
	blocked.EndedAt, blocked.WaitsFor = nil, &workflows.Wait{Stage: "Production", For: "transition", Since: at(12)}
	blocked.Offers = []workflows.Offer{{Verb: workflows.Unlock, Stage: "Production"}, {Verb: workflows.Unlock, Stage: "Production", Target: id43}, {Verb: workflows.StopExecution}}
	taken := blocked
	taken.WaitsFor = &workflows.Wait{Stage: "Production", For: "stage", Since: at(12)}
	taken.Offers = nil
	stopped := ended(workflows.StatusStopped, "Stopped", "stopped by Ana")
	stopped.Stop = &workflows.Stop{Abandon: true, Reason: "wrong branch", By: ana(), At: at(20)}
	stopped.Orphans = []string{"webshop/43/Production/Deploy/1"}
	doubt := waiting()
	deploy := action("Deploy", workflows.StatusInProgress)
	deploy.Needs, deploy.Error = workflows.NeedsResolve, &workflows.Reason{Code: "InDoubt", Message: "the service was killed after it began"}
	doubt.Stages[2] = stage("Production", workflows.StatusInProgress, deploy)
	doubt.Offers = []workflows.Offer{{Verb: workflows.Resolve, Stage: "Production", Action: "Deploy"}, {Verb: workflows.StopExecution}}
	ticket := broken()
	ticket.Notes = []workflows.Note{{Name: "ticket", State: "done", Text: "OPS-12", URL: "https://acme.example/browse/OPS-12"}, {Name: "status", State: "done", Text: "failure"}}
	away := broken()
	away.Notes = []workflows.Note{{Name: "ticket", State: "waiting", Text: "Jira is away, trying again"}}
	wants := broken()
	wants.Notes = []workflows.Note{{Name: "ticket", State: "refused", Text: "Jira wants: the field Team is required"}}
	planned := uncertain()
	planned.Stages[2].Planned = &workflows.PlannedRollback{Stage: "Production", Target: id42, Reason: "slow", By: ana(), At: at(20)}
	again := leftBehind()
	again.Pipeline.Stages[2].Running.Execution, again.Pipeline.Stages[2].Running.Number = id43, 43
	evil := fresh()
	evil.SourceRevisions[0].RevisionSummary, evil.SourceRevisions[0].Author.Name, evil.Trigger.By.Name = hostile, hostile, hostile
	evil.SourceRevisions[0].RevisionURL, evil.Variables = "javascript://evil.example/%0aalert(1)", map[string]string{"x": hostile}
	plain := fresh()
	plain.Variables = map[string]string{"canaryPercent": "10"} // the default of the definition
	byHand := fresh()
	byHand.Trigger, byHand.Variables = workflows.StartedBy{Type: workflows.TriggerStart, By: cho()}, map[string]string{"canaryPercent": "25", "ticket": "OPS-9"}
	return []drawing{
		message("execution-running", card.Execution(view(fresh(), shop()))),
		message("execution-by-hand", card.Execution(view(byHand, shop()))),
		message("execution-with-a-default", card.Execution(view(plain, shop()))),
		message("details-with-a-default", card.Details(view(plain, shop()))),
		message("execution-gate", card.Execution(view(waiting(yes(ana(), 10)), shop()))),
		message("execution-locked", card.Execution(view(blocked, locked()))),
		message("execution-waiting-uncertain", card.Execution(view(taken, uncertain()))),
		message("execution-succeeded", card.Execution(view(ended(workflows.StatusSucceeded, "", ""), shop()))),
		message("execution-failed", card.Execution(view(ticket, uncertain()))),
		message("execution-failed-jira-away", card.Execution(view(away, uncertain()))),
		message("execution-failed-jira-wants", card.Execution(view(wants, planned))),
		message("execution-not-approved", card.Execution(view(notApproved("NotApproved", "not approved by Cho: the login page is blank"), shop()))),
		message("execution-expired", card.Execution(view(notApproved("ApprovalExpired", "nobody decided within 24 hours"), shop()))),
		message("execution-superseded", card.Execution(view(ended(workflows.StatusSuperseded, "Superseded", "superseded by webshop#44"), shop()))),
		message("execution-stopped", card.Execution(view(stopped, shop()))),
		message("execution-in-doubt", card.Execution(view(doubt, shop()))),
		message("execution-left", card.Execution(leftBehind())),
		message("execution-left-and-back-again", card.Execution(again)),
		message("details-left", card.Details(leftBehind())),
		unfurled("unfurled-succeeded", watched(nil)),
		unfurled("unfurled-gate", view(waiting(yes(ana(), 10)), shop())),
		unfurled("unfurled-left", leftBehind()),
		message("execution-hostile", card.Execution(view(evil, shop()))),
		message("rollback-running", card.Execution(view(back(workflows.StatusInProgress, workflows.TriggerRollback), shop()))),
		message("rollback-done", card.Execution(view(back(workflows.StatusSucceeded, workflows.TriggerRollback), locked()))),
		message("rollback-automatic", card.Execution(view(back(workflows.StatusInProgress, workflows.TriggerAutomated), uncertain()))),
		message("rollback-failed", card.Execution(view(back(workflows.StatusFailed, workflows.TriggerAutomated), uncertain()))),
		message("details", card.Details(view(ticket, uncertain()))),
		blocktest.Modal("details-modal", card.Details(view(ticket, uncertain())).Modal("webshop#45", card.Subject{Pipeline: "webshop", Execution: id45, Channel: "C1"})),
		message("alarm-watched", card.Execution(watched(nil))),
		message("alarm-unseen", card.Execution(watched(&workflows.Reason{Code: "AlarmMissing", Message: "there is no alarm shop-5xx in eu-west-1"}))),
		message("alarm-rang", card.Execution(watched(&workflows.Reason{Code: "AlarmRang", Message: rang + "; it is not rolled back: nothing is known that ran in Production before"}))),
		message("alarm-left", card.Execution(leftForAlarm())),
		message("rollback-alarm", card.Execution(view(backForAlarm(workflows.StatusInProgress), live(id43, "")))),
		message("rollback-alarm-announced", card.Announcement(view(backForAlarm(workflows.StatusSucceeded), live(id42, id46)), "Production")),
		message("notice-alarm", card.Notice("webshop", event.Event{Kind: event.AlarmRang, Stage: "Production", Text: "shop-5xx",
			Reason: &workflows.Reason{Message: rang + "; it is not rolled back: nothing is known that ran in Production before"}}, "/rollcall")),
	}
}

func unfurled(name string, v card.View) drawing { return message(name, v.Unfurled()) }

// rang is why a rollback followed a success.
const rang = "alarm shop-5xx rang 4 minutes after the deployment"

// watched is webshop#43 after its success in Production, whose alarms are watched; or what is not well with them.
func watched(why *workflows.Reason) card.View {
	p := live(id43, "")
	p.Stages[2].Running.Alarm = why
	if why == nil || why.Code != "AlarmRang" {
		p.Stages[2].Running.WatchedUntil = when(30)
	}
	v := view(ended(workflows.StatusSucceeded, "", ""), p)
	v.Execution.Stages[2] = stage("Production", workflows.StatusSucceeded, action("Deploy", workflows.StatusSucceeded))
	return v
}

// backForAlarm is webshop#46, which takes Production back to #42 because an alarm rang.
func backForAlarm(s workflows.Status) workflows.Execution {
	e := back(s, workflows.TriggerAutomated)
	e.Rollback.FailedExecution, e.Rollback.Alarm, e.Rollback.Reason = "", "shop-5xx", rang
	return e
}

// leftForAlarm is webshop#43 after that.
func leftForAlarm() card.View {
	v, by := leftBehind(), backForAlarm(workflows.StatusSucceeded)
	v.LeftBy = &by
	return v
}

// leftBehind is webshop#43, seen after #46 took Production back from it.
func leftBehind() card.View {
	v := view(ended(workflows.StatusSucceeded, "", ""), locked())
	v.Execution.Stages[2] = stage("Production", workflows.StatusSucceeded, action("Deploy", workflows.StatusSucceeded))
	by := back(workflows.StatusSucceeded, workflows.TriggerRollback)
	v.LeftBy = &by
	return v
}

// live is shop while that execution is live in Production, brought there by another one if by is given.
func live(execution, by string) workflows.PipelineView {
	p := shop()
	p.Stages[2].Running = &workflows.Running{Execution: execution, Number: 43, Since: at(20), Certain: true, By: by}
	p.Stages[2].Offers = []workflows.Offer{{Verb: workflows.RollBack, Stage: "Production", Target: id42}}
	return p
}

// announced is the gate that let webshop#43 into Production.
func announced(p workflows.PipelineView) card.Asking {
	a := asking(succeeded(), closed("approved", yes(ana(), 10), yes(cho(), 12)))
	a.View.Pipeline = p
	return a
}

func reminded(a card.Asking) card.Message { return a.Reminder() }

func notApproved(code, text string) workflows.Execution {
	e := ended(workflows.StatusFailed, code, text)
	gate := signOff(workflows.Vote{By: cho(), Answer: "reject", Comment: "the login page is blank", At: at(30), Via: "console"})
	gate.Needs, gate.Status, gate.EndedAt, gate.Error = "", workflows.StatusFailed, when(30), &workflows.Reason{Code: code, Message: text}
	gate.Approval.Closed = "rejected"
	if code == "ApprovalExpired" {
		gate.Approval.Votes, gate.Approval.Closed = nil, "expired"
	}
	e.Stages[2] = stage("Production", workflows.StatusFailed, gate)
	return e
}

func gates() []drawing {
	superseded := ended(workflows.StatusSuperseded, "Superseded", "superseded by webshop#44")
	no := workflows.Vote{By: cho(), Answer: "reject", Comment: "the login page is blank", At: at(30), Via: "console"}
	unsure := asking(waiting(), signOff())
	unsure.View.Pipeline, unsure.From = uncertain(), []string{"group:release-managers", "cho@acme.example"}
	unsure.Approval.Comment = "required"
	evil := asking(waiting(), signOff())
	evil.Approval.Text, evil.Approval.Link, evil.Ask = hostile, "https://x.example/<!channel>|y", nil
	evil.Approval.Votes = []workflows.Vote{{By: workflows.Principal{Name: hostile}, Answer: "approve", Comment: hostile, At: at(10), Via: hostile}}
	stacks := waiting()
	template := action("Template", workflows.StatusSucceeded)
	template.OutputVariables = map[string]string{say.StackChanges: "3 changes to shop planned\nModify AWS::ECS::Service web (replacement)\nRemove AWS::SNS::Topic old\nAdd AWS::SQS::Queue <!channel>"}
	stacks.Stages[1].Actions = append(stacks.Stages[1].Actions, template)
	return []drawing{
		message("gate-stack-changes", card.Gate(asking(stacks, signOff()))),
		message("gate-open", card.Gate(asking(waiting(), signOff()))),
		message("gate-one-of-two", card.Gate(asking(waiting(yes(ana(), 10)), signOff(yes(ana(), 10))))),
		message("gate-uncertain", card.Gate(unsure)),
		message("gate-hostile", card.Gate(evil)),
		message("gate-approved", card.Gate(asking(waiting(), closed("approved", yes(ana(), 10), yes(cho(), 40))))),
		message("gate-rejected", card.Gate(asking(waiting(), closed("rejected", yes(ana(), 10), no)))),
		message("gate-expired", card.Gate(asking(waiting(), closed("expired", yes(ana(), 10))))),
		message("gate-superseded", card.Gate(asking(superseded, closed("withdrawn")))),
		message("gate-stepped-back", card.Gate(asking(waiting(), closed("withdrawn", yes(ana(), 10))))),
		message("reminder", reminded(asking(waiting(), signOff()))),
		message("announcement", card.Announcement(view(succeeded(), shop()), "Production")),
		message("announced", card.Announced(announced(live(id43, "")), "Production")),
		message("announced-not-live", card.Announced(announced(shop()), "Production")),
		message("announcement-while-live", card.Announcement(view(succeeded(), live(id43, "")), "Production")),
		message("announcement-rollback-while-live", card.Announcement(view(back(workflows.StatusSucceeded, workflows.TriggerRollback), live(id42, id46)), "Production")),
		message("announcement-rollback", card.Announcement(view(back(workflows.StatusSucceeded, workflows.TriggerRollback), locked()), "Production")),
		message("failure", card.Failure(view(broken(), uncertain()))),
		message("failure-of-a-rollback", lostBack(nil).Uncertain("Production", []string{"<@U1>", "<!subteam^S1>"})),
		message("failure-of-a-rollback-with-its-log", lostBack(realLog).Uncertain("Production", nil)),
		message("failure-with-its-log", card.Failure(failed(realLog))),
		message("failure-without-a-log", card.Failure(failed(nil))),
		message("failure-with-a-finding", card.Failure(explained())),
		message("execution-failed-with-a-finding", card.Execution(explained())),
		message("details-with-a-finding", card.Details(explained())),
		message("failure-by-a-signal", card.Failure(killed())),
		message("execution-failed-with-its-log", card.Execution(failed(realLog))),
	}
}

// realLog is the end of a log as a deploy writes it.
var realLog = []string{"+ make deploy", "rolling out webshop 4.2 to 6 machines", "web-1 ok", "web-2 ok", "web-3: health check timed out <after 30 s> ```",
	"<!channel> rollback of web-1 and web-2", "", "make: *** [Makefile:12: deploy] Error 1", "[rollcall] ended", "exit status 1"}

// failed is webshop#45 after a deploy of which only the status is known, with the end of its log.
func failed(lines []string) card.View {
	e := broken()
	deploy := &e.Stages[2].Actions[1]
	deploy.Error.Message, deploy.ExternalID, deploy.ExternalURL = "exit status 1", "", ""
	v := view(e, uncertain())
	v.Tail.Stage, v.Tail.Action, v.Tail.Lines = "Production", "Deploy", lines
	return v
}

// lostBack is webshop#46, the rollback of Production to #42, after its deploy failed.
func lostBack(lines []string) card.View {
	e := back(workflows.StatusFailed, workflows.TriggerRollback)
	e.Stages[0].Actions[0].Error = &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}
	e.Offers = []workflows.Offer{{Verb: workflows.Retry, Stage: "Production"}}
	p := uncertain()
	p.Stages[2].LatestExecution = latest(id46, 46, workflows.StatusFailed)
	p.Stages[2].Running.Execution, p.Stages[2].Running.Number = id43, 43
	v := view(e, p)
	v.Tail.Stage, v.Tail.Action, v.Tail.Lines = "Production", "Deploy", lines
	return v
}

// explained is webshop#45 after AWS refused its deploy, with what is known of the cause.
func explained() card.View {
	v := failed(nil)
	f := &workflows.Finding{Class: "AccessDenied", Title: "AWS does not allow ecs:UpdateService", Cause: "the role <deploy> may not update the service shop",
		Fix: []string{"add the statement to the policy of the role deploy <!channel>", "retry the stage"}, Retry: "afterFix"}
	links := `{"links":[{"title":"the role in IAM","url":"https://console.aws.amazon.com/iam/"},{"title":"not a page","url":"javascript:alert(1)"}]}`
	if err := json.Unmarshal([]byte(links), f); err != nil {
		panic(err)
	}
	v.Execution.Stages[2].Actions[1].Error = &workflows.Reason{Code: "AccessDenied", Message: "the role may not update the service", Finding: f}
	return v
}

func killed() card.View {
	v := failed([]string{"loading 12 GB"})
	v.Execution.Stages[2].Actions[1].Error.Message = "ended by signal: killed"
	return v
}

func succeeded() workflows.Execution {
	e := ended(workflows.StatusSucceeded, "", "")
	gate := closed("approved", yes(ana(), 10), yes(cho(), 12))
	gate.Status = workflows.StatusSucceeded
	e.Stages[2] = stage("Production", workflows.StatusSucceeded, gate, action("Deploy", workflows.StatusSucceeded))
	return e
}

func lists() []drawing {
	problem := &workflows.Problem{Code: workflows.CodeAccessDenied, Message: "Ben does not have the right approve on webshop/Production", Hint: "ask one of them", ID: "9f3c21"}
	e := broken()
	return []drawing{
		modal("home-refused", card.Say("rollcall answers only full members of this workspace, not guests of the workspace.").Home()),
		message("refusal", card.Refusal(problem, []string{"<@U1>", "<!subteam^S1>"}, "")),
		message("refusal-of-what-was-written", card.Refusal(problem, nil, "the login page is <!channel> blank\nsee OPS-9")),
		message("done", card.Done("Approved. webshop#43 has 1 of 2 approvals, 1 more needed.", &e, url)),
		message("say", card.Say("The console is at "+url)),
		message("log", card.Log(&e, "Production", "Deploy", []string{"+ dist/deploy production", "web-3: health check timed out <after 30 s> ```", "exit status 1"})),
		message("log-empty", card.Log(&e, "Production", "Deploy", nil)),
	}
}

func TestGolden(t *testing.T) { blocktest.Golden(t, gallery()) }
