// Package work holds the values that cross the border between deciding and
// doing.
//
// A [Task] is one thing the outside must do now: start, poll or cancel an
// action. A runner answers with an [Outcome]. A [Change] is news from a
// source: a push, a poll that found a new commit. A [Receipt] is an outside
// request made durable before it is acknowledged. A [Workspace] is what a
// runner gets to work with: a folder, a log, artifacts in and out. A [Commit] is
// what one durable write holds.
//
// The package is pure: values and small interfaces only.
package work

import (
	"io"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// What a task asks of its runner.
const (
	Start  = "start"
	Poll   = "poll"
	Cancel = "cancel"
)

// Task is one thing the outside must do now for one attempt of an action.
type Task struct {
	// ID is made from execution, stage, action and attempt. It is the
	// idempotency token outside: the same ID never runs twice.
	ID   string `json:"id"`
	Kind string `json:"kind"` // start|poll|cancel

	Pipeline  string `json:"pipeline"`
	Execution string `json:"execution"`
	Number    int    `json:"number"`
	Stage     string `json:"stage"`
	Attempt   int    `json:"attempt"`

	// Action is the action as the execution's version defines it. Its
	// configuration is raw; Configuration below is resolved.
	Action workflows.Action `json:"action"`
	// Configuration holds the values with every #{namespace.key} resolved.
	Configuration map[string]string `json:"configuration,omitempty"`
	// Commands are the lines to run; each #{namespace.key} has been replaced by
	// a reference to an environment variable, whose value is in Environment, so
	// a value is never parsed as shell.
	Commands    []string                  `json:"commands,omitempty"`
	Environment map[string]string         `json:"environment,omitempty"`
	Inputs      []workflows.Artifact      `json:"inputs,omitempty"`   // in the order of Action.InputArtifacts
	Revision    *workflows.SourceRevision `json:"revision,omitempty"` // source actions: what to fetch; nil RevisionID: the branch's head

	Handle      string    `json:"handle,omitempty"` // poll, cancel: what Start answered
	Deadline    time.Time `json:"deadline"`
	Restartable bool      `json:"restartable"`
	// After is the time before which a poll is of no use; zero: now.
	After time.Time `json:"after,omitzero"`
}

// Outcome states.
const (
	Running   = "running"
	Succeeded = "succeeded"
	Failed    = "failed"
	Cancelled = "cancelled" // the answer to a confirmed cancel
	InDoubt   = "inDoubt"   // nobody can know whether it ran
)

// Outcome is a runner's answer about one task.
type Outcome struct {
	Task        string                    `json:"task"` // Task.ID
	State       string                    `json:"state"`
	Handle      string                    `json:"handle,omitempty"` // Running: how to find it again, after a restart too
	ExternalID  string                    `json:"externalId,omitempty"`
	ExternalURL string                    `json:"externalUrl,omitempty"`
	Summary     string                    `json:"summary,omitempty"`
	Outputs     map[string]string         `json:"outputs,omitempty"`
	Artifacts   []workflows.Artifact      `json:"artifacts,omitempty"` // named as Action.OutputArtifacts
	Revision    *workflows.SourceRevision `json:"revision,omitempty"`  // source actions
	Error       *workflows.Reason         `json:"error,omitempty"`     // Failed, InDoubt
	PollAfter   time.Duration             `json:"pollAfter,omitempty"` // Running: when to look again; 0: the engine's default
}

// Visible is what of an outcome the log keeps.
func (o *Outcome) Visible() *event.Outcome {
	return &event.Outcome{Handle: o.Handle, ExternalID: o.ExternalID, ExternalURL: o.ExternalURL, Summary: o.Summary,
		Outputs: o.Outputs, Artifacts: o.Artifacts, Revision: o.Revision}
}

// OutputSize is how much the output variables hold, in bytes of names and values.
func (o *Outcome) OutputSize() int {
	n := 0
	for k, v := range o.Outputs {
		n += len(k) + len(v)
	}
	return n
}

// Workspace is what a runner gets for one task. It stays the same for the
// task's start, polls and cancel, across restarts.
type Workspace interface {
	// Dir is the task's run folder, created with mode 0700. It is removed by
	// the engine after the outcome is durable.
	Dir() string
	// LogFile is the path of the task's log; appending is what writes to it.
	LogFile() string
	// Unpack lays a stored artifact out in dir. A missing or damaged artifact
	// is an error that names it.
	Unpack(a workflows.Artifact, dir string) error
	// Pack stores the files of dir that match the globs (none: all) under
	// name, with mode bits and symbolic links inside the folder.
	Pack(name, dir string, globs []string) (workflows.Artifact, error)
	// Log returns an appending writer on LogFile; the caller closes it.
	Log() (io.WriteCloser, error)
}

// Change is news from a source: something that may start pipelines.
type Change struct {
	Provider   string              `json:"provider"`             // Git|GitHub
	Event      string              `json:"event"`                // push|pull_request
	Repository string              `json:"repository"`           // owner/name for GitHub, URL or path for Git
	Branch     string              `json:"branch,omitempty"`     // push: the branch; pull request: the base branch
	HeadBranch string              `json:"headBranch,omitempty"` // pull request: where its commits are
	Fork       bool                `json:"fork,omitempty"`       // pull request: HeadBranch is in another repository; starts nothing
	Tag        string              `json:"tag,omitempty"`
	Commit     string              `json:"commit"`            // pull request: the head commit
	Number     int                 `json:"number,omitempty"`  // of the pull request
	Created    bool                `json:"created,omitempty"` // the branch is new
	Deleted    bool                `json:"deleted,omitempty"`
	PullEvent  string              `json:"pullEvent,omitempty"` // OPEN|UPDATED|CLOSED
	Files      []string            `json:"files,omitempty"`     // nil: unknown
	Summary    string              `json:"summary,omitempty"`   // first line of the commit text
	URL        string              `json:"url,omitempty"`
	Author     *workflows.Author   `json:"author,omitempty"`
	Authors    []workflows.Author  `json:"authors,omitempty"` // of the other commits
	By         workflows.Principal `json:"by"`                // who pushed: excludes, never allows
	At         time.Time           `json:"at,omitzero"`
}

// Receipt is an outside request, durable before it is acknowledged.
type Receipt struct {
	// Key is unique over all sources: "github/DELIVERY", "slack/SIGNATURE".
	Key     string    `json:"key"`
	Source  string    `json:"source"` // github|slack|jira
	At      time.Time `json:"at"`
	Payload []byte    `json:"payload,omitempty"` // what must be carried out; opaque to the store
	Done    bool      `json:"done"`
	Result  []byte    `json:"result,omitempty"` // once done: what a repeat is answered
}
