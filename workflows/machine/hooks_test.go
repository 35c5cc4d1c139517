package machine

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// hooks is a world that follows pause hooks of ECS, whose gate wants two of group:a.
type hooks struct {
	*follower
	began time.Time
}

const hookID = "arn:aws:ecs:eu-west-1:111122223333:service-deployment/prod/web/abc/ecs-pause-1"

func atHook(t *testing.T) *hooks {
	t.Helper()
	h := followHooks(t)
	h.look(t, nil)
	h.look(t, h.shown(workflows.StatusInProgress))
	return h
}

// followHooks has seen nothing yet.
func followHooks(t *testing.T) *hooks {
	t.Helper()
	f := &follower{world: newWorld()}
	f.members["group:a"] = []string{"ana@acme.example", "ben@acme.example", "cho@acme.example"}
	sign := workflows.Action{Name: "Continue", RunOrder: 1, ActionType: workflows.ActionType{Category: "Approval", Owner: "AWS", Provider: "Manual", Version: "1"},
		Approval: &workflows.ApprovalPolicy{From: []string{"group:a"}, Required: 2, Comment: "optional"}}
	p := &workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeParallel, Bridge: &workflows.Bridge{Name: "ecs", Region: "eu-west-1", Mode: workflows.BridgeActs, Type: "ECS"},
		Stages: []workflows.Stage{{Name: "Pause", Actions: []workflows.Action{sign}, Rollback: workflows.RollbackPolicy{Lock: "never", Eligible: "any", Approval: "require"}}}}
	if _, err := f.ask(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, NewDefinition: p, ManagedBy: "bridge:ecs", Version: 1}); err != nil {
		t.Fatal(err)
	}
	return &hooks{f, f.world.at.Add(-time.Minute)}
}

// shown is the hook as ECS shows it.
func (h *hooks) shown(status workflows.Status, votes ...string) *workflows.Execution {
	at, end := h.began, h.world.at
	a := workflows.ActionExecution{Name: "Continue", RunOrder: 1, Provider: "Manual", Status: status, Attempt: 1, StartedAt: &at, ExternalID: "ecs-pause-1",
		Approval: &workflows.Approval{Text: "The service web waits", ExpiresAt: at.Add(time.Hour), OpenedAt: at}}
	e := &workflows.Execution{ExternalID: hookID, Version: 1, Type: workflows.TypeStandard, Status: status, StartedAt: at, UpdatedAt: at, Variables: map[string]string{"service": "web"}}
	s := workflows.StageExecution{Name: "Pause", Status: status, Since: &at, Attempt: 1}
	if status == workflows.StatusInProgress {
		a.Handle = "ecs-pause-1"
	} else {
		a.EndedAt, e.EndedAt, s.Since = &end, &end, &end
	}
	for _, answer := range votes {
		if answer == "expired" {
			a.Approval.Closed, a.Summary = answer, "nobody answered in time, and ECS went on with the deployment"
			continue
		}
		a.Approval.Votes = append(a.Approval.Votes, workflows.Vote{By: workflows.Principal{ID: "aws", Name: "somebody in AWS"}, Answer: answer, At: end})
	}
	s.Actions = []workflows.ActionExecution{a}
	e.Stages = []workflows.StageExecution{s}
	return e
}

// look takes in what ECS shows, twice: the second time it is no news.
func (h *hooks) look(t *testing.T, shown *workflows.Execution) {
	t.Helper()
	seen := &work.Snapshot{Pipeline: "webshop", At: h.world.at.Add(time.Second), Stages: []work.SnapshotStage{{Name: "Pause", Transition: workflows.Transition{Enabled: true}}}}
	if shown != nil {
		seen.Executions = []workflows.Execution{*shown}
	}
	h.observe(t, seen)
	if shown == nil || shown.Status.Final() {
		seen.Executions = nil // it is told of once
	}
	if again := h.observe(t, seen); len(again) > 0 {
		t.Fatalf("the same look again is news: %s", marshal(again))
	}
}

func (h *hooks) gate(t *testing.T) (*workflows.Execution, *workflows.ActionExecution) {
	t.Helper()
	e := h.mine(hookID)
	if e == nil {
		t.Fatal("the hook is not known")
	}
	return e, &e.Stages[0].Actions[0]
}

func (h *hooks) votes(t *testing.T, verb workflows.Verb, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := h.vote(name, verb, &workflows.Execution{ExternalID: hookID}); err != nil {
			t.Fatal(err)
		}
	}
}

// A quorum is one request, and the answer that ECS shows is ours though it names nobody,
// whether the look comes before what the call answered or after.
func TestAHookIsAnsweredByItsQuorum(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for verb, want := range map[workflows.Verb]string{workflows.Approve: "approved", workflows.Reject: "rejected"} {
			h := atHook(t)
			e, a := h.gate(t)
			if a.Needs != workflows.NeedsApproval || a.Approval.Text != "The service web waits" || !a.Approval.ExpiresAt.Equal(h.began.Add(time.Hour)) || e.Variables["service"] != "web" {
				t.Fatalf("the gate: %s", marshal(a))
			}
			names := []string{"ana", "ben"}
			if verb == workflows.Reject {
				names = names[:1]
			}
			h.votes(t, verb, names...)
			tasks := h.s.Tasks()
			if len(tasks) != 1 || tasks[0].Request.Verb != verb || tasks[0].Request.Token != "ecs-pause-1" || tasks[0].Request.ExternalID != hookID {
				t.Fatalf("tasks %s", marshal(tasks))
			}
			done := func() {
				if _, err := h.answer(work.Outcome{Task: tasks[0].ID, State: work.Succeeded}); err != nil {
					t.Fatal(err)
				}
			}
			status := map[workflows.Verb]workflows.Status{workflows.Approve: workflows.StatusSucceeded, workflows.Reject: workflows.StatusFailed}[verb]
			if !lost {
				done()
			}
			h.look(t, h.shown(status, string(verb)))
			if lost {
				done()
			}
			e, a = h.gate(t)
			if a.Approval.Closed != want || len(a.Approval.Votes) != len(names) || e.Status != status || a.Status != status || len(h.s.Executions) != 0 {
				t.Errorf("%s, lost %v: %s %s", verb, lost, e.Status, marshal(a))
			}
			if verb == workflows.Reject && (e.StatusReason == nil || e.StatusReason.Code != "NotApproved" || e.StatusReason.Message != "not approved by ana: tested") {
				t.Errorf("the reason: %+v", e.StatusReason)
			}
			if len(e.Requests) != 1 || e.Requests[0].State != workflows.RequestDone {
				t.Errorf("requests %s", marshal(e.Requests))
			}
		}
	}
}

// What nobody answered here closes the gate as AWS has it.
func TestAHookEndsInAWS(t *testing.T) {
	for name, c := range map[string]struct {
		status         workflows.Status
		answer, closed string
		votes          int
		code           string
	}{
		"approved":             {workflows.StatusSucceeded, "approve", "approved", 2, ""},
		"rolled back":          {workflows.StatusFailed, "reject", "rejected", 2, "NotApproved"},
		"expired, and went on": {workflows.StatusSucceeded, "expired", "expired", 1, ""},
		"expired":              {workflows.StatusFailed, "", "expired", 1, "ApprovalExpired"},
		"superseded":           {workflows.StatusStopped, "", "withdrawn", 1, "Stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			h := atHook(t)
			h.votes(t, workflows.Approve, "ana")
			shown := h.shown(c.status)
			if c.answer != "" {
				shown = h.shown(c.status, c.answer)
			}
			if a := &shown.Stages[0].Actions[0]; c.status == workflows.StatusStopped {
				a.Status, a.Error = workflows.StatusAbandoned, &workflows.Reason{Code: "Stopped", Message: "a newer deployment took its place"}
				shown.StatusReason = a.Error
			}
			h.look(t, shown)
			e, a := h.gate(t)
			if e.Status != c.status || a.Approval.Closed != c.closed || len(a.Approval.Votes) != c.votes || (e.StatusReason != nil) != (c.code != "") || c.code != "" && e.StatusReason.Code != c.code {
				t.Errorf("%s %+v: %s", e.Status, e.StatusReason, marshal(a))
			}
			if c.votes == 2 && a.Approval.Votes[1].Via != workflows.ViaOutside {
				t.Errorf("who answered: %+v", a.Approval.Votes[1])
			}
			if name == "expired, and went on" && a.Summary != "nobody answered in time, and ECS went on with the deployment" {
				t.Errorf("summary %q", a.Summary)
			}
			var refused *workflows.Problem
			if err := h.vote("ben", workflows.Approve, &workflows.Execution{ExternalID: hookID}); !errors.As(err, &refused) || refused.Code != workflows.CodeApprovalCompleted && refused.Code != workflows.CodeInvalidApprovalToken {
				t.Errorf("a late click hears %v", err)
			}
		})
	}
}

// A hook can only be answered.
func TestNothingElseIsAskedOfAHook(t *testing.T) {
	h := atHook(t)
	e, _ := h.gate(t)
	for _, in := range []workflows.Intent{
		{Verb: workflows.Start}, {Verb: workflows.StopExecution, Execution: e.ID, Reason: "no"},
	} {
		var refused *workflows.Problem
		if _, err := h.ask(person("ana"), in); !errors.As(err, &refused) || refused.Code != workflows.CodeConflict || refused.Message != "webshop shows pause hooks of Amazon ECS, and they can only be answered" {
			t.Errorf("%s: %v", in.Verb, err)
		}
	}
	if len(h.s.Tasks()) != 0 {
		t.Error("ECS is asked for something")
	}
}

// Who deployed does not approve, unless the policy says so.
func TestWhoDeployedDoesNotApprove(t *testing.T) {
	h := atHook(t)
	other := *h.shown(workflows.StatusInProgress)
	other.ExternalID += "2"
	other.Trigger = workflows.StartedBy{Type: workflows.TriggerStart, Detail: "shop#43", By: person("ana"), Execution: "x43"}
	h.observe(t, &work.Snapshot{Pipeline: "webshop", At: h.world.at.Add(time.Second), Executions: []workflows.Execution{*h.shown(workflows.StatusInProgress), other}})
	var refused *workflows.Problem
	if err := h.vote("ana", workflows.Approve, &workflows.Execution{ExternalID: other.ExternalID}); !errors.As(err, &refused) || refused.Code != workflows.CodeSelfApproval {
		t.Errorf("who deployed approves: %v", err)
	}
	h.votes(t, workflows.Approve, "ana") // the other hook
	if err := h.vote("ben", workflows.Approve, &workflows.Execution{ExternalID: other.ExternalID}); err != nil {
		t.Errorf("another approves: %v", err)
	}
}

// A hook that waits already when rollcall looks for the first time asks people too.
func TestAHookThatWaitsAtTheFirstLook(t *testing.T) {
	h := followHooks(t)
	h.look(t, h.shown(workflows.StatusInProgress))
	if _, a := h.gate(t); a.Needs != workflows.NeedsApproval || a.Approval.Text != "The service web waits" || a.Handle != "ecs-pause-1" {
		t.Errorf("the gate: %s", marshal(a))
	}
	h.votes(t, workflows.Approve, "ana", "ben")
	if tasks := h.s.Tasks(); len(tasks) != 1 || tasks[0].Request.Token != "ecs-pause-1" {
		t.Errorf("tasks %s", marshal(tasks))
	}
}
