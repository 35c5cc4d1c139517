package workflows

import (
	"encoding/json"
	"time"
)

// Pipeline is a definition: one version of what runs, who may and who hears.
// A Pipeline that has passed [spec.Check] is complete: every default is filled
// in, so readers never apply defaults of their own.
type Pipeline struct {
	Name          string `json:"name"`
	ExecutionMode string `json:"executionMode"`
	Channel       string `json:"channel,omitempty"` // chat channel; empty: the service's default
	// LogTail is how many of the last lines of a failed action's log the channel is
	// shown: whoever set the channel chose who reads them. nil: 10, so that the
	// digest of a definition that was written before stays what it was.
	LogTail   *int       `json:"logTail,omitempty"`
	Owners    []string   `json:"owners,omitempty"` // who-expressions, see [Principal]
	Ticket    *Ticket    `json:"ticket,omitempty"`
	Jira      *Released  `json:"jira,omitempty"`
	Variables []Variable `json:"variables,omitempty"`
	Triggers  []Trigger  `json:"triggers,omitempty"`
	// RoleArn is the role that actions in AWS assume, where they name none of
	// their own; ArtifactStore, or a store for each Region, is where AWS finds
	// artifacts. Both mean nothing to actions that run here.
	RoleArn        string                   `json:"roleArn,omitempty"`
	ArtifactStore  *ArtifactStore           `json:"artifactStore,omitempty"`
	ArtifactStores map[string]ArtifactStore `json:"artifactStores,omitempty"` // by Region, in place of ArtifactStore
	// Bridge is where the pipeline is, when it stays in AWS CodePipeline; nil: it runs here.
	Bridge *Bridge `json:"bridge,omitempty"`
	// Protects is the environment of GitHub Actions that it decides for, as a
	// deployment protection rule there; without a repository none. Such a pipeline has
	// one stage with one approval, and each execution is a deployment that waits.
	Protects struct {
		Repository  string `json:"repository"`            // owner/name
		Environment string `json:"environment"`           // as GitHub calls it
		PastFreezes bool   `json:"pastFreezes,omitempty"` // freezes do not matter to it
	} `json:"protects,omitzero"`
	Stages []Stage `json:"stages"`
}

// ArtifactStore is a bucket for artifacts, in CodePipeline's terms.
type ArtifactStore struct {
	Location      string `json:"location,omitempty"`
	Type          string `json:"type"` // S3
	EncryptionKey *struct {
		ID   string `json:"id"`
		Type string `json:"type"` // KMS
	} `json:"encryptionKey,omitempty"`
}

// Stage returns the stage of that name.
func (p *Pipeline) Stage(name string) (*Stage, bool) {
	for i := range p.Stages {
		if p.Stages[i].Name == name {
			return &p.Stages[i], true
		}
	}
	return nil, false
}

// Stage is one step of a pipeline; at most one execution is inside it (except in PARALLEL mode).
type Stage struct {
	Name        string         `json:"name"`
	Environment string         `json:"environment,omitempty"` // e.g. "production": announced, tickets, deployments
	BeforeEntry *Condition     `json:"beforeEntry,omitempty"` // result FAIL|SKIP, engages when a rule fails
	Actions     []Action       `json:"actions"`
	OnSuccess   *Condition     `json:"onSuccess,omitempty"` // result ROLLBACK|FAIL, engages when a rule fails
	OnFailure   *OnFailure     `json:"onFailure,omitempty"`
	Rollback    RollbackPolicy `json:"rollback"`
	Announce    string         `json:"announce,omitempty"` // success|never; default success where Environment is set, else never
}

// Action returns the action of that name.
func (s *Stage) Action(name string) (*Action, bool) {
	for i := range s.Actions {
		if s.Actions[i].Name == name {
			return &s.Actions[i], true
		}
	}
	return nil, false
}

// OnFailure says what follows when the stage fails. Result is ROLLBACK, RETRY or empty (nothing).
// Its Condition, if any, decides first: when all of its rules succeed, its own result (ROLLBACK|RETRY) follows.
type OnFailure struct {
	Result    string     `json:"result,omitempty"`
	RetryMode string     `json:"retryMode,omitempty"` // FAILED_ACTIONS|ALL_ACTIONS, with RETRY
	Condition *Condition `json:"condition,omitempty"`
}

// Condition is a check around a stage: one to five rules, evaluated together, and what follows from them.
type Condition struct {
	Result string `json:"result"`
	Rules  []Rule `json:"rules"`
}

// Rule is one part of a condition. Its type's category is Rule.
type Rule struct {
	Name           string            `json:"name"`
	RuleType       ActionType        `json:"ruleTypeId"` // VariableCheck|DeploymentWindow|Commands, and those that need AWS
	Configuration  map[string]string `json:"configuration,omitempty"`
	Commands       []string          `json:"commands,omitempty"`
	InputArtifacts []string          `json:"inputArtifacts,omitempty"`
	TimeoutMinutes int               `json:"timeoutInMinutes,omitempty"` // 0: the provider's own limit
	Region         string            `json:"region,omitempty"`           // as in Action
	RoleArn        string            `json:"roleArn,omitempty"`          // as in Action
}

// RollbackPolicy is the stage's `rollback` key, defaults filled in.
type RollbackPolicy struct {
	Lock     string `json:"lock"`     // always|manual|never: which rollbacks lock the stage
	Eligible string `json:"eligible"` // any|sameVersion
	Approval string `json:"approval"` // skipRecent|skip|require: approvals inside a rollback
	// OnAlarm watches alarms of CloudWatch after an execution succeeded in the
	// stage, and goes back when one rings. Without alarms nothing is watched.
	OnAlarm struct {
		Alarms  []string `json:"alarms,omitempty"`  // their names
		For     string   `json:"for,omitempty"`     // Go duration, from the success on
		Region  string   `json:"region,omitempty"`  // as in Action
		RoleArn string   `json:"roleArn,omitempty"` // as in Action
	} `json:"onAlarm,omitzero"`
}

// Watches says for how long after a success the alarms of OnAlarm are watched; 0: not at all.
func (p *RollbackPolicy) Watches() time.Duration {
	d, err := time.ParseDuration(p.OnAlarm.For)
	if err != nil || len(p.OnAlarm.Alarms) == 0 {
		return 0 // the reader of files refuses a time that means nothing
	}
	return d
}

// ActionType names what carries out an action, in CodePipeline's terms.
type ActionType struct {
	Category string `json:"category"` // Source|Build|Test|Deploy|Approval|Invoke|Compute
	Owner    string `json:"owner"`    // AWS|ThirdParty|Custom|Rollcall
	Provider string `json:"provider"` // Git|GitHub|Commands|Manual|…
	Version  string `json:"version"`
}

// Action is one unit of work in a stage.
type Action struct {
	Name                 string            `json:"name"`
	ActionType           ActionType        `json:"actionTypeId"`
	RunOrder             int               `json:"runOrder"` // 1–999
	Namespace            string            `json:"namespace,omitempty"`
	Configuration        map[string]string `json:"configuration,omitempty"`
	InputArtifacts       []string          `json:"inputArtifacts,omitempty"`
	OutputArtifacts      []OutputArtifact  `json:"outputArtifacts,omitempty"`
	Commands             []string          `json:"commands,omitempty"`
	OutputVariables      []string          `json:"outputVariables,omitempty"`
	EnvironmentVariables []EnvironmentVar  `json:"environmentVariables,omitempty"`
	TimeoutMinutes       int               `json:"timeoutInMinutes,omitempty"` // 0: the provider's own limit
	Approval             *ApprovalPolicy   `json:"approval,omitempty"`         // only with provider Manual; never nil there
	Restartable          bool              `json:"restartable"`                // may start again by itself when its outcome is unknown
	// Region and RoleArn say where and as whom an action in AWS works; empty: in
	// the pipeline's own Region, as the pipeline's role.
	Region  string `json:"region,omitempty"`
	RoleArn string `json:"roleArn,omitempty"`
}

// IsSource says whether the action belongs to the source stage.
func (a *Action) IsSource() bool { return a.ActionType.Category == "Source" }

// IsApproval says whether the action waits for people.
func (a *Action) IsApproval() bool { return a.ActionType.Provider == "Manual" }

// OutputArtifact names what an action leaves behind. Files are globs relative
// to the action's folder; none means the whole folder.
type OutputArtifact struct {
	Name  string   `json:"name"`
	Files []string `json:"files,omitempty"`
}

// EnvironmentVar is one variable of an action's environment; its value may hold #{namespace.key}.
type EnvironmentVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Type says what Value is: empty or PLAINTEXT the value itself, else the name
	// of a secret that the runner fetches: PARAMETER_STORE|SECRETS_MANAGER. What is
	// fetched is in no log and no row.
	Type string `json:"type,omitempty"`
}

// Plain says whether the value is in the definition, and need not be fetched.
func (v *EnvironmentVar) Plain() bool { return v.Type == "" || v.Type == "PLAINTEXT" }

// InJira says how an approval is answered in Jira; nil: it is not.
func (a *Action) InJira() *JiraApproval {
	if a.Approval == nil {
		return nil
	}
	return a.Approval.Jira
}

// ApprovalPolicy says who may answer a gate and how many must.
type ApprovalPolicy struct {
	From                []string       `json:"from,omitempty"` // who-expressions; empty: whoever may `approve` here
	Ask                 []string       `json:"ask,omitempty"`  // who is mentioned; default From
	Required            int            `json:"required"`       // different people
	AtLeast             map[string]int `json:"atLeast,omitempty"`
	RequesterMayApprove bool           `json:"requesterMayApprove"`
	Comment             string         `json:"comment"`            // optional|required
	RemindAt            []string       `json:"remindAt,omitempty"` // percentages of the time limit, "50%"
	Jira                *JiraApproval  `json:"jira,omitempty"`     // nil: nobody answers in Jira
}

// JiraApproval says how people answer a gate in Jira, beside everywhere else.
type JiraApproval struct {
	Issue          string `json:"issue,omitempty"` // that is watched: a key, may hold variables; empty: one is opened
	Status         string `json:"status"`          // who moves the issue there approves
	RejectedStatus string `json:"rejectedStatus"`  // who moves it there rejects
	// Change: the issue is a change request of Jira Service Management, and what is
	// decided about it there is one answer.
	Change bool `json:"change,omitempty"`
}

// Note is the name of the execution's note about a gate that is answered so: where, or why it cannot be.
func (*JiraApproval) Note(stage, action string) string { return approvalNote + stage + "/" + action }

const approvalNote = "approval/"

// Principal answers for a change request that was decided by people whom nobody
// here knows. It counts where Change is set, and nowhere else.
func (*JiraApproval) Principal(issue string) Principal {
	return Principal{ID: changeRequest, Name: "change request " + issue, Via: "jira"}
}

// Variable is a pipeline variable. Without a DefaultValue a start must give one.
type Variable struct {
	Name         string  `json:"name"`
	DefaultValue *string `json:"defaultValue,omitempty"`
	Description  string  `json:"description,omitempty"`
	Pattern      string  `json:"pattern,omitempty"` // RE2, must match the whole value
}

// Ticket says where a failure's ticket goes. Empty fields take the service's Jira settings.
type Ticket struct {
	Project        string   `json:"project,omitempty"`
	IssueType      string   `json:"issueType,omitempty"`
	Labels         []string `json:"labels,omitempty"`
	Components     []string `json:"components,omitempty"` // names
	Priority       string   `json:"priority,omitempty"`   // name
	Stages         []string `json:"stages,omitempty"`     // empty: those with an environment
	CloseOnSuccess string   `json:"closeOnSuccess,omitempty"`
	ReopenWithin   string   `json:"reopenWithin,omitempty"` // Go duration
	LogTail        int      `json:"logTail"`                // lines; default 10
	MaxPerHour     int      `json:"maxPerHour,omitempty"`   // new tickets an hour; 0: 10
	// Fields are more fields of new tickets by their ID, or by their name as Jira
	// shows it: a text or a number, which takes the form that the field has there,
	// or Jira's own form of a value.
	Fields map[string]json.RawMessage `json:"fields,omitempty"`
}

// Trigger starts the pipeline: a Git event with filters, a schedule, an event of EventBridge, or one of GitHub.
type Trigger struct {
	ProviderType string            `json:"providerType,omitempty"`
	Git          *GitConfiguration `json:"gitConfiguration,omitempty"`
	Schedule     *Schedule         `json:"schedule,omitempty"`
	// Event is a pattern of EventBridge (package document reads it), its keys sorted.
	Event json.RawMessage `json:"event,omitempty"`
	// Variables are those of a start by an event: a text, or a path of the event.
	Variables map[string]string `json:"variables,omitempty"`

	// Events of GitHub about the repository of one source action; at most one of them.
	SourceActionName string     `json:"sourceActionName,omitempty"`
	Release          *GitFilter `json:"release,omitempty"`
	WorkflowRun      *GitFilter `json:"workflowRun,omitempty"`
	Deployment       *GitFilter `json:"deployment,omitempty"`
	MergeGroup       *GitFilter `json:"mergeGroup,omitempty"`
}

// GitConfiguration filters the events of one source action (docs/pipelines.md#git). Filters of both lists are alternatives.
type GitConfiguration struct {
	SourceActionName string      `json:"sourceActionName"`
	Push             []GitFilter `json:"push,omitempty"`
	PullRequest      []GitFilter `json:"pullRequest,omitempty"`
}

// GitFilter matches when every field that is given matches.
type GitFilter struct {
	Events    []string  `json:"events,omitempty"` // pull requests: OPEN|UPDATED|CLOSED; workflow run: what started it
	Branches  *Patterns `json:"branches,omitempty"`
	FilePaths *Patterns `json:"filePaths,omitempty"`
	Tags      *Patterns `json:"tags,omitempty"`

	// Of events of GitHub alone (docs/pipelines.md#release and below).
	Prerelease   *bool     `json:"prerelease,omitempty"`   // release; nil: both
	Workflows    *Patterns `json:"workflows,omitempty"`    // workflow run: name, or path of the file
	Conclusions  []string  `json:"conclusions,omitempty"`  // workflow run; empty: success
	Environments *Patterns `json:"environments,omitempty"` // deployment
	Refs         *Patterns `json:"refs,omitempty"`         // deployment: branch, tag or commit as it was named
}

// Patterns matches what some include matches (or anything, without includes) and no exclude does.
type Patterns struct {
	Includes []string `json:"includes,omitempty"`
	Excludes []string `json:"excludes,omitempty"`
}

// Schedule starts the pipeline by the clock, in a named time zone (package clock says how).
type Schedule struct {
	Cron     string `json:"cron"`
	Timezone string `json:"timezone"`
}

// Freeze keeps standard executions out of stages for a while; rollbacks pass.
// It comes from the service's configuration and covers every pipeline it names.
type Freeze struct {
	Name    string    `json:"name"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`                // the first moment that is free again
	On      []string  `json:"on"`                // "pipeline", "pipeline/stage", with globs
	MayPass []string  `json:"mayPass,omitempty"` // who-expressions: who may let one execution through
}
