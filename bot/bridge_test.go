package bot_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// inAWS is webshop where it stays in AWS, as it is seen there.
func inAWS(mode, lost string) workflows.PipelineView {
	p := webshop()
	seen := time.Date(2026, 3, 12, 14, 2, 0, 0, time.UTC)
	p.Bridge = &workflows.Bridge{Name: "prod-eu", Region: "eu-west-1", ARN: "arn:aws:codepipeline:eu-west-1:444455556666:webshop", Mode: mode, Type: "V2", SeenAt: &seen}
	if lost != "" {
		p.Bridge.Error = &workflows.Reason{Code: "AccessDenied", Message: lost}
	}
	return p
}

// bridgedGate is an execution in AWS of that number that asks people.
func bridgedGate(n int) workflows.Execution {
	e := steps()[1].execution
	e.ID, e.Number, e.ExternalID = fmt.Sprintf("0192f000-0000-7000-8000-%012d", n), n, fmt.Sprintf("7cf7f7cb-3137-439f-a458-%012d", n)
	a := *e.Stages[0].Actions[0].Approval
	a.Token = fmt.Sprintf("gate-%d", n)
	e.Stages[0].Actions[0].Approval = &a
	e.Offers = []workflows.Offer{{Verb: workflows.Approve, Stage: "Production", Action: "SignOff"}, {Verb: workflows.Reject, Stage: "Production", Action: "SignOff"}}
	return e
}

// What had ended in AWS before anybody looked is kept and told to nobody; what
// is open gets its card.
func TestTheHistoryOfAWSIsNoNews(t *testing.T) {
	s := &snapshot{pipeline: inAWS(workflows.BridgeActs, ""), executions: map[string]workflows.Execution{}}
	o := newOutside()
	var events []event.Event
	for n := 1; n <= 100; n++ {
		e := bridgedGate(n)
		e.Status, e.StatusReason = workflows.StatusFailed, &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}
		e.Stages[0].Status = workflows.StatusFailed
		s.executions[e.ID] = e
		events = append(events, event.Event{Kind: event.ExecutionObserved, Text: "history", Execution: e.ID, Started: &e})
	}
	open := bridgedGate(101)
	s.executions[open.ID] = open
	events = append(events, event.Event{Kind: event.ExecutionStarted, Execution: open.ID, Started: &open}, event.Event{Kind: event.BridgeSeen})
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(events...)); err != nil {
		t.Fatal(err)
	}
	if cards := o.of("rollcall_execution"); len(cards) != 1 || !strings.Contains(cards[0], "webshop #101 in AWS · waiting for approval") {
		t.Errorf("%d cards: %v", len(cards), cards)
	}
	if len(o.messages) != 2 || len(o.of("rollcall_gate")) != 1 || len(o.ephemerals) != 0 {
		t.Errorf("%d messages, %v", len(o.messages), o.ephemerals)
	}
	if ids := batch(events...).Executions(); len(ids) != 1 || ids[0] != open.ID {
		t.Errorf("followers hear of %v", ids)
	}
}

// When AWS cannot be asked any more every open card and gate says so and loses
// its buttons, however many there are; when it is seen again they come back.
func TestEveryOpenCardSaysThatAWSIsNotSeen(t *testing.T) {
	s := &snapshot{pipeline: inAWS(workflows.BridgeActs, ""), executions: map[string]workflows.Execution{}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	var events []event.Event
	for n := 1; n <= 20; n++ {
		e := bridgedGate(n)
		s.executions[e.ID] = e
		events = append(events, event.Event{Kind: event.ExecutionStarted, Execution: e.ID, Started: &e})
	}
	follow := func(events ...event.Event) {
		t.Helper()
		if err := b.Follow(t.Context(), batch(events...)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, lost, acts bool) {
		t.Helper()
		for _, text := range append(o.of("rollcall_execution"), o.of("rollcall_gate")...) {
			if strings.Contains(text, "Not seen since") != lost || strings.Contains(text, `"action_id":"approve"`) != acts {
				t.Errorf("%s: %s", when, text)
			}
		}
	}
	follow(events...)
	check("seen", false, true)
	s.pipeline = inAWS(workflows.BridgeActs, "the security token is expired")
	follow(event.Event{Kind: event.BridgeLost, Reason: s.pipeline.Bridge.Error})
	check("lost", true, false)
	s.pipeline = inAWS(workflows.BridgeActs, "")
	follow(event.Event{Kind: event.BridgeSeen})
	check("seen again", false, true)
	s.pipeline = inAWS(workflows.BridgeWatches, "")
	follow(event.Event{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 2, Definition: workflows.Pipeline{Bridge: s.pipeline.Bridge}}})
	check("only watched", false, false)
	if len(o.messages) != 40 {
		t.Errorf("%d messages, want a card and a gate for each of 20", len(o.messages))
	}
}

// Whoever heard that AWS has not answered yet hears its refusal, once; whoever
// heard the refusal as the answer does not hear it twice.
func TestALateRefusalOfAWSIsToldPrivatelyAndOnce(t *testing.T) {
	s := &snapshot{pipeline: inAWS(workflows.BridgeActs, ""), executions: map[string]workflows.Execution{}}
	o := newOutside()
	at := time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)
	refused := func(by, state string, after time.Duration) event.Event {
		ended := at.Add(after)
		return event.Event{Kind: event.RequestClosed, Request: &event.Request{Request: workflows.Request{ID: "r", Verb: workflows.Start, By: workflows.Principal{ID: by, Name: "Ana"}, At: at, State: state, EndedAt: &ended,
			Error: &workflows.Reason{Code: "ConcurrentPipelineExecutionsLimitExceeded", Message: "50 executions run"}}}}
	}
	all := batch(refused("slack:U1", workflows.RequestRefused, 12*time.Second), refused("slack:U2", workflows.RequestRefused, time.Second),
		refused("token:ci", workflows.RequestRefused, time.Minute), refused("slack:U3", workflows.RequestDone, time.Minute))
	for range 2 {
		if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	if len(o.ephemerals) != 1 || !strings.HasPrefix(o.ephemerals[0], "U1: ") || !strings.Contains(o.ephemerals[0], "AWS refused: 50 executions run") {
		t.Errorf("told: %q", o.ephemerals)
	}
	if len(o.messages) != 0 {
		t.Errorf("the channel reads %v", o.messages)
	}
}
