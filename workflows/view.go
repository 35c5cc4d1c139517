package workflows

import "time"

// PipelineView is a pipeline as it stands now.
type PipelineView struct {
	Name          string      `json:"name"`
	Version       int         `json:"version"`
	ManagedBy     string      `json:"managedBy"` // file|api|bridge
	File          string      `json:"file,omitempty"`
	ExecutionMode string      `json:"executionMode"`
	Archived      bool        `json:"archived,omitempty"`
	Definition    *Pipeline   `json:"definition,omitempty"`
	Stages        []StageView `json:"stages"`
	// Freezes are those to come and those that hold now; see scope.Frozen.
	Freezes []Freeze `json:"freezes,omitempty"`
	// Bridge is where the pipeline is and how it is seen, when it stays in AWS CodePipeline.
	Bridge *Bridge `json:"bridge,omitempty"`
	// Requests are what is asked of AWS, or was last, for a stage or the pipeline itself; those of an execution are on that.
	Requests []Request `json:"requests,omitempty"`
	// PollingDisabledAt: its branches are no longer looked at, because nothing had started for 30 days.
	PollingDisabledAt *time.Time `json:"pollingDisabledAt,omitempty"`
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
	Name            string           `json:"name"`
	Environment     string           `json:"environment,omitempty"`
	Status          Status           `json:"status"` // of the latest execution here
	LatestExecution *LatestIn        `json:"latestExecution,omitempty"`
	Running         *Running         `json:"running,omitempty"` // whose content runs in the stage
	Inbound         []string         `json:"inbound"`           // execution IDs
	Transition      Transition       `json:"transition"`
	Planned         *PlannedRollback `json:"planned,omitempty"`
	StatusText      string           `json:"statusText,omitempty"` // how it stands, in words; filled in by the API
	Offers          []Offer          `json:"offers"`
}

// LatestIn is the newest execution that entered a stage.
type LatestIn struct {
	Execution string `json:"execution"`
	Number    int    `json:"number"`
	Type      string `json:"type"`
	Status    Status `json:"status"`
}

// Running says whose content runs in a stage. After a rollback Execution is
// the target and By the ROLLBACK execution that put it there.
type Running struct {
	Execution string    `json:"execution"`
	Number    int       `json:"number"`
	Since     time.Time `json:"since"`
	Certain   bool      `json:"certain"` // false after a failed deploy, until something succeeds there
	By        string    `json:"by,omitempty"`
	// Without is what somebody's right set aside when it came here, as [StageExecution.Without].
	Without string `json:"without,omitempty"`
	// WatchedUntil is until when the alarms of the stage's rollback policy are
	// watched; nil: they are not, or no longer.
	WatchedUntil *time.Time `json:"watchedUntil,omitempty"`
	// Before is, while that is so, the execution whose content ran before.
	Before string `json:"before,omitempty"`
	// Alarm is what is known of them that is not well: with the code AlarmRang one of
	// them rang, with another one they cannot be looked at.
	Alarm *Reason `json:"alarm,omitempty"`
}

// Transition is the way into a stage; people call a disabled one locked.
type Transition struct {
	Enabled bool       `json:"enabled"`
	Cause   string     `json:"cause,omitempty"` // person|rollback|definition
	Reason  string     `json:"reason,omitempty"`
	By      *Principal `json:"by,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	Only    string     `json:"only,omitempty"` // the one execution that may enter all the same
	// PastFreeze: Only may pass a freeze of the stage too.
	PastFreeze bool `json:"pastFreeze,omitempty"`
}

// PlannedRollback is a rollback that waits until the stage is free: state, not memory.
type PlannedRollback struct {
	Stage      string    `json:"stage"`
	Target     string    `json:"target"`
	Definition string    `json:"definition"`
	Reason     string    `json:"reason,omitempty"`
	LockAfter  *bool     `json:"lock,omitempty"` // as Intent.LockAfter
	By         Principal `json:"by"`
	At         time.Time `json:"at"`
}
