package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Runner asks AWS for what people ask for here. Each request is one call, which
// the SDK does not repeat by itself: whether it may be repeated is known here alone.
type Runner struct {
	bridges *Bridges

	mu sync.Mutex
	// clear are the requests of which the last call certainly did nothing; unsure
	// are those of which an earlier call may have done it, so that a refusal may
	// be its echo.
	clear, unsure map[string]bool
}

// NewRunner returns the runner of these bridges' requests.
func NewRunner(b *Bridges) *Runner {
	return &Runner{bridges: b, clear: map[string]bool{}, unsure: map[string]bool{}}
}

// actor changes pipelines; only bridges in mode act get one.
type actor struct {
	api  *codepipeline.Client
	ecs  *ecs.Client // for pause hooks, instead of api and read
	read reader
	w    *watched
	r    *work.Request
	id   string // of the task
}

// actor returns who carries a request out, or why nobody does.
func (r *Runner) actor(ctx context.Context, t work.Task) (*actor, *workflows.Reason, error) {
	if t.Request == nil {
		return nil, &workflows.Reason{Code: "Validation", Message: "there is nothing that AWS is asked for"}, nil
	}
	w := r.bridges.row(t.Pipeline)
	switch {
	case w == nil:
		return nil, &workflows.Reason{Code: "WatchOnly", Message: "no bridge of the configuration names " + t.Pipeline + " any more"}, nil
	case w.bridge.Mode != workflows.BridgeActs:
		return nil, &workflows.Reason{Code: "WatchOnly", Message: "the bridge " + w.bridge.Name + " only watches: set mode: act in the configuration to let it act"}, nil
	}
	config, err := r.bridges.o.Accounts.Config(ctx, w.bridge.place(cmp.Or(t.Request.By.Email, t.Request.By.Name)))
	if err != nil {
		return nil, nil, err
	}
	if w.pauses != nil {
		return &actor{ecs: ecs.NewFromConfig(config, func(o *ecs.Options) { o.RetryMaxAttempts = 1 }), w: w, r: t.Request, id: t.ID}, nil, nil
	}
	once := func(o *codepipeline.Options) { o.RetryMaxAttempts = 1 }
	return &actor{api: codepipeline.NewFromConfig(config, once), read: newReader(config), w: w, r: t.Request, id: t.ID}, nil, nil
}

// Start asks AWS. An error means that nobody knows what came of it, or that AWS
// did not take it now: the engine has it looked up with [Runner.Find], and asked again.
func (r *Runner) Start(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	a, refused, err := r.actor(ctx, t)
	if err != nil || refused != nil {
		r.note(t.ID, true)
		return work.Outcome{State: work.Failed, Error: refused}, err
	}
	external, err := a.ask(ctx)
	echo := r.forget(t.ID)
	var unknown *notKnownError
	switch class := a.classify(err); {
	case errors.As(err, &unknown):
		return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "Validation", Message: err.Error()}}, nil
	case err == nil:
		a.w.look(nil)
		return work.Outcome{State: work.Succeeded, ExternalID: external}, nil
	case class == accounts.Refused, class == accounts.Denied:
		a.w.look(nil) // so that people see how it really stands
		if echo && a.answered(err) {
			if o, ok, found := a.find(ctx); found == nil && ok {
				return o, nil
			}
		}
		return work.Outcome{State: work.Failed, Error: a.words(err)}, nil
	default:
		r.note(t.ID, class != accounts.Unknown)
		if echo {
			r.doubt(t.ID)
		}
		return work.Outcome{}, fmt.Errorf("%s %s in AWS: %w", a.r.Verb, t.Pipeline, quietly(err))
	}
}

// forget drops a request that has an answer, and says whether an earlier call
// may have been carried out. What has none is noted again.
func (r *Runner) forget(task string) (unsure bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	unsure = r.unsure[task]
	delete(r.unsure, task)
	delete(r.clear, task)
	return unsure
}

// note remembers whether the last call of a request certainly did nothing.
func (r *Runner) note(task string, nothing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if nothing {
		r.clear[task] = true
	} else {
		delete(r.clear, task)
	}
}

// Find looks up whether a call whose answer was lost did what it was to do.
func (r *Runner) Find(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, bool, error) {
	r.mu.Lock()
	nothing := r.clear[t.ID]
	delete(r.clear, t.ID)
	r.mu.Unlock()
	if nothing {
		return work.Outcome{}, false, nil
	}
	r.doubt(t.ID)
	a, refused, err := r.actor(ctx, t)
	if err != nil {
		return work.Outcome{}, false, err
	}
	if refused != nil {
		return work.Outcome{State: work.Failed, Error: refused}, true, nil
	}
	o, ok, err := a.find(ctx)
	if err != nil {
		return work.Outcome{}, false, fmt.Errorf("look up whether AWS did %s %s: %w", a.r.Verb, t.Pipeline, quietly(err))
	}
	if ok {
		r.forget(t.ID)
		a.w.look(nil)
	}
	return o, ok, nil
}

func (r *Runner) doubt(task string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsure[task] = true
}

// Poll is not called: a request ends with its call.
func (r *Runner) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	o, ok, err := r.Find(ctx, t, w)
	if err == nil && !ok {
		o = work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "AWSUnavailable", Message: "AWS did not do it"}}
	}
	return o, err
}

// Cancel does nothing: what AWS was asked cannot be taken back.
func (r *Runner) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

// quietly is an error in words that may stand in a log and on a card.
func quietly(err error) error {
	var waits *notYetError
	if errors.As(err, &waits) {
		return err
	}
	_, message := accounts.Words(err)
	return errors.New(message)
}

func (a *actor) classify(err error) accounts.Class {
	if err == nil {
		return ""
	}
	return accounts.Classify(err)
}

// answered says whether a refusal may be the echo of our own earlier call.
func (a *actor) answered(err error) bool {
	code, _ := accounts.Words(err)
	return a.ecs != nil || code == "ApprovalAlreadyCompleted" || code == "DuplicatedStopRequest" || code == "StageNotRetryable"
}

// ask makes the one call of the request.
func (a *actor) ask(ctx context.Context) (external string, err error) {
	if a.ecs != nil {
		return "", a.continueDeployment(ctx)
	}
	name, r := &a.w.row.External, a.r
	switch r.Verb {
	case workflows.Start:
		out, err := a.api.StartPipelineExecution(ctx, a.start())
		if err != nil {
			return "", err
		}
		return aws.ToString(out.PipelineExecutionId), nil
	case workflows.RollBack:
		out, err := a.api.RollbackStage(ctx, &codepipeline.RollbackStageInput{PipelineName: name, StageName: &r.Stage, TargetPipelineExecutionId: &r.ExternalID})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.PipelineExecutionId), nil
	case workflows.StopExecution:
		in := &codepipeline.StopPipelineExecutionInput{PipelineName: name, PipelineExecutionId: &r.ExternalID, Abandon: r.Intent.Abandon}
		if reason := cut(clean.Line(r.Text), mostStopReason); reason != "" {
			in.Reason = &reason
		}
		_, err = a.api.StopPipelineExecution(ctx, in)
	case workflows.Retry:
		mode := types.StageRetryModeFailedActions
		if r.Intent.All {
			mode = types.StageRetryModeAllActions
		}
		_, err = a.api.RetryStageExecution(ctx, &codepipeline.RetryStageExecutionInput{PipelineName: name, StageName: &r.Stage, PipelineExecutionId: &r.ExternalID, RetryMode: mode})
	case workflows.Lock:
		_, err = a.api.DisableStageTransition(ctx, &codepipeline.DisableStageTransitionInput{PipelineName: name, StageName: &r.Stage, TransitionType: types.StageTransitionTypeInbound, Reason: aws.String(a.lockReason())})
	case workflows.Unlock:
		_, err = a.api.EnableStageTransition(ctx, &codepipeline.EnableStageTransitionInput{PipelineName: name, StageName: &r.Stage, TransitionType: types.StageTransitionTypeInbound})
	case workflows.Override:
		_, err = a.api.OverrideStageCondition(ctx, &codepipeline.OverrideStageConditionInput{PipelineName: name, StageName: &r.Stage, PipelineExecutionId: &r.ExternalID, ConditionType: a.condition()})
	case workflows.Approve, workflows.Reject:
		_, err = a.api.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{PipelineName: name, StageName: &r.Stage, ActionName: &r.Action, Token: &r.Token,
			Result: &types.ApprovalResult{Status: a.approvalStatus(), Summary: aws.String(a.summary())}})
	default:
		err = &notKnownError{r.Verb}
	}
	return "", err
}

func (a *actor) start() *codepipeline.StartPipelineExecutionInput {
	in := &codepipeline.StartPipelineExecutionInput{Name: &a.w.row.External, ClientRequestToken: aws.String(token(a.id))}
	for name, value := range a.r.Intent.Variables {
		in.Variables = append(in.Variables, types.PipelineVariable{Name: aws.String(name), Value: aws.String(value)})
	}
	for _, o := range a.r.Intent.Revisions {
		kind := types.SourceRevisionType(cmp.Or(o.RevisionType, string(types.SourceRevisionTypeCommitId)))
		in.SourceRevisions = append(in.SourceRevisions, types.SourceRevisionOverride{ActionName: aws.String(o.ActionName), RevisionType: kind, RevisionValue: aws.String(o.RevisionValue)})
	}
	return in
}

func (a *actor) lockReason() string {
	return lockReason(a.r.Text, lockReason("locked by "+a.r.By.Called(), "locked by rollcall"))
}

func (a *actor) summary() string {
	return cmp.Or(cut(a.r.Text, mostSummary), cut(clean.Line(a.r.By.Called()), 400)+" via rollcall")
}

func (a *actor) condition() types.ConditionType {
	if a.r.Intent.Condition == string(types.ConditionTypeOnSuccess) {
		return types.ConditionTypeOnSuccess
	}
	return types.ConditionTypeBeforeEntry
}

func (a *actor) approvalStatus() types.ApprovalStatus {
	if a.r.Verb == workflows.Reject {
		return types.ApprovalStatusRejected
	}
	return types.ApprovalStatusApproved
}

// notKnownError says that a verb means nothing in AWS.
type notKnownError struct{ verb workflows.Verb }

// Error names the verb.
func (e *notKnownError) Error() string { return "AWS CodePipeline cannot " + string(e.verb) }
