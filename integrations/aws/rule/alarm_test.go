package rule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/rule"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func alarmKind() runner.Kind {
	for _, k := range rule.Kinds() {
		if k.Name() == "Rule/CloudWatchAlarm" {
			return k
		}
	}
	panic("there is no such kind")
}

// alarmsOf are the alarms of the world's account and Region.
func alarmsOf(w *runnertest.World) *cloudwatch.Service {
	return awsfake.At[*cloudwatch.Service](w.AWS, runnertest.Account, runnertest.Region)
}

// TestAlarmRules shows what an alarm means to a condition: which state is enough,
// for how long a rule waits for it, and that a rule of onFailure wants it to ring.
func TestAlarmRules(t *testing.T) {
	const ok, alarm, few = cloudwatch.OK, cloudwatch.Alarm, cloudwatch.InsufficientData
	for name, c := range map[string]struct {
		rule       string            // the name of the rule's action
		settings   map[string]string // beside AlarmName
		state      string
		then       string // what it turns to after five minutes
		want, says string
		after      time.Duration // at which it ends, to within a question
	}{
		"quiet":                              {state: ok, want: work.Succeeded},
		"ringing, and nobody waits":          {state: alarm, want: work.Failed, says: "alarm shop-5xx is in state ALARM: because of the test"},
		"quiet within the time of waiting":   {settings: map[string]string{"WaitTime": "10"}, state: alarm, then: ok, want: work.Succeeded, after: 5 * time.Minute},
		"ringing to the last":                {settings: map[string]string{"WaitTime": "10"}, state: alarm, want: work.Failed, says: "ALARM", after: 10 * time.Minute},
		"too few data are waited for":        {settings: map[string]string{"WaitTime": "10"}, state: few, want: work.Succeeded, after: 10 * time.Minute},
		"too few data, and then it rings":    {settings: map[string]string{"WaitTime": "10"}, state: few, then: alarm, want: work.Failed, says: "ALARM", after: 10 * time.Minute},
		"only the states that are listed":    {settings: map[string]string{"AlarmStates": "OK"}, state: few, want: work.Failed, says: "INSUFFICIENT_DATA"},
		"states as AWS's console writes":     {settings: map[string]string{"AlarmStates": `["ALARM", "INSUFFICIENT_DATA"]`}, state: few, want: work.Succeeded},
		"a failure wants it to ring":         {rule: "onFailure:Rings", state: alarm, want: work.Succeeded},
		"a failure without an alarm":         {rule: "onFailure:Rings", settings: map[string]string{"WaitTime": "10"}, state: ok, want: work.Failed, says: "is in state OK", after: 10 * time.Minute},
		"an entry wants it quiet":            {rule: "beforeEntry:Quiet", state: ok, want: work.Succeeded},
		"a time that is none":                {settings: map[string]string{"WaitTime": "soon"}, state: ok, want: work.Failed, says: `WaitTime cannot be "soon"`},
		"a state that is none":               {settings: map[string]string{"AlarmStates": "RED"}, state: ok, want: work.Failed, says: `AlarmStates cannot have "RED"`},
		"no such alarm is no quiet alarm":    {want: work.Failed, says: `CloudWatch has no alarm "shop-5xx" in eu-west-1 of the account 111122223333`},
		"one that is removed while it rings": {settings: map[string]string{"WaitTime": "10"}, state: alarm, then: "removed", want: work.Failed, says: "CloudWatch has no alarm", after: 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, alarmKind(), func(w *runnertest.World) {
				set := func(state string) {
					if state == "removed" {
						alarmsOf(w).Remove("shop-5xx")
					} else if state != "" {
						alarmsOf(w).Set(cloudwatch.Metric, "shop-5xx", state, "because of the test")
					}
				}
				set(c.state)
				turns := time.AfterFunc(5*time.Minute, func() { set(c.then) })
				defer turns.Stop()
				configuration := map[string]string{"AlarmName": "shop-5xx"}
				for key, value := range c.settings {
					configuration[key] = value
				}
				task, began := w.Task(configuration), time.Now()
				if task.Action.Name = "onSuccess:Quiet"; c.rule != "" {
					task.Action.Name = c.rule
				}
				o := w.Run(task)
				said := o.Summary
				if o.Error != nil {
					said = o.Error.Message
				}
				if o.State != c.want || !strings.Contains(said, c.says) {
					w.T.Errorf("it %s: %s", o.State, said)
				}
				if ended := o.State == work.Failed && o.Error.Code == "ActionFailed"; ended && (o.Error.Finding == nil || !strings.Contains(o.Error.Finding.Title, "the alarm shop-5xx is in state") || o.Error.Finding.Links[0].URL != o.ExternalURL) {
					w.T.Errorf("what is known of it: %+v", o.Error.Finding)
				}
				if took := time.Since(began); took < c.after || took > c.after+20*time.Second {
					w.T.Errorf("it took %s", took)
				}
			})
		})
	}
}

// A rule that asks about an alarm that there is not could not be asked: its condition is errored.
func TestAlarmThatIsMissingIsNoAnswer(t *testing.T) {
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		if o := w.Run(w.Task(map[string]string{"AlarmName": "shop-5xx"})); o.Error == nil || o.Error.Code != "ConfigurationInvalid" {
			w.T.Errorf("got %+v", o)
		}
	})
}

// Composite alarms count like others, though AWS hides them from who does not ask for them.
func TestCompositeAlarms(t *testing.T) {
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		alarmsOf(w).Set(cloudwatch.Composite, "shop is ill", cloudwatch.Alarm, "one of three rings")
		o := w.Run(w.Task(map[string]string{"AlarmName": "shop is ill"}))
		if o.State != work.Failed || !strings.Contains(o.Error.Message, "one of three rings") || !strings.HasSuffix(o.ExternalURL, "#alarmsV2:alarm/shop%20is%20ill") {
			w.T.Errorf("got %+v, error %+v", o, o.Error)
		}
	})
}

// watchTask is the task by which the alarms of a stage are watched after a success.
func watchTask(w *runnertest.World, lasts time.Duration, names string) work.Task {
	t := w.Task(map[string]string{work.WatchedAlarms: names})
	t.Kind, t.Handle, t.Action.Name, t.Deadline = work.Poll, t.ID, "rollback:onAlarm", time.Now().Add(lasts)
	return t
}

// What is watched after a success is looked at every 15 s at least; the first
// alarm that rings is named, with AWS's reason and its page.
func TestWatchedAlarms(t *testing.T) {
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		alarmsOf(w).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.OK, "")
		alarmsOf(w).Set(cloudwatch.Metric, "shop-slow", cloudwatch.InsufficientData, "")
		began := time.Now()
		time.AfterFunc(5*time.Minute, func() {
			alarmsOf(w).Set(cloudwatch.Metric, "shop-slow", cloudwatch.Alarm, "Threshold Crossed: 1 datapoint [812.0] was greater than 500.0")
		})
		o := w.Run(watchTask(w, 10*time.Minute, `["shop-5xx","shop-slow"]`))
		if o.State != work.Failed || o.Error.Code != work.AlarmRang || o.ExternalID != "shop-slow" || !strings.Contains(o.Error.Message, "Threshold Crossed") ||
			!strings.HasSuffix(o.ExternalURL, "alarm/shop-slow") || !strings.Contains(w.Log(), "Threshold Crossed") {
			w.T.Errorf("got %+v, error %+v, log %q", o, o.Error, w.Log())
		}
		if took := time.Since(began); took < 5*time.Minute || took > 5*time.Minute+20*time.Second {
			w.T.Errorf("it was heard after %s", took)
		}
	})
}

// An alarm that rang before the success rings for it; one that there is not, and a
// role that may not look, are said and do not ring.
func TestWatchedAlarmsThatCannotBeLookedAt(t *testing.T) {
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		if o := w.Run(watchTask(w, 10*time.Minute, `["shop-5xx"]`)); o.Error.Code == work.AlarmRang || !strings.Contains(o.Error.Message, "CloudWatch has no alarm") {
			w.T.Errorf("got %+v", o.Error)
		}
	})
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		alarmsOf(w).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.Alarm, "since yesterday")
		if o := w.Run(watchTask(w, 10*time.Minute, `["shop-5xx"]`)); o.Error == nil || o.Error.Code != work.AlarmRang {
			w.T.Errorf("got %+v", o)
		}
	})
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		alarmsOf(w).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.Alarm, "")
		if err := w.AWS.Policies(runnertest.Role, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`); err != nil {
			w.T.Fatal(err)
		}
		if o := w.Run(watchTask(w, 10*time.Minute, `["shop-5xx"]`)); o.Error == nil || o.Error.Code == work.AlarmRang || !strings.Contains(o.Error.Message, "DescribeAlarms") || o.Error.Finding == nil {
			w.T.Errorf("got %+v", o)
		}
	})
}

// A thousand watches are ten calls: a call takes a hundred names.
func TestAlarmsAreAskedAboutTogether(t *testing.T) {
	runnertest.In(t, alarmKind(), func(w *runnertest.World) {
		names := make([]string, 250)
		for i := range names {
			names[i] = fmt.Sprintf("alarm-%03d", i)
			alarmsOf(w).Set(cloudwatch.Metric, names[i], cloudwatch.OK, "")
		}
		task := watchTask(w, time.Minute, `["`+strings.Join(names, `","`)+`"]`)
		if o := w.Run(task); o.State != work.Failed || o.Error.Code != "ActionTimedOut" { // the world's word for: it is over
			w.T.Fatalf("got %+v", o)
		}
		if n := w.Called("cloudwatch:DescribeAlarms"); n < 4 || n > 20 {
			w.T.Errorf("%d calls in a minute", n)
		}
	})
}

// Whatever goes wrong, a rule ends in a defined state.
func TestAlarmRuleFaults(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: alarmKind, Given: func(w *runnertest.World) work.Task {
		alarmsOf(w).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.OK, "")
		return w.Task(map[string]string{"AlarmName": "shop-5xx"})
	}})
}
