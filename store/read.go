package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// defaultLimit is taken where a caller asks for fewer than one row.
const defaultLimit = 1000

func orDefault(limit int) int {
	if limit < 1 {
		return defaultLimit
	}
	return limit
}

// Load returns a pipeline's newest checkpoint and the frames after it, in
// order. A pipeline that was never written: a zero Checkpoint and no frames.
func (db *DB) Load(ctx context.Context, pipeline string) (c work.Checkpoint, after []event.Frame, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		if row := checkpoints.in(tx).Get([]byte(pipeline)); row != nil {
			if c, err = decodeCheckpoint(pipeline, row); err != nil {
				return err
			}
		}
		after, err = readFrames(tx, pipeline, c.Seq, 0)
		return err
	})
	if err != nil {
		return work.Checkpoint{}, nil, fmt.Errorf("loading %s: %w", pipeline, err)
	}
	return c, after, nil
}

// Pipelines returns the end of every pipeline's log and when it is due, in the
// order of their names. It reads no state.
func (db *DB) Pipelines(ctx context.Context) (all []work.Head, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return heads.in(tx).ForEach(func(k, v []byte) error {
			var h headRow
			if err := unwrapJSON(heads, v, &h); err != nil {
				return fmt.Errorf("pipeline %s: %w", k, err)
			}
			all = append(all, work.Head{Pipeline: string(k), Last: h.Last, Due: h.Due})
			return nil
		})
	})
	return all, err
}

// Frames returns a pipeline's frames after seq, in order, at most limit; below 1, limit is 1000.
func (db *DB) Frames(ctx context.Context, pipeline string, after uint64, limit int) (fs []event.Frame, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		fs, err = readFrames(tx, pipeline, after, orDefault(limit))
		return err
	})
	return fs, err
}

// Feed returns frames of all pipelines after a feed position, in order, at most
// limit; below 1, limit is 1000.
func (db *DB) Feed(ctx context.Context, after uint64, limit int) (fs []event.Frame, err error) {
	if after == maxNumber {
		return nil, nil
	}
	limit = orDefault(limit)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return ascend(frames.in(tx), nil, feedKey(after+1), func(k, v []byte) (bool, error) {
			f, err := decodeFrame(binary.BigEndian.Uint64(k), v)
			if err != nil {
				return false, err
			}
			fs = append(fs, f)
			return len(fs) < limit, ctx.Err()
		})
	})
	return fs, err
}

// readFrames follows the index from after on; limit 0: to the end.
func readFrames(tx *bbolt.Tx, pipeline string, after uint64, limit int) (fs []event.Frame, err error) {
	if after == maxNumber {
		return nil, nil
	}
	log := frames.in(tx)
	err = ascend(sequence.in(tx), named(pipeline), numbered(after+1, pipeline), func(k, v []byte) (bool, error) {
		feed, err := decodeUint(sequence, v)
		if err != nil {
			return false, err
		}
		f, err := decodeFrame(feed, log.Get(feedKey(feed)))
		if err != nil {
			return false, fmt.Errorf("frame %d: %w", feed, err)
		}
		fs = append(fs, f)
		return len(fs) != limit, nil
	})
	return fs, err
}

func lastFeed(log *bbolt.Bucket) (uint64, error) {
	k, _ := log.Cursor().Last()
	switch len(k) {
	case 0:
		return 0, nil
	case 8:
		return binary.BigEndian.Uint64(k), nil
	}
	return 0, fmt.Errorf("the log ends with a key of %d bytes; the database is damaged", len(k))
}

// Receipt returns the receipt of that key; ok is false when there is none.
func (db *DB) Receipt(ctx context.Context, key string) (r work.Receipt, ok bool, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		row := receipts.in(tx).Get([]byte(key))
		if ok = row != nil; !ok {
			return nil
		}
		return unwrapJSON(receipts, row, &r)
	})
	if err != nil {
		return work.Receipt{}, false, fmt.Errorf("receipt %s: %w", key, err)
	}
	return r, ok, nil
}

// Pending returns the receipts of a source that are not done, oldest first.
func (db *DB) Pending(ctx context.Context, source string) (rs []work.Receipt, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		rows, prefix := receipts.in(tx), named(source)
		return ascend(pending.in(tx), prefix, prefix, func(k, _ []byte) (bool, error) {
			key := k[min(len(k), len(prefix)+timeSize):]
			var r work.Receipt
			if err := unwrapJSON(receipts, rows.Get(key), &r); err != nil {
				return false, fmt.Errorf("receipt %s: %w", key, err)
			}
			rs = append(rs, r)
			return true, ctx.Err()
		})
	})
	return rs, err
}

// Memo returns what owner noted under key; ok is false when there is nothing.
func (db *DB) Memo(ctx context.Context, owner, key string) (value []byte, ok bool, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		row := memos.in(tx).Get(append(named(owner), key...))
		if ok = row != nil; !ok {
			return nil
		}
		body, err := unwrap(memos, row)
		value = bytes.Clone(body)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("memo %s of %s: %w", key, owner, err)
	}
	return value, ok, nil
}

// List returns owner's memos whose key begins with prefix, in the order of their keys.
func (db *DB) List(ctx context.Context, owner, prefix string) (ms []work.Memo, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		mine := named(owner)
		from := append(named(owner), prefix...)
		return ascend(memos.in(tx), from, from, func(k, v []byte) (bool, error) {
			value, err := unwrap(memos, v)
			if err != nil {
				return false, fmt.Errorf("memo %s of %s: %w", k[len(mine):], owner, err)
			}
			ms = append(ms, work.Memo{Owner: owner, Key: string(k[len(mine):]), Value: bytes.Clone(value)})
			return true, ctx.Err()
		})
	})
	return ms, err
}
