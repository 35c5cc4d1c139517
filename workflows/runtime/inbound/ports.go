package inbound

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Source is asked for the newest revision of a repository, for source actions that are polled.
type Source interface {
	// Head returns the newest revision of what is followed.
	Head(ctx context.Context, f work.Followed) (work.Change, error)
}

// Differ is a Source that also knows what changed: the files that differ between
// two commits of what the action follows; nil: it cannot know.
type Differ interface {
	Changed(ctx context.Context, a workflows.Action, from, to string) ([]string, error)
}

// Tagger is a Source that knows the tags of a repository.
type Tagger interface {
	// Tagged returns the commit of a tag; empty: there is none.
	Tagged(ctx context.Context, a workflows.Action, tag string) (string, error)
}

// Comparer is a Source that knows the history behind commits: what lies between
// two of them, and who made it. Changes that are not Complete cannot be known;
// an error means that it could not ask, never that there is nothing.
type Comparer interface {
	Compare(ctx context.Context, r work.Range) (work.Changes, error)
}

// Keyed is a Source that says itself what is followed. Actions of one
// provider and key are polled once, and what was seen of one key says nothing
// about another. Without it the key is the repository and the branch.
type Keyed interface {
	Key(f work.Followed) string
}

// Announced is a Source of whose changes events tell, if it says so:
// [Sources.Look] is then called for each. What is not polled is looked at for them.
type Announced interface {
	Announced() bool
}

// Inbox keeps receipts. Writing them is part of a commit.
type Inbox interface {
	// Receipt returns the receipt of a key; ok is false when there is none.
	Receipt(ctx context.Context, key string) (r work.Receipt, ok bool, err error)
	// Forget removes receipts that are done and older than before; at most limit in one go.
	Forget(ctx context.Context, before time.Time, limit int) (removed int, err error)
}

// Memos reads key-value rows of earlier commits.
type Memos interface {
	// Memo returns one memo; ok is false when there is none.
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
	// List returns the memos whose key begins with prefix, in that order.
	List(ctx context.Context, owner, prefix string) ([]record.Memo, error)
	// ListAfter is List of the keys that come after one, at most limit.
	ListAfter(ctx context.Context, owner, prefix, after string, limit int) ([]record.Memo, error)
}

// Decider decides about intents in the engine's name.
type Decider interface {
	// Submit has an intent decided, with what becomes durable in the same commit.
	// refused is final; an error leaves open whether it was carried out.
	Submit(ctx context.Context, in workflows.Intent, with record.Attachment) (r event.Result, refused *workflows.Problem, err error)
}

// Commits makes rows durable that belong to no decision.
type Commits interface {
	// Persist returns nil once they are durable. Only a problem with the code
	// CommitUnknown leaves open whether they are.
	Persist(ctx context.Context, rows record.Commit) error
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

// Executions finds executions by their ID.
type Executions interface {
	// Execution returns the row. That of an unfinished execution may be older than the log.
	Execution(ctx context.Context, id string) (x workflows.Execution, ok bool, err error)
	// Current returns an execution as of the last commit.
	Current(ctx context.Context, pipeline, id string) (x workflows.Execution, ok bool, err error)
}

// Definitions finds definitions that may no longer be in force.
type Definitions interface {
	// Definition returns a version of a pipeline's definition; nil: there is none.
	Definition(ctx context.Context, pipeline string, version int) (*workflows.Pipeline, error)
	// InUse returns the one in force and those under which unfinished executions
	// run, as of the last commit, by version.
	InUse(ctx context.Context, pipeline string) (map[int]*workflows.Pipeline, error)
}

// Options are what the package works with. All are needed but Sources and Freezes.
type Options struct {
	Inbox   Inbox
	Memos   Memos
	Decider Decider
	Commits Commits
	Timers  Timers

	Sources      map[string]Source  // by the provider of the source actions they serve
	Freezes      []workflows.Freeze // those of the configuration; each pipeline they name gets them
	PollInterval time.Duration      // between two polls of a branch

	// Expire says how long the engine's other memos are kept, by the prefix of their keys.
	Expire map[string]time.Duration

	Now func() time.Time
	// Go runs f on a goroutine of its own; false: the process is ending and f does not run.
	Go func(f func()) bool
	// Ended is closed when nothing more can be made durable; Stopped is then the answer.
	Ended   <-chan struct{}
	Stopped error
	Log     *slog.Logger
}

// ReadError says that the store did not answer.
type ReadError struct {
	What string // was wanted: "the receipt"
	Err  error
}

// Error is for the log.
func (e *ReadError) Error() string { return "read " + e.What + ": " + e.Err.Error() }

// Unwrap is the answer of the store.
func (e *ReadError) Unwrap() error { return e.Err }

// unreadable wraps the error of a read, except a cancelled or expired context.
func unreadable(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &ReadError{What: what, Err: err}
}
