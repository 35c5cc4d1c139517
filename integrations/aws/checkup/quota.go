package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// building is an account and Region in which pipelines build, as one role.
type building struct {
	config   aws.Config
	projects []string
	groups   map[string][]string // projects that are built at once, by pipeline, stage and run order
}

// notes that an action builds there.
func (b *building) notes(a Action) {
	project := a.Action.Configuration["ProjectName"]
	if a.Action.ActionType.Provider != "CodeBuild" || project == "" || strings.Contains(project, "#{") {
		return
	}
	if !slices.Contains(b.projects, project) {
		b.projects = append(b.projects, project)
	}
	stage, _, _ := strings.Cut(a.Name, "/")
	at := fmt.Sprintf("%s at run order %d", stage, max(a.Action.RunOrder, 1))
	b.groups[at] = append(b.groups[at], project)
}

// mostProjects is how many projects one call tells.
const mostProjects = 100

// quotas compares how many builds a stage starts at once with how many CodeBuild runs
// at once. It is a hint: where either cannot be asked, nothing is said.
func (c *checker) quotas(ctx context.Context, b *building) {
	if len(b.projects) == 0 {
		return
	}
	out, err := codebuild.NewFromConfig(b.config).BatchGetProjects(ctx, &codebuild.BatchGetProjectsInput{Names: b.projects[:min(mostProjects, len(b.projects))]})
	if err != nil {
		return
	}
	on := map[string]string{} // the quota that the builds of a project count to, by its name
	for _, p := range out.Projects {
		on[aws.ToString(p.Name)] = quotaOf(p.Environment)
	}
	service := "codebuild"
	all, err := servicequotas.NewFromConfig(b.config).ListServiceQuotas(ctx, &servicequotas.ListServiceQuotasInput{ServiceCode: &service, MaxResults: aws.Int32(100)})
	if err != nil {
		return
	}
	for _, q := range all.Quotas {
		name := aws.ToString(q.QuotaName)
		most, where := 0, ""
		for at, projects := range b.groups {
			n := 0
			for _, project := range projects {
				if on[project] != "" && on[project] == name {
					n++
				}
			}
			if n > most || n == most && at < where {
				most, where = n, at
			}
		}
		if limit := aws.ToFloat64(q.Value); most > 0 && float64(most) > limit {
			c.add(selftest.Result{About: "quotas in " + b.config.Region, Status: selftest.Warning, Message: fmt.Sprintf("%s starts %s at once, and the quota “%s” is %.0f: the others wait", where, words.Count(most, "build"), name, limit),
				Fix: []string{"ask AWS for more: https://" + b.config.Region + ".console.aws.amazon.com/servicequotas/home/services/codebuild/quotas/" + aws.ToString(q.QuotaCode)}})
		}
	}
}

// quotaOf is the name of the quota that builds in an environment count to; empty: it is not known.
func quotaOf(e *types.ProjectEnvironment) string {
	if e == nil {
		return ""
	}
	kind := map[types.EnvironmentType]string{types.EnvironmentTypeLinuxContainer: "Linux", types.EnvironmentTypeArmContainer: "ARM"}[e.Type]
	size := map[types.ComputeType]string{types.ComputeTypeBuildGeneral1Small: "Small", types.ComputeTypeBuildGeneral1Medium: "Medium", types.ComputeTypeBuildGeneral1Large: "Large",
		types.ComputeTypeBuildGeneral1Xlarge: "XLarge", types.ComputeTypeBuildGeneral12xlarge: "2XLarge"}[e.ComputeType]
	if kind == "" || size == "" {
		return ""
	}
	return "Concurrently running builds for " + kind + "/" + size + " environment"
}
