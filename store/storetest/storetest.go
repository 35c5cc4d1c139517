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
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Store is all that rollcall needs of a store. The parts are those that
// workflows/runtime declares where it uses them.
type Store interface {
	Log
	History
	Inbox
	Memos
	Retention
}

// Log makes decisions durable and loads what they add up to.
type Log interface {
	Commit(ctx context.Context, c *record.Commit) error
	Load(ctx context.Context, pipeline string) (record.Checkpoint, []event.Frame, error)
	Pipelines(ctx context.Context) ([]record.Head, error)
	Reopen(ctx context.Context) error
	Close() error
}

// History answers about what was committed.
type History interface {
	Execution(ctx context.Context, id string) (e workflows.Execution, ok bool, err error)
	Executions(ctx context.Context, q record.Query) ([]workflows.Execution, error)
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
	List(ctx context.Context, owner, prefix string) ([]record.Memo, error)
	ListAfter(ctx context.Context, owner, prefix, after string, limit int) ([]record.Memo, error)
}

// Retention lists what there is, for who removes it.
type Retention interface {
	Numbers(ctx context.Context, pipeline string, from, limit int) ([]record.Numbered, error)
	Successes(ctx context.Context, pipeline, stage string, limit int) ([]string, error)
	Ended(ctx context.Context, after string, limit int) ([]workflows.Execution, error)
	Live(ctx context.Context, after string, limit int) ([]workflows.Execution, error)
}

// pairStories are about two members.
var pairStories = []struct {
	name            string
	play            func(*pair)
	together, fence bool // what the store must be able to do
}{
	{name: "who has not seen what another wrote is refused, and goes on after looking", play: moved},
	{name: "of two who claim the same, one acts", play: claimed},
	{name: "of two who claim the same at once, one acts", play: meeting, together: true},
	{name: "a member that was given up writes nothing any more", play: fenced, fence: true},
}

// Run runs the suite. After every story, a store that has a method
// Check(context.Context) ([]string, error) must find nothing wrong with itself.
func Run(t *testing.T, open Factory) {
	stories := []struct {
		name string
		play func(*book)
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
		{"an ended execution is removed with all that leads to it", removed},
		{"what has not ended is not removed, and what is gone is no error", unremoved},
		{"what there is is listed by number, by success and by ID", listed},
		{"two executions cannot share a number", number},
		{"references find none, one or several", resolve},
		{"receipts wait, are done, and are forgotten", receipts},
		{"a claim is inserted unless its key is there", claims},
		{"of many claims of one key at once, one is made", race},
		{"memos are kept by owner, listed by prefix, and deleted when empty", memos},
		{"big values are kept whole", big},
		{"readers beside commits see whole commits only", readers},
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			b := newBook(t, open)
			s.play(b)
			b.verify()
		})
	}
	for _, s := range pairStories {
		t.Run(s.name, func(t *testing.T) {
			dir := t.TempDir()
			if s.together && !open.Together {
				t.Skip("its members take turns")
			}
			p := newPair(t, open, dir)
			if _, ok := p.as("one").Store.(Fencer); s.fence && !ok {
				t.Skip("it has no fence: who has it open owns it")
			}
			s.play(p)
		})
	}
	t.Run("a store is a plain map, whatever happens", func(t *testing.T) { model(t, open) })
}
