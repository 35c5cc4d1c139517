package deploy

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// count is how far a deployment is, in a line.
func count(o *types.DeploymentOverview) string {
	if o == nil {
		return ""
	}
	all := o.Succeeded + o.Failed + o.InProgress + o.Pending + o.Skipped + o.Ready
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d targets are done", o.Succeeded+o.Ready, all)
}

// codeDeployFailed is the outcome of a deployment that failed, and of what rolled
// it back: the hook that failed, with its last lines in the action's log.
func codeDeployFailed(ctx context.Context, a *runner.Attempt, info types.DeploymentInfo, back string, backStatus types.DeploymentStatus) (work.Outcome, error) {
	id := aws.ToString(info.DeploymentId)
	hook, err := failedHook(ctx, a, id)
	if err != nil {
		return work.Outcome{}, err
	}
	d := diagnose.CodeDeployment{ID: id, Hook: hook}
	if e := info.ErrorInformation; e != nil {
		d.Code, d.Message = string(e.Code), aws.ToString(e.Message)
	}
	if backStatus == types.DeploymentStatusSucceeded {
		d.Back = back
	}
	text := "the deployment " + id + " failed: " + cmp.Or(d.Message, d.Code, "CodeDeploy does not say why")
	if hook.Event != "" {
		text += "; " + strings.TrimSuffix(strings.Join(strings.Fields(hook.Event+" "+hook.Script+" failed on "+hook.Target+": "+hook.Message), " "), ":")
	}
	switch {
	case back != "" && d.Back == "":
		text += ". CodeDeploy's rollback " + back + " ended " + string(backStatus) + " too"
	case back != "":
		text += ". CodeDeploy has rolled it back: " + back
	}
	if info.Status == types.DeploymentStatusStopped && (d.Code == "" || d.Code == string(types.ErrorCodeManualStop)) {
		o := runner.Fail("ExternallyStopped", "somebody stopped the deployment "+id+" in CodeDeploy", displaced(a, "the deployment "+id+" was stopped in CodeDeploy"))
		o.ExternalID, o.ExternalURL = id, deploymentPage(a, id)
		return o, nil
	}
	f := diagnose.CodeDeploy(d)
	link(&f, "the deployment", deploymentPage(a, id))
	o := runner.Fail(cmp.Or(d.Code, "DeploymentFailed"), text, &f)
	o.ExternalID, o.ExternalURL = id, deploymentPage(a, id)
	if info.CompleteTime != nil {
		o.EndedAt = *info.CompleteTime
	}
	return o, nil
}

// failedHook is the first lifecycle event that failed on a target; zero: none is
// known. What its script wrote last goes into the action's log.
func failedHook(ctx context.Context, a *runner.Attempt, id string) (hook diagnose.Hook, err error) {
	api := codedeploy.NewFromConfig(a.Config)
	list, err := api.ListDeploymentTargets(ctx, &codedeploy.ListDeploymentTargetsInput{DeploymentId: &id, TargetFilters: map[string][]string{string(types.TargetFilterNameTargetStatus): {string(types.TargetStatusFailed)}}})
	if err == nil && len(list.TargetIds) > 0 {
		var out *codedeploy.BatchGetDeploymentTargetsOutput
		out, err = api.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{DeploymentId: &id, TargetIds: list.TargetIds[:min(mostAtOnce, len(list.TargetIds))]})
		for i := 0; err == nil && i < len(out.DeploymentTargets) && hook.Event == ""; i++ {
			hook = hookOf(out.DeploymentTargets[i])
		}
	}
	switch {
	case err != nil:
		return hook, a.Unread(err, "which lifecycle event failed")
	case hook.Tail == "":
		return hook, nil
	}
	if err := a.Logf("what %s wrote on %s:", cmp.Or(hook.Script, hook.Event), hook.Target); err != nil {
		return hook, err
	}
	for line := range strings.Lines(hook.Tail) {
		if err := a.Logf("%s", strings.TrimRight(line, "\r\n")); err != nil {
			return hook, err
		}
	}
	return hook, nil
}

// hookOf is the first event of a target that failed.
func hookOf(t types.DeploymentTarget) diagnose.Hook {
	var target *string
	var events []types.LifecycleEvent
	switch {
	case t.InstanceTarget != nil:
		target, events = t.InstanceTarget.TargetId, t.InstanceTarget.LifecycleEvents
	case t.EcsTarget != nil:
		target, events = t.EcsTarget.TargetId, t.EcsTarget.LifecycleEvents
	case t.LambdaTarget != nil:
		target, events = t.LambdaTarget.TargetId, t.LambdaTarget.LifecycleEvents
	}
	for _, e := range events {
		if e.Status != types.LifecycleEventStatusFailed {
			continue
		}
		hook := diagnose.Hook{Target: aws.ToString(target), Event: aws.ToString(e.LifecycleEventName)}
		if d := e.Diagnostics; d != nil {
			hook.Code, hook.Script, hook.Message, hook.Tail = string(d.ErrorCode), aws.ToString(d.ScriptName), aws.ToString(d.Message), aws.ToString(d.LogTail)
		}
		return hook
	}
	return diagnose.Hook{}
}
