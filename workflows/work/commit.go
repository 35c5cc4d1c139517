package work

import (
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// ErrConflict is a store's answer to a commit whose frames do not follow the
// log: somebody else wrote, or the caller's state is stale. Nothing was written.
var ErrConflict = errors.New("the log has moved on; nothing was written")

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
	Receipts []Receipt
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

// Head is a pipeline as the store lists it: small, whatever its history.
type Head struct {
	Pipeline string
	Last     uint64    // Seq of the last frame
	Due      time.Time // of the newest checkpoint
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
