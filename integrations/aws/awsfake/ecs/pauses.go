package ecs

import (
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Pause is a stage at which a deployment waits until its hooks are answered.
type Pause struct {
	Stage     string
	Hooks     int           // that wait at once; 0: one
	Timeout   time.Duration // in whole minutes; 0: a day
	Continues bool          // what follows when nobody answers; else ECS rolls back
	Weight    float64       // percent of the production traffic that the new revision has while it waits
}

// hook is one that a pause has made.
type hook struct {
	id, status string
	expires    time.Time
	action     string // at the end of its time
}

func (p *Pause) timeout() time.Duration {
	if p.Timeout == 0 {
		return 24 * time.Hour
	}
	return p.Timeout
}

func (p *Pause) action() string {
	if p.Continues {
		return "CONTINUE"
	}
	return "ROLLBACK"
}

// waits brings the hooks of a deployment up to the clock, and says whether it still
// waits at one. Only those of the pause that was reached last are shown, as ECS shows
// the hooks that are active.
func (s *Service) waits(one *service, d *deployment) bool {
	for d.reached < len(d.plan.Pauses) {
		p := &d.plan.Pauses[d.reached]
		if d.paused <= d.reached {
			d.hooks, d.paused = nil, d.reached+1
			for range max(p.Hooks, 1) {
				d.hooks = append(d.hooks, &hook{id: "ecs-pause-" + strings.ReplaceAll(s.w.NewID(), "-", ""), status: "AWAITING_ACTION", expires: d.from.Add(p.timeout()), action: p.action()})
			}
		}
		open := false
		for _, h := range d.hooks {
			if h.status == "AWAITING_ACTION" && !s.w.Now().Before(h.expires) {
				h.status = "TIMED_OUT"
				if h.action == "ROLLBACK" {
					s.rollBack(one, d, "Service deployment rolled back because a lifecycle hook timed out.", h.expires)
					return false
				}
				d.from = h.expires
			}
			open = open || h.status == "AWAITING_ACTION"
		}
		if open {
			return true
		}
		d.reached++
	}
	return false
}

// describedHooks adds what is shown of the hooks, of the traffic, and of the strategy.
func (s *Service) describedHooks(one *service, d *deployment, out map[string]any) {
	weight, target := 100.0, out["targetServiceRevision"].(map[string]any)
	if len(d.hooks) > 0 {
		var shown []any
		for _, h := range d.hooks {
			shown = append(shown, map[string]any{"hookId": h.id, "targetType": "PAUSE", "status": h.status, "expiresAt": h.expires, "timeoutAction": h.action})
		}
		out["lifecycleHookDetails"] = shown
	}
	if p := d.paused - 1; p >= 0 && d.ended.IsZero() {
		out["lifecycleStage"], weight = d.plan.Pauses[p].Stage, d.plan.Pauses[p].Weight
	}
	if d.plan.Strategy != "" {
		target["requestedProductionTrafficWeight"] = weight
		if d.source != "" {
			out["sourceServiceRevisions"] = []any{map[string]any{"arn": s.arn("service-revision", one.cluster, one.name, d.source), "requestedTaskCount": desired, "runningTaskCount": desired,
				"requestedProductionTrafficWeight": 100 - weight}}
		}
	}
	out["deploymentConfiguration"] = d.configured(one)
}

// configured is the configuration of the service as the deployment has it.
func (d *deployment) configured(one *service) map[string]any {
	c := one.configured(d.plan.Pauses)
	switch d.plan.Strategy {
	case "":
		return c
	case "CANARY":
		c["canaryConfiguration"] = map[string]any{"canaryPercent": d.plan.Percent, "canaryBakeTimeInMinutes": 1}
	case "LINEAR":
		c["linearConfiguration"] = map[string]any{"stepPercent": d.plan.Percent, "stepBakeTimeInMinutes": 1}
	}
	c["strategy"] = d.plan.Strategy
	return c
}

// configured is what a service says of how it is deployed: its hooks are those of the pauses.
func (one *service) configured(pauses []Pause) map[string]any {
	c := map[string]any{"deploymentCircuitBreaker": map[string]any{"enable": true, "rollback": one.rollsBack}, "strategy": "ROLLING"}
	hooks, stages := []any{}, map[string]bool{}
	for i := range pauses {
		p := &pauses[i]
		if stages[p.Stage] {
			continue
		}
		stages[p.Stage] = true
		for range max(p.Hooks, 1) {
			hooks = append(hooks, map[string]any{"targetType": "PAUSE", "lifecycleStages": []any{p.Stage},
				"timeoutConfiguration": map[string]any{"timeoutInMinutes": int(p.timeout() / time.Minute), "action": p.action()}})
		}
	}
	for _, arn := range one.functions {
		hooks = append(hooks, map[string]any{"hookTargetArn": arn, "roleArn": "arn:aws:iam::111122223333:role/ecs-hooks", "lifecycleStages": []any{"PRE_SCALE_UP"}})
	}
	if len(hooks) > 0 {
		c["lifecycleHooks"] = hooks
	}
	return c
}

// Waiting are the hooks that the newest deployment of a service waits for.
func (s *Service) Waiting(cluster, name string) (hooks []string) {
	s.change(cluster, name, func(one *service) {
		for _, h := range one.deployments[len(one.deployments)-1].hooks {
			if h.status == "AWAITING_ACTION" {
				hooks = append(hooks, h.id)
			}
		}
	})
	return hooks
}

// Status is how the newest deployment of a service stands.
func (s *Service) Status(cluster, name string) (status string) {
	s.change(cluster, name, func(one *service) { status = one.deployments[len(one.deployments)-1].status })
	return status
}

func (s *Service) continueServiceDeployment(q *api.Request) (any, *api.Error) {
	one, d := s.byARN(q.Input.Text("serviceDeploymentArn"))
	if d == nil {
		return nil, api.Refuse("ServiceDeploymentNotFoundException", "The service deployment was not found.")
	}
	for _, h := range d.hooks {
		if h.id != q.Input.Text("hookId") {
			continue
		}
		if h.status != "AWAITING_ACTION" || d.status != "IN_PROGRESS" {
			return nil, api.Refuse("InvalidParameterException", "The hook %s does not wait for an action.", h.id)
		}
		if q.Input.Text("action") == "ROLLBACK" {
			h.status = "FAILED"
			s.rollBack(one, d, "Service deployment rolled back because a lifecycle hook asked for it.", s.w.Now())
		} else {
			h.status, d.from = "SUCCEEDED", s.w.Now()
		}
		s.catchUp()
		return map[string]any{"serviceDeploymentArn": q.Input.Text("serviceDeploymentArn")}, nil
	}
	return nil, api.Refuse("InvalidParameterException", "The hook was not found.")
}

// listed are the ARNs of what a list shows; the fake has one page.
func listed(member string, arns []string) map[string]any {
	all := []any{}
	for _, arn := range arns {
		all = append(all, arn)
	}
	return map[string]any{member: all}
}

func (s *Service) listClusters(*api.Request) (any, *api.Error) {
	var arns []string
	seen := map[string]bool{}
	for _, name := range s.names {
		if one := s.services[name]; !seen[one.cluster] {
			seen[one.cluster] = true
			arns = append(arns, s.arn("cluster", one.cluster))
		}
	}
	return listed("clusterArns", arns), nil
}

func (s *Service) listServices(q *api.Request) (any, *api.Error) {
	var arns []string
	cluster := tail(q.Input.Text("cluster"))
	known := false
	for _, name := range s.names {
		one := s.services[name]
		known = known || one.cluster == cluster
		if one.cluster == cluster && !one.deleted {
			arns = append(arns, s.arn("service", cluster, one.name))
		}
	}
	if !known {
		return nil, api.Refuse("ClusterNotFoundException", "Cluster not found.")
	}
	return listed("serviceArns", arns), nil
}
