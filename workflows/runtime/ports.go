package runtime

import (
	"context"
	"io"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Commit is what one durable write holds. It is data, never a closure, so that
// another store can carry it out elsewhere. All of it becomes durable or none.
type Commit struct {
	// Frames are appended; Frame.Seq must follow the pipeline's last one, else
	// the store answers ErrConflict and writes nothing. The store fills in Feed,
	// Prev and Hash.
	Frames []event.Frame
	// Checkpoints replace the pipelines' newest ones.
	Checkpoints []Checkpoint
	// Executions replace the rows of that ID. Ended ones are sealed and deflated.
	Executions []workflows.Execution
	// Successes are added to the index that answers SucceededInStage.
	Successes []Success
	// Receipts are inserted or replaced by key.
	Receipts []work.Receipt
	// Memos are inserted or replaced; an empty value deletes.
	Memos []Memo
}

// Checkpoint is a pipeline's state after its frame Seq, as machine.State marshals it.
type Checkpoint struct {
	Pipeline string
	Seq      uint64
	State    []byte
	// Due is when the pipeline must be looked at again; zero: nothing is due.
	Due time.Time
}

// Success says that an execution succeeded in a stage.
type Success struct {
	Pipeline, Stage, Execution string
	Number                     int
}

// Memo is one row of a follower's or a source's memory of the outside world.
type Memo struct {
	Owner, Key string // owner: the follower's name
	Value      []byte
}

// Store makes decisions durable.
type Store interface {
	// Commit makes c durable, all or nothing. ErrConflict: nothing was written.
	// Any other error means unknown, not no.
	Commit(ctx context.Context, c *Commit) error
	// Load returns a pipeline's newest checkpoint and the frames after it. A
	// pipeline that was never written: a zero Checkpoint and no frames.
	Load(ctx context.Context, pipeline string) (Checkpoint, []event.Frame, error)
	// Pipelines returns the newest checkpoint of every pipeline without its
	// State, and Seq of its last frame in Last.
	Pipelines(ctx context.Context) ([]Head, error)
	// Reopen closes and opens the file again after an unknown commit.
	Reopen(ctx context.Context) error
	Close() error
}

// Head is a pipeline as the store lists it: small, whatever its history.
type Head struct {
	Pipeline string
	Last     uint64    // Seq of the last frame
	Due      time.Time // of the newest checkpoint
}

// History answers about what was committed.
type History interface {
	// Execution returns the row of that ID; ok is false when there is none. The
	// row of an unfinished execution may be older than the log.
	Execution(ctx context.Context, id string) (e workflows.Execution, ok bool, err error)
	// Executions lists rows, newest first.
	Executions(ctx context.Context, q workflows.ExecutionQuery) ([]workflows.Execution, error)
	// Resolve finds IDs by "pipeline#number", by the whole ID, or by its end (at
	// least 6 characters); at most two are returned, so the caller can tell "none" from "several".
	Resolve(ctx context.Context, ref string) ([]string, error)
	// Frames returns a pipeline's frames after seq, in order, at most limit.
	Frames(ctx context.Context, pipeline string, after uint64, limit int) ([]event.Frame, error)
	// Feed returns frames of all pipelines after a feed position, in order, at most limit.
	Feed(ctx context.Context, after uint64, limit int) ([]event.Frame, error)
}

// Inbox keeps receipts. Writing them is part of Commit.
type Inbox interface {
	Receipt(ctx context.Context, key string) (r work.Receipt, ok bool, err error)
	// Pending returns receipts of a source that are not done, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
	// Forget removes receipts that are done and older than before; at most limit in one go.
	Forget(ctx context.Context, before time.Time, limit int) (removed int, err error)
}

// Memos reads what followers and sources noted. Writing them is part of Commit.
type Memos interface {
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
	List(ctx context.Context, owner, prefix string) ([]Memo, error)
}

// Blobs keeps artifacts and logs as files.
type Blobs interface {
	// Workspace returns the task's workspace, the same one for the same task.
	Workspace(t work.Task) (work.Workspace, error)
	// Release removes the task's run folder; its log and artifacts stay.
	Release(t work.Task) error
	// OpenLog opens the log of an attempt. No log yet: an empty one.
	OpenLog(execution, stage, action string, attempt int) (io.ReadSeekCloser, error)
}

// Runner carries out one kind of action (one provider). Its methods may be
// called again after a crash with the same task: Task.ID is the idempotency
// token. An error means "could not ask; try again", never "failed": a failure
// is an Outcome.
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

// Source looks at a repository for changes, for source actions that are polled.
type Source interface {
	// Head returns the newest revision of what the action follows.
	Head(ctx context.Context, a workflows.Action) (work.Change, error)
}

// Follower keeps part of the outside world in step with what was committed: a
// mirror renders the newest snapshot, a journal takes every event once.
type Follower interface {
	Name() string
	// Follow is called with what it has not accepted, one call at a time per
	// pipeline. nil accepts; after an error the same frames come again, after
	// 1 s, doubling to 60 s.
	Follow(ctx context.Context, b event.Batch) error
}

// Directory answers memberships that only the outside knows: "slack-group:S…",
// "github-team:ORG/TEAM". A failed look-up is an error, never a no. Answers are never older than 5 s.
type Directory interface {
	Member(ctx context.Context, p workflows.Principal, group string) (bool, error)
}
