package workflows

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Status is the status of an execution, a stage or an action, in CodePipeline's words.
type Status string

// The words of an execution: statuses, where the comments say which level uses
// which, and NotStarted is ours, for what an execution still has to do; what tells
// a run through the pipeline from a rollback of one stage (Execution.Type); what
// began it (StartedBy.Type), in CodePipeline's words where one exists; what it
// waits for while inbound (Wait.For); what an action needs from a person
// (ActionExecution.Needs); how a request stands (Request.State); how an answer came
// that was given past rollcall (Vote.Via). And those of a definition: the execution
// modes of CodePipeline V2 (how executions meet at a stage that is taken); the results
// of a condition and what may follow a failure; the kinds of conditions; what a bridge
// does (Bridge.Mode), and what it does about answers that were given past rollcall (Bridge.Outside).
const (
	StatusNotStarted Status = "NotStarted" // stage, action
	StatusInProgress Status = "InProgress"
	StatusStopping   Status = "Stopping"
	StatusStopped    Status = "Stopped"
	StatusSucceeded  Status = "Succeeded"
	StatusSuperseded Status = "Superseded" // execution
	StatusFailed     Status = "Failed"
	StatusCancelled  Status = "Cancelled"
	StatusAbandoned  Status = "Abandoned"  // action
	StatusSkipped    Status = "Skipped"    // stage; approval inside a rollback
	StatusErrored    Status = "Errored"    // condition: a rule could not be evaluated; counts as failed
	StatusOverridden Status = "Overridden" // condition: somebody with that right set it aside

	TypeStandard = "STANDARD"
	TypeRollback = "ROLLBACK"

	TriggerStart     = "StartPipelineExecution" // a person or a token
	TriggerPoll      = "PollForSourceChanges"
	TriggerWebhook   = "Webhook"
	TriggerProtected = "DeploymentProtectionRule" // GitHub Actions asks whether a deployment may go on
	TriggerSchedule  = "Schedule"
	TriggerRollback  = "ManualRollback"
	TriggerAutomated = "AutomatedRollback"

	WaitsForStage      = "stage"      // somebody is inside, or waits in front of it
	WaitsForTransition = "transition" // the transition is disabled
	WaitsForFreeze     = "freeze"     // a freeze covers the stage

	NeedsApproval = "approval" // its gate is open
	NeedsResolve  = "resolve"  // in doubt: nobody can know whether it ran; say succeeded, failed or again

	RequestOpen    = "open"
	RequestDone    = "done"
	RequestRefused = "refused"

	ViaOutside = "outside"

	ModeSuperseded = "SUPERSEDED" // one slot before each stage, the newest arrival keeps it
	ModeQueued     = "QUEUED"     // a line before each stage, first in first out
	ModeParallel   = "PARALLEL"   // no stage locks

	ResultRollback = "ROLLBACK"
	ResultFail     = "FAIL"
	ResultRetry    = "RETRY"
	ResultSkip     = "SKIP"

	BeforeEntry = "beforeEntry"
	OnSuccess   = "onSuccess"
	AfterFailed = "onFailure"

	BridgeWatches = "watch"
	BridgeActs    = "act"
	OutsideTell   = "tell"
	OutsideLock   = "lock"
)

// Final says whether an execution of this status has ended. Failed and Stopped ones may be taken up again by a retry.
func (s Status) Final() bool {
	switch s {
	case StatusStopped, StatusSucceeded, StatusSuperseded, StatusFailed, StatusCancelled:
		return true
	}
	return false
}

// Execution is one run of a pipeline, whole: as the API shows it and as the store keeps it.
type Execution struct {
	ID              string                       `json:"id"` // lower-case UUID, time-ordered
	Number          int                          `json:"number"`
	Pipeline        string                       `json:"pipeline"`
	Version         int                          `json:"version"`
	Mode            string                       `json:"executionMode,omitempty"` // of its version; empty: SUPERSEDED
	Type            string                       `json:"type"`                    // STANDARD|ROLLBACK
	Status          Status                       `json:"status"`
	StatusReason    *Reason                      `json:"statusReason,omitempty"`
	Trigger         StartedBy                    `json:"trigger"`
	SourceRevisions []SourceRevision             `json:"sourceRevisions"`
	Variables       map[string]string            `json:"variables"`
	Rollback        *Rollback                    `json:"rollback,omitempty"`
	WaitsFor        *Wait                        `json:"waitsFor,omitempty"` // set while inbound at a stage
	Stop            *Stop                        `json:"stop,omitempty"`
	StartedAt       time.Time                    `json:"startedAt"`
	UpdatedAt       time.Time                    `json:"updatedAt"`
	EndedAt         *time.Time                   `json:"endedAt,omitempty"`
	Attempt         int                          `json:"attempt"` // 1, and one more with every retry of a stage
	Stages          []StageExecution             `json:"stages"`  // what it has to do: of a rollback only its stage
	Artifacts       map[string]Artifact          `json:"artifacts,omitempty"`
	Outputs         map[string]map[string]string `json:"outputs,omitempty"` // namespace -> key -> value
	// ExternalID is its ID where it runs, when that is not here; Requests are what was asked for it there.
	ExternalID string    `json:"externalId,omitempty"`
	Requests   []Request `json:"requests,omitempty"`
	Orphans    []string  `json:"orphans,omitempty"` // outside work that could not be cancelled: task IDs
	Notes      []Note    `json:"notes,omitempty"`   // what the outside made of it: the ticket, the commit status
	Offers     []Offer   `json:"offers"`            // what the viewer may do now; filled in when read
	// StatusText is how it stands, in words: "blocked: Production is locked"; filled in by the API.
	StatusText string `json:"statusText,omitempty"`
	// Undelivered says why people were not shown in chat what it asks of them, and what mends that; filled in when read.
	Undelivered string `json:"undelivered,omitempty"`
}

// Ref is the name people read: "webshop#42".
func (e *Execution) Ref() string { return e.Pipeline + "#" + strconv.Itoa(e.Number) }

// Stage returns the execution's stage of that name.
func (e *Execution) Stage(name string) (*StageExecution, bool) {
	for i := range e.Stages {
		if e.Stages[i].Name == name {
			return &e.Stages[i], true
		}
	}
	return nil, false
}

// Reason says in a code and a sentence why a status is what it is. Codes:
// ActionFailed, ActionTimedOut, NotApproved, ApprovalExpired, Superseded, Stopped,
// Cancelled, ArtifactMissing, ArtifactNotStored, ConfigurationInvalid,
// ConditionFailed; of an action in progress: Retrying; of what a stage runs: AlarmRang.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Finding is what is known beyond the message; nil: nothing is.
	Finding *Finding `json:"finding,omitempty"`
}

// StartedBy says what began an execution. By is who asked: for a push the
// pusher as the webhook names them (their ID has the prefix "github:" or
// "git:", which gives no rights).
type StartedBy struct {
	Type   string    `json:"type"`
	Detail string    `json:"detail,omitempty"`
	By     Principal `json:"by"`
	// Execution is the ID of the execution whose action started this one (Invoke/CodePipeline).
	Execution string `json:"execution,omitempty"`
}

// SourceRevision is what a source action brought in.
type SourceRevision struct {
	ActionName      string  `json:"actionName"`
	RevisionID      string  `json:"revisionId"`
	RevisionSummary string  `json:"revisionSummary,omitempty"` // first line of the commit text
	RevisionURL     string  `json:"revisionUrl,omitempty"`
	Branch          string  `json:"branch,omitempty"`
	Repository      string  `json:"repository,omitempty"` // owner/name, or the URL
	Author          *Author `json:"author,omitempty"`
	// Authors wrote the other commits that the change brought along: none of
	// them may approve what is in it either.
	Authors []Author `json:"authors,omitempty"`
	// AnyBranch lets it come from elsewhere than the action's branch: a trigger
	// named it, or somebody with the right start-any-revision.
	AnyBranch bool `json:"anyBranch,omitempty"`
	// Tag is the tag or release that brought it in; it may have moved since.
	Tag string `json:"tag,omitempty"`
	// Type is what RevisionID is, when it is no commit: IMAGE_DIGEST,
	// S3_OBJECT_VERSION_ID, S3_OBJECT_KEY.
	Type string `json:"type,omitempty"`
	// ObjectKey is the object that was asked for instead of the one the S3 action
	// follows; where no version was asked for, RevisionID is the key as well.
	ObjectKey string `json:"objectKey,omitempty"`
}

// Author is who wrote a revision, as the repository says: it may exclude (self-approval), never allow.
type Author struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Login string `json:"login,omitempty"`
}

// Rollback is what a ROLLBACK execution knows beyond a standard one.
type Rollback struct {
	Target          string `json:"target"`       // execution ID whose content runs
	TargetNumber    int    `json:"targetNumber"` //
	FailedExecution string `json:"failedExecution,omitempty"`
	LeftExecution   string `json:"leftExecution,omitempty"` // whose content ran in the stage before
	Definition      string `json:"definition"`              // original|current
	Reason          string `json:"reason,omitempty"`
	SkipApprovals   bool   `json:"skipApprovals,omitempty"`
	Alarm           string `json:"alarm,omitempty"` // automatic, after a success: the name of the alarm that rang
}

// Note is what became of an execution outside, as people should see it on
// every surface: its ticket, or why there is none yet. One per Name.
type Note struct {
	Name  string `json:"name"`  // ticket|status|…
	State string `json:"state"` // done|waiting|refused
	Text  string `json:"text"`  // "OPS-12", "Jira is away, trying again", what Jira wants
	URL   string `json:"url,omitempty"`
	// Detail are further lines, for where there is room: the first commits of what it brings.
	Detail string `json:"detail,omitempty"`
}

// Note replaces the execution's note of that name, or adds it.
func (e *Execution) Note(n Note) {
	e.Notes = append([]Note(nil), e.Notes...)
	for i := range e.Notes {
		if e.Notes[i].Name == n.Name {
			e.Notes[i] = n
			return
		}
	}
	e.Notes = append(e.Notes, n)
}

// Wait says where an inbound execution waits and for what.
type Wait struct {
	Stage  string    `json:"stage"`
	For    string    `json:"for"`
	Since  time.Time `json:"since"`
	Freeze string    `json:"freeze,omitempty"` // its name
	// Warning says that it contains, or comes after, a revision that people
	// rolled this stage back from.
	Warning string `json:"warning,omitempty"`
}

// Overridden says that somebody with the right override set a check aside, and why.
type Overridden struct {
	By      Principal `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Without string    `json:"without,omitempty"` // gate: what was missing, "1 of 2 approvals"
}

// Stop is a stop that was asked for.
type Stop struct {
	Abandon bool      `json:"abandon"`
	Reason  string    `json:"reason,omitempty"`
	By      Principal `json:"by"`
	At      time.Time `json:"at"`
	Cancel  bool      `json:"cancel,omitempty"` // an edit of the stages asked for it: it ends Cancelled, not Stopped
	// Code is that of the reason when it ended outside, by By; Reason is then the
	// whole sentence. Empty: somebody stopped it here.
	Code string `json:"code,omitempty"`
}

// StageExecution is an execution in one stage.
type StageExecution struct {
	Name    string            `json:"name"`
	Status  Status            `json:"status"`
	Since   *time.Time        `json:"since,omitempty"` // entered, or took its last status
	Attempt int               `json:"attempt,omitempty"`
	Digest  string            `json:"digest,omitempty"` // Stage.Digest of what was entered: says later whether the stage has changed since
	From    string            `json:"from,omitempty"`   // execution whose content ran here when this one entered; empty: none
	Actions []ActionExecution `json:"actions"`
	// Conditions are those that were evaluated, one per kind, the latest time each.
	Conditions []ConditionExecution `json:"conditions,omitempty"`
	Retries    *Retries             `json:"retryStageMetadata,omitempty"`
	StatusText string               `json:"statusText,omitempty"` // as of [Execution]
}

// Action returns the stage's action of that name, or, for "beforeEntry:NAME"
// and the like, the rule of a condition.
func (s *StageExecution) Action(name string) (*ActionExecution, bool) {
	in := s.Actions
	if kind, _, rule := strings.Cut(name, ":"); rule {
		c := s.Condition(kind)
		if c == nil {
			return nil, false
		}
		in = c.Rules
	}
	for i := range in {
		if in[i].Name == name {
			return &in[i], true
		}
	}
	return nil, false
}

// AllActions returns the actions of the stage and the rules of its conditions,
// which are named "beforeEntry:NAME" and so on, in the order in which they run.
// They are only to be read.
func (s *StageExecution) AllActions() []ActionExecution {
	if len(s.Conditions) == 0 {
		return slices.Clip(s.Actions)
	}
	var before, after []ActionExecution
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Kind == BeforeEntry {
			before = append(before, c.Rules...)
		} else {
			after = append(after, c.Rules...)
		}
	}
	return slices.Concat(before, s.Actions, after)
}

// Condition returns the condition of that kind; nil when it was not evaluated.
func (s *StageExecution) Condition(kind string) *ConditionExecution {
	for i := range s.Conditions {
		if s.Conditions[i].Kind == kind {
			return &s.Conditions[i]
		}
	}
	return nil
}

// Retries counts how often a stage of an execution was taken up again.
type Retries struct {
	Automatic int    `json:"autoStageRetryAttempt,omitempty"`
	Manual    int    `json:"manualStageRetryAttempt,omitempty"`
	Latest    string `json:"latestRetryTrigger"` // AutomatedStageRetry|ManualStageRetry
}

// ConditionExecution is a condition of a stage as it was evaluated. Its rules
// are named "beforeEntry:NAME" and so on, and are in every way like actions.
type ConditionExecution struct {
	Kind     string            `json:"kind"`   // beforeEntry|onSuccess|onFailure
	Result   string            `json:"result"` // what it leads to when it engages
	Status   Status            `json:"status"` // InProgress|Succeeded|Failed|Errored|Overridden|Abandoned
	Reason   *Reason           `json:"reason,omitempty"`
	Override *Overridden       `json:"override,omitempty"`
	Rules    []ActionExecution `json:"rules"`
}

// ActionExecution is the latest attempt of an action in an execution.
type ActionExecution struct {
	Name            string            `json:"name"`
	RunOrder        int               `json:"runOrder"`
	Provider        string            `json:"provider"`
	Status          Status            `json:"status"`
	Needs           string            `json:"needs,omitempty"`
	Attempt         int               `json:"attempt"` // from 1; 0 before the first
	StartedAt       *time.Time        `json:"startedAt,omitempty"`
	EndedAt         *time.Time        `json:"endedAt,omitempty"`
	Deadline        *time.Time        `json:"deadline,omitempty"`
	Summary         string            `json:"summary,omitempty"`
	Handle          string            `json:"handle,omitempty"` // the runner's, opaque; saved before the first poll
	ExternalID      string            `json:"externalId,omitempty"`
	ExternalURL     string            `json:"externalUrl,omitempty"`
	Error           *Reason           `json:"error,omitempty"`
	OutputVariables map[string]string `json:"outputVariables,omitempty"`
	Approval        *Approval         `json:"approval,omitempty"`
	Cancelling      bool              `json:"cancelling,omitempty"` // a cancel was sent and is not confirmed
	// Host is where the attempt's run folder is; empty: anywhere, or it is not known.
	Host string `json:"host,omitempty"`
	// Restarts counts how often it was started again by itself, over all
	// attempts, because nobody could know what became of it.
	Restarts int `json:"restarts,omitempty"`
	// After is the time before which such a restart does not begin.
	After *time.Time `json:"after,omitempty"`
}

// Approval is a gate: what it asked, what was answered, what is missing.
type Approval struct {
	Token     string    `json:"token"` // names the gate, gives no right
	Required  int       `json:"required"`
	From      []string  `json:"from,omitempty"`
	Ask       []string  `json:"ask,omitempty"`
	Comment   string    `json:"comment"` // optional|required
	Text      string    `json:"text,omitempty"`
	Link      string    `json:"link,omitempty"`
	Votes     []Vote    `json:"votes"`
	Missing   []string  `json:"missing"`           // in words: "1 more approval", "1 of group:security"
	Dropped   []string  `json:"dropped,omitempty"` // in words: whose votes count no more, and why
	OpenedAt  time.Time `json:"openedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	Reminded  []string  `json:"reminded,omitempty"` // reminders that were due already, "50%"
	Closed    string    `json:"closed,omitempty"`   // empty while open: approved|overridden|rejected|expired|withdrawn
	// Override: it was opened by somebody's right, without the answers it asked for.
	Override *Overridden `json:"override,omitempty"`
	// Warning as in [Wait].
	Warning string `json:"warning,omitempty"`
	// NotificationArn is the action's, resolved: where a message about the gate goes.
	NotificationArn string `json:"notificationArn,omitempty"`
	// Jira: it can be answered in Jira too; the issue is as resolved when the gate opened.
	Jira *JiraApproval `json:"jira,omitempty"`
}

// Approvals counts the answers "approve".
func (a *Approval) Approvals() int {
	n := 0
	for _, v := range a.Votes {
		if v.Answer == "approve" {
			n++
		}
	}
	return n
}

// Vote is one person's answer at a gate.
type Vote struct {
	By      Principal `json:"by"`
	Answer  string    `json:"answer"` // approve|reject
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
	Via     string    `json:"via"`
	In      []string  `json:"in,omitempty"` // the who-expressions this person matched when voting: facts, with their time At
	// Judged is what an approval was judged about beyond the revisions, where it
	// matters who made it: "acme/webshop 1111111..2222222: 3 commits".
	Judged []string `json:"judged,omitempty"`
}

// Artifact is stored content, named by what it is: the digest is the address.
type Artifact struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // lower-case hex SHA-256 of the stored bytes
	Size   int64  `json:"size"`   // bytes
	// At is where it is kept besides a data folder, "s3://bucket/key?versionId=…";
	// empty: only there. What it is, a tar.gz or a zip, its first bytes say.
	At string `json:"at,omitempty"`
}

// Place is where it is kept besides a data folder, whatever its version: "s3://bucket/key".
func (a Artifact) Place() string {
	place, _, _ := strings.Cut(a.At, "?")
	return place
}
