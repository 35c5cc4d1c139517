package audit_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

var (
	ben    = workflows.Principal{ID: "slack:U2", Name: "Ben", Email: "ben@acme.example", Via: "slack"}
	cho    = workflows.Principal{ID: "token:cho", Name: "cho", Via: "api"}
	engine = workflows.EnginePrincipal()
)

// asks is a definition whose gate asks so many people.
func asks(required int, comment string) *workflows.Pipeline {
	return &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Build"}, {Name: "Production", Environment: "production", Actions: []workflows.Action{
		{Name: "SignOff", ActionType: workflows.ActionType{Category: "Approval", Provider: "Manual"}, Approval: &workflows.ApprovalPolicy{From: []string{"group:release-managers"}, Required: required, Comment: comment, AtLeast: map[string]int{"group:security": 1}}},
		{Name: "Deploy"},
	}}}}
}

// story is the record of webshop#42 and of what happened around it.
func story() (frames []event.Frame) {
	at := noon
	add := func(events ...event.Event) {
		at = at.Add(time.Minute)
		for i := range events {
			events[i].At = at
			if events[i].By.ID == "" {
				events[i].By = engine
			}
		}
		seq := uint64(len(frames) + 11)
		frames = append(frames, event.Frame{Pipeline: "webshop", Seq: seq, Events: events, Hash: "hash of " + string(rune('a'+len(frames)))})
	}
	in := func(k event.Kind, e event.Event) event.Event {
		e.Kind, e.Execution = k, "e42"
		return e
	}
	gate := func(k event.Kind, e event.Event) event.Event {
		e.Stage, e.Action, e.Attempt = "Production", "SignOff", 1
		return in(k, e)
	}
	vote := func(by workflows.Principal, comment string) *workflows.Vote {
		return &workflows.Vote{By: by, Answer: "approve", Comment: comment, At: at.Add(time.Minute), Via: by.Via, In: []string{"group:release-managers"}, Judged: []string{"acme/webshop 1111111..2222222: 3 commits"}}
	}
	x := &workflows.Execution{ID: "e42", Number: 42, Pipeline: "webshop", Version: 7, Type: workflows.TypeStandard, Trigger: workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "acme/webshop main", By: workflows.Principal{ID: "github:dan", Name: "Dan", Via: "github"}},
		StartedAt: noon.Add(time.Minute), Variables: map[string]string{"canary": "10"}, SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "2222222000000000000000000000000000000000"}}}
	back := &workflows.Execution{ID: "e43", Number: 43, Pipeline: "webshop", Type: workflows.TypeRollback, Trigger: workflows.StartedBy{Type: workflows.TriggerRollback, By: ana}, Stages: []workflows.StageExecution{{Name: "Production"}},
		Rollback: &workflows.Rollback{Target: "e41", TargetNumber: 41, LeftExecution: "e42", Definition: "original", Reason: "coupons are free"}}
	add(in(event.ExecutionStarted, event.Event{Started: x}), in(event.StageEntered, event.Event{Stage: "Build"}))
	add(in(event.ActionSucceeded, event.Event{Stage: "Build", Action: "App", Outcome: &event.Outcome{
		Revision: &workflows.SourceRevision{ActionName: "App", RevisionID: "2222222000000000000000000000000000000000", RevisionSummary: "Mend the cart", Repository: "acme/webshop", Branch: "main", Author: &workflows.Author{Name: "Dan"}}, Artifacts: []workflows.Artifact{{Name: "dist", Digest: "ab12", Size: 9}}}}),
		in(event.ActionSucceeded, event.Event{Stage: "Build", Action: "Make", Outcome: &event.Outcome{Artifacts: []workflows.Artifact{{Name: "app", Digest: "cd34", Size: 1}, {Name: "dist", Digest: "ef56", Size: 10}}}}))
	add(event.Event{Kind: event.TransitionDisabled, By: ben, Stage: "Production", Transition: &workflows.Transition{Reason: "lunch"}}) // of nobody's doing here
	add(gate(event.GateOpened, event.Event{Gate: &workflows.Approval{Token: "g", Required: 2}}))
	add(gate(event.IntentRefused, event.Event{By: workflows.Principal{ID: "github:dan", Name: "Dan", Via: "slack"}, Refused: &event.Refused{Intent: workflows.Intent{Verb: workflows.Approve, Execution: "e42"}, Problem: workflows.Problem{Code: workflows.CodeSelfApproval, Message: "you cannot approve webshop#42 yourself: you wrote it"}}}))
	add(gate(event.GateVoted, event.Event{By: ana, Vote: vote(ana, "looks good")}))
	add(gate(event.GateVoted, event.Event{By: cho, Vote: vote(cho, "")}))
	add(gate(event.GateVoteDropped, event.Event{Vote: vote(cho, ""), Reason: &workflows.Reason{Message: "token cho is not among the approvers any more"}}))
	add(event.Event{Kind: event.PipelineDefined, By: ana, Defined: &event.Defined{Version: 8, Definition: *asks(1, "optional")}})
	again := vote(ana, "looks good")
	again.At, again.In = noon.Add(7*time.Minute), append(again.In, "group:security") // judged again at the quorum
	add(gate(event.GateVoted, event.Event{By: ben, Vote: again}), gate(event.GateClosed, event.Event{Text: "approved"}), in(event.StageEntered, event.Event{Stage: "Production"}))
	add(in(event.ConditionOverridden, event.Event{By: ben, Stage: "Production", Text: workflows.OnSuccess, Override: &workflows.Overridden{By: ben, Reason: "the check is broken", At: at.Add(time.Minute)}}),
		in(event.StageSucceeded, event.Event{Stage: "Production"}), in(event.ExecutionSucceeded, event.Event{}))
	add(in(event.ExecutionNoted, event.Event{Note: &workflows.Note{Name: "ticket", State: "done", Text: "OPS-7", URL: "https://jira.example/OPS-7"}}))
	add(event.Event{Kind: event.ExecutionStarted, By: ana, Execution: "e43", Started: back})
	add(event.Event{Kind: event.StageSucceeded, Execution: "e43", Stage: "Production"}, event.Event{Kind: event.TransitionDisabled, Execution: "e43", Stage: "Production", Transition: &workflows.Transition{Cause: "rollback", Reason: "rolled back to webshop#41"}})
	add(event.Event{Kind: event.TransitionEnabled, By: ben, Stage: "Production", Transition: &workflows.Transition{Only: "e42", Reason: "it was not the coupons"}})
	return frames
}

func assembled(id string, frames []event.Frame) (audit.Trail, bool) {
	a := audit.NewAssembler(id, 7, func(version int) *workflows.Pipeline {
		if version != 7 {
			return nil
		}
		return asks(2, "required")
	})
	for i := range frames {
		a.Add(&frames[i])
	}
	return a.Trail()
}

func TestATrailIsWhatTheRecordSays(t *testing.T) {
	trail, ok := assembled("e42", story())
	if !ok {
		t.Fatal("the execution's start was not found")
	}
	got, err := json.MarshalIndent(trail, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/trail.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); d != "" {
		t.Errorf("the trail (-golden +now); -update writes it:\n%s", d)
	}
}

// A rollback's trail has the lock that came with it, and the rule of the version in force.
func TestATrailOfARollback(t *testing.T) {
	trail, ok := assembled("e43", story())
	if !ok || len(trail.Locks) != 1 || !trail.Locks[0].Locked || trail.Locks[0].Cause != "rollback" || trail.Rollback.TargetNumber != 41 || trail.Type != workflows.TypeRollback || len(trail.Left) != 0 {
		t.Errorf("%t %+v", ok, trail)
	}
	if _, ok := assembled("e44", story()); ok {
		t.Error("an execution that is nowhere has a trail")
	}
}

// Without the definition the rule is what the gate itself asked.
func TestTheRuleOfAGateWhoseDefinitionIsGone(t *testing.T) {
	frames := story()
	frames[3].Events[0].Gate = &workflows.Approval{Required: 2, From: []string{"ana@acme.example", "ben@acme.example"}, Comment: "required"}
	a := audit.NewAssembler("e42", 3, func(int) *workflows.Pipeline { return nil })
	for i := range frames[:4] {
		a.Add(&frames[i])
	}
	trail, _ := a.Trail()
	if got, want := trail.Gates[0].Rule.Text, "2 of ana@acme.example, ben@acme.example, with a comment"; got != want || trail.Gates[0].Rule.Version != 3 {
		t.Errorf("%+v, want %s", trail.Gates[0].Rule, want)
	}
}

func TestByWhatAnExecutionIsNamed(t *testing.T) {
	x := &workflows.Execution{Trigger: workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "acme/webshop release/v1.2; the filter cannot be judged"},
		Notes: []workflows.Note{{Name: "ticket", Text: "OPS-12, closed"}, {Name: "status", Text: "ABC-1"}},
		SourceRevisions: []workflows.SourceRevision{{RevisionID: "72b00e6aaaabbbb", Repository: "acme/webshop", RevisionSummary: "SHOP-7: mend the cart"},
			{RevisionID: "sha256:0123456789", Type: "IMAGE_DIGEST", Branch: "stable", Repository: "shop"}}}
	for name, want := range map[string]bool{
		"72b00e6": true, "72B00E6A": true, "72b00e6aaaabbbb": true, "72b00e": false, "72b00e7": false, "72b00e6aaaabbbbc": false,
		"sha256:01": true, "stable": true, "latest": false,
		"release/v1.2": true, "v1.2": false, "main": false, "": false,
		"OPS-12": true, "ops-12": true, "OPS-1": false, "SHOP-7": true, "HOP-7": false, "ABC-1": false,
	} {
		if got := audit.IsNamed(x, name); got != want {
			t.Errorf("%q names it: %t", name, got)
		}
	}
	branch := &workflows.Execution{Trigger: workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "acme/webshop main"}, SourceRevisions: []workflows.SourceRevision{{RevisionID: "72b00e6", Branch: "main", Repository: "acme/webshop"}}}
	if audit.IsNamed(branch, "main") {
		t.Error("a branch is no tag: it names half of everything")
	}
}
