package ecs

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// deployment is one way of a service to a task definition.
type deployment struct {
	id, revision       string // of the service's revision
	definition, before string // ARNs of task definitions
	plan               Plan
	status, reason     string
	made, ended        time.Time
	from               time.Time // when it last went on
	rolling            time.Time // when it began to roll back
	source             string    // the service's revision before it
	reached, paused    int       // the pause that it is at; the number of pauses that it has come to
	hooks              []*hook   // of the last of those
	failedTasks        int
}

// fallingBack is how long ECS takes to roll back.
const fallingBack = 20 * time.Second

// deploy begins a deployment to the task definition of a service.
//
// plan nil: the next one of the service.
func (s *Service) deploy(one *service, plan *Plan) *deployment {
	var p Plan
	switch {
	case plan != nil:
		p = *plan
	case len(one.plans) > 0:
		p, one.plans = one.plans[0], one.plans[1:]
	}
	if p.Takes == 0 {
		p.Takes = 20 * time.Second
	}
	id := strings.ReplaceAll(s.w.NewID(), "-", "")
	d := &deployment{id: id[:21], revision: id[11:], definition: one.definition, plan: p, status: "IN_PROGRESS", made: s.w.Now(), from: s.w.Now()}
	if n := len(one.deployments); n > 0 {
		last := one.deployments[n-1]
		d.before, d.source = last.runs(), last.revision
		if last.ended.IsZero() {
			last.end("STOPPED", "Service deployment was superseded by a newer one.", s.w.Now())
		}
	}
	one.deployments = append(one.deployments, d)
	return d
}

// runs is what the service runs after it.
func (d *deployment) runs() string {
	if strings.HasPrefix(d.status, "ROLLBACK") {
		return d.before
	}
	return d.definition
}

func (d *deployment) end(status, reason string, at time.Time) {
	d.status, d.reason, d.ended = status, reason, at
}

// catchUp brings all deployments up to the clock.
func (s *Service) catchUp() {
	for _, name := range s.names {
		one := s.services[name]
		for _, d := range one.deployments {
			if d.ended.IsZero() {
				s.move(one, d)
			}
		}
	}
}

// move brings a deployment up to the clock.
func (s *Service) move(one *service, d *deployment) {
	now := s.w.Now()
	if d.status == "IN_PROGRESS" && s.waits(one, d) {
		return
	}
	switch due := d.from.Add(d.plan.Takes); {
	case d.status == "IN_PROGRESS" && (d.plan.Stuck || now.Before(due)):
	case d.status == "IN_PROGRESS" && d.plan.Alarm != "":
		one.say(s.w, "deployment ecs-svc/%s: alarm %s detected.", d.id, d.plan.Alarm)
		s.rollBack(one, d, "Service deployment rolled back because alarm "+d.plan.Alarm+" was triggered.", due)
	case d.status == "IN_PROGRESS" && d.plan.Breaks:
		s.breaks(one, d, due)
	case d.status == "IN_PROGRESS":
		d.end("SUCCESSFUL", "", due)
		one.say(s.w, "has reached a steady state.")
	}
	if d.status == "ROLLBACK_IN_PROGRESS" && !now.Before(d.rolling.Add(fallingBack)) {
		d.end("ROLLBACK_SUCCESSFUL", d.reason, d.rolling.Add(fallingBack))
		one.say(s.w, "has reached a steady state.")
	}
}

// breaks opens the circuit breaker.
func (s *Service) breaks(one *service, d *deployment, at time.Time) {
	for range 3 {
		s.stopTask(one, d)
	}
	d.failedTasks = 3
	one.say(s.w, "was unable to start a task in 3 attempts.")
	one.say(s.w, "(deployment ecs-svc/%s) deployment failed: tasks failed to start.", d.id)
	if one.rollsBack {
		s.rollBack(one, d, "Service deployment rolled back because the circuit breaker threshold was exceeded.", at)
		return
	}
	d.end("STOPPED", "Service deployment stopped because the circuit breaker threshold was exceeded.", at)
}

func (s *Service) rollBack(one *service, d *deployment, why string, at time.Time) {
	d.status, d.reason, d.rolling = "ROLLBACK_IN_PROGRESS", why, at
	one.definition = d.before
	one.say(s.w, "rolling back to deployment of %s.", tail(d.before))
}

// shown are the deployments as a service shows them.
func (one *service) shown() []any {
	d := one.deployments[len(one.deployments)-1]
	switch {
	case d.status == "IN_PROGRESS" && d.before != "":
		return []any{d.shown("PRIMARY", d.definition, "IN_PROGRESS"), d.shown("ACTIVE", d.before, "COMPLETED")}
	case d.status == "ROLLBACK_IN_PROGRESS":
		return []any{d.shown("PRIMARY", d.before, "IN_PROGRESS"), d.shown("ACTIVE", d.definition, "FAILED")}
	case d.status == "ROLLBACK_SUCCESSFUL":
		return []any{d.shown("PRIMARY", d.before, "COMPLETED")}
	case d.status == "STOPPED":
		return []any{d.shown("PRIMARY", d.definition, "FAILED")}
	}
	return []any{d.shown("PRIMARY", d.definition, "COMPLETED")}
}

func (d *deployment) shown(status, definition, state string) map[string]any {
	reason := map[string]string{"IN_PROGRESS": "ECS deployment ecs-svc/" + d.id + " in progress.", "COMPLETED": "ECS deployment ecs-svc/" + d.id + " completed.",
		"FAILED": "ECS deployment circuit breaker: tasks failed to start."}[state]
	return map[string]any{"id": "ecs-svc/" + d.id + status[:1], "status": status, "taskDefinition": definition, "desiredCount": desired, "runningCount": desired,
		"pendingCount": 0, "failedTasks": d.failedTasks, "createdAt": d.made, "updatedAt": d.made, "rolloutState": state, "rolloutStateReason": reason}
}

func (s *Service) deploymentARN(one *service, d *deployment) string {
	return s.arn("service-deployment", one.cluster, one.name, d.id)
}

func (s *Service) revisionARN(one *service, d *deployment) string {
	return s.arn("service-revision", one.cluster, one.name, d.revision)
}

func (s *Service) listServiceDeployments(q *api.Request) (any, *api.Error) {
	one, bad := s.find(q.Input.Text("cluster"), q.Input.Text("service"))
	if bad != nil {
		return nil, bad
	}
	if one.old {
		return nil, api.Refuse("UnsupportedFeatureException", "Service deployments are not supported here.")
	}
	after, _ := q.Input.In("createdAt")["after"].(float64)
	wanted := q.Input.Texts("status")
	all := []any{}
	for i := len(one.deployments) - 1; i >= 0; i-- {
		d := one.deployments[i]
		if float64(d.made.Unix()) < after || len(wanted) > 0 && !slices.Contains(wanted, d.status) {
			continue
		}
		all = append(all, map[string]any{"serviceDeploymentArn": s.deploymentARN(one, d), "serviceArn": s.arn("service", one.cluster, one.name),
			"clusterArn": s.arn("cluster", one.cluster), "createdAt": d.made, "startedAt": d.made, "status": d.status, "statusReason": d.reason,
			"targetServiceRevisionArn": s.revisionARN(one, d)})
	}
	return map[string]any{"serviceDeployments": all}, nil
}

// byARN is a deployment by its ARN or that of its revision.
func (s *Service) byARN(arn string) (*service, *deployment) {
	for _, name := range s.names {
		one := s.services[name]
		for _, d := range one.deployments {
			if arn == s.deploymentARN(one, d) || arn == s.revisionARN(one, d) {
				return one, d
			}
		}
	}
	return nil, nil
}

func (s *Service) describeServiceDeployments(q *api.Request) (any, *api.Error) {
	found, missing := []any{}, []any{}
	for _, arn := range q.Input.Texts("serviceDeploymentArns") {
		one, d := s.byARN(arn)
		if d == nil {
			missing = append(missing, map[string]any{"arn": arn, "reason": "MISSING"})
			continue
		}
		found = append(found, s.describedDeployment(one, d))
	}
	return map[string]any{"serviceDeployments": found, "failures": missing}, nil
}

func (s *Service) describedDeployment(one *service, d *deployment) map[string]any {
	breaker, alarms := "MONITORING", map[string]any{"status": "DISABLED"}
	if d.plan.Breaks && d.status != "IN_PROGRESS" {
		breaker = "TRIGGERED"
	}
	if d.plan.Alarm != "" {
		alarms = map[string]any{"status": "MONITORING", "alarmNames": []any{d.plan.Alarm}}
		if d.status != "IN_PROGRESS" {
			alarms["status"], alarms["triggeredAlarmNames"] = "TRIGGERED", []any{d.plan.Alarm}
		}
	}
	out := map[string]any{"serviceDeploymentArn": s.deploymentARN(one, d), "serviceArn": s.arn("service", one.cluster, one.name), "clusterArn": s.arn("cluster", one.cluster),
		"createdAt": d.made, "startedAt": d.made, "updatedAt": d.made, "status": d.status, "statusReason": d.reason, "alarms": alarms,
		"targetServiceRevision":    map[string]any{"arn": s.revisionARN(one, d), "requestedTaskCount": desired, "runningTaskCount": desired},
		"deploymentCircuitBreaker": map[string]any{"status": breaker, "failureCount": d.failedTasks, "threshold": 3}}
	if !d.ended.IsZero() {
		out["finishedAt"] = d.ended
	}
	if !d.rolling.IsZero() {
		out["rollback"] = map[string]any{"reason": d.reason, "startedAt": d.rolling}
	}
	s.describedHooks(one, d, out)
	return out
}

func (s *Service) describeServiceRevisions(q *api.Request) (any, *api.Error) {
	found, missing := []any{}, []any{}
	for _, arn := range q.Input.Texts("serviceRevisionArns") {
		one, d := s.byARN(arn)
		if d == nil {
			missing = append(missing, map[string]any{"arn": arn, "reason": "MISSING"})
			continue
		}
		found = append(found, map[string]any{"serviceRevisionArn": arn, "serviceArn": s.arn("service", one.cluster, one.name), "clusterArn": s.arn("cluster", one.cluster),
			"taskDefinition": d.definition, "createdAt": d.made})
	}
	return map[string]any{"serviceRevisions": found, "failures": missing}, nil
}

func (s *Service) stopServiceDeployment(q *api.Request) (any, *api.Error) {
	arn := q.Input.Text("serviceDeploymentArn")
	one, d := s.byARN(arn)
	switch {
	case d == nil:
		return nil, api.Refuse("ServiceDeploymentNotFoundException", "The service deployment was not found.")
	case d.status != "IN_PROGRESS":
		return nil, api.Refuse("ConflictException", "The service deployment is %s and cannot be stopped.", d.status)
	}
	s.rollBack(one, d, "Service deployment rolled back because of a request to stop it.", s.w.Now())
	return map[string]any{"serviceDeploymentArn": arn}, nil
}
