package codebuild

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// batch is a batch of builds.
type batch struct {
	id, status string
	number     int64
	project    Project
	call       *api.Request
	settings   map[string]any
	groups     []*groupRun
	phases     []*phase
	started    time.Time
	ended      time.Time
	artifact   map[string]any // the combined one
}

// groupRun is a group of a batch, with its build once that has begun.
type groupRun struct {
	Group
	build *build
}

// failed says whether the group has ended so that the batch fails.
func (g *groupRun) failed() bool {
	return g.build != nil && g.build.complete() && g.build.status != statusSucceeded && !g.IgnoreFailure
}

func (g *groupRun) done() bool { return g.build != nil && g.build.complete() }

// startBatch carries out StartBuildBatch.
func (s *Service) startBatch(q *api.Request) (any, *api.Error) {
	raw, err := json.Marshal(q.Input)
	if err != nil {
		return nil, api.Refuse("InvalidInputException", "%s", err.Error())
	}
	now, id := s.world.Now(), q.Input.Text("idempotencyToken")
	known, used := s.tokens["batch "+id]
	used = used && id != "" && now.Sub(known.at) < tokenLives
	switch {
	case used && known.input != string(raw):
		return nil, api.Refuse("InvalidInputException", "Parameter mismatch: the idempotency token was used with other parameters")
	case used:
		return map[string]any{"buildBatch": s.batchJSON(s.batch(known.id))}, nil
	}
	p, bad := s.find(q.Input.Text("projectName"))
	if bad != nil {
		return nil, bad
	}
	if p.BatchRole == "" && q.Input.In("buildBatchConfigOverride").Text("serviceRole") == "" {
		return nil, api.Refuse("InvalidInputException", "Service role is required for batch builds: set it in the project's batch configuration")
	}
	settings, bad := s.settings(p, q.Input)
	if bad != nil {
		return nil, bad
	}
	s.numbers["batch "+p.Name]++
	b := &batch{id: p.Name + ":" + s.world.NewID(), status: statusRunning, number: s.numbers["batch "+p.Name], project: p, call: q, settings: settings, started: now}
	for _, g := range s.plans[p.Name] {
		b.groups = append(b.groups, &groupRun{Group: g})
	}
	if len(b.groups) == 0 {
		b.groups = []*groupRun{{Group: Group{ID: "build", Script: s.next(p.Name)}}}
	}
	b.enter(phaseSubmitted, now, 0)
	s.batches = append(s.batches, b)
	s.tokens["batch "+id] = token{now, string(raw), b.id}
	return map[string]any{"buildBatch": s.batchJSON(b)}, nil
}

func (s *Service) batch(id string) *batch {
	i := slices.IndexFunc(s.batches, func(b *batch) bool { return b.id == id })
	if i < 0 {
		return nil
	}
	return s.batches[i]
}

func (b *batch) enter(name string, at time.Time, takes time.Duration) {
	b.phases = append(b.phases, &phase{name: name, started: at, due: at.Add(takes)})
}

// leave ends the phase that runs and enters the next; one that is an end of the batch ends it.
func (b *batch) leave(at time.Time, trouble, next string, takes time.Duration) {
	p := b.phases[len(b.phases)-1]
	p.status, p.ended = statusSucceeded, at
	if trouble != "" {
		p.status, p.code, p.message = statusFailed, "CLIENT_ERROR", trouble
	}
	b.enter(next, at, takes)
	switch next {
	case statusSucceeded, statusFailed, statusStopped:
		p.status, b.status, b.ended = next, next, at
	}
}

// advanceBatch lets happen what is due in a batch.
func (s *Service) advanceBatch(b *batch, now time.Time) {
	for b.status == statusRunning {
		p := b.phases[len(b.phases)-1]
		if p.due.After(now) {
			return
		}
		switch p.name {
		case phaseSubmitted:
			b.leave(p.due, "", "DOWNLOAD_BATCHSPEC", 2*time.Second)
		case "DOWNLOAD_BATCHSPEC":
			in := api.Input(b.settings)
			if _, _, trouble := s.fetch(in.Text("serviceRole"), in.In("source"), in.Text("sourceVersion")); trouble != "" {
				b.leave(p.due, trouble, statusFailed, 0)
				continue
			}
			b.leave(p.due, "", statusRunning, 0)
		case statusRunning:
			at, over := s.work(b, p.started, now)
			if !over {
				return
			}
			next := statusSucceeded
			if slices.ContainsFunc(b.groups, (*groupRun).failed) {
				next = statusFailed
			} else if b.combines() {
				next = "COMBINE_ARTIFACTS"
			}
			b.leave(at, "", next, time.Second)
		default:
			trouble, next := s.combine(b), statusSucceeded
			if trouble != "" {
				next = statusFailed
			}
			b.leave(p.due, trouble, next, 0)
		}
	}
}

// work begins the builds whose turn it is, each when those that it depends on had ended. It is over when none runs and none can
// begin; at is when the last one ended.
func (s *Service) work(b *batch, from, now time.Time) (at time.Time, over bool) {
	for {
		begun, running := false, false
		at = from
		for _, g := range b.groups {
			if when, ready := b.ready(g, from); ready {
				g.build = s.member(b, g, when)
				begun = true
			}
			if g.build != nil {
				s.advance(g.build, now)
				running = running || !g.done()
				if g.build.ended.After(at) {
					at = g.build.ended
				}
			}
		}
		if !begun {
			return at, !running
		}
	}
}

// ready says whether a group's build can begin, and since when.
func (b *batch) ready(g *groupRun, from time.Time) (when time.Time, ready bool) {
	if g.build != nil {
		return when, false
	}
	when = from
	for _, other := range b.groups {
		if !slices.Contains(g.DependsOn, other.ID) {
			continue
		}
		if !other.done() || other.failed() {
			return when, false
		}
		if other.build.ended.After(when) {
			when = other.build.ended
		}
	}
	return when, true
}

// member begins a build of a batch, with the batch's settings.
func (s *Service) member(b *batch, g *groupRun, at time.Time) *build {
	made := s.begin(b.project, b.call, maps.Clone(b.settings), g.Script, at)
	made.batch, made.part = b, g.ID
	return made
}

func (b *batch) combines() bool {
	return b.call.Input.In("buildBatchConfigOverride").Bool("combineArtifacts") && api.Input(b.settings).In("artifacts").Text("type") == "S3"
}

// combine writes the files of all builds' primary artifacts into one.
func (s *Service) combine(b *batch) string {
	files := map[string]string{}
	for _, g := range b.groups {
		if g.build != nil && g.build.status == statusSucceeded {
			maps.Copy(files, g.build.output(""))
		}
	}
	done, trouble := s.store(&build{id: b.id, project: b.project, settings: b.settings}, api.Input(b.settings).In("artifacts"), files)
	b.artifact = done
	return trouble
}

// stopBatch carries out StopBuildBatch.
func (s *Service) stopBatch(q *api.Request) (any, *api.Error) {
	b := s.batch(q.Input.Text("id"))
	if b == nil {
		return nil, api.Refuse("ResourceNotFoundException", "Build batch %s not found", s.arn("build-batch/"+q.Input.Text("id")))
	}
	if now := s.world.Now(); b.status == statusRunning {
		for _, g := range b.groups {
			if g.build != nil {
				s.halt(g.build, now)
			}
		}
		b.leave(now, "", statusStopped, 0)
	}
	return map[string]any{"buildBatch": s.batchJSON(b)}, nil
}

func (s *Service) getBatches(q *api.Request) (any, *api.Error) {
	found, missing := []map[string]any{}, []string(nil) // an empty list is not written
	for _, id := range q.Input.Texts("ids") {
		if b := s.batch(strings.TrimPrefix(id, s.arn("build-batch/"))); b != nil {
			found = append(found, s.batchJSON(b))
		} else {
			missing = append(missing, id)
		}
	}
	return map[string]any{"buildBatches": found, "buildBatchesNotFound": missing}, nil
}

func (s *Service) listBatches(q *api.Request) (any, *api.Error) {
	if _, bad := s.find(q.Input.Text("projectName")); bad != nil {
		return nil, bad
	}
	ids := []string{}
	for _, b := range s.batches {
		if want := q.Input.In("filter").Text("status"); b.project.Name == q.Input.Text("projectName") && (want == "" || want == b.status) {
			ids = append(ids, b.id)
		}
	}
	return page(ids, q)
}

func (s *Service) batchJSON(b *batch) map[string]any {
	groups, reports := []map[string]any{}, []string(nil)
	for _, g := range b.groups {
		one := map[string]any{"identifier": g.ID, "dependsOn": g.DependsOn, "ignoreFailure": g.IgnoreFailure}
		if g.build != nil {
			summary := map[string]any{"arn": s.arn("build/" + g.build.id), "requestedOn": g.build.started, "buildStatus": g.build.status}
			for _, done := range g.build.artifacts {
				if done["artifactIdentifier"] == nil {
					summary["primaryArtifact"] = map[string]any{"type": "S3", "location": done["location"]}
				}
			}
			one["currentBuildSummary"] = summary
			reports = append(reports, g.build.reports...)
		}
		groups = append(groups, one)
	}
	out := map[string]any{
		"id": b.id, "arn": s.arn("build-batch/" + b.id), "projectName": b.project.Name, "buildBatchNumber": b.number, "buildBatchStatus": b.status,
		"complete": b.status != statusRunning, "currentPhase": b.phases[len(b.phases)-1].name, "startTime": b.started, "endTime": b.ended,
		"initiator": initiator(b.call.Principal), "phases": phasesJSON(b.phases), "buildGroups": groups, "artifacts": planned(api.Input(b.settings).In("artifacts")),
		"reportArns": reports,
	}
	for _, name := range []string{"source", "environment", "serviceRole", "sourceVersion"} {
		out[name] = b.settings[name]
	}
	if b.artifact != nil {
		out["artifacts"] = b.artifact
	}
	return out
}
