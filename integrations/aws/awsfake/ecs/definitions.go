package ecs

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// definition is a revision of a task definition.
type definition struct {
	arn, family string
	revision    int
	body        map[string]any // as it was registered
	tags        []any
	at          time.Time
	by          string
}

// Define registers a task definition, by the names of AWS's model.
func (s *Service) Define(body map[string]any) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.register(body, "arn:aws:iam::"+s.w.Account+":user/terraform").arn
}

// Definitions are the revisions of a family, the oldest first, as they were registered.
func (s *Service) Definitions(family string) (all []map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.families[family] {
		body := maps.Clone(d.body)
		body["tags"] = d.tags
		all = append(all, body)
	}
	return all
}

func (s *Service) register(body map[string]any, by string) *definition {
	body = maps.Clone(body)
	d := &definition{body: body, at: s.w.Now(), by: by}
	d.family, _ = body["family"].(string)
	d.tags, _ = body["tags"].([]any)
	delete(body, "tags")
	d.revision = len(s.families[d.family]) + 1
	d.arn = s.arn("task-definition", d.family+":"+strconv.Itoa(d.revision))
	s.families[d.family] = append(s.families[d.family], d)
	return d
}

// definitionOf is what family, family:revision or an ARN names; nil: there is none.
func (s *Service) definitionOf(name string) *definition {
	family, revision, pinned := strings.Cut(tail(name), ":")
	all := s.families[family]
	n := len(all)
	if pinned {
		n, _ = strconv.Atoi(revision) // what is no number is not there
	}
	if n < 1 || n > len(all) {
		return nil
	}
	return all[n-1]
}

func (d *definition) described() map[string]any {
	out := maps.Clone(d.body)
	maps.Copy(out, map[string]any{"taskDefinitionArn": d.arn, "revision": d.revision, "status": "ACTIVE", "registeredAt": d.at, "registeredBy": d.by,
		"compatibilities": []any{"EC2", "FARGATE"}, "requiresAttributes": []any{map[string]any{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}}})
	return out
}

func (s *Service) describeTaskDefinition(q *api.Request) (any, *api.Error) {
	d := s.definitionOf(q.Input.Text("taskDefinition"))
	if d == nil {
		return nil, api.Refuse("ClientException", "Unable to describe task definition.")
	}
	out := map[string]any{"taskDefinition": d.described()}
	for _, what := range q.Input.Texts("include") {
		if what == "TAGS" {
			out["tags"] = append([]any{}, d.tags...)
		}
	}
	return out, nil
}

func (s *Service) registerTaskDefinition(q *api.Request) (any, *api.Error) {
	if len(q.Input.List("containerDefinitions")) == 0 {
		return nil, api.Refuse("ClientException", "Container list cannot be empty.")
	}
	d := s.register(q.Input, q.Principal)
	return map[string]any{"taskDefinition": d.described(), "tags": append([]any{}, d.tags...)}, nil
}
