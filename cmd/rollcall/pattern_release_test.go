package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/workflows"
)

// newRelease is the pattern build, dev, test, approval, production on Lambda. Each run of the tests plays the next script.
func newRelease(t *testing.T, tests ...codebuild.Script) *patternFixture {
	return newPattern(t, "release/release.yaml", func(w *patternFixture) {
		builds := w.aws.CodeBuild(awsAccount, awsRegion)
		builds.Projects(codebuild.Project{Name: "webshop-build"}, codebuild.Project{Name: "webshop-tests"})
		builds.Play("webshop-build", codebuild.Script{Takes: atOnce()}) // its package is the source
		builds.Play("webshop-tests", tests...)
		for _, name := range []string{"webshop-dev", "webshop"} {
			w.functions().Create(lambda.Function{Name: name, Aliases: []string{"live"}})
		}
		w.alarm("webshop-5xx", cloudwatch.OK)
		w.alarm("webshop-slow", cloudwatch.OK)
	})
}

func (w *patternFixture) functions() *lambda.Service {
	return awsfake.At[*lambda.Service](w.aws, awsAccount, awsRegion)
}

func (w *patternFixture) alarm(name, state string) {
	awsfake.At[*cloudwatch.Service](w.aws, awsAccount, awsRegion).Set(cloudwatch.Metric, name, state, "more than 5 of 100 answers in 5 minutes were errors")
}

// meanwhile is until while AWS's clock runs on.
func (w *patternFixture) meanwhile(what string, holds func() bool) {
	w.t.Helper()
	w.until(what, func() bool { w.passes(time.Second); return holds() })
}

// runs says whether calls of a function go to the package of the n-th execution.
func (w *patternFixture) runs(function string, n int) bool {
	sum, err := hex.DecodeString(strings.TrimPrefix(w.execution(n).Artifacts["package"].Digest, "sha256:"))
	return err == nil && len(sum) > 0 && w.functions().Live(function, "live") == base64.StdEncoding.EncodeToString(sum)
}

// signedOff pushes a page, and has Ana and Ben approve what comes of it as the n-th execution.
func (w *patternFixture) signedOff(n int, page string) {
	w.t.Helper()
	w.push(page, "Sell "+page)
	w.meanwhile("the gate opens", func() bool { return w.gate(n) != nil })
	w.approve(w.ana, n)
	if a := w.action(n, "Production/SignOff").Approval; w.gate(n) == nil || a == nil || a.Required != 2 {
		w.t.Errorf("one of two has approved, and the gate is %+v", a)
	}
	w.approve(w.ben, n)
}

// called counts how often an operation on a function has had its effect.
func (w *patternFixture) called(operation, function string) (n int) {
	for _, c := range w.aws.Calls() {
		if c.Name() == operation && c.Status == 200 && strings.Contains(string(c.Input), fmt.Sprintf("%q", function)) {
			n++
		}
	}
	return n
}

// What two people have signed off rings an alarm afterwards, and production goes back to what ran before: once, though
// the service is killed between the alarm and the rollback, in the middle of the rollback, and after it. That the alarm
// may ring five minutes after the deployment is shown in workflows/runtime, under a clock of its own.
func TestPatternReleaseIsTakenBackByAnAlarm(t *testing.T) {
	w := newRelease(t, codebuild.Script{Takes: atOnce()})
	for n, page := range []string{"coupons", "broken coupons"} {
		n++
		w.signedOff(n, page)
		w.meanwhile("the release ends", func() bool { return w.execution(n).Status.Final() })
		w.ended(n, workflows.StatusSucceeded)
		if !w.runs("webshop", n) || !w.runs("webshop-dev", n) {
			t.Fatalf("production runs something else than %s", w.ref(n))
		}
	}

	// Killed when CloudWatch has said that it rings, and nothing has come of it yet.
	w.aws.Faults(awsfake.Fault{Operation: "cloudwatch:DescribeAlarms", Trouble: awsfake.CutAfter})
	w.kill()
	w.alarm("webshop-5xx", cloudwatch.Alarm)
	asked := len(w.aws.Calls())
	w.start()
	w.until("the alarms are looked at", func() bool {
		return slices.ContainsFunc(w.aws.Calls()[asked:], func(c awsfake.Call) bool { return c.Operation == "DescribeAlarms" })
	})
	w.kill()
	// Killed when the function has the code of before, and nobody knows.
	w.aws.Faults(awsfake.Fault{Operation: "lambda:UpdateFunctionCode", Trouble: awsfake.CutAfter})
	updates := w.called("lambda:UpdateFunctionCode", "webshop")
	w.start()
	w.until("the function gets its code", func() bool { return w.called("lambda:UpdateFunctionCode", "webshop") > updates })
	w.kill()
	w.aws.Faults()
	w.start()
	w.meanwhile("the rollback ends", func() bool { return w.execution(3).Status.Final() })
	w.ended(3, workflows.StatusSucceeded)
	w.kill()
	w.start()

	back := w.execution(3)
	if back.Type != workflows.TypeRollback || back.Trigger.Type != workflows.TriggerAutomated || !strings.Contains(back.Trigger.Detail, "webshop-5xx") ||
		back.Rollback.Target != w.execution(1).ID || back.Rollback.Alarm != "webshop-5xx" {
		t.Errorf("the alarm led to %+v, rollback %+v", back.Trigger, back.Rollback)
	}
	if good := w.execution(2); good.Status != workflows.StatusSucceeded {
		t.Errorf("the release is %s: %+v", good.Status, good.StatusReason)
	}
	if v, _ := w.functions().Alias("webshop", "live"); !w.runs("webshop", 1) || v != "4" || len(w.functions().Versions("webshop")) != 4 || w.called("lambda:UpdateFunctionCode", "webshop") != updates+1 {
		t.Errorf("the alias is on version %s of %v; code was given %d times", v, w.functions().Versions("webshop"), w.called("lambda:UpdateFunctionCode", "webshop"))
	}
	w.cardSays(3, "webshop-5xx")

	// The stage is locked: the next release gets as far as production. The alarm rings on, and leads to nothing more.
	w.push("better coupons", "Sell better coupons")
	w.meanwhile("the next release waits", func() bool { return slices.Contains(w.stage("Production").Inbound, w.execution(4).ID) })
	if lock := w.stage("Production").Transition; lock.Enabled || !strings.Contains(lock.Reason, "webshop-5xx") {
		t.Errorf("the stage is %+v", lock)
	}
	if all := w.executions(); len(all) != 4 {
		t.Errorf("there are %d executions", len(all))
	}
}

// What does not pass its tests in dev asks nobody, and production is left alone.
func TestPatternReleaseStopsAtItsTests(t *testing.T) {
	w := newRelease(t, codebuild.Script{Takes: atOnce(), Lines: map[string][]string{"BUILD": {"cart: want 2 coupons, got 1"}},
		Fail: &codebuild.Failure{Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: npm test. Reason: exit status 1"}})
	w.push("coupons", "Sell coupons")
	w.meanwhile("the tests fail", func() bool { return w.execution(1).Status.Final() })
	w.ended(1, workflows.StatusFailed)
	w.says(1, "npm test")
	if why := w.command("why", w.ref(1)); !strings.Contains(why, "want 2 coupons") {
		t.Errorf("why does not show what the tests wrote:\n%s", why)
	}
	if w.called("lambda:UpdateFunctionCode", "webshop") > 0 || !w.runs("webshop-dev", 1) {
		t.Error("it is deployed to production, or not to dev")
	}
}
