package store

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options says how the file is opened. The zero value is right for the service.
type Options struct {
	// MapSize is how much address space, in bytes, is mapped at once; 0: 64 GiB.
	// Tests that open many files choose less.
	MapSize int64
	// LockTimeout is how long to wait for another process to let go of the file; 0: 1 s.
	LockTimeout time.Duration
	// NoSync leaves out fsync: nothing is durable. For tests only.
	NoSync bool
}

// DB is the durable store. Its methods may be called from any goroutine.
type DB struct{}

// Open opens the file at path, and creates it with its folder when it is not there.
func Open(path string, o Options) (*DB, error) { return nil, errors.ErrUnsupported }

// Commit makes c durable, all or nothing.
func (db *DB) Commit(ctx context.Context, c *work.Commit) error { return errors.ErrUnsupported }

// Load returns a pipeline's newest checkpoint and the frames after it.
func (db *DB) Load(ctx context.Context, pipeline string) (work.Checkpoint, []event.Frame, error) {
	return work.Checkpoint{}, nil, errors.ErrUnsupported
}

// Pipelines lists every pipeline.
func (db *DB) Pipelines(ctx context.Context) ([]work.Head, error) { return nil, errors.ErrUnsupported }

// Reopen closes and opens the file again.
func (db *DB) Reopen(ctx context.Context) error { return errors.ErrUnsupported }

// Close closes the file.
func (db *DB) Close() error { return errors.ErrUnsupported }

// Check verifies the hash chain and that every row decodes; it returns problems as sentences.
func (db *DB) Check(ctx context.Context) ([]string, error) { return nil, errors.ErrUnsupported }

// Execution returns the row of that ID.
func (db *DB) Execution(ctx context.Context, id string) (workflows.Execution, bool, error) {
	return workflows.Execution{}, false, errors.ErrUnsupported
}

// Executions lists rows, newest first.
func (db *DB) Executions(ctx context.Context, q workflows.ExecutionQuery) ([]workflows.Execution, error) {
	return nil, errors.ErrUnsupported
}

// Resolve finds IDs by number, whole ID or its end.
func (db *DB) Resolve(ctx context.Context, ref string) ([]string, error) {
	return nil, errors.ErrUnsupported
}

// Frames returns a pipeline's frames after seq.
func (db *DB) Frames(ctx context.Context, pipeline string, after uint64, limit int) ([]event.Frame, error) {
	return nil, errors.ErrUnsupported
}

// Feed returns frames of all pipelines after a feed position.
func (db *DB) Feed(ctx context.Context, after uint64, limit int) ([]event.Frame, error) {
	return nil, errors.ErrUnsupported
}

// Receipt returns the receipt of that key.
func (db *DB) Receipt(ctx context.Context, key string) (work.Receipt, bool, error) {
	return work.Receipt{}, false, errors.ErrUnsupported
}

// Pending returns a source's receipts that are not done, oldest first.
func (db *DB) Pending(ctx context.Context, source string) ([]work.Receipt, error) {
	return nil, errors.ErrUnsupported
}

// Forget removes receipts that are done and older than before.
func (db *DB) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	return 0, errors.ErrUnsupported
}

// Memo returns the memo of that owner and key.
func (db *DB) Memo(ctx context.Context, owner, key string) ([]byte, bool, error) {
	return nil, false, errors.ErrUnsupported
}

// List returns an owner's memos whose key begins with prefix.
func (db *DB) List(ctx context.Context, owner, prefix string) ([]work.Memo, error) {
	return nil, errors.ErrUnsupported
}
