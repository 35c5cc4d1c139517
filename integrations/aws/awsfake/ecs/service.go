// Package ecs is Amazon ECS in the fake of AWS: services that take on task
// definitions by the clock, and fall back as their plan says.
package ecs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Plan is how a deployment goes.
type Plan struct {
	Takes time.Duration // until it has succeeded or is given up; 0: 20 s
	// Breaks has ECS give it up: the circuit breaker opens. The service falls back
	// to what it ran before, if its breaker is to roll back.
	Breaks bool
	Alarm  string // the name of an alarm that rings instead
	Stuck  bool   // it never ends by itself
	// Stopped is how its tasks stop, where they do.
	Stopped Stop
	// Pauses are the stages at which hooks wait for an answer, in turn.
	Pauses []Pause
	// Strategy is CANARY, LINEAR or BLUE_GREEN; empty: ROLLING. Percent is what a
	// canary takes first, or a step of a linear deployment.
	Strategy string
	Percent  float64
}

// Stop is how a task stops.
type Stop struct {
	Code, Reason    string // EssentialContainerExited, "Essential container in task exited"
	Container       string // its name in the task definition
	ContainerReason string
	ExitCode        int
	Log             []string // what the container has written
}

// Service is ECS in one account and Region.
type Service struct {
	w *api.World

	mu       sync.Mutex
	families map[string][]*definition
	services map[string]*service // by cluster/name
	names    []string            // of the services, in the order in which they were made
}

// New returns an ECS without services.
func New(w *api.World) *Service {
	return &Service{w: w, families: map[string][]*definition{}, services: map[string]*service{}}
}

// service is one that ECS keeps running.
type service struct {
	cluster, name string
	definition    string // ARN of the task definition that it is to run
	controller    string // ECS or CODE_DEPLOY
	rollsBack     bool   // its circuit breaker falls back
	old           bool   // of a place without service deployments
	deployments   []*deployment
	events        []event
	tasks         []*task
	plans         []Plan
	hooks         []Pause  // that its configuration names
	functions     []string // ARNs of those that it calls
	balanced      string   // ARN of its target group; empty: it has none
	made          time.Time
	deleted       bool
}

type event struct {
	id, message string
	at          time.Time
}

// desired is how many tasks a service is to run.
const desired = 2

// Create makes a service that runs a task definition.
func (s *Service) Create(cluster, name, definition string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := &service{cluster: cluster, name: name, definition: definition, controller: "ECS", rollsBack: true, made: s.w.Now()}
	if s.services[cluster+"/"+name] == nil {
		s.names = append(s.names, cluster+"/"+name)
	}
	s.services[cluster+"/"+name] = one
	first := s.deploy(one, &Plan{})
	first.end("SUCCESSFUL", "", s.w.Now())
}

// Control has something else than ECS deploy a service: CODE_DEPLOY.
func (s *Service) Control(cluster, name, controller string) {
	s.change(cluster, name, func(one *service) { one.controller = controller })
}

// Call has ECS call a function at each deployment of a service, before its tasks are made.
func (s *Service) Call(cluster, name, function string) {
	s.change(cluster, name, func(one *service) { one.functions = append(one.functions, function) })
}

// Balance puts a service behind a target group.
func (s *Service) Balance(cluster, name, group string) {
	s.change(cluster, name, func(one *service) { one.balanced = group })
}

// Say adds an event of a service.
func (s *Service) Say(cluster, name, message string) {
	s.change(cluster, name, func(one *service) { one.events = append(one.events, event{s.w.NewID(), message, s.w.Now()}) })
}

// Old has a service be of a place that knows no service deployments.
func (s *Service) Old(cluster, name string) {
	s.change(cluster, name, func(one *service) { one.old = true })
}

// KeepBroken has the circuit breaker of a service not fall back.
func (s *Service) KeepBroken(cluster, name string) {
	s.change(cluster, name, func(one *service) { one.rollsBack = false })
}

// Delete deletes a service, which ECS shows as inactive for a while.
func (s *Service) Delete(cluster, name string) {
	s.change(cluster, name, func(one *service) { one.deleted = true })
}

// Next says how the next deployments of a service go.
func (s *Service) Next(cluster, name string, plans ...Plan) {
	s.change(cluster, name, func(one *service) { one.plans = append(one.plans, plans...) })
}

// Hooks gives the configuration of a service hooks that pause, at these stages.
func (s *Service) Hooks(cluster, name string, hooks ...Pause) {
	s.change(cluster, name, func(one *service) { one.hooks = hooks })
}

// Deploy has somebody else deploy a task definition.
func (s *Service) Deploy(cluster, name, definition string, p Plan) {
	s.change(cluster, name, func(one *service) {
		one.definition = definition
		s.deploy(one, &p)
	})
}

// Runs is the ARN of the task definition that a service is to run.
func (s *Service) Runs(cluster, name string) (definition string) {
	s.change(cluster, name, func(one *service) { definition = one.definition })
	return definition
}

func (s *Service) change(cluster, name string, how func(one *service)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	one := s.services[cluster+"/"+name]
	if one == nil {
		panic("the fake of ECS has no service " + cluster + "/" + name)
	}
	how(one)
}

// CatchUp brings the deployments up to the clock.
func (s *Service) CatchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
}

// Do carries out an operation.
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do := map[string]func(*api.Request) (any, *api.Error){
		"DescribeServices": s.describeServices, "UpdateService": s.updateService,
		"DescribeTaskDefinition": s.describeTaskDefinition, "RegisterTaskDefinition": s.registerTaskDefinition,
		"ListServiceDeployments": s.listServiceDeployments, "DescribeServiceDeployments": s.describeServiceDeployments,
		"DescribeServiceRevisions": s.describeServiceRevisions, "StopServiceDeployment": s.stopServiceDeployment,
		"ContinueServiceDeployment": s.continueServiceDeployment, "ListClusters": s.listClusters, "ListServices": s.listServices, "ListTasks": s.listTasks, "DescribeTasks": s.describeTasks,
	}[q.Operation]
	if do == nil {
		return nil, api.Refuse("ClientException", "the fake of ECS has no %s", q.Operation)
	}
	return do(q)
}

// Rights are what a call needs.
func (s *Service) Rights(q *api.Request) []api.Right {
	of := func(resources ...string) (all []api.Right) {
		for _, r := range resources {
			all = append(all, api.Right{Action: "ecs:" + q.Operation, Resource: r})
		}
		return all
	}
	cluster := tail(q.Input.Text("cluster"))
	switch q.Operation {
	case "UpdateService", "ListServiceDeployments":
		return of(q.ARN("service/" + cluster + "/" + tail(q.Input.Text("service"))))
	case "DescribeServices":
		var all []string
		for _, name := range q.Input.Texts("services") {
			all = append(all, q.ARN("service/"+cluster+"/"+tail(name)))
		}
		return of(all...)
	case "DescribeServiceDeployments":
		return of(withServices(q.Input.Texts("serviceDeploymentArns"))...)
	case "DescribeServiceRevisions":
		return of(withServices(q.Input.Texts("serviceRevisionArns"))...)
	case "StopServiceDeployment", "ContinueServiceDeployment":
		return of(withServices([]string{q.Input.Text("serviceDeploymentArn")})...)
	case "DescribeTasks":
		return of(q.Input.Texts("tasks")...)
	case "RegisterTaskDefinition":
		all := of(q.ARN("task-definition/" + q.Input.Text("family") + ":*"))
		if len(q.Input.List("tags")) > 0 {
			all = append(all, api.Right{Action: "ecs:TagResource", Resource: q.ARN("task-definition/" + q.Input.Text("family") + ":*")})
		}
		for _, role := range []string{"taskRoleArn", "executionRoleArn"} {
			if arn := q.Input.Text(role); arn != "" {
				all = append(all, api.PassRole(arn, "ecs-tasks.amazonaws.com"))
			}
		}
		return all
	}
	return of("*")
}

// withServices are ARNs of deployments or revisions and those of their services: the
// service authorization reference names both as required.
func withServices(arns []string) (all []string) {
	for _, arn := range arns {
		all = append(all, arn)
		if parts := strings.Split(arn, "/"); len(parts) == 4 {
			all = append(all, parts[0][:strings.LastIndexByte(parts[0], ':')+1]+"service/"+parts[1]+"/"+parts[2])
		}
	}
	return all
}

// arn is an ARN of ECS here.
func (s *Service) arn(parts ...string) string {
	return "arn:aws:ecs:" + s.w.Region + ":" + s.w.Account + ":" + strings.Join(parts, "/")
}

// find is the service that a call names.
func (s *Service) find(cluster, name string) (*service, *api.Error) {
	cluster = tail(cluster)
	known := false
	for _, one := range s.services {
		known = known || one.cluster == cluster
	}
	if !known {
		return nil, api.Refuse("ClusterNotFoundException", "Cluster not found.")
	}
	one := s.services[cluster+"/"+tail(name)]
	if one == nil {
		return nil, api.Refuse("ServiceNotFoundException", "Service not found.")
	}
	return one, nil
}

// tail is what stands behind the last slash.
func tail(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func (s *Service) describeServices(q *api.Request) (any, *api.Error) {
	names := q.Input.Texts("services")
	if len(names) > 10 {
		return nil, api.Refuse("InvalidParameterException", "Services cannot have more than 10 elements.")
	}
	found, missing := []any{}, []any{}
	for _, name := range names {
		one, bad := s.find(q.Input.Text("cluster"), name)
		if bad != nil && bad.Code == "ClusterNotFoundException" {
			return nil, bad
		}
		if bad != nil {
			missing = append(missing, map[string]any{"arn": s.arn("service", tail(q.Input.Text("cluster")), tail(name)), "reason": "MISSING"})
			continue
		}
		found = append(found, s.described(one))
	}
	return map[string]any{"services": found, "failures": missing}, nil
}

// described is a service as ECS shows it.
func (s *Service) described(one *service) map[string]any {
	events := []any{}
	for i := len(one.events) - 1; i >= 0; i-- {
		events = append(events, map[string]any{"id": one.events[i].id, "createdAt": one.events[i].at, "message": one.events[i].message})
	}
	status := "ACTIVE"
	if one.deleted {
		status = "INACTIVE"
	}
	out := map[string]any{"serviceArn": s.arn("service", one.cluster, one.name), "serviceName": one.name, "clusterArn": s.arn("cluster", one.cluster),
		"status": status, "desiredCount": desired, "runningCount": desired, "pendingCount": 0, "taskDefinition": one.definition,
		"deployments": one.shown(), "events": events, "createdAt": one.made, "deploymentController": map[string]any{"type": one.controller},
		"deploymentConfiguration": one.configured(one.hooks)}
	if one.balanced != "" {
		out["loadBalancers"] = []any{map[string]any{"targetGroupArn": one.balanced, "containerName": "web", "containerPort": 8080}}
	}
	if n := len(one.deployments); n > 0 && !one.old {
		out["currentServiceDeployment"] = s.deploymentARN(one, one.deployments[n-1])
	}
	return out
}

func (s *Service) updateService(q *api.Request) (any, *api.Error) {
	one, bad := s.find(q.Input.Text("cluster"), q.Input.Text("service"))
	if bad != nil {
		return nil, bad
	}
	if one.controller != "ECS" {
		return nil, api.Refuse("InvalidParameterException", "Unable to update task definition on services with a %s deployment controller. Use AWS CodeDeploy to trigger a new deployment.", one.controller)
	}
	name := q.Input.Text("taskDefinition")
	d := s.definitionOf(name)
	switch {
	case name == "":
	case d == nil:
		return nil, api.Refuse("ClientException", "TaskDefinition not found.")
	case d.arn != one.definition || q.Input.Bool("forceNewDeployment"):
		one.definition = d.arn
		s.deploy(one, nil)
	}
	return map[string]any{"service": s.described(one)}, nil
}

func (one *service) say(w *api.World, format string, args ...any) {
	one.events = append(one.events, event{w.NewID(), fmt.Sprintf("(service "+one.name+") "+format, args...), w.Now()})
}
