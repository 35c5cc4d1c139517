package build

import (
	"cmp"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

// projectOf is whose role reads and writes the artifacts of a build.
func projectOf(a *workflows.Action) string {
	return "the CodeBuild project " + a.Configuration["ProjectName"]
}

// checkProject looks whether the project of an action is there, and where its build
// would find a buildspec. The one in an artifact is not known beforehand.
func checkProject(ctx context.Context, c aws.Config, a *workflows.Action) error {
	name := a.Configuration["ProjectName"]
	p, err := projectIn(ctx, c, name)
	if err != nil || len(a.InputArtifacts) > 0 || p.Source == nil {
		return err
	}
	if spec := aws.ToString(p.Source.Buildspec); !strings.ContainsAny(spec, "\n{") && !strings.HasPrefix(spec, "arn:") {
		return &runner.SettingsError{Text: "the action has no input artifact, so its build has no source, and the project " + name + " takes its buildspec from there (" + cmp.Or(spec, "buildspec.yml") + ")",
			Fix: "give the action an input artifact, or write the buildspec into the project"}
	}
	return nil
}

// projectIn is a project of that name.
func projectIn(ctx context.Context, c aws.Config, name string) (types.Project, error) {
	out, err := codebuild.NewFromConfig(c).BatchGetProjects(ctx, &codebuild.BatchGetProjectsInput{Names: []string{name}})
	if err != nil {
		return types.Project{}, err
	}
	if len(out.Projects) == 0 {
		return types.Project{}, &runner.SettingsError{Text: "there is no CodeBuild project " + name + " in " + c.Region}
	}
	return out.Projects[0], nil
}

// seesProject is the permission to look at a project.
func seesProject(name string, at policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "SeeProject", Comment: "doctor looks whether the project is there, and where it has its buildspec", Actions: []string{"codebuild:BatchGetProjects"}, Resources: []string{at.ARN("codebuild", "project/"+name)}}}
}

func seeProject(a *workflows.Action, at policy.Place) []policy.Statement {
	return seesProject(a.Configuration["ProjectName"], at)
}
