package pipelines_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/pipelines"
	"github.com/rollcall-bot/rollcall/workflows"
)

const account = "111122223333"

// cloud is a fake AWS and what asks it.
func cloud(t *testing.T) (*awsfake.Server, *accounts.Accounts) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "base-secret")
	fake := awsfake.New(awsfake.Options{Now: time.Now, Account: account})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListTagsForResource") { // the fake has no tags
			fmt.Fprint(w, `{"tags": [{"key": "team", "value": "shop"}]}`)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return fake, accounts.Open(accounts.Options{EndpointURL: server.URL, Calls: 1e6})
}

// full is a declaration with every member that CodePipeline has.
const full = `{"name": "shop", "roleArn": "arn:aws:iam::111122223333:role/p", "pipelineType": "V2", "executionMode": "QUEUED",
  "artifactStore": {"type": "S3", "location": "art", "encryptionKey": {"id": "alias/art", "type": "KMS"}},
  "variables": [{"name": "percent", "defaultValue": "10", "description": "share"}],
  "triggers": [{"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "App",
    "push": [{"branches": {"includes": ["main"], "excludes": ["wip/**"]}, "filePaths": {"includes": ["src/**"]}}],
    "pullRequest": [{"events": ["OPEN"], "branches": {"includes": ["main"]}}]}}],
  "stages": [
    {"name": "Source", "actions": [{"name": "App", "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeStarSourceConnection", "version": "1"}, "runOrder": 1,
      "configuration": {"ConnectionArn": "arn:aws:codeconnections:eu-west-1:111122223333:connection/c", "FullRepositoryId": "acme/shop", "BranchName": "main"}, "outputArtifacts": [{"name": "app"}], "namespace": "App"}]},
    {"name": "Build", "onFailure": {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}},
      "actions": [{"name": "Make", "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}, "runOrder": 1, "commands": ["make"],
        "environmentVariables": [{"name": "A", "value": "b", "type": "PLAINTEXT"}], "outputVariables": ["V"], "inputArtifacts": [{"name": "app"}], "outputArtifacts": [{"name": "out", "files": ["dist/**"]}], "namespace": "Make"}]},
    {"name": "Prod",
      "beforeEntry": {"conditions": [{"result": "FAIL", "rules": [{"name": "Hours", "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "DeploymentWindow", "version": "1"}, "configuration": {"Cron": "* * 9-16 ? * MON-FRI *"}, "timeoutInMinutes": 60}]}]},
      "actions": [{"name": "OK", "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}, "runOrder": 1, "configuration": {"CustomData": "ship?"}, "timeoutInMinutes": 30}]}]}`

// What AWS has comes whole: every member, under its own name.
func TestDeclaration(t *testing.T) {
	fake, all := cloud(t)
	var declaration map[string]any
	if err := json.Unmarshal([]byte(full), &declaration); err != nil {
		t.Fatal(err)
	}
	if err := fake.Console("arn:aws:iam::"+account+":user/bob", "eu-west-1").Do("CreatePipeline", map[string]any{"pipeline": declaration}, nil); err != nil {
		t.Fatal(err)
	}
	arn, err := pipelines.ParseARN("arn:aws:codepipeline:eu-west-1:" + account + ":shop")
	if err != nil {
		t.Fatal(err)
	}
	c, err := all.Config(t.Context(), accounts.Place{Region: arn.Region})
	if err != nil {
		t.Fatal(err)
	}
	text, err := pipelines.Declaration(t.Context(), c, arn)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Pipeline map[string]any
		Metadata map[string]any
		Tags     []map[string]string
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	declaration["version"] = float64(1)
	if diff := cmp.Diff(declaration, got.Pipeline); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(got.Tags) != 1 || got.Tags[0]["key"] != "team" || got.Tags[0]["value"] != "shop" {
		t.Errorf("the tags are %v", got.Tags)
	}
	if got.Metadata["pipelineArn"] != arn.String() {
		t.Errorf("the metadata is %v", got.Metadata)
	}
	for _, call := range fake.Calls() {
		if call.Changes() && call.AccessKeyID != "" {
			t.Errorf("%s was called", call.Name())
		}
	}
}

// What AWS refuses is told with what to do.
func TestRefused(t *testing.T) {
	fake, all := cloud(t)
	c, err := all.Config(t.Context(), accounts.Place{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	arn := pipelines.ARN{Partition: "aws", Region: "eu-west-1", Account: account, Name: "nobody"}
	ask := func(says, hint string) {
		t.Helper()
		_, err := pipelines.Declaration(t.Context(), c, arn)
		var p *workflows.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Message, says) || !strings.Contains(p.Hint, hint) {
			t.Errorf("%v, want %q and the hint %q", err, says, hint)
		}
	}
	ask(arn.String()+" cannot be read: ", "list-pipelines --region eu-west-1")
	fake.Faults(awsfake.Fault{Operation: "codepipeline:GetPipeline", Trouble: awsfake.Refuse, Code: "AccessDeniedException", Message: "not you"})
	ask("not you", "codepipeline:GetPipeline")
	fake.Faults()
	if err := fake.Console("arn:aws:iam::"+account+":user/bob", "eu-west-1").Do("CreatePipeline", map[string]json.RawMessage{"pipeline": []byte(strings.Replace(full, `"shop"`, `"nobody"`, 1))}, nil); err != nil {
		t.Fatal(err)
	}
	arn.Account = "999988887777"
	ask("AWS answered with arn:aws:codepipeline:eu-west-1:"+account+":nobody", "--role")
}

func TestARNs(t *testing.T) {
	for text, good := range map[string]bool{
		"arn:aws:codepipeline:eu-west-1:111122223333:shop":        true,
		"arn:aws-cn:codepipeline:cn-north-1:111122223333:shop":    true,
		"arn:aws:codepipeline:eu-west-1:111122223333:shop/Prod":   false,
		"arn:aws:codepipeline::111122223333:shop":                 false,
		"arn:aws:codepipeline:eu-west-1:1:shop":                   false,
		"arn:aws:codebuild:eu-west-1:111122223333:shop":           false,
		"arn:aws:codepipeline:eu-west-1:111122223333:shop:weekly": false,
		"shop": false,
	} {
		if arn, err := pipelines.ParseARN(text); (err == nil) != good || good && arn.String() != text {
			t.Errorf("%s: %v, %v", text, arn, err)
		}
	}
}
