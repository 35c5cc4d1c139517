package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/vault"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/secretsmanager"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const shopRole = "arn:aws:iam::111122223333:role/shop"

// fetching is a task whose environment names secrets: "TYPE NAME" of each.
func fetching(role string, names ...string) work.Task {
	t := work.Task{Execution: "019cadfd-8900", PipelineRole: role, Action: workflows.Action{Name: "Make"}, Environment: map[string]string{"PLAIN": "p"}}
	t.Action.EnvironmentVariables = []workflows.EnvironmentVar{{Name: "PLAIN", Value: "p"}}
	for i, one := range names {
		kind, name, _ := strings.Cut(one, " ")
		v := workflows.EnvironmentVar{Name: fmt.Sprint("V", i), Value: "#{variables.NAME}", Type: kind}
		t.Action.EnvironmentVariables = append(t.Action.EnvironmentVariables, v)
		t.Environment[v.Name] = name // resolved
	}
	return t
}

// Secrets of an action's environment are fetched as the pipeline's role: whole, or a
// key of their JSON, by name or ARN.
func TestSecretsOfAnEnvironment(t *testing.T) {
	c, fake := load(t, "")
	fake.Roles(awsfake.Role{ARN: shopRole})
	awsfake.At[*secretsmanager.Service](fake, account, region).Put("shop/db", `{"user":"app","password":"db-very-secret"}`)
	values, refused, err := vault.Fetch(c)(t.Context(), fetching(shopRole, "PARAMETER_STORE /rollcall/slack", "SECRETS_MANAGER shop/db:password", "SECRETS_MANAGER shop/db:user:AWSCURRENT", "SECRETS_MANAGER shop/db"))
	if err != nil || refused != nil {
		t.Fatal(refused, err)
	}
	for name, want := range map[string]string{"V0": "xoxb-very-secret-1", "V1": "db-very-secret", "V2": "app", "V3": `{"user":"app","password":"db-very-secret"}`} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	if _, plain := values["PLAIN"]; plain || len(values) != 4 {
		t.Errorf("%d values", len(values))
	}
	if last := fake.Calls()[len(fake.Calls())-1]; !strings.Contains(last.Principal, "assumed-role/shop/rc-019cadfd-Make") {
		t.Errorf("fetched by %s", last.Principal)
	}
}

// What is missing is said with variable, name, role and right; what may pass is an
// error; neither holds a secret.
func TestSecretsOfAnEnvironmentThatCannotBeFetched(t *testing.T) {
	c, fake := load(t, "")
	fake.Roles(awsfake.Role{ARN: shopRole})
	if err := fake.Policies(shopRole, `{"Statement":[{"Effect":"Allow","Action":"ssm:GetParameter","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	for one, want := range map[string]string{
		"SECRETS_MANAGER rollcall/jira": "the environment variable V0: the secret rollcall/jira cannot be read: arn:aws:sts::111122223333:assumed-role/shop/rc-019cadfd-Make may not secretsmanager:GetSecretValue",
		"PARAMETER_STORE /nowhere":      "the environment variable V0: the parameter /nowhere cannot be read: there is none",
	} {
		_, refused, err := vault.Fetch(c)(t.Context(), fetching(shopRole, one))
		if err != nil || refused == nil || !strings.Contains(refused.Message, want) || strings.Contains(refused.Message, "very-secret") || refused.Finding == nil {
			t.Errorf("%s: %+v %v", one, refused, err)
		}
	}
	before := len(fake.Calls())
	if _, refused, err := vault.Fetch(c)(t.Context(), fetching("", "PARAMETER_STORE /rollcall/slack")); err != nil || refused == nil || !strings.Contains(refused.Message, "set roleArn") || len(fake.Calls()) != before {
		t.Errorf("without a role: %+v %v", refused, err)
	}
	fake.Faults(awsfake.Fault{Operation: "ssm:GetParameter", Trouble: awsfake.Refuse, Code: "InternalServerError", Message: "try again", Status: 500})
	if _, refused, err := vault.Fetch(c)(t.Context(), fetching(shopRole, "PARAMETER_STORE /rollcall/slack")); err == nil || refused != nil {
		t.Errorf("a fault of AWS's: %+v %v", refused, err)
	}
}
