package deploy

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A deployment that waits at a pause hook says so, and where and until when it is answered.
func TestADeploymentThatWaitsAtAHookSaysWhereItIsAnswered(t *testing.T) {
	at := time.Date(2026, 12, 1, 14, 2, 0, 0, time.UTC)
	hook := types.DeploymentLifecycleHookDetail{HookId: aws.String("ecs-pause-2"), Status: types.DeploymentLifecycleHookStatusAwaitingAction, ExpiresAt: &at, TimeoutAction: types.DeploymentLifecycleHookActionRollback}
	d := types.ServiceDeployment{Status: types.ServiceDeploymentStatusInProgress, LifecycleStage: "POST_SCALE_UP",
		LifecycleHookDetails: []types.DeploymentLifecycleHookDetail{{HookId: aws.String("ecs-pause-1"), Status: types.DeploymentLifecycleHookStatusSucceeded}, hook}}
	const want = "it waits at POST_SCALE_UP for the hook ecs-pause-2: answer its gate where aws.ecsGates shows it, or ContinueServiceDeployment in AWS; at 1 Dec 14:02 UTC ECS rolls back"
	if got := pausing(d); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	d.LifecycleHookDetails = d.LifecycleHookDetails[:1]
	if got := pausing(d); got != "" {
		t.Errorf("after it: %s", got)
	}
}
