package workflows

// Verb is something that can be asked for; the same word in command, API, event, button and rule.
type Verb string

// The verbs. View, Logs, Audit and StartAnyRevision are rights only; [Verb.Right] says which right
// another one needs.
const (
	View           Verb = "view"
	Logs           Verb = "logs"
	Start          Verb = "start"
	StopExecution  Verb = "stop"
	Retry          Verb = "retry"
	Approve        Verb = "approve"
	Reject         Verb = "reject"
	RollBack       Verb = "rollback"
	Override       Verb = "override"
	Lock           Verb = "lock"
	Unlock         Verb = "unlock"
	Resolve        Verb = "resolve"
	Edit           Verb = "edit"
	Audit          Verb = "audit"
	Archive        Verb = "archive"
	Annotate       Verb = "annotate"        // the engine's followers only: sets Intent.Note on an execution, ended ones too
	ReplaceFreezes Verb = "replace-freezes" // the engine only: Intent.Freezes are those of the configuration that name the pipeline
	// StartAnyRevision is a right only: to start with a revision that is not on the source action's branch.
	StartAnyRevision Verb = "start-any-revision"
)

// Right is the verb a rule must allow for this one: reject needs approve, archive needs edit, the rest themselves.
func (v Verb) Right() Verb {
	switch v {
	case Reject:
		return Approve
	case Archive:
		return Edit
	}
	return v
}

// UnmarshalText reads a verb; disable and enable, CodePipeline's names, are lock and unlock.
func (v *Verb) UnmarshalText(text []byte) error {
	switch *v = Verb(text); *v {
	case "disable":
		*v = Lock
	case "enable":
		*v = Unlock
	}
	return nil
}

// Intent is what somebody asks for. Which fields matter depends on the verb;
// the others are empty. It enters through runtime.Engine.Submit and nowhere else.
type Intent struct {
	Verb      Verb   `json:"verb"`
	Pipeline  string `json:"pipeline,omitempty"`  // always set once submitted
	Execution string `json:"execution,omitempty"` // ID: stop retry approve reject resolve override; unlock: only this one
	Stage     string `json:"stage,omitempty"`
	Action    string `json:"action,omitempty"` // approve reject resolve; empty: the only candidate
	Token     string `json:"token,omitempty"`  // client request token: the same token gets the first result, 24 h
	Reason    string `json:"reason,omitempty"` // or comment
	// IfCurrent is what the principal saw: of a rollback the execution that runs
	// in the stage, of an edit the current version, of a stop the execution that is next
	// behind one that only waits for people, whose gates then fall. Changed when it is no longer so; empty: whatever is.
	IfCurrent string `json:"ifCurrent,omitempty"`

	// start
	Variables map[string]string  `json:"variables,omitempty"`
	Revisions []RevisionOverride `json:"sourceRevisions,omitempty"`
	Trigger   *StartedBy         `json:"trigger,omitempty"` // set by sources, also of a stop that happened outside: its Type is then the code of the reason; nil: the principal asked
	Change    []SourceRevision   `json:"change,omitempty"`  // what the trigger already knows of its revision

	Gate string `json:"gate,omitempty"` // approve, reject: the gate's token; empty: the only open gate of Execution

	// rollback
	Target       string `json:"target,omitempty"`       // execution ID
	Definition   string `json:"definition,omitempty"`   // original (default)|current
	WhileRunning string `json:"whileRunning,omitempty"` // empty: refuse | stop: stop it and roll back | wait: roll back when it ends
	LockAfter    *bool  `json:"lock,omitempty"`         // lock the stage afterwards, or not; nil: as the stage's rollback.lock says

	Abandon bool   `json:"abandon,omitempty"` // stop
	All     bool   `json:"all,omitempty"`     // retry: ALL_ACTIONS
	As      string `json:"as,omitempty"`      // resolve: succeeded|failed|again

	Condition string `json:"condition,omitempty"` // override: BEFORE_ENTRY|ON_SUCCESS|APPROVAL; empty: what stands in the way
	// AnyRevision says that the principal has the right start-any-revision; set by the engine, whatever a surface says.
	AnyRevision bool     `json:"anyRevision,omitempty"`
	Freezes     []Freeze `json:"freezes,omitempty"`

	Note *Note `json:"note,omitempty"` // annotate

	// edit
	NewDefinition *Pipeline `json:"define,omitempty"`
	ManagedBy     string    `json:"managedBy,omitempty"` // "api", "file:PATH", or "bridge:NAME"
	// Version is the number that a bridge's definition has in AWS; 0: the next one here.
	Version int `json:"version,omitempty"`
}

// RevisionOverride asks for a certain revision of a source action.
type RevisionOverride struct {
	ActionName    string `json:"actionName"`
	RevisionType  string `json:"revisionType"` // COMMIT_ID|IMAGE_DIGEST|S3_OBJECT_VERSION_ID|S3_OBJECT_KEY; empty: the one that the action's provider has
	RevisionValue string `json:"revisionValue"`
}

// Offer is something that can be done now: made by dry-running the decision, never by a rule of its own.
type Offer struct {
	Verb   Verb   `json:"verb"`
	Stage  string `json:"stage,omitempty"`
	Action string `json:"action,omitempty"`
	Target string `json:"target,omitempty"` // rollback: the preselected target; unlock: the execution that alone would enter
}
