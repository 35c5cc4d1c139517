package feedback

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

// recording runs a test with a follower of deployment records, in virtual time.
func recording(t *testing.T, test func(t *testing.T, w *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token}), log: &bytes.Buffer{}}
		r, err := NewRecords(Options{APIURL: "http://github.test/", Token: token, Reader: w.world, Notes: w.world, Transport: wirefake.Direct(w.hub), Log: slog.New(slog.NewTextHandler(w.log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		w.lane = &lane{follow: r.Follow, world: w.world}
		test(t, w)
	})
}

// built has an execution have built an image and deployed it.
func built(digest string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		begin(e)
		enter("Build")(e)
		in(e, "Build").Actions[0].OutputVariables = map[string]string{"imageDigest": digest, "imageName": "shop"}
		succeed("Build")(e)
		since("Production")(e)
	}
}

func TestWhatRunsIsRecorded(t *testing.T) {
	recording(t, func(t *testing.T, w *stage) {
		record := func(digest, version string) []githubfake.Record {
			return []githubfake.Record{{Org: "acme", Name: "shop", Digest: digest, Version: version, Status: "deployed", Logical: "production", Deployment: "webshop-Production", Repository: "webshop"}}
		}
		check := func(when string, want []githubfake.Record) {
			t.Helper()
			if diff := cmp.Diff(want, w.hub.Records("acme")); diff != "" {
				t.Errorf("%s (-want +got)\n%s", when, diff)
			}
		}
		w.do(t, built(digestA), 1)
		check("after a deployment", record(digestA, "1"))
		w.hub.Faults.Set(fault.Fault{Cut: true, After: true, Times: 2})
		w.do(t, built(digestB), 2)
		w.lane.run(t, time.Minute)
		check("after a lost answer", record(digestB, "2"))
		w.do(t, func(e *workflows.Execution) { rollback(1, "Production")(e); since("Production")(e) }, 3)
		check("after a rollback", record(digestA, "1"))
		calls := w.hub.Calls()
		w.do(t, func(*workflows.Execution) {}, 3)
		w.do(t, func(e *workflows.Execution) { begin(e); since("Production")(e) }, 4) // no image is known
		if w.hub.Calls() != calls {
			t.Error("GitHub was called for nothing")
		}
	})
}

// An organization without records is said once, delays nothing and is asked again a day later.
func TestAnOrganizationWithoutRecords(t *testing.T) {
	for _, status := range []int{403, 404, 422} {
		recording(t, func(t *testing.T, w *stage) {
			w.hub.Faults.Set(fault.Fault{Status: status, Body: `{"message":"Not Found"}`})
			w.do(t, built(digestA), 1)
			calls := w.hub.Calls()
			w.do(t, built(digestB), 2)
			if w.hub.Calls() != calls || strings.Count(w.log.String(), "deploymentRecords: false") > 1 || strings.Count(w.log.String(), "takes no deployment records") != 1 {
				t.Errorf("%d: %d more calls, the log says\n%s", status, w.hub.Calls()-calls, w.log)
			}
			if _, ok := w.memos["queue/webshop"]; ok {
				t.Errorf("%d: it waits", status)
			}
			w.hub.Faults.Set()
			time.Sleep(recordsAgain)
			w.do(t, built(digestA), 3)
			if len(w.hub.Records("acme")) != 1 {
				t.Errorf("%d: a day later nothing is recorded", status)
			}
		})
	}
}

func TestImagesOfAnExecution(t *testing.T) {
	e := &workflows.Execution{SourceRevisions: []workflows.SourceRevision{{Type: "IMAGE_DIGEST", RevisionID: digestA, Repository: "base"}, {RevisionID: "abc", Repository: "acme/webshop"}},
		Outputs: map[string]map[string]string{"Build": {"ImageDigest": digestB, "ImageURI": "1.dkr.ecr/shop@" + digestB}, "Other": {"imageDigest": "latest"}},
		Stages:  []workflows.StageExecution{{Actions: []workflows.ActionExecution{{OutputVariables: map[string]string{"ECRImageDigestId": digestB, "ECRRepositoryName": "again"}}}}}}
	if diff := cmp.Diff([]image{{"base", digestA}, {"1.dkr.ecr/shop", digestB}}, imagesOf("webshop", e), cmp.AllowUnexported(image{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]image{{"webshop", digestA}}, imagesOf("webshop", &workflows.Execution{Outputs: map[string]map[string]string{"B": {"imageDigest": digestA}}}), cmp.AllowUnexported(image{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
