package stack

import (
	"cmp"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// deepest is how far nested stacks are followed.
const deepest = 5

// stackFailed is the outcome of a stack that is not what the action wanted, with
// the first resource that failed.
func stackFailed(ctx context.Context, a *runner.Attempt, id, status string) (work.Outcome, error) {
	events, err := history(ctx, a, id)
	if err == nil && len(events) == 0 {
		events, err = eventsSince(ctx, a, id, isBegin)
	}
	if err != nil {
		return work.Outcome{}, err
	}
	first, err := firstFailed(ctx, a, id, events, 0)
	if err != nil {
		return work.Outcome{}, err
	}
	code, text := "StackFailed", "the stack "+a.Setting("StackName")+" is "+status
	if strings.Contains(status, "ROLLBACK") {
		code, text = "StackRolledBack", "CloudFormation rolled the stack "+a.Setting("StackName")+" back ("+status+")"
	}
	var found *workflows.Finding
	if first != nil {
		resource, kind, why := aws.ToString(first.LogicalResourceId), aws.ToString(first.ResourceType), clean.Line(aws.ToString(first.ResourceStatusReason))
		text += ": " + resource + " (" + kind + "): " + cmp.Or(why, string(first.ResourceStatus))
		found = stackFinding(a, id, resource, kind, status, why)
	} else {
		found = stackFinding(a, id, "", "AWS::CloudFormation::Stack", status, "")
	}
	o := runner.Fail(code, text, found)
	o.ExternalID, o.ExternalURL = id, stackPage(a, changing, id)
	return o, nil
}

// firstFailed is the event of the resource that failed first, in the stack or in
// one that is nested in it; nil: none has. Those that were only cancelled because
// of it are no cause.
func firstFailed(ctx context.Context, a *runner.Attempt, id string, events []types.StackEvent, depth int) (*types.StackEvent, error) {
	for _, e := range events {
		why, nested := aws.ToString(e.ResourceStatusReason), aws.ToString(e.PhysicalResourceId)
		if !strings.HasSuffix(string(e.ResourceStatus), "_FAILED") || nested == id ||
			strings.HasPrefix(why, "Resource creation cancelled") || strings.HasPrefix(why, "Resource update cancelled") {
			continue
		}
		if aws.ToString(e.ResourceType) != "AWS::CloudFormation::Stack" || !strings.HasPrefix(nested, "arn:") || depth == deepest {
			return &e, nil
		}
		var inside []types.StackEvent
		err := eventsOf(ctx, a, nested, func(n types.StackEvent) bool {
			if n.Timestamp != nil && events[0].Timestamp != nil && n.Timestamp.Before(*events[0].Timestamp) {
				return false
			}
			inside = append([]types.StackEvent{n}, inside...)
			return true
		})
		switch {
		case isNoStack(err), runner.Code(err) == "AccessDenied":
			return &e, nil // what the outer stack says is what is known
		case err != nil:
			return nil, err
		}
		inner, err := firstFailed(ctx, a, nested, inside, depth+1)
		return cmp.Or(inner, &e), err
	}
	return nil, nil
}

// stackFinding is what is known of a failed resource.
func stackFinding(a *runner.Attempt, id, resource, kind, status, why string) *workflows.Finding {
	found := diagnose.Stack(diagnose.Resource{Stack: a.Setting("StackName"), Status: status, Name: resource, Type: kind, Reason: why, Role: a.Setting("RoleArn"),
		Again: a.Again()})
	found.Links = eventLinks(a, id)
	return &found
}

// links are those of a finding.
type links = []struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// eventLinks is the way to the stack's events.
func eventLinks(a *runner.Attempt, id string) links {
	return links{{"the stack's events", stackPage(a, changing, id)}}
}
