package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

var (
	errPower  = errors.New("the power went out")
	errSector = errors.New("a sector cannot be read")
	errLost   = errors.New("the answer was lost")
)

// port is one process's way to the disk.
type port struct {
	w *world
	p *process
}

// Encode makes rows ahead, where the disk is a store that does.
func (q *port) Encode(c *runtime.Commit) {
	if e, ok := q.w.disk.(interface{ Encode(c *runtime.Commit) }); ok {
		e.Encode(c)
	}
}

// Commit is where a process can die, or be told nothing.
func (q *port) Commit(ctx context.Context, c *runtime.Commit) error {
	f, _ := q.w.park(context.Background(), q.p, "commit", "")
	if err := q.write(ctx, c, f); err != nil || f.how != late {
		return err
	}
	if f, _ = q.w.park(context.Background(), q.p, "answer", ""); f.how != fine {
		return errPower
	}
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	q.p.unsure = false
	return nil
}

func (q *port) write(ctx context.Context, c *runtime.Commit, f fate) error {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	if q.p.unsure = f.how != fine; f.how == before || f.how == gone {
		return errPower
	}
	err := q.w.disk.Commit(ctx, c)
	if err != nil {
		q.w.violatedLocked("what the engine commits follows the log", "%v", err)
		return err
	}
	q.w.ledger.committed(c)
	if f.how == after {
		return errPower
	}
	return nil
}

// describe says what a commit holds.
func describe(c *runtime.Commit) string {
	var parts []string
	for _, f := range c.Frames {
		var kinds []string
		for _, ev := range f.Events {
			kinds = append(kinds, string(ev.Kind))
		}
		parts = append(parts, fmt.Sprintf("%s/%d %s", f.Pipeline, f.Seq, strings.Join(kinds, " ")))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d checkpoints, %d receipts, %d memos", len(c.Checkpoints), len(c.Claims)+len(c.Receipts), len(c.Memos))
	}
	return strings.Join(parts, "; ")
}

// Reopen may fail a few times.
func (q *port) Reopen(ctx context.Context) error {
	f, _ := q.w.park(context.Background(), q.p, "reopen", "")
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	if f.how != fine {
		return errPower
	}
	return q.w.disk.Reopen(ctx)
}

// Close is never called: the disk outlives processes.
func (q *port) Close() error { return nil }

// read reads from the disk, for a living process and while that can be read.
// Those with a key wait for the scheduler too, so that goroutines that were woken
// together go on one after the other; they are answered at once, in the order of
// their keys. The others are made under a lock, and must not wait.
func (q *port) read(key string, read func() error) error {
	if key != "" {
		_, _ = q.w.park(context.Background(), q.p, "read", key)
	}
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	if q.p.dead {
		return errPower
	}
	if !q.w.sight.Load() {
		return errSector
	}
	return read()
}

func (q *port) Load(ctx context.Context, pipeline string) (cp runtime.Checkpoint, frames []event.Frame, err error) {
	err = q.read("", func() error { cp, frames, err = q.w.disk.Load(ctx, pipeline); return err })
	return cp, frames, err
}

func (q *port) Pipelines(ctx context.Context) (heads []runtime.Head, err error) {
	err = q.read("", func() error {
		heads, err = q.w.disk.Pipelines(ctx)
		q.p.unsure = q.p.unsure && err != nil // what there is, is known again
		return err
	})
	return heads, err
}

func (q *port) Execution(ctx context.Context, id string) (e workflows.Execution, ok bool, err error) {
	err = q.read("execution "+q.w.name(id), func() error { e, ok, err = q.w.disk.Execution(ctx, id); return err })
	return e, ok, err
}

func (q *port) Executions(ctx context.Context, query record.Query) (all []workflows.Execution, err error) {
	err = q.read("executions "+query.Pipeline, func() error { all, err = q.w.disk.Executions(ctx, query); return err })
	return all, err
}

func (q *port) Resolve(ctx context.Context, ref string) (ids []string, err error) {
	err = q.read("resolve "+q.w.name(ref), func() error { ids, err = q.w.disk.Resolve(ctx, ref); return err })
	return ids, err
}

func (q *port) Frames(ctx context.Context, pipeline string, after uint64, limit int) (frames []event.Frame, err error) {
	err = q.read("", func() error { frames, err = q.w.disk.Frames(ctx, pipeline, after, limit); return err })
	return frames, err
}

// Feed waits for the scheduler as other calls do: what it finds depends on what is
// committed meanwhile.
func (q *port) Feed(ctx context.Context, after uint64, limit int) (frames []event.Frame, err error) {
	f, err := q.w.park(ctx, q.p, "feed", fmt.Sprint(after))
	if err != nil {
		return nil, err
	}
	if f.how != fine {
		return nil, errSector
	}
	err = q.read("", func() error { frames, err = q.w.disk.Feed(ctx, after, limit); return err })
	return frames, err
}

func (q *port) Receipt(ctx context.Context, key string) (r work.Receipt, ok bool, err error) {
	err = q.read("receipt "+key, func() error { r, ok, err = q.w.disk.Receipt(ctx, key); return err })
	return r, ok, err
}

func (q *port) Pending(ctx context.Context, source string) (all []work.Receipt, err error) {
	err = q.read("pending "+source, func() error { all, err = q.w.disk.Pending(ctx, source); return err })
	return all, err
}

func (q *port) Forget(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = q.read("", func() error { n, err = q.w.disk.Forget(ctx, before, limit); return err })
	return n, err
}

func (q *port) Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error) {
	err = q.read("memo "+owner+" "+q.w.name(key), func() error { value, ok, err = q.w.disk.Memo(ctx, owner, key); return err })
	return value, ok, err
}

func (q *port) List(ctx context.Context, owner, prefix string) (all []runtime.Memo, err error) {
	err = q.read("list "+owner+" "+prefix, func() error { all, err = q.w.disk.List(ctx, owner, prefix); return err })
	return all, err
}

func (q *port) ListAfter(ctx context.Context, owner, prefix, after string, limit int) (all []runtime.Memo, err error) {
	err = q.read("list "+owner+" "+prefix, func() error { all, err = q.w.disk.ListAfter(ctx, owner, prefix, after, limit); return err })
	return all, err
}

// name is a text with the names of executions instead of their IDs, as keys need it.
func (w *world) name(text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uuid.ReplaceAllStringFunc(text, w.ledger.ref)
}

// desk is Runs and Objects of a process without files; see retention_test.go for its artifacts.
type desk struct {
	w *world
	p *process
}

func (d desk) Workspace(t work.Task) (work.Workspace, error) { return room{d, t.ID}, nil }
func (d desk) Release(t work.Task) error                     { d.unpin(t.ID); return nil }
func (desk) Left(context.Context) ([]string, error)          { return nil, nil }
func (desk) OpenLog(string, string, string, int) (io.ReadSeekCloser, error) {
	return nil, errors.New("there are no logs here")
}

// room is a workspace that nobody works in.
type room struct {
	desk
	task string
}

func (room) Dir() string                             { return "" }
func (room) LogFile() string                         { return "" }
func (room) Unpack(workflows.Artifact, string) error { return nil }
func (r room) Pack(digest, _ string, _ []string) (workflows.Artifact, error) {
	r.store(r.task, digest)
	return workflows.Artifact{Digest: digest}, nil
}
func (room) Log() (io.WriteCloser, error) { return nil, errors.New("no log here") }
