package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const shift = "PRE_PRODUCTION_TRAFFIC_SHIFT"

// hooksOf are bridges of rows that show pause hooks: "name cluster/service".
func hooksOf(rows ...string) (all []Bridge) {
	for _, row := range rows {
		name, of, _ := strings.Cut(row, " ")
		cluster, service, _ := strings.Cut(of, "/")
		all = append(all, Bridge{Name: name, Region: region, Role: role, Mode: "act", Outside: "tell", Poll: 15 * time.Second, Rows: []Row{{Name: name, Channel: "#releases", Hooks: &Hooks{Cluster: cluster, Service: service,
			Approval: &workflows.ApprovalPolicy{From: []string{"group:sre"}, Required: 2, Comment: "optional"}}}}})
	}
	return all
}

// shop is an ECS with the services web and api in the cluster prod, each of the task definition of its name.
func (w *world) shop() *ecs.Service {
	w.about = "ecs"
	e := awsfake.At[*ecs.Service](w.aws, account, region)
	for _, name := range []string{"web", "api"} {
		e.Create("prod", name, w.image(e, name, 1))
	}
	return e
}

// image is another revision of a task definition.
func (w *world) image(e *ecs.Service, family string, n int) string {
	return e.Define(map[string]any{"family": family, "containerDefinitions": []any{map[string]any{"name": family, "image": fmt.Sprint("shop:", n)}}})
}

// deploy has somebody deploy another revision.
func (w *world) deploy(e *ecs.Service, service string, p ecs.Plan) {
	e.Deploy("prod", service, w.image(e, service, 2), p)
}

// answer is the request with which people's decision about the nth hook reaches ECS.
func (w *world) answer(name string, n int, verb workflows.Verb) work.Outcome {
	w.t.Helper()
	x := w.execution(name, n)
	o, _ := w.request(work.Request{Verb: verb, ExternalID: x.ExternalID, Stage: hookStage, Action: hookAction, Token: x.Stages[0].Actions[0].Handle, Text: "Ana Ruiz via rollcall"})
	w.pass(20 * time.Second)
	return o
}

// seen are the executions of the last look at a pipeline, and why it is not seen.
func (w *world) seen(name string) ([]workflows.Execution, *workflows.Reason) {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	return w.engine.seen[name].Executions, w.engine.lost[name]
}

// standing is the nth execution of a pipeline of hooks, in short.
func (w *world) standing(name string, n int) string {
	w.t.Helper()
	x := w.execution(name, n)
	a := x.Stages[0].Actions[0]
	text := string(x.Status) + " " + string(a.Status)
	for _, v := range a.Approval.Votes {
		text += " " + v.Answer + " by " + v.By.Name
	}
	if a.Approval.Closed != "" {
		text += " " + a.Approval.Closed
	}
	if x.StatusReason != nil {
		text += " (" + x.StatusReason.Code + ": " + x.StatusReason.Message + ")"
	}
	return text
}

// Each step of the traffic of a linear deployment waits at a hook of its own, and each
// is told with the service, the stage, the step, and what runs on which share.
func TestEveryStepOfTheTrafficIsAGate(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		e := w.shop()
		w.run()
		w.pass(time.Minute)
		if len(w.engine.edits) != 1 || w.engine.edits[0].NewDefinition.Stages[0].Actions[0].Approval.Required != 2 || !say.IsECS(w.engine.edits[0].NewDefinition.Bridge) {
			t.Fatalf("defined: %+v", w.engine.edits)
		}
		w.deploy(e, "web", ecs.Plan{Strategy: "LINEAR", Percent: 33.4, Pauses: []ecs.Pause{{Stage: shift}, {Stage: shift, Weight: 33.4}, {Stage: shift, Weight: 66.8, Timeout: time.Hour, Continues: true}}})
		for n, says := range []string{
			"The service web in the cluster prod waits at PRE_PRODUCTION_TRAFFIC_SHIFT (before production traffic moves), step 1 of 3.\n" +
				"Production traffic now: 100 % on web:1, 0 % on web:2 (new). This step: 33.4 % on the new one.\n" +
				"Approve: it goes on. Reject: ECS rolls it back. If nobody answers in time, ECS rolls the deployment back.",
			"step 2 of 3.\nProduction traffic now: 66.6 % on web:1, 33.4 % on web:2 (new). This step: 66.8 % on the new one.",
			"step 3 of 3.\nProduction traffic now: 33.2 % on web:1, 66.8 % on web:2 (new). This step: 100 % on the new one.\nApprove: it goes on. Reject: ECS rolls it back. If nobody answers in time, ECS goes on with the deployment.",
		} {
			w.pass(20 * time.Second)
			x := w.execution("ecs", n+1)
			a := x.Stages[0].Actions[0]
			if x.Status != workflows.StatusInProgress || !strings.Contains(a.Approval.Text, says) || a.Handle == "" || a.Needs != workflows.NeedsApproval {
				t.Fatalf("the gate of step %d: %s\n%s\nwant\n%s", n+1, w.standing("ecs", n+1), a.Approval.Text, says)
			}
			if x.Variables["service"] != "web" || x.Variables["cluster"] != "prod" || x.Variables["lifecycleStage"] != shift || x.Variables["step"] != fmt.Sprintf("%d of 3", n+1) {
				t.Errorf("variables %v", x.Variables)
			}
			if !strings.HasPrefix(a.ExternalURL, "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/services/web/deployments/") {
				t.Errorf("it leads to %s", a.ExternalURL)
			}
			if waits := []time.Duration{24 * time.Hour, 24 * time.Hour, time.Hour}[n]; a.Approval.ExpiresAt.Sub(x.StartedAt) != waits {
				t.Errorf("step %d waits for %s, want %s", n+1, a.Approval.ExpiresAt.Sub(x.StartedAt), waits)
			}
			if o := w.answer("ecs", n+1, workflows.Approve); o.State != work.Succeeded {
				t.Fatalf("approving step %d: %+v", n+1, o.Error)
			}
			if got := w.standing("ecs", n+1); got != "Succeeded Succeeded approve by somebody in AWS" {
				t.Errorf("after the approval of step %d: %s", n+1, got)
			}
		}
		w.pass(time.Minute)
		if status, calls := e.Status("prod", "web"), w.asked("ContinueServiceDeployment"); status != "SUCCESSFUL" || len(calls) != 3 || calls[0]["action"] != "CONTINUE" {
			t.Errorf("the deployment is %s after %v", status, calls)
		}
	})
}

func TestHowAHookEnds(t *testing.T) {
	inAWS := func(w *world, action string) {
		p := pause{id: w.execution("ecs", 1).ExternalID}
		if err := w.aws.Console(bob, region).In("ecs").Do("ContinueServiceDeployment", map[string]any{"serviceDeploymentArn": p.deployment(), "hookId": p.hook(), "action": action}, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	one := ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP", Timeout: 10 * time.Minute}}}
	goesOn := ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP", Timeout: 10 * time.Minute, Continues: true}}}
	for name, c := range map[string]struct {
		plan   ecs.Plan
		do     func(w *world, e *ecs.Service)
		want   string
		status string
	}{
		"rejected here":             {one, func(w *world, _ *ecs.Service) { w.answer("ecs", 1, workflows.Reject) }, "Failed Failed reject by somebody in AWS", "ROLLBACK_SUCCESSFUL"},
		"approved in AWS":           {one, func(w *world, _ *ecs.Service) { inAWS(w, "CONTINUE") }, "Succeeded Succeeded approve by somebody in AWS", "SUCCESSFUL"},
		"rolled back in AWS":        {one, func(w *world, _ *ecs.Service) { inAWS(w, "ROLLBACK") }, "Failed Failed reject by somebody in AWS", "ROLLBACK_SUCCESSFUL"},
		"nobody, and ECS goes on":   {goesOn, func(w *world, _ *ecs.Service) { w.pass(10 * time.Minute) }, "Succeeded Succeeded expired", "SUCCESSFUL"},
		"nobody, and ECS goes back": {one, func(w *world, _ *ecs.Service) { w.pass(10 * time.Minute) }, "Failed Failed (ApprovalExpired: nobody answered in time, and ECS rolls the deployment back)", "ROLLBACK_SUCCESSFUL"},
		"stopped in AWS": {one, func(w *world, _ *ecs.Service) {
			p := pause{id: w.execution("ecs", 1).ExternalID}
			if err := w.aws.Console(bob, region).In("ecs").Do("StopServiceDeployment", map[string]any{"serviceDeploymentArn": p.deployment(), "stopType": "ROLLBACK"}, nil); err != nil {
				w.t.Fatal(err)
			}
		}, "Stopped Abandoned (Stopped: Service deployment rolled back because of a request to stop it.)", "ROLLBACK_SUCCESSFUL"},
		"a newer deployment": {one, func(w *world, e *ecs.Service) { w.deploy(e, "web", ecs.Plan{}) }, "Stopped Abandoned (Stopped: Service deployment was superseded by a newer one.)", "SUCCESSFUL"},
		"the next stage is reached before a look": {ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP", Timeout: 10 * time.Minute, Continues: true}, {Stage: shift}}},
			func(w *world, _ *ecs.Service) { w.pass(10 * time.Minute) }, "Succeeded Succeeded expired", "IN_PROGRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, hooksOf("ecs prod/web"), func(w *world) {
				e := w.shop()
				w.run()
				w.deploy(e, "web", c.plan)
				w.pass(30 * time.Second)
				c.do(w, e)
				w.pass(time.Minute)
				if got := w.standing("ecs", 1); got != c.want {
					w.t.Errorf("it is %s, want %s", got, c.want)
				}
				if got := e.Status("prod", "web"); got != c.status {
					w.t.Errorf("the deployment is %s, want %s", got, c.status)
				}
			})
		})
	}
}

// Two hooks of one stage wait at once: each is a gate, one rejection ends both.
func TestTwoHooksOfAStage(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		e := w.shop()
		w.run()
		w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: "PRE_SCALE_UP", Hooks: 2}}})
		w.pass(30 * time.Second)
		if o := w.answer("ecs", 1, workflows.Approve); o.State != work.Succeeded || w.standing("ecs", 2) != "InProgress InProgress" || len(e.Waiting("prod", "web")) != 1 {
			t.Fatalf("after one approval: %s, %s", w.standing("ecs", 1), w.standing("ecs", 2))
		}
		w.answer("ecs", 2, workflows.Reject)
		if got := w.standing("ecs", 2); got != "Failed Failed reject by somebody in AWS" || e.Status("prod", "web") != "ROLLBACK_SUCCESSFUL" {
			t.Errorf("after the rejection: %s", got)
		}
	})
}

// A pattern names services that come later too; the first row that names one has it.
func TestPatternsOfServices(t *testing.T) {
	in(t, hooksOf("web prod/web", "rest pr*/*"), func(w *world) {
		t := w.t
		e := w.shop()
		e.Create("test", "web", w.image(e, "web", 1))
		w.run()
		w.pass(time.Minute)
		e.Create("prod", "job", w.image(e, "job", 1))
		e.Create("prod", "old", w.image(e, "old", 1))
		e.Old("prod", "old") // ECS lists no deployments of it
		for _, service := range []string{"web", "api", "job"} {
			w.deploy(e, service, ecs.Plan{Pauses: []ecs.Pause{{Stage: "PRE_SCALE_UP"}}})
		}
		e.Deploy("test", "web", w.image(e, "web", 2), ecs.Plan{Pauses: []ecs.Pause{{Stage: "PRE_SCALE_UP"}}})
		w.pass(time.Minute)
		services := map[string]bool{}
		for n := range w.engine.numbers["rest"] {
			services[w.execution("rest", n+1).Variables["service"]] = true
		}
		if len(w.engine.numbers["web"]) != 1 || len(services) != 2 || !services["api"] || !services["job"] || len(w.engine.numbers["rest"]) != 2 {
			t.Errorf("web has %d, the others are %v", len(w.engine.numbers["web"]), services)
		}
	})
}

// An answer that is lost is looked up; the deployment goes on once, also over a restart,
// and what people asked for is never told as somebody else's.
func TestLostAnswersToHooks(t *testing.T) {
	for _, trouble := range []awsfake.Trouble{awsfake.CutAfter, awsfake.CutBefore, awsfake.ServerError, awsfake.Throttle} {
		for _, verb := range []workflows.Verb{workflows.Approve, workflows.Reject} {
			for _, killed := range []bool{false, true} {
				t.Run(fmt.Sprint(trouble, "/", verb, "/killed=", killed), func(t *testing.T) {
					in(t, hooksOf("ecs prod/web"), func(w *world) {
						t := w.t
						e := w.shop()
						w.run()
						w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}, {Stage: "POST_PRODUCTION_TRAFFIC_SHIFT"}}})
						w.pass(30 * time.Second)
						w.aws.Faults(awsfake.Fault{Operation: "ecs:ContinueServiceDeployment", Trouble: trouble, Times: 1})
						r := work.Request{Verb: verb, ExternalID: w.execution("ecs", 1).ExternalID, Stage: hookStage, Action: hookAction, At: time.Now()}
						if killed {
							if _, err := w.runner.Start(context.Background(), w.task(r), nil); err == nil {
								t.Fatal("the answer was not lost")
							}
							w.stop()
							w.open(hooksOf("ecs prod/web"), "")
							w.run()
						}
						if o, _ := w.resume(r, killed); o.State != work.Succeeded {
							t.Fatalf("%+v", o.Error)
						}
						w.pass(time.Minute)
						if waits := len(e.Waiting("prod", "web")); verb == workflows.Approve && (waits != 1 || len(w.engine.numbers["ecs"]) != 2) || verb == workflows.Reject && e.Status("prod", "web") != "ROLLBACK_SUCCESSFUL" {
							t.Errorf("%d hooks wait, the deployment is %s", waits, e.Status("prod", "web"))
						}
					})
				})
			}
		}
	}
}

// What ECS refuses is said in its words, and an answer that came too late changes nothing.
func TestAHookIsAnsweredOnce(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		e := w.shop()
		w.run()
		w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}}})
		w.pass(30 * time.Second)
		w.answer("ecs", 1, workflows.Approve)
		o := w.answer("ecs", 1, workflows.Reject)
		if o.State != work.Failed || o.Error.Code != "InvalidParameter" || e.Status("prod", "web") == "ROLLBACK_IN_PROGRESS" {
			t.Errorf("a late rejection: %s %+v", o.State, o.Error)
		}
		for _, verb := range []workflows.Verb{workflows.Start, workflows.RollBack, workflows.Lock} {
			if o := w.answer("ecs", 1, verb); o.State != work.Failed || o.Error.Code != "Validation" {
				t.Errorf("%s: %s %+v", verb, o.State, o.Error)
			}
		}
	})
}

// Throttling and faults of AWS's are not told as long as they pass; a service that is
// not there, and a role that may not look, are said at once, and mended by themselves.
func TestHooksThatAreNotSeen(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		w.run()
		w.pass(20 * time.Second)
		if lost := w.engine.lost["ecs"]; lost == nil || lost.Message != "there is no service web in the cluster prod of eu-west-1" {
			t.Errorf("without the service: %+v", lost)
		}
		e := w.shop()
		w.pass(time.Minute)
		w.aws.Faults(awsfake.Fault{Operation: "ecs:*", Trouble: awsfake.Throttle, Times: 3})
		w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}}})
		w.pass(2 * time.Minute)
		if w.engine.lost["ecs"] != nil || w.standing("ecs", 1) != "InProgress InProgress" {
			t.Errorf("after throttling: %+v", w.engine.lost["ecs"])
		}
		changes := w.engine.changes
		w.stop()
		w.open(hooksOf("ecs prod/web"), "")
		w.run()
		w.pass(time.Minute)
		if w.engine.changes != changes || len(w.engine.numbers["ecs"]) != 1 {
			t.Errorf("a restart made %d changes", w.engine.changes-changes)
		}
	})
}

// A hook that ended while rollcall was down, and that ECS shows no more, is told all the same.
func TestAHookThatEndedWhileNobodyLooked(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		e := w.shop()
		w.run()
		w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP", Timeout: 10 * time.Minute, Continues: true}, {Stage: shift}}})
		w.pass(30 * time.Second)
		w.stop()
		w.pass(time.Hour)
		w.open(hooksOf("ecs prod/web"), "")
		w.run()
		w.pass(time.Minute)
		if got := w.standing("ecs", 1); got != "Succeeded Succeeded expired" || w.execution("ecs", 1).Variables["lifecycleStage"] != "POST_SCALE_UP" {
			t.Errorf("the first hook is %s", got)
		}
		if got := w.standing("ecs", 2); got != "InProgress InProgress" || len(w.engine.numbers["ecs"]) != 2 {
			t.Errorf("the second hook is %s", got)
		}
	})
}

// An event of ECS has the services looked at at once; one of others has not.
func TestAnEventOfAHookIsAHint(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		e := w.shop()
		w.run()
		w.pass(time.Second)
		w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}}})
		hear := func(service, of string) bool {
			detail, err := json.Marshal(map[string]string{"eventName": "HOOK_AWAITING_ACTION", "serviceArn": "arn:aws:ecs:" + region + ":" + account + ":service/prod/" + service})
			if err != nil {
				t.Fatal(err)
			}
			return w.bridges.Handler().Handle(context.Background(), events.Event{Source: "aws.ecs", DetailType: hookEvent, Account: of, Region: region, Detail: detail}, func() {})
		}
		if hear("api", account) || hear("web", "999988887777") {
			t.Error("an event of another service is heard")
		}
		if !hear("web", account) {
			t.Error("the event is not heard")
		}
		w.pass(time.Second)
		if len(w.engine.numbers["ecs"]) != 1 {
			t.Error("the hook is not seen after the event")
		}
	})
}

// A look that panics is made again, and leaves other rows alone.
func TestALookThatPanics(t *testing.T) {
	in(t, hooksOf("web prod/web", "api prod/api"), func(w *world) {
		e := w.shop()
		var odd atomic.Bool
		odd.Store(true)
		w.bridges.rows[0].of = &Bridges{o: w.bridges.o}
		w.bridges.rows[0].of.o.Engine = func() Engine {
			if odd.Load() {
				panic("odd")
			}
			return w.engine
		}
		w.run()
		for _, service := range []string{"web", "api"} {
			w.deploy(e, service, ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}}})
		}
		w.pass(time.Minute)
		before, _ := w.seen("api")
		odd.Store(false)
		w.pass(time.Minute)
		if after, _ := w.seen("web"); len(before) != 1 || len(after) != 1 {
			t.Errorf("%d hooks of api, %d of web are shown", len(before), len(after))
		}
	})
}

// A row that showed a pipeline before, of which an execution had not ended, shows hooks
// now, and the other way round.
func TestARowThatShowedTheOtherKindBefore(t *testing.T) {
	before := func(w *world, row, id string) {
		w.engine.rows[row] = map[string]workflows.Execution{id: {ID: "x1", Number: 1, Pipeline: row, ExternalID: id, Status: workflows.StatusInProgress}}
	}
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		e := w.shop()
		before(w, "ecs", "6a7f6d9c-2f43-4bd7-b4b1-1f1c9b9f0a01")
		w.run()
		w.deploy(e, "web", ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}}})
		w.pass(time.Minute)
		if all, _ := w.seen("ecs"); len(all) != 1 || all[0].Variables["service"] != "web" {
			t.Errorf("shown: %+v", all)
		}
	})
	in(t, bridgeOf("watch", "web"), func(w *world) {
		w.pipeline("web", nil)
		before(w, "web", "arn:aws:ecs:eu-west-1:111122223333:service-deployment/prod/web/d1/h1")
		w.run()
		w.pass(time.Minute)
		if seen, lost := w.seen("web"); lost != nil || len(seen) != 1 || isHook(seen[0].ExternalID) {
			t.Errorf("lost: %+v, seen: %+v", lost, seen)
		}
	})
}

// A service that is deleted while its deployment waits leaves the others seen: ECS may
// refuse a call for all because of one.
func TestAServiceThatIsGoneHidesNoOther(t *testing.T) {
	in(t, hooksOf("ecs prod/*"), func(w *world) {
		t := w.t
		e := w.shop()
		w.run()
		for _, service := range []string{"web", "api"} {
			w.deploy(e, service, ecs.Plan{Pauses: []ecs.Pause{{Stage: shift}}})
		}
		w.pass(20 * time.Second)
		const all, first = 1, 1 // the ARNs are asked for in their order: api, web
		w.aws.Faults(awsfake.Fault{Operation: "ecs:DescribeServiceDeployments", Trouble: awsfake.Refuse, Code: "ServiceNotFoundException", Message: "Service not found.", Times: all + first})
		var shown []string
		for range 40 {
			w.pass(time.Second)
			if all, _ := w.seen("ecs"); len(all) == 1 {
				shown = append(shown, all[0].Variables["service"])
				break
			}
		}
		if _, lost := w.seen("ecs"); lost != nil || fmt.Sprint(shown) != "[web]" {
			t.Errorf("shown %v, %+v", shown, lost)
		}
	})
}

// While AWS cannot be asked, events come again and again: none is done with, and nothing
// is kept of them. The first one afterwards is done with.
func TestNothingIsKeptOfEventsWhileLooksFail(t *testing.T) {
	in(t, hooksOf("ecs prod/web"), func(w *world) {
		t := w.t
		w.shop()
		w.run()
		w.pass(time.Second)
		var done atomic.Int32
		hear := func() {
			e := events.Event{Source: "aws.ecs", DetailType: hookEvent, Account: account, Region: region, Detail: json.RawMessage(`{"serviceArn":"arn:aws:ecs:eu-west-1:111122223333:service/prod/web"}`)}
			if !w.bridges.Handler().Handle(context.Background(), e, func() { done.Add(1) }) {
				t.Error("the event is not heard")
			}
			w.pass(30 * time.Second)
		}
		w.aws.Faults(awsfake.Fault{Operation: "ecs:*", Trouble: awsfake.ServerError, Times: 1000})
		for range 20 {
			hear()
		}
		row := w.bridges.rows[0]
		row.mu.Lock()
		kept := len(row.heard)
		row.mu.Unlock()
		if kept > 1 || done.Load() != 0 {
			t.Errorf("%d events are kept, %d are done with", kept, done.Load())
		}
		w.aws.Faults()
		if hear(); done.Load() != 1 {
			t.Errorf("%d events are done with", done.Load())
		}
	})
}

// Where an ECS action here deployed, the gate names its execution: whoever started it,
// or wrote what is in it, is known to the gate. A service of the same name in another
// account is another one.
func TestAHookKnowsWhoDeployedHere(t *testing.T) {
	in(t, hooksOf("ecs prod/*"), func(w *world) {
		t := w.t
		e := w.shop()
		ana := workflows.Principal{ID: "slack:UANA", Name: "Ana Ruiz", Email: "ana@acme.example", Via: "slack"}
		w.engine.rows["webshop"] = map[string]workflows.Execution{}
		for n := 1; n <= 150; n++ {
			w.engine.rows["webshop"][fmt.Sprint(n)] = workflows.Execution{ID: fmt.Sprint("x", n), Number: n, Pipeline: "webshop", Status: workflows.StatusInProgress, Trigger: workflows.StartedBy{By: ana},
				SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "4f2a9c1", Author: &workflows.Author{Name: "Dee", Email: "dee@acme.example"}}}}
		}
		deploys := func(n int, service, account string) work.Task {
			return work.Task{Pipeline: "webshop", Execution: fmt.Sprint("x", n), Number: n, PipelineRole: "arn:aws:iam::" + account + ":role/deployer",
				Action:        workflows.Action{Configuration: map[string]string{"ClusterName": "prod", "ServiceName": "#{Build.SERVICE}"}},
				Configuration: map[string]string{"ClusterName": "prod", "ServiceName": "arn:aws:ecs:" + region + ":" + account + ":service/prod/" + service}}
		}
		w.engine.tasks = []work.Task{deploys(44, "web", "999988887777"), deploys(43, "web", account), deploys(45, "api", "999988887777")}
		w.run()
		for _, service := range []string{"web", "api"} {
			w.deploy(e, service, ecs.Plan{Pauses: []ecs.Pause{{Stage: "PRE_SCALE_UP"}}})
		}
		w.pass(time.Minute)
		for n := range w.engine.numbers["ecs"] {
			x := w.execution("ecs", n+1)
			known := x.Trigger.By.Email == ana.Email && x.Trigger.Detail == "webshop#43" && x.Trigger.Execution == "x43" && len(x.SourceRevisions) == 1
			if here := x.Variables["service"] == "web"; here != known || !here && x.Trigger.Execution != "" {
				t.Errorf("%s was deployed by %+v with %+v", x.Variables["service"], x.Trigger, x.SourceRevisions)
			}
		}
		if len(w.engine.numbers["ecs"]) != 2 {
			t.Errorf("%d hooks are told", len(w.engine.numbers["ecs"]))
		}
	})
}
