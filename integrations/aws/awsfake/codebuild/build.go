package codebuild

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// build is a build on its way.
type build struct {
	id, status string
	number     int64
	initiator  string
	project    Project
	input      api.Input      // of StartBuild
	settings   map[string]any // the project's, overridden
	script     Script
	failure    Failure // of the script; empty: none
	phases     []*phase
	started    time.Time
	ended      time.Time
	provided   time.Time // when provisioning began; the timeout counts from there
	group      string    // of the log, empty until the container runs
	stream     string
	files      map[string]string // of the primary source
	resolved   string            // version of the source
	artifacts  []map[string]any  // by identifier, as they were uploaded
	reports    []string          // ARNs
	batch      *batch
	part       string // its group in the batch
}

// phase is a phase that has begun.
type phase struct {
	name, status  string
	code, message string
	started, due  time.Time
	ended         time.Time
	lines         []string
	told          int // of the lines
	held          bool
}

func (b *build) complete() bool  { return b.status != statusRunning }
func (b *build) current() *phase { return b.phases[len(b.phases)-1] }

// start carries out StartBuild.
func (s *Service) start(q *api.Request) (any, *api.Error) {
	raw, err := json.Marshal(q.Input)
	if err != nil {
		return nil, api.Refuse("InvalidInputException", "%s", err.Error())
	}
	id := q.Input.Text("idempotencyToken")
	known, used := s.tokens["build "+id]
	used = used && id != "" && s.world.Now().Sub(known.at) < tokenLives
	switch {
	case used && known.input != string(raw):
		return nil, api.Refuse("InvalidInputException", "Parameter mismatch: the idempotency token was used with other parameters")
	case used:
		return map[string]any{"build": s.json(s.builds[known.id])}, nil
	}
	p, bad := s.find(q.Input.Text("projectName"))
	if bad != nil {
		return nil, bad
	}
	settings, bad := s.settings(p, q.Input)
	if bad != nil {
		return nil, bad
	}
	running := 0
	for _, b := range s.order {
		if !b.complete() {
			running++
		}
	}
	if s.limit > 0 && running >= s.limit {
		return nil, api.Refuse("AccountLimitExceededException", "Cannot have more than %d builds in queue for the account", s.limit)
	}
	b := s.begin(p, q, settings, s.next(p.Name), s.world.Now())
	s.tokens["build "+id] = token{s.world.Now(), string(raw), b.id}
	return map[string]any{"build": s.json(b)}, nil
}

// next takes the next script of a project; the last one stays.
func (s *Service) next(project string) Script {
	list := s.scripts[project]
	if len(list) == 0 {
		return Script{}
	}
	if len(list) > 1 {
		s.scripts[project] = list[1:]
	}
	return list[0]
}

// begin begins a build at a time that may have passed.
func (s *Service) begin(p Project, q *api.Request, settings map[string]any, script Script, at time.Time) *build {
	s.numbers[p.Name]++
	uuid := s.world.NewID()
	b := &build{
		id: p.Name + ":" + uuid, status: statusRunning, number: s.numbers[p.Name], initiator: initiator(q.Principal), project: p, input: q.Input,
		settings: settings, script: script, started: at, stream: uuid,
	}
	if script.Fail != nil {
		b.failure = script.Fail.filled()
	}
	s.builds[b.id] = b
	s.order = append(s.order, b)
	b.enter(phaseSubmitted, at)
	return b
}

// initiator is who started a build, as CodeBuild writes it: "bob", "ROLE/SESSION".
func initiator(arn string) string {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	return strings.TrimPrefix(strings.TrimPrefix(name, "assumed-role/"), "user/")
}

// settings are the project's, overridden by the input of a call.
func (s *Service) settings(p Project, in api.Input) (map[string]any, *api.Error) {
	out := s.project(p)
	from := map[string]any{}
	maps.Copy(from, source(p))
	environment, _ := out["environment"].(map[string]any) // it is one
	for name, at := range map[string]struct {
		in     map[string]any
		member string
	}{
		"sourceTypeOverride": {from, "type"}, "sourceLocationOverride": {from, "location"}, "buildspecOverride": {from, "buildspec"},
		"artifactsOverride": {out, "artifacts"}, "secondaryArtifactsOverride": {out, "secondaryArtifacts"}, "secondarySourcesOverride": {out, "secondarySources"},
		"secondarySourcesVersionOverride": {out, "secondarySourceVersions"}, "sourceVersion": {out, "sourceVersion"}, "cacheOverride": {out, "cache"},
		"encryptionKeyOverride": {out, "encryptionKey"}, "serviceRoleOverride": {out, "serviceRole"}, "timeoutInMinutesOverride": {out, "timeoutInMinutes"},
		"queuedTimeoutInMinutesOverride": {out, "queuedTimeoutInMinutes"}, "logsConfigOverride": {out, "logsConfig"}, "imageOverride": {environment, "image"},
		"computeTypeOverride": {environment, "computeType"}, "environmentTypeOverride": {environment, "type"}, "privilegedModeOverride": {environment, "privilegedMode"},
	} {
		if in.Has(name) {
			at.in[at.member] = in[name]
		}
	}
	variables, _ := environment["environmentVariables"].([]map[string]any) // they are these
	for _, v := range in.List("environmentVariablesOverride") {
		variables = slices.DeleteFunc(variables, func(is map[string]any) bool { return is["name"] == v["name"] })
		if !v.Has("type") {
			v = maps.Clone(v)
			v["type"] = "PLAINTEXT"
		}
		variables = append(variables, v)
	}
	environment["environmentVariables"], out["source"] = variables, from
	return out, checkSettings(out)
}

// checkSettings refuses settings with which no build can begin.
func checkSettings(settings api.Input) *api.Error {
	from, to := settings.In("source"), append(settings.List("secondaryArtifacts"), settings.In("artifacts"))
	if from.Text("type") == "CODEPIPELINE" {
		return api.Refuse("InvalidInputException", "sourceTypeOverride must be set when using source type CodePipeline")
	}
	for _, one := range append(settings.List("secondarySources"), from) {
		if _, _, ok := strings.Cut(one.Text("location"), "/"); one.Text("type") == "S3" && !ok {
			return api.Refuse("InvalidInputException", "Invalid project source: location must be a valid S3 location")
		}
	}
	for _, one := range to {
		switch {
		case one.Text("type") == "CODEPIPELINE":
			return api.Refuse("InvalidInputException", "ArtifactsOverride must be set when using artifacts type CodePipelines")
		case one.Text("type") == "S3" && one.Text("location") == "":
			return api.Refuse("InvalidInputException", "Invalid artifacts: location must be set when the artifacts type is S3")
		}
	}
	return nil
}

// retry carries out RetryBuild: the same build once more.
func (s *Service) retry(q *api.Request) (any, *api.Error) {
	b, bad := s.named(q)
	if bad != nil {
		return nil, bad
	}
	again := *q
	again.Input = maps.Clone(b.input)
	delete(again.Input, "idempotencyToken")
	if t := q.Input.Text("idempotencyToken"); t != "" {
		again.Input["idempotencyToken"] = t
	}
	return s.start(&again)
}

func (s *Service) named(q *api.Request) (*build, *api.Error) {
	if b := s.builds[q.Input.Text("id")]; b != nil && b.settings != nil {
		return b, nil
	}
	return nil, api.Refuse("ResourceNotFoundException", "Build %s not found", s.arn("build/"+q.Input.Text("id")))
}

// stop carries out StopBuild. A build that is over stays as it is.
func (s *Service) stop(q *api.Request) (any, *api.Error) {
	b, bad := s.named(q)
	if bad != nil {
		return nil, bad
	}
	s.halt(b, s.world.Now())
	return map[string]any{"build": s.json(b)}, nil
}

func (s *Service) halt(b *build, now time.Time) {
	if b.complete() {
		return
	}
	s.speak(b, b.current(), now)
	s.leave(b, now, statusStopped, "", "")
	b.enter(phaseCompleted, now)
	b.ended, b.status = now, statusStopped
}

// Release ends the phase that a build is held in.
func (s *Service) Release(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.builds[id]
	if b == nil || b.complete() || !b.current().held {
		return fmt.Errorf("no phase of build %s is held", id)
	}
	b.current().held, b.current().due = false, s.world.Now()
	return nil
}

// Add adds builds that others made.
func (s *Service) Add(builds ...Build) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, given := range builds {
		project, _, _ := strings.Cut(given.ID, ":")
		b := &build{id: given.ID, status: given.Status, project: Project{Name: project}, group: given.LogGroup, stream: given.LogStream}
		for _, p := range given.Phases {
			b.phases = append(b.phases, &phase{name: p.Type, status: p.Status, code: p.Code, message: p.Message})
		}
		s.builds[b.id] = b
	}
}

func (s *Service) get(q *api.Request) (any, *api.Error) {
	found, missing := []map[string]any{}, []string(nil) // an empty list is not written
	for _, id := range q.Input.Texts("ids") {
		id = strings.TrimPrefix(id, s.arn("build/"))
		if b := s.builds[id]; b != nil {
			found = append(found, s.json(b))
		} else {
			missing = append(missing, id)
		}
	}
	return map[string]any{"builds": found, "buildsNotFound": missing}, nil
}

func (s *Service) list(q *api.Request) (any, *api.Error) {
	if _, bad := s.find(q.Input.Text("projectName")); bad != nil {
		return nil, bad
	}
	ids := []string{}
	for _, b := range s.order {
		if b.project.Name == q.Input.Text("projectName") {
			ids = append(ids, b.id)
		}
	}
	return page(ids, q)
}
