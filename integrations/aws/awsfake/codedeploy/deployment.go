package codedeploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// deployment is one way of a group to a revision.
type deployment struct {
	id, description      string
	group                *group
	revision             api.Input
	plan                 Plan
	status               string
	code, message        string
	made, ended          time.Time
	rollback, rollbackOf string // IDs
}

func (s *Service) byID(id string) *deployment {
	i := slices.IndexFunc(s.deployments, func(d *deployment) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	return s.deployments[i]
}

func (s *Service) createDeployment(q *api.Request) (any, *api.Error) {
	g, bad := s.find(q)
	if bad != nil {
		return nil, bad
	}
	revision := q.Input.In("revision")
	if g.Platform == "ECS" && revision.Text("revisionType") != "AppSpecContent" {
		return nil, api.Refuse("InvalidRevisionException", "An ECS deployment takes a revision of the type AppSpecContent.")
	}
	if g.Platform == "Server" && revision.In("s3Location").Text("key") == "" {
		return nil, api.Refuse("InvalidRevisionException", "The revision has no S3 location.")
	}
	for _, d := range s.deployments {
		if d.group == g && d.ended.IsZero() {
			return nil, api.Refuse("DeploymentLimitExceededException", "The Deployment Group '%s' already has an active Deployment '%s'", g.Name, d.id)
		}
	}
	d := s.add(g, q.Input.Text("description"), revision)
	if len(g.plans) > 0 {
		d.plan, g.plans = g.plans[0], g.plans[1:]
	}
	return map[string]any{"deploymentId": d.id}, nil
}

func (s *Service) add(g *group, description string, revision api.Input) *deployment {
	d := &deployment{id: fmt.Sprintf("d-%09dA", len(s.deployments)+1), description: description, group: g, revision: revision, status: "InProgress", made: s.w.Now()}
	s.deployments = append(s.deployments, d)
	return d
}

// catchUp brings all deployments up to the clock.
func (s *Service) catchUp() {
	for i := 0; i < len(s.deployments); i++ { // one that fails adds another
		d := s.deployments[i]
		takes := d.plan.Takes
		if takes == 0 {
			takes = 20 * time.Second
		}
		due := d.made.Add(takes)
		switch {
		case !d.ended.IsZero(), d.plan.Stuck, s.w.Now().Before(due):
		case d.plan.Code != "":
			s.fail(d, "Failed", d.plan.Code, d.plan.Message, due)
		default:
			d.status, d.ended = "Succeeded", due
		}
	}
}

// fail ends a deployment, and begins the one that rolls it back.
func (s *Service) fail(d *deployment, status, code, message string, at time.Time) {
	d.status, d.code, d.message, d.ended = status, code, message, at
	if !d.group.RollsBack || d.rollbackOf != "" {
		return
	}
	back := s.add(d.group, "rolls back "+d.id, nil)
	back.rollbackOf, back.made, d.rollback = d.id, at, back.id
}

func (d *deployment) described() map[string]any {
	out := map[string]any{"deploymentId": d.id, "applicationName": d.group.Application, "deploymentGroupName": d.group.Name, "description": d.description,
		"status": d.status, "createTime": d.made, "startTime": d.made, "computePlatform": d.group.Platform, "creator": "user",
		"autoRollbackConfiguration": map[string]any{"enabled": d.group.RollsBack, "events": []any{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"}}}
	if d.code != "" {
		out["errorInformation"] = map[string]any{"code": d.code, "message": d.message}
	}
	if !d.ended.IsZero() {
		out["completeTime"] = d.ended
	}
	switch {
	case d.rollback != "":
		out["rollbackInfo"] = map[string]any{"rollbackDeploymentId": d.rollback}
	case d.rollbackOf != "":
		out["rollbackInfo"] = map[string]any{"rollbackTriggeringDeploymentId": d.rollbackOf}
	}
	return out
}

func (s *Service) batchGetDeployments(q *api.Request) (any, *api.Error) {
	ids := q.Input.Texts("deploymentIds")
	if len(ids) > 25 {
		return nil, api.Refuse("BatchLimitExceededException", "The maximum number of deployments is 25.")
	}
	all := []any{}
	for _, id := range ids {
		if d := s.byID(id); d != nil {
			all = append(all, d.described())
		}
	}
	return map[string]any{"deploymentsInfo": all}, nil
}

func (s *Service) listDeployments(q *api.Request) (any, *api.Error) {
	g, bad := s.find(q)
	if bad != nil {
		return nil, bad
	}
	from, _ := q.Input.In("createTimeRange")["start"].(float64)
	all := []any{}
	for i := len(s.deployments) - 1; i >= 0; i-- {
		if d := s.deployments[i]; d.group == g && float64(d.made.Unix()) >= from {
			all = append(all, d.id)
		}
	}
	return map[string]any{"deployments": all}, nil
}

func (s *Service) stopDeployment(q *api.Request) (any, *api.Error) {
	d := s.byID(q.Input.Text("deploymentId"))
	switch {
	case d == nil:
		return nil, api.Refuse("DeploymentDoesNotExistException", "The deployment %s could not be found", q.Input.Text("deploymentId"))
	case !d.ended.IsZero():
		return nil, api.Refuse("DeploymentAlreadyCompletedException", "The deployment %s has already completed", d.id)
	}
	s.fail(d, "Stopped", "MANUAL_STOP", "The deployment was stopped on request.", s.w.Now())
	return map[string]any{"status": "Succeeded", "statusMessage": "The deployment was stopped."}, nil
}

func (s *Service) listTargets(q *api.Request) (any, *api.Error) {
	d := s.byID(q.Input.Text("deploymentId"))
	if d == nil {
		return nil, api.Refuse("DeploymentDoesNotExistException", "The deployment %s could not be found", q.Input.Text("deploymentId"))
	}
	all := []any{}
	for i, id := range d.group.Targets {
		if wanted := q.Input.In("targetFilters").Texts("TargetStatus"); len(wanted) == 0 || slices.Contains(wanted, d.statusOf(i)) {
			all = append(all, id)
		}
	}
	return map[string]any{"targetIds": all}, nil
}

// statusOf is how a target of a deployment stands; where it fails, the first one fails.
func (d *deployment) statusOf(target int) string {
	switch {
	case d.ended.IsZero():
		return "InProgress"
	case d.status == "Succeeded":
		return "Succeeded"
	case target == 0:
		return "Failed"
	}
	return "Skipped"
}

func (s *Service) batchGetTargets(q *api.Request) (any, *api.Error) {
	d := s.byID(q.Input.Text("deploymentId"))
	if d == nil {
		return nil, api.Refuse("DeploymentDoesNotExistException", "The deployment %s could not be found", q.Input.Text("deploymentId"))
	}
	kind, member := "InstanceTarget", "instanceTarget"
	switch d.group.Platform {
	case "ECS":
		kind, member = "ECSTarget", "ecsTarget"
	case "Lambda":
		kind, member = "LambdaTarget", "lambdaTarget"
	}
	all := []any{}
	for _, id := range q.Input.Texts("targetIds") {
		i := slices.Index(d.group.Targets, id)
		if i < 0 {
			return nil, api.Refuse("DeploymentTargetDoesNotExistException", "The target %s could not be found", id)
		}
		target := map[string]any{"deploymentId": d.id, "targetId": id, "status": d.statusOf(i), "lifecycleEvents": d.events(i)}
		all = append(all, map[string]any{"deploymentTargetType": kind, member: target})
	}
	return map[string]any{"deploymentTargets": all}, nil
}

// events are the lifecycle events of a target, up to the one that failed.
func (d *deployment) events(target int) (all []any) {
	names := strings.Fields("ApplicationStop DownloadBundle BeforeInstall Install AfterInstall ApplicationStart ValidateService")
	if d.group.Platform != "Server" {
		names = strings.Fields("BeforeInstall Install AfterInstall AllowTestTraffic AfterAllowTestTraffic BeforeAllowTraffic AllowTraffic AfterAllowTraffic")
	}
	failed := false
	for _, name := range names {
		event := map[string]any{"lifecycleEventName": name, "status": "Succeeded"}
		switch hook := d.plan.Hook; {
		case failed, d.statusOf(target) == "Skipped":
			event["status"] = "Skipped"
		case d.statusOf(target) == "InProgress":
			event["status"] = "Pending"
		case d.statusOf(target) == "Failed" && hook.Event == name:
			failed = true
			event["status"] = "Failed"
			event["diagnostics"] = map[string]any{"errorCode": hook.Code, "scriptName": hook.Script, "message": hook.Message, "logTail": hook.Log}
		}
		all = append(all, event)
	}
	return all
}
