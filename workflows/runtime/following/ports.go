package following

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Follower keeps part of the outside world in step with what was committed: a
// mirror renders the newest snapshot, a journal takes every event once.
type Follower interface {
	Name() string
	// Follow is called with what it has not accepted, one call at a time per
	// pipeline. nil accepts; after an error the same frames come again, after
	// 1 s, doubling to 30 s. *event.Unfinished accepts as well, and asks to be
	// called again, so that one thing that cannot be done keeps up nothing else.
	Follow(ctx context.Context, b event.Batch) error
}

// Selective is a [Follower] to which most frames are nothing. It is not called
// for those, and they cost no commit: a restart may bring them again.
type Selective interface {
	// Concerns says whether a frame is worth a call. It is asked in the order of
	// the feed and must not block.
	Concerns(f event.Frame) bool
}

// Log reads what was committed.
type Log interface {
	// Frames returns a pipeline's frames after seq, in order, at most limit.
	Frames(ctx context.Context, pipeline string, after uint64, limit int) ([]event.Frame, error)
	// Feed returns frames of all pipelines after a feed position, in order, at most limit.
	Feed(ctx context.Context, after uint64, limit int) ([]event.Frame, error)
}

// States says what of a pipeline is durable.
type States interface {
	// Fold returns a pipeline's state as committed, and the sequence number of its last frame.
	Fold(ctx context.Context, pipeline string) (s *machine.State, seq uint64, err error)
	// Last returns the sequence number of a pipeline's last committed frame; ok is false when there is no such pipeline.
	Last(pipeline string) (seq uint64, ok bool)
}

// Memos reads what was noted in earlier commits.
type Memos interface {
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
	List(ctx context.Context, owner, prefix string) ([]record.Memo, error)
}

// Commits makes memos durable.
type Commits interface {
	// Persist commits rows that belong to no decision, and waits for it.
	Persist(ctx context.Context, c record.Commit) error
	// RequestCommit has a commit made soon, which takes positions along.
	RequestCommit()
}

// Timers call back at a time. Losing them loses nothing: what is set follows
// from what is durable.
type Timers interface {
	// Set has fire called once; an earlier timer of the same key is replaced.
	// fire must not block.
	Set(key string, at time.Time, fire func())
}

// Options are what [Followers] and [ReadModels] work with. All are needed.
type Options struct {
	Log     Log
	States  States
	Memos   Memos
	Commits Commits
	Timers  Timers
	Go      func(f func()) bool // starts a goroutine; false: shutdown has begun, and it does not
	Now     func() time.Time
	Logger  *slog.Logger
}
