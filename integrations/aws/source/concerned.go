package source

import (
	"cmp"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/events"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	objectCreated = "Object Created"
	objectCalled  = "AWS API Call via CloudTrail" // the rules that CodePipeline made before S3 had events of its own
	imagePushed   = "ECR Image Action"
	branchMoved   = "CodeCommit Repository State Change"
)

// DetailTypes are those of the events that tell of changes.
func DetailTypes() []string {
	return []string{objectCreated, objectCalled, imagePushed, branchMoved}
}

// Concerned says which source actions an event concerns; nil: none can be. Which
// revision there is now, the event does not decide.
func Concerned(e *events.Event) func(workflows.Action) bool {
	provider, repository, ref := changed(e)
	if repository == "" || ref == "" {
		return nil
	}
	return func(a workflows.Action) bool {
		if a.ActionType.Provider != provider || provider != "S3" && a.Region != "" && a.Region != e.Region {
			return false // the Region of a bucket is whichever it is
		}
		c := a.Configuration
		switch provider {
		case "S3":
			return c["S3Bucket"] == repository && c["S3ObjectKey"] == ref
		case "ECR":
			return c["RepositoryName"] == repository && cmp.Or(c["ImageTag"], "latest") == ref
		}
		return c["RepositoryName"] == repository && c["BranchName"] == ref
	}
}

// changed is what an event says has changed; empty: nothing that a source follows.
func changed(e *events.Event) (provider, repository, ref string) {
	switch e.Source + " " + e.DetailType {
	case "aws.s3 " + objectCreated:
		var d struct {
			Bucket struct{ Name string }
			Object struct{ Key string }
		}
		if e.Read(&d) {
			return "S3", d.Bucket.Name, d.Object.Key
		}
	case "aws.s3 " + objectCalled:
		var d struct {
			EventName         string
			RequestParameters struct{ BucketName, Key string }
		}
		if e.Read(&d) && slices.Contains([]string{"PutObject", "CompleteMultipartUpload", "CopyObject"}, d.EventName) {
			return "S3", d.RequestParameters.BucketName, d.RequestParameters.Key
		}
	case "aws.ecr " + imagePushed:
		var d struct {
			Action     string `json:"action-type"`
			Result     string `json:"result"`
			Repository string `json:"repository-name"`
			Tag        string `json:"image-tag"`
		}
		if e.Read(&d) && d.Action == "PUSH" && d.Result == "SUCCESS" {
			return "ECR", d.Repository, d.Tag
		}
	case "aws.codecommit " + branchMoved:
		var d struct{ Event, RepositoryName, ReferenceType, ReferenceName string }
		if e.Read(&d) && d.ReferenceType == "branch" && (d.Event == "referenceCreated" || d.Event == "referenceUpdated") {
			return "CodeCommit", d.RepositoryName, d.ReferenceName
		}
	}
	return "", "", ""
}
