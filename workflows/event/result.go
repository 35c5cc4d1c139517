package event

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Result is what a submitted intent led to.
type Result struct {
	Execution  *workflows.Execution       `json:"execution,omitempty"`  // the one concerned, after the commit
	Transition *workflows.Transition      `json:"transition,omitempty"` // after lock, unlock
	Pipeline   string                     `json:"pipeline,omitempty"`
	Version    int                        `json:"version,omitempty"`  // after edit
	Changed    bool                       `json:"changed"`            // false: it was so already
	Planned    *workflows.PlannedRollback `json:"planned,omitempty"`  // a rollback that waits for the stage to be free
	Weakened   []Weakened                 `json:"weakened,omitempty"` // after edit: the gates that ask for less than before
	Request    *workflows.Request         `json:"request,omitempty"`  // what AWS is asked for, when that is where the pipeline is
	Cancels    []string                   `json:"cancels,omitempty"`  // after edit: the executions that it ends ("webshop#42")
}

// Answers says whether an event of this kind is the one that tells what an
// intent led to. It carries the intent's token.
func Answers(v workflows.Verb, k Kind) bool { return slices.Contains(answering[:], verbKind{v, k}) }

type verbKind struct {
	verb workflows.Verb
	kind Kind
}

var answering = [...]verbKind{
	{workflows.Start, ExecutionStarted}, {workflows.RollBack, ExecutionStarted}, {workflows.RollBack, ReturnPlanned},
	{workflows.StopExecution, ExecutionStopping}, {workflows.Retry, ExecutionResumed}, {workflows.Resolve, ActionResolved},
	{workflows.Approve, GateVoted}, {workflows.Reject, GateVoted}, {workflows.Override, GateOverridden}, {workflows.Override, ConditionOverridden},
	{workflows.Lock, TransitionDisabled}, {workflows.Unlock, TransitionEnabled},
	{workflows.Start, RequestOpened}, {workflows.RollBack, RequestOpened}, {workflows.StopExecution, RequestOpened}, {workflows.Retry, RequestOpened},
	{workflows.Override, RequestOpened}, {workflows.Lock, RequestOpened}, {workflows.Unlock, RequestOpened},
	{workflows.Edit, PipelineDefined}, {workflows.Archive, PipelineArchived}, {workflows.Annotate, ExecutionNoted},
}

// Version is a definition's version: when, by whom and from where it was put in
// force, and which gates asked for less from then on.
type Version struct {
	Version   int                 `json:"version"`
	At        time.Time           `json:"at"`
	By        workflows.Principal `json:"by"`
	ManagedBy string              `json:"managedBy"` // file|api|bridge
	File      string              `json:"file,omitempty"`
	Digest    string              `json:"digest"` // workflows.Pipeline.Digest: equal content, equal digest
	Weakened  []Weakened          `json:"weakened,omitempty"`
}
