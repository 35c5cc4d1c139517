package trigger

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What the revision of an event is.
const (
	image  = "image"
	object = "object"
)

// Followed is what a source action follows: a repository and its branch, a
// repository of images and a tag, a bucket and the key of an object.
func Followed(a *workflows.Action) (repository, ref string) {
	c := a.Configuration
	switch a.ActionType.Provider {
	case "S3":
		return c["S3Bucket"], c["S3ObjectKey"]
	case "ECR":
		return c["RepositoryName"], cmp.Or(c["ImageTag"], "latest") // as CodePipeline
	case "CodeCommit":
		return c["RepositoryName"], c["BranchName"]
	}
	return cmp.Or(c["FullRepositoryId"], c["Repository"]), c["BranchName"]
}

// reads says whether the source action's repository is the event's. Of a bucket
// it reads one object only.
func reads(a *workflows.Action, e Event) bool {
	if e.Repository == "" {
		return false
	}
	repository, ref := Followed(a)
	switch provider := a.ActionType.Provider; provider {
	case "GitHub", "Bitbucket", "GitLab":
		return e.Provider == provider && strings.EqualFold(bare(repository), bare(e.Repository))
	case "CodeStarSourceConnection":
		// The same name is another repository at another host: which one a connection
		// leads to is only known where the configuration says it, else it is GitHub.
		arn := a.Configuration["ConnectionArn"]
		leads := e.Provider == "GitHub" && !slices.Contains(e.Elsewhere, arn) || slices.Contains(e.Connections, arn)
		return leads && strings.EqualFold(bare(repository), bare(e.Repository))
	case "Git":
		return e.Provider == "Git" && bare(repository) == bare(e.Repository)
	case "S3":
		return e.Provider == provider && repository == e.Repository && ref == e.Branch
	case "ECR", "CodeCommit":
		return e.Provider == provider && repository == e.Repository
	}
	return false
}

// bare is a repository's name without what may be written or left out.
func bare(repository string) string {
	return strings.TrimRight(strings.TrimSuffix(strings.TrimRight(repository, "/"), ".git"), "/")
}
