package bridge

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/rollcall-bot/rollcall/workflows"
)

// continueDeployment answers the hook of the request. The same answer again does no
// harm: each hook is answered once, and has an ID of its own.
func (a *actor) continueDeployment(ctx context.Context) error {
	p := pause{id: a.r.ExternalID}
	deployment, hook := p.deployment(), p.hook()
	in := &ecs.ContinueServiceDeploymentInput{ServiceDeploymentArn: &deployment, HookId: &hook}
	switch a.r.Verb {
	case workflows.Approve:
		in.Action = types.DeploymentLifecycleHookActionContinue
	case workflows.Reject:
		in.Action = types.DeploymentLifecycleHookActionRollback
	default:
		return &notKnownError{a.r.Verb}
	}
	_, err := a.ecs.ContinueServiceDeployment(ctx, in)
	return err
}

// findContinued says whether the hook has ended as it was to be answered. ECS does not
// say who did it, and with the same answer it makes no difference.
func (a *actor) findContinued(ctx context.Context) (bool, error) {
	p := &pause{id: a.r.ExternalID}
	shown, err := describe(ctx, a.ecs, []string{p.deployment()})
	if err != nil {
		return false, err
	}
	d := shown[p.deployment()]
	if d == nil {
		return false, nil
	}
	over := ended(p, d, &workflows.Execution{Requests: []workflows.Request{{Verb: a.r.Verb}}}, a.r.At)
	return over != nil && over.vote == string(a.r.Verb), nil
}
