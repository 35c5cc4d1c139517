package workflows_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// C14: whatever surface a start comes from, its revisions are judged here, before
// anything starts: they have the form of a commit, whole or abbreviated, or are refused.
func TestRevisionsHaveTheFormOfACommit(t *testing.T) {
	const whole = "706e3cc0a1b2c3d4e5f60718293a4b5c6d7e8f90"
	for _, provider := range []string{"Git", "GitHub", "CodeStarSourceConnection", "CodeCommit"} {
		p := &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{
			{Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: provider}}}}}}
		for value, good := range map[string]bool{
			whole: true, whole + whole[:24]: true, whole[:7]: true, whole[:12]: true, whole[:39]: true,
			"": false, "main": false, "HEAD~1": false, "v1.2.3": false, strings.ToUpper(whole): false, strings.ToUpper(whole[:7]): false,
			" " + whole: false, whole + " ": false, whole + "\n": false, whole[:6]: false, whole + whole: false, "--output=x": false, "706e3cg": false, "７０６e3cc": false,
		} {
			got, err := p.Pinned(&workflows.Intent{Revisions: []workflows.RevisionOverride{{ActionName: "App", RevisionType: "COMMIT_ID", RevisionValue: value}}})
			refused, ok := errors.AsType[*workflows.Problem](err)
			switch {
			case good && (err != nil || got[0].RevisionID != value):
				t.Errorf("%s: %q: %v, %v", provider, value, got, err)
			case !good && (!ok || refused.Code != workflows.CodeValidation || refused.Field != "sourceRevisions" || refused.Hint == ""):
				t.Errorf("%s: %q is not refused with a hint: %v", provider, value, err)
			}
		}
	}
}

// Each kind of source has its own kinds of revision; where there is one kind it
// need not be said. The key of an object and its version make one revision, in
// whichever order they are asked for.
func TestKindsOfRevisions(t *testing.T) {
	type override = workflows.RevisionOverride
	const digest, commit = "sha256:4f5e", "706e3cc"
	for name, c := range map[string]struct {
		provider string
		key      string // AllowOverrideForS3ObjectKey
		asked    []override
		want     workflows.SourceRevision // the zero value: it is refused
	}{
		"a commit":                {"Git", "", []override{{RevisionType: "COMMIT_ID", RevisionValue: commit}}, workflows.SourceRevision{RevisionID: commit}},
		"a commit, not said":      {"GitHub", "", []override{{RevisionValue: commit}}, workflows.SourceRevision{RevisionID: commit}},
		"an image":                {"ECR", "", []override{{RevisionType: "IMAGE_DIGEST", RevisionValue: digest}}, workflows.SourceRevision{RevisionID: digest, Type: "IMAGE_DIGEST"}},
		"an image, not said":      {"ECR", "", []override{{RevisionValue: digest}}, workflows.SourceRevision{RevisionID: digest, Type: "IMAGE_DIGEST"}},
		"an image as a commit":    {"ECR", "", []override{{RevisionType: "COMMIT_ID", RevisionValue: commit}}, workflows.SourceRevision{}},
		"a commit as an image":    {"Git", "", []override{{RevisionType: "IMAGE_DIGEST", RevisionValue: digest}}, workflows.SourceRevision{}},
		"an object's version":     {"S3", "", []override{{RevisionType: "S3_OBJECT_VERSION_ID", RevisionValue: "v7"}}, workflows.SourceRevision{RevisionID: "v7", Type: "S3_OBJECT_VERSION_ID"}},
		"an object, kind unclear": {"S3", "true", []override{{RevisionValue: "v7"}}, workflows.SourceRevision{}},
		"another object":          {"S3", "true", []override{{RevisionType: "S3_OBJECT_KEY", RevisionValue: "b.zip"}}, workflows.SourceRevision{RevisionID: "b.zip", Type: "S3_OBJECT_KEY", ObjectKey: "b.zip"}},
		"another, not allowed":    {"S3", "false", []override{{RevisionType: "S3_OBJECT_KEY", RevisionValue: "b.zip"}}, workflows.SourceRevision{}},
		"another and its version": {"S3", "true", []override{{RevisionType: "S3_OBJECT_KEY", RevisionValue: "b.zip"}, {RevisionType: "S3_OBJECT_VERSION_ID", RevisionValue: "v7"}},
			workflows.SourceRevision{RevisionID: "v7", Type: "S3_OBJECT_VERSION_ID", ObjectKey: "b.zip"}},
		"a version and its object": {"S3", "true", []override{{RevisionType: "S3_OBJECT_VERSION_ID", RevisionValue: "v7"}, {RevisionType: "S3_OBJECT_KEY", RevisionValue: "b.zip"}},
			workflows.SourceRevision{RevisionID: "v7", Type: "S3_OBJECT_VERSION_ID", ObjectKey: "b.zip"}},
	} {
		p := &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{
			{Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: c.provider}, Configuration: map[string]string{"AllowOverrideForS3ObjectKey": c.key}}}}}}
		for i := range c.asked {
			c.asked[i].ActionName = "App"
		}
		got, err := p.Pinned(&workflows.Intent{Revisions: c.asked})
		refused, _ := errors.AsType[*workflows.Problem](err)
		if c.want.RevisionID == "" {
			if refused == nil || refused.Code != workflows.CodeValidation {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		c.want.ActionName = "App"
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A retry fetches the object that was asked for, also after the source has said
// which version of it there was.
func TestAChosenObjectStaysChosen(t *testing.T) {
	x := workflows.Execution{SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "b.zip", Type: "S3_OBJECT_KEY", ObjectKey: "b.zip"}}}
	x.Bring(workflows.SourceRevision{ActionName: "App", RevisionID: "v7", Type: "S3_OBJECT_VERSION_ID"})
	want := []workflows.SourceRevision{{ActionName: "App", RevisionID: "v7", Type: "S3_OBJECT_VERSION_ID", ObjectKey: "b.zip"}}
	if !reflect.DeepEqual(x.SourceRevisions, want) {
		t.Errorf("%+v", x.SourceRevisions)
	}
}

// The tag that brought a commit stays with that commit after the source, which looks
// at commits alone, has fetched it.
func TestTheTagStaysWithItsCommit(t *testing.T) {
	x := workflows.Execution{SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "c1", Tag: "v1", AnyBranch: true}}}
	for commit, tag := range map[string]string{"c1": "v1", "c2": ""} {
		y := x
		y.Bring(workflows.SourceRevision{ActionName: "App", RevisionID: commit})
		if got := y.SourceRevisions[0]; got.RevisionID != commit || got.Tag != tag {
			t.Errorf("%+v", got)
		}
	}
}
