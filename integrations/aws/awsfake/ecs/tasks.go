package ecs

import (
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// task is one that has stopped.
type task struct {
	id, definition string
	stop           Stop
	at             time.Time
}

// stopTask stops a task of a deployment, as its plan says.
func (s *Service) stopTask(one *service, d *deployment) {
	stop := d.plan.Stopped
	if stop.Code == "" {
		stop.Code, stop.Reason = "EssentialContainerExited", "Essential container in task exited"
	}
	t := &task{id: strings.ReplaceAll(s.w.NewID(), "-", ""), definition: d.definition, stop: stop, at: s.w.Now()}
	one.tasks = append(one.tasks, t)
	if len(stop.Log) == 0 {
		return
	}
	defined := s.definitionOf(d.definition)
	for _, c := range api.Input(defined.body).List("containerDefinitions") {
		if options := c.In("logConfiguration").In("options"); c.Text("name") == stop.Container && options.Text("awslogs-group") != "" {
			s.w.Log(options.Text("awslogs-group"), options.Text("awslogs-stream-prefix")+"/"+stop.Container+"/"+t.id, stop.Log...)
		}
	}
}

func (s *Service) listTasks(q *api.Request) (any, *api.Error) {
	one, bad := s.find(q.Input.Text("cluster"), q.Input.Text("serviceName"))
	if bad != nil {
		return nil, bad
	}
	all := []any{}
	if q.Input.Text("desiredStatus") == "STOPPED" {
		for _, t := range one.tasks {
			all = append(all, s.arn("task", one.cluster, t.id))
		}
	}
	return map[string]any{"taskArns": all}, nil
}

func (s *Service) describeTasks(q *api.Request) (any, *api.Error) {
	found, missing := []any{}, []any{}
	for _, arn := range q.Input.Texts("tasks") {
		t := s.taskOf(tail(arn))
		if t == nil {
			missing = append(missing, map[string]any{"arn": arn, "reason": "MISSING"})
			continue
		}
		container := map[string]any{"name": t.stop.Container, "lastStatus": "STOPPED", "exitCode": t.stop.ExitCode}
		if t.stop.ContainerReason != "" {
			container["reason"] = t.stop.ContainerReason
		}
		found = append(found, map[string]any{"taskArn": arn, "taskDefinitionArn": t.definition, "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
			"stopCode": t.stop.Code, "stoppedReason": t.stop.Reason, "stoppedAt": t.at, "containers": []any{container}})
	}
	return map[string]any{"tasks": found, "failures": missing}, nil
}

func (s *Service) taskOf(id string) *task {
	for _, one := range s.services {
		for _, t := range one.tasks {
			if t.id == id {
				return t
			}
		}
	}
	return nil
}
