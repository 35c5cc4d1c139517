package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudfront"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	siteDistribution = "E2QWRUHAPOMQZL"
	siteRole         = "arn:aws:iam::111122223333:role/site-pipeline"
)

// newSite is the pattern GitHub, CodeBuild, S3 and CloudFront. Each build plays the next script.
func newSite(t *testing.T, builds ...codebuild.Script) *patternFixture {
	return newPattern(t, "site/site.json", func(w *patternFixture) {
		w.s3().Create(s3.Bucket{Name: "acme-site", Owner: awsAccount, Region: awsRegion})
		w.cdn().Distribution(siteDistribution, awsAccount)
		w.aws.CodeBuild(awsAccount, awsRegion).Projects(codebuild.Project{Name: "site-render"})
		w.aws.CodeBuild(awsAccount, awsRegion).Play("site-render", builds...)
	})
}

func (w *patternFixture) cdn() *cloudfront.Service {
	return awsfake.At[*cloudfront.Service](w.aws, awsAccount, awsRegion)
}

// rendered is a build that makes a page.
func rendered(page string) codebuild.Script {
	return codebuild.Script{Takes: atOnce(), Files: map[string]map[string]string{"": {"index.html": page}}}
}

// A push is built and put into the bucket, but the role may not have CloudFront forget what lay there before: the
// finding names what it lacks, and with that a retry does the rest. To go back, the pages must still be there: when
// they are gone, from S3 and from the cache of the service, it says which, and the site stays as it is.
func TestPatternSite(t *testing.T) {
	w := newSite(t, rendered("the first page"))
	if err := w.aws.Policies(siteRole, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["codebuild:*", "logs:*", "s3:*"], "Resource": "*"}}`); err != nil {
		t.Fatal(err)
	}
	sha := w.push("one", "Begin")
	w.ended(1, workflows.StatusFailed)
	w.says(1, "cloudfront:CreateInvalidation", "arn:aws:cloudfront::111122223333:distribution/"+siteDistribution)
	if err := w.aws.Policies(siteRole); err != nil {
		t.Fatal(err)
	}
	if status, answer := w.post("/api/v1/executions/"+w.execution(1).ID+"/retry", map[string]any{"stage": "Production"}); status >= 300 {
		t.Fatalf("the retry was refused: %d %v", status, answer)
	}
	w.until("CloudFront is asked to forget", func() bool { return len(w.cdn().Invalidations()) == 1 })
	w.passes(time.Minute)
	w.ended(1, workflows.StatusSucceeded)
	w.shows("the first page")
	if e := w.execution(1); e.SourceRevisions[0].RevisionID != sha || e.Trigger.Type != workflows.TriggerWebhook {
		t.Errorf("started by %+v with %+v", e.Trigger, e.SourceRevisions)
	}

	kept, _, _ := strings.Cut(strings.TrimPrefix(w.execution(1).Artifacts["Pages"].At, "s3://"+artifactsOfPatterns+"/"), "?")
	w.s3().Delete(artifactsOfPatterns, kept, "")
	if err := os.RemoveAll(w.path("data", "artifacts")); err != nil {
		t.Fatal(err)
	}
	if status, answer := w.post("/api/v1/pipelines/site/stages/Production/rollback", map[string]any{"target": w.execution(1).ID, "reason": "somebody has changed the bucket by hand"}); status >= 300 {
		t.Fatalf("the rollback was refused: %d %v", status, answer)
	}
	w.ended(2, workflows.StatusFailed)
	if e := w.action(2, "Production/Publish").Error; e == nil || e.Code != "ArtifactMissing" {
		t.Errorf("the rollback failed with %+v", e)
	}
	w.says(2, kept)
	w.shows("the first page")
}

// shows fails unless this is the page in the site's bucket.
func (w *patternFixture) shows(page string) {
	w.t.Helper()
	if o := w.object("acme-site", "index.html"); o == nil || string(o.Data) != page || o.CacheControl != "public, max-age=300" {
		w.t.Errorf("the site has %+v, not %s", o, page)
	}
}

// A build that fails is shown with its phase, its last lines and its page, and nothing is published.
func TestPatternSiteThatDoesNotBuild(t *testing.T) {
	w := newSite(t, codebuild.Script{Takes: atOnce(), Lines: map[string][]string{"BUILD": {"rendering 12 pages", "index.md:3: there is no layout shop"}},
		Fail: &codebuild.Failure{Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: make pages. Reason: exit status 2"}},
		codebuild.Script{Takes: atOnce(), Files: map[string]map[string]string{}})
	w.push("one", "Break the layout")
	w.ended(1, workflows.StatusFailed)
	w.says(1, "make pages", "exit status 2", "index.md:3: there is no layout shop", "https://eu-west-1.console.aws.amazon.com/codesuite/codebuild/projects/site-render/build/site-render")
	w.push("two", "Render nothing")
	w.ended(2, workflows.StatusFailed)
	w.says(2, "no matching artifact paths found")
	if o := w.object("acme-site", "index.html"); o != nil || len(w.cdn().Invalidations()) > 0 {
		t.Errorf("the site has %+v; CloudFront was asked %d times", o, len(w.cdn().Invalidations()))
	}
}
