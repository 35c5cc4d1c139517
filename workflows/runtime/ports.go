package runtime

import (
	"context"
	"io"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/runtime/contents"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What one durable write holds is declared in package record, so that a store
// need not import the runtime.
type (
	Commit     = record.Commit
	Checkpoint = record.Checkpoint
	Head       = record.Head
	Success    = record.Success
	Memo       = record.Memo
)

// ErrConflict is a store's answer to frames that do not follow the log.
var ErrConflict = record.ErrConflict

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
	Executions(ctx context.Context, q record.Query) ([]workflows.Execution, error)
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
	inbound.Inbox
	// Pending returns receipts of a source that are not done, oldest first; of every source for "".
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// Memos reads what followers and sources noted. Writing them is part of Commit.
type Memos interface {
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
	// List returns the memos whose key begins with prefix, in the order of their keys.
	List(ctx context.Context, owner, prefix string) ([]Memo, error)
	// ListAfter is List of the keys that come after one, at most limit.
	ListAfter(ctx context.Context, owner, prefix, after string, limit int) ([]Memo, error)
}

// Runs keeps the run folders of the tasks that this host works on.
type Runs interface {
	acting.Runs
	acting.Leftovers
}

// Objects is what stays of tasks when their run folders are gone, and what every
// host can read. Artifacts go in and out by way of a workspace; what the engine
// itself reads is logs.
type Objects interface {
	// OpenLog opens the log of an attempt. No log yet: an empty one.
	OpenLog(execution, stage, action string, attempt int) (io.ReadSeekCloser, error)
}

// Files are what retention removes besides rows, as this host has it.
type Files interface {
	retention.Files
	// HasArtifact says whether an artifact is in the data folder.
	HasArtifact(digest string) bool
}

// Runner, Finder and Inline carry out actions; see package acting, which declares them.
type (
	Runner = acting.Runner
	Finder = acting.Finder
	Inline = acting.Inline
)

// Source, Differ and Comparer know repositories; see package inbound, which declares them.
type (
	Source   = inbound.Source
	Differ   = inbound.Differ
	Comparer = inbound.Comparer
)

// Pulls and Issues know what is in a release beyond its commits; see package
// contents, which declares them.
type (
	Pulls  = contents.Pulls
	Issues = contents.Issues
)

// Follower keeps part of the outside world in step with what was committed.
type Follower = following.Follower

// Directory answers memberships that only the outside knows: "slack-group:S…",
// "github-team:ORG/TEAM". A failed look-up is an error, never a no. Answers are
// never older than 5 s. Somebody who is absent, and whose deputy asks, is known by
// the e-mail address alone (ID "mail:ADDRESS"); whom nobody knows is in no group.
// An error that does not pass by itself is a *workflows.Problem, whose Hint says
// what to do about it.
type Directory interface {
	Member(ctx context.Context, p workflows.Principal, group string) (bool, error)
}

// People says who somebody is now, at most 5 s ago: the same principal as they
// are called and addressed now, or why they are a Stranger by now. Whom it does
// not know (a machine, a session of another surface) it gives back as they are;
// somebody of whom only an e-mail address is known (ID "mail:ADDRESS") is a
// Stranger when nobody has it. Errors are as those of a Directory.
type People interface {
	Now(ctx context.Context, p workflows.Principal) (workflows.Principal, error)
}
