package source

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codecommit"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecr"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What iam-policy prints for a source is enough to take it, and nothing of it is too much.
func TestRightsOfSources(t *testing.T) {
	for name, c := range map[string]runnertest.Case{
		"S3": {Kind: objectKind, Given: func(w *runnertest.World) work.Task { versions(w, runnertest.Region); return objectTask(w, nil) },
			Ways: []runnertest.Way{{Name: "a version", Ends: work.Succeeded, Given: func(w *runnertest.World) work.Task {
				older, _, _ := versions(w, runnertest.Region)
				task := objectTask(w, nil)
				task.Revision = &workflows.SourceRevision{RevisionID: older, Type: versionType}
				return task
			}}, {Name: "an object that is not there", Given: func(w *runnertest.World) work.Task {
				versions(w, runnertest.Region)
				awsfake.At[*s3.Service](w.AWS, "", "").Delete("acme-in", "app.zip", "")
				return objectTask(w, nil)
			}}}},
		"ECR": {Kind: func() runner.Kind { return images()[0] }, Given: func(w *runnertest.World) work.Task {
			awsfake.At[*ecr.Service](w.AWS, runnertest.Account, runnertest.Region).Push("shop", "one", "latest")
			return w.Task(map[string]string{"RepositoryName": "shop"})
		}},
		"CodeCommit": {Kind: func() runner.Kind { return commits()[0] }, Given: func(w *runnertest.World) work.Task {
			awsfake.At[*codecommit.Service](w.AWS, runnertest.Account, runnertest.Region).Commit("shop", "main", codecommit.Commit{Message: "first", Files: map[string]string{"README": "shop"}})
			task := w.Task(map[string]string{"RepositoryName": "shop", "BranchName": "main"})
			task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "app"}}
			return task
		}},
	} {
		t.Run(name, func(t *testing.T) { runnertest.Rights(t, c) })
	}
}

// Polling is done as who takes the source later: as the pipeline's role where the
// action has none, with what is printed for it. What another role sees is another's.
func TestPollingIsDoneAsThePipelinesRole(t *testing.T) {
	runnertest.In(t, objectKind(), func(w *runnertest.World) {
		_, newest, _ := versions(w, runnertest.Region)
		action := workflows.Action{Configuration: map[string]string{"S3Bucket": "acme-in", "S3ObjectKey": "app.zip"}}
		document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": objectNeeds(&action, policy.Place{})})
		if err == nil {
			err = w.AWS.Policies(runnertest.Role, string(document))
		}
		if err != nil {
			w.T.Fatal(err)
		}
		watch := Watches(accounts.Open(accounts.Options{Region: runnertest.Region, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.AWS) }}), false)["S3"]
		f := work.Followed{Action: action, PipelineRole: runnertest.Role}
		c, err := watch.Head(w.T.Context(), f)
		calls := w.AWS.Calls()
		if last := calls[len(calls)-1]; err != nil || c.Commit != newest || last.Role != runnertest.Role {
			w.T.Errorf("%+v, %v, asked by %s", c, err, last.Principal)
		}
		other := work.Followed{Action: action, PipelineRole: "arn:aws:iam::444455556666:role/shop"}
		elsewhere := f
		elsewhere.Action.Region = "us-east-1"
		if watch.Key(f) == watch.Key(other) || watch.Key(f) == watch.Key(elsewhere) {
			w.T.Error("one look is for two roles, or two Regions")
		}
	})
}
