package codepipeline_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

const pipeline = `{"pipeline":{"name":"shop","roleArn":"arn:aws:iam::111122223333:role/pipeline","pipelineType":"V2","artifactStore":{"type":"S3","location":"acme-art"},"stages":[
{"name":"Source","actions":[{"name":"Checkout","actionTypeId":{"category":"Source","owner":"AWS","provider":"CodeCommit","version":"1"},"outputArtifacts":[{"name":"Source"}]}]},
{"name":"Production","onFailure":{"result":"ROLLBACK"},"actions":[
{"name":"SignOff","actionTypeId":{"category":"Approval","owner":"AWS","provider":"Manual","version":"1"}},
{"name":"Deploy","runOrder":2,"actionTypeId":{"category":"Deploy","owner":"AWS","provider":"CodeDeploy","version":"1"},"inputArtifacts":[{"name":"Source"}]}]}]}}`

// world is a service and its clock.
type world struct {
	*codepipeline.Service
	t      *testing.T
	now    time.Time
	events int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.Service = codepipeline.New(codepipeline.Options{Account: "111122223333", Region: "eu-west-1", Now: func() time.Time { return w.now }, Event: func(codepipeline.Event) { w.events++ }})
	return w
}

func (w *world) do(op, input string) string {
	w.t.Helper()
	out, bad := w.Do("arn:aws:iam::111122223333:user/bob", op, []byte(input))
	if bad != nil {
		w.t.Fatalf("%s: %v", op, bad)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

func (w *world) everything() string {
	return w.do("GetPipelineState", `{"name":"shop"}`) + w.do("ListPipelineExecutions", `{"pipelineName":"shop"}`) + w.do("ListActionExecutions", `{"pipelineName":"shop"}`)
}

func (w *world) approve() {
	w.t.Helper()
	var state struct {
		StageStates []struct {
			ActionStates []struct{ LatestExecution struct{ Token string } }
		}
	}
	if err := json.Unmarshal([]byte(w.do("GetPipelineState", `{"name":"shop"}`)), &state); err != nil {
		w.t.Fatal(err)
	}
	w.do("PutApprovalResult", `{"pipelineName":"shop","stageName":"Production","actionName":"SignOff","token":"`+state.StageStates[1].ActionStates[0].LatestExecution.Token+`","result":{"status":"Approved","summary":"lgtm"}}`)
}

// A service that is restored is the same one, and goes on in the same way.
func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	w.do("CreatePipeline", pipeline)
	w.approve()
	w.now = w.now.Add(time.Minute)
	w.Push("shop", "Checkout", codepipeline.Revision{ID: "0d1c", Summary: "Coupons"})
	w.Play("shop", "Production", "Deploy", codepipeline.Script{Takes: time.Minute, Fail: &codepipeline.Failure{Message: "unhealthy"}}, codepipeline.Script{Hold: true})
	second, err := w.Start("shop", "WebhookV2", "push")
	if err != nil {
		t.Fatal(err)
	}
	w.approve()
	w.now = w.now.Add(10 * time.Minute)
	w.approve() // of the rollback that came in between
	if _, bad := w.Do("arn:aws:iam::111122223333:user/bob", "RollbackStage", []byte(`{"pipelineName":"shop","stageName":"Production","targetPipelineExecutionId":"`+second+`"}`)); bad == nil {
		t.Error("a running stage was rolled back")
	}
	snapshot, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other := newWorld(t)
	if err := other.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	other.now = w.now
	if got, want := other.everything(), w.everything(); got != want {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
	if other.events != 0 || w.events == 0 || other.Changes() != w.Changes() {
		t.Errorf("%d events were told again, %d changes are kept of %d", other.events, other.Changes(), w.Changes())
	}
	for _, x := range []*world{w, other} {
		x.now = x.now.Add(time.Minute)
		if _, err := x.Start("shop", "WebhookV2", "next"); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := other.everything(), w.everything(); got != want {
		t.Errorf("gone on\n%s\nwant\n%s", got, want)
	}
	if err := newWorld(t).Restore([]byte("{")); err == nil {
		t.Error("a damaged snapshot was restored")
	}
}
