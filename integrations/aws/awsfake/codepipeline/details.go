package codepipeline

import (
	"slices"
	"time"
)

type actionDetail struct {
	ExecutionID       string  `json:"pipelineExecutionId"`
	ActionExecutionID string  `json:"actionExecutionId,omitempty"`
	RuleExecutionID   string  `json:"ruleExecutionId,omitempty"`
	PipelineVersion   int     `json:"pipelineVersion"`
	StageName         string  `json:"stageName"`
	ActionName        string  `json:"actionName,omitempty"`
	RuleName          string  `json:"ruleName,omitempty"`
	StartTime         stamp   `json:"startTime"`
	LastUpdateTime    stamp   `json:"lastUpdateTime"`
	UpdatedBy         string  `json:"updatedBy,omitempty"`
	Status            string  `json:"status"`
	Input             *input  `json:"input"`
	Output            *output `json:"output"`
	started           time.Time
}

type input struct {
	ActionTypeID          *typeID           `json:"actionTypeId,omitempty"`
	RuleTypeID            *typeID           `json:"ruleTypeId,omitempty"`
	Configuration         map[string]string `json:"configuration"`
	ResolvedConfiguration map[string]string `json:"resolvedConfiguration"`
	RoleArn               string            `json:"roleArn,omitempty"`
	Region                string            `json:"region,omitempty"`
	InputArtifacts        []artifactDetail  `json:"inputArtifacts"`
	Namespace             string            `json:"namespace,omitempty"`
}

type artifactDetail struct {
	Name       string `json:"name"`
	S3Location struct {
		Bucket string `json:"bucket"`
		Key    string `json:"key"`
	} `json:"s3location"`
}

type output struct {
	OutputArtifacts []artifactDetail  `json:"outputArtifacts,omitempty"`
	OutputVariables map[string]string `json:"outputVariables,omitempty"`
	ExecutionResult *result           `json:"executionResult,omitempty"`
}

type result struct {
	ExternalExecutionID      string   `json:"externalExecutionId,omitempty"`
	ExternalExecutionSummary string   `json:"externalExecutionSummary,omitempty"`
	ExternalExecutionURL     string   `json:"externalExecutionUrl,omitempty"`
	ErrorDetails             *Failure `json:"errorDetails,omitempty"`
	LogStreamARN             string   `json:"logStreamARN,omitempty"`
}

// wanted says which executions and attempts a filter lets through.
func (f *filter) wanted() (id string, latest bool) {
	if l := f.LatestInPipelineExecution; l != nil {
		return l.PipelineExecutionID, l.StartTimeRange == "Latest"
	}
	return f.PipelineExecutionID, false
}

// details collects from the executions that the filter wants, newest first.
func (p *pipeline) details(f *filter, of func(r *stageRun, latest bool) []actionDetail) ([]actionDetail, *Error) {
	id, latest := f.wanted()
	if id != "" && p.find(id) == nil {
		return nil, noExecution(p, id)
	}
	list := []actionDetail{}
	for _, e := range p.executions {
		for _, r := range e.runs {
			if id == "" || e.id == id {
				list = append(list, of(r, latest)...)
			}
		}
	}
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b actionDetail) int { return b.started.Compare(a.started) })
	return list, nil
}

func (s *Service) actionExecutions(p *pipeline, in *of, _ string) (any, *Error) {
	list, e := p.details(&in.Filter, func(r *stageRun, latest bool) []actionDetail {
		var list []actionDetail
		for _, a := range r.actions {
			if !latest || r.last(a.def.Name) == a {
				list = append(list, a.detail(s))
			}
		}
		return list
	})
	if e != nil {
		return nil, e
	}
	return page(list, func(x actionDetail) string { return x.ActionExecutionID }, in.MaxResults, in.NextToken, "actionExecutionDetails")
}

func (a *actionRun) detail(s *Service) actionDetail {
	region := a.def.Region
	if region == "" {
		region = s.options.Region
	}
	d := actionDetail{
		ExecutionID: a.e.id, ActionExecutionID: a.id, PipelineVersion: a.e.d.Version, StageName: a.run.name, ActionName: a.def.Name,
		StartTime: stamp(a.started), LastUpdateTime: stamp(a.updated), UpdatedBy: a.by, Status: a.status, started: a.started,
		Input: &input{
			ActionTypeID: &a.def.ActionTypeID, Configuration: a.e.d.masked().action(a.run.name, a.def.Name).Configuration, ResolvedConfiguration: a.resolved,
			RoleArn: a.def.RoleArn, Region: region, Namespace: a.def.Namespace, InputArtifacts: a.e.stored(a.def.InputArtifacts),
		},
		Output: &output{OutputVariables: a.outputs, ExecutionResult: &result{a.externalID, a.summary, a.url, a.fault, a.log}},
	}
	for _, key := range secrets() {
		if d.Input.ResolvedConfiguration[key] != "" {
			d.Input.ResolvedConfiguration[key] = mask
		}
	}
	if a.status == succeeded {
		d.Output.OutputArtifacts = a.e.stored(a.def.OutputArtifacts)
	}
	return d
}

// stored says where artifacts lie.
func (e *execution) stored(list []artifact) []artifactDetail {
	out := []artifactDetail{}
	for _, a := range list {
		var d artifactDetail
		d.Name, d.S3Location.Key = a.Name, e.artifacts[a.Name]
		if e.d.ArtifactStore != nil {
			d.S3Location.Bucket = e.d.ArtifactStore.Location
		} else {
			d.S3Location.Bucket = e.d.ArtifactStores[e.p.s.options.Region].Location
		}
		if d.S3Location.Key != "" {
			out = append(out, d)
		}
	}
	return out
}

func (s *Service) ruleExecutions(p *pipeline, in *of, _ string) (any, *Error) {
	list, e := p.details(&in.Filter, func(r *stageRun, _ bool) []actionDetail {
		var list []actionDetail
		for _, ru := range r.rules {
			list = append(list, actionDetail{
				ExecutionID: r.e.id, RuleExecutionID: ru.id, PipelineVersion: r.e.d.Version, StageName: r.name, RuleName: ru.def.Name,
				StartTime: stamp(ru.started), LastUpdateTime: stamp(ru.updated), UpdatedBy: ru.by, Status: ru.status, started: ru.started,
				Input: &input{
					RuleTypeID: &ru.def.RuleTypeID, Configuration: nonNil(ru.def.Configuration), ResolvedConfiguration: nonNil(ru.def.Configuration),
					RoleArn: ru.def.RoleArn, Region: ru.def.Region, InputArtifacts: r.e.stored(ru.def.InputArtifacts),
				},
				Output: &output{ExecutionResult: &result{ExternalExecutionSummary: ru.summary, ErrorDetails: ru.fault}},
			})
		}
		return list
	})
	if e != nil {
		return nil, e
	}
	return page(list, func(x actionDetail) string { return x.RuleExecutionID }, in.MaxResults, in.NextToken, "ruleExecutionDetails")
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
