package bridge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// appears is after how long a rollback that AWS does not list did not happen.
	appears = time.Minute
	// clocksDiffer is by how much AWS's clock and ours may differ unseen: AWS says its time in whole seconds.
	clocksDiffer = 2 * time.Second
)

// notYetError says that it is too early to know what came of a call.
type notYetError struct{ what string }

// Error says what is waited for.
func (e *notYetError) Error() string { return e.what }

// find looks up in AWS whether the request was carried out. A start needs no look:
// AWS knows its token.
func (a *actor) find(ctx context.Context) (o work.Outcome, done bool, err error) {
	if a.ecs != nil {
		done, err = a.findContinued(ctx)
		return work.Outcome{State: work.Succeeded}, done, err
	}
	switch a.r.Verb {
	case workflows.RollBack:
		return a.findRollback(ctx)
	case workflows.Approve, workflows.Reject:
		done, err = a.findAnswer(ctx)
	case workflows.StopExecution:
		done, err = a.findStop(ctx)
	case workflows.Retry:
		done, err = a.findRetry(ctx)
	case workflows.Lock, workflows.Unlock:
		done, err = a.findTransition(ctx)
	case workflows.Override:
		done, err = a.findOverride(ctx)
	}
	return work.Outcome{State: work.Succeeded}, done, err
}

// since is when the request was made, by AWS's clock.
func (a *actor) since(answer middleware.Metadata) time.Time {
	at := a.r.At
	if now, ok := awsmiddleware.GetServerTime(answer); ok {
		if skew := time.Until(now); skew > clocksDiffer || skew < -clocksDiffer {
			at = at.Add(skew)
		}
	}
	return at.Add(-clocksDiffer)
}

// findRollback looks for the execution that the rollback began: of that type, to
// our target, started after the request. AWS lists it with a delay, so its
// absence says something only after a while.
func (a *actor) findRollback(ctx context.Context) (o work.Outcome, done bool, err error) {
	out, err := a.read.listPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: &a.w.row.External, MaxResults: aws.Int32(50)})
	if err != nil {
		return o, false, err
	}
	since := a.since(out.ResultMetadata)
	mine := slices.DeleteFunc(out.PipelineExecutionSummaries, func(s types.PipelineExecutionSummary) bool {
		return s.ExecutionType != types.ExecutionTypeRollback || s.RollbackMetadata == nil || aws.ToString(s.RollbackMetadata.RollbackTargetPipelineExecutionId) != a.r.ExternalID || aws.ToTime(s.StartTime).Before(since)
	})
	if len(mine) > 0 {
		return work.Outcome{State: work.Succeeded, ExternalID: aws.ToString(mine[len(mine)-1].PipelineExecutionId)}, true, nil
	}
	if age := time.Since(a.r.At); age < appears {
		return o, false, &notYetError{fmt.Sprintf("whether AWS began the rollback is known %s after it was asked", appears)}
	}
	return o, false, nil
}

// findAnswer says whether the approval holds our answer.
func (a *actor) findAnswer(ctx context.Context) (bool, error) {
	details, _, err := a.read.actions(ctx, a.w.row.External, a.r.ExternalID, func([]types.ActionExecutionDetail) bool { return true })
	if err != nil {
		return false, err
	}
	for _, d := range details {
		if aws.ToString(d.StageName) != a.r.Stage || aws.ToString(d.ActionName) != a.r.Action || d.Status == types.ActionExecutionStatusInProgress {
			continue
		}
		if d.Output != nil && d.Output.ExecutionResult != nil && aws.ToString(d.Output.ExecutionResult.ExternalExecutionSummary) == a.summary() && !aws.ToTime(d.LastUpdateTime).Before(a.r.At.Add(-time.Minute)) {
			return true, nil
		}
	}
	return false, nil
}

func (a *actor) findStop(ctx context.Context) (bool, error) {
	out, err := a.read.getPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &a.w.row.External, PipelineExecutionId: &a.r.ExternalID})
	if err != nil || out.PipelineExecution == nil {
		return false, err
	}
	status := out.PipelineExecution.Status
	return status == types.PipelineExecutionStatusStopping || status == types.PipelineExecutionStatusStopped, nil
}

// findRetry says whether an action of the stage has begun anew.
func (a *actor) findRetry(ctx context.Context) (bool, error) {
	out, err := a.read.listActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &a.w.row.External, MaxResults: aws.Int32(pageSize),
		Filter: &types.ActionExecutionFilter{PipelineExecutionId: &a.r.ExternalID}})
	if err != nil {
		return false, err
	}
	since := a.since(out.ResultMetadata)
	return slices.ContainsFunc(out.ActionExecutionDetails, func(d types.ActionExecutionDetail) bool {
		return aws.ToString(d.StageName) == a.r.Stage && !startOf(d).Before(since)
	}), nil
}

func (a *actor) findTransition(ctx context.Context) (bool, error) {
	s, err := a.stage(ctx)
	if err != nil || s == nil || s.InboundTransitionState == nil {
		return false, err
	}
	if t := s.InboundTransitionState; a.r.Verb == workflows.Lock {
		return !t.Enabled && aws.ToString(t.DisabledReason) == a.lockReason(), nil
	}
	return s.InboundTransitionState.Enabled, nil
}

func (a *actor) findOverride(ctx context.Context) (bool, error) {
	s, err := a.stage(ctx)
	if err != nil || s == nil {
		return false, err
	}
	state := s.BeforeEntryConditionState
	if a.condition() == types.ConditionTypeOnSuccess {
		state = s.OnSuccessConditionState
	}
	return state != nil && state.LatestExecution != nil && state.LatestExecution.Status == types.ConditionExecutionStatusOverridden, nil
}

func (a *actor) stage(ctx context.Context) (*types.StageState, error) {
	out, err := a.read.getPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &a.w.row.External})
	if err != nil {
		return nil, err
	}
	for i := range out.StageStates {
		if aws.ToString(out.StageStates[i].StageName) == a.r.Stage {
			return &out.StageStates[i], nil
		}
	}
	return nil, nil
}

// words are a refusal as people read it: AWS's code, and a sentence.
func (a *actor) words(err error) *workflows.Reason {
	code, message := accounts.Words(err)
	if accounts.Classify(err) != accounts.Denied {
		return &workflows.Reason{Code: cmp.Or(code, "Refused"), Message: message}
	}
	action, arn := a.permission()
	f := explain(err, arn, "")
	return &workflows.Reason{Code: "AccessDenied", Message: "the role of the bridge " + a.w.bridge.Name + " lacks " + action + " on " + arn, Finding: f}
}

// permission is what the request needs, on the level that AWS wants it on.
func (a *actor) permission() (action, resource string) {
	if a.ecs != nil {
		p := pause{id: a.r.ExternalID}
		return "ecs:ContinueServiceDeployment", p.deployment()
	}
	arn := a.r.Bridge.ARN
	operation := map[workflows.Verb]string{
		workflows.Start: "StartPipelineExecution", workflows.StopExecution: "StopPipelineExecution", workflows.Retry: "RetryStageExecution", workflows.RollBack: "RollbackStage",
		workflows.Lock: "DisableStageTransition", workflows.Unlock: "EnableStageTransition", workflows.Override: "OverrideStageCondition",
		workflows.Approve: "PutApprovalResult", workflows.Reject: "PutApprovalResult",
	}[a.r.Verb]
	parts := []string{arn}
	switch a.r.Verb {
	case workflows.Start, workflows.StopExecution:
	case workflows.Approve, workflows.Reject:
		parts = append(parts, a.r.Stage, a.r.Action)
	default:
		parts = append(parts, a.r.Stage)
	}
	return "codepipeline:" + operation, strings.Join(parts, "/")
}
