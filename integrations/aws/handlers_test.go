package aws

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What an event is about is named as actions know it: by the ARN, by what settings
// have, by the ID that AWS gave.
func TestWhatEventsAreAbout(t *testing.T) {
	for kind, c := range map[string]struct {
		detail    string
		resources []string
		want      string
	}{
		"CodeBuild Build State Change":                    {`{"build-status":"SUCCEEDED","project-name":"webshop","build-id":"arn:aws:codebuild:eu-west-1:111122223333:build/webshop:0aeb"}`, nil, "webshop:0aeb"},
		"CodeBuild Build Phase Change":                    {`{"completed-phase":"BUILD","build-id":"arn:aws:codebuild:eu-west-1:111122223333:build/webshop:0aeb"}`, nil, "webshop:0aeb"},
		"ECS Deployment State Change":                     {`{"eventName":"SERVICE_DEPLOYMENT_COMPLETED","deploymentId":"ecs-svc/1"}`, []string{"arn:aws:ecs:eu-west-1:111122223333:service/prod/shop"}, "shop"},
		"ECS Service Action":                              {`{"eventName":"SERVICE_STEADY_STATE"}`, []string{"arn:aws:ecs:eu-west-1:111122223333:service/prod/shop"}, "shop"},
		"CodeDeploy Deployment State-change Notification": {`{"deploymentId":"d-ABC","state":"SUCCESS"}`, nil, "d-ABC"},
		"Step Functions Execution Status Change":          {`{"executionArn":"arn:aws:states:eu-west-1:111122223333:execution:smoke:rc-1","status":"FAILED"}`, nil, "arn:aws:states:eu-west-1:111122223333:execution:smoke:rc-1"},
		"CloudFormation Stack Status Change":              {`{"stack-id":"arn:aws:cloudformation:eu-west-1:111122223333:stack/shop-prod/0aeb","status-details":{"status":"UPDATE_COMPLETE"}}`, nil, "shop-prod"},
		"CloudWatch Alarm State Change":                   {`{"alarmName":"shop-5xx","state":{"value":"ALARM"}}`, nil, "shop-5xx"},
	} {
		e := events.Event{DetailType: kind, Detail: json.RawMessage(c.detail), Resources: c.resources}
		if got := subjects()[kind](&e); !slices.Contains(got, c.want) {
			t.Errorf("%s is about %q, want %q", kind, got, c.want)
		}
		for _, detail := range []string{`{}`, `{"build-id":7,"deploymentId":[],"alarmName":null}`} {
			e := events.Event{DetailType: kind, Detail: json.RawMessage(detail)}
			if got := subjects()[kind](&e); got != nil {
				t.Errorf("%s with %s is about %q", kind, detail, got)
			}
		}
	}
	if n := len(subjects()); n != 8 {
		t.Errorf("%d types of event are heard, 8 are tested", n)
	}
}

// engine notes what it is asked for.
type engine struct {
	Engine
	again, heard []string
	waits        bool // some pipeline waits for events
}

func (e *engine) LookAgain(tasks ...string) { e.again = append(e.again, tasks...) }

func (e *engine) ReceiveEvent(r work.Receipt, c work.Change, done func()) bool {
	e.heard = append(e.heard, r.Key+" "+c.Repository+" "+c.Branch)
	if e.waits {
		done()
	}
	return e.waits
}

// An event about a running action has it asked about; one about nothing here, or that
// AWS did not send, has nobody asked. The message is of no more use in either case.
func TestEventsAboutRunningActions(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	t.Setenv("HOME", t.TempDir())
	frame := runner.New(runner.Options{Accounts: accounts.Open(accounts.Options{Region: "eu-west-1"})})
	running := runner.Kind{Category: "Build", Provider: "CodeBuild", Poll: func(_ context.Context, a *runner.Attempt) (work.Outcome, error) {
		return work.Outcome{State: work.Running, Handle: a.Handle(), ExternalID: a.Handle()}, nil
	}}
	if _, err := frame.Runner(running).Poll(t.Context(), work.Task{ID: "task", Handle: "webshop:0aeb", PipelineRole: "arn:aws:iam::111122223333:role/p", Action: workflows.Action{Name: "Build"}}, nil); err != nil {
		t.Fatal(err)
	}
	e := &engine{}
	h := actionEvents(frame, func() Engine { return e })
	for _, c := range []struct {
		source, account, id string
		concerns, again     bool
	}{
		{"aws.codebuild", "111122223333", "arn:aws:codebuild:eu-west-1:111122223333:build/webshop:0aeb", true, true},
		{"aws.codebuild", "111122223333", "arn:aws:codebuild:eu-west-1:111122223333:build/webshop:other", true, false},
		{"aws.codebuild", "999900001111", "arn:aws:codebuild:eu-west-1:999900001111:build/webshop:0aeb", true, false},
		{"acme.forged", "111122223333", "arn:aws:codebuild:eu-west-1:111122223333:build/webshop:0aeb", false, false},
		{"aws.codebuild", "111122223333", "", false, false},
	} {
		e.again = nil
		done := false
		event := events.Event{Source: c.source, DetailType: "CodeBuild Build State Change", Account: c.account, Region: "eu-west-1", Detail: json.RawMessage(`{"build-id":"` + c.id + `","build-status":"SUCCEEDED"}`)}
		concerns := h.Handle(t.Context(), event, func() { done = true })
		if concerns != c.concerns || done != c.concerns || slices.Equal(e.again, []string{"task"}) != c.again {
			t.Errorf("%+v: concerns %v, done %v, asked about %v", c, concerns, done, e.again)
		}
	}
}

// An event for pipelines is known by its ID; one without a sound ID by what it says.
func TestEventsThatPipelinesWaitFor(t *testing.T) {
	e := &engine{waits: true}
	h := triggerEvents(func() Engine { return e })
	for _, id := range []string{"e1", "", strings.Repeat("x", 200), "a\\u0001b", "e1"} {
		event, ok := events.Parse(`{"id":"` + id + `","source":"acme.registry","detail-type":"Image released","detail":{}}`)
		if !ok || !h.Handle(t.Context(), event, func() {}) {
			t.Errorf("%q is not heard", id)
		}
	}
	if e.heard[0] != "eventbridge/e1 acme.registry Image released" || e.heard[4] != e.heard[0] {
		t.Errorf("heard %q", e.heard)
	}
	for i, key := range e.heard[1:4] {
		if len(key) > 100 || slices.Contains(e.heard[:i+1], key) || strings.ContainsAny(key, "\x01") {
			t.Errorf("heard %q", key)
		}
	}
	long := strings.Repeat("y", 100_000)
	if event, _ := events.Parse(`{"id":"e3","source":"` + long + `","detail-type":"` + long + `","detail":{}}`); !h.Handle(t.Context(), event, func() {}) || len(e.heard[5]) > 600 {
		t.Errorf("%d bytes are kept of long names", len(e.heard[5]))
	}
	e.waits = false
	if event, _ := events.Parse(`{"id":"e2","source":"a","detail-type":"b","detail":{}}`); h.Handle(t.Context(), event, func() {}) {
		t.Error("an event that nobody waits for is kept")
	}
}
