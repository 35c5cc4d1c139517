// Package event holds what has happened, in the order it was decided.
//
// An [Event] is one fact about one pipeline. Events are the only way that a
// pipeline's state changes; the same log is history, audit trail and live
// feed. A [Frame] is what one commit added to one pipeline's log. A [Batch] is
// what a follower is given to keep the outside world in step. A [Result] is what
// an intent led to, and a [Version] a definition that was put in force.
//
// A kind's meaning never changes; new kinds are added.
package event

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Kind says what happened.
type Kind string

// The kinds. The comment names the field of Event that carries the facts,
// beyond Execution, Stage, Action and Attempt.
const (
	PipelineDefined  Kind = "pipelineDefined"  // Defined
	PipelineArchived Kind = "pipelineArchived" //

	ExecutionStarted     Kind = "executionStarted"     // Started: the whole execution, as it begins
	ExecutionWaiting     Kind = "executionWaiting"     // Wait: arrived before a stage
	ExecutionSteppedBack Kind = "executionSteppedBack" // left the stage it waited in, so that a rollback can run; waits before it again
	ExecutionSuperseded  Kind = "executionSuperseded"  // Reason
	ExecutionStopping    Kind = "executionStopping"    // Stop
	ExecutionStopped     Kind = "executionStopped"     // Reason
	ExecutionSucceeded   Kind = "executionSucceeded"
	ExecutionFailed      Kind = "executionFailed"    // Reason
	ExecutionCancelled   Kind = "executionCancelled" // Reason
	ExecutionResumed     Kind = "executionResumed"   // Resumed: a retry; carries the whole archived execution

	ExecutionNoted Kind = "executionNoted" // Note; Started: the whole execution, when it had ended and left the state

	StageEntered   Kind = "stageEntered" // the lock is taken
	StageSucceeded Kind = "stageSucceeded"
	StageFailed    Kind = "stageFailed" // Reason
	StageStopped   Kind = "stageStopped"
	StageCancelled Kind = "stageCancelled"

	ActionStarted    Kind = "actionStarted"    // ActionStart: the attempt is open
	ActionTracked    Kind = "actionTracked"    // Outcome: the runner's handle, external ID, summary
	ActionSucceeded  Kind = "actionSucceeded"  // Outcome
	ActionFailed     Kind = "actionFailed"     // Reason, Outcome
	ActionAbandoned  Kind = "actionAbandoned"  // Reason: ended without the outside's answer
	ActionCancelling Kind = "actionCancelling" // a cancel is wanted
	ActionInDoubt    Kind = "actionInDoubt"    // Reason
	ActionRetrying   Kind = "actionRetrying"   // Reason: why its runner cannot be asked, since when; it is asked again
	ActionResolved   Kind = "actionResolved"   // Text: succeeded|failed|again
	ActionSkipped    Kind = "actionSkipped"    // an approval inside a rollback that needs none
	OrphanConfirmed  Kind = "orphanConfirmed"  // Text: task ID whose cancel was confirmed after the action had ended; Started: as in executionNoted
	OrphanLeft       Kind = "orphanLeft"       // Text: task ID; Reason: it cannot be cancelled, and stays named on the execution

	GateOpened Kind = "gateOpened" // Gate
	GateVoted  Kind = "gateVoted"  // Vote
	// GateVoteDropped: Vote, Reason. An earlier voter no longer matches what the
	// gate asks for, so the vote counts no more. (GateVoted for somebody who has
	// voted before replaces that vote: the same answer, with the facts as they are now.)
	GateVoteDropped Kind = "gateVoteDropped"
	GateClosed      Kind = "gateClosed"   // Text: approved|rejected|expired|withdrawn; Reason
	GateReminded    Kind = "gateReminded" // Text: which reminder

	TransitionDisabled Kind = "transitionDisabled" // Transition
	TransitionEnabled  Kind = "transitionEnabled"  // Transition
	ReturnPlanned      Kind = "returnPlanned"      // Planned: a rollback that waits for the stage to be free
	ReturnDropped      Kind = "returnDropped"      // Reason

	StageSkipped        Kind = "stageSkipped"        // Reason: its entry condition led past it
	StageResumed        Kind = "stageResumed"        // Text: FAILED_ACTIONS|ALL_ACTIONS; an automatic retry, the execution never ended
	ConditionStarted    Kind = "conditionStarted"    // Text: which kind. Its rules are actions named "KIND:NAME"
	ConditionSucceeded  Kind = "conditionSucceeded"  // Text
	ConditionFailed     Kind = "conditionFailed"     // Text, Reason: a rule failed, or could not be evaluated (code Errored)
	ConditionOverridden Kind = "conditionOverridden" // Text, Override
	ConditionAbandoned  Kind = "conditionAbandoned"  // Text
	GateOverridden      Kind = "gateOverridden"      // Override: what was missing was filled by somebody's right
	ScheduleFired       Kind = "scheduleFired"       // Schedule; a start follows, unless it was missed or is refused (Reason)
	PollingDisabled     Kind = "pollingDisabled"     // nothing has started for 30 days: branches are no longer looked at
	PollingEnabled      Kind = "pollingEnabled"
	FreezesSet          Kind = "freezesSet" // Freezes: those of the configuration that name this pipeline
	BackupRestored      Kind = "restored"   // Restored: all before is from a backup; nothing goes on by the passing of time alone

	AlarmRang       Kind = "alarmRang"       // Text: its name; Reason: when it rang, and why nothing follows, where that is so; Outcome: where it is seen
	AlarmsUnseen    Kind = "alarmsUnseen"    // Reason: the alarms that are watched after a success cannot be looked at
	AlarmsSeen      Kind = "alarmsSeen"      // they are looked at again
	AlarmWatchEnded Kind = "alarmWatchEnded" // Reason: none rang, or why they are no longer watched

	// Of pipelines that stay in AWS CodePipeline. What AWS shows there is told by the
	// kinds above as well, with When; these are for the rest.
	ExecutionObserved Kind = "executionObserved" // Started: the whole row as AWS shows it now; Text: history, when it had ended before the first look: no news
	RequestOpened     Kind = "requestOpened"     // Request; Started: the whole execution, when it had ended and left the state
	RequestClosed     Kind = "requestClosed"     // Request, with its answer; Started: likewise; Outcome: the execution that it began, by its ID in AWS
	BridgeLost        Kind = "bridgeLost"        // Reason: the pipeline cannot be looked at; said once
	BridgeSeen        Kind = "bridgeSeen"        // the first look at it, or it is seen again

	IntentRefused Kind = "intentRefused" // Refused: changes nothing, kept for the record
)

// Event is one fact. Exactly the payload field that its kind names is set.
type Event struct {
	Kind      Kind                `json:"kind"`
	At        time.Time           `json:"at"`
	By        workflows.Principal `json:"by"`
	Execution string              `json:"execution,omitempty"`
	Stage     string              `json:"stage,omitempty"`
	Action    string              `json:"action,omitempty"`
	Attempt   int                 `json:"attempt,omitempty"`
	Token     string              `json:"token,omitempty"` // client request token of the intent that led here

	Text       string                     `json:"text,omitempty"`
	Reason     *workflows.Reason          `json:"reason,omitempty"`
	Defined    *Defined                   `json:"defined,omitempty"`
	Started    *workflows.Execution       `json:"started,omitempty"`
	Resumed    *Resumed                   `json:"resumed,omitempty"`
	Wait       *workflows.Wait            `json:"wait,omitempty"`
	Stop       *workflows.Stop            `json:"stop,omitempty"`
	Start      *ActionStart               `json:"actionStart,omitempty"`
	Outcome    *Outcome                   `json:"outcome,omitempty"`
	Gate       *workflows.Approval        `json:"gate,omitempty"`
	Vote       *workflows.Vote            `json:"vote,omitempty"`
	Transition *workflows.Transition      `json:"transition,omitempty"`
	Planned    *workflows.PlannedRollback `json:"planned,omitempty"`
	Note       *workflows.Note            `json:"note,omitempty"`
	Refused    *Refused                   `json:"refused,omitempty"`
	Override   *workflows.Overridden      `json:"override,omitempty"`
	Schedule   *Scheduled                 `json:"schedule,omitempty"`
	Freezes    []workflows.Freeze         `json:"freezes,omitempty"`
	Restored   *Restored                  `json:"restored,omitempty"`
	Request    *Request                   `json:"request,omitempty"`
	// When it happened, where that was outside and is known: rows keep it instead of At.
	When *time.Time `json:"when,omitempty"`

	// Under is the definition of the execution's version, when that had left
	// the state: beside Started of a rollback and Resumed.
	Under *workflows.Pipeline `json:"under,omitempty"`
}

// Led is the execution that the event led to; empty: none, or AWS is asked to begin it.
func (e *Event) Led() string {
	if r := e.Request; r != nil && (r.Verb == workflows.Start || r.Verb == workflows.RollBack) {
		return ""
	}
	return e.Execution
}

// Defined is a new version of a definition.
type Defined struct {
	Version    int                `json:"version"`
	ManagedBy  string             `json:"managedBy"` // "api", "file:PATH", or "bridge:NAME"
	Definition workflows.Pipeline `json:"definition"`
	// Weakened are the gates that ask for less than before.
	Weakened []Weakened `json:"weakened,omitempty"`
	// Cancels are the executions that the edit ends ("webshop#42"), after their running actions.
	Cancels []string `json:"cancels,omitempty"`
}

// Request is something that AWS is asked for, with what the call needs.
type Request struct {
	workflows.Request
	Intent     workflows.Intent `json:"intent"`
	ExternalID string           `json:"externalId,omitempty"` // AWS's ID of the execution concerned; of a rollback the target's
	Token      string           `json:"token,omitempty"`      // of the approval; of a start its clientRequestToken
	Text       string           `json:"text,omitempty"`       // the reason or summary that AWS is given
}

// Scheduled is a time at which a schedule of the pipeline wanted a start.
type Scheduled struct {
	Cron     string    `json:"cron"`
	Timezone string    `json:"timezone"`
	Nominal  time.Time `json:"nominal"`          // the scheduled moment, however late it is seen
	Missed   bool      `json:"missed,omitempty"` // seen too late to start
}

// Restored says from which backup the data were restored. The zero value: never.
type Restored struct {
	Epoch  int       `json:"epoch"`  // how often they were, this time included
	Token  string    `json:"token"`  // random: tells two restores of one backup apart
	At     time.Time `json:"at"`     // of the restore
	Backup time.Time `json:"backup"` // when the backup was made
}

// Resumed is a retry of a stage.
type Resumed struct {
	Execution workflows.Execution `json:"execution"` // as archived, before the retry
	All       bool                `json:"all"`       // every action of the stage, not only the failed ones
	// Override is the kind of the failed condition that was set aside; nothing is
	// run again then, the stage goes on behind that condition.
	Override string `json:"override,omitempty"`
}

// ActionStart is an attempt that opened.
type ActionStart struct {
	Task     string    `json:"task"`           // work.Task.ID
	Host     string    `json:"host,omitempty"` // where its run folder is; empty: anywhere, or it is not known
	Deadline time.Time `json:"deadline"`
	// Restart counts the starts that nobody asked for, because what became of
	// the attempt before is unknown; After is when it begins.
	Restart int        `json:"restart,omitempty"`
	After   *time.Time `json:"after,omitempty"`
	// Configuration is the action's as it was resolved; absent when it needed no
	// resolving. The raw text is in the definition of the execution's version.
	Configuration map[string]string `json:"configuration,omitempty"`
}

// Outcome is what became known of an attempt, as far as it is visible.
type Outcome struct {
	Handle      string                    `json:"handle,omitempty"`
	ExternalID  string                    `json:"externalId,omitempty"`
	ExternalURL string                    `json:"externalUrl,omitempty"`
	Summary     string                    `json:"summary,omitempty"`
	Outputs     map[string]string         `json:"outputs,omitempty"`
	Artifacts   []workflows.Artifact      `json:"artifacts,omitempty"`
	Revision    *workflows.SourceRevision `json:"revision,omitempty"`
}

// outputLimit is how much the outputs of one action may hold, in bytes of names and values.
const outputLimit = 122_880

// Bounded is o as the log keeps it. Output variables that are too many are left
// out, and the summary says so: the work is done all the same.
func (o Outcome) Bounded() *Outcome {
	size := 0
	for k, v := range o.Outputs {
		size += len(k) + len(v)
	}
	if size > outputLimit {
		o.Outputs = nil
		o.Summary = strings.TrimPrefix(o.Summary+"; ", "; ") + fmt.Sprintf("its output variables hold %d bytes, at most %d can be kept: none was", size, outputLimit)
	}
	return &o
}

// Refused is an intent that was not carried out.
type Refused struct {
	Intent  workflows.Intent  `json:"intent"`
	Problem workflows.Problem `json:"problem"`
}

// Frame is what one commit added to one pipeline's log.
type Frame struct {
	Pipeline string  `json:"pipeline"`
	Seq      uint64  `json:"seq"`  // per pipeline, from 1, without gaps
	Feed     uint64  `json:"feed"` // over all pipelines, rising; given by the store, not part of the hash
	Events   []Event `json:"events"`
	Prev     string  `json:"prev,omitempty"` // hash of the frame before
	Hash     string  `json:"hash,omitempty"` // of this frame's stored bytes, which include Prev
}

// Has says whether the frame has an event of a kind.
func (f *Frame) Has(kind Kind) bool {
	return slices.ContainsFunc(f.Events, func(e Event) bool { return e.Kind == kind })
}

// Batch is what a follower is given: frames of one pipeline it has not yet
// accepted, in order. After an error the same frames come again, perhaps with
// newer ones behind them.
type Batch struct {
	Pipeline string
	Frames   []Frame
}

// Unfinished is the error of a follower that has taken a batch and still has
// something to bring about, of this batch or an earlier one, which it knows by
// its own notes. Nothing waits for it: what happens next comes as usual, and the
// follower is called again after a while, without frames if there are none.
type Unfinished struct {
	Err   error         // why
	After time.Duration // when to call again; 0: after 1 s, doubling to 30 s
	// Expected is that nothing went wrong: there is only more to do than may be
	// done at once. It counts as no failure.
	Expected bool
}

// Error is the cause's.
func (u *Unfinished) Error() string { return u.Err.Error() }

// Unwrap is the cause.
func (u *Unfinished) Unwrap() error { return u.Err }

// IsHistory says whether an event tells of an execution in AWS that had ended
// before anybody looked: kept, but no news for anybody.
func (e *Event) IsHistory() bool { return e.Kind == ExecutionObserved && e.Text == "history" }

// Executions returns the IDs of the executions that the batch has news of, each once, in order of first mention.
func (b Batch) Executions() []string {
	var ids []string
	seen := map[string]bool{}
	for _, f := range b.Frames {
		for _, e := range f.Events {
			if e.Execution != "" && !seen[e.Execution] && !e.IsHistory() {
				seen[e.Execution] = true
				ids = append(ids, e.Execution)
			}
		}
	}
	return ids
}
