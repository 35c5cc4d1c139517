package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
)

// cloud is an AWS with pipelines of these names, to which the environment leads.
func cloud(t *testing.T, names ...string) *awsfake.Server {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	a := awsfake.New(awsfake.Options{Now: time.Now})
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "AKIDROLLCALL", "AWS_SECRET_ACCESS_KEY": "a-secret-key", "AWS_EC2_METADATA_DISABLED": "true", "HOME": t.TempDir()} {
		t.Setenv(name, value)
	}
	action := func(name, category, provider string) map[string]any {
		return map[string]any{"name": name, "runOrder": 1, "actionTypeId": map[string]any{"category": category, "owner": "AWS", "provider": provider, "version": "1"}}
	}
	for _, name := range names {
		source := action("App", "Source", "CodeCommit")
		source["outputArtifacts"], source["configuration"] = []any{map[string]any{"name": "A"}}, map[string]any{"RepositoryName": "r", "BranchName": "main"}
		err := a.Console("arn:aws:iam::111122223333:user/ops", "eu-west-1").Do("CreatePipeline", map[string]any{"pipeline": map[string]any{"name": name, "roleArn": "arn:aws:iam::111122223333:role/p", "pipelineType": "V2",
			"artifactStore": map[string]any{"type": "S3", "location": "art"}, "stages": []any{map[string]any{"name": "Source", "actions": []any{source}}, map[string]any{"name": "Production", "actions": []any{action("SignOff", "Approval", "Manual")}}}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// The pipelines that AWS shows become a section that serve takes, and nothing in AWS is changed.
func TestInitForPipelinesInAWS(t *testing.T) {
	a := cloud(t, "webshop-pipeline", "api")
	made := len(a.Calls())
	a.Roles(awsfake.Role{ARN: "arn:aws:iam::111122223333:role/look"})
	dir := filepath.Join(t.TempDir(), "releases")
	var said, wrong bytes.Buffer
	if code := run([]string{"init", dir, "--aws", "--region", "eu-west-1", "--role", "arn:aws:iam::111122223333:role/look", "--admin", "ana@acme.example"}, &said, &wrong); code != 0 {
		t.Fatal(code, wrong.String())
	}
	got, err := os.ReadFile(filepath.Join(dir, "rollcall.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/init-aws.yaml")
	if err != nil || string(got) != string(want) {
		t.Errorf("%v: rollcall.yaml is\n%s", err, got)
	}
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-1")
	t.Setenv("SLACK_APP_TOKEN", "xapp-1")
	c, err := config.Load(filepath.Join(dir, "rollcall.yaml"))
	if err != nil || len(c.Bridges) != 1 || c.Bridges[0].Mode != "watch" || len(c.Bridges[0].Pipelines) != 2 {
		t.Errorf("%v, %+v", err, c)
	}
	for _, s := range []string{"rollcall.yaml", "slack-app-manifest.yaml", "iam-policy --bridge aws-eu-west-1 --config " + dir, "doctor --config", "docs/aws.md"} {
		if !strings.Contains(said.String(), s) {
			t.Errorf("it does not say %q:\n%s", s, said.String())
		}
	}
	for _, call := range a.Calls()[made:] {
		if call.Changes() {
			t.Errorf("%s would change something", call.Name())
		}
	}

	// Beside a configuration that is there, it says what to add, and writes nothing.
	said.Reset()
	if code := run([]string{"init", dir, "--aws", "--region", "eu-west-1", "--pipeline", "api"}, &said, &wrong); code != 0 || !strings.HasPrefix(said.String(), "# Add this to "+dir) || !strings.Contains(said.String(), `- {name: "api"}`) || strings.Contains(said.String(), "webshop") {
		t.Errorf("%d %s%s", code, said.String(), wrong.String())
	}
	if again, _ := os.ReadFile(filepath.Join(dir, "rollcall.yaml")); string(again) != string(want) {
		t.Error("the configuration was changed")
	}
}

func TestInitForAWSThatCannotBe(t *testing.T) {
	a := cloud(t, "api")
	for _, c := range []struct {
		name string
		args []string
		want []string
		code int
	}{
		{"no Region", nil, []string{"no Region of AWS is known", "--region"}, 1},
		{"not a Region", []string{"--region", "Ireland"}, []string{"--region", "eu-west-1"}, 2},
		{"not a role", []string{"--region", "eu-west-1", "--role", "look"}, []string{"--role", "arn:aws:iam"}, 2},
		{"no pipelines there", []string{"--region", "us-east-1"}, []string{"AWS shows no pipelines in us-east-1", "Region"}, 1},
		{"no such pipeline", []string{"--region", "eu-west-1", "--pipeline", "apo"}, []string{"AWS shows no pipeline apo", "there are: api"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said, wrong bytes.Buffer
			dir := filepath.Join(t.TempDir(), "x")
			if code := run(append([]string{"init", dir, "--aws"}, c.args...), &said, &wrong); code != c.code {
				t.Errorf("status %d, want %d", code, c.code)
			}
			for _, s := range c.want {
				if !strings.Contains(wrong.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, wrong.String())
				}
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("something was written")
			}
		})
	}
	a.Roles(awsfake.Role{ARN: "arn:aws:iam::111122223333:role/look", ExternalID: "x"})
	var said, wrong bytes.Buffer
	if code := run([]string{"init", t.TempDir(), "--aws", "--region", "eu-west-1", "--role", "arn:aws:iam::111122223333:role/look"}, &said, &wrong); code != 1 || !strings.Contains(wrong.String(), "the role cannot be assumed") || !strings.Contains(wrong.String(), "trust policy") {
		t.Errorf("%d %s", code, wrong.String())
	}
	if code := run([]string{"init", t.TempDir(), "--role", "x"}, &said, &wrong); code != 2 {
		t.Errorf("--role without --aws: %d", code)
	}
}
