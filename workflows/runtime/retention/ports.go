package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Rows are the executions as durable.
type Rows interface {
	// Numbers lists a pipeline's executions by rising number, from a number on.
	Numbers(ctx context.Context, pipeline string, from, limit int) ([]record.Numbered, error)
	// Successes are the IDs of a stage's newest successes, newest first.
	Successes(ctx context.Context, pipeline, stage string, limit int) ([]string, error)
	// Execution returns the row of that ID; ok is false when there is none.
	Execution(ctx context.Context, id string) (x workflows.Execution, ok bool, err error)
	// Ended lists ended executions of all pipelines in the order of their IDs, after one.
	Ended(ctx context.Context, after string, limit int) ([]workflows.Execution, error)
	// Live does so for those that have not ended; their rows may be older than the log.
	Live(ctx context.Context, after string, limit int) ([]workflows.Execution, error)
}

// States are the pipelines as committed.
type States interface {
	// Names are the names of all pipelines, in no order.
	Names() []string
	// Read calls f with a pipeline's state, which f must not keep.
	Read(ctx context.Context, pipeline string, f func(s *machine.State) error) error
	// Last is the sequence number of a pipeline's last frame.
	Last(pipeline string) (seq uint64, ok bool)
}

// Commits makes rows durable that belong to no decision.
type Commits interface {
	// Persist returns nil once they are durable.
	Persist(ctx context.Context, rows record.Commit) error
}

// Files are logs and artifacts, on this host and elsewhere.
type Files interface {
	// Logs lists the executions of which there are logs, in the order of their IDs.
	Logs(ctx context.Context) ([]work.Stored, error)
	RemoveLogs(execution string) error
	// Artifacts lists the digests of the artifacts, of those that are kept elsewhere the
	// places (see [workflows.Artifact.Place]), and when each was last stored; those of tasks whose outcome is not durable yet are left out.
	Artifacts(ctx context.Context) ([]work.Stored, error)
	// RemoveArtifact removes an artifact unless it was stored at that time or
	// later, or by a task whose outcome is not durable yet.
	RemoveArtifact(name string, before time.Time) (removed bool, err error)
}

// Timers call back at a time.
type Timers interface {
	// Set has fire called once; an earlier timer of the same key is replaced.
	// fire must not block.
	Set(key string, at time.Time, fire func())
}

// Options are what the package works with. Files may be nil: then there are none.
type Options struct {
	Policy  Policy
	Rows    Rows
	States  States
	Commits Commits
	Files   Files
	Timers  Timers
	// Memos are those of an execution that go with it.
	Memos func(x *workflows.Execution) []record.Memo
	Now   func() time.Time
	Log   *slog.Logger
}
