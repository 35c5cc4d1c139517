package contents

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Pulls knows by which pull requests commits came.
type Pulls interface {
	// Pulls says it of commits of a repository, newest first, in at most so many
	// calls. What was found before an error comes with it; the error is half a
	// sentence for people.
	Pulls(ctx context.Context, repository string, commits []work.Commit, most int) (work.Pulled, error)
}

// Issues knows the issues of a tracker.
type Issues interface {
	// Issues says which of the keys there are, in at most so many calls. What was
	// found before an error comes with it; the error is half a sentence for people.
	Issues(ctx context.Context, keys []string, most int) (work.Tracked, error)
}

// Memos reads key-value rows of earlier commits.
type Memos interface {
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
}

// Commits makes rows durable that belong to no decision.
type Commits interface {
	Persist(ctx context.Context, rows record.Commit) error
}

// Options are what the package works with. All are needed but Pulls and Issues.
type Options struct {
	Pulls   Pulls  // nil: nobody knows
	Issues  Issues // nil: nobody knows
	Memos   Memos
	Commits Commits
	Now     func() time.Time
	// Go runs f on a goroutine of its own; false: the process is ending and f does not run.
	Go func(f func()) bool
	// Stopping is closed when the process is ending: nobody is asked any more.
	Stopping <-chan struct{}
	Log      *slog.Logger
}
