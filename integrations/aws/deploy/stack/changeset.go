package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// setName is the change set's name: the action's, where people know it by one,
// else the attempt's token.
func setName(a *runner.Attempt) string {
	if mode := a.Setting("ActionMode"); mode == changeSetReplace || mode == changeSetExecute {
		return a.Setting("ChangeSetName")
	}
	return a.Token
}

// isOurs says whether the attempt has made a change set: its description says so.
func isOurs(a *runner.Attempt, set setOf) bool {
	return strings.HasSuffix(aws.ToString(set.Description), a.Token)
}

// createSet makes the change set of the attempt.
func createSet(ctx context.Context, a *runner.Attempt, kind types.ChangeSetType) (work.Outcome, error) {
	in, err := setRequest(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	in.ChangeSetType = kind
	if a.Setting("ActionMode") == changeSetReplace {
		if o, done, err := replaceSet(ctx, a); err != nil || done {
			return o, err
		}
	}
	out, err := cloudformation.NewFromConfig(a.Config).CreateChangeSet(ctx, in)
	said := message(err)
	switch {
	case runner.Code(err) == "AlreadyExists":
		if o, ours, err := findStack(ctx, a); err != nil || ours {
			return o, err
		}
		return work.Outcome{}, runner.Later("the stack %s has another change set %s, which is being deleted", a.Setting("StackName"), setName(a))
	case runner.Code(err) == "ValidationError" && strings.Contains(said, "_IN_PROGRESS state"):
		return work.Outcome{}, runner.Later("another operation is under way on the stack %s: %s", a.Setting("StackName"), said)
	case err != nil:
		return work.Outcome{}, err
	}
	return waiting(a, settingUp, aws.ToString(out.Id)), a.Logf("CloudFormation makes the change set %s of the stack %s", setName(a), a.Setting("StackName"))
}

// message is what AWS says of an error.
func message(err error) string {
	if err == nil {
		return ""
	}
	_, said := accounts.Words(err)
	return said
}

// replaceSet deletes the change set that has the action's name, unless the attempt
// itself has made it: then that is what the start was.
func replaceSet(ctx context.Context, a *runner.Attempt) (work.Outcome, bool, error) {
	old, known, err := describeSet(ctx, a, setName(a))
	switch {
	case err != nil || !known:
		return work.Outcome{}, false, err
	case isOurs(a, old):
		return waiting(a, settingUp, aws.ToString(old.ChangeSetId)), true, nil
	}
	return work.Outcome{}, false, dropSet(ctx, a, aws.ToString(old.ChangeSetId))
}

func dropSet(ctx context.Context, a *runner.Attempt, id string) error {
	_, err := cloudformation.NewFromConfig(a.Config).DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &id, StackName: aws.String(a.Setting("StackName"))})
	if runner.IsMissing(err) || isNoStack(err) {
		return nil
	}
	return err
}

// setOf is a change set with all its changes.
type setOf struct {
	*cloudformation.DescribeChangeSetOutput
	changes []types.ResourceChange
}

// mostPages is how many pages of one answer are read.
const mostPages = 100

// describeSet looks at a change set of the action's stack by its ARN or its name. The
// stack is named with an ARN too: policies allow by the stack.
func describeSet(ctx context.Context, a *runner.Attempt, name string) (setOf, bool, error) {
	in := &cloudformation.DescribeChangeSetInput{ChangeSetName: &name, StackName: aws.String(a.Setting("StackName"))}
	api, set := cloudformation.NewFromConfig(a.Config), setOf{}
	for range mostPages {
		out, err := api.DescribeChangeSet(ctx, in)
		switch {
		case runner.IsMissing(err), isNoStack(err):
			return setOf{}, false, nil
		case err != nil:
			return setOf{}, false, err
		}
		set.DescribeChangeSetOutput = out
		for _, c := range out.Changes {
			if c.ResourceChange != nil {
				set.changes = append(set.changes, *c.ResourceChange)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	return set, true, nil
}

// isEmpty says whether a change set has failed because there is nothing to change.
func (s setOf) isEmpty() bool {
	why := aws.ToString(s.StatusReason)
	return s.Status == types.ChangeSetStatusFailed && (strings.Contains(why, "didn't contain changes") || strings.Contains(why, "No updates are to be performed"))
}

// pollSet waits for a change set, and executes it where the mode wants that.
func pollSet(ctx context.Context, a *runner.Attempt, id string) (work.Outcome, error) {
	set, known, err := describeSet(ctx, a, id)
	name := a.Setting("StackName")
	switch {
	case err != nil:
		return work.Outcome{}, err
	case !known || set.Status == types.ChangeSetStatusDeleteComplete:
		return lostSet(ctx, a)
	case set.isEmpty():
		return unchanged(ctx, a, set)
	case set.Status == types.ChangeSetStatusFailed:
		return setFailed(a, set), nil
	case set.ExecutionStatus == types.ExecutionStatusObsolete:
		f := diagnose.Displaced("the stack "+name+" was changed while the change set was made", a.Again())
		return runner.Fail("ChangeSetObsolete", "the stack "+name+" was changed while the change set was made, so it cannot be executed: retry the stage", &f), nil
	case strings.HasPrefix(string(set.ExecutionStatus), "EXECUTE_"):
		return waiting(a, changing, aws.ToString(set.StackId)), nil
	case set.Status != types.ChangeSetStatusCreateComplete || set.ExecutionStatus != types.ExecutionStatusAvailable || a.Task.Kind == work.Cancel:
		return waiting(a, settingUp, id), nil
	case a.Setting("ActionMode") == changeSetReplace:
		return setMade(a, set)
	}
	return execute(ctx, a, set)
}

// lostSet is about a change set that is gone: CloudFormation deletes those it has
// executed.
func lostSet(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	id, begun, err := begunBy(ctx, a, a.Setting("StackName"))
	if err != nil || begun {
		return waiting(a, changing, id), err
	}
	return runner.Fail("ExternallyStopped", "somebody deleted the change set "+setName(a)+" of the stack "+a.Setting("StackName"), nil), nil
}

func setFailed(a *runner.Attempt, set setOf) work.Outcome {
	why := clean.Line(aws.ToString(set.StatusReason))
	return runner.Fail("ChangeSetFailed", "the change set of the stack "+a.Setting("StackName")+" failed: "+cmp.Or(why, "CloudFormation does not say why"),
		stackFinding(a, aws.ToString(set.StackId), "", "AWS::CloudFormation::ChangeSet", "FAILED", why))
}

// setMade is the end of an action that only makes a change set.
func setMade(a *runner.Attempt, set setOf) (work.Outcome, error) {
	o := work.Outcome{State: work.Succeeded, ExternalID: aws.ToString(set.ChangeSetId), ExternalURL: stackPage(a, settingUp, aws.ToString(set.ChangeSetId)),
		Summary: summary(set.changes), Outputs: map[string]string{say.StackChanges: planned(a.Setting("StackName"), "planned", set.changes)}}
	var err error
	o.Artifacts, err = outputFile(a, map[string]any{"StackName": a.Setting("StackName"), "ChangeSetName": setName(a), "Changes": lines(set.changes)})
	return o, err
}

// executeNamed executes the change set that another action has made.
func executeNamed(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	stack, name := a.Setting("StackName"), a.Setting("ChangeSetName")
	set, known, err := describeSet(ctx, a, name)
	switch {
	case err != nil:
		return work.Outcome{}, err
	case !known || strings.HasPrefix(string(set.ExecutionStatus), "EXECUTE_"):
		if id, begun, err := begunBy(ctx, a, stack); err != nil || begun {
			return waiting(a, changing, id), err
		}
		return runner.Fail("ChangeSetNotFound", fmt.Sprintf("the stack %s has no change set %s: it was executed or deleted; run the action that makes it", stack, name), nil), nil
	case set.isEmpty():
		return unchanged(ctx, a, set)
	case set.Status == types.ChangeSetStatusFailed:
		return setFailed(a, set), nil
	case set.ExecutionStatus == types.ExecutionStatusAvailable:
		return execute(ctx, a, set)
	case set.Status != types.ChangeSetStatusCreateComplete:
		return work.Outcome{}, runner.Later("the change set %s is %s", name, set.Status)
	}
	return runner.Fail("ChangeSetObsolete", fmt.Sprintf("the change set %s of the stack %s cannot be executed: it is %s; run the action that makes it", name, stack, set.ExecutionStatus), nil), nil
}

// execute carries out a change set. What it changes is noted first: afterwards
// CloudFormation may have forgotten it.
func execute(ctx context.Context, a *runner.Attempt, set setOf) (work.Outcome, error) {
	if err := os.WriteFile(changesFile(a), []byte(planned(a.Setting("StackName"), "made", set.changes)), 0o600); err != nil {
		return work.Outcome{}, err
	}
	if err := os.WriteFile(executedFile(a), []byte(aws.ToString(set.ChangeSetId)), 0o600); err != nil {
		return work.Outcome{}, err
	}
	_, err := cloudformation.NewFromConfig(a.Config).ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: set.ChangeSetId, StackName: aws.String(a.Setting("StackName")), ClientRequestToken: &a.Token})
	switch code := runner.Code(err); {
	case code == "TokenAlreadyExists", code == "InvalidChangeSetStatus":
		// It is under way already, or somebody changes the stack: the next look says which.
		return work.Outcome{}, runner.Later("CloudFormation does not execute the change set now: %s", message(err))
	case err != nil:
		return work.Outcome{}, err
	}
	return waiting(a, changing, aws.ToString(set.StackId)), a.Logf("CloudFormation executes the change set: %s", summary(set.changes))
}

func changesFile(a *runner.Attempt) string { return filepath.Join(a.Dir(), "changes.txt") }

// executedFile holds the ARN of the change set that was executed.
func executedFile(a *runner.Attempt) string { return filepath.Join(a.Dir(), "executed.txt") }

// madeChanges are the changes that were noted before they were made; empty: they are not known.
func madeChanges(a *runner.Attempt) (string, error) {
	data, err := os.ReadFile(changesFile(a))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(data), err
}

// mostChanges is how many changes are listed.
const mostChanges = 50

// planned is what an output variable says of changes: a line that counts them,
// then one for each.
func planned(stack, how string, changes []types.ResourceChange) string {
	list := lines(changes)
	if len(list) > mostChanges {
		list = append(list[:mostChanges], fmt.Sprintf("and %d more", len(list)-mostChanges))
	}
	return strings.Join(append([]string{words.Count(len(changes), "change") + " to " + stack + " " + how}, list...), "\n")
}

// lines are changes in words, those first that lose something.
func lines(changes []types.ResourceChange) []string {
	rank := func(c types.ResourceChange) int {
		return slices.Index([]bool{c.Replacement == types.ReplacementTrue, c.Action == types.ChangeActionRemove, c.Replacement == types.ReplacementConditional, c.Action == types.ChangeActionModify, true}, true)
	}
	changes = slices.Clone(changes)
	slices.SortStableFunc(changes, func(x, y types.ResourceChange) int { return cmp.Compare(rank(x), rank(y)) })
	all := make([]string, len(changes))
	for i, c := range changes {
		all[i] = clean.Line(fmt.Sprintf("%s %s %s%s", c.Action, aws.ToString(c.ResourceType), aws.ToString(c.LogicalResourceId), remark(c)))
	}
	return all
}

// remark says what becomes of the resource that is there.
func remark(c types.ResourceChange) string {
	switch {
	case c.Replacement == types.ReplacementTrue:
		return " (replacement)"
	case c.Replacement == types.ReplacementConditional:
		return " (replacement possible)"
	case c.PolicyAction == types.PolicyActionRetain:
		return " (the resource stays)"
	case c.PolicyAction == types.PolicyActionSnapshot:
		return " (after a snapshot)"
	}
	return ""
}

// summary counts changes: "3 changes, 1 replacement".
func summary(changes []types.ResourceChange) string {
	replaced := 0
	for _, c := range changes {
		if c.Replacement == types.ReplacementTrue {
			replaced++
		}
	}
	text := words.Count(len(changes), "change")
	if replaced > 0 {
		text += ", " + words.Count(replaced, "replacement")
	}
	return text
}
