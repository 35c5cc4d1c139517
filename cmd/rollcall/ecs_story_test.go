package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/workflows"
)

// deployed has somebody deploy another revision of the service web.
func (w *cloudFixture) deployed(e *ecs.Service, n int, p ecs.Plan) {
	p.Takes = time.Second
	e.Deploy("prod", "web", e.Define(map[string]any{"family": "web", "containerDefinitions": []any{map[string]any{"name": "web", "image": fmt.Sprint("shop:", n)}}}), p)
}

// says waits until the gate message of an execution says something.
func (w *cloudFixture) says(n int, text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("the gate of #%d says %q", n, text), func() bool {
		for _, m := range w.posts("rollcall_gate", w.execution(n).ID) {
			if raw, err := json.Marshal(m); err == nil && strings.Contains(string(raw), text) {
				return true
			}
		}
		return false
	})
}

// Two people let a canary of ECS go on in Slack, step by step: each step is one answer
// to AWS, also when the service is killed between the votes, and when AWS's answer is lost.
// A rejection rolls back, and what is answered in AWS closes the gate and says so.
func TestPauseHooksOfECSAreGates(t *testing.T) {
	var e *ecs.Service
	gates := fmt.Sprintf(`, ecsGates: [{cluster: prod, service: web, channel: "#deploys", roleArn: %q, poll: 3s, approval: {from: [group:release-managers, "token:story"], required: 2}}]`, awsRole)
	w := overAWS(t, gates, "", func(w *cloudFixture) {
		e = awsfake.At[*ecs.Service](w.aws, awsAccount, awsRegion)
		e.Create("prod", "web", e.Define(map[string]any{"family": "web", "containerDefinitions": []any{map[string]any{"name": "web", "image": "shop:1"}}}))
		w.pipeline, w.asks = "ecs-prod-web", "Pause/Continue"
	})
	const shift = "PRE_PRODUCTION_TRAFFIC_SHIFT"
	w.deployed(e, 2, ecs.Plan{Strategy: "CANARY", Percent: 10, Pauses: []ecs.Pause{{Stage: shift}, {Stage: shift, Weight: 10}}})
	w.says(1, "The service web in the cluster prod waits at PRE_PRODUCTION_TRAFFIC_SHIFT")
	w.says(1, "100 % on web:1, 0 % on web:2 (new). This step: 10 % on the new one.")
	w.approve(w.ana, 1)
	w.kill()
	w.start()
	if n := len(w.asked("ContinueServiceDeployment")); n != 0 {
		t.Fatalf("AWS was answered %d times before the quorum", n)
	}
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusSucceeded)
	w.says(1, "Approved by")
	w.says(2, "step 2 of 2")
	w.aws.Faults(awsfake.Fault{Operation: "ecs:ContinueServiceDeployment", Trouble: awsfake.CutAfter, Times: 1})
	w.approve(w.ana, 2)
	w.approve(w.ben, 2)
	w.until("AWS was answered", func() bool { return len(w.asked("ContinueServiceDeployment")) == 2 })
	w.kill()
	w.start()
	w.ended(2, workflows.StatusSucceeded)
	w.until("the deployment is through", func() bool { return e.Status("prod", "web") == "SUCCESSFUL" })
	if calls := w.asked("ContinueServiceDeployment"); len(calls) != 2 || calls[0]["action"] != "CONTINUE" || calls[0]["hookId"] == calls[1]["hookId"] {
		t.Errorf("AWS was answered %v", calls)
	}
	for n := 1; n <= 2; n++ {
		if g := w.execution(n).Stages[0].Actions[0].Approval; g.Closed != "approved" || len(g.Votes) != 2 {
			t.Errorf("the gate of #%d: %+v", n, g)
		}
	}

	w.deployed(e, 3, ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP"}}})
	w.until("the gate of #3 opens", func() bool { return w.gate(3) != nil })
	if status, answer := w.post("/api/v1/approvals/"+w.gate(3).Token, map[string]any{"answer": "reject", "comment": "the logo is upside down"}); status >= 300 {
		t.Fatalf("the rejection: %d %v", status, answer)
	}
	w.ended(3, workflows.StatusFailed)
	if x := w.execution(3); x.StatusReason.Code != "NotApproved" || !strings.Contains(x.StatusReason.Message, "the logo is upside down") {
		t.Errorf("#3: %+v", x.StatusReason)
	}
	w.until("the deployment is rolled back", func() bool { return strings.HasPrefix(e.Status("prod", "web"), "ROLLBACK") })

	w.deployed(e, 4, ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP"}}})
	w.until("the gate of #4 opens", func() bool { return w.gate(4) != nil })
	arn := w.execution(4).ExternalID
	cut := strings.LastIndexByte(arn, '/')
	if err := w.aws.Console(awsBob, awsRegion).In("ecs").Do("ContinueServiceDeployment", map[string]any{"serviceDeploymentArn": arn[:cut], "hookId": arn[cut+1:]}, nil); err != nil {
		t.Fatal(err)
	}
	w.ended(4, workflows.StatusSucceeded)
	w.says(4, "outside rollcall by somebody in AWS")

	if status, answer := w.post("/api/v1/pipelines/ecs-prod-web/executions", map[string]any{}); status != http.StatusConflict || answer["code"] != "Conflict" {
		t.Errorf("a start: %d %v", status, answer)
	}
	for command, words := range map[string][]string{
		"status ecs-prod-web":       {"Amazon ECS", "prod/web"},
		"status ecs-prod-web#3":     {"not approved by", "the logo is upside down"},
		"audit show ecs-prod-web#1": {"ana", "approve"},
	} {
		_, said, trouble := w.cli(strings.Fields(command)...)
		for _, word := range words {
			if !strings.Contains(said+trouble, word) {
				t.Errorf("%s does not say %q:\n%s%s", command, word, said, trouble)
			}
		}
	}
}
