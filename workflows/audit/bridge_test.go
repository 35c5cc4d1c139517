package audit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// bob is somebody whom only AWS knows.
var bob = workflows.Principal{ID: "aws:arn:aws:iam::444455556666:user/bob", Name: "arn:aws:iam::444455556666:user/bob", Via: workflows.ViaOutside}

// The trail of an execution in AWS names its ID there, who answered in AWS, what
// AWS was asked to do and in which records that is; one that had ended before
// anybody looked has its answers from the row.
func TestTheTrailOfAnExecutionInAWS(t *testing.T) {
	vote := workflows.Vote{By: bob, Answer: "approve", Comment: "lgtm", At: noon.Add(2 * time.Minute), Via: workflows.ViaOutside}
	row := workflows.Execution{ID: "e42", Number: 42, Pipeline: "webshop", ExternalID: "7cf7", Version: 7, Type: workflows.TypeStandard, Status: workflows.StatusInProgress, StartedAt: noon,
		Stages: []workflows.StageExecution{{Name: "Production", Actions: []workflows.ActionExecution{{Name: "SignOff", Attempt: 1}}}}}
	ended := row
	end := noon.Add(5 * time.Minute)
	ended.Status, ended.EndedAt, ended.StatusReason = workflows.StatusFailed, &end, &workflows.Reason{Code: "ActionFailed", Message: "Deploy: exit status 1"}
	ended.Stages = []workflows.StageExecution{{Name: "Production", Actions: []workflows.ActionExecution{{Name: "SignOff", Attempt: 1, Approval: &workflows.Approval{Votes: []workflows.Vote{vote}}}}}}
	request := func(kind event.Kind, state string, why *workflows.Reason) event.Event {
		return event.Event{Kind: kind, Execution: "e42", Stage: "Production", At: noon, Request: &event.Request{Request: workflows.Request{ID: "r1", Verb: workflows.Retry, Stage: "Production", By: ana, At: noon, State: state, Error: why}}}
	}
	refused := &workflows.Reason{Code: "StageNotRetryable", Message: "the stage runs"}
	render := func(frames ...[]event.Event) audit.Trail {
		a := audit.NewAssembler("e42", 7, nil)
		for i, events := range frames {
			a.Add(&event.Frame{Pipeline: "webshop", Seq: uint64(i + 1), Events: events})
		}
		trail, ok := a.Trail()
		if !ok {
			t.Fatal("there is no trail")
		}
		return trail
	}
	at := event.Event{Kind: event.GateVoted, Execution: "e42", Stage: "Production", Action: "SignOff", Attempt: 1, At: noon, Vote: &vote}
	seen := render([]event.Event{{Kind: event.ExecutionStarted, Execution: "e42", Started: &row, At: noon}}, []event.Event{at},
		[]event.Event{request(event.RequestOpened, workflows.RequestOpen, nil)}, []event.Event{request(event.RequestClosed, workflows.RequestRefused, refused)})
	if seen.ExternalID != "7cf7" || len(seen.Votes) != 1 || seen.Votes[0].By != bob || seen.Votes[0].Via != "outside" || seen.Votes[0].Record != 2 {
		t.Errorf("%+v", seen)
	}
	want := []audit.Request{{Request: workflows.Request{ID: "r1", Verb: workflows.Retry, Stage: "Production", By: ana, At: noon, State: workflows.RequestRefused, Error: refused}, Record: 3, Closed: 4}}
	if d := cmp.Diff(want, seen.Requests); d != "" {
		t.Error(d)
	}
	history := render([]event.Event{{Kind: event.ExecutionObserved, Text: "history", Execution: "e42", Started: &ended, At: noon}})
	if history.Execution != "webshop#42" || history.Status != workflows.StatusFailed || history.EndedAt == nil || !history.EndedAt.Equal(end) || len(history.Votes) != 1 || history.Votes[0].Comment != "lgtm" || len(history.History) != 1 {
		t.Errorf("%+v", history)
	}
}
