package history_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/history"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

var (
	at   = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	ana  = workflows.Principal{ID: "slack:UANA", Name: "Ana", Via: "slack"}
	cho  = workflows.Principal{ID: "slack:UCHO", Name: "Cho", Via: "slack"}
	auto = workflows.EnginePrincipal()
	f    = &say.Format{Time: func(t time.Time) string { return t.Format("2 Jan 15:04") }, Ref: func(id string) string {
		return map[string]string{"e41": "#41", "e45": "#45"}[id]
	}}
)

func started(by workflows.StartedBy) *workflows.Execution {
	return &workflows.Execution{Trigger: by, Variables: map[string]string{"size": "small"}, Stages: []workflows.StageExecution{{Name: "Production"}},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", Branch: "main", RevisionID: "0123456789012345678901234567890123456789", RevisionSummary: "Mend the cart"}}}
}

// of are events of every kind with the facts they carry.
func of() []event.Event {
	soon := at.Add(10 * time.Second)
	back := started(workflows.StartedBy{Type: workflows.TriggerRollback, By: ana})
	back.Rollback = &workflows.Rollback{Target: "e41", TargetNumber: 41, Reason: "Coupons are free"}
	reason := func(text string) *workflows.Reason { return &workflows.Reason{Message: text} }
	vote := &workflows.Vote{By: ana, Answer: "approve", Comment: "looks good"}
	stage := func(k event.Kind, e event.Event) event.Event {
		e.Kind, e.Stage = k, "Production"
		return e
	}
	action := func(k event.Kind, e event.Event) event.Event {
		e = stage(k, e)
		e.Action = "Deploy"
		return e
	}
	gate := func(k event.Kind, e event.Event) event.Event {
		e = stage(k, e)
		e.Action = "SignOff"
		return e
	}
	override := &workflows.Overridden{By: cho, Reason: "checkout is down", Without: "1 of 2 approvals"}
	return []event.Event{
		{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 8, Weakened: []event.Weakened{{Stage: "Production", Action: "SignOff", Old: "2 of group:sre", New: "1 of group:sre"}}, Cancels: []string{"webshop#44"}}},
		{Kind: event.PipelineArchived},
		{Kind: event.ExecutionStarted, Started: started(workflows.StartedBy{Type: workflows.TriggerWebhook, By: ana})},
		{Kind: event.ExecutionStarted, Started: back},
		{Kind: event.ExecutionWaiting, Wait: &workflows.Wait{Stage: "Production", For: workflows.WaitsForTransition, Warning: "includes 0123456, which Ben rolled back"}},
		{Kind: event.ExecutionWaiting, Wait: &workflows.Wait{Stage: "Production", For: workflows.WaitsForFreeze, Freeze: "year-end"}},
		{Kind: event.ExecutionWaiting, Wait: &workflows.Wait{Stage: "Production", For: workflows.WaitsForStage}},
		stage(event.ExecutionSteppedBack, event.Event{}),
		{Kind: event.ExecutionSuperseded, Reason: reason("superseded by webshop#46")},
		{Kind: event.ExecutionStopping, Stop: &workflows.Stop{By: ana, Reason: "wrong branch"}},
		{Kind: event.ExecutionStopped, Reason: reason("stopped by Ana")},
		{Kind: event.ExecutionSucceeded},
		{Kind: event.ExecutionFailed, Reason: reason("Deploy in Production: exit status 1")},
		{Kind: event.ExecutionCancelled, Reason: reason("the stages were edited")},
		stage(event.ExecutionResumed, event.Event{Resumed: &event.Resumed{}}),
		{Kind: event.ExecutionNoted, Note: &workflows.Note{Name: "ticket", Text: "OPS-12"}},
		stage(event.StageEntered, event.Event{}), stage(event.StageSucceeded, event.Event{}),
		stage(event.StageFailed, event.Event{Reason: reason("Deploy in Production: exit status 1")}),
		stage(event.StageStopped, event.Event{}), stage(event.StageCancelled, event.Event{}),
		stage(event.StageSkipped, event.Event{Reason: reason("the entry condition of Production does not hold: Hours")}), stage(event.StageResumed, event.Event{Text: "FAILED_ACTIONS"}),
		action(event.ActionStarted, event.Event{Attempt: 1, Start: &event.ActionStart{}}),
		action(event.ActionStarted, event.Event{Attempt: 2, Start: &event.ActionStart{After: &soon}}),
		action(event.ActionTracked, event.Event{Outcome: &event.Outcome{Summary: "job 17"}}), action(event.ActionSucceeded, event.Event{Outcome: &event.Outcome{}}),
		action(event.ActionFailed, event.Event{Reason: reason("exit status 1"), Outcome: &event.Outcome{Summary: "not said twice"}}),
		action(event.ActionAbandoned, event.Event{Reason: reason("stopped by Ana")}), action(event.ActionCancelling, event.Event{}),
		action(event.ActionInDoubt, event.Event{Reason: reason("the host restarted")}), action(event.ActionRetrying, event.Event{Reason: reason("it is tried again since 2 Mar 06:00 UTC: no route")}),
		action(event.ActionResolved, event.Event{Text: "succeeded"}), action(event.ActionSkipped, event.Event{}),
		action(event.OrphanConfirmed, event.Event{Text: "e45/Production/Deploy/1"}), action(event.OrphanLeft, event.Event{Text: "e45/Production/Deploy/1", Reason: reason("it cannot be cancelled")}),
		gate(event.GateOpened, event.Event{Gate: &workflows.Approval{Required: 2, From: []string{"group:sre"}, Missing: []string{"2 more approvals"}}}),
		gate(event.GateVoted, event.Event{Vote: vote}), gate(event.GateVoteDropped, event.Event{Vote: vote, Reason: reason("Ana is no longer in sre")}),
		gate(event.GateReminded, event.Event{Text: "50%"}), gate(event.GateOverridden, event.Event{Override: override}),
		gate(event.GateClosed, event.Event{Text: "approved"}), gate(event.GateClosed, event.Event{Text: "rejected", Reason: reason("not approved by Cho: not today")}),
		stage(event.TransitionDisabled, event.Event{Transition: &workflows.Transition{Cause: "person", By: &cho, At: &at, Reason: "checkout errors"}}),
		{Kind: event.TransitionDisabled, Stage: "Production", By: auto, Transition: &workflows.Transition{Cause: "rollback", By: &auto, At: &at, Reason: say.LockReason("webshop#41", "webshop#43 failed")}},
		stage(event.TransitionEnabled, event.Event{Transition: &workflows.Transition{Cause: "rollback", Only: "e45"}}),
		stage(event.TransitionEnabled, event.Event{Transition: &workflows.Transition{Enabled: true}}),
		stage(event.ReturnPlanned, event.Event{Planned: &workflows.PlannedRollback{Target: "e41", By: ana, Reason: "slow"}}),
		stage(event.ReturnDropped, event.Event{Reason: reason("webshop#41 is gone")}),
		stage(event.ConditionStarted, event.Event{Text: "beforeEntry"}), stage(event.ConditionSucceeded, event.Event{Text: "beforeEntry"}),
		stage(event.ConditionFailed, event.Event{Text: "onSuccess", Reason: reason("Smoke: 502")}), stage(event.ConditionOverridden, event.Event{Text: "onSuccess", Override: &workflows.Overridden{By: cho, Reason: "known"}}),
		stage(event.ConditionAbandoned, event.Event{Text: "onFailure"}),
		{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: "0 6 * * 1-5", Timezone: "Europe/Berlin", Nominal: at}},
		{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: "0 6 * * 1-5", Timezone: "Europe/Berlin", Nominal: at, Missed: true}, Reason: reason("rollcall was away")},
		{Kind: event.FreezesSet, Freezes: []workflows.Freeze{{Name: "year-end", To: at}, {Name: "easter", To: at}}}, {Kind: event.FreezesSet},
		{Kind: event.PollingDisabled}, {Kind: event.PollingEnabled},
		{Kind: event.BackupRestored, Restored: &event.Restored{Epoch: 1, Token: "t", At: at, Backup: at}},
		{Kind: event.ExecutionObserved, Text: "history", Started: found()}, {Kind: event.ExecutionObserved, Started: found()},
		stage(event.RequestOpened, event.Event{Request: asked(workflows.RequestOpen, nil)}),
		stage(event.RequestClosed, event.Event{Request: asked(workflows.RequestDone, nil)}),
		stage(event.RequestClosed, event.Event{Request: asked(workflows.RequestRefused, &workflows.Reason{Code: "UnableToRollbackStage", Message: "the stage runs"})}),
		gate(event.GateVoted, event.Event{Vote: &workflows.Vote{By: workflows.Principal{ID: "aws:arn:aws:iam::444455556666:user/bob", Name: "arn:aws:iam::444455556666:user/bob"}, Answer: "approve", Via: "outside", Comment: "lgtm"}}),
		stage(event.AlarmRang, event.Event{Text: "shop-5xx", Reason: reason("alarm shop-5xx rang 4 minutes after the deployment")}),
		stage(event.AlarmsUnseen, event.Event{Reason: reason("there is no alarm shop-5xx")}), stage(event.AlarmsSeen, event.Event{}),
		stage(event.AlarmWatchEnded, event.Event{Reason: reason("no alarm rang within 10 minutes")}),
		{Kind: event.BridgeLost, Reason: reason("the role may not be assumed")}, {Kind: event.BridgeSeen},
		{Kind: event.IntentRefused, Refused: &event.Refused{Problem: workflows.Problem{Message: "webshop#45 is not in Production", Hint: "see status"}}},
	}
}

// found is an execution that had ended in AWS before anybody looked.
func found() *workflows.Execution {
	e := started(workflows.StartedBy{Type: workflows.TriggerStart, By: ana})
	e.Status, e.ExternalID, e.StatusReason = workflows.StatusFailed, "5d2b", &workflows.Reason{Message: "Deploy in Production: exit status 1"}
	return e
}

// asked is a request to AWS as its events have it.
func asked(state string, why *workflows.Reason) *event.Request {
	return &event.Request{Request: workflows.Request{Verb: workflows.RollBack, Stage: "Production", By: ana, State: state, Error: why}}
}

// TestLines pins the line of every event, for all surfaces.
func TestLines(t *testing.T) {
	var b strings.Builder
	for _, e := range of() {
		e.At = at
		if e.By.ID == "" {
			e.By = cho
		}
		fmt.Fprintf(&b, "%-22s %s\n", e.Kind, history.Line(f, &e))
	}
	name := "testdata/lines.txt"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := os.ReadFile(name); b.String() != string(want) {
		t.Errorf("%s is otherwise now; read the difference, then run with -update:\n%s", name, b.String())
	}
}

// No kind of event is without a line, not even with nothing but its kind: a log
// may hold what an older version wrote, or a newer one.
func TestEveryKindHasALine(t *testing.T) {
	source, err := os.ReadFile("../event/event.go")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[event.Kind]bool{}
	for _, e := range of() {
		covered[e.Kind] = true
	}
	kinds := regexp.MustCompile(`Kind = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(kinds) < 40 {
		t.Fatal(kinds)
	}
	for _, k := range append(kinds, []string{"", "rocketLaunched"}) {
		kind := event.Kind(k[1])
		if line := history.Line(&say.Format{}, &event.Event{Kind: kind, By: cho}); line == "" || strings.ContainsAny(line, "\n") {
			t.Errorf("%s: %q", kind, line)
		}
		if !covered[kind] && kind != "rocketLaunched" {
			t.Errorf("%s is not in the golden file", kind)
		}
	}
	if got := history.Line(f, &event.Event{Kind: "rocketLaunched", Stage: "Production", Text: "now"}); got != "Production rocket launched now" {
		t.Errorf("a kind of a newer version: %q", got)
	}
}
