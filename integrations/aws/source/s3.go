package source

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// versionType is what the revision of an object is.
const versionType = "S3_OBJECT_VERSION_ID"

func s3Objects() []runner.Kind {
	return []runner.Kind{{Category: "Source", Provider: "S3", Start: takeObject, Needs: objectNeeds, Check: checkObject, Subject: runner.Subject{Setting: "S3Bucket", Deleted: "DeleteBucket"}}}
}

// takeObject pins the version of an object and makes it the action's artifact.
// Repeating it is harmless: the artifact is named by what is in it.
func takeObject(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	o := artifacts.Object{Bucket: a.Setting("S3Bucket"), Key: a.Setting("S3ObjectKey")}
	if r := a.Task.Revision; r != nil {
		o.Key = cmp.Or(r.ObjectKey, o.Key)
		if r.RevisionID != o.Key && r.Type != "S3_OBJECT_KEY" {
			o.Version = r.RevisionID
		}
	}
	head, region, err := headObject(ctx, a.Config, o)
	if err != nil {
		return refusedObject(a, o, err)
	}
	o.Region, o.Version = region, aws.ToString(head.VersionId)
	if o.Version == "" || o.Version == "null" {
		return work.Outcome{}, &runner.SettingsError{Text: "the bucket " + o.Bucket + " keeps no versions, so nobody could find out later what was built; enable versioning for it"}
	}
	if err := a.Logf("%s, %d bytes", o.At(), aws.ToInt64(head.ContentLength)); err != nil {
		return work.Outcome{}, err
	}
	outcome := work.Outcome{State: work.Succeeded, ExternalID: o.Version, ExternalURL: a.URL("s3/object/"+o.Bucket+"?prefix="+o.Key, ""),
		Outputs:  map[string]string{"BucketName": o.Bucket, "ObjectKey": o.Key, "ETag": strings.Trim(aws.ToString(head.ETag), `"`), "VersionId": o.Version},
		Revision: &workflows.SourceRevision{ActionName: a.Task.Action.Name, RevisionID: o.Version, RevisionSummary: "Amazon S3 version id: " + o.Version, Repository: o.Bucket, Branch: o.Key, Type: versionType}}
	outcome.Revision.RevisionURL = outcome.ExternalURL
	if o.Key != a.Setting("S3ObjectKey") {
		outcome.Revision.ObjectKey = o.Key
	}
	for _, out := range a.Task.Action.OutputArtifacts {
		one, err := a.Take(ctx, out.Name, o)
		if err != nil {
			return work.Outcome{}, err
		}
		outcome.Artifacts = append(outcome.Artifacts, one)
	}
	return outcome, nil
}

// headObject looks at an object, in whichever Region its bucket is: S3 says where.
func headObject(ctx context.Context, config aws.Config, o artifacts.Object) (head *s3.HeadObjectOutput, region string, err error) {
	in := &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key}
	if o.Version != "" {
		in.VersionId = &o.Version
	}
	region = config.Region
	for range 2 {
		client := s3.NewFromConfig(config, func(c *s3.Options) { c.Region, c.UsePathStyle = region, c.BaseEndpoint != nil })
		head, err = client.HeadObject(ctx, in)
		err = artifacts.WhyDenied(ctx, client, in, err)
		status, elsewhere := answered(err)
		if elsewhere == "" || elsewhere == region || status != http.StatusMovedPermanently && status != http.StatusBadRequest {
			break
		}
		region = elsewhere
	}
	return head, region, err
}

// answered is the status of S3's answer to a call that failed, and the Region that it says.
func answered(err error) (status int, region string) {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		return resp.HTTPStatusCode(), resp.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return 0, ""
}

// refusedObject puts into words what S3 answers to HEAD, which has no body.
func refusedObject(a *runner.Attempt, o artifacts.Object, err error) (work.Outcome, error) {
	_, said := accounts.Words(err)
	switch status, _ := answered(err); status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return runner.Fail("RevisionUnavailable", "there is nothing at "+o.At()+": bucket, key or version are wrong, or it was removed", a.Explain(err)), nil
	case http.StatusForbidden:
		return runner.Fail("AccessDenied", "S3 refuses "+o.At()+": "+said, a.Explain(err)), nil
	}
	return work.Outcome{}, err
}

// headOfObject is the newest version of what an action follows.
func headOfObject(ctx context.Context, config aws.Config, action workflows.Action) (work.Change, error) {
	o := artifacts.Object{Bucket: action.Configuration["S3Bucket"], Key: action.Configuration["S3ObjectKey"]}
	head, _, err := headObject(ctx, config, o)
	if err != nil {
		return work.Change{}, err
	}
	c := work.Change{Provider: "S3", Kind: work.ObjectKind, Event: "push", Repository: o.Bucket, Branch: o.Key, Commit: aws.ToString(head.VersionId), At: aws.ToTime(head.LastModified)}
	if c.Commit == "" || c.Commit == "null" {
		return work.Change{}, &runner.SettingsError{Text: "the bucket " + o.Bucket + " keeps no versions; enable versioning for it"}
	}
	c.Summary = "Amazon S3 version id: " + c.Commit
	return c, nil
}

// objectNeeds are the permissions of the calls above.
func objectNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	bucket, key := action.Configuration["S3Bucket"], action.Configuration["S3ObjectKey"]
	if strings.EqualFold(action.Configuration["AllowOverrideForS3ObjectKey"], "true") {
		key = "*"
	}
	return []policy.Statement{
		{Sid: "ReadSourceObject", Comment: "the object, in the version that is built", Actions: []string{"s3:GetObject", "s3:GetObjectVersion"}, Resources: []string{at.Bucket(bucket, key)}},
		{Sid: "SeeSourceBucket", Comment: "to distinguish an object that is not there from one that is forbidden", Actions: []string{"s3:ListBucket"}, Resources: []string{at.Bucket(bucket, "")}},
	}
}
