package source

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func objectKind() runner.Kind { return s3Objects()[0] }

// versions puts two versions of an object into a bucket, and one under another key.
func versions(w *runnertest.World, region string) (older, newer, other string) {
	store := awsfake.At[*s3.Service](w.AWS, runnertest.Account, runnertest.Region)
	store.Create(s3.Bucket{Name: "acme-in", Owner: runnertest.Account, Region: region})
	return store.Put("acme-in", "app.zip", []byte("1")), store.Put("acme-in", "app.zip", []byte("2")), store.Put("acme-in", "hotfix.zip", []byte("3"))
}

func objectTask(w *runnertest.World, more map[string]string) work.Task {
	set := map[string]string{"S3Bucket": "acme-in", "S3ObjectKey": "app.zip"}
	maps.Copy(set, more)
	t := w.Task(set)
	t.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "app"}}
	return t
}

// The newest version is pinned, or the one that was asked for, in whichever Region the
// bucket is; it is the revision, and what later actions read of it.
func TestObjectsArePinned(t *testing.T) {
	for _, region := range []string{runnertest.Region, "us-east-1"} {
		runnertest.In(t, objectKind(), func(w *runnertest.World) {
			older, newer, other := versions(w, region)
			for name, c := range map[string]struct {
				asked        *workflows.SourceRevision
				key, version string
			}{
				"nothing":            {nil, "app.zip", newer},
				"a version":          {&workflows.SourceRevision{RevisionID: older, Type: versionType}, "app.zip", older},
				"a key":              {&workflows.SourceRevision{RevisionID: "hotfix.zip", ObjectKey: "hotfix.zip", Type: "S3_OBJECT_KEY"}, "hotfix.zip", other},
				"a key with version": {&workflows.SourceRevision{RevisionID: other, ObjectKey: "hotfix.zip", Type: versionType}, "hotfix.zip", other},
			} {
				task := objectTask(w, nil)
				task.Revision = c.asked
				o := w.Run(task)
				if o.State != work.Succeeded || o.Revision == nil || len(o.Artifacts) != 1 {
					t.Fatalf("%s: it ended as %+v %+v", name, o, o.Error)
				}
				out := o.Outputs
				if out["BucketName"] != "acme-in" || out["ObjectKey"] != c.key || out["VersionId"] != c.version || len(out["ETag"]) != 32 {
					t.Errorf("%s: outputs %v", name, out)
				}
				if r := o.Revision; r.RevisionID != c.version || r.Type != versionType || r.Repository != "acme-in" || r.Branch != c.key || r.RevisionSummary != "Amazon S3 version id: "+c.version {
					t.Errorf("%s: revision %+v", name, r)
				}
				if want := "s3://acme-art/webshop/acme-in/" + c.key + "?versionId=" + c.version; o.Artifacts[0].At != want || o.Artifacts[0].Name != "app" {
					t.Errorf("%s: artifact %+v", name, o.Artifacts[0])
				}
			}
		})
	}
}

// What cannot be fetched is said in words that name the object.
func TestObjectsThatCannotBeFetched(t *testing.T) {
	for name, c := range map[string]struct {
		with  func(w *runnertest.World, task *work.Task)
		code  string
		words string
	}{
		"no object": {func(_ *runnertest.World, task *work.Task) { task.Configuration["S3ObjectKey"] = "none" }, "RevisionUnavailable", "there is nothing at s3://acme-in/none"},
		"no version": {func(_ *runnertest.World, task *work.Task) {
			task.Revision = &workflows.SourceRevision{RevisionID: "gone", Type: versionType}
		}, "RevisionUnavailable", "s3://acme-in/app.zip?versionId=gone"},
		"not allowed": {func(w *runnertest.World, _ *work.Task) {
			if err := w.AWS.Policies(runnertest.Role, `{"Version":"2012-10-17","Statement":[]}`); err != nil {
				w.T.Fatal(err)
			}
		}, "AccessDenied", "not authorized to perform: s3:GetObject on resource: arn:aws:s3:::acme-in/app.zip"},
		"no versions kept": {func(w *runnertest.World, _ *work.Task) {
			store := awsfake.At[*s3.Service](w.AWS, "", "")
			store.Create(s3.Bucket{Name: "acme-in", Owner: runnertest.Account, Region: runnertest.Region, Unversioned: true})
			store.Put("acme-in", "app.zip", []byte("1"))
		}, "ConfigurationInvalid", "keeps no versions"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, objectKind(), func(w *runnertest.World) {
				versions(w, runnertest.Region)
				task := objectTask(w, nil)
				c.with(w, &task)
				if o := w.Run(task); o.State != work.Failed || o.Error.Code != c.code || !strings.Contains(o.Error.Message, c.words) {
					t.Errorf("it ended as %s: %+v", o.State, o.Error)
				}
			})
		})
	}
}

// A change is the newest version of the object that the action follows, as its role sees it.
func TestHeadOfAnObject(t *testing.T) {
	runnertest.In(t, objectKind(), func(w *runnertest.World) {
		_, newer, _ := versions(w, "us-east-1")
		watch := Watches(accounts.Open(accounts.Options{Region: runnertest.Region, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.AWS) }}), false)["S3"]
		action := workflows.Action{RoleArn: runnertest.Role, Configuration: map[string]string{"S3Bucket": "acme-in", "S3ObjectKey": "app.zip"}}
		got, err := watch.Head(w.T.Context(), work.Followed{Action: action})
		want := work.Change{Provider: "S3", Kind: work.ObjectKind, Event: "push", Repository: "acme-in", Branch: "app.zip", Commit: newer, Summary: "Amazon S3 version id: " + newer, At: got.At}
		if d := cmp.Diff(want, got); d != "" || err != nil || got.At.IsZero() {
			t.Errorf("the change (-want +got): %v\n%s", err, d)
		}
		calls := w.AWS.Calls()
		if last := calls[len(calls)-1]; last.Role != runnertest.Role {
			t.Errorf("it was asked by %s", last.Principal)
		}
		action.Configuration["S3ObjectKey"] = "none"
		if _, err := watch.Head(w.T.Context(), work.Followed{Action: action}); err == nil {
			t.Error("what is not there has a version")
		}
	})
}

// Whatever goes wrong at a call, the action ends in a defined way.
func TestObjectsMatrix(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: objectKind, Given: func(w *runnertest.World) work.Task {
		versions(w, runnertest.Region)
		return objectTask(w, nil)
	}})
}
