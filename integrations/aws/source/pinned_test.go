package source

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codecommit"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecr"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
	"net/http"
)

// The image that has the tag is pinned by its digest, or the one that was asked
// for; the artifact says which one it is, as CodePipeline's does.
func TestImagesArePinned(t *testing.T) {
	runnertest.In(t, images()[0], func(w *runnertest.World) {
		t := w.T
		fake := awsfake.At[*ecr.Service](w.AWS, runnertest.Account, runnertest.Region)
		older, newer := fake.Push("shop", "one", "1.0", "latest"), fake.Push("shop", "two", "2.0", "latest")
		for name, c := range map[string]struct {
			asked *workflows.SourceRevision
			want  string
		}{"nothing": {nil, newer}, "a digest": {&workflows.SourceRevision{RevisionID: older, Type: digestType}, older}} {
			task := w.Task(map[string]string{"RepositoryName": "shop"})
			task.Revision = c.asked
			task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "image"}}
			o := w.Run(task)
			uri := "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop@" + c.want
			if o.State != work.Succeeded || o.Outputs["ImageURI"] != uri || o.Revision.RevisionID != c.want {
				t.Fatalf("%s: %+v, %+v", name, o, o.Error)
			}
			var detail imageDetail
			if err := json.Unmarshal([]byte(w.Workspace.Packed["image"][detailFile]), &detail); err != nil || detail.ImageURI != uri || detail.RegistryID != runnertest.Account {
				t.Errorf("%s: %s is %+v, %v", name, detailFile, detail, err)
			}
		}
		task := w.Task(map[string]string{"RepositoryName": "shop", "ImageTag": "9.9"})
		if o := w.Run(task); o.State != work.Failed || o.Error.Code != "ImageNotFound" {
			t.Errorf("a tag that nothing has: %+v, %+v", o, o.Error)
		}
	})
}

// A commit is pinned, with its files, folders and run bits.
func TestCommitsArePinned(t *testing.T) {
	runnertest.In(t, commits()[0], func(w *runnertest.World) {
		t := w.T
		fake := awsfake.At[*codecommit.Service](w.AWS, runnertest.Account, runnertest.Region)
		files := map[string]string{"README": "shop", "bin/run.sh": "#!/bin/sh", "src/a/b.go": "package a"}
		id := fake.Commit("shop", "main", codecommit.Commit{Message: "first", Author: "Ana", Email: "ana@acme.example", Files: files, Executable: []string{"bin/run.sh"}})
		task := w.Task(map[string]string{"RepositoryName": "shop", "BranchName": "main"})
		task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "app"}}
		o := w.Run(task)
		if o.State != work.Succeeded || o.Outputs["CommitId"] != id || o.Revision.Author.Email != "ana@acme.example" {
			t.Fatalf("%+v, %+v", o, o.Error)
		}
		if diff := cmp.Diff(files, w.Workspace.Packed["app"]); diff != "" {
			t.Errorf("the artifact differs (-want +got):\n%s", diff)
		}
		gone := w.Task(map[string]string{"RepositoryName": "shop", "BranchName": "gone"})
		if o := w.Run(gone); o.State != work.Failed || o.Error.Code != "BranchDoesNotExist" || !strings.Contains(o.Error.Message, "gone") {
			t.Errorf("a branch that is gone: %+v, %+v", o, o.Error)
		}
	})
}

// What repositories hold now is what polling sees.
func TestHeads(t *testing.T) {
	runnertest.In(t, commits()[0], func(w *runnertest.World) {
		t := w.T
		id := awsfake.At[*codecommit.Service](w.AWS, runnertest.Account, runnertest.Region).Commit("shop", "main", codecommit.Commit{Message: "first"})
		digest := awsfake.At[*ecr.Service](w.AWS, runnertest.Account, runnertest.Region).Push("shop", "one", "latest")
		watches := Watches(accounts.Open(accounts.Options{Region: runnertest.Region, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.AWS) }}), false)
		for provider, want := range map[string]string{"CodeCommit": id, "ECR": digest} {
			action := workflows.Action{RoleArn: runnertest.Role, Configuration: map[string]string{"RepositoryName": "shop", "BranchName": "main"}}
			if c, err := watches[provider].Head(t.Context(), work.Followed{Action: action}); err != nil || c.Commit != want {
				t.Errorf("%s: %+v, %v", provider, c, err)
			}
		}
	})
}
