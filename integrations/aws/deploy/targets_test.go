package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/elasticloadbalancing"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// When a load balancer does not find the tasks healthy, the finding names the target,
// AWS's reason for it, and what the health check asks; in words of their own where that is not known.
func TestWhichTargetsAreUnhealthy(t *testing.T) {
	unhealthy := ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "ServiceSchedulerInitiated", Reason: "Task failed ELB health checks in (target-group arn:tg)", Container: "web"}}
	target := func(state, reason, said string) elasticloadbalancing.Target {
		return elasticloadbalancing.Target{ID: "10.0.1.7", Port: 8080, State: state, Reason: reason, Description: said}
	}
	well := target("healthy", "", "")
	for name, c := range map[string]struct {
		plan    ecs.Plan
		set     map[string]string
		targets []elasticloadbalancing.Target
		policy  string
		says    string // in cause, fix and evidence; parts with | between
		not     string
		log     string
	}{
		"another code": {plan: unhealthy, targets: []elasticloadbalancing.Target{well, target("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]")},
			says: "the target 10.0.1.7:8080 of web-tg is unhealthy (Target.ResponseCodeMismatch): Health checks failed with these codes: [502]|asks HTTP /health on port 8080, wants 200 within 5 s: see what the container answers there|target 10.0.1.7:8080 of web-tg"},
		"no answer":                {plan: unhealthy, targets: []elasticloadbalancing.Target{target("unhealthy", "Target.Timeout", "Request timed out")}, says: "(Target.Timeout)|its security group allows the load balancer"},
		"nothing listens":          {plan: unhealthy, targets: []elasticloadbalancing.Target{target("unhealthy", "Target.FailedHealthChecks", "Health checks failed")}, says: "check that the container listens on that port"},
		"asked for the first time": {plan: unhealthy, targets: []elasticloadbalancing.Target{target("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")}, says: "is initial (Elb.InitialHealthChecking)|grace period"},
		"they are gone":            {plan: unhealthy, targets: []elasticloadbalancing.Target{target("draining", "Target.DeregistrationInProgress", "")}, says: "grace period of the service (healthCheckGracePeriodSeconds)", not: "10.0.1.7"},
		"the role may not":         {plan: unhealthy, targets: []elasticloadbalancing.Target{target("unhealthy", "Target.Timeout", "")}, policy: `{"Statement":[{"Effect":"Allow","Action":["ecs:*","iam:*","logs:*"],"Resource":"*"}]}`, says: "grace period", not: "10.0.1.7", log: "elasticloadbalancing:DescribeTargetGroups"},
		"it hangs":                 {plan: ecs.Plan{Stuck: true}, set: map[string]string{"DeploymentTimeout": "5"}, targets: []elasticloadbalancing.Target{target("unhealthy", "Target.Timeout", "Request timed out")}, says: "(Target.Timeout)"},
		"another cause is plainer": {plan: ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "EssentialContainerExited", Reason: "Task failed ELB health checks", Container: "web", ContainerReason: "OutOfMemoryError: killed", ExitCode: 137}},
			targets: []elasticloadbalancing.Target{target("unhealthy", "Target.Timeout", "")}, says: "give it more memory|target 10.0.1.7:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, rollingKind(), func(w *runnertest.World) {
				e := shop(w)
				e.Balance("shop", "web", awsfake.At[*elasticloadbalancing.Service](w.AWS, runnertest.Account, runnertest.Region).Group("web-tg", c.targets...))
				e.Next("shop", "web", c.plan)
				if c.policy != "" {
					if err := w.AWS.Policies(runnertest.Role, c.policy); err != nil {
						t.Fatal(err)
					}
				}
				task := deployment(w)
				for key, value := range c.set {
					task.Configuration[key] = value
				}
				o := w.Run(task)
				if o.State != work.Failed || o.Error.Finding == nil {
					t.Fatalf("%s: %+v", o.State, o.Error)
				}
				f := o.Error.Finding
				said := f.Cause + "; " + fmt.Sprint(f.Fix) + fmt.Sprint(f.Evidence)
				for part := range strings.SplitSeq(c.says, "|") {
					if !strings.Contains(said, part) {
						t.Errorf("it does not say %q: %s", part, said)
					}
				}
				if c.not != "" && strings.Contains(said, c.not) {
					t.Errorf("it says %q: %s", c.not, said)
				}
				if !strings.Contains(w.Log(), c.log) {
					t.Errorf("the log: %s", w.Log())
				}
			})
		})
	}
}

// While a deployment goes on, what ECS says of unhealthy targets stands beside how far it is.
func TestADeploymentSaysWhichTargetsKeepItWaiting(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		e := shop(w)
		e.Next("shop", "web", ecs.Plan{Stuck: true})
		e.Say("shop", "web", "(service web) (port 8080) is unhealthy in (target-group arn:tg) due to (reason Request timed out)") // of an hour ago
		w.Pass(time.Hour)
		task := deployment(w)
		o, err := w.Begin(task)
		if err != nil {
			t.Fatal(err)
		}
		task.Handle = o.Handle
		for range 10 {
			w.Pass(20 * time.Second)
			if o, err = w.Begin(task); err != nil || strings.Contains(o.Summary, "unhealthy") {
				t.Fatalf("%v %s", err, o.Summary)
			}
		}
		e.Say("shop", "web", "(service web) (port 8080) is unhealthy in (target-group arn:tg) due to (reason Health checks failed)")
		w.Pass(20 * time.Second)
		if o, err = w.Begin(task); err != nil || !strings.Contains(o.Summary, "tasks run; (service web) (port 8080) is unhealthy in") {
			t.Errorf("%v %q", err, o.Summary)
		}
	})
}
