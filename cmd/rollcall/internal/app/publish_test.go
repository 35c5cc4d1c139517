package app

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/events"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
	"github.com/rollcall-bot/rollcall/workflows"
)

// An execution with an approval, as the real engine decides it, is told to AWS:
// the events in CodePipeline's order, the approval to its topic, the metrics.
func TestAWSIsToldWhatHappensHere(t *testing.T) {
	cloud := awsfake.New(awsfake.Options{Now: time.Now})
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	const account, region = "111122223333", "eu-west-1"
	topics, bus, metrics := awsfake.At[*sns.Service](cloud, account, region), awsfake.At[*events.Service](cloud, account, region), awsfake.At[*cloudwatch.Service](cloud, account, region)
	topic, repository := topics.Topic("releases"), filepath.Join(t.TempDir(), "shop")
	for _, args := range [][]string{{"init", "-q", "-b", "main", repository}, {"-C", repository, "-c", "user.name=Ana", "-c", "user.email=ana@acme.example", "commit", "-q", "--allow-empty", "-m", "First"}} {
		if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git: %v\n%s", err, out)
		}
	}
	p := newFixture(t, "sources: {allowFileURLs: true}\napi: {tokens: [{name: ci, token: {env: PUBLISH_TOKEN}, may: [view, start]}]}\n"+
		"aws: {region: eu-west-1, endpointURL: "+server.URL+", publish: {metrics: Rollcall, events: default, approvals: true}}\n",
		"PUBLISH_TOKEN=token-of-the-test", "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=a-secret-of-the-test", "AWS_EC2_METADATA_DISABLED=true")
	p.write("webshop.yaml", `
name: webshop
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "file://`+repository+`", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Production
    actions:
      - {name: SignOff, provider: Manual, configuration: {NotificationArn: "`+topic+`", CustomData: Release}, approval: {from: ["token:ci"], requesterMayApprove: true}}
      - {name: Deploy, provider: Wait, runOrder: 2, configuration: {seconds: "0"}}
`)
	p.read()
	ci := workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"}
	started, err := p.engine.Submit(t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, ci)
	if err != nil {
		t.Fatal(err)
	}
	awaited(t, cloud, "the message about the approval", func() bool { return len(topics.Messages()) == 1 })
	var said struct {
		Approval struct{ Token, StageName, CustomData string }
	}
	if err := json.Unmarshal([]byte(topics.Messages()[0].Message), &said); err != nil || said.Approval.StageName != "Production" || said.Approval.CustomData != "Release" {
		t.Errorf("the topic was told %s (%v)", topics.Messages()[0].Message, err)
	}
	if _, err := p.engine.Submit(t.Context(), workflows.Intent{Verb: workflows.Approve, Gate: said.Approval.Token}, ci); err != nil {
		t.Fatal(err)
	}
	published := func() (all []string) {
		for _, e := range bus.Entries() {
			var d struct {
				Execution     string `json:"execution-id"`
				State, Action string
			}
			if err := json.Unmarshal(e.Detail, &d); err != nil || d.Execution != started.Execution.ID {
				t.Errorf("event %s (%v)", e.Detail, err)
			}
			all = append(all, strings.TrimSpace(strings.Fields(e.DetailType)[1]+" "+d.State+" "+d.Action))
		}
		return all
	}
	awaited(t, cloud, "the end of the execution", func() bool { return slices.Contains(published(), "Pipeline SUCCEEDED") })
	want := []string{"Pipeline STARTED", "Stage STARTED", "Action STARTED App", "Action SUCCEEDED App", "Stage SUCCEEDED", "Stage STARTED",
		"Action STARTED SignOff", "Action SUCCEEDED SignOff", "Action STARTED Deploy", "Action SUCCEEDED Deploy", "Stage SUCCEEDED", "Pipeline SUCCEEDED"}
	if got := published(); !slices.Equal(got, want) {
		t.Errorf("told\n%q, want\n%q", got, want)
	}
	awaited(t, cloud, "the metrics", func() bool {
		names := map[string]int{}
		for _, d := range metrics.Data() {
			names[d.Name]++
		}
		return names["ExecutionDuration"] == 1 && names["ApprovalWait"] == 1 && names["ActionDuration"] == 2
	})
}

// awaited waits for what a call to AWS brings about.
func awaited(t *testing.T, cloud *awsfake.Server, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := cloud.Wait(ctx, func([]awsfake.Call) bool { return holds() }); err != nil {
		t.Fatalf("%s never came: %v", what, err)
	}
}
