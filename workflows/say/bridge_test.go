package say_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

const bobARN = "arn:aws:iam::444455556666:user/bob"

// bob is somebody whom only AWS knows.
var bob = workflows.Principal{ID: "aws:" + bobARN, Name: bobARN, Via: "outside"}

// What people read of pipelines that stay in AWS.
func TestBridgeSentences(t *testing.T) {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "%-36s %s\n", name, text) }

	for _, r := range []workflows.Request{
		{Verb: workflows.Start}, {Verb: workflows.StopExecution}, {Verb: workflows.Retry, Stage: "Production"}, {Verb: workflows.RollBack, Stage: "Production"},
		{Verb: workflows.Approve, Stage: "Production", Action: "SignOff"}, {Verb: workflows.Reject, Stage: "Production", Action: "SignOff"},
		{Verb: workflows.Override, Stage: "Production"}, {Verb: workflows.Lock, Stage: "Production"}, {Verb: workflows.Unlock, Stage: "Production"},
	} {
		r.By, r.State = ana, "open"
		line(string(r.Verb), clocked.Request(&r))
	}
	back := workflows.Request{Verb: workflows.RollBack, Stage: "Production", By: ana, State: "done"}
	line("done", clocked.Request(&back))
	back.State, back.Error = "refused", &workflows.Reason{Code: "UnableToRollbackStage", Message: "the stage\nruns"}
	line("refused", clocked.Request(&back))
	line("refused, in short", clocked.Refused(&back))

	seen := then
	watched := &workflows.Bridge{Name: "prod-eu", Mode: "watch", SeenAt: &seen}
	acting := &workflows.Bridge{Name: "prod-eu", Mode: "act", SeenAt: &seen, Error: &workflows.Reason{Code: "AccessDenied", Message: "the role may not be assumed"}}
	line("watched", clocked.WatchOnly(watched))
	line("acting", clocked.WatchOnly(acting)+clocked.Lost(watched)+clocked.Lost(nil)+clocked.WatchOnly(nil))
	line("lost", clocked.Lost(acting))
	line("lost, no times", untimed.Lost(acting))
	acting.SeenAt = nil
	line("never seen", clocked.Lost(acting))

	past := vote(bob, "approve", "lgtm", 3)
	past.Via = "outside"
	line("approved outside", clocked.Outside(gate("approved", past)))
	line("after one of ours", clocked.Outside(gate("approved", vote(ana, "approve", "", 1), past)))
	two := gate("approved", vote(ana, "approve", "", 1), vote(ben, "approve", "", 2), past)
	two.Missing = nil
	line("after all of ours", clocked.Outside(two))
	line("in short", clocked.Decision(gate("approved", past), true))
	line("with the gate", clocked.GateNow(gate("approved", past)))
	line("a vote", clocked.Vote(&past))
	past.Answer, past.Comment = "reject", ""
	anybody := gate("rejected", past)
	anybody.From, anybody.Required = nil, 1
	line("rejected outside", clocked.Outside(anybody))
	line("not outside", clocked.Outside(gate("approved", vote(ana, "approve", "", 1)))+clocked.Outside(gate("", past)))

	for _, by := range []workflows.StartedBy{{Type: workflows.TriggerStart}, {Type: workflows.TriggerStart, By: bob}, {Type: "WebhookV2", By: ben}, {Type: "WebhookV2"}, {Type: "CloudWatchEvent"}, {Type: "CreatePipeline"}, {Type: "PutActionRevision"}, {Type: "Webhook3"}} {
		line(by.Type, clocked.Trigger(&workflows.Execution{Trigger: by}))
	}
	line("here", "webshop#43"+say.In(&workflows.Execution{}))
	line("there", "webshop#43"+say.In(&workflows.Execution{ExternalID: "5d2b"}))
	golden(t, "testdata/bridge.txt", b.String())
}
