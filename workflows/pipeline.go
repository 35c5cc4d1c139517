package workflows

import "time"

// Mode is a pipeline's execution mode: how executions meet at a stage that is taken.
type Mode string

// The execution modes of CodePipeline V2 (engine.md 4); the results of a
// condition and what may follow a failure; the kinds of conditions (engine.md 9).
const (
	ModeSuperseded Mode = "SUPERSEDED" // one slot before each stage, the newest arrival keeps it
	ModeQueued     Mode = "QUEUED"     // a line before each stage, first in first out
	ModeParallel   Mode = "PARALLEL"   // no stage locks

	ResultRollback = "ROLLBACK"
	ResultFail     = "FAIL"
	ResultRetry    = "RETRY"
	ResultSkip     = "SKIP"

	BeforeEntry = "beforeEntry"
	OnSuccess   = "onSuccess"
	AfterFailed = "onFailure"
)

// Pipeline is a definition: one version of what runs, who may and who hears.
// A Pipeline that has passed [spec.Check] is complete: every default is filled
// in, so readers never apply defaults of their own.
type Pipeline struct {
	Name          string     `json:"name"`
	ExecutionMode Mode       `json:"executionMode"`
	Channel       string     `json:"channel,omitempty"` // chat channel; empty: the service's default
	Owners        []string   `json:"owners,omitempty"`  // who-expressions, see [Principal]
	Ticket        *Ticket    `json:"ticket,omitempty"`
	Variables     []Variable `json:"variables,omitempty"`
	Triggers      []Trigger  `json:"triggers,omitempty"`
	Stages        []Stage    `json:"stages"`
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
}

// RollbackPolicy is the stage's `rollback` key, defaults filled in.
type RollbackPolicy struct {
	Hold     string `json:"hold"`     // always|manual|never: which rollbacks disable the transition into the stage
	Eligible string `json:"eligible"` // any|sameVersion
	Approval string `json:"approval"` // skipRecent|skip|require: approvals inside a rollback
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

// EnvironmentVar is one variable of a command's environment; its value may hold #{namespace.key}.
type EnvironmentVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
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
	Stages         []string `json:"stages,omitempty"` // empty: those with an environment
	CloseOnSuccess string   `json:"closeOnSuccess,omitempty"`
	ReopenWithin   string   `json:"reopenWithin,omitempty"` // Go duration
	LogTail        int      `json:"logTail"`                // lines; default 10
}

// Trigger starts the pipeline: a Git event with filters, or a schedule.
type Trigger struct {
	ProviderType string            `json:"providerType,omitempty"`
	Git          *GitConfiguration `json:"gitConfiguration,omitempty"`
	Schedule     *Schedule         `json:"schedule,omitempty"`
}

// GitConfiguration filters the events of one source action (engine.md 15.2). Filters of both lists are alternatives.
type GitConfiguration struct {
	SourceActionName string      `json:"sourceActionName"`
	Push             []GitFilter `json:"push,omitempty"`
	PullRequest      []GitFilter `json:"pullRequest,omitempty"`
}

// GitFilter matches when every field that is given matches.
type GitFilter struct {
	Events    []string  `json:"events,omitempty"` // pull requests: OPEN|UPDATED|CLOSED
	Branches  *Patterns `json:"branches,omitempty"`
	FilePaths *Patterns `json:"filePaths,omitempty"`
	Tags      *Patterns `json:"tags,omitempty"`
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
	On      Scope     `json:"on"`                // "pipeline", "pipeline/stage", with globs
	MayPass []string  `json:"mayPass,omitempty"` // who-expressions: who may let one execution through
}

// At says whether the freeze keeps executions out of a stage at a time.
func (f *Freeze) At(at time.Time, pipeline, stage string) bool {
	return !at.Before(f.From) && at.Before(f.To) && f.On.Covers(pipeline, stage)
}
