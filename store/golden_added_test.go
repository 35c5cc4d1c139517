package store

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// added are rows of version 1 with the fields that came after the first ones:
// hosts, findings, artifacts elsewhere, Regions, roles, stores and typed values.
const added = "testdata/v1-added.txt"

func addedCommit() record.Commit {
	why := &workflows.Reason{Code: "ActionFailed", Message: "CodeBuild may not read the artifact", Finding: &workflows.Finding{
		Class: "AccessDenied", Title: "CodeBuild may not read the artifact", Cause: "role/build lacks s3:GetObject", Fix: []string{"add the statement to that role", "rollcall retry webshop#43"},
		Statement: json.RawMessage(`{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::acme-art/*"}`),
		Retry:     "afterFix"}}
	f := why.Finding
	f.Evidence, f.Links = slices.Grow(f.Evidence, 1)[:1], slices.Grow(f.Links, 1)[:1]
	f.Evidence[0].From, f.Evidence[0].Text = "CodeBuild phase DOWNLOAD_SOURCE", "AccessDenied"
	f.Links[0].Title, f.Links[0].URL = "build", "https://console.example/build/1"
	x := goldenExecution(43, workflows.StatusFailed)
	x.EndedAt = &goldenNoon
	app := workflows.Artifact{Name: "app", Digest: strings.Repeat("cd", 32), Size: 1024, At: "s3://acme-art/webshop/app/cd.zip?versionId=v1"}
	x.Artifacts = map[string]workflows.Artifact{"app": app}
	x.Stages[0].Actions[0].Host, x.Stages[0].Actions[0].Error = "build-1-0a1b2c3d", why
	of := func(e event.Event) event.Event {
		e.At, e.By, e.Execution, e.Stage, e.Action, e.Attempt = goldenNoon, workflows.EnginePrincipal(), x.ID, "Build", "Make", 1
		return e
	}
	return record.Commit{
		Frames: []event.Frame{
			{Pipeline: "webshop", Seq: 1, Events: []event.Event{
				defines(addedDefinition()),
				of(event.Event{Kind: event.ActionStarted, Start: &event.ActionStart{Task: x.ID + "/Build/Make/1", Deadline: goldenNoon, Host: "build-1-0a1b2c3d"}}),
				of(event.Event{Kind: event.ActionFailed, Reason: why, Outcome: &event.Outcome{Artifacts: []workflows.Artifact{app}}})}},
			{Pipeline: "billing", Seq: 1, Events: []event.Event{defines(workflows.Pipeline{Name: "billing", ExecutionMode: workflows.ModeQueued, ArtifactStore: addedStore(), Stages: []workflows.Stage{}})}},
		},
		Executions: []workflows.Execution{x},
	}
}

func defines(p workflows.Pipeline) event.Event {
	return event.Event{Kind: event.PipelineDefined, At: goldenNoon, By: goldenAna, Defined: &event.Defined{Version: 1, ManagedBy: "api", Definition: p}}
}

func addedDefinition() workflows.Pipeline {
	build := workflows.Stage{Name: "Build", BeforeEntry: &workflows.Condition{Result: "FAIL", Rules: []workflows.Rule{{Name: "Quiet", Region: "eu-west-1", RoleArn: "arn:aws:iam::1:role/r"}}}}
	build.Actions = []workflows.Action{{Name: "Make", RunOrder: 1, Region: "eu-west-1", RoleArn: "arn:aws:iam::1:role/a",
		EnvironmentVariables: []workflows.EnvironmentVar{{Name: "TOKEN", Value: "/shop/token", Type: "PARAMETER_STORE"}}}}
	return workflows.Pipeline{Name: "webshop", ExecutionMode: workflows.ModeQueued, RoleArn: "arn:aws:iam::111122223333:role/pipeline",
		ArtifactStores: map[string]workflows.ArtifactStore{"eu-west-1": {Location: "acme-art", Type: "S3"}}, Stages: []workflows.Stage{build}}
}

func addedStore() *workflows.ArtifactStore {
	store := &workflows.ArtifactStore{}
	if err := json.Unmarshal([]byte(`{"location":"acme-art","type":"S3","encryptionKey":{"id":"alias/art","type":"KMS"}}`), store); err != nil {
		panic(err)
	}
	return store
}

// Rows with the fields that were added are read forever too, and none is dropped.
func TestGoldenRowsOfAddedFields(t *testing.T) {
	ctx := context.Background()
	answers := func(db *DB) string {
		t.Helper()
		feed, err := db.Feed(ctx, 0, 0)
		x, ok, no := db.Execution(ctx, goldenExecution(43, "").ID)
		if err := errors.Join(err, no); err != nil || !ok {
			t.Fatalf("%v, the execution is there: %t", err, ok)
		}
		return unhashed(map[string]any{"feed": feed, "execution": x})
	}
	db := openTest(t, filepath.Join(t.TempDir(), "rollcall.db"))
	c := addedCommit()
	if err := db.Commit(ctx, &c); err != nil {
		t.Fatal(err)
	}
	old := openTest(t, restoredFrom(t, added, asWritten))
	want := answers(db)
	if d := cmp.Diff(want, answers(old)); d != "" {
		t.Errorf("answers from the rows (-written today +golden):\n%s", d)
	}
	for _, field := range []string{`"host": "build-1`, `"finding": {`, `"at": "s3://`, `"region": "eu-west-1"`, `"roleArn": "arn:aws:iam::1:role/a"`, `"artifactStores": {`, `"artifactStore": {`, `"encryptionKey": {`, `"type": "PARAMETER_STORE"`, `"statement": {`} {
		if !strings.Contains(want, field) {
			t.Errorf("%s is not among what is read back", field)
		}
	}
	if problems, err := old.Check(ctx); err != nil || problems != nil {
		t.Errorf("check: %v %q", err, problems)
	}
}
