package say_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

var (
	ana, ben, cho = person("Ana"), person("Ben"), person("Cho")
	then          = time.Date(2026, 3, 2, 4, 43, 0, 0, time.UTC)
	clocked       = &say.Format{Time: func(t time.Time) string { return t.Format("15:04") }, Ref: ref}
	untimed       = &say.Format{Ref: ref}
)

func person(name string) workflows.Principal {
	return workflows.Principal{ID: "slack:U" + name, Name: name, Via: "slack"}
}

func ref(id string) string { return map[string]string{"e41": "#41", "e43": "#43", "e45": "#45"}[id] }

func minute(n int) time.Time { return then.Add(time.Duration(n) * time.Minute) }

// execution is webshop#45, in Production with that status and those actions.
func execution(status, stage workflows.Status, actions ...workflows.ActionExecution) *workflows.Execution {
	return &workflows.Execution{ID: "e45", Number: 45, Pipeline: "webshop", Status: status, Trigger: workflows.StartedBy{Type: workflows.TriggerStart, By: ana},
		Stages: []workflows.StageExecution{{Name: "Build", Status: workflows.StatusSucceeded}, {Name: "Production", Status: stage, Actions: actions}}}
}

func waits(what string) *workflows.Execution {
	e := execution(workflows.StatusInProgress, workflows.StatusNotStarted)
	e.WaitsFor = &workflows.Wait{Stage: "Production", For: what, Freeze: map[string]string{workflows.WaitsForFreeze: "year-end"}[what], Since: then}
	return e
}

func because(e *workflows.Execution, code, message string) *workflows.Execution {
	e.StatusReason = &workflows.Reason{Code: code, Message: message}
	return e
}

func rollback(status workflows.Status, trigger string) *workflows.Execution {
	e := execution(status, status)
	e.Type, e.Stages, e.Trigger.Type = workflows.TypeRollback, e.Stages[1:], trigger
	e.Rollback = &workflows.Rollback{Target: "e41", TargetNumber: 41, LeftExecution: "e43", Reason: "Coupons are free."}
	if trigger == workflows.TriggerAutomated {
		e.Trigger.By, e.Rollback.Reason = workflows.EnginePrincipal(), "webshop#43 failed"
	}
	return e
}

func gate(closed string, votes ...workflows.Vote) *workflows.Approval {
	g := &workflows.Approval{Required: 2, From: []string{"group:release-managers", "token:ci", "sam@acme.example"}, Votes: votes, Closed: closed}
	if closed == "" {
		p := workflows.ApprovalPolicy{Required: 2, AtLeast: map[string]int{"group:security": 1}}
		g.Missing = p.Missing(votes)
	}
	return g
}

func vote(by workflows.Principal, answer, comment string, at int) workflows.Vote {
	return workflows.Vote{By: by, Answer: answer, Comment: comment, At: minute(at)}
}

func locked(cause, reason string, by workflows.Principal) *workflows.Transition {
	return &workflows.Transition{Cause: cause, Reason: reason, By: &by, At: &then}
}

func action(name string, status workflows.Status, message string) workflows.ActionExecution {
	a := workflows.ActionExecution{Name: name, Status: status}
	if message != "" {
		a.Error = &workflows.Reason{Code: "ActionFailed", Message: message}
	}
	return a
}

func condition(kind string, status workflows.Status, rules ...workflows.ActionExecution) *workflows.ConditionExecution {
	return &workflows.ConditionExecution{Kind: kind, Status: status, Rules: rules}
}

// TestSentences pins every sentence once, for all surfaces: read the golden file
// aloud when it changes.
func TestSentences(t *testing.T) {
	var b strings.Builder
	part := func(title string) { fmt.Fprintf(&b, "\n%s\n", title) }
	line := func(when, text string) { fmt.Fprintf(&b, "%-34s %s\n", when, text) }
	part("executions")
	asks, doubt := action("SignOff", workflows.StatusInProgress, ""), action("Deploy", workflows.StatusInProgress, "the host restarted")
	asks.Needs, asks.Approval, doubt.Needs = workflows.NeedsApproval, gate(""), workflows.NeedsResolve
	no := action("SignOff", workflows.StatusFailed, "not approved by Cho: not today")
	no.Error.Code, no.Approval = "NotApproved", gate("rejected", vote(cho, "reject", "not today", 2))
	late := action("SignOff", workflows.StatusFailed, "nobody decided within 24 hours")
	late.Error.Code, late.Approval = "ApprovalExpired", gate("expired")
	stopped := because(execution(workflows.StatusStopped, workflows.StatusStopped), "Stopped", "stopped by Ana")
	stopped.Stop = &workflows.Stop{By: ana, Reason: "wrong branch"}
	for _, e := range []struct {
		name string
		e    *workflows.Execution
	}{
		{"begins", &workflows.Execution{Status: workflows.StatusInProgress}},
		{"between stages", execution(workflows.StatusInProgress, workflows.StatusNotStarted)},
		{"works", execution(workflows.StatusInProgress, workflows.StatusInProgress, action("Deploy", workflows.StatusInProgress, ""))},
		{"asks", execution(workflows.StatusInProgress, workflows.StatusInProgress, asks)},
		{"in doubt", execution(workflows.StatusInProgress, workflows.StatusInProgress, doubt)},
		{"behind a lock", waits(workflows.WaitsForTransition)},
		{"behind a freeze", waits(workflows.WaitsForFreeze)},
		{"behind another execution", waits(workflows.WaitsForStage)},
		{"succeeded", execution(workflows.StatusSucceeded, workflows.StatusSucceeded)},
		{"failed", because(execution(workflows.StatusFailed, workflows.StatusFailed, action("Deploy", workflows.StatusFailed, "exit status 1")), "ActionFailed", "Deploy in Production: exit status 1")},
		{"rejected", because(execution(workflows.StatusFailed, workflows.StatusFailed, no), "NotApproved", "not approved by Cho: not today")},
		{"expired", because(execution(workflows.StatusFailed, workflows.StatusFailed, late), "ApprovalExpired", "nobody decided within 24 hours")},
		{"stopped", stopped},
		{"superseded", because(execution(workflows.StatusSuperseded, workflows.StatusNotStarted), "Superseded", "superseded by webshop#46")},
		{"cancelled", because(execution(workflows.StatusCancelled, workflows.StatusCancelled), "Cancelled", "the stages were edited")},
		{"rollback", rollback(workflows.StatusInProgress, workflows.TriggerRollback)},
		{"rollback done", rollback(workflows.StatusSucceeded, workflows.TriggerRollback)},
		{"rollback failed", rollback(workflows.StatusFailed, workflows.TriggerRollback)},
	} {
		_, text := clocked.Execution(e.e)
		line(e.name, text)
		if e.e.Status.Final() {
			line("", "  "+clocked.Ended(e.e))
		}
		if e.e.Status == workflows.StatusFailed {
			line("", "  "+clocked.Failure(e.e))
		}
	}
	line("what to do in doubt", clocked.ResultUnknownOf("Production", &doubt))

	part("waits")
	view := &workflows.PipelineView{Name: "webshop", ExecutionMode: workflows.ModeQueued, Freezes: []workflows.Freeze{{Name: "year-end", To: minute(60)}}, Stages: []workflows.StageView{{Name: "Production",
		LatestExecution: &workflows.LatestIn{Execution: "e43", Number: 43, Status: workflows.StatusFailed}, Running: &workflows.Running{Number: 41, Since: minute(-60)}, Inbound: []string{"e44", "e45"},
		Transition: *locked("person", "checkout errors", ana), Planned: &workflows.PlannedRollback{Target: "e41", By: ben, Reason: "slow"}}}}
	for _, what := range []string{workflows.WaitsForTransition, workflows.WaitsForFreeze, workflows.WaitsForStage} {
		line(what, clocked.WaitReason(waits(what), view))
	}
	line("nothing known of the pipeline", clocked.WaitReason(waits(workflows.WaitsForStage), &workflows.PipelineView{}))

	part("locks")
	only := locked("person", "checkout errors", ana)
	only.Only = "e45"
	for _, f := range []*say.Format{clocked, untimed} {
		line("by a person", f.Lock(locked("person", "checkout errors", ana)))
		line("for one", f.Lock(only))
		line("by an automatic rollback", f.Lock(locked("rollback", say.LockReason("webshop#2", "webshop#3 failed"), workflows.EnginePrincipal())))
		line("by a rollback", f.Lock(locked("rollback", say.LockReason("webshop#41", "Coupons are free"), ana)))
		line("by its definition", f.Lock(locked("definition", "", workflows.EnginePrincipal())))
		line("by an old record of one", f.Lock(locked("rollback", "", workflows.EnginePrincipal())))
	}
	line("the stage now", clocked.StageNow(&view.Stages[0]))
	line("without times", untimed.StageNow(&view.Stages[0]))
	watched := view.Stages[0]
	runs := *watched.Running
	until := minute(10)
	watched.Running, runs.WatchedUntil = &runs, &until
	line("alarms watched", clocked.StageNow(&watched))
	runs.Alarm = &workflows.Reason{Code: "AlarmMissing", Message: "there is no alarm shop-5xx"}
	line("alarms unseen", clocked.StageNow(&watched))
	runs.WatchedUntil, runs.Alarm = nil, &workflows.Reason{Code: "AlarmRang", Message: "alarm shop-5xx rang 4 minutes after the deployment"}
	line("alarm rang", clocked.StageNow(&watched))

	part("gates")
	both := []workflows.Vote{vote(ben, "approve", "", -8), vote(ana, "approve", "looks good", -6)}
	set := gate("overridden", both[1])
	set.Override = &workflows.Overridden{By: cho, Reason: "checkout is down", Without: "1 of 2 approvals"}
	line("open", clocked.Quorum(gate("")))
	line("one answered", clocked.Quorum(gate("", both[0])))
	line("a group is missing", clocked.Quorum(gate("", both...)))
	line("who is asked", clocked.Approvers(gate("")))
	line("who is asked, named", clocked.Approvers(gate(""), "@Ana", "@Ben"))
	line("approved", clocked.Decision(gate("approved", both...), true))
	line("approved, no times", clocked.Decision(gate("approved", both...), false))
	line("rejected", clocked.Decision(gate("rejected", vote(cho, "reject", "not today", 2)), true))
	line("expired", clocked.Decision(gate("expired"), true))
	line("withdrawn", clocked.Decision(gate("withdrawn"), true))
	line("overridden", clocked.Decision(set, true))
	line("who had agreed", clocked.Agreed(set))
	line("a vote", clocked.Vote(&both[1]))

	part("conditions")
	hours := action("beforeEntry:Hours", workflows.StatusFailed, "outside the window")
	budget := action("beforeEntry:Budget", workflows.StatusSucceeded, "")
	asideOne := condition(workflows.BeforeEntry, workflows.StatusOverridden, hours)
	asideOne.Override = &workflows.Overridden{By: cho, Reason: "the shop is down"}
	line("asked", clocked.Condition(condition(workflows.BeforeEntry, workflows.StatusInProgress, action("beforeEntry:Hours", workflows.StatusInProgress, ""), budget)))
	line("met", clocked.Condition(condition(workflows.BeforeEntry, workflows.StatusSucceeded, budget)))
	line("entry failed", clocked.Condition(condition(workflows.BeforeEntry, workflows.StatusFailed, hours, budget)))
	line("success failed", clocked.Condition(condition(workflows.OnSuccess, workflows.StatusFailed, action("onSuccess:Smoke", workflows.StatusFailed, "502"))))
	line("could not be checked", clocked.Condition(condition(workflows.OnSuccess, workflows.StatusErrored, action("onSuccess:Smoke", workflows.StatusErrored, "no answer"))))
	line("failure condition not met", clocked.Condition(condition(workflows.AfterFailed, workflows.StatusFailed, action("onFailure:Late", workflows.StatusFailed, ""))))
	line("overridden", clocked.Condition(asideOne))
	line("a rule's name", say.ActionName("onSuccess:Smoke"))

	part("rollbacks")
	for _, trigger := range []string{workflows.TriggerRollback, workflows.TriggerAutomated} {
		for _, status := range []workflows.Status{workflows.StatusInProgress, workflows.StatusSucceeded, workflows.StatusFailed} {
			line(trigger+" "+string(status), clocked.Rollback(rollback(status, trigger)))
		}
	}
	current := rollback(workflows.StatusSucceeded, workflows.TriggerRollback)
	current.Rollback.Definition, current.Rollback.LeftExecution = "current", "e41"
	line("with the current definition", clocked.Rollback(current))
	line("original", say.Definition("original"))
	line("current", say.Definition("current"))

	part("starts")
	for _, by := range []workflows.StartedBy{{Type: workflows.TriggerStart, By: ana}, {Type: workflows.TriggerStart, By: workflows.Principal{ID: "token:ci", Via: "api"}},
		{Type: workflows.TriggerStart, Detail: "webshop#3", Execution: "e3", By: ana}, {Type: workflows.TriggerStart, Detail: "nightly#3", Execution: "e3"}, {Type: workflows.TriggerWebhook, By: ben, Detail: "push; the newest of 3"}, {Type: workflows.TriggerPoll},
		{Type: workflows.TriggerSchedule}, {Type: workflows.TriggerRollback, By: ana}, {Type: workflows.TriggerAutomated}} {
		line(by.Type, clocked.Trigger(&workflows.Execution{Trigger: by}))
	}
	golden(t, "testdata/sentences.txt", strings.TrimSpace(b.String())+"\n")
}

// Whatever a surface hands in for foreign text, people and times stands in the
// sentence; nothing goes past it.
func TestFormatWritesWhatComesFromOutside(t *testing.T) {
	f := &say.Format{Text: func(s string) string { return "<" + s + ">" }, Person: func(p workflows.Principal) string { return "@" + p.Name }, Time: func(time.Time) string { return "T" }}
	for got, want := range map[string]string{
		f.Lock(locked("person", "x", ana)):                                                   "locked since T by @Ana: <x>",
		f.Override(&workflows.Overridden{By: cho, Reason: "y", Without: "1 of 2 approvals"}): "overridden by @Cho without <1 of 2 approvals>: <y>",
		f.Wait(waits(workflows.WaitsForTransition).WaitsFor):                                 "blocked: <Production> is locked",
		f.Decision(gate("approved", vote(ben, "approve", "", 0)), true):                      "approved by @Ben T",
		f.Frozen("f", []workflows.Freeze{{Name: "f"}}):                                       "frozen (<f>)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// Without a surface's own way no line break or control character remains.
	if got := untimed.Override(&workflows.Overridden{By: cho, Reason: "a\nb\x1b[1m"}); strings.ContainsAny(got, "\n\x1b") {
		t.Errorf("%q", got)
	}
}

// Every status has a word of its own, and no two surfaces can disagree on it.
func TestEveryStatusHasAWord(t *testing.T) {
	seen := map[say.State]workflows.Status{}
	for _, s := range []workflows.Status{workflows.StatusNotStarted, workflows.StatusInProgress, workflows.StatusStopping, workflows.StatusStopped, workflows.StatusSucceeded, workflows.StatusSuperseded,
		workflows.StatusFailed, workflows.StatusCancelled, workflows.StatusAbandoned, workflows.StatusSkipped, workflows.StatusErrored, workflows.StatusOverridden} {
		if was, ok := seen[say.Status(s)]; ok {
			t.Errorf("%s and %s are both %q", was, s, say.Status(s))
		}
		seen[say.Status(s)] = s
	}
	if len(seen) != 12 || seen["succeeded"] != workflows.StatusSucceeded || seen["to come"] != workflows.StatusNotStarted {
		t.Errorf("%v", seen)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := os.ReadFile(name); got != string(want) {
		t.Errorf("%s is otherwise now; read the difference, then run with -update:\n%s", name, got)
	}
}

// What polling found is called what it is.
func TestWhatPollingFound(t *testing.T) {
	for kind, want := range map[string]string{"": "started by a new commit", "IMAGE_DIGEST": "started by a new image", "S3_OBJECT_VERSION_ID": "started by a new object"} {
		e := workflows.Execution{Trigger: workflows.StartedBy{Type: workflows.TriggerPoll, Detail: "acme-templates shop.zip"}, SourceRevisions: []workflows.SourceRevision{
			{ActionName: "Code", Repository: "acme/shop", Branch: "main"}, {ActionName: "Templates", Type: kind, Repository: "acme-templates", Branch: "shop.zip"}}}
		if got := (&say.Format{}).Trigger(&e); got != want {
			t.Errorf("%q: %q", kind, got)
		}
	}
}
