package needs

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Whoever fetches the secrets of an environment needs the right to: the action's role
// for lines that run here, the role of the project for those on CodeBuild.
func TestSecretsOfAnEnvironmentNeedTheRightToReadThem(t *testing.T) {
	const role = "arn:aws:iam::444455556666:role/build"
	p := &workflows.Pipeline{Name: "shop", RoleArn: role, Stages: []workflows.Stage{{Name: "Source"}, {Name: "Build", Actions: []workflows.Action{
		{Name: "Plain", ActionType: workflows.ActionType{Category: "Compute", Owner: "AWS", Provider: "Commands"}, EnvironmentVariables: []workflows.EnvironmentVar{{Name: "A", Value: "a"}}},
		{Name: "Make", ActionType: workflows.ActionType{Category: "Compute", Owner: "AWS", Provider: "Commands"}, EnvironmentVariables: []workflows.EnvironmentVar{
			{Name: "A", Value: "a"}, {Name: "T", Value: "/shop/#{variables.ENV}/token", Type: "PARAMETER_STORE"}, {Name: "D", Value: "shop/db:password", Type: "SECRETS_MANAGER"}}},
	}}}}
	want := []string{"arn:aws:ssm:eu-west-1:444455556666:parameter/shop/*/token", "arn:aws:secretsmanager:eu-west-1:444455556666:secret:shop/db-??????"}
	resources := func(all []policy.Statement) (names []string) {
		for _, s := range all {
			names = append(names, s.Resources...)
		}
		return names
	}
	uses, said := Uses(p, policy.Pipelines{Region: "eu-west-1"}, "", aws.Kinds(""))
	if len(uses) != 1 || len(said) != 0 || uses[0].Action != "shop: Build/Make" || !slices.Equal(uses[0].Roles, []string{role}) || !slices.Equal(resources(uses[0].Statements), want) {
		t.Errorf("here: %+v, %q", uses, said)
	}
	uses, _ = Uses(p, policy.Pipelines{Region: "eu-west-1"}, "ci", aws.Kinds("ci"))
	if len(uses) != 2 || !slices.Equal(resources(uses[1].OfService), want) || slices.Contains(resources(uses[1].Statements), want[0]) || len(uses[0].OfService) != 0 {
		t.Errorf("on CodeBuild: %+v", uses)
	}
}
