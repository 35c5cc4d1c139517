package source

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	digestType = "IMAGE_DIGEST" // what the revision of an image is
	// detailFile is what the artifact of an image holds, as CodePipeline writes it.
	detailFile = "imageDetail.json"
)

func images() []runner.Kind {
	return []runner.Kind{{Category: "Source", Provider: "ECR", Start: takeImage, Needs: imageNeeds, Check: checkImage, Subject: runner.Subject{Setting: "RepositoryName", Deleted: "DeleteRepository"}}}
}

// imageDetail is the content of [detailFile].
type imageDetail struct {
	ImageSizeInBytes string
	ImageDigest      string
	Version          string
	ImagePushedAt    string
	RegistryID       string `json:"RegistryId"`
	RepositoryName   string
	ImageURI         string
	ImageTags        []string
}

// takeImage pins the digest of an image. The image stays where it is: the artifact says which one it is.
func takeImage(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	id := types.ImageIdentifier{ImageTag: aws.String(cmp.Or(a.Setting("ImageTag"), "latest"))}
	if r := a.Task.Revision; r != nil && r.RevisionID != "" {
		id = types.ImageIdentifier{ImageDigest: &r.RevisionID}
	}
	image, err := describeImage(ctx, a.Config, a.Setting("RepositoryName"), id)
	if err != nil {
		return work.Outcome{}, err
	}
	d := detailOf(image, a.Config.Region)
	data, err := json.Marshal(d)
	if err == nil {
		err = os.WriteFile(filepath.Join(a.Dir(), detailFile), data, 0o600)
	}
	if err != nil {
		return work.Outcome{}, err
	}
	page := a.URL("ecr/repositories/private/"+d.RegistryID+"/"+d.RepositoryName, "")
	o := work.Outcome{State: work.Succeeded, ExternalID: d.ImageDigest, ExternalURL: page,
		Outputs:  map[string]string{"RegistryId": d.RegistryID, "RepositoryName": d.RepositoryName, "ImageTag": cmp.Or(a.Setting("ImageTag"), "latest"), "ImageDigest": d.ImageDigest, "ImageURI": d.ImageURI},
		Revision: &workflows.SourceRevision{ActionName: a.Task.Action.Name, RevisionID: d.ImageDigest, RevisionSummary: summaryOf(image), RevisionURL: page, Repository: d.RepositoryName, Branch: cmp.Or(a.Setting("ImageTag"), "latest"), Type: digestType}}
	for _, out := range a.Task.Action.OutputArtifacts {
		one, err := a.Pack(out.Name, a.Dir(), detailFile)
		if err != nil {
			return work.Outcome{}, err
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, a.Logf("%s", d.ImageURI)
}

func describeImage(ctx context.Context, c aws.Config, repository string, id types.ImageIdentifier) (types.ImageDetail, error) {
	out, err := ecr.NewFromConfig(c).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{id}})
	if err != nil {
		return types.ImageDetail{}, err
	}
	if len(out.ImageDetails) == 0 {
		return types.ImageDetail{}, &runner.SettingsError{Text: "ECR has no such image in " + repository}
	}
	return out.ImageDetails[0], nil
}

func detailOf(i types.ImageDetail, region string) imageDetail {
	registry, repository := aws.ToString(i.RegistryId), aws.ToString(i.RepositoryName)
	host := registry + ".dkr.ecr." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	d := imageDetail{ImageSizeInBytes: strconv.FormatInt(aws.ToInt64(i.ImageSizeInBytes), 10), ImageDigest: aws.ToString(i.ImageDigest), Version: "1.0", RegistryID: registry, RepositoryName: repository,
		ImageURI: host + "/" + repository + "@" + aws.ToString(i.ImageDigest), ImageTags: slices.Sorted(slices.Values(i.ImageTags))}
	if i.ImagePushedAt != nil {
		d.ImagePushedAt = i.ImagePushedAt.UTC().Format(time.UnixDate)
	}
	return d
}

func summaryOf(i types.ImageDetail) string {
	return "image tagged " + strings.Join(slices.Sorted(slices.Values(i.ImageTags)), ", ")
}

// headOfImage is the image that has the tag now.
func headOfImage(ctx context.Context, c aws.Config, action workflows.Action) (work.Change, error) {
	repository, tag := action.Configuration["RepositoryName"], cmp.Or(action.Configuration["ImageTag"], "latest")
	image, err := describeImage(ctx, c, repository, types.ImageIdentifier{ImageTag: &tag})
	if err != nil {
		return work.Change{}, err
	}
	return work.Change{Provider: "ECR", Kind: work.ImageKind, Event: "push", Repository: repository, Branch: tag, Commit: aws.ToString(image.ImageDigest), Summary: summaryOf(image), At: aws.ToTime(image.ImagePushedAt)}, nil
}

// imageNeeds are the permissions of the calls above.
func imageNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "ReadImage", Comment: "which image has the tag", Actions: []string{"ecr:DescribeImages"}, Resources: []string{at.ARN("ecr", "repository/"+action.Configuration["RepositoryName"])}}}
}
