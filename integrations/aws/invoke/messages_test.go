package invoke

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/events"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ready is a task of the world's kind that succeeds.
func ready(w *runnertest.World) work.Task {
	switch w.Kind.Provider {
	case "StepFunctions":
		_, task := machine(w, false, states.Result{})
		return task
	case "SNS":
		_, task := topic(w, "released")
		return task
	case "EventBridge":
		_, task := bus(w, nil)
		return task
	}
	var seen []string
	return calls(w, &seen, lambda.Answer{})
}

func topic(w *runnertest.World, name string) (*sns.Service, work.Task) {
	s := awsfake.At[*sns.Service](w.AWS, runnertest.Account, runnertest.Region)
	return s, w.Task(map[string]string{"TopicArn": s.Topic(name), "Message": "v7 is out", "Subject": "webshop"})
}

func bus(w *runnertest.World, settings map[string]string) (*events.Service, work.Task) {
	s := awsfake.At[*events.Service](w.AWS, runnertest.Account, runnertest.Region)
	task := w.Task(map[string]string{"DetailType": "Released", "Detail": `{"tag": "v7"}`})
	for key, value := range settings {
		task.Configuration[key] = value
	}
	return s, task
}

func TestATopicGetsTheMessage(t *testing.T) {
	for _, name := range []string{"released", "released.fifo"} {
		for _, trouble := range []awsfake.Trouble{"", awsfake.CutBefore, awsfake.CutAfter, awsfake.Throttle, awsfake.ServerError} {
			runnertest.In(t, kind("Invoke/SNS")(), func(w *runnertest.World) {
				s, task := topic(w, name)
				w.AWS.Faults(awsfake.Fault{Operation: "sns:Publish", Trouble: trouble, Times: 1})
				o := w.Run(task)
				all := s.Messages()
				if o.State != work.Succeeded || len(all) == 0 || o.Outputs["MessageId"] == "" {
					t.Fatalf("%s %s: %+v %+v, %d messages", name, trouble, o, o.Error, len(all))
				}
				fifo := strings.HasSuffix(name, ".fifo")
				if len(all) > 1 && (fifo || trouble != awsfake.CutAfter) {
					t.Errorf("%s %s: it was published %d times", name, trouble, len(all))
				}
				for _, m := range all {
					if m.Message != "v7 is out" || m.Subject != "webshop" || m.Attributes["rollcall.token"] != runner.TokenOf(task.ID) || m.Attributes["rollcall.execution"] != "webshop#42" {
						t.Errorf("the message is %+v", m)
					}
					if fifo && (m.Group != "webshop" || m.Deduplication != runner.TokenOf(task.ID) || o.Outputs["SequenceNumber"] == "") {
						t.Errorf("the FIFO message is %+v, outputs %v", m, o.Outputs)
					}
				}
			})
		}
	}
}

func TestABusGetsTheEvent(t *testing.T) {
	runnertest.In(t, kind("Invoke/EventBridge")(), func(w *runnertest.World) {
		s, task := bus(w, map[string]string{"Source": "acme.shop", "EventBusName": "releases"})
		s.Bus("releases")
		o := w.Run(task)
		all := s.Entries()
		if o.State != work.Succeeded || len(all) != 1 || o.Outputs["EventId"] != all[0].ID {
			t.Fatalf("%+v %+v, %d events", o, o.Error, len(all))
		}
		e := all[0]
		if e.Source != "acme.shop" || e.DetailType != "Released" || !strings.Contains(string(e.Detail), `"tag":"v7"`) || !strings.Contains(string(e.Detail), `"token":"`+runner.TokenOf(task.ID)+`"`) {
			t.Errorf("the event is %+v, %s", e, e.Detail)
		}
	})
}

// EventBridge answers 200 also when it has taken nothing.
func TestAnEventThatIsNotTaken(t *testing.T) {
	runnertest.In(t, kind("Invoke/EventBridge")(), func(w *runnertest.World) {
		s, task := bus(w, nil)
		s.Fail("v7", "NotAuthorizedForSourceException")
		fails(t, w.Run(task), "NotAuthorizedForSource", "EventBridge refuses the event: NotAuthorizedForSourceException", "")
		if n := w.Called("events:PutEvents"); n != 1 {
			t.Errorf("it was sent %d times", n)
		}
	})
	runnertest.In(t, kind("Invoke/EventBridge")(), func(w *runnertest.World) {
		s, task := bus(w, nil)
		s.Fail("v7", "ThrottlingException")
		if o := w.Run(task); o.State != work.Succeeded || len(s.Entries()) != 1 {
			t.Errorf("after a throttled entry: %+v %+v, %d events", o, o.Error, len(s.Entries()))
		}
	})
	runnertest.In(t, kind("Invoke/EventBridge")(), func(w *runnertest.World) {
		_, task := bus(w, map[string]string{"Detail": "v7"})
		fails(t, w.Run(task), "ConfigurationInvalid", "Detail is no JSON object", "")
	})
}

func TestMessageMatrix(t *testing.T) {
	for _, name := range []string{"Invoke/SNS", "Invoke/EventBridge"} {
		runnertest.Matrix(t, runnertest.Case{Kind: kind(name), Given: ready})
	}
}
