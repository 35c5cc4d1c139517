package deploy

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// poll says how a deployment stands.
func (r *rolling) poll(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	h := parseHandle(a.Handle())
	cluster, name := names(a)
	s, known, err := r.services.Look(ctx, a, cluster+"/"+name)
	if err != nil {
		return work.Outcome{}, err
	}
	if !known {
		return h.running(a, ""), nil
	}
	if aws.ToString(s.Status) == "INACTIVE" {
		return runner.Fail("ServiceNotActive", "the service "+name+" of the cluster "+cluster+" was deleted while it was deployed", gone(a, "the service "+name+" of the cluster "+cluster+" was deleted")), nil
	}
	if h.deployment == "" {
		if h.deployment, err = locate(ctx, a, s, h.ours); err != nil {
			return work.Outcome{}, err
		}
	}
	o, err := r.stands(ctx, a, h, s)
	if err != nil || o.State != work.Running {
		return o, err
	}
	if limit, began := timeLimit(a), a.Began(); limit > 0 && !began.IsZero() && a.Now().After(began.Add(limit)) {
		return failed(ctx, a, h, s, types.ServiceDeployment{}, "ActionTimedOut", fmt.Sprintf("the service %s did not run %s within %d minutes (DeploymentTimeout); ECS goes on with it", name, revision(h.ours), limit/time.Minute))
	}
	return o, nil
}

// stands is how a deployment stands: by its own record, or where there is none by its service.
func (r *rolling) stands(ctx context.Context, a *runner.Attempt, h handle, s types.Service) (work.Outcome, error) {
	if h.deployment == "" || h.deployment == none {
		return byService(ctx, a, h, s)
	}
	d, known, err := r.deployments.Look(ctx, a, h.deployment)
	if err != nil || !known {
		return h.running(a, ""), err
	}
	switch d.Status {
	case types.ServiceDeploymentStatusSuccessful:
		return succeeded(ctx, a, h, d)
	case types.ServiceDeploymentStatusRollbackSuccessful:
		return failed(ctx, a, h, s, d, "DeploymentRolledBack", "ECS has rolled the service "+aws.ToString(s.ServiceName)+" back to "+revision(cmp.Or(h.before, aws.ToString(s.TaskDefinition)))+": "+aws.ToString(d.StatusReason))
	case types.ServiceDeploymentStatusRollbackFailed:
		return failed(ctx, a, h, s, d, "DeploymentRolledBack", "the deployment of the service "+aws.ToString(s.ServiceName)+" failed, and so did ECS's rollback: "+aws.ToString(d.StatusReason))
	case types.ServiceDeploymentStatusStopped:
		if !breaker(d) && aws.ToString(s.TaskDefinition) != h.ours {
			return replaced(a, h, s, aws.ToString(d.StatusReason)), nil
		}
		return failed(ctx, a, h, s, d, "DeploymentFailed", "ECS has stopped the deployment of the service "+aws.ToString(s.ServiceName)+": "+aws.ToString(d.StatusReason))
	}
	return h.running(a, progress(a, s, d)), nil
}

// progress is how far a deployment is, in a line.
func progress(a *runner.Attempt, s types.Service, d types.ServiceDeployment) string {
	switch {
	case d.Status == types.ServiceDeploymentStatusRollbackInProgress, d.Status == types.ServiceDeploymentStatusRollbackRequested:
		return "ECS rolls back: " + aws.ToString(d.StatusReason)
	case pausing(d) != "":
		return pausing(d)
	case d.TargetServiceRevision != nil:
		run := fmt.Sprintf("%d of %d tasks run", d.TargetServiceRevision.RunningTaskCount, max(s.DesiredCount, d.TargetServiceRevision.RequestedTaskCount))
		return strings.TrimSuffix(run+"; "+unhealthySaid(a, s), "; ")
	}
	return ""
}

// pausing says that a deployment waits at a pause hook, and how it goes on; empty: it does not.
func pausing(d types.ServiceDeployment) string {
	for _, h := range d.LifecycleHookDetails {
		if h.Status != types.DeploymentLifecycleHookStatusAwaitingAction {
			continue
		}
		end := "rolls back"
		if h.TimeoutAction == types.DeploymentLifecycleHookActionContinue {
			end = "goes on"
		}
		text := "it waits at " + string(d.LifecycleStage) + " for the hook " + aws.ToString(h.HookId) + ": answer its gate where aws.ecsGates shows it, or ContinueServiceDeployment in AWS"
		if h.ExpiresAt != nil {
			text += "; at " + words.Moment(h.ExpiresAt.UTC()) + " ECS " + end
		}
		return text
	}
	return ""
}

// succeeded is the end of a deployment that ECS calls successful: only where the
// service is still to run our task definition.
func succeeded(ctx context.Context, a *runner.Attempt, h handle, d types.ServiceDeployment) (work.Outcome, error) {
	s, err := serviceNow(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	if aws.ToString(s.TaskDefinition) != h.ours {
		return replaced(a, h, s, "it was deployed, and replaced"), nil
	}
	o := work.Outcome{State: work.Succeeded, ExternalID: h.name(), ExternalURL: servicePage(a), Outputs: map[string]string{"TaskDefinitionArn": h.ours, "DeploymentId": h.name()}}
	if d.FinishedAt != nil {
		o.EndedAt = *d.FinishedAt
	}
	return o, a.Logf("the service %s runs %s", aws.ToString(s.ServiceName), revision(h.ours))
}

// serviceLags is for how long after its start a deployment may be missing from
// what ECS answers about its service.
const serviceLags = 2 * time.Minute

// byService is how a deployment stands where there is no record of it.
func byService(ctx context.Context, a *runner.Attempt, h handle, s types.Service) (work.Outcome, error) {
	var ours, primary types.Deployment
	for _, d := range s.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" {
			primary = d
		}
		if aws.ToString(d.TaskDefinition) == h.ours {
			ours = d
		}
	}
	reason := aws.ToString(ours.RolloutStateReason)
	switch isOurs := aws.ToString(primary.TaskDefinition) == h.ours; {
	case len(s.Deployments) == 0:
	case isOurs && primary.RolloutState == types.DeploymentRolloutStateFailed:
		return failed(ctx, a, h, s, types.ServiceDeployment{}, "DeploymentFailed", "the deployment of the service "+aws.ToString(s.ServiceName)+" failed: "+reason)
	case isOurs && primary.RolloutState != types.DeploymentRolloutStateInProgress && len(s.Deployments) == 1 && s.RunningCount == s.DesiredCount:
		return succeeded(ctx, a, h, types.ServiceDeployment{})
	case isOurs, primary.RolloutState == types.DeploymentRolloutStateInProgress: // or it falls back
	case a.Now().Before(a.Began().Add(serviceLags)): // this may be how it stood before
	case aws.ToString(primary.TaskDefinition) == h.before:
		return failed(ctx, a, h, s, types.ServiceDeployment{Status: types.ServiceDeploymentStatusRollbackSuccessful}, "DeploymentRolledBack", "ECS has rolled the service "+aws.ToString(s.ServiceName)+" back to "+revision(h.before)+": "+reason)
	default:
		return replaced(a, h, s, ""), nil
	}
	return h.running(a, fmt.Sprintf("%d of %d tasks run", ours.RunningCount, s.DesiredCount)), nil
}

// replaced is the end of a deployment after which somebody else deployed the service.
func replaced(a *runner.Attempt, h handle, s types.Service, reason string) work.Outcome {
	text := "the service " + aws.ToString(s.ServiceName) + " is to run " + revision(aws.ToString(s.TaskDefinition)) + ", not " + revision(h.ours) + ": somebody else deployed it"
	if reason != "" {
		text += " (" + reason + ")"
	}
	return runner.Fail("ExternallyStopped", text, displaced(a, text))
}

// displaced is the finding that somebody else changed what was being deployed.
func displaced(a *runner.Attempt, text string) *workflows.Finding {
	f := diagnose.Displaced(text, a.Again())
	return &f
}

// gone is the finding that it was deleted.
func gone(a *runner.Attempt, text string) *workflows.Finding {
	f := diagnose.Gone(text, "", a.Again())
	return &f
}

// breaker says whether the circuit breaker of a deployment opened.
func breaker(d types.ServiceDeployment) bool {
	return d.DeploymentCircuitBreaker != nil && d.DeploymentCircuitBreaker.Status == types.ServiceDeploymentRollbackMonitorsStatusTriggered
}

// revision is a task definition's family and revision, from its ARN: web:42.
func revision(arn string) string {
	_, name, _ := cutLast(arn)
	return name
}

// failed is the outcome of a deployment that failed: what ECS says of it, and of the tasks that stopped.
func failed(ctx context.Context, a *runner.Attempt, h handle, s types.Service, d types.ServiceDeployment, code, text string) (work.Outcome, error) {
	text = strings.TrimSuffix(text, ": ")
	stopped, err := stoppedTasks(ctx, a, s, h.ours)
	if err != nil {
		return work.Outcome{}, err
	}
	r := diagnose.Rollout{Service: aws.ToString(s.ServiceName), Reason: text, Breaker: breaker(d), RolledBack: strings.HasPrefix(string(d.Status), "ROLLBACK_"), Stopped: stopped}
	if d.Alarms != nil {
		r.Alarms = d.Alarms.TriggeredAlarmNames
	}
	for _, e := range s.Events {
		if e.CreatedAt == nil || a.Began().IsZero() || e.CreatedAt.After(a.Began().Add(-clocksDiffer)) {
			r.Events = append(r.Events, aws.ToString(e.Message))
		}
	}
	for i := min(mostEvents, len(r.Events)) - 1; i >= 0; i-- {
		if err := a.Logf("%s", r.Events[i]); err != nil {
			return work.Outcome{}, err
		}
	}
	if diagnose.IsHealth(r) || code == "ActionTimedOut" {
		r.Targets = unhealthyTargets(ctx, a, s)
	}
	f := diagnose.ECS(r)
	link(&f, "the service", servicePage(a))
	o := runner.Fail(code, text, &f)
	o.ExternalID, o.ExternalURL = h.name(), servicePage(a)
	if d.FinishedAt != nil {
		o.EndedAt = *d.FinishedAt
	}
	return o, nil
}

const (
	mostEvents = 10 // of a service that a log shows
	mostTasks  = 10 // of those that stopped that are looked at
)

func link(f *workflows.Finding, title, url string) {
	f.Links = append(f.Links, struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	}{title, url})
}

// stoppedTasks are the tasks of a task definition that stopped. What the first
// container that failed has written goes into the action's log. Without the right
// to read them there are none.
func stoppedTasks(ctx context.Context, a *runner.Attempt, s types.Service, ours string) (all []diagnose.Stopped, err error) {
	api := ecs.NewFromConfig(a.Config)
	list, err := api.ListTasks(ctx, &ecs.ListTasksInput{Cluster: s.ClusterArn, ServiceName: s.ServiceName, DesiredStatus: types.DesiredStatusStopped})
	if err == nil && len(list.TaskArns) > 0 {
		var out *ecs.DescribeTasksOutput
		if out, err = api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: s.ClusterArn, Tasks: list.TaskArns[:min(mostTasks, len(list.TaskArns))]}); err == nil {
			for _, t := range out.Tasks {
				if aws.ToString(t.TaskDefinitionArn) == ours {
					all = append(all, stopped(t))
				}
			}
		}
	}
	if err != nil {
		return nil, a.Unread(err, "why tasks stopped")
	}
	for _, t := range all {
		if t.Exited && t.ExitCode != 0 {
			return all, tailContainer(ctx, a, ours, t)
		}
	}
	return all, nil
}

// stopped is a task with the container by which it stopped: the first that failed.
func stopped(t types.Task) diagnose.Stopped {
	_, id, _ := cutLast(aws.ToString(t.TaskArn))
	one := diagnose.Stopped{Task: id, Code: string(t.StopCode), Reason: aws.ToString(t.StoppedReason)}
	for _, c := range t.Containers {
		if c.Reason == nil && (c.ExitCode == nil || *c.ExitCode == 0) {
			continue
		}
		one.Container, one.ContainerReason = aws.ToString(c.Name), aws.ToString(c.Reason)
		if c.ExitCode != nil {
			one.Exited, one.ExitCode = true, int(*c.ExitCode)
		}
		break
	}
	return one
}

// tailContainer adds to the action's log what a container wrote to CloudWatch Logs.
func tailContainer(ctx context.Context, a *runner.Attempt, ours string, t diagnose.Stopped) error {
	out, err := ecs.NewFromConfig(a.Config).DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &ours})
	if err != nil {
		return err
	}
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		if aws.ToString(c.Name) != t.Container || c.LogConfiguration == nil || c.LogConfiguration.LogDriver != types.LogDriverAwslogs {
			continue
		}
		options := c.LogConfiguration.Options
		if options["awslogs-stream-prefix"] == "" || options["awslogs-region"] != "" && options["awslogs-region"] != a.Config.Region {
			continue // its stream's name is Docker's, or it lies elsewhere
		}
		if err := a.Logf("what the container %s of the task %s wrote:", t.Container, t.Task); err != nil {
			return err
		}
		_, err = a.Tail(ctx, options["awslogs-group"], options["awslogs-stream-prefix"]+"/"+t.Container+"/"+t.Task)
		return err
	}
	return nil
}
