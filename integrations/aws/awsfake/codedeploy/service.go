// Package codedeploy is AWS CodeDeploy in the fake of AWS: deployments that go
// through their lifecycle events by the clock, and are rolled back as their group says.
package codedeploy

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Group is a deployment group.
type Group struct {
	Application, Name string
	Platform          string // Server, ECS or Lambda; empty: Server
	RollsBack         bool   // by itself, when a deployment fails or is stopped
	Targets           []string
}

// Plan is how a deployment of a group goes.
type Plan struct {
	Takes time.Duration // until it has ended; 0: 20 s
	// Code and Message are its error; empty: it succeeds.
	Code, Message string
	Hook          Hook // the lifecycle event that fails with it
	Stuck         bool // it never ends by itself
}

// Hook is a lifecycle event that fails.
type Hook struct{ Event, Code, Script, Message, Log string }

// Service is CodeDeploy in one account and Region.
type Service struct {
	w *api.World

	mu          sync.Mutex
	groups      map[string]*group // by application/name
	deployments []*deployment     // the oldest first
}

type group struct {
	Group
	plans []Plan
}

// New returns a CodeDeploy without groups.
func New(w *api.World) *Service { return &Service{w: w, groups: map[string]*group{}} }

// Create makes a deployment group, and its application.
func (s *Service) Create(g Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.Platform == "" {
		g.Platform = "Server"
	}
	s.groups[g.Application+"/"+g.Name] = &group{Group: g}
}

// Next says how the next deployments of a group go.
func (s *Service) Next(application, name string, plans ...Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[application+"/"+name]
	g.plans = append(g.plans, plans...)
}

// Revisions are what the deployments of a group were told to deploy, the oldest first.
func (s *Service) Revisions(application, name string) (all []api.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.deployments {
		if d.group.Application == application && d.group.Name == name && d.rollbackOf == "" {
			all = append(all, d.revision)
		}
	}
	return all
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
		"CreateDeployment": s.createDeployment, "BatchGetDeployments": s.batchGetDeployments, "ListDeployments": s.listDeployments,
		"StopDeployment": s.stopDeployment, "ListDeploymentTargets": s.listTargets, "BatchGetDeploymentTargets": s.batchGetTargets,
		"GetDeploymentGroup": s.getGroup,
	}[q.Operation]
	if do == nil {
		return nil, api.Refuse("ApplicationDoesNotExistException", "the fake of CodeDeploy has no %s", q.Operation)
	}
	return do(q)
}

// Rights are what a call needs.
func (s *Service) Rights(q *api.Request) (all []api.Right) {
	arn := func(kind, name string) string {
		return "arn:aws:codedeploy:" + s.w.Region + ":" + s.w.Account + ":" + kind + ":" + name
	}
	application := q.Input.Text("applicationName")
	group := arn("deploymentgroup", application+"/"+q.Input.Text("deploymentGroupName"))
	switch q.Operation {
	case "CreateDeployment":
		all = append(all, api.Right{Action: "codedeploy:CreateDeployment", Resource: group}, api.Right{Action: "codedeploy:GetDeploymentConfig", Resource: arn("deploymentconfig", "CodeDeployDefault.OneAtATime")},
			api.Right{Action: "codedeploy:RegisterApplicationRevision", Resource: arn("application", application)}, api.Right{Action: "codedeploy:GetApplicationRevision", Resource: arn("application", application)})
	case "ListDeployments", "GetDeploymentGroup":
		all = append(all, api.Right{Action: "codedeploy:" + q.Operation, Resource: group})
	case "BatchGetDeployments":
		for _, id := range q.Input.Texts("deploymentIds") {
			if d := s.byID(id); d != nil {
				all = append(all, api.Right{Action: "codedeploy:BatchGetDeployments", Resource: arn("deploymentgroup", d.group.Application+"/"+d.group.Name)})
			}
		}
	default:
		all = append(all, api.Right{Action: "codedeploy:" + q.Operation, Resource: "*"})
	}
	return all
}

func (s *Service) getGroup(q *api.Request) (any, *api.Error) {
	g, bad := s.find(q)
	if bad != nil {
		return nil, bad
	}
	return map[string]any{"deploymentGroupInfo": map[string]any{"applicationName": g.Application, "deploymentGroupName": g.Name, "computePlatform": g.Platform}}, nil
}

// find is the group that a call names.
func (s *Service) find(q *api.Request) (*group, *api.Error) {
	application, name := q.Input.Text("applicationName"), q.Input.Text("deploymentGroupName")
	known := false
	for _, g := range s.groups {
		known = known || g.Application == application
	}
	if !known {
		return nil, api.Refuse("ApplicationDoesNotExistException", "No application found for name: %s", application)
	}
	g := s.groups[application+"/"+name]
	if g == nil {
		return nil, api.Refuse("DeploymentGroupDoesNotExistException", "No Deployment Group found for name: %s", name)
	}
	return g, nil
}
