package deploy

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostServices    = 10 // that DescribeServices takes
	mostDeployments = 20 // that DescribeServiceDeployments takes
)

// rolling is a rolling deployment to ECS as a kind of action.
type rolling struct {
	services    *runner.List[types.Service]           // by cluster/name
	deployments *runner.List[types.ServiceDeployment] // by ARN
}

func ecsRolling() []runner.Kind {
	r := &rolling{services: runner.NewList(mostServices, getServices), deployments: runner.NewList(mostDeployments, getDeployments)}
	return []runner.Kind{{Category: "Deploy", Provider: "ECS", Start: r.start, Find: r.find, Poll: r.poll, Cancel: r.cancel, Needs: ecsNeeds, Check: checkService, Optional: readForService,
		Subject: runner.Subject{Setting: "ServiceName", Changed: "UpdateService", Deleted: "DeleteService"}}}
}

// getServices asks for services, which ECS answers by cluster.
func getServices(ctx context.Context, c aws.Config, ids []string) (map[string]types.Service, error) {
	byCluster := map[string][]string{}
	for _, id := range ids {
		cluster, name, _ := cutLast(id)
		byCluster[cluster] = append(byCluster[cluster], name)
	}
	all := map[string]types.Service{}
	for cluster, names := range byCluster {
		out, err := ecs.NewFromConfig(c).DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: names})
		if err != nil {
			return nil, err
		}
		for _, s := range out.Services {
			all[cluster+"/"+aws.ToString(s.ServiceName)] = s
		}
	}
	return all, nil
}

func getDeployments(ctx context.Context, c aws.Config, arns []string) (map[string]types.ServiceDeployment, error) {
	out, err := ecs.NewFromConfig(c).DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns})
	if err != nil {
		return nil, err
	}
	all := make(map[string]types.ServiceDeployment, len(out.ServiceDeployments))
	for _, d := range out.ServiceDeployments {
		all[aws.ToString(d.ServiceDeploymentArn)] = d
	}
	return all, nil
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// names are the action's cluster and service, whether by name or by ARN.
func names(a *runner.Attempt) (cluster, service string) {
	_, cluster, _ = cutLast(a.Setting("ClusterName"))
	_, service, _ = cutLast(a.Setting("ServiceName"))
	return cluster, service
}

// serviceNow is the action's service as it is this moment.
func serviceNow(ctx context.Context, a *runner.Attempt) (types.Service, error) {
	cluster, name := names(a)
	return serviceIn(ctx, a.Config, cluster, name)
}

func serviceIn(ctx context.Context, c aws.Config, cluster, name string) (types.Service, error) {
	all, err := getServices(ctx, c, []string{cluster + "/" + name})
	if err != nil {
		return types.Service{}, err
	}
	s, ok := all[cluster+"/"+name]
	if !ok || aws.ToString(s.Status) == "INACTIVE" {
		return s, &runner.SettingsError{Text: "the cluster " + cluster + " has no service " + name + ": check ClusterName, ServiceName, region and role of the action", Missing: true}
	}
	return s, nil
}

// isOfECS says whether ECS itself deploys a service.
func isOfECS(s types.Service) error {
	c := s.DeploymentController
	if c == nil || c.Type == types.DeploymentControllerTypeEcs || c.Type == "" {
		return nil
	}
	return &runner.SettingsError{Text: fmt.Sprintf("the service %s is deployed by the controller %s: the provider ECS deploys services of the controller ECS, CodeDeployToECS those of CODE_DEPLOY", aws.ToString(s.ServiceName), c.Type)}
}

// handle names a deployment on its way.
type handle struct {
	ours       string // ARN of the task definition that was registered
	before     string // that of the one that ran before; empty: not known
	deployment string // ARN of the service deployment; empty: not found yet; none: this place has none
}

// none stands for a service deployment where there is nothing of the kind.
const none = "none"

func (h handle) String() string {
	return h.ours + " " + h.before + " " + h.deployment
}

func parseHandle(s string) (h handle) {
	h.ours, s, _ = strings.Cut(s, " ")
	h.before, h.deployment, _ = strings.Cut(s, " ")
	return h
}

// running is the outcome of a deployment on its way.
func (h handle) running(a *runner.Attempt, summary string) work.Outcome {
	return work.Outcome{State: work.Running, Handle: h.String(), ExternalID: h.name(), ExternalURL: servicePage(a), Summary: summary}
}

// name is the deployment's ID, or until it is known its task definition: web:42.
func (h handle) name() string {
	arn := h.ours
	if h.deployment != none && h.deployment != "" {
		arn = h.deployment
	}
	_, name, _ := cutLast(arn)
	return name
}

// start registers the service's task definition with other images, and has the service run it.
func (r *rolling) start(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	images, err := readImages(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	s, err := serviceNow(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	if err := isOfECS(s); err != nil {
		return work.Outcome{}, err
	}
	before := aws.ToString(s.TaskDefinition)
	d, tags, err := described(ctx, a, before)
	if err != nil {
		return work.Outcome{}, err
	}
	in, err := d.with(images)
	if err != nil {
		return work.Outcome{}, err
	}
	in.Tags = kept(tags)
	ours, err := register(ctx, a, in, before)
	if err != nil {
		return work.Outcome{}, err
	}
	if _, err := ecs.NewFromConfig(a.Config).UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName, TaskDefinition: &ours}); err != nil {
		return work.Outcome{}, err
	}
	return handle{ours: ours, before: before}.running(a, ""), a.Logf("the service %s is to run it", aws.ToString(s.ServiceName))
}

// find looks up whether the service was told to run a task definition of the attempt.
func (r *rolling) find(ctx context.Context, a *runner.Attempt) (work.Outcome, bool, error) {
	s, err := serviceNow(ctx, a)
	if err != nil {
		return work.Outcome{}, false, err
	}
	runs := aws.ToString(s.TaskDefinition)
	ours, err := registered(ctx, a, familyOf(runs), "")
	if err != nil || ours == "" {
		return work.Outcome{}, false, err
	}
	h := handle{ours: ours, before: runs}
	if runs == ours {
		h.before = previous(s, ours)
		return h.running(a, ""), true, nil
	}
	// It may have been told, and fallen back since.
	if h.deployment, err = locate(ctx, a, s, ours); err != nil || h.deployment == "" || h.deployment == none {
		return work.Outcome{}, false, err
	}
	return h.running(a, ""), true, nil
}

// previous is the task definition that a service ran before; empty: it no longer shows it.
func previous(s types.Service, ours string) string {
	for _, d := range s.Deployments {
		if one := aws.ToString(d.TaskDefinition); one != ours {
			return one
		}
	}
	return ""
}

// locate is the service deployment that leads to a task definition; empty: there
// is none yet; none: this place, or the role, knows nothing of service deployments.
func locate(ctx context.Context, a *runner.Attempt, s types.Service, ours string) (string, error) {
	api := ecs.NewFromConfig(a.Config)
	in := &ecs.ListServiceDeploymentsInput{Cluster: s.ClusterArn, Service: s.ServiceName}
	if began := a.Began(); !began.IsZero() {
		in.CreatedAt = &types.CreatedAt{After: aws.Time(began.Add(-clocksDiffer))}
	}
	list, err := api.ListServiceDeployments(ctx, in)
	if err != nil {
		return without(a, err)
	}
	var arns []string
	for _, d := range list.ServiceDeployments {
		if arn := aws.ToString(d.TargetServiceRevisionArn); arn != "" && len(arns) < mostDeployments {
			arns = append(arns, arn)
		}
	}
	if len(arns) == 0 {
		return "", nil
	}
	out, err := api.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: arns})
	if err != nil {
		return without(a, err)
	}
	for _, d := range list.ServiceDeployments {
		leads := func(one types.ServiceRevision) bool {
			return aws.ToString(one.ServiceRevisionArn) == aws.ToString(d.TargetServiceRevisionArn) && aws.ToString(one.TaskDefinition) == ours
		}
		if slices.ContainsFunc(out.ServiceRevisions, leads) {
			return aws.ToString(d.ServiceDeploymentArn), nil
		}
	}
	return "", nil
}

// without says whether a deployment can go on without its record: where there is
// nothing of the kind, or the role may not read it.
func without(a *runner.Attempt, err error) (string, error) {
	if code := runner.Code(err); code == "UnsupportedFeature" || code == "UnknownOperation" {
		return none, nil
	}
	if err = a.Unread(err, "how ECS's own deployments go"); err != nil {
		return "", err
	}
	return none, nil
}

// cancel has ECS roll back; where it knows no service deployments, the service is
// told to run again what it ran before.
func (r *rolling) cancel(ctx context.Context, a *runner.Attempt) error {
	h := parseHandle(a.Handle())
	s, err := serviceNow(ctx, a)
	if err != nil {
		return err
	}
	if h.deployment == "" {
		if h.deployment, err = locate(ctx, a, s, h.ours); err != nil {
			return err
		}
	}
	api := ecs.NewFromConfig(a.Config)
	if h.deployment != "" && h.deployment != none {
		_, err := api.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: &h.deployment, StopType: types.StopServiceDeploymentStopTypeRollback})
		if code := runner.Code(err); err == nil || code == "Conflict" { // it is being rolled back, or over
			return nil
		} else if code != "UnsupportedFeature" && code != "InvalidParameter" && code != "ServiceDeploymentNotFound" {
			return err
		}
	}
	if h.before == "" || aws.ToString(s.TaskDefinition) != h.ours {
		return nil // nothing is known to go back to, or it has gone back
	}
	_, err = api.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName, TaskDefinition: &h.before})
	return err
}

// servicePage is the service's deployments in the console.
func servicePage(a *runner.Attempt) string {
	cluster, name := names(a)
	return a.URL("ecs/v2/clusters/"+url.PathEscape(cluster)+"/services/"+url.PathEscape(name)+"/deployments", "")
}

// timeLimit is the action's DeploymentTimeout; 0: it has none.
func timeLimit(a *runner.Attempt) time.Duration {
	n, err := strconv.Atoi(a.Setting("DeploymentTimeout"))
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(n) * time.Minute
}

// ecsNeeds are the permissions of the calls above.
func ecsNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	_, cluster, _ := cutLast(action.Configuration["ClusterName"])
	_, name, _ := cutLast(action.Configuration["ServiceName"])
	service := cluster + "/" + name
	return []policy.Statement{
		{Sid: "DeployService", Comment: "have the service run the new task definition, and watch it", Actions: []string{"ecs:DescribeServices", "ecs:UpdateService", "ecs:ListServiceDeployments"}, Resources: []string{at.ARN("ecs", "service/"+service)}},
		{Sid: "WatchServiceDeployments", Comment: "how its deployments go, and to have one rolled back", Actions: []string{"ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment", "ecs:DescribeServiceRevisions"},
			Resources: []string{at.ARN("ecs", "service/"+service), at.ARN("ecs", "service-deployment/"+service+"/*"), at.ARN("ecs", "service-revision/"+service+"/*")}}, // AWS asks for the right on the service too
		{Sid: "RegisterTaskDefinitions", Comment: "the service's task definition with the new images", Actions: []string{"ecs:RegisterTaskDefinition", "ecs:TagResource"}, Resources: []string{at.ARN("ecs", "task-definition/*:*")}},
		{Sid: "ReadTasks", Comment: "the task definition that the service runs, and why tasks stopped", Actions: []string{"ecs:DescribeTaskDefinition", "ecs:ListTasks"}, Resources: []string{"*"}},
		{Sid: "ReadStoppedTasks", Comment: "why tasks stopped", Actions: []string{"ecs:DescribeTasks"}, Resources: []string{at.ARN("ecs", "task/"+cluster+"/*")}},
		{Sid: "ReadContainerLogs", Comment: "what a container wrote that stopped; name the log groups to narrow it", Actions: []string{"logs:GetLogEvents"}, Resources: []string{at.ARN("logs", "log-group:*:log-stream:*")}},
		passTaskRoles(at),
	}
}

// passTaskRoles is the permission to give tasks the roles of their definition,
// which only the definition names.
func passTaskRoles(at policy.Place) policy.Statement {
	at.Region = "" // IAM has none
	return policy.PassRole("PassTaskRoles", "the roles of the task definition; name them to narrow it", at.ARN("iam", "role/*"), "ecs-tasks.amazonaws.com")
}
