package codepipeline

import (
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Options says whose CodePipeline it is and what it stands on.
type Options struct {
	Account, Region string
	Now             func() time.Time
	Event           func(Event) // gets every change of state, under the lock; nil: nobody
}

// Service is CodePipeline of one account and region.
type Service struct {
	mu        sync.Mutex
	options   Options
	at        time.Time // of what is being done
	pipelines map[string]*pipeline
	scripts   map[string][]Script
	revisions map[string]Revision
	inputs    []happening // all that changed something, in order: told again they make the same service
	replaying bool
	ids       int
}

// New makes a service without pipelines.
func New(o Options) *Service {
	return &Service{options: o, pipelines: map[string]*pipeline{}, scripts: map[string][]Script{}, revisions: map[string]Revision{}}
}

// Do carries out an operation for somebody, whose ARN is given. The input has passed the checks of AWS's model.
func (s *Service) Do(by, op string, input []byte) (any, *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	defer s.catchUp()
	do, ok := s.operations()[op]
	if !ok {
		return nil, refuse("UnknownOperationException", "%s is not an operation of this CodePipeline", op)
	}
	if !strings.HasPrefix(op, "Get") && !strings.HasPrefix(op, "List") {
		s.keep(by, op, input)
	}
	return do(by, input)
}

type operation func(by string, input []byte) (any, *Error)

// CatchUp brings everything up to the clock.
func (s *Service) CatchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
}

// with decodes the input and finds the pipeline that it names.
func with[In any](s *Service, name func(*In) string, do func(p *pipeline, in *In, by string) (any, *Error)) operation {
	return plain(func(in *In, by string) (any, *Error) {
		p := s.pipelines[name(in)]
		if p == nil {
			return nil, noPipeline(s, name(in))
		}
		return do(p, in, by)
	})
}

func plain[In any](do func(in *In, by string) (any, *Error)) operation {
	return func(by string, input []byte) (any, *Error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, refuse("SerializationException", "%s", err.Error())
		}
		return do(&in, by)
	}
}

// of is the input of most operations.
type of struct {
	Name                      string                           `json:"name"`
	PipelineName              string                           `json:"pipelineName"`
	Version                   int                              `json:"version"`
	StageName                 string                           `json:"stageName"`
	ActionName                string                           `json:"actionName"`
	PipelineExecutionID       string                           `json:"pipelineExecutionId"`
	TargetPipelineExecutionID string                           `json:"targetPipelineExecutionId"`
	Abandon                   bool                             `json:"abandon"`
	Reason                    string                           `json:"reason"`
	RetryMode                 string                           `json:"retryMode"`
	ConditionType             string                           `json:"conditionType"`
	TransitionType            string                           `json:"transitionType"`
	Token                     string                           `json:"token"`
	Result                    struct{ Status, Summary string } `json:"result"`
	ClientRequestToken        string                           `json:"clientRequestToken"`
	Variables                 []struct{ Name, Value string }   `json:"variables"`
	SourceRevisions           []override                       `json:"sourceRevisions"`
	MaxResults                int                              `json:"maxResults"`
	NextToken                 string                           `json:"nextToken"`
	Filter                    filter                           `json:"filter"`
}

type filter struct {
	PipelineExecutionID string `json:"pipelineExecutionId"`
	SucceededInStage    *struct {
		StageName string `json:"stageName"`
	} `json:"succeededInStage"`
	LatestInPipelineExecution *struct {
		PipelineExecutionID string `json:"pipelineExecutionId"`
		StartTimeRange      string `json:"startTimeRange"`
	} `json:"latestInPipelineExecution"`
}

func (s *Service) operations() map[string]operation {
	name := func(in *of) string { return in.Name }
	pipelineName := func(in *of) string { return in.PipelineName }
	return map[string]operation{
		"CreatePipeline": plain(s.create), "UpdatePipeline": plain(s.update), "DeletePipeline": plain(s.delete),
		"GetPipeline": with(s, name, s.get), "ListPipelines": plain(s.list),
		"GetPipelineState":       with(s, name, s.state),
		"GetPipelineExecution":   with(s, pipelineName, s.execution),
		"ListPipelineExecutions": with(s, pipelineName, s.executions),
		"ListActionExecutions":   with(s, pipelineName, s.actionExecutions),
		"ListRuleExecutions":     with(s, pipelineName, s.ruleExecutions),
		"StartPipelineExecution": with(s, name, s.startByCall),
		"StopPipelineExecution":  with(s, pipelineName, s.stop),
		"RetryStageExecution":    with(s, pipelineName, s.retry),
		"RollbackStage":          with(s, pipelineName, s.rollback),
		"OverrideStageCondition": with(s, pipelineName, s.override),
		"EnableStageTransition":  with(s, pipelineName, s.enable),
		"DisableStageTransition": with(s, pipelineName, s.disable),
		"PutApprovalResult":      with(s, pipelineName, s.answer),
	}
}

// stamp is a time in AWS's JSON: seconds since 1970, with milliseconds.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (t stamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

func (s *Service) arn(p string) string {
	return strings.Join([]string{"arn:aws:codepipeline", s.options.Region, s.options.Account, p}, ":")
}
