package decider

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Log makes decisions durable and reads them.
type Log interface {
	// Commit makes c durable, all or nothing. record.ErrConflict and
	// record.ErrFenced: nothing was written. Any other error means unknown, not no.
	Commit(ctx context.Context, c *record.Commit) error
	// Load returns a pipeline's newest checkpoint and the frames after it. A
	// pipeline that was never written: a zero Checkpoint and no frames.
	Load(ctx context.Context, pipeline string) (record.Checkpoint, []event.Frame, error)
}

// Encoder is what a Log may be too: it makes the rows of a commit ahead, where
// the decision is made and beside others, so that the one writer need not.
type Encoder interface{ Encode(c *record.Commit) }

// Heads lists what pipelines there are.
type Heads interface {
	// Pipelines returns the newest checkpoint of every pipeline without its
	// State, and Seq of its last frame in Last.
	Pipelines(ctx context.Context) ([]record.Head, error)
	// Reopen closes and opens the store again after a commit of unknown end.
	Reopen(ctx context.Context) error
}

// Facts resolves what a decision needs to know of the outside.
type Facts interface {
	// LookUp answers what a decision asks for, beside the facts it has. people
	// are all that it has asked about so far. A look-up that fails is an error,
	// never a no.
	LookUp(ctx context.Context, pipeline string, have machine.Facts, need *machine.NeedFacts, people []workflows.Principal) (machine.Facts, error)
}

// Tasks carries out what was decided.
type Tasks interface {
	// Reconcile compares the open tasks of a pipeline, as durable, with what is
	// under way. Those in opened have just become durable.
	Reconcile(pipeline string, open []work.Task, opened []string)
	// NotStarted notes tasks that were opened in a commit of unknown end: should
	// they turn out to be durable, nobody has started them.
	NotStarted(taskIDs []string)
}

// Observer is woken by commits. Its methods are called on the writer's
// goroutine, in commit order; they must not wait for a decision.
type Observer interface {
	// Committed is called after a commit with frames.
	Committed(frames []event.Frame)
	// Reloaded is called when others may have written, or a commit of unknown end
	// was: what is durable may be more than Committed was called with.
	Reloaded(ctx context.Context) error
}

// Positions are memos of those who follow the commits, to be saved with them.
type Positions interface {
	// Positions returns what is worth a place in the commit that is being made,
	// and what to call with that commit's end. The last commit takes every change.
	Positions(last bool) (memos []record.Memo, onCommit func(err error))
}

// Options are what a [Decider] works with. All are needed.
type Options struct {
	Log       Log
	Heads     Heads
	Facts     Facts
	Tasks     Tasks
	Observer  Observer
	Positions Positions
	Timers    *Timers
	Index     func(s *machine.State, events []event.Event) []record.Memo // memos that follow from events, for the same commit; s is the state after them
	Encode    func(s *machine.State) ([]byte, error)                     // writes a state down
	Decode    func(data []byte) (*machine.State, error)                  // reads what Encode, also of an earlier version, wrote
	Loops     int                                                        // how many decide side by side
	Host      string                                                     // where tasks that this process starts have their run folders
	Seed      func() [16]byte                                            // what the IDs of one decision are made from
	Go        func(f func()) bool                                        // starts a goroutine; false: shutdown has begun, and it does not
	Unloaded  func()                                                     // called when a pipeline has left memory; must not block
	Stopping  <-chan struct{}                                            // closed when shutdown has begun
	Now       func() time.Time
	Logger    *slog.Logger
}
