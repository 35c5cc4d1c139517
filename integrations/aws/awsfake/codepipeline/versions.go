package codepipeline

import (
	"encoding/json"
	"maps"
	"slices"
)

// declared is the input and the answer of CreatePipeline and UpdatePipeline.
type declared struct {
	Pipeline *declaration      `json:"pipeline"`
	Tags     []json.RawMessage `json:"tags,omitempty"`
}

func (s *Service) create(in *declared, by string) (any, *Error) {
	d := in.Pipeline.clone()
	switch {
	case s.pipelines[d.Name] != nil:
		return nil, refuse("PipelineNameInUseException", "A pipeline with the name '%s' already exists in account '%s'", d.Name, s.options.Account)
	case len(in.Tags) > 50:
		return nil, refuse("TooManyTagsException", "A pipeline can have at most 50 tags")
	}
	d.complete()
	if e := d.check(); e != nil {
		return nil, e
	}
	d.Version = 1
	p := &pipeline{s: s, name: d.Name, versions: []*declaration{d}, created: s.at, updated: s.at, stages: map[string]*place{}}
	s.pipelines[d.Name] = p
	if d.startable() {
		s.start(p, start{trigger: "CreatePipeline", detail: by})
	}
	return declared{Pipeline: d.masked(), Tags: in.Tags}, nil
}

// startable says whether all variables have a default.
func (d *declaration) startable() bool {
	return !slices.ContainsFunc(d.Variables, func(v variable) bool { return v.DefaultValue == nil })
}

func (s *Service) update(in *declared, _ string) (any, *Error) {
	d := in.Pipeline.clone()
	p := s.pipelines[d.Name]
	if p == nil {
		return nil, refuse("InvalidStructureException", "The pipeline '%s' does not exist in account '%s'", d.Name, s.options.Account)
	}
	d.complete()
	if e := d.check(); e != nil {
		return nil, e
	}
	d.keepSecrets(p.now())
	d.Version = len(p.versions) + 1
	p.versions = append(p.versions, d)
	p.updated = s.at
	for _, e := range p.executions {
		s.cancel(e)
	}
	return declared{Pipeline: d.masked()}, nil
}

// cancel is what an update does to an execution: what waits ends now, what runs with its actions, PARALLEL goes on.
func (s *Service) cancel(e *execution) {
	if e.ended() || e.parallel() {
		return
	}
	r := e.here()
	if r == nil {
		s.end(e, cancelled, "")
		return
	}
	e.cancelling = true
	s.dropRules(r, cancelled)
	s.proceed(r)
}

func (s *Service) get(p *pipeline, in *of, _ string) (any, *Error) {
	d := p.now()
	if in.Version > len(p.versions) {
		return nil, refuse("PipelineVersionNotFoundException", "Pipeline '%s' has no version %d", p.name, in.Version)
	}
	if in.Version > 0 {
		d = p.versions[in.Version-1]
	}
	return map[string]any{"pipeline": d.masked(), "metadata": map[string]any{
		"pipelineArn": s.arn(p.name), "created": stamp(p.created), "updated": stamp(p.updated),
	}}, nil
}

type pipelineSummary struct {
	Name          string `json:"name"`
	Version       int    `json:"version"`
	PipelineType  string `json:"pipelineType"`
	ExecutionMode string `json:"executionMode"`
	Created       stamp  `json:"created"`
	Updated       stamp  `json:"updated"`
}

func (s *Service) list(in *of, _ string) (any, *Error) {
	var all []pipelineSummary
	for _, name := range slices.Sorted(maps.Keys(s.pipelines)) {
		p := s.pipelines[name]
		all = append(all, pipelineSummary{name, p.now().Version, p.now().PipelineType, p.now().ExecutionMode, stamp(p.created), stamp(p.updated)})
	}
	most := in.MaxResults
	if most == 0 {
		most = 1000
	}
	return page(all, func(x pipelineSummary) string { return x.Name }, most, in.NextToken, "pipelines")
}

func (s *Service) delete(in *of, _ string) (any, *Error) {
	delete(s.pipelines, in.Name) // deleting what is not there is fine, as in AWS
	return nil, nil
}

// start is how an execution begins.
type start struct {
	trigger, detail, token string
	variables              map[string]string
	overrides              []override
}

func (s *Service) start(p *pipeline, how start) *execution {
	e := &execution{
		p: p, d: p.now(), id: s.newID(), status: inProgress, kind: standard, attempt: 1, started: s.at, updated: s.at, token: how.token,
		triggerType: how.trigger, triggerDetail: how.detail, variables: how.variables, overrides: how.overrides,
		revisions: map[string]Revision{}, artifacts: map[string]string{}, outputs: map[string]map[string]string{},
	}
	if e.variables == nil {
		e.variables = map[string]string{}
	}
	for _, v := range e.d.Variables {
		if _, given := e.variables[v.Name]; !given && v.DefaultValue != nil {
			e.variables[v.Name] = *v.DefaultValue
		}
	}
	p.executions = append(p.executions, e)
	s.emitPipeline(e, "STARTED")
	s.arrive(e)
	return e
}

func (s *Service) startByCall(p *pipeline, in *of, by string) (any, *Error) {
	for _, e := range p.executions {
		if in.ClientRequestToken != "" && e.token == in.ClientRequestToken {
			return map[string]string{"pipelineExecutionId": e.id}, nil
		}
	}
	how := start{trigger: "StartPipelineExecution", detail: by, token: in.ClientRequestToken, variables: map[string]string{}, overrides: in.SourceRevisions}
	for _, v := range in.Variables {
		how.variables[v.Name] = v.Value
	}
	if e := p.now().checkStart(how); e != nil {
		return nil, e
	}
	if !s.room(p) {
		return nil, tooMany(p)
	}
	return map[string]string{"pipelineExecutionId": s.start(p, how).id}, nil
}

func (d *declaration) checkStart(how start) *Error {
	for name := range how.variables {
		if !slices.ContainsFunc(d.Variables, func(v variable) bool { return v.Name == name }) {
			return invalid("Variable '%s' is not declared in the pipeline", name)
		}
	}
	for _, v := range d.Variables {
		if _, given := how.variables[v.Name]; !given && v.DefaultValue == nil {
			return invalid("Variable '%s' has no default value and must be given", v.Name)
		}
	}
	for _, o := range how.overrides {
		a := d.Stages[0].action(o.ActionName)
		if a == nil {
			return invalid("Source action '%s' of a source revision override does not exist", o.ActionName)
		}
		kinds := map[string][]string{"S3": {"S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"}, "ECR": {"IMAGE_DIGEST"}}[a.ActionTypeID.Provider]
		if kinds == nil {
			kinds = []string{"COMMIT_ID"}
		}
		if !slices.Contains(kinds, o.RevisionType) {
			return invalid("Source action '%s' of provider %s takes no revision of type %s", a.Name, a.ActionTypeID.Provider, o.RevisionType)
		}
		if o.RevisionType == "S3_OBJECT_KEY" && a.Configuration["AllowOverrideForS3ObjectKey"] != "true" {
			return invalid("Source action '%s' does not allow an override of its S3 object key", a.Name)
		}
	}
	return nil
}

// concurrency is how many executions of a pipeline in QUEUED or PARALLEL may run.
const concurrency = 50

// room says whether one more execution may run.
func (s *Service) room(p *pipeline) bool {
	n := 0
	for _, e := range p.executions {
		if !e.ended() {
			n++
		}
	}
	return p.now().ExecutionMode == superseded || n < concurrency
}

func tooMany(p *pipeline) *Error {
	return refuse("ConcurrentPipelineExecutionsLimitExceededException", "The pipeline %s has reached the limit of %d concurrent executions", p.name, concurrency)
}
