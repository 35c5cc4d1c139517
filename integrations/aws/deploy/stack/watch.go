package stack

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// eventsOf walks over the events of a stack, newest first, until visit answers false.
func eventsOf(ctx context.Context, a *runner.Attempt, stack string, visit func(types.StackEvent) bool) error {
	api, in := cloudformation.NewFromConfig(a.Config), &cloudformation.DescribeStackEventsInput{StackName: &stack}
	pages := accounts.Pages(func(token *string) (*cloudformation.DescribeStackEventsOutput, error) {
		in.NextToken = token
		return api.DescribeStackEvents(ctx, in)
	}, func(out *cloudformation.DescribeStackEventsOutput) *string { return out.NextToken })
	looked := 0
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, e := range page.StackEvents {
			if !visit(e) {
				return nil
			}
		}
		if looked++; looked == mostPages {
			break
		}
	}
	return nil
}

// isOwn says whether an event is about the stack itself, not about one of its resources.
func isOwn(e types.StackEvent) bool {
	return aws.ToString(e.PhysicalResourceId) == aws.ToString(e.StackId)
}

// isBegin says whether an event is the begin of an operation on the stack.
func isBegin(e types.StackEvent) bool {
	return isOwn(e) && slices.Contains([]types.ResourceStatus{
		types.ResourceStatusCreateInProgress, types.ResourceStatusUpdateInProgress, types.ResourceStatusDeleteInProgress, types.ResourceStatusImportInProgress}, e.ResourceStatus)
}

// begins says whether an event is the begin of what the attempt does to the stack.
func begins(a *runner.Attempt, e types.StackEvent) bool {
	return isBegin(e) && aws.ToString(e.ClientRequestToken) == a.Token
}

// begunBy finds the stack that the attempt has begun to change, by its name or ARN.
func begunBy(ctx context.Context, a *runner.Attempt, stack string) (id string, begun bool, err error) {
	err = eventsOf(ctx, a, stack, func(e types.StackEvent) bool {
		if begins(a, e) {
			id, begun = aws.ToString(e.StackId), true
		}
		return !begun
	})
	if isNoStack(err) {
		err = nil
	}
	return id, begun, err
}

// history are the events since the attempt began to change the stack, oldest first;
// none: it has not begun yet, that is too long ago, or no event says who began it.
func history(ctx context.Context, a *runner.Attempt, stack string) ([]types.StackEvent, error) {
	return eventsSince(ctx, a, stack, func(e types.StackEvent) bool { return begins(a, e) })
}

// eventsSince are the events since the newest one that is a begin, oldest first; none: there is no such one.
func eventsSince(ctx context.Context, a *runner.Attempt, stack string, isBegin func(types.StackEvent) bool) (events []types.StackEvent, err error) {
	begun := false
	err = eventsOf(ctx, a, stack, func(e types.StackEvent) bool {
		events, begun = append(events, e), isBegin(e)
		return !begun
	})
	if err != nil || !begun {
		return nil, err
	}
	slices.Reverse(events)
	return events, nil
}

// isEnd says whether a status of a stack is the end of an operation. While it only
// removes what is no longer used, the new resources are in place.
func isEnd(s types.ResourceStatus) bool {
	return !strings.HasSuffix(string(s), "_IN_PROGRESS") || string(s) == string(types.StackStatusUpdateCompleteCleanupInProgress)
}

// pollChange waits for the end of a creation or an update. The stack's events are
// the truth: its status alone does not say whose it is.
func pollChange(ctx context.Context, a *runner.Attempt, id string) (work.Outcome, error) {
	if err := logEvents(ctx, a, id); err != nil {
		return work.Outcome{}, err
	}
	running := waiting(a, changing, id)
	var newest *types.StackEvent
	err := eventsOf(ctx, a, id, func(e types.StackEvent) bool {
		if isOwn(e) {
			newest = &e
		}
		return newest == nil
	})
	if err != nil || newest == nil {
		return running, err
	}
	if strings.Contains(string(newest.ResourceStatus), "ROLLBACK") {
		running.Summary = "CloudFormation is rolling the stack back"
	}
	if aws.ToString(newest.ClientRequestToken) == a.Token {
		if isEnd(newest.ResourceStatus) {
			return changed(ctx, a, id, newest.ResourceStatus)
		}
		return running, nil
	}
	since, err := history(ctx, a, id)
	if err != nil {
		return work.Outcome{}, err
	}
	for _, e := range since { // somebody has done something to the stack after us
		if isOwn(e) && isEnd(e.ResourceStatus) {
			return changed(ctx, a, id, e.ResourceStatus)
		}
	}
	running.Summary = ""
	if len(since) == 0 {
		return pollExecuted(ctx, a, id, running)
	}
	return running, nil
}

// pollExecuted waits for the end by the change set that was executed, where the
// stack's events do not say who began what. One that is gone was executed to its
// end: CloudFormation deletes none that is under way.
func pollExecuted(ctx context.Context, a *runner.Attempt, id string, running work.Outcome) (work.Outcome, error) {
	executed, err := os.ReadFile(executedFile(a))
	if errors.Is(err, fs.ErrNotExist) {
		return running, nil
	}
	if err != nil {
		return work.Outcome{}, err
	}
	set, known, err := describeSet(ctx, a, string(executed))
	switch {
	case err != nil:
		return work.Outcome{}, err
	case known && set.ExecutionStatus == types.ExecutionStatusExecuteComplete:
		return changed(ctx, a, id, types.ResourceStatusUpdateComplete)
	case known && set.ExecutionStatus != types.ExecutionStatusExecuteFailed:
		return running, nil
	}
	stack, known, err := describeStack(ctx, a, id)
	if status := types.ResourceStatus(stack.StackStatus); err == nil && known && isEnd(status) {
		return changed(ctx, a, id, status)
	}
	return running, err
}

// changed is the outcome of a creation or an update that has ended.
func changed(ctx context.Context, a *runner.Attempt, id string, status types.ResourceStatus) (work.Outcome, error) {
	switch types.StackStatus(status) {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateCompleteCleanupInProgress, types.StackStatusImportComplete:
	default:
		return stackFailed(ctx, a, id, string(status))
	}
	if err := setPolicy(ctx, a, id); err != nil {
		return work.Outcome{}, err
	}
	changes, err := madeChanges(a)
	if err != nil {
		return work.Outcome{}, err
	}
	count, _, _ := strings.Cut(changes, "\n")
	return succeeded(ctx, a, id, count, changes)
}

// unchanged is the outcome of a change set that changes nothing. One that another
// action is to execute stays, so that it sees that.
func unchanged(ctx context.Context, a *runner.Attempt, set setOf) (work.Outcome, error) {
	if a.Setting("ActionMode") != changeSetReplace {
		if err := dropSet(ctx, a, aws.ToString(set.ChangeSetId)); err != nil {
			return work.Outcome{}, err
		}
	}
	return succeeded(ctx, a, aws.ToString(set.StackId), "no change", "no change to "+a.Setting("StackName"))
}

// succeeded is a success with the stack's outputs.
func succeeded(ctx context.Context, a *runner.Attempt, id, text, changes string) (work.Outcome, error) {
	o := work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: stackPage(a, changing, id), Summary: text, Outputs: map[string]string{}}
	stack, _, err := describeStack(ctx, a, id)
	if err != nil {
		return work.Outcome{}, err
	}
	values := map[string]any{}
	for _, out := range stack.Outputs {
		o.Outputs[aws.ToString(out.OutputKey)], values[aws.ToString(out.OutputKey)] = aws.ToString(out.OutputValue), aws.ToString(out.OutputValue)
	}
	if changes != "" {
		o.Outputs[say.StackChanges] = changes
	}
	o.Artifacts, err = outputFile(a, values)
	return o, err
}

// outputFile is the output artifact: one file of JSON.
func outputFile(a *runner.Attempt, values map[string]any) ([]workflows.Artifact, error) {
	if len(a.Task.Action.OutputArtifacts) == 0 {
		return nil, nil
	}
	name := a.Setting("OutputFileName")
	if name == "" {
		name = "outputs.json"
	}
	if !filepath.IsLocal(name) {
		return nil, &runner.SettingsError{Text: "OutputFileName " + name + " is not the path of a file in the artifact"}
	}
	data, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(a.Dir(), "output")
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return nil, err
	}
	one, err := a.Pack(a.Task.Action.OutputArtifacts[0].Name, dir)
	return []workflows.Artifact{one}, err
}

// setPolicy sets the stack policy that the template configuration holds: a change
// set has none.
func setPolicy(ctx context.Context, a *runner.Attempt, id string) error {
	if mode := a.Setting("ActionMode"); mode != createUpdate && mode != replaceOnFailure {
		return nil
	}
	c, err := readConfiguration(ctx, a)
	if err != nil || len(c.StackPolicy) == 0 {
		return err
	}
	_, err = cloudformation.NewFromConfig(a.Config).SetStackPolicy(ctx, &cloudformation.SetStackPolicyInput{StackName: &id, StackPolicyBody: aws.String(string(c.StackPolicy))})
	return err
}

// logEvents adds to the action's log what has happened to the stack since the last
// time. How far that was lies in the run folder.
func logEvents(ctx context.Context, a *runner.Attempt, id string) error {
	path := filepath.Join(a.Dir(), "events.txt")
	last, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var fresh []types.StackEvent
	err = eventsOf(ctx, a, id, func(e types.StackEvent) bool {
		if aws.ToString(e.EventId) == string(last) || isOwn(e) && e.ResourceStatus == types.ResourceStatus(types.StackStatusReviewInProgress) {
			return false
		}
		old := !a.Began().IsZero() && e.Timestamp != nil && e.Timestamp.Before(a.Began().Add(-time.Minute))
		if !old {
			fresh = append(fresh, e)
		}
		return !old
	})
	if err != nil || len(fresh) == 0 {
		return err
	}
	for _, e := range slices.Backward(fresh) {
		line := aws.ToTime(e.Timestamp).UTC().Format(time.TimeOnly) + " " + string(e.ResourceStatus) + " " + aws.ToString(e.ResourceType) + " " + aws.ToString(e.LogicalResourceId)
		if why := aws.ToString(e.ResourceStatusReason); why != "" {
			line += ": " + why
		}
		if err := a.Logf("%s", line); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(aws.ToString(fresh[0].EventId)), 0o600)
}
