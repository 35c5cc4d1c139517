package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cdn "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// uploading is the handle while files are put; that of an invalidation follows.
	uploading    = "upload"
	invalidating = "invalidation/"
	// distribution is the key by which CloudFront forgets what it has of the files.
	distribution = "DistributionId"
)

func toS3() []runner.Kind {
	return []runner.Kind{{Category: "Deploy", Provider: "S3", Start: startFiles, Poll: pollFiles, Needs: filesNeed, Check: checkBucket, Optional: seeBucket, Subject: runner.Subject{Setting: "BucketName", Deleted: "DeleteBucket"}}}
}

// startFiles puts the artifact into the bucket: as it is, or its files. Putting the
// same again is harmless, so a lost answer needs no look.
func startFiles(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	if extracts(a.Setting("Extract")) {
		return putFiles(ctx, a)
	}
	if a.Setting("ObjectKey") == "" {
		return work.Outcome{}, &runner.SettingsError{Text: "ObjectKey is missing: with Extract false it is the key of the object"}
	}
	name, err := onlyInput(a)
	if err != nil {
		return work.Outcome{}, err
	}
	from, err := a.Input(ctx, name)
	if err != nil {
		return work.Outcome{}, err
	}
	client, err := s3Client(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	key := objectKey(a)
	source := url.PathEscape(from.Bucket) + "/" + strings.NewReplacer("%2F", "/", "+", "%2B").Replace(url.PathEscape(from.Key))
	if from.Version != "" {
		source += "?versionId=" + url.QueryEscape(from.Version)
	}
	in := &s3.CopyObjectInput{Bucket: aws.String(a.Setting("BucketName")), Key: &key, CopySource: &source, ACL: types.ObjectCannedACL(a.Setting("CannedACL"))}
	if cache := a.Setting("CacheControl"); cache != "" {
		in.CacheControl, in.ContentType, in.MetadataDirective = &cache, aws.String(contentType(key)), types.MetadataDirectiveReplace
	}
	if key := a.Setting("KMSEncryptionKeyARN"); key != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &key
	}
	if _, err := client.CopyObject(ctx, in); err != nil {
		return work.Outcome{}, refusedFile(a, err)
	}
	if err := a.Logf("copied the artifact %s to s3://%s/%s", name, a.Setting("BucketName"), key); err != nil {
		return work.Outcome{}, err
	}
	return afterFiles(ctx, a, 1)
}

// s3Client calls S3 as the action, for whole objects.
func s3Client(ctx context.Context, a *runner.Attempt) (*s3.Client, error) {
	config, err := a.TransferConfig(ctx)
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }), nil
}

func extracts(text string) bool { return strings.EqualFold(text, "true") }

func onlyInput(a *runner.Attempt) (string, error) {
	if names := a.Task.Action.InputArtifacts; len(names) == 1 {
		return names[0], nil
	}
	return "", &runner.SettingsError{Text: "the action needs exactly one input artifact"}
}

// objectKey is the key, with {datetime} and {uuid} filled in: the same ones for the
// same attempt, however often it is tried.
func objectKey(a *runner.Attempt) string {
	sum := sha256.Sum256([]byte(a.Token))
	h := hex.EncodeToString(sum[:16])
	id := h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
	began := a.Began()
	if began.IsZero() {
		began = a.Now()
	}
	return strings.NewReplacer("{datetime}", began.UTC().Format("2006-01-02_15-04-05"), "{uuid}", id).Replace(a.Setting("ObjectKey"))
}

// afterFiles follows the last file: CloudFront forgets the old ones, or all is done.
func afterFiles(ctx context.Context, a *runner.Attempt, count int) (work.Outcome, error) {
	id := a.Setting(distribution)
	if id == "" {
		return filesDeployed(a, count, ""), nil
	}
	paths := []string{"/*"}
	out, err := cloudfront.NewFromConfig(a.Config).CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{DistributionId: &id,
		InvalidationBatch: &cdn.InvalidationBatch{CallerReference: &a.Token, Paths: &cdn.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths}}})
	if runner.Code(err) == "TooManyInvalidationsInProgress" {
		return work.Outcome{}, runner.Later("CloudFront has as many invalidations of %s under way as it allows", id)
	}
	if err != nil {
		return work.Outcome{}, err
	}
	invalidation := aws.ToString(out.Invalidation.Id)
	if err := a.Logf("CloudFront began the invalidation %s of %s", invalidation, id); err != nil {
		return work.Outcome{}, err
	}
	return filesRunning(a, invalidating+strconv.Itoa(count)+"/"+invalidation), nil
}

func filesRunning(a *runner.Attempt, handle string) work.Outcome {
	o := work.Outcome{State: work.Running, Handle: handle, ExternalURL: bucketPage(a)}
	if parts := strings.Split(handle, "/"); len(parts) == 3 {
		o.ExternalID, o.ExternalURL = parts[2], a.URL("cloudfront/v4/home", "/distributions/"+a.Setting(distribution)+"/invalidations/details/"+parts[2])
	}
	return o
}

func bucketPage(a *runner.Attempt) string { return a.URL("s3/buckets/"+a.Setting("BucketName"), "") }

// pollFiles goes on with the files, or asks how the invalidation stands.
func pollFiles(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	parts := strings.Split(a.Handle(), "/")
	if len(parts) != 3 {
		return putFiles(ctx, a)
	}
	out, err := cloudfront.NewFromConfig(a.Config).GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: aws.String(a.Setting(distribution)), Id: &parts[2]})
	if err != nil {
		return work.Outcome{}, err
	}
	if !strings.EqualFold(aws.ToString(out.Invalidation.Status), "Completed") { // emulators write it otherwise
		return filesRunning(a, a.Handle()), nil
	}
	count, err := strconv.Atoi(parts[1])
	if err != nil {
		return work.Outcome{}, err
	}
	return filesDeployed(a, count, parts[2]), nil
}

func filesDeployed(a *runner.Attempt, count int, invalidation string) work.Outcome {
	o := work.Outcome{State: work.Succeeded, ExternalID: invalidation, ExternalURL: bucketPage(a), Summary: strconv.Itoa(count) + " files in s3://" + a.Setting("BucketName"),
		Outputs: map[string]string{"FileCount": strconv.Itoa(count), "InvalidationId": invalidation, "Prefix": objectKey(a)}, EndedAt: a.Now().Truncate(time.Second)}
	if count == 1 {
		o.Summary = "1 file in s3://" + a.Setting("BucketName")
	}
	return o
}

// filesNeed are the permissions of the calls here.
func filesNeed(action *workflows.Action, at policy.Place) []policy.Statement {
	c := action.Configuration
	calls := []string{"s3:PutObject"}
	if c["CannedACL"] != "" {
		calls = append(calls, "s3:PutObjectAcl")
	}
	all := []policy.Statement{{Sid: "PutFiles", Comment: "what is deployed", Actions: calls, Resources: []string{at.Bucket(c["BucketName"], "*")}}}
	if !extracts(c["Extract"]) {
		all = append(all, at.ReadArtifacts("S3 copies the artifact in the role's name")...)
	}
	if id := c[distribution]; id != "" {
		everywhere := at
		everywhere.Region = "" // CloudFront is of no Region
		all = append(all, policy.Statement{Sid: "InvalidateCache", Comment: "CloudFront forgets the old files", Actions: []string{"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"}, Resources: []string{everywhere.ARN("cloudfront", "distribution/"+id)}})
	}
	if key := c["KMSEncryptionKeyARN"]; key != "" {
		all = append(all, policy.Statement{Sid: "EncryptFiles", Comment: "the key of what is deployed", Actions: []string{"kms:GenerateDataKey"}, Resources: []string{key}})
	}
	return all
}
