package codepipeline

import "encoding/json"

// declaration is a pipeline as AWS writes it.
type declaration struct {
	Name           string           `json:"name"`
	RoleArn        string           `json:"roleArn"`
	ArtifactStore  *store           `json:"artifactStore,omitempty"`
	ArtifactStores map[string]store `json:"artifactStores,omitempty"`
	Stages         []stage          `json:"stages"`
	Version        int              `json:"version,omitempty"`
	ExecutionMode  string           `json:"executionMode,omitempty"`
	PipelineType   string           `json:"pipelineType,omitempty"`
	Variables      []variable       `json:"variables,omitempty"`
	Triggers       []trigger        `json:"triggers,omitempty"`
}

type store struct {
	Type          string `json:"type"`
	Location      string `json:"location"`
	EncryptionKey *struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"encryptionKey,omitempty"`
}

type variable struct {
	Name         string  `json:"name"`
	DefaultValue *string `json:"defaultValue,omitempty"`
	Description  string  `json:"description,omitempty"`
}

type trigger struct {
	ProviderType     string `json:"providerType"`
	GitConfiguration struct {
		SourceActionName string            `json:"sourceActionName"`
		Push             []json.RawMessage `json:"push,omitempty"`
		PullRequest      []json.RawMessage `json:"pullRequest,omitempty"`
	} `json:"gitConfiguration"`
}

type stage struct {
	Name        string            `json:"name"`
	Blockers    []json.RawMessage `json:"blockers,omitempty"`
	Actions     []action          `json:"actions"`
	OnFailure   *onFailure        `json:"onFailure,omitempty"`
	OnSuccess   *conditions       `json:"onSuccess,omitempty"`
	BeforeEntry *conditions       `json:"beforeEntry,omitempty"`
}

type onFailure struct {
	Result             string `json:"result,omitempty"`
	RetryConfiguration *struct {
		RetryMode string `json:"retryMode,omitempty"`
	} `json:"retryConfiguration,omitempty"`
	Conditions []condition `json:"conditions,omitempty"`
}

type conditions struct {
	Conditions []condition `json:"conditions"`
}

type condition struct {
	Result string `json:"result,omitempty"`
	Rules  []rule `json:"rules,omitempty"`
}

type rule struct {
	Name             string            `json:"name"`
	RuleTypeID       typeID            `json:"ruleTypeId"`
	Configuration    map[string]string `json:"configuration,omitempty"`
	Commands         []string          `json:"commands,omitempty"`
	InputArtifacts   []artifact        `json:"inputArtifacts,omitempty"`
	RoleArn          string            `json:"roleArn,omitempty"`
	Region           string            `json:"region,omitempty"`
	TimeoutInMinutes int               `json:"timeoutInMinutes,omitempty"`
}

type typeID struct {
	Category string `json:"category"`
	Owner    string `json:"owner,omitempty"`
	Provider string `json:"provider"`
	Version  string `json:"version,omitempty"`
}

type artifact struct {
	Name  string   `json:"name"`
	Files []string `json:"files,omitempty"`
}

type action struct {
	Name                 string            `json:"name"`
	ActionTypeID         typeID            `json:"actionTypeId"`
	RunOrder             int               `json:"runOrder"`
	Configuration        map[string]string `json:"configuration"`
	Commands             []string          `json:"commands,omitempty"`
	OutputArtifacts      []artifact        `json:"outputArtifacts"`
	InputArtifacts       []artifact        `json:"inputArtifacts"`
	OutputVariables      []string          `json:"outputVariables,omitempty"`
	RoleArn              string            `json:"roleArn,omitempty"`
	Region               string            `json:"region,omitempty"`
	Namespace            string            `json:"namespace,omitempty"`
	TimeoutInMinutes     int               `json:"timeoutInMinutes,omitempty"`
	EnvironmentVariables []json.RawMessage `json:"environmentVariables,omitempty"`
}

func (a *action) is(category string) bool { return a.ActionTypeID.Category == category }

// manual says whether people answer the action.
func (a *action) manual() bool { return a.is("Approval") && a.ActionTypeID.Provider == "Manual" }

// complete puts in what AWS shows though nobody wrote it.
func (d *declaration) complete() {
	if d.ExecutionMode == "" {
		d.ExecutionMode = superseded
	}
	if d.PipelineType == "" {
		d.PipelineType = "V1"
		if d.needsV2() {
			d.PipelineType = "V2"
		}
	}
	for i := range d.Stages {
		for j := range d.Stages[i].Actions {
			d.Stages[i].Actions[j].complete()
		}
	}
}

func (a *action) complete() {
	if a.RunOrder == 0 {
		a.RunOrder = 1
	}
	if a.Configuration == nil {
		a.Configuration = map[string]string{}
	}
	if a.InputArtifacts == nil {
		a.InputArtifacts = []artifact{}
	}
	if a.OutputArtifacts == nil {
		a.OutputArtifacts = []artifact{}
	}
}

// needsV2 says whether something in it makes the pipeline one of type V2.
func (d *declaration) needsV2() bool {
	need := len(d.Variables) > 0 || len(d.Triggers) > 0 || d.ExecutionMode == queued || d.ExecutionMode == parallel
	for _, s := range d.Stages {
		need = need || s.OnFailure != nil || s.OnSuccess != nil || s.BeforeEntry != nil
		for _, a := range s.Actions {
			need = need || len(a.Commands) > 0 || a.ActionTypeID.Category == "Compute"
		}
	}
	return need
}

// secrets are the keys of action configurations that AWS shows as four stars.
func secrets() []string { return []string{"OAuthToken", "AuthorizationToken"} }

const mask = "****"

// masked is a copy without secrets.
func (d *declaration) masked() *declaration {
	c := d.clone()
	for i := range c.Stages {
		for j := range c.Stages[i].Actions {
			for _, key := range secrets() {
				if conf := c.Stages[i].Actions[j].Configuration; conf[key] != "" {
					conf[key] = mask
				}
			}
		}
	}
	return c
}

// keepSecrets puts the old secrets where the new version has the mask.
func (d *declaration) keepSecrets(old *declaration) {
	for i := range d.Stages {
		for j := range d.Stages[i].Actions {
			a := &d.Stages[i].Actions[j]
			was := old.action(d.Stages[i].Name, a.Name)
			for _, key := range secrets() {
				if was != nil && a.Configuration[key] == mask {
					a.Configuration[key] = was.Configuration[key]
				}
			}
		}
	}
}

func (d *declaration) clone() *declaration {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // a declaration came from JSON
	}
	var c declaration
	if err := json.Unmarshal(raw, &c); err != nil {
		panic(err)
	}
	return &c
}

// stage returns the index of a stage, -1 where it has none of this name.
func (d *declaration) stage(name string) int {
	for i := range d.Stages {
		if d.Stages[i].Name == name {
			return i
		}
	}
	return -1
}

func (d *declaration) action(stage, name string) *action {
	if i := d.stage(stage); i >= 0 {
		return d.Stages[i].action(name)
	}
	return nil
}

func (s *stage) action(name string) *action {
	for j := range s.Actions {
		if s.Actions[j].Name == name {
			return &s.Actions[j]
		}
	}
	return nil
}
