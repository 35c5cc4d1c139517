package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
)

// A pipeline that was exported to AWS comes back by its ARN, with the role of
// whoever asks, and nothing is changed there.
func TestImportByARN(t *testing.T) {
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
	const role = "arn:aws:iam::111122223333:role/reader"
	fake := awsfake.New(awsfake.Options{Now: time.Now, Account: "444455556666"})
	fake.Roles(awsfake.Role{ARN: role})
	server := httptest.NewServer(fake)
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)

	rollcall := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, err bytes.Buffer
		if code := run(args, &out, &err); code != want {
			t.Fatalf("%q: status %d, want %d\n%s%s", args, code, want, &out, &err)
		}
		return out.String(), err.String()
	}
	file := filepath.Join(t.TempDir(), "shop.yaml")
	const shop = `name: shop
executionMode: QUEUED
stages:
  - name: Source
    actions:
      - name: App
        provider: CodeStarSourceConnection
        configuration:
          BranchName: main
          ConnectionArn: "arn:aws:codeconnections:eu-west-1:111122223333:connection/c"
          FullRepositoryId: acme/shop
        outputArtifacts: [src]
  - name: Prod
    actions:
      - name: OK
        provider: Manual
        timeoutInMinutes: 60
`
	if err := os.WriteFile(file, []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	exported, _ := rollcall(0, "export", "--file", file, "--to", "codepipeline", "--role-arn", "arn:aws:iam::111122223333:role/p", "--bucket", "art")
	if err := fake.Console("arn:aws:iam::111122223333:user/bob", "eu-west-1").Do("CreatePipeline", json.RawMessage(exported), nil); err != nil {
		t.Fatalf("AWS refuses what was exported: %v\n%s", err, exported)
	}

	got, told := rollcall(0, "import", "arn:aws:codepipeline:eu-west-1:111122223333:shop", "--role", role)
	want := strings.Replace(shop, "stages:", "roleArn: \"arn:aws:iam::111122223333:role/p\"\nartifactStore: {location: art}\nstages:", 1)
	if got != want { // the fake has no tags, so that AWS's part comes alone
		t.Errorf("imported as\n%s, want\n%s", got, want)
	}
	for _, line := range []string{"shop from arn:aws:codepipeline:eu-west-1:111122223333:shop:\n", "needs: Source/App: ", "as it is: Prod/OK: "} {
		if !strings.Contains(told, line) {
			t.Errorf("%q is not said:\n%s", line, told)
		}
	}
	if _, told = rollcall(1, "import", "arn:aws:codepipeline:eu-west-1:111122223333:nobody", "--role", role); !strings.Contains(told, "nobody cannot be read: ") {
		t.Error(told)
	}
	if _, told = rollcall(1, "import", "arn:aws:codepipeline:eu-west-1:111122223333:shop"); !strings.Contains(told, "--role") {
		t.Error(told)
	}
	if _, told = rollcall(1, "import", "arn:aws:codebuild:eu-west-1:111122223333:shop"); !strings.Contains(told, "is not the ARN of a pipeline") {
		t.Error(told)
	}
	for _, call := range fake.Calls() {
		if call.Changes() && call.AccessKeyID != "" {
			t.Errorf("import called %s", call.Name())
		}
	}
}
