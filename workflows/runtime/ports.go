package runtime

import (
	"context"
	"io"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What one durable write holds is declared in package work, so that a store
// need not import the runtime.
type (
	Commit     = work.Commit
	Checkpoint = work.Checkpoint
	Head       = work.Head
	Success    = work.Success
	Memo       = work.Memo
)

// ErrConflict is a store's answer to frames that do not follow the log.
var ErrConflict = work.ErrConflict

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

// Differ is a Source that also knows what changed: the files that differ between
// two commits of what the action follows; nil: it cannot know.
type Differ interface {
	Changed(ctx context.Context, a workflows.Action, from, to string) ([]string, error)
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
// "github-team:ORG/TEAM". A failed look-up is an error, never a no. Answers are
// never older than 5 s. Somebody who is absent, and whose deputy asks, is known by
// the e-mail address alone (ID "mail:ADDRESS"); whom nobody knows is in no group.
type Directory interface {
	Member(ctx context.Context, p workflows.Principal, group string) (bool, error)
}
