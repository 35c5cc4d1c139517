package source

import (
	"cmp"
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codecommit"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

// checkObject looks at the newest version of the object, and so whether its bucket keeps versions.
func checkObject(ctx context.Context, c aws.Config, action *workflows.Action) error {
	_, err := headOfObject(ctx, c, *action)
	if status, _ := answered(err); status == http.StatusNotFound {
		return &runner.SettingsError{Text: "there is nothing at s3://" + action.Configuration["S3Bucket"] + "/" + action.Configuration["S3ObjectKey"]}
	}
	return err
}

// checkImage looks whether an image has the tag.
func checkImage(ctx context.Context, c aws.Config, action *workflows.Action) error {
	repository, tag := action.Configuration["RepositoryName"], cmp.Or(action.Configuration["ImageTag"], "latest")
	_, err := describeImage(ctx, c, repository, types.ImageIdentifier{ImageTag: &tag})
	if runner.Code(err) == "ImageNotFound" {
		return &runner.SettingsError{Text: "no image of the repository " + repository + " has the tag " + tag, Fix: "push one with that tag, or correct ImageTag"}
	}
	return runner.Absent(err, "there is no ECR repository %s in %s", repository, c.Region)
}

// checkBranch looks whether the repository has the branch.
func checkBranch(ctx context.Context, c aws.Config, action *workflows.Action) error {
	repository, branch := action.Configuration["RepositoryName"], action.Configuration["BranchName"]
	_, err := codecommit.NewFromConfig(c).GetBranch(ctx, &codecommit.GetBranchInput{RepositoryName: &repository, BranchName: &branch})
	if runner.Code(err) == "BranchDoesNotExist" {
		return &runner.SettingsError{Text: "the repository " + repository + " has no branch " + branch}
	}
	return runner.Absent(err, "there is no CodeCommit repository %s in %s", repository, c.Region)
}
