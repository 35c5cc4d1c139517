// Package codebuild is CodeBuild of the fake of AWS: projects, builds that go through their eleven phases by the clock with a
// log that grows, builds in batches, and reports. Source and artifacts are real objects of the fake's S3; nothing is
// built: a [Script] says what comes of it.
package codebuild

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Project is a project. What is empty has AWS's default.
type Project struct {
	Name           string
	SourceType     string // empty: CODEPIPELINE, as most projects of pipelines have it
	SourceLocation string // of type S3: BUCKET/KEY
	Buildspec      string
	ArtifactsType  string // empty: CODEPIPELINE
	ServiceRole    string // empty: arn:aws:iam::ACCOUNT:role/codebuild-NAME
	LogGroup       string // empty: /aws/codebuild/NAME
	EncryptionKey  string
	Variables      map[string]string
	Timeout        time.Duration // empty: an hour
	QueuedTimeout  time.Duration // empty: eight hours
	BatchRole      string        // lets the project build in batches
}

// Service is CodeBuild of an account in a region.
type Service struct {
	mu       sync.Mutex
	world    *api.World
	projects map[string]Project
	scripts  map[string][]Script
	plans    map[string][]Group // of batches, by project
	builds   map[string]*build
	order    []*build // as they were started
	batches  []*batch
	tokens   map[string]token
	numbers  map[string]int64
	limit    int
	reports  map[string]*report
}

// token is what an idempotency token was used for.
type token struct {
	at    time.Time
	input string
	id    string
}

const tokenLives = 5 * time.Minute

// New is a CodeBuild without projects.
func New(w *api.World) *Service {
	return &Service{
		world: w, projects: map[string]Project{}, scripts: map[string][]Script{}, plans: map[string][]Group{}, builds: map[string]*build{},
		tokens: map[string]token{}, numbers: map[string]int64{}, reports: map[string]*report{},
	}
}

// Projects adds projects, or replaces those of the same names.
func (s *Service) Projects(list ...Project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		s.projects[p.Name] = p.filled(s.world.Account)
	}
}

func (p Project) filled(account string) Project {
	for _, d := range []struct {
		at        *string
		otherwise string
	}{
		{&p.SourceType, "CODEPIPELINE"}, {&p.ArtifactsType, "CODEPIPELINE"},
		{&p.ServiceRole, "arn:aws:iam::" + account + ":role/codebuild-" + p.Name}, {&p.LogGroup, "/aws/codebuild/" + p.Name},
	} {
		if *d.at == "" {
			*d.at = d.otherwise
		}
	}
	if p.Timeout == 0 {
		p.Timeout = time.Hour
	}
	if p.QueuedTimeout == 0 {
		p.QueuedTimeout = 8 * time.Hour
	}
	return p
}

// Play sets what builds of a project do from now on: each takes the next script, the last one stays.
func (s *Service) Play(project string, scripts ...Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[project] = scripts
}

// PlayBatch sets the builds that a batch of a project is made of from now on.
func (s *Service) PlayBatch(project string, groups ...Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[project] = groups
}

// Limit is how many builds run at once before StartBuild answers AccountLimitExceededException; 0: as many as there are.
func (s *Service) Limit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = n
}

// Started are the IDs of the builds so far, oldest first; those of batches too.
func (s *Service) Started() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.order {
		ids = append(ids, b.id)
	}
	return ids
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do, ok := map[string]func(*api.Request) (any, *api.Error){
		"StartBuild": s.start, "RetryBuild": s.retry, "StopBuild": s.stop, "BatchGetBuilds": s.get, "ListBuildsForProject": s.list,
		"StartBuildBatch": s.startBatch, "StopBuildBatch": s.stopBatch, "BatchGetBuildBatches": s.getBatches, "ListBuildBatchesForProject": s.listBatches,
		"BatchGetProjects": s.getProjects, "BatchGetReports": s.getReports, "DescribeTestCases": s.testCases,
	}[q.Operation]
	if !ok {
		return nil, api.Refuse("UnknownOperationException", "The fake of CodeBuild has no %s", q.Operation)
	}
	return do(q)
}

// CatchUp implements [api.Clocked].
func (s *Service) CatchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.world.Now()
	for _, b := range slices.Clone(s.order) {
		s.advance(b, now)
	}
	for _, b := range s.batches {
		s.advanceBatch(b, now)
	}
}

// Rights implements [api.Authorizer]: a right on each project or report group that a call is about.
func (s *Service) Rights(q *api.Request) (all []api.Right) {
	projects := append(q.Input.Texts("names"), q.Input.Text("projectName"))
	for _, id := range append(q.Input.Texts("ids"), q.Input.Text("id")) {
		name, _, _ := strings.Cut(id, ":")
		projects = append(projects, name)
	}
	action := "codebuild:" + q.Operation
	for _, name := range projects {
		if name != "" {
			all = append(all, api.Right{Action: action, Resource: q.ARN("project/" + name)})
		}
	}
	for _, arn := range append(q.Input.Texts("reportArns"), q.Input.Text("reportArn")) {
		if cut := strings.LastIndexByte(arn, ':'); cut > 0 {
			all = append(all, api.Right{Action: action, Resource: strings.Replace(arn[:cut], ":report/", ":report-group/", 1)})
		}
	}
	return all
}

func (s *Service) arn(resource string) string {
	return "arn:aws:codebuild:" + s.world.Region + ":" + s.world.Account + ":" + resource
}

func (s *Service) getProjects(q *api.Request) (any, *api.Error) {
	found, missing := []map[string]any{}, []string(nil) // an empty list is not written
	for _, name := range q.Input.Texts("names") {
		p, ok := s.projects[name]
		if !ok {
			missing = append(missing, name)
			continue
		}
		found = append(found, s.project(p))
	}
	return map[string]any{"projects": found, "projectsNotFound": missing}, nil
}

func (s *Service) project(p Project) map[string]any {
	variables := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(p.Variables)) {
		variables = append(variables, map[string]any{"name": name, "value": p.Variables[name], "type": "PLAINTEXT"})
	}
	out := map[string]any{
		"name": p.Name, "arn": s.arn("project/" + p.Name), "serviceRole": p.ServiceRole, "timeoutInMinutes": int(p.Timeout.Minutes()), "queuedTimeoutInMinutes": int(p.QueuedTimeout.Minutes()),
		"source": source(p), "artifacts": map[string]any{"type": p.ArtifactsType}, "cache": map[string]any{"type": "NO_CACHE"},
		"environment": map[string]any{"type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0", "computeType": "BUILD_GENERAL1_SMALL", "environmentVariables": variables},
		"logsConfig":  map[string]any{"cloudWatchLogs": map[string]any{"status": "ENABLED", "groupName": p.LogGroup}},
	}
	if p.EncryptionKey != "" {
		out["encryptionKey"] = p.EncryptionKey
	}
	if p.BatchRole != "" {
		out["buildBatchConfig"] = map[string]any{"serviceRole": p.BatchRole}
	}
	return out
}

func source(p Project) map[string]any {
	out := map[string]any{"type": p.SourceType}
	if p.SourceLocation != "" {
		out["location"] = p.SourceLocation
	}
	if p.Buildspec != "" {
		out["buildspec"] = p.Buildspec
	}
	return out
}

// find is the project that a call starts.
func (s *Service) find(name string) (Project, *api.Error) {
	p, ok := s.projects[name]
	if !ok {
		return p, api.Refuse("ResourceNotFoundException", "Project cannot be found: %s", s.arn("project/"+name))
	}
	return p, nil
}

// page cuts a list of IDs at 100, the newest first unless it is asked for the other way round.
func page(ids []string, q *api.Request) (any, *api.Error) {
	if q.Input.Text("sortOrder") != "ASCENDING" {
		slices.Reverse(ids)
	}
	from := 0
	if next := q.Input.Text("nextToken"); next != "" {
		if _, err := fmt.Sscanf(next, "from-%d", &from); err != nil || from > len(ids) {
			return nil, api.Refuse("InvalidInputException", "Invalid token")
		}
	}
	to := min(from+q.Input.Whole("maxResults", 100), len(ids))
	out := map[string]any{"ids": ids[from:to]}
	if to < len(ids) {
		out["nextToken"] = fmt.Sprintf("from-%d", to)
	}
	return out, nil
}
