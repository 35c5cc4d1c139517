// Package elasticloadbalancing is Elastic Load Balancing in the fake of AWS, as far as
// target groups say how their targets are.
package elasticloadbalancing

import (
	"context"
	"sync"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Target is a target of a target group.
type Target struct {
	ID                         string
	Port                       int
	State, Reason, Description string // unhealthy, Target.Timeout, "Request timed out"
}

// Service is Elastic Load Balancing of an account and Region.
type Service struct {
	w *api.World

	mu     sync.Mutex
	groups map[string][]Target // by ARN
	names  map[string]string
}

// New is one without target groups.
func New(w *api.World) *Service {
	return &Service{w: w, groups: map[string][]Target{}, names: map[string]string{}}
}

// Group makes a target group, which asks GET /health and wants 200 within 5 s, and returns its ARN.
func (s *Service) Group(name string, targets ...Target) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := "arn:aws:elasticloadbalancing:" + s.w.Region + ":" + s.w.Account + ":targetgroup/" + name + "/0aeb1c2d3e4f5a6b"
	s.groups[arn], s.names[arn] = targets, name
	return arn
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.Operation == "DescribeTargetGroups" {
		all := []any{}
		for _, arn := range q.Input.Texts("TargetGroupArns") {
			if s.names[arn] == "" {
				return nil, api.Refuse("TargetGroupNotFoundException", "One or more target groups not found")
			}
			all = append(all, map[string]any{"TargetGroupArn": arn, "TargetGroupName": s.names[arn], "Protocol": "HTTP", "Port": 80, "HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port",
				"HealthCheckPath": "/health", "HealthCheckTimeoutSeconds": 5, "Matcher": map[string]any{"HttpCode": "200"}})
		}
		return map[string]any{"TargetGroups": all}, nil
	}
	arn := q.Input.Text("TargetGroupArn")
	if s.names[arn] == "" {
		return nil, api.Refuse("TargetGroupNotFoundException", "One or more target groups not found")
	}
	all := []any{}
	for _, t := range s.groups[arn] {
		health := map[string]any{"State": t.State}
		if t.Reason != "" {
			health["Reason"], health["Description"] = t.Reason, t.Description
		}
		all = append(all, map[string]any{"Target": map[string]any{"Id": t.ID, "Port": t.Port}, "HealthCheckPort": "8080", "TargetHealth": health})
	}
	return map[string]any{"TargetHealthDescriptions": all}, nil
}
