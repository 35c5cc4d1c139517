package invoke

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// buses send an event. After a lost answer it is sent once more: its detail has
// the token by which a reader tells.
func buses() []runner.Kind {
	return []runner.Kind{{Category: "Invoke", Provider: "EventBridge", Start: put, Poll: nothingToPoll, Needs: busNeeds, Check: checkBus, Optional: seeBus, Subject: runner.Subject{Setting: "EventBusName", Deleted: "DeleteEventBus"}}}
}

// detail is what the event says: the action's own object, and for whom it is sent.
func detail(a *runner.Attempt) (string, error) {
	all := map[string]any{}
	if text := a.Setting("Detail"); text != "" {
		if err := json.Unmarshal([]byte(text), &all); err != nil || all == nil {
			return "", &runner.SettingsError{Text: "Detail is no JSON object, and that is what an event has as its detail"}
		}
	}
	all["rollcall"] = whoIs(a)
	data, err := json.Marshal(all)
	return string(data), err
}

func put(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	text, err := detail(a)
	if err != nil {
		return work.Outcome{}, err
	}
	bus := cmp.Or(a.Setting("EventBusName"), "default")
	out, err := eventbridge.NewFromConfig(a.Config).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: &bus, Source: aws.String(cmp.Or(a.Setting("Source"), "rollcall")), DetailType: aws.String(a.Setting("DetailType")), Detail: &text}}})
	if err != nil {
		return work.Outcome{}, err
	}
	var one types.PutEventsResultEntry // AWS answers 200 also when it took nothing
	if len(out.Entries) > 0 {
		one = out.Entries[0]
	}
	switch code := aws.ToString(one.ErrorCode); {
	case strings.HasPrefix(code, "Throttling"), code == "InternalFailure", code == "InternalException":
		return work.Outcome{}, runner.Later("EventBridge does not take the event now: %s: %s", code, aws.ToString(one.ErrorMessage))
	case out.FailedEntryCount > 0 || code != "":
		f := diagnose.Explain(diagnose.Failure{Service: "EventBridge", Operation: "PutEvents", Code: code, Message: aws.ToString(one.ErrorMessage), Status: 200, Again: a.Again()})
		return runner.Fail(cmp.Or(diagnose.Code(code), "EventRefused"), "EventBridge refuses the event: "+strings.TrimSuffix(code+": "+aws.ToString(one.ErrorMessage), ": "), &f), nil
	}
	id := aws.ToString(one.EventId)
	return work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: a.URL("events/home", "/eventbus/"+bus), EndedAt: a.Now(), Outputs: map[string]string{"EventId": id}}, nil
}

// busNeeds is the permission of the call above.
func busNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	bus := cmp.Or(action.Configuration["EventBusName"], "default")
	if !strings.HasPrefix(bus, "arn:") {
		bus = at.ARN("events", "event-bus/"+bus)
	}
	return []policy.Statement{{Sid: "SendEvents", Comment: "send events to the bus", Actions: []string{"events:PutEvents"}, Resources: []string{bus}}}
}
