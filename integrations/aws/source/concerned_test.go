package source

import (
	"encoding/json"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/workflows"
)

// An event concerns the source actions that follow what it names, in its Region, and
// no others; of a revision it says nothing that counts.
func TestWhatEventsConcern(t *testing.T) {
	actions := map[string]workflows.Action{
		"object": {ActionType: workflows.ActionType{Category: "Source", Provider: "S3"}, Region: "us-east-1", Configuration: map[string]string{"S3Bucket": "drop", "S3ObjectKey": "a b/app.zip"}},
		"latest": {ActionType: workflows.ActionType{Category: "Source", Provider: "ECR"}, Configuration: map[string]string{"RepositoryName": "shop"}},
		"tagged": {ActionType: workflows.ActionType{Category: "Source", Provider: "ECR"}, Region: "eu-west-1", Configuration: map[string]string{"RepositoryName": "shop", "ImageTag": "prod"}},
		"branch": {ActionType: workflows.ActionType{Category: "Source", Provider: "CodeCommit"}, Region: "eu-west-1", Configuration: map[string]string{"RepositoryName": "shop", "BranchName": "main"}},
	}
	for name, c := range map[string]struct{ source, kind, region, detail, want string }{
		"a new object":              {"aws.s3", "Object Created", "eu-west-1", `{"version":"0","bucket":{"name":"drop"},"object":{"key":"a b/app.zip","size":5,"version-id":"v1"},"reason":"PutObject"}`, "object"},
		"another object":            {"aws.s3", "Object Created", "eu-west-1", `{"bucket":{"name":"drop"},"object":{"key":"b.zip"}}`, ""},
		"an upload, by CloudTrail":  {"aws.s3", "AWS API Call via CloudTrail", "eu-west-1", `{"eventName":"CompleteMultipartUpload","requestParameters":{"bucketName":"drop","key":"a b/app.zip"}}`, "object"},
		"a read, by CloudTrail":     {"aws.s3", "AWS API Call via CloudTrail", "eu-west-1", `{"eventName":"GetObject","requestParameters":{"bucketName":"drop","key":"a b/app.zip"}}`, ""},
		"an image":                  {"aws.ecr", "ECR Image Action", "eu-west-1", `{"result":"SUCCESS","repository-name":"shop","image-digest":"sha256:1","action-type":"PUSH","image-tag":"latest"}`, "latest"},
		"an image with a tag":       {"aws.ecr", "ECR Image Action", "eu-west-1", `{"result":"SUCCESS","repository-name":"shop","action-type":"PUSH","image-tag":"prod"}`, "tagged"},
		"an image in another place": {"aws.ecr", "ECR Image Action", "us-east-1", `{"result":"SUCCESS","repository-name":"shop","action-type":"PUSH","image-tag":"prod"}`, ""},
		"an image that is deleted":  {"aws.ecr", "ECR Image Action", "eu-west-1", `{"result":"SUCCESS","repository-name":"shop","action-type":"DELETE","image-tag":"prod"}`, ""},
		"a push that failed":        {"aws.ecr", "ECR Image Action", "eu-west-1", `{"result":"FAILURE","repository-name":"shop","action-type":"PUSH","image-tag":"prod"}`, ""},
		"an image without a tag":    {"aws.ecr", "ECR Image Action", "eu-west-1", `{"result":"SUCCESS","repository-name":"shop","action-type":"PUSH"}`, ""},
		"a commit":                  {"aws.codecommit", "CodeCommit Repository State Change", "eu-west-1", `{"event":"referenceUpdated","repositoryName":"shop","referenceType":"branch","referenceName":"main","commitId":"c1"}`, "branch"},
		"a tag":                     {"aws.codecommit", "CodeCommit Repository State Change", "eu-west-1", `{"event":"referenceCreated","repositoryName":"shop","referenceType":"tag","referenceName":"main"}`, ""},
		"a branch that is deleted":  {"aws.codecommit", "CodeCommit Repository State Change", "eu-west-1", `{"event":"referenceDeleted","repositoryName":"shop","referenceType":"branch","referenceName":"main"}`, ""},
		"a stranger's event":        {"acme.shop", "Object Created", "eu-west-1", `{"bucket":{"name":"drop"},"object":{"key":"a b/app.zip"}}`, ""},
		"another shape":             {"aws.s3", "Object Created", "eu-west-1", `{"bucket":"drop","object":["a b/app.zip"]}`, ""},
	} {
		concerned := Concerned(&events.Event{Source: c.source, DetailType: c.kind, Region: c.region, Detail: json.RawMessage(c.detail)})
		got := ""
		for of, a := range actions {
			if concerned != nil && concerned(a) {
				got += of
			}
		}
		if got != c.want {
			t.Errorf("%s concerns %q, want %q", name, got, c.want)
		}
	}
}
