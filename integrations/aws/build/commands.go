package build

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Commands are the kinds that run the lines of Commands actions and rules on a
// project of the user's, and build images there: CodePipeline's own compute has no
// API, and this project's image, role and network take its place.
func Commands(project string) []runner.Kind {
	needs := func(_ *workflows.Action, at policy.Place) []policy.Statement {
		return projectNeeds(project, false, false, at)
	}
	lines := func(a *runner.Attempt) (plan, error) { return commands(a, project) }
	image := func(a *runner.Attempt) (plan, error) { return imageBuild(a, project) }
	kinds := append(kindsOf("Commands", lines, needs, "Compute", "Build", "Test", "Deploy", "Rule"),
		kindsOf("ECRBuildAndPublish", image, needs, "Build")...)
	for i := range kinds {
		kinds[i].Service = func(*workflows.Action) string { return "the CodeBuild project " + project }
		kinds[i].Check = func(ctx context.Context, c aws.Config, _ *workflows.Action) error {
			_, err := projectIn(ctx, c, project)
			return err
		}
		kinds[i].Optional = func(_ *workflows.Action, at policy.Place) []policy.Statement { return seesProject(project, at) }
	}
	return kinds
}

// buildspec is what CodeBuild runs. It is written as JSON, which is YAML.
type buildspec struct {
	Version string `json:"version"`
	Env     struct {
		Exported []string `json:"exported-variables,omitempty"`
	} `json:"env"`
	Phases    map[string]phase `json:"phases"`
	Artifacts *files           `json:"artifacts,omitempty"`
}

type phase struct {
	Commands []string `json:"commands"`
}

// files are what a build stores.
type files struct {
	Files     []string         `json:"files"`
	Secondary map[string]files `json:"secondary-artifacts,omitempty"`
}

func (b buildspec) text() (string, error) {
	data, err := json.Marshal(b)
	return string(data), err
}

// commands is the plan of an action whose lines run in one shell, in their order,
// as on this machine.
func commands(a *runner.Attempt, project string) (p plan, err error) {
	p = plan{project: project, exported: append([]string{}, a.Task.Action.OutputVariables...), variables: []types.EnvironmentVariable{plain(taskVariable, a.Token)}}
	p.variables = append(p.variables, environment(a)...)
	b := buildspec{Version: "0.2", Phases: map[string]phase{"build": {a.Task.Commands}}}
	b.Env.Exported = a.Task.Action.OutputVariables
	for i, out := range a.Task.Action.OutputArtifacts {
		all := files{Files: out.Files}
		if len(all.Files) == 0 {
			all.Files = []string{"**/*"}
		}
		if i == 0 {
			b.Artifacts = &all
			continue
		}
		if b.Artifacts.Secondary == nil {
			b.Artifacts.Secondary = map[string]files{}
		}
		b.Artifacts.Secondary[identifier(out.Name)] = all
	}
	p.buildspec, err = b.text()
	return p, err
}

// environment are the variables of an action's lines. Names of secrets stay names:
// CodeBuild fetches them, and keeps them out of its log.
func environment(a *runner.Attempt) (all []types.EnvironmentVariable) {
	kinds := map[string]string{}
	for _, v := range a.Task.Action.EnvironmentVariables {
		kinds[v.Name] = v.Type
	}
	for _, name := range words.Keys(a.Task.Environment) {
		v := plain(name, a.Task.Environment[name])
		if kind := kinds[name]; kind != "" {
			v.Type = types.EnvironmentVariableType(kind)
		}
		all = append(all, v)
	}
	return all
}

// imageBuild is the plan of ECRBuildAndPublish. What names the image comes by
// variables, so that no value is parsed as shell. The project must be privileged:
// docker runs in it.
func imageBuild(a *runner.Attempt, project string) (p plan, err error) {
	p = plan{project: project, exported: []string{"ECRImageDigestId", "ECRRepositoryName"}}
	if p.variables, err = variables(a); err != nil {
		return p, err
	}
	for _, v := range environment(a) {
		if _, known := a.Task.Names()[aws.ToString(v.Name)]; !known {
			p.variables = append(p.variables, v)
		}
	}
	file, tags, registry := a.Setting("DockerFilePath"), a.Setting("ImageTags"), a.Setting("RegistryType")
	if file == "" {
		file = "."
	}
	if tags == "" {
		tags = "latest"
	}
	if registry != "" && registry != "private" {
		return p, &runner.SettingsError{Text: fmt.Sprintf("RegistryType %s is not built here: only private registries are", words.Quoted(registry))}
	}
	p.variables = append(p.variables, plain("ECRRepositoryName", a.Setting("ECRRepositoryName")), plain("ROLLCALL_IMAGE_TAGS", tags), plain("ROLLCALL_DOCKER_FILE", file))
	b := buildspec{Version: "0.2", Phases: map[string]phase{"build": {[]string{
		`ROLLCALL_REGISTRY="${CODEBUILD_BUILD_ARN#arn:*:codebuild:*:}"; ROLLCALL_REGISTRY="${ROLLCALL_REGISTRY%%:*}.dkr.ecr.$AWS_REGION.amazonaws.com"`,
		`aws ecr get-login-password | docker login --username AWS --password-stdin "$ROLLCALL_REGISTRY"`,
		`if [ -f "$ROLLCALL_DOCKER_FILE" ]; then docker build --tag rollcall-image --file "$ROLLCALL_DOCKER_FILE" "$(dirname "$ROLLCALL_DOCKER_FILE")"; else docker build --tag rollcall-image "$ROLLCALL_DOCKER_FILE"; fi`,
		`for tag in $(echo "$ROLLCALL_IMAGE_TAGS" | tr ',' ' '); do docker tag rollcall-image "$ROLLCALL_REGISTRY/$ECRRepositoryName:$tag" && docker push "$ROLLCALL_REGISTRY/$ECRRepositoryName:$tag" || exit 1; done`,
		`export ECRImageDigestId="$(docker inspect --format '{{index .RepoDigests 0}}' rollcall-image | cut -d@ -f2)"`,
	}}}}
	b.Env.Exported = p.exported
	p.buildspec, err = b.text()
	return p, err
}
