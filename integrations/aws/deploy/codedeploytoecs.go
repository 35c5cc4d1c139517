package deploy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostImagesToECS = 4         // Image1ArtifactName to Image4ArtifactName
	mostTemplate    = 256 << 10 // bytes of a template file
)

// startECS registers the task definition of a template, with the images of other
// artifacts, and has CodeDeploy shift a service of ECS to it.
func (d *deployments) startECS(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	spec, err := template(ctx, a, "AppSpecTemplate", "appspec.yaml")
	if err != nil {
		return work.Outcome{}, err
	}
	if !strings.Contains(spec, taskPlace) {
		return work.Outcome{}, &runner.SettingsError{Text: cmp.Or(a.Setting("AppSpecTemplatePath"), "appspec.yaml") + " has no " + taskPlace + ": CodeDeploy would not deploy the new task definition"}
	}
	text, err := template(ctx, a, "TaskDefinitionTemplate", "taskdef.json")
	if err != nil {
		return work.Outcome{}, err
	}
	if text, err = withImages(ctx, a, text); err != nil {
		return work.Outcome{}, err
	}
	what := cmp.Or(a.Setting("TaskDefinitionTemplatePath"), "taskdef.json")
	var defined definition
	if err := json.Unmarshal([]byte(text), &defined); err != nil {
		return work.Outcome{}, &runner.SettingsError{Text: what + " is no JSON: " + err.Error()}
	}
	in, err := defined.request(what)
	if err != nil {
		return work.Outcome{}, err
	}
	if aws.ToString(in.Family) == "" {
		return work.Outcome{}, &runner.SettingsError{Text: what + " names no family"}
	}
	ours, err := register(ctx, a, in, "")
	if err != nil {
		return work.Outcome{}, err
	}
	spec = strings.ReplaceAll(spec, taskPlace, ours)
	sum := sha256.Sum256([]byte(spec))
	return create(ctx, a, &types.RevisionLocation{RevisionType: types.RevisionLocationTypeAppSpecContent,
		AppSpecContent: &types.AppSpecContent{Content: &spec, Sha256: aws.String(hex.EncodeToString(sum[:]))}})
}

// taskPlace stands for the task definition in an appspec file.
const taskPlace = "<TASK_DEFINITION>"

// template is a template file of the action: the settings name its artifact and its path.
func template(ctx context.Context, a *runner.Attempt, setting, otherwise string) (string, error) {
	text, err := readFile(ctx, a, a.Setting(setting+"Artifact"), cmp.Or(a.Setting(setting+"Path"), otherwise), mostTemplate)
	return string(text), err
}

// withImages puts the images of the action's artifacts in their places: <IMAGE1_NAME>,
// where Image1ContainerName is IMAGE1_NAME.
func withImages(ctx context.Context, a *runner.Attempt, text string) (string, error) {
	for n := 1; n <= mostImagesToECS; n++ {
		setting := "Image" + strconv.Itoa(n)
		artifact, place := a.Setting(setting+"ArtifactName"), a.Setting(setting+"ContainerName")
		if artifact == "" && place == "" {
			continue
		}
		if artifact == "" || place == "" {
			return "", &runner.SettingsError{Text: setting + "ArtifactName and " + setting + "ContainerName belong together: one is missing"}
		}
		place = "<" + strings.Trim(place, "<>") + ">"
		if !strings.Contains(text, place) {
			return "", &runner.SettingsError{Text: "the task definition template has no " + place + ", which " + setting + "ContainerName names"}
		}
		detail, err := readFile(ctx, a, artifact, "imageDetail.json", mostTemplate)
		if err != nil {
			return "", err
		}
		var image struct{ ImageURI string }
		if err := json.Unmarshal(detail, &image); err != nil || image.ImageURI == "" {
			return "", &runner.SettingsError{Text: "imageDetail.json of the artifact " + artifact + ` is no {"ImageURI": image}`}
		}
		quoted, err := json.Marshal(image.ImageURI)
		if err != nil {
			return "", err
		}
		text = strings.ReplaceAll(text, place, strings.Trim(string(quoted), `"`))
	}
	return text, nil
}

// toECSNeeds are the permissions of the calls above.
func toECSNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	return append(codeDeployNeeds(action, at),
		policy.Statement{Sid: "RegisterTaskDefinitions", Comment: "the task definition of the template with the images of the artifacts", Actions: []string{"ecs:RegisterTaskDefinition", "ecs:TagResource"}, Resources: []string{at.ARN("ecs", "task-definition/*:*")}},
		policy.Statement{Sid: "FindTaskDefinitions", Comment: "whether it is registered already", Actions: []string{"ecs:DescribeTaskDefinition"}, Resources: []string{"*"}},
		passTaskRoles(at))
}
