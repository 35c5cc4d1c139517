// Package work holds the values that cross the border between deciding and
// doing.
//
// A [Task] is one thing the outside must do now: start, poll or cancel an
// action. A runner answers with an [Outcome]. A [Change] is news from a
// source: a push, a poll that found a new commit. A [Receipt] is an outside
// request made durable before it is acknowledged. A [Workspace] is what a
// runner gets to work with: a folder, a log, artifacts in and out.
//
// The package is pure: values and small interfaces only.
package work

import (
	"cmp"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
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
	Commands    []string             `json:"commands,omitempty"`
	Environment map[string]string    `json:"environment,omitempty"`
	Inputs      []workflows.Artifact `json:"inputs,omitempty"` // in the order of Action.InputArtifacts
	// Revision is what a source action is to fetch; without a RevisionID: the branch's
	// head. Of a GitHubWorkflow it is what the execution brings of the same repository.
	Revision *workflows.SourceRevision `json:"revision,omitempty"`

	// PipelineRole is the role that works in AWS for the whole pipeline; the action
	// may name another in its Action, which that one assumes.
	PipelineRole string `json:"pipelineRole,omitempty"`
	// For is the e-mail address, or the name, of who started the execution, where a
	// role may want to know; empty: nobody did, or no role is assumed.
	For string `json:"for,omitempty"`

	// Host is where the task's run folder is, decided with its start. Only a runner
	// there knows how work of its own machine stands. Empty: anywhere.
	Host string `json:"host,omitempty"`

	Handle      string    `json:"handle,omitempty"` // poll, cancel: what Start answered
	Deadline    time.Time `json:"deadline"`
	Restartable bool      `json:"restartable"`
	// After is the time before which a poll is of no use; zero: now.
	After time.Time `json:"after,omitzero"`
	// Request is what a bridge's runner is to ask for; such a task's ID is the
	// request's, and of its Action only the type is set (Bridge/CodePipeline).
	Request *Request `json:"request,omitempty"`
}

// Supply gives a task what its execution has for it: the revision of a source
// action, the input artifacts. It names the first of these that is not there.
func (t *Task) Supply(e *workflows.Execution) (missing string) {
	for i := range e.SourceRevisions {
		if r := e.SourceRevisions[i]; t.Action.IsSource() && r.ActionName == t.Action.Name || t.runsOn(r) {
			t.Revision = &r
			break
		}
	}
	for _, name := range t.Action.InputArtifacts {
		artifact, ok := e.Artifacts[name]
		if !ok {
			return name
		}
		t.Inputs = append(t.Inputs, artifact)
	}
	return ""
}

// runsOn says whether the task is a workflow in the repository that a revision is of.
func (t *Task) runsOn(r workflows.SourceRevision) bool {
	repository := strings.ToLower(t.Action.Configuration["FullRepositoryId"])
	of := strings.TrimSuffix(strings.ToLower(r.Repository), ".git")
	return t.Action.ActionType.Provider == "GitHubWorkflow" && repository != "" && (of == repository || strings.HasSuffix(of, "/"+repository))
}

// Names are the variables by which every command knows what it is run for.
func (t *Task) Names() map[string]string {
	return map[string]string{
		"ROLLCALL_EXECUTION_ID": t.Execution, "ROLLCALL_EXECUTION": (&workflows.Execution{Pipeline: t.Pipeline, Number: t.Number}).Ref(),
		"ROLLCALL_PIPELINE": t.Pipeline, "ROLLCALL_STAGE": t.Stage, "ROLLCALL_ACTION": t.Action.Name, "ROLLCALL_ATTEMPT": strconv.Itoa(t.Attempt),
	}
}

// A watch of alarms after a success is a task as well, which is only polled: its
// action's type is that of a CloudWatchAlarm rule.
const (
	// WatchedAlarms is the key of the configuration behind which the names of the
	// alarms stand, a list in JSON.
	WatchedAlarms = "AlarmNames"
	// AlarmRang is the code of an outcome Failed that says that one of them rings: its
	// name is the ExternalID. With any other code they could not be looked at.
	AlarmRang = "AlarmRang"
)

// Outcome states.
const (
	Running   = "running"
	Succeeded = "succeeded"
	Failed    = "failed"
	Cancelled = "cancelled" // the answer to a confirmed cancel
	InDoubt   = "inDoubt"   // nobody can know whether it ran
	Retrying  = "retrying"  // of the engine, not of a runner: the runner could not be asked, and is asked again
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
	Error       *workflows.Reason         `json:"error,omitempty"`     // Failed, InDoubt, Retrying
	PollAfter   time.Duration             `json:"pollAfter,omitempty"` // Running: when to look again; 0: the engine's default
	// EndedAt is when the work ended, where its runner knows that for certain:
	// what succeeded within its time limit is heard as a success, however late.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// Why is the outcome's error; code and otherwise stand for what it does not say.
func (o *Outcome) Why(code, otherwise string) *workflows.Reason {
	why := &workflows.Reason{Code: code, Message: otherwise}
	if o.Error != nil {
		why.Code, why.Message, why.Finding = cmp.Or(o.Error.Code, code), cmp.Or(o.Error.Message, otherwise), o.Error.Finding
	}
	return why
}

// Workspace is what a runner gets for one task. It stays the same for the
// task's start, polls and cancel, across restarts.
type Workspace interface {
	// Dir is the task's run folder, created with mode 0700 when it is first asked
	// for. It is removed by the engine after the outcome is durable.
	Dir() string
	// LogFile is the path of the task's log; appending is what writes to it, once
	// Log was called: that makes its folder.
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

// Stored is something that is kept as a file, and when it was last written.
type Stored struct {
	Name string
	At   time.Time
}

// Followed is what a source looks at for news: what an action follows.
type Followed struct {
	Action workflows.Action
	// PipelineRole is the role that works in AWS for the whole pipeline; the action's
	// own is assumed by it. Empty: the action's alone.
	PipelineRole string
}

// What the revision of a change is.
const (
	CommitKind = "commit"
	ImageKind  = "image"  // in a repository of images, under a tag
	ObjectKind = "object" // in a bucket, under a key
)

// Change is news from a source: something that may start pipelines. An image is
// a push of its digest to a tag, an object one of its version to a key.
type Change struct {
	Provider   string              `json:"provider"`             // Git|GitHub|Bitbucket|GitLab|CodeCommit|ECR|S3|EventBridge
	Kind       string              `json:"kind,omitempty"`       // what Commit is: commit (or empty), image, object
	Event      string              `json:"event"`                // push|pull_request|event|release|workflow_run|deployment|merge_group
	Repository string              `json:"repository"`           // owner/name for GitHub, URL or path for Git; of images; a bucket
	Branch     string              `json:"branch,omitempty"`     // push: the branch, the tag of the image, the key of the object; pull request: the base branch
	HeadBranch string              `json:"headBranch,omitempty"` // pull request: where its commits are
	Fork       bool                `json:"fork,omitempty"`       // pull request: HeadBranch is in another repository; starts nothing
	Tag        string              `json:"tag,omitempty"`
	Commit     string              `json:"commit"`            // pull request: the head commit; the image's digest; the object's version
	Number     int                 `json:"number,omitempty"`  // of the pull request
	Commits    []string            `json:"commits,omitempty"` // push: the IDs of all that it brought, as far as they are known
	Before     string              `json:"before,omitempty"`  // push: the commit that the branch was at; empty: not known
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
	// Connections are the ARNs of the connections of AWS that lead to the repository's
	// host, as far as the configuration knows them.
	Connections []string `json:"connections,omitempty"`
	// Elsewhere are those that lead to another host: the same name there is another repository.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Document is an event of EventBridge, as it came. Repository and Branch are then
	// its source and type, Commit its ID.
	Document json.RawMessage `json:"document,omitempty"`

	// ID tells events apart that say the same of a commit: what GitHub numbers or dates
	// them by. Empty: the other fields do.
	ID string `json:"id,omitempty"`
	// What the triggers by events of GitHub look at (trigger.Event explains them).
	Workflow    []string `json:"workflow,omitempty"`
	Cause       string   `json:"cause,omitempty"`
	Conclusion  string   `json:"conclusion,omitempty"`
	Environment string   `json:"environment,omitempty"`
	Prerelease  bool     `json:"prerelease,omitempty"`
	// Payload is what a trigger's variables may name of such an event.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Receipt is an outside request, durable before it is acknowledged.
type Receipt struct {
	// Key is unique over all sources: "github/DELIVERY", "slack/SIGNATURE".
	Key    string `json:"key"`
	Source string `json:"source"` // github|slack|jira
	// Print is the fingerprint of what was signed, where Key comes from what was
	// not: the same under another Key acts no second time. Empty: Key is signed.
	Print   string    `json:"print,omitempty"`
	At      time.Time `json:"at"`
	Payload []byte    `json:"payload,omitempty"` // what must be carried out; opaque to the store
	Done    bool      `json:"done"`
	Result  []byte    `json:"result,omitempty"` // once done: what a repeat is answered
}
