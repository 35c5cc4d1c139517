// Package stack rolls out by CloudFormation: it creates, updates, replaces and
// deletes stacks, each change by a change set that is looked at first.
package stack

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// The action modes of CodePipeline.
const (
	createUpdate     = "CREATE_UPDATE"
	deleteOnly       = "DELETE_ONLY"
	replaceOnFailure = "REPLACE_ON_FAILURE"
	changeSetReplace = "CHANGE_SET_REPLACE"
	changeSetExecute = "CHANGE_SET_EXECUTE"
)

// A handle says what is waited for: its phase, "/", and an ARN.
const (
	settingUp = "set"     // the change set is being made
	changing  = "run"     // the stack is being created or updated
	deleting  = "delete"  // the stack is being deleted
	replacing = "replace" // the old stack is being deleted; then a new one is created
)

// Kinds is CloudFormation as a kind of action. A stack is changed by a change set
// alone, whatever the mode: what it changes is known before it happens.
func Kinds() []runner.Kind {
	return []runner.Kind{{Category: "Deploy", Provider: "CloudFormation", Start: startStack, Find: findStack, Poll: pollStack, Cancel: cancelStack, Needs: needsOfStack, Check: checkStack, Optional: readExecutionRole,
		Subject: runner.Subject{Setting: "StackName", Changed: "ExecuteChangeSet", Deleted: "DeleteStack"}}}
}

// startStack begins what the mode says. Repeating it is safe: a change set is made
// under a name of its own, and a stack that is being deleted is waited for.
func startStack(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	mode, name := a.Setting("ActionMode"), a.Setting("StackName")
	switch mode {
	case createUpdate, deleteOnly, replaceOnFailure:
	case changeSetReplace, changeSetExecute:
		if a.Setting("ChangeSetName") == "" {
			return work.Outcome{}, &runner.SettingsError{Text: "ActionMode " + mode + " needs ChangeSetName"}
		}
	default:
		return work.Outcome{}, &runner.SettingsError{Text: "ActionMode " + mode + " is none of CREATE_UPDATE, DELETE_ONLY, REPLACE_ON_FAILURE, CHANGE_SET_REPLACE and CHANGE_SET_EXECUTE"}
	}
	if mode == changeSetExecute {
		return executeNamed(ctx, a)
	}
	stack, known, err := describeStack(ctx, a, name)
	if err != nil {
		return work.Outcome{}, err
	}
	id, status := aws.ToString(stack.StackId), stack.StackStatus
	broken := diagnose.StuckStack(name, string(status))
	switch {
	case mode == deleteOnly && !known:
		return work.Outcome{State: work.Succeeded, Summary: "there is no stack " + name}, nil
	case status == types.StackStatusDeleteInProgress && mode == deleteOnly:
		return waiting(a, deleting, id), nil
	case status == types.StackStatusDeleteInProgress && mode == replaceOnFailure:
		return waiting(a, replacing, id), nil
	case isBusy(status):
		return work.Outcome{}, runner.Later("another operation is under way on the stack %s (%s)", name, status)
	case mode == deleteOnly:
		return deleteStack(ctx, a, deleting, id)
	case mode == replaceOnFailure && hasFailed(status):
		return deleteStack(ctx, a, replacing, id)
	case broken != nil:
		broken.Links = eventLinks(a, id)
		return runner.Fail("StackStuck", "the stack "+name+" cannot be updated: it is "+string(status), broken), nil
	case !known || status == types.StackStatusReviewInProgress:
		return createSet(ctx, a, types.ChangeSetTypeCreate)
	}
	return createSet(ctx, a, types.ChangeSetTypeUpdate)
}

// isBusy says whether somebody changes the stack. One in review has a change set
// and nothing else.
func isBusy(s types.StackStatus) bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != types.StackStatusReviewInProgress
}

// hasFailed says whether REPLACE_ON_FAILURE replaces a stack, as in CodePipeline.
func hasFailed(s types.StackStatus) bool {
	return slices.Contains([]types.StackStatus{types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed,
		types.StackStatusDeleteFailed, types.StackStatusUpdateRollbackFailed}, s)
}

func deleteStack(ctx context.Context, a *runner.Attempt, phase, id string) (work.Outcome, error) {
	in := &cloudformation.DeleteStackInput{StackName: &id, ClientRequestToken: &a.Token, RoleARN: executionRole(a)}
	if _, err := cloudformation.NewFromConfig(a.Config).DeleteStack(ctx, in); err != nil {
		return work.Outcome{}, err
	}
	return waiting(a, phase, id), a.Logf("CloudFormation deletes the stack %s", id)
}

// executionRole is the role that CloudFormation works with; nil: the one of who calls.
func executionRole(a *runner.Attempt) *string {
	if role := a.Setting("RoleArn"); role != "" {
		return &role
	}
	return nil
}

// waiting is the outcome while CloudFormation works.
func waiting(a *runner.Attempt, phase, id string) work.Outcome {
	return work.Outcome{State: work.Running, Handle: phase + "/" + id, ExternalID: id, ExternalURL: stackPage(a, phase, id)}
}

// stackPage is a stack, or a change set, in the console.
func stackPage(a *runner.Attempt, phase, id string) string {
	if phase == settingUp {
		return a.URL("cloudformation/home", "/stacks/changesets/changes?changeSetId="+url.QueryEscape(id))
	}
	return a.URL("cloudformation/home", "/stacks/events?stackId="+url.QueryEscape(id))
}

// describeStack looks at a stack, by name or ARN; false: there is none.
func describeStack(ctx context.Context, a *runner.Attempt, name string) (types.Stack, bool, error) {
	return stackOf(ctx, a.Config, name)
}

func stackOf(ctx context.Context, c aws.Config, name string) (types.Stack, bool, error) {
	out, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	switch {
	case isNoStack(err):
		return types.Stack{}, false, nil
	case err != nil:
		return types.Stack{}, false, err
	case len(out.Stacks) == 0:
		return types.Stack{}, false, nil
	}
	return out.Stacks[0], out.Stacks[0].StackStatus != types.StackStatusDeleteComplete, nil
}

// isNoStack reads how CloudFormation says that a stack is not there: it has no code for it.
func isNoStack(err error) bool {
	return runner.Code(err) == "ValidationError" && strings.Contains(message(err), "does not exist")
}

// findStack looks up what a start has done whose answer was lost. A deletion is
// not looked up: the next start sees it.
func findStack(ctx context.Context, a *runner.Attempt) (work.Outcome, bool, error) {
	switch a.Setting("ActionMode") {
	case deleteOnly:
		return work.Outcome{}, false, nil
	case changeSetExecute:
		id, begun, err := begunBy(ctx, a, a.Setting("StackName"))
		return waiting(a, changing, id), begun, err
	}
	set, known, err := describeSet(ctx, a, setName(a))
	if err != nil || !known || !isOurs(a, set) {
		return work.Outcome{}, false, err
	}
	return waiting(a, settingUp, aws.ToString(set.ChangeSetId)), true, nil
}

// pollStack says how it stands, and takes the next step when it is due.
func pollStack(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	phase, id, _ := strings.Cut(a.Handle(), "/")
	switch phase {
	case settingUp:
		return pollSet(ctx, a, id)
	case changing:
		return pollChange(ctx, a, id)
	}
	stack, known, err := describeStack(ctx, a, id)
	if err != nil {
		return work.Outcome{}, err
	}
	if err := logEvents(ctx, a, id); err != nil && !isNoStack(err) {
		return work.Outcome{}, err
	}
	switch {
	case known && stack.StackStatus == types.StackStatusDeleteFailed:
		return stackFailed(ctx, a, id, string(stack.StackStatus))
	case known:
		return waiting(a, phase, id), nil
	case phase == deleting:
		return work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: stackPage(a, phase, id), Summary: "the stack " + a.Setting("StackName") + " is deleted"}, nil
	case a.Task.Kind == work.Cancel:
		return runner.Fail("Cancelled", "the old stack is deleted, and no new one was created", nil), nil
	}
	return createSet(ctx, a, types.ChangeSetTypeCreate)
}

// cancelStack takes back what can be taken back: a change set that was not executed
// and a stack that is being created are deleted, an update goes back.
func cancelStack(ctx context.Context, a *runner.Attempt) error {
	phase, id, _ := strings.Cut(a.Handle(), "/")
	api := cloudformation.NewFromConfig(a.Config)
	switch phase {
	case settingUp:
		return dropSet(ctx, a, id)
	case changing:
	default:
		return a.Logf("CloudFormation does not stop a deletion")
	}
	stack, _, err := describeStack(ctx, a, id)
	if err != nil {
		return err
	}
	switch stack.StackStatus {
	case types.StackStatusCreateInProgress:
		_, err = api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &id, ClientRequestToken: &a.Token, RoleARN: executionRole(a)})
	case types.StackStatusUpdateInProgress:
		_, err = api.CancelUpdateStack(ctx, &cloudformation.CancelUpdateStackInput{StackName: &id, ClientRequestToken: &a.Token})
	}
	if runner.Code(err) == "ValidationError" { // it ended meanwhile: the next look says how
		return nil
	}
	return err
}

// needsOfStack are the permissions of the calls of this file and those beside it.
func needsOfStack(action *workflows.Action, at policy.Place) []policy.Statement {
	c := action.Configuration
	stack := []string{at.ARN("cloudformation", "stack/"+c["StackName"]+"/*")}
	calls := []string{"cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"}
	change := []string{"cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:DeleteChangeSet"}
	run := []string{"cloudformation:ExecuteChangeSet", "cloudformation:CancelUpdateStack", "cloudformation:DeleteStack"}
	switch mode := c["ActionMode"]; mode {
	case deleteOnly:
		calls = append(calls, "cloudformation:DeleteStack")
	case changeSetReplace:
		calls = append(calls, change...)
	case changeSetExecute:
		calls = append(append(calls, change[1:]...), run...)
	default:
		calls = append(append(calls, change...), run...)
		if c["TemplateConfiguration"] != "" {
			calls = append(calls, "cloudformation:SetStackPolicy")
		}
	}
	all := []policy.Statement{{Sid: "ChangeStack", Comment: "make, look at and execute the change sets of the stack, and watch it", Actions: calls, Resources: stack}}
	if mode := c["ActionMode"]; mode != deleteOnly && mode != changeSetExecute {
		all = append(all, at.ReadArtifacts("CloudFormation reads a template of more than 50 KB in the name of this role")...)
	}
	if role := c["RoleArn"]; role != "" {
		all = append(all, policy.PassRole("PassExecutionRole", "let CloudFormation work with the execution role", role, "cloudformation.amazonaws.com"))
	}
	return all
}
