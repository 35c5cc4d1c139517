package stack

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

// checkStack looks whether the stack of an action takes what the action does with it.
// A stack that is not there yet is created.
func checkStack(ctx context.Context, c aws.Config, action *workflows.Action) error {
	if err := checkRole(ctx, c, action.Configuration["RoleArn"]); err != nil {
		return err
	}
	name, mode := action.Configuration["StackName"], action.Configuration["ActionMode"]
	stack, known, err := stackOf(ctx, c, name)
	switch {
	case err != nil:
		return err
	case !known, mode == deleteOnly:
		return nil // of a change set that is to be executed, an action before it makes the stack
	}
	if stuck := diagnose.StuckStack(name, string(stack.StackStatus)); stuck != nil && !(mode == replaceOnFailure && hasFailed(stack.StackStatus)) {
		return &runner.SettingsError{Text: stuck.Title + ", and takes no update: " + stuck.Cause, Fix: strings.Join(stuck.Fix, "; ")}
	}
	if mode == changeSetExecute {
		return nil
	}
	given := strings.FieldsFunc(action.Configuration["Capabilities"], func(r rune) bool { return strings.ContainsRune(`,[]" `, r) })
	for _, one := range stack.Capabilities {
		if !slices.Contains(given, string(one)) && !(one == "CAPABILITY_IAM" && slices.Contains(given, "CAPABILITY_NAMED_IAM")) {
			return &runner.SettingsError{Text: "the stack " + name + " was made with " + string(one) + ", and Capabilities of the action does not have it: CloudFormation refuses the next update",
				Fix: "add " + string(one) + " to Capabilities, if the template may still do that"}
		}
	}
	return nil
}

// checkRole looks whether the execution role is there and trusts CloudFormation. Where
// the action's role may not look, nothing is said.
func checkRole(ctx context.Context, c aws.Config, arn string) error {
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	if name == "" {
		return nil
	}
	out, err := iam.NewFromConfig(c).GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if runner.IsMissing(err) {
		return &runner.SettingsError{Text: "there is no execution role " + arn, Fix: "create it, or correct RoleArn"}
	}
	if err != nil || out.Role == nil {
		return nil
	}
	trust, err := url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument))
	if err == nil && !strings.Contains(trust, "cloudformation.amazonaws.com") {
		return &runner.SettingsError{Text: "the execution role " + arn + " does not trust CloudFormation", Fix: "allow sts:AssumeRole to cloudformation.amazonaws.com in its trust policy"}
	}
	return nil
}

// readExecutionRole is the permission to look at the execution role.
func readExecutionRole(action *workflows.Action, _ policy.Place) []policy.Statement {
	role := action.Configuration["RoleArn"]
	if role == "" {
		return nil
	}
	return []policy.Statement{{Sid: "SeeExecutionRole", Comment: "doctor looks whether the execution role is there and trusts CloudFormation", Actions: []string{"iam:GetRole"}, Resources: []string{role}}}
}
