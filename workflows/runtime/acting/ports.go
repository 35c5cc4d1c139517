package acting

import (
	"context"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Runner carries out one kind of action. Its methods may be called again after
// a crash with the same task: Task.ID is the idempotency token. An error means
// "could not ask; try again", never "failed": a failure is an Outcome.
type Runner interface {
	// Start begins the work, or ends it at once. It is called again with the
	// same task only if the runner also implements Finder and Find found nothing, or the action is restartable.
	Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error)
	// Poll says how it stands. w is the workspace of the start.
	Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error)
	// Cancel asks the outside to stop. Cancelled or a final outcome confirms it; Running means not yet.
	Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error)
}

// Finder is a Runner that can look a start of unknown outcome up by its task ID.
type Finder interface {
	// Find returns the outcome of a start that may have happened; ok is false when it certainly did not.
	Find(ctx context.Context, t work.Task, w work.Workspace) (o work.Outcome, ok bool, err error)
}

// Inline is a Runner that can answer some tasks from what stands in them alone:
// it asks nobody, reads nothing, waits for nothing. Such a call needs no goroutine of its own.
type Inline interface {
	// Inline says whether the next call for a task is such a one.
	Inline(t work.Task) bool
}

// Runs keeps the run folders of the tasks that this host works on.
type Runs interface {
	// Workspace returns the task's workspace, the same one for the same task.
	Workspace(t work.Task) (work.Workspace, error)
	// Release removes the task's run folder; its log and artifacts stay. One that
	// is gone already is no error.
	Release(t work.Task) error
}

// Leftovers are the run folders on this host, whoever left them.
type Leftovers interface {
	// Left lists the IDs of the tasks whose run folders are here.
	Left(ctx context.Context) ([]string, error)
}

// Outcomes takes the answers of runners to where they are decided about.
type Outcomes interface {
	// Report has an outcome decided about. It does not wait: done is called once,
	// on another goroutine, after the commit. An error: it may not be saved.
	Report(pipeline string, o work.Outcome, done func(err error))
}

// Timers call back at a time. Losing them loses nothing: what is set follows
// from what is durable.
type Timers interface {
	// Set has fire called once; an earlier timer of the same key is replaced.
	// fire must not block.
	Set(key string, at time.Time, fire func())
	// Drop forgets the timer of that key, if there is one.
	Drop(key string)
}

// Unfinished answers what of a pipeline is not over, as durable.
type Unfinished interface {
	// Tasks are the open tasks, and the cancels that are not confirmed.
	Tasks(ctx context.Context, pipeline string) ([]work.Task, error)
	// Executions are the executions that have not ended.
	Executions(ctx context.Context, pipeline string) ([]workflows.Execution, error)
}

// Pipelines are the others, which an action may start.
type Pipelines interface {
	// Exists says whether there is a pipeline of that name.
	Exists(name string) bool
	// Submit has an intent decided, in the engine's name, with what rides on its
	// commit. refused is final; an error leaves open whether it was carried out.
	Submit(ctx context.Context, in workflows.Intent, with record.Attachment) (r event.Result, refused *workflows.Problem, err error)
}

// Executions finds executions by their ID.
type Executions interface {
	// Execution returns the row. That of an unfinished execution may be older than the log.
	Execution(ctx context.Context, id string) (x workflows.Execution, ok bool, err error)
	// Current returns an execution as of the last commit.
	Current(ctx context.Context, pipeline, id string) (x workflows.Execution, ok bool, err error)
}

// Memos reads key-value rows of earlier commits.
type Memos interface {
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
}
