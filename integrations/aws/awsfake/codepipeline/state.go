package codepipeline

type stageState struct {
	StageName               string           `json:"stageName"`
	InboundExecution        *stageExecution  `json:"inboundExecution,omitempty"`
	InboundExecutions       []stageExecution `json:"inboundExecutions"`
	InboundTransitionState  *transitionState `json:"inboundTransitionState,omitempty"`
	ActionStates            []actionState    `json:"actionStates"`
	LatestExecution         *stageExecution  `json:"latestExecution,omitempty"`
	BeforeEntryCondition    *conditionState  `json:"beforeEntryConditionState,omitempty"`
	OnSuccessConditionState *conditionState  `json:"onSuccessConditionState,omitempty"`
	OnFailureConditionState *conditionState  `json:"onFailureConditionState,omitempty"`
	RetryStageMetadata      *retryMetadata   `json:"retryStageMetadata,omitempty"`
}

type stageExecution struct {
	PipelineExecutionID string `json:"pipelineExecutionId"`
	Status              string `json:"status"`
	Type                string `json:"type,omitempty"`
}

type transitionState struct {
	Enabled        bool   `json:"enabled"`
	LastChangedBy  string `json:"lastChangedBy,omitempty"`
	LastChangedAt  *stamp `json:"lastChangedAt,omitempty"`
	DisabledReason string `json:"disabledReason,omitempty"`
}

type retryMetadata struct {
	Auto   int    `json:"autoStageRetryAttempt,omitempty"`
	Manual int    `json:"manualStageRetryAttempt,omitempty"`
	Latest string `json:"latestRetryTrigger,omitempty"`
}

type actionState struct {
	ActionName      string           `json:"actionName"`
	CurrentRevision *currentRevision `json:"currentRevision,omitempty"`
	LatestExecution *actionExecution `json:"latestExecution,omitempty"`
	EntityURL       string           `json:"entityUrl,omitempty"`
	RevisionURL     string           `json:"revisionUrl,omitempty"`
}

type currentRevision struct {
	RevisionID       string `json:"revisionId"`
	RevisionChangeID string `json:"revisionChangeId"`
	Created          stamp  `json:"created"`
}

type actionExecution struct {
	ActionExecutionID    string   `json:"actionExecutionId,omitempty"`
	RuleExecutionID      string   `json:"ruleExecutionId,omitempty"`
	Status               string   `json:"status"`
	Summary              string   `json:"summary,omitempty"`
	LastStatusChange     stamp    `json:"lastStatusChange"`
	Token                string   `json:"token,omitempty"`
	LastUpdatedBy        string   `json:"lastUpdatedBy,omitempty"`
	ExternalExecutionID  string   `json:"externalExecutionId,omitempty"`
	ExternalExecutionURL string   `json:"externalExecutionUrl,omitempty"`
	PercentComplete      int      `json:"percentComplete,omitempty"`
	ErrorDetails         *Failure `json:"errorDetails,omitempty"`
	LogStreamARN         string   `json:"logStreamARN,omitempty"`
}

type conditionState struct {
	LatestExecution struct {
		Status string `json:"status"`
	} `json:"latestExecution"`
	ConditionStates []oneCondition `json:"conditionStates"`
}

type oneCondition struct {
	LatestExecution struct {
		Status           string `json:"status"`
		LastStatusChange stamp  `json:"lastStatusChange"`
	} `json:"latestExecution"`
	RuleStates []ruleState `json:"ruleStates"`
}

type ruleState struct {
	RuleName        string           `json:"ruleName"`
	LatestExecution *actionExecution `json:"latestExecution,omitempty"`
}

// state is GetPipelineState. Of a pipeline in PARALLEL it has the names of stages and actions only.
func (s *Service) state(p *pipeline, _ *of, _ string) (any, *Error) {
	d := p.now()
	states := []stageState{}
	for i := range d.Stages {
		st := &d.Stages[i]
		one := stageState{StageName: st.Name, ActionStates: []actionState{}, InboundExecutions: []stageExecution{}}
		pl := p.place(st.Name)
		if i > 0 {
			one.InboundTransitionState = pl.transitionState()
		}
		if d.ExecutionMode == parallel {
			for _, a := range st.Actions {
				one.ActionStates = append(one.ActionStates, actionState{ActionName: a.Name})
			}
		} else {
			pl.fill(&one, st)
		}
		states = append(states, one)
	}
	return map[string]any{"pipelineName": p.name, "pipelineVersion": d.Version, "created": stamp(p.created), "updated": stamp(p.updated), "stageStates": states}, nil
}

func (pl *place) transitionState() *transitionState {
	t := &transitionState{Enabled: pl.disabled == nil}
	if pl.changed != nil {
		at := stamp(pl.changed.at)
		t.LastChangedBy, t.LastChangedAt = pl.changed.by, &at
	}
	if pl.disabled != nil {
		t.DisabledReason = pl.disabled.reason
	}
	return t
}

func (pl *place) fill(one *stageState, st *stage) {
	for _, e := range pl.inbound {
		if e.parallel() || e.status == overtaken || e.status == cancelled {
			continue
		}
		one.InboundExecutions = append(one.InboundExecutions, stageExecution{e.id, e.status, ofRollback(e)})
	}
	if len(one.InboundExecutions) > 0 {
		one.InboundExecution = &one.InboundExecutions[0]
	}
	for i := range st.Actions {
		a := &st.Actions[i]
		state := actionState{ActionName: a.Name, EntityURL: a.Configuration["ExternalEntityLink"]}
		if run := pl.actions[a.Name]; run != nil && !run.e.parallel() {
			state.LatestExecution = run.state()
			if rev, ok := run.e.revisions[a.Name]; ok && a.is("Source") {
				state.CurrentRevision = &currentRevision{rev.ID, rev.ID[:min(len(rev.ID), 12)], stamp(run.updated)}
				state.RevisionURL = rev.URL
			}
		}
		one.ActionStates = append(one.ActionStates, state)
	}
	r := pl.latest
	if r == nil || r.e.parallel() {
		return
	}
	one.LatestExecution = &stageExecution{r.e.id, r.status, ofRollback(r.e)}
	one.BeforeEntryCondition = r.conditions[beforeEntry].state()
	one.OnSuccessConditionState = r.conditions[onSuccess].state()
	one.OnFailureConditionState = r.conditions[onFailureKind].state()
	if r.latestRetry != "" {
		one.RetryStageMetadata = &retryMetadata{r.auto, r.manual, r.latestRetry}
	}
}

// ofRollback is the type where AWS tells it here: of rollbacks.
func ofRollback(e *execution) string {
	if e.kind == rollback {
		return rollback
	}
	return ""
}

func (a *actionRun) state() *actionExecution {
	x := &actionExecution{
		ActionExecutionID: a.id, Status: a.status, Summary: a.summary, LastStatusChange: stamp(a.updated), LastUpdatedBy: a.by,
		ExternalExecutionID: a.externalID, ExternalExecutionURL: a.url, PercentComplete: a.percent, ErrorDetails: a.fault, LogStreamARN: a.log,
	}
	if a.status == inProgress {
		x.Token = a.token
	}
	return x
}

func (c *conditionRun) state() *conditionState {
	if c == nil {
		return nil
	}
	var one oneCondition
	one.LatestExecution.Status, one.LatestExecution.LastStatusChange = c.status, stamp(c.updated)
	one.RuleStates = []ruleState{}
	for _, ru := range c.rules {
		one.RuleStates = append(one.RuleStates, ruleState{ru.def.Name, &actionExecution{
			RuleExecutionID: ru.id, Status: ru.status, Summary: ru.summary, LastStatusChange: stamp(ru.updated), LastUpdatedBy: ru.by, ErrorDetails: ru.fault,
		}})
	}
	all := &conditionState{ConditionStates: []oneCondition{one}}
	all.LatestExecution.Status = c.status
	return all
}
