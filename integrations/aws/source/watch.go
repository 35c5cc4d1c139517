package source

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// head asks AWS for the newest revision of what a source action follows.
type head func(ctx context.Context, config aws.Config, action workflows.Action) (work.Change, error)

// Watch looks at what source actions of one provider follow.
type Watch struct {
	accounts  *accounts.Accounts
	head      head
	announced bool
}

// Watches are what looks for changes in AWS, by provider. announced says that
// events may tell of them ([Concerned]).
func Watches(a *accounts.Accounts, announced bool) map[string]*Watch {
	return map[string]*Watch{
		"S3":         {a, headOfObject, announced},
		"ECR":        {a, headOfImage, announced},
		"CodeCommit": {a, headOfBranch, announced},
	}
}

// Announced says whether events may tell of changes.
func (w *Watch) Announced() bool { return w.announced }

// Head returns the newest revision of what is followed, as the role sees it that takes
// it later: the action's, else the pipeline's, else the service itself.
func (w *Watch) Head(ctx context.Context, f work.Followed) (work.Change, error) {
	config, err := w.accounts.Config(ctx, accounts.Place{Roles: []string{f.PipelineRole, f.Action.RoleArn}, Region: f.Action.Region, Session: "sources"})
	if err != nil {
		return work.Change{}, err
	}
	return w.head(ctx, config, f.Action)
}

// Key is what is followed, and where: the same name is something else in another
// Region, or for another role.
func (w *Watch) Key(f work.Followed) string {
	c := f.Action.Configuration
	return strings.Join([]string{c["S3Bucket"], c["S3ObjectKey"], c["RepositoryName"], c["ImageTag"], c["BranchName"], f.Action.Region, f.PipelineRole, f.Action.RoleArn}, "|")
}
