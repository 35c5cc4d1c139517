package workflows

import "time"

// PipelineView is a pipeline as it stands now.
type PipelineView struct {
	Name          string      `json:"name"`
	Version       int         `json:"version"`
	ManagedBy     string      `json:"managedBy"` // file|api
	File          string      `json:"file,omitempty"`
	ExecutionMode Mode        `json:"executionMode"`
	Archived      bool        `json:"archived,omitempty"`
	Definition    *Pipeline   `json:"definition,omitempty"`
	Stages        []StageView `json:"stages"`
	// Freezes are those to come and those that hold now; see [Freeze.At].
	Freezes []Freeze `json:"freezes,omitempty"`
	// PollingDisabledAt: its branches are no longer looked at, because nothing had started for 30 days.
	PollingDisabledAt *time.Time `json:"pollingDisabledAt,omitempty"`
}

// PipelineVersion is a definition's version: when, by whom and from where it
// was put in force, and which gates asked for less from then on.
type PipelineVersion struct {
	Version   int        `json:"version"`
	At        time.Time  `json:"at"`
	By        Principal  `json:"by"`
	ManagedBy string     `json:"managedBy"` // file|api
	File      string     `json:"file,omitempty"`
	Digest    string     `json:"digest"` // Pipeline.Digest: equal content, equal digest
	Weakened  []Weakened `json:"weakened,omitempty"`
}

// Stage returns the view of the stage of that name.
func (v *PipelineView) Stage(name string) (*StageView, bool) {
	for i := range v.Stages {
		if v.Stages[i].Name == name {
			return &v.Stages[i], true
		}
	}
	return nil, false
}

// StageView is a stage as it stands now.
type StageView struct {
	Name            string         `json:"name"`
	Environment     string         `json:"environment,omitempty"`
	Status          Status         `json:"status"` // of the latest execution here
	LatestExecution *LatestIn      `json:"latestExecution,omitempty"`
	Running         *Running       `json:"running,omitempty"` // whose content runs in the stage
	Inbound         []string       `json:"inbound"`           // execution IDs
	Transition      Transition     `json:"transition"`
	Planned         *PlannedReturn `json:"planned,omitempty"`
	Offers          []Offer        `json:"offers"`
}

// LatestIn is the newest execution that entered a stage.
type LatestIn struct {
	Execution string        `json:"execution"`
	Number    int           `json:"number"`
	Type      ExecutionType `json:"type"`
	Status    Status        `json:"status"`
}

// Running says whose content runs in a stage. After a rollback Execution is
// the target and By the ROLLBACK execution that put it there.
type Running struct {
	Execution string    `json:"execution"`
	Number    int       `json:"number"`
	Since     time.Time `json:"since"`
	Certain   bool      `json:"certain"` // false after a failed deploy, until something succeeds there
	By        string    `json:"by,omitempty"`
}

// Transition is the door into a stage.
type Transition struct {
	Enabled bool       `json:"enabled"`
	Cause   string     `json:"cause,omitempty"` // person|rollback (a hold)|definition
	Reason  string     `json:"reason,omitempty"`
	By      *Principal `json:"by,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	Only    string     `json:"only,omitempty"` // the one execution that may pass a disabled door
	// PastFreeze: Only may pass a freeze of the stage too.
	PastFreeze bool `json:"pastFreeze,omitempty"`
}

// PlannedReturn is a rollback that waits until the stage is free: state, not memory.
type PlannedReturn struct {
	Stage      string    `json:"stage"`
	Target     string    `json:"target"`
	Definition string    `json:"definition"`
	Reason     string    `json:"reason,omitempty"`
	By         Principal `json:"by"`
	At         time.Time `json:"at"`
}

// Target is an execution that a stage could be rolled back to, or why not.
type Target struct {
	Execution       string           `json:"execution"`
	Number          int              `json:"number"`
	Eligible        bool             `json:"eligible"`
	Why             string           `json:"why,omitempty"` // why not
	StageChanged    bool             `json:"stageChanged"`  // what the stage runs differs from today's definition
	Ran             []Span           `json:"ran"`           // newest first
	LeftBy          string           `json:"leftBy,omitempty"`
	Now             bool             `json:"now,omitempty"` // runs there now
	Preselected     bool             `json:"preselected,omitempty"`
	SourceRevisions []SourceRevision `json:"sourceRevisions"`
}

// Span is a stretch of time in which an execution's content ran in a stage; To is nil while it does.
type Span struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// ExecutionQuery selects executions of a pipeline, newest first.
type ExecutionQuery struct {
	Pipeline         string
	Limit            int // 0: 20; at most 100
	Before           int // only numbers below; 0: from the newest
	Status           Status
	SucceededInStage string
}

// OpenApproval is a gate that waits, with what an approver needs to know.
type OpenApproval struct {
	Pipeline        string           `json:"pipeline"`
	Execution       string           `json:"execution"`
	Number          int              `json:"number"`
	Stage           string           `json:"stage"`
	Action          string           `json:"action"`
	Approval        Approval         `json:"approval"`
	SourceRevisions []SourceRevision `json:"sourceRevisions"`
	StartedBy       StartedBy        `json:"trigger"`
}
