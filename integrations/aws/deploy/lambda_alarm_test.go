package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// watched is a deployment by 10 % for 5 minutes, which watches the alarms "errors"
// and "all"; ring sets the first.
func watched(w *runnertest.World) (functions *lambda.Service, task work.Task, alarms *cloudwatch.Service) {
	functions, task = lambdaShop(w, map[string]string{"DeployStrategy": "Canary10Percent5Minutes", "Alarms": "errors, all"})
	alarms = awsfake.At[*cloudwatch.Service](w.AWS, runnertest.Account, runnertest.Region)
	alarms.Set(cloudwatch.Metric, "errors", cloudwatch.OK, "")
	alarms.Set(cloudwatch.Composite, "all", cloudwatch.InsufficientData, "")
	return functions, task, alarms
}

// An alarm that rings at 10 % takes the alias back once, whatever becomes of the
// calls that do it, and the error says which alarm it was and why.
func TestAnAlarmTakesTheAliasBack(t *testing.T) {
	for _, kind := range []string{cloudwatch.Metric, cloudwatch.Composite} {
		for _, trouble := range []awsfake.Trouble{"", awsfake.CutBefore, awsfake.CutAfter, awsfake.ServerError, awsfake.Throttle} {
			t.Run(fmt.Sprint(kind, trouble), func(t *testing.T) {
				runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
					functions, task, alarms := watched(w)
					w.Restart = true
					time.AfterFunc(2*time.Minute, func() {
						alarms.Set(kind, map[string]string{cloudwatch.Metric: "errors", cloudwatch.Composite: "all"}[kind], cloudwatch.Alarm, "Threshold Crossed: 12 errors")
						if trouble != "" {
							w.AWS.Faults(awsfake.Fault{Operation: "lambda:UpdateAlias", Trouble: trouble, Times: 4})
						}
					})
					o := w.Run(task)
					lambdaFails(t, o, "AlarmActive", "Threshold Crossed: 12 errors; the alias live is back on version 1", "HealthCheck", "then: rollcall retry webshop#42")
					got := aliasMoves(w)
					if liveOn(functions) != "1" || len(got) != 2 || got[0] != "0s 1+2:10%" || !strings.HasSuffix(got[1], " 1") {
						t.Errorf("the alias moved %q, and is on %s", got, liveOn(functions))
					}
					if log := w.Log(); !strings.Contains(log, "10 % of the calls of live go to version 2\n") || !strings.Contains(log, "rang: Threshold Crossed: 12 errors: the alias goes back to version 1\n") {
						t.Errorf("the log is\n%s", log)
					}
				})
			})
		}
	}
}

// What stands in the way before the first step fails the action with the alias untouched.
func TestADeploymentDoesNotBeginUnderAnAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		given      func(alarms *cloudwatch.Service)
		code, says string
	}{
		"it rings": {func(alarms *cloudwatch.Service) {
			alarms.Set(cloudwatch.Metric, "errors", cloudwatch.Alarm, "12 errors")
		}, "AlarmActive", "the alarm errors rang: 12 errors; before any call went to version 2"},
		"there is no alarm": {func(alarms *cloudwatch.Service) { alarms.Remove("all") }, "AlarmNotFound", "there is no alarm all in eu-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
				functions, task, alarms := watched(w)
				c.given(alarms)
				lambdaFails(t, w.Run(task), c.code, c.says, "", "")
				if got := aliasMoves(w); len(got) > 0 || liveOn(functions) != "1" {
					t.Errorf("the alias moved %q", got)
				}
			})
		})
	}
}

// A right that is lost at 10 % takes the alias back as well, as far as that is allowed.
func TestARightIsLostAtTenPercent(t *testing.T) {
	const may = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:*","cloudwatch:*"],"Resource":"*"},{"Effect":"Deny","Action":["%s"],"Resource":"*"}]}`
	for right, c := range map[string]struct{ says, on string }{
		"cloudwatch:DescribeAlarms": {"the alias live is back on version 1", "1"},
		"lambda:UpdateAlias":        {"AWS does not let the alias live go back, so 10 % of it are still on version 2", "1+2:10%"},
	} {
		t.Run(right, func(t *testing.T) {
			runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
				functions, task, _ := watched(w)
				time.AfterFunc(2*time.Minute, func() { lambdaMay(w, fmt.Sprintf(may, right)) })
				lambdaFails(t, w.Run(task), "AccessDenied", c.says, "AccessDenied", "then: rollcall retry webshop#42")
				if liveOn(functions) != c.on {
					t.Errorf("the alias is on %s", liveOn(functions))
				}
			})
		})
	}
}

// Alarms that stay quiet change nothing.
func TestAWatchedDeployment(t *testing.T) {
	runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
		_, task, _ := watched(w)
		o := w.Run(task)
		if got, want := aliasMoves(w), []string{"0s 1+2:10%", "5m0s 2"}; o.State != work.Succeeded || !slices.Equal(got, want) {
			t.Errorf("%s %+v: the alias moved %q", o.State, o.Error, got)
		}
	})
}
