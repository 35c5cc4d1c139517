// Package storetest is the suite that every store must pass.
//
// A store makes commits durable, all or nothing, and answers from what was
// committed; the suite says what that means in stories, and then compares the
// store with a plain map over random ones. A store's own tests add what only
// they can do: kill the process, damage the file.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Store is all that rollcall needs of a store. The parts are those that
// workflows/runtime declares where it uses them.
type Store interface {
	Log
	History
	Inbox
	Memos
}

// Log makes decisions durable and loads what they add up to.
type Log interface {
	Commit(ctx context.Context, c *work.Commit) error
	Load(ctx context.Context, pipeline string) (work.Checkpoint, []event.Frame, error)
	Pipelines(ctx context.Context) ([]work.Head, error)
	Reopen(ctx context.Context) error
	Close() error
}

// History answers about what was committed.
type History interface {
	Execution(ctx context.Context, id string) (e workflows.Execution, ok bool, err error)
	Executions(ctx context.Context, q workflows.ExecutionQuery) ([]workflows.Execution, error)
	Resolve(ctx context.Context, ref string) ([]string, error)
	Frames(ctx context.Context, pipeline string, after uint64, limit int) ([]event.Frame, error)
	Feed(ctx context.Context, after uint64, limit int) ([]event.Frame, error)
}

// Inbox keeps receipts.
type Inbox interface {
	Receipt(ctx context.Context, key string) (r work.Receipt, ok bool, err error)
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
	Forget(ctx context.Context, before time.Time, limit int) (removed int, err error)
}

// Memos reads what followers and sources noted.
type Memos interface {
	Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error)
	List(ctx context.Context, owner, prefix string) ([]work.Memo, error)
}

// Factory opens the store that lives in dir, a fresh one when dir is empty. It
// ends the test when it cannot. The suite closes what it opens.
type Factory func(t testing.TB, dir string) Store

// Run runs the suite. After every story, a store that has a method
// Check(context.Context) ([]string, error) must find nothing wrong with itself.
func Run(t *testing.T, open Factory) {
	stories := []struct {
		name string
		tell func(*book)
	}{
		{"an empty store answers with nothing", empty},
		{"frames are stamped, chained and fed in order", chain},
		{"a frame that does not follow the log is a conflict", conflict},
		{"a refused commit leaves nothing behind", atomic},
		{"a checkpoint and the frames after it are loaded", load},
		{"the list of pipelines says where they end and when they are due", listing},
		{"what was committed is there after closing and reopening", reload},
		{"a closed store says so", closed},
		{"a cancelled question is not answered", cancelled},
		{"executions are listed newest first, by page, status and success", query},
		{"an execution moves between live and ended without a trace", move},
		{"two executions cannot share a number", number},
		{"references find none, one or several", resolve},
		{"receipts wait, are done, and are forgotten", receipts},
		{"memos are kept by owner, listed by prefix, and deleted when empty", memos},
		{"big values are kept whole", big},
		{"readers beside commits see whole commits only", readers},
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			b := newBook(t, open)
			s.tell(b)
			b.verify()
		})
	}
	t.Run("a store is a plain map, whatever happens", func(t *testing.T) { model(t, open) })
}
