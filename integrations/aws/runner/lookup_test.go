package runner_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudtrail"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/servicequotas"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	bob     = "arn:aws:sts::111122223333:assumed-role/ops/bob"
	ours    = "arn:aws:sts::111122223333:assumed-role/shop-pipeline/rc-019cadfd-Act"
	refused = "User: " + ours + " is not authorized to perform: ecs:UpdateService on resource: arn:aws:ecs:eu-west-1:111122223333:service/shop/web because no identity-based policy allows the ecs:UpdateService action"
)

// failing is a kind whose start fails with a finding of that class.
func failing(provider, class, message string) runner.Kind {
	return runner.Kind{Category: "Deploy", Provider: provider, Subject: runner.Subject{Setting: "ServiceName", Changed: "UpdateService", Deleted: "DeleteService"},
		Start: func(context.Context, *runner.Attempt) (work.Outcome, error) {
			return runner.Fail("Broken", message, &workflows.Finding{Class: class, Title: "it failed", Fix: []string{"wait until something ends, or ask AWS for more under Service Quotas"}, Retry: "afterFix"}), nil
		}}
}

func trailOf(w *runnertest.World) *cloudtrail.Service {
	return awsfake.At[*cloudtrail.Service](w.AWS, runnertest.Account, runnertest.Region)
}

// With one call a finding says which quota was reached, or who did it; where nothing
// can be asked it says what it said before.
func TestAFindingSaysWhatCanBeLookedUp(t *testing.T) {
	storage := servicequotas.Quota{Service: "lambda", Code: "L-2ACBD22F", Name: "Function and layer storage", Value: 75, Unit: "Gigabytes"}
	event := func(who, name, service string, code, message string) cloudtrail.Event {
		return cloudtrail.Event{Who: who, Source: "ecs.amazonaws.com", Name: name, Code: code, Message: message, Parameters: map[string]any{"cluster": "shop", "service": service}}
	}
	for name, c := range map[string]struct {
		kind  runner.Kind
		given func(w *runnertest.World)
		calls int
		says  string // parts with | between, each in the finding
		not   string // in the finding
	}{
		"the quota that a code names": {kind: failing("Lambda", "Quota", "CodeStorageExceeded: full"), calls: 1,
			given: func(w *runnertest.World) {
				awsfake.At[*servicequotas.Service](w.AWS, runnertest.Account, runnertest.Region).Set(storage)
			},
			says: "the quota “Function and layer storage” is 75 Gigabytes|ask AWS for more at https://eu-west-1.console.aws.amazon.com/servicequotas/home/services/lambda/quotas/L-2ACBD22F?region=eu-west-1|others take days",
			not:  "wait until something ends"},
		"a quota that cannot be raised": {kind: failing("Lambda", "Quota", "CodeStorageExceeded: full"), calls: 1,
			given: func(w *runnertest.World) {
				fixed := storage
				fixed.Fixed = true
				awsfake.At[*servicequotas.Service](w.AWS, runnertest.Account, runnertest.Region).Set(fixed)
			}, says: "AWS raises this quota for nobody"},
		"the smallest of those that words name": {kind: failing("CodeBuild", "Quota", "Cannot have more than 1 builds in queue for the account"), calls: 1,
			given: func(w *runnertest.World) {
				awsfake.At[*servicequotas.Service](w.AWS, runnertest.Account, runnertest.Region).Set(
					servicequotas.Quota{Service: "codebuild", Code: "L-1", Name: "Concurrently running builds for Linux/Large environment", Value: 60}, servicequotas.Quota{Service: "codebuild", Code: "L-2", Name: "Concurrently running builds for Linux/Small environment", Value: 1},
					servicequotas.Quota{Service: "codebuild", Code: "L-3", Name: "Build projects", Value: 0})
			}, says: "the quota “Concurrently running builds for Linux/Small environment” is 1|quotas/L-2"},
		"a quota that AWS does not say": {kind: failing("Lambda", "Quota", "CodeStorageExceeded: full"), calls: 1, says: "ask AWS for more at|quotas/L-2ACBD22F", not: "“"},
		"a quota that nobody knows":     {kind: failing("ECS", "Quota", "LimitExceeded: too much of something"), says: "services/ecs/quotas?region=eu-west-1", not: "“"},
		"a quota, and the role may not": {kind: failing("Lambda", "Quota", "CodeStorageExceeded: full"), calls: 1, given: forbid, says: "quotas/L-2ACBD22F|optional: with servicequotas:GetServiceQuota allowed"},
		"a quota, and AWS does not answer": {kind: failing("Lambda", "Quota", "CodeStorageExceeded: full"), calls: 1, says: "quotas/L-2ACBD22F", not: "optional:",
			given: func(w *runnertest.World) {
				w.AWS.Faults(awsfake.Fault{Operation: "servicequotas:*", Trouble: awsfake.Slow})
			}},
		"who deleted it, long ago": {kind: failing("ECS", "NotFound", "no service"), calls: 1, says: bob + " called ecs DeleteService|CloudTrail, ",
			given: func(w *runnertest.World) {
				trailOf(w).Record(event(bob, "DeleteService", "web", "", ""))
				trailOf(w).Record(event("arn:aws:iam::111122223333:user/eve", "DeleteService", "web", "AccessDenied", "no"))
				trailOf(w).Record(event("arn:aws:iam::111122223333:user/eve", "DeleteService", "other", "", ""))
				w.Pass(30 * 24 * time.Hour)
			}},
		"who deleted it is not known":     {kind: failing("ECS", "NotFound", "no service"), calls: 1, not: "CloudTrail"},
		"who deleted it may not be asked": {kind: failing("ECS", "NotFound", "no service"), calls: 1, given: forbid, says: "optional: with cloudtrail:LookupEvents allowed to the action's role, the next finding says who did it and when"},
		"who changed it since it began": {kind: failing("ECS", "Conflict", "it was changed"), calls: 1, says: bob + " called ecs UpdateService", not: "eve",
			given: func(w *runnertest.World) {
				trailOf(w).Record(event("arn:aws:iam::111122223333:user/eve", "UpdateService", "web", "", ""))
				w.Pass(time.Hour) // before the action began
				trailOf(w).Record(event(bob, "UpdateService", "web", "", ""))
				trailOf(w).Record(event(ours, "UpdateService", "web", "", ""))
			}},
		"only the action itself changed it": {kind: failing("ECS", "Conflict", "it was changed"), calls: 1, not: "CloudTrail",
			given: func(w *runnertest.World) { trailOf(w).Record(event(ours, "UpdateService", "web", "", "")) }},
		"what was denied": {kind: failing("ECS", "AccessDenied", refused), calls: 1, says: ours + " called ecs UpdateService: AccessDenied: no",
			given: func(w *runnertest.World) {
				trailOf(w).Record(event(ours, "UpdateService", "web", "AccessDenied", "no"))
				trailOf(w).Record(event(ours, "DescribeServices", "web", "AccessDenied", "no"))
				trailOf(w).Record(event(ours, "UpdateService", "web", "", ""))
			}},
		"what was denied, and that may not be asked": {kind: failing("ECS", "AccessDenied", refused), calls: 1, given: forbid, not: "optional:"},
		"too many calls":     {kind: failing("ECS", "Throttled", "slow down")},
		"a fault of its own": {kind: failing("ECS", "CommandFailed", "exit 1")},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, c.kind, func(w *runnertest.World) {
				if c.given != nil {
					c.given(w)
				}
				began := time.Now()
				o := w.Run(w.Task(map[string]string{"ClusterName": "shop", "ServiceName": "web"}))
				if took := time.Since(began); o.State != work.Failed || o.Error.Code != "Broken" || took > 2*time.Second {
					w.T.Fatalf("it ended as %s after %s: %+v", o.State, took, o.Error)
				}
				var b strings.Builder
				e := json.NewEncoder(&b)
				e.SetEscapeHTML(false)
				if err := e.Encode(o.Error.Finding); err != nil {
					w.T.Fatal(err)
				}
				for part := range strings.SplitSeq(c.says, "|") {
					if !strings.Contains(b.String(), part) {
						w.T.Errorf("the finding does not say %q: %s", part, b.String())
					}
				}
				if c.not != "" && strings.Contains(b.String(), c.not) {
					w.T.Errorf("the finding says %q: %s", c.not, b.String())
				}
				asked := 0
				for _, call := range w.AWS.Calls() {
					if call.Service == "cloudtrail" || call.Service == "servicequotas" {
						asked++
					}
				}
				if asked != c.calls {
					w.T.Errorf("%d calls, want %d", asked, c.calls)
				}
			})
		})
	}
}

func forbid(w *runnertest.World) {
	if err := w.AWS.Policies(runnertest.Role, `{"Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`); err != nil {
		w.T.Fatal(err)
	}
}
