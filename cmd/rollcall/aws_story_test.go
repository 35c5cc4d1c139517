package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	awsAccount = "111122223333"
	awsRegion  = "eu-west-1"
	awsBob     = "arn:aws:iam::111122223333:user/bob"
	awsRole    = "arn:aws:iam::111122223333:role/rollcall-bridge"
)

// cloudFixture is a team whose pipelines are in AWS.
type cloudFixture struct {
	*fixture
	aws *awsfake.Server
}

// inAWS starts a rollcall whose bridge has these rows, over an AWS that prepare fills.
func inAWS(t *testing.T, mode, rows string, prepare func(w *cloudFixture)) *cloudFixture {
	t.Helper()
	return overAWS(t, "", fmt.Sprintf("bridges:\n  - {name: prod-eu, roleArn: %q, mode: %s, poll: 3s, pipelines: [%s]}\n", awsRole, mode, rows), prepare)
}

// overAWS starts a rollcall with more of the section aws, and with further sections.
func overAWS(t *testing.T, more, sections string, prepare func(w *cloudFixture)) *cloudFixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIASTORY")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-aws-secret-of-the-story")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	w := &cloudFixture{fixture: team(t), aws: awsfake.New(awsfake.Options{Now: time.Now})}
	w.aws.Roles(awsfake.Role{ARN: awsRole, ExternalID: "an-external-id"})
	if err := os.MkdirAll(w.path("pipelines"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("rollcall.yaml", fmt.Sprintf(`
listen: %s
slack: {apiURL: %q, botToken: xoxb-story, signingSecret: %s, channel: "#deploys"}
access:
  groups: {release-managers: [ana@acme.example, ben@acme.example, dan@acme.example]}
  rules:
    - {allow: [view, start, stop, retry, logs], to: [everyone]}
    - {allow: [approve, rollback, lock, unlock, override], to: [group:release-managers]}
api:
  tokens: [{name: story, token: %s, may: [view, logs, start, stop, retry, rollback, lock, unlock, approve, edit, override, audit]}]
aws: {region: %s, endpointURL: %q, roles: {%q: {externalId: an-external-id}}%s}
%s`, w.addr, serve(t, w.slack)+"/api/", signing, token, awsRegion, serve(t, w.aws), awsRole, more, sections)[1:])
	t.Cleanup(w.end)
	prepare(w)
	w.start()
	return w
}

// make creates a pipeline in AWS, which starts it: Source, Build and Production,
// where SignOff waits before Deploy.
func (w *cloudFixture) make(name string, with map[string]any) {
	w.t.Helper()
	action := func(name, category, provider string, order int, more map[string]any) map[string]any {
		a := map[string]any{"name": name, "runOrder": order, "actionTypeId": map[string]any{"category": category, "owner": "AWS", "provider": provider, "version": "1"}}
		maps.Copy(a, more)
		return a
	}
	artifact := []any{map[string]any{"name": "Source"}}
	d := map[string]any{
		"name": name, "roleArn": "arn:aws:iam::111122223333:role/pipeline", "pipelineType": "V2", "executionMode": "SUPERSEDED", "artifactStore": map[string]any{"type": "S3", "location": "acme-art"},
		"stages": []any{
			map[string]any{"name": "Source", "actions": []any{action("Checkout", "Source", "CodeCommit", 1, map[string]any{"outputArtifacts": artifact, "configuration": map[string]any{"RepositoryName": "webshop", "BranchName": "main"}})}},
			map[string]any{"name": "Build", "actions": []any{action("Compile", "Build", "CodeBuild", 1, map[string]any{"inputArtifacts": artifact, "configuration": map[string]any{"ProjectName": "webshop"}})}},
			map[string]any{"name": "Production", "actions": []any{action("SignOff", "Approval", "Manual", 1, nil),
				action("Deploy", "Deploy", "CodeDeploy", 2, map[string]any{"inputArtifacts": artifact, "configuration": map[string]any{"ApplicationName": "webshop"}})}},
		},
	}
	maps.Copy(d, with)
	w.console("CreatePipeline", map[string]any{"pipeline": d})
}

func (w *cloudFixture) console(operation string, in map[string]any) {
	w.t.Helper()
	if err := w.aws.Console(awsBob, awsRegion).Do(operation, in, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *cloudFixture) begin(name string) {
	w.t.Helper()
	w.console("StartPipelineExecution", map[string]any{"name": name})
}

// asked are the inputs of rollcall's calls of an operation.
func (w *cloudFixture) asked(operation string) (all []map[string]any) {
	w.t.Helper()
	for _, c := range w.aws.Calls() {
		if c.Operation == operation && strings.Contains(c.Principal, "assumed-role") {
			var in map[string]any
			if err := json.Unmarshal(c.Input, &in); err != nil {
				w.t.Fatal(err)
			}
			all = append(all, in)
		}
	}
	return all
}

// changed names the changing operations that rollcall called.
func (w *cloudFixture) changed() (all []string) {
	for _, c := range w.aws.Calls() {
		if c.Changes() && strings.Contains(c.Principal, "assumed-role") {
			all = append(all, c.Operation)
		}
	}
	return all
}

// stands is a pipeline in short, from the API: its executions, oldest first, and who waits where.
func (w *cloudFixture) stands(name string) string {
	w.t.Helper()
	_, answer := w.request(http.MethodGet, "/api/v1/pipelines/"+name+"/executions?limit=100", nil)
	rows, _ := answer["executions"].([]any)
	var b strings.Builder
	for i := len(rows) - 1; i >= 0; i-- {
		x := rows[i].(map[string]any)
		fmt.Fprintf(&b, "#%v %v", x["number"], x["status"])
		for _, s := range x["stages"].([]any) {
			fmt.Fprintf(&b, " %v", s.(map[string]any)["status"])
		}
		b.WriteString("\n")
	}
	_, view := w.request(http.MethodGet, "/api/v1/pipelines/"+name, nil)
	all, _ := view["stages"].([]any)
	for _, s := range all {
		if in, _ := s.(map[string]any)["inbound"].([]any); len(in) > 0 {
			fmt.Fprintf(&b, "%d before %v\n", len(in), s.(map[string]any)["name"])
		}
	}
	return b.String()
}

// Pipelines of every kind appear with their executions, stages and lines; whatever
// is clicked and asked for, a bridge that watches changes nothing in AWS.
func TestPipelinesInAWSAreShown(t *testing.T) {
	w := inAWS(t, "watch", `{name: shop-pipeline, as: webshop}, {name: queue}, {name: parallel}, {name: old}, {name: broken}`, func(w *cloudFixture) {
		w.make("shop-pipeline", nil)
		w.make("queue", map[string]any{"executionMode": "QUEUED"})
		w.make("parallel", map[string]any{"executionMode": "PARALLEL"})
		w.make("old", map[string]any{"pipelineType": "V1"})
		w.make("broken", nil)
		p := w.aws.Pipelines(awsAccount, awsRegion)
		p.Play("queue", "Build", "Compile", codepipeline.Script{Hold: true})
		p.Play("broken", "Build", "Compile", codepipeline.Script{Fail: &codepipeline.Failure{Code: "JobFailed", Message: "Build terminated with state: FAILED"}})
		for _, name := range []string{"shop-pipeline", "shop-pipeline", "queue", "queue", "queue", "parallel", "old", "broken"} {
			w.begin(name)
		}
	})
	const waits = "InProgress Succeeded Succeeded InProgress\n"
	for name, want := range map[string]string{
		"webshop":  "#1 " + waits + "#2 Superseded Succeeded Succeeded NotStarted\n#3 InProgress Succeeded Succeeded NotStarted\n1 before Production\n",
		"queue":    "#1 " + waits + "#2 InProgress Succeeded InProgress NotStarted\n#3 InProgress Succeeded NotStarted NotStarted\n#4 InProgress Succeeded NotStarted NotStarted\n2 before Build\n",
		"parallel": "#1 " + waits + "#2 " + waits,
		"old":      "#1 " + waits + "#2 InProgress Succeeded Succeeded NotStarted\n1 before Production\n",
		"broken":   "#1 " + waits + "#2 Failed Succeeded Failed NotStarted\n",
	} {
		got := ""
		deadline := time.Now().Add(testTimeout)
		w.until(name+" stands as in AWS", func() bool {
			if got = w.stands(name); got != want && time.Until(deadline) < time.Second {
				t.Errorf("%s stands\n%swant\n%s", name, got, want)
				return true
			}
			return got == want
		})
	}
	w.until("the gate of #1 is shown", func() bool { return w.gate(1) != nil })
	for path, body := range map[string]map[string]any{
		"/api/v1/pipelines/webshop/executions":                   {},
		"/api/v1/pipelines/webshop/stages/Production/rollback":   {"target": w.execution(1).ID},
		"/api/v1/pipelines/webshop/stages/Production/transition": {"enabled": false, "reason": "no"},
		"/api/v1/executions/" + w.execution(1).ID + "/stop":      {"reason": "no"},
		"/api/v1/approvals/" + w.gate(1).Token:                   {"answer": "approve"},
	} {
		if status, answer := w.post(path, body); answer["code"] != "WatchOnly" || status != http.StatusForbidden && status != http.StatusConflict {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
	w.types(w.ana, "start webshop")
	if all := w.changed(); len(all) > 0 {
		t.Errorf("a bridge that watches called %v", all)
	}
	if log := w.read("service.log"); strings.Contains(log, "the-aws-secret-of-the-story") || strings.Contains(log, "an-external-id") {
		t.Error("a secret is in the log")
	}
}

// Two people approve in Slack, which is one answer in AWS with both names; a
// rollback whose answer is lost happens once, also when the service is killed.
func TestPipelinesInAWSAreSteered(t *testing.T) {
	w := inAWS(t, "act", `{name: shop-pipeline, as: webshop, environments: {Production: production}, approvals: {Production/SignOff: {from: [group:release-managers], required: 2}}}`,
		func(w *cloudFixture) { w.make("shop-pipeline", nil) })
	release := func(n int) {
		w.approve(w.ana, n)
		if n := len(w.asked("PutApprovalResult")); n >= len(w.executions()) {
			t.Errorf("AWS was answered %d times before the quorum", n)
		}
		w.approve(w.ben, n)
		w.ended(n, workflows.StatusSucceeded)
	}
	release(1)
	calls := w.asked("PutApprovalResult")
	if len(calls) != 1 {
		t.Fatalf("AWS was answered %d times", len(calls))
	}
	if summary, _ := calls[0]["result"].(map[string]any)["summary"].(string); summary != "ana, ben via rollcall" {
		t.Errorf("AWS was told %q", summary)
	}
	w.begin("shop-pipeline")
	release(2)
	w.aws.Faults(awsfake.Fault{Operation: "codepipeline:RollbackStage", Trouble: awsfake.CutAfter, Times: 1})
	if status, answer := w.post("/api/v1/pipelines/webshop/stages/Production/rollback", map[string]any{"target": w.execution(1).ID, "reason": "coupons are wrong", "clientRequestToken": "story-1"}); status >= 300 {
		t.Fatalf("the rollback was refused: %d %v", status, answer)
	}
	w.until("AWS was asked", func() bool { return len(w.asked("RollbackStage")) > 0 })
	w.kill()
	w.start()
	w.until("the rollback is there", func() bool { e := w.execution(3); return e.Type == workflows.TypeRollback })
	w.approve(w.ana, 3)
	w.approve(w.ben, 3)
	w.ended(3, workflows.StatusSucceeded)
	if n := len(w.asked("RollbackStage")); n != 1 {
		t.Errorf("AWS was asked for the rollback %d times", n)
	}
	w.until("Production of #3 is seen to have succeeded", func() bool {
		e := w.execution(3)
		s, ok := e.Stage("Production")
		return ok && s.Status == workflows.StatusSucceeded
	})
	if e := w.execution(3); e.Rollback == nil || e.Rollback.Target != w.execution(1).ID {
		t.Errorf("rolled back to %+v", e.Rollback)
	}
	w.until("the stage is locked", func() bool { return !w.stage("Production").Transition.Enabled })
	if n := len(w.executions()); n != 3 {
		t.Errorf("there are %d executions", n)
	}
}
