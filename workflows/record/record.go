// Package record says what one durable write holds, what a store may answer, and
// what it is asked for.
//
// A [Commit] is data, never a closure: the frames that were decided, the
// [Checkpoint] of each pipeline, the rows of executions and of successes, and
// the receipts and memos that ride on the decision. All of it becomes durable
// or none. A store answers nil, [ErrConflict], [ErrFenced], or any other error,
// which means that the end is unknown. A [Query] is how its rows of executions
// are asked for.
//
// The package is pure: values only.
package record

import (
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ErrConflict is a store's answer to a commit whose frames do not follow the
// log, or whose claims are taken: somebody else wrote, or the caller's state is
// stale. Nothing was written; load the state again, and decide again.
var ErrConflict = errors.New("the log has moved on; nothing was written")

// Conflict is an [ErrConflict] that says what stood in the way, so that of many
// decisions in one commit only those concerned need be made again. One of its
// fields is set.
type Conflict struct {
	Pipeline string // its log has moved on
	Claim    string // key of a receipt that is there already
}

// Error says whose log or which receipt it is.
func (c *Conflict) Error() string {
	if c.Claim != "" {
		return "the receipt " + c.Claim + " is there already; nothing was written"
	}
	return "the log of " + c.Pipeline + " has moved on; nothing was written"
}

// Is makes errors.Is(err, ErrConflict) true.
func (c *Conflict) Is(target error) bool { return target == ErrConflict }

// ErrFenced is a store's answer to a commit of a process whose share of the
// pipelines another one has taken over. Nothing was written, and nothing ever
// will be through this store: the process ends and is started again. A store
// that one process owns alone (bbolt) never answers it.
var ErrFenced = errors.New("another process has taken over; nothing was written, and nothing will be through this one")

// Commit is what one durable write holds. It is data, never a closure, so that
// another store can carry it out elsewhere. All of it becomes durable or none.
type Commit struct {
	// Frames are appended; Frame.Seq must follow the pipeline's last one, else
	// the store answers with a Conflict and writes nothing. The store fills in
	// Feed, Prev and Hash.
	Frames []event.Frame
	// Checkpoints replace the pipelines' newest ones, and their due times.
	Checkpoints []Checkpoint
	// Dues replace the pipelines' due times; what they were checkpointed with stays.
	Dues []Due
	// Executions replace the rows of that ID. Those of ended executions may be stored compressed.
	Executions []workflows.Execution
	// Successes are added to the index that answers SucceededInStage.
	Successes []Success
	// Claims are receipts that must be new. When one is Taken, the store answers
	// with a Conflict and writes nothing. Two of one key in a commit are one too.
	Claims []Claim
	// Receipts are inserted or replaced by key.
	Receipts []work.Receipt
	// Memos are inserted or replaced; an empty value deletes.
	Memos []Memo
	// Removed are the IDs of ended executions whose rows go, and all that leads to
	// them, after everything else is written. One that has not ended stays, and
	// one that is not there is no error. Frames are never removed.
	Removed []string

	// Encoded are some of these rows as the store will write them, if it made
	// them before the commit. Only Add and the store touch it.
	Encoded Encoded
}

// Encoded are rows in a store's own form, by the place in the commit of what
// they are made from. One that is empty or missing is made with the commit.
type Encoded struct {
	Frames, Checkpoints, Executions, Memos [][]byte
}

// Checkpoint is a pipeline's state after its frame Seq, as machine.State marshals it.
type Checkpoint struct {
	Pipeline string
	Seq      uint64
	State    []byte
	// Due is when the pipeline must be looked at again; zero: nothing is due. It
	// is loaded as the newest commit said it, be that with a checkpoint or without.
	Due time.Time
}

// Due says when a pipeline must be looked at again; the zero time: nothing is due.
type Due struct {
	Pipeline string
	At       time.Time
}

// Add adds the rows of another commit.
func (c *Commit) Add(more Commit) {
	e, m := &c.Encoded, &more.Encoded
	e.Frames = behind(e.Frames, len(c.Frames), m.Frames)
	e.Checkpoints = behind(e.Checkpoints, len(c.Checkpoints), m.Checkpoints)
	e.Executions = behind(e.Executions, len(c.Executions), m.Executions)
	e.Memos = behind(e.Memos, len(c.Memos), m.Memos)
	c.Frames = append(c.Frames, more.Frames...)
	c.Checkpoints = append(c.Checkpoints, more.Checkpoints...)
	c.Dues = append(c.Dues, more.Dues...)
	c.Executions = append(c.Executions, more.Executions...)
	c.Successes = append(c.Successes, more.Successes...)
	c.Claims = append(c.Claims, more.Claims...)
	c.Receipts = append(c.Receipts, more.Receipts...)
	c.Memos = append(c.Memos, more.Memos...)
	c.Removed = append(c.Removed, more.Removed...)
}

// behind appends rows at the place n.
func behind(rows [][]byte, n int, more [][]byte) [][]byte {
	if len(more) == 0 {
		return rows
	}
	return append(append(rows, make([][]byte, n-len(rows))...), more...)
}

// Empty says whether there is nothing to write.
func (c *Commit) Empty() bool {
	return len(c.Frames)+len(c.Checkpoints)+len(c.Dues)+len(c.Executions)+len(c.Successes)+len(c.Claims)+len(c.Receipts)+len(c.Memos)+len(c.Removed) == 0
}

// Head is a pipeline as the store lists it: small, whatever its history.
type Head struct {
	Pipeline string
	Last     uint64    // Seq of the last frame
	Due      time.Time // when it must be looked at again; zero: nothing is due
}

// Success says that an execution succeeded in a stage.
type Success struct {
	Pipeline, Stage, Execution string
	Number                     int
}

// Numbered is an execution as the index of numbers knows it, without its row.
type Numbered struct {
	Number    int
	Execution string
	Ended     bool // false: it certainly has not
}

// Claim is a receipt that is inserted unless its key is there: of two who are
// told the same thing, one acts, whichever process they belong to.
type Claim struct {
	work.Receipt
	Since time.Time // a receipt of before that counts as not there; zero: none does
}

// Taken says whether the receipt that is there under the key stands in the way.
func (c *Claim) Taken(there work.Receipt) bool { return !there.At.Before(c.Since) }

// Memo is one row of a follower's or a source's memory of the outside world.
type Memo struct {
	Owner, Key string // owner: the follower's name
	Value      []byte
}
