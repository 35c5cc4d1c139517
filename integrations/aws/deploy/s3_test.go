package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudfront"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const site = "acme-site"

func s3Kind() runner.Kind { return toS3()[0] }

// siteWorld has a bucket for the site, CloudFront before it, and what is deployed.
func siteWorld(w *runnertest.World) (*s3.Service, *cloudfront.Service) {
	store := awsfake.At[*s3.Service](w.AWS, runnertest.Account, runnertest.Region)
	store.Create(s3.Bucket{Name: site, Owner: runnertest.Account, Region: runnertest.Region})
	store.Create(s3.Bucket{Name: runnertest.Bucket, Owner: runnertest.Account, Region: runnertest.Region})
	cdn := awsfake.At[*cloudfront.Service](w.AWS, "", "")
	cdn.Distribution("E2QWRUHAPOMQZL", runnertest.Account)
	w.Files["web"] = map[string]string{"index.html": "<html>", "about/index.html": "<html>", "assets/app.9f2c.js": "js", "robots.txt": "all", "z.css": "css"}
	return store, cdn
}

// puts are the keys in the order in which they were put.
func puts(w *runnertest.World) (keys []string) {
	for _, c := range w.AWS.Calls() {
		if c.Name() == "s3:PutObject" {
			_, rest, _ := strings.Cut(string(c.Input), `"Key":"`)
			key, _, _ := strings.Cut(rest, `"`)
			keys = append(keys, key)
		}
	}
	return keys
}

// The files of an artifact are put with what browsers must know, pages last, and it is
// over when CloudFront has forgotten the old ones.
func TestFilesAreDeployed(t *testing.T) {
	runnertest.In(t, s3Kind(), func(w *runnertest.World) {
		store, cdn := siteWorld(w)
		o := w.Run(w.Task(map[string]string{"BucketName": site, "Extract": "true", "ObjectKey": "v1", "CacheControl": "max-age=60", "KMSEncryptionKeyARN": "arn:aws:kms:eu-west-1:111122223333:key/1", "DistributionId": "E2QWRUHAPOMQZL"}, "web"))
		made := cdn.Invalidations()
		if o.State != work.Succeeded || len(made) != 1 || o.Summary != "5 files in s3://acme-site" {
			t.Fatalf("it ended as %+v %+v, with %v", o, o.Error, made)
		}
		if want := map[string]string{"FileCount": "5", "InvalidationId": made[0].ID, "Prefix": "v1"}; !cmp.Equal(o.Outputs, want) {
			t.Errorf("outputs %v", o.Outputs)
		}
		if made[0].Reference != runner.TokenOf(w.Task(nil).ID) || !slices.Equal(made[0].Paths, []string{"/*"}) || time.Since(made[0].At) < time.Minute {
			t.Errorf("invalidated %+v", made[0])
		}
		var got []string
		for _, f := range store.Objects(site) {
			got = append(got, fmt.Sprintf("%s %s %s %s %s", f.Key, f.ContentType, f.CacheControl, f.Encryption, f.Data))
		}
		want := []string{"v1/about/index.html text/html; charset=utf-8 max-age=60 aws:kms <html>", "v1/assets/app.9f2c.js text/javascript; charset=utf-8 max-age=60 aws:kms js", "v1/index.html text/html; charset=utf-8 max-age=60 aws:kms <html>",
			"v1/robots.txt text/plain; charset=utf-8 max-age=60 aws:kms all", "v1/z.css text/css; charset=utf-8 max-age=60 aws:kms css"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("deployed (-want +got):\n%s", d)
		}
		order := puts(w)
		if first := slices.IndexFunc(order, func(k string) bool { return strings.HasSuffix(k, ".html") }); first != 3 || len(order) != 5 {
			t.Errorf("put in the order %v", order)
		}
		if log := w.Log(); !strings.Contains(log, "5 of 5 files are in s3://acme-site") || !strings.Contains(log, "CloudFront began the invalidation "+made[0].ID) {
			t.Errorf("the log says:\n%s", log)
		}
	})
}

// Without Extract the artifact is the object, copied by S3 itself.
func TestTheArtifactIsTheObject(t *testing.T) {
	runnertest.In(t, s3Kind(), func(w *runnertest.World) {
		store, _ := siteWorld(w)
		w.Files["web"] = map[string]string{}
		version := store.Put(runnertest.Bucket, "web", []byte("a zip"))
		task := w.Task(map[string]string{"BucketName": site, "Extract": "false", "ObjectKey": "releases/{datetime}/{uuid}.zip"}, "web")
		began := time.Now().UTC().Format("2006-01-02_15-04-05")
		store.Rename(runnertest.Bucket, "web", version, "v1")
		o := w.Run(task)
		all := store.Objects(site)
		if o.State != work.Succeeded || len(all) != 1 || string(all[0].Data) != "a zip" {
			t.Fatalf("it ended as %+v %+v, with %v", o, o.Error, all)
		}
		if key := all[0].Key; !strings.HasPrefix(key, "releases/"+began+"/") || len(key) != len("releases/")+len(began)+1+36+4 || w.Called("s3:PutObject") != 0 {
			t.Errorf("it is %s", key)
		}
		w.Pass(time.Minute)
		if w.Run(task); len(store.Objects(site)) != 1 {
			t.Error("a second try has another key")
		}
	})
}

// What cannot be deployed is said in words that help.
func TestFilesThatCannotBeDeployed(t *testing.T) {
	for name, c := range map[string]struct {
		with  func(w *runnertest.World, store *s3.Service, set map[string]string)
		code  string
		words string
	}{
		"ACLs": {func(_ *runnertest.World, _ *s3.Service, set map[string]string) { set["CannedACL"] = "public-read" }, "ConfigurationInvalid", "takes no ACLs: remove CannedACL"},
		"another Region": {func(_ *runnertest.World, s *s3.Service, _ map[string]string) {
			s.Create(s3.Bucket{Name: site, Owner: runnertest.Account, Region: "us-east-1"})
		}, "ConfigurationInvalid", "is not in eu-west-1: set the action's region"},
		"no bucket":       {func(_ *runnertest.World, _ *s3.Service, set map[string]string) { set["BucketName"] = "nobodys" }, "NoSuchBucket", "does not exist"},
		"no artifact":     {func(w *runnertest.World, _ *s3.Service, _ map[string]string) { delete(w.Files, "web") }, "ArtifactMissing", "s3://acme-art/web: it was removed"},
		"an empty one":    {func(w *runnertest.World, _ *s3.Service, _ map[string]string) { w.Files["web"] = map[string]string{} }, "ConfigurationInvalid", "has no files"},
		"no key":          {func(_ *runnertest.World, _ *s3.Service, set map[string]string) { set["Extract"] = "false" }, "ConfigurationInvalid", "ObjectKey is missing"},
		"no distribution": {func(_ *runnertest.World, _ *s3.Service, set map[string]string) { set["DistributionId"] = "E0" }, "NoSuchDistribution", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, s3Kind(), func(w *runnertest.World) {
				store, _ := siteWorld(w)
				set := map[string]string{"BucketName": site, "Extract": "true"}
				c.with(w, store, set)
				if o := w.Run(w.Task(set, "web")); o.State != work.Failed || o.Error.Code != c.code || !strings.Contains(o.Error.Message, c.words) {
					t.Errorf("it ended as %s: %+v", o.State, o.Error)
				}
			})
		})
	}
}

// Where CloudFront allows no further invalidation, it is asked for again.
func TestInvalidationsWaitForOthers(t *testing.T) {
	runnertest.In(t, s3Kind(), func(w *runnertest.World) {
		_, cdn := siteWorld(w)
		w.AWS.Faults(awsfake.Fault{Operation: "cloudfront:CreateInvalidation", Trouble: awsfake.Refuse, Code: "TooManyInvalidationsInProgress", Message: "too many", Times: 3})
		o := w.Run(w.Task(map[string]string{"BucketName": site, "Extract": "true", "DistributionId": "E2QWRUHAPOMQZL"}, "web"))
		if o.State != work.Succeeded || len(cdn.Invalidations()) != 1 || len(puts(w)) != 5 {
			t.Errorf("it ended as %s %+v after %d puts", o.State, o.Error, len(puts(w)))
		}
	})
}

// Whatever goes wrong at a call, the files are there and the invalidation is made once.
func TestFilesMatrix(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{
		Kind: s3Kind,
		Given: func(w *runnertest.World) work.Task {
			siteWorld(w)
			return w.Task(map[string]string{"BucketName": site, "Extract": "true", "DistributionId": "E2QWRUHAPOMQZL"}, "web")
		},
	})
}
