package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
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
func (db *DB) Load(ctx context.Context, pipeline string) (c record.Checkpoint, after []event.Frame, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		if row := checkpoints.in(tx).Get([]byte(pipeline)); row != nil {
			if c, err = db.codec.decodeCheckpoint(pipeline, row); err != nil {
				return err
			}
		}
		if row := heads.in(tx).Get([]byte(pipeline)); row != nil {
			h, err := decodeHead(row)
			if err != nil {
				return err
			}
			c.Due = h.Due
		}
		after, err = db.codec.readFrames(tx, pipeline, c.Seq, 0)
		return err
	})
	if err != nil {
		return record.Checkpoint{}, nil, fmt.Errorf("loading %s: %w", pipeline, err)
	}
	return c, after, nil
}

// Pipelines returns the end of every pipeline's log and when it is due, in the
// order of their names. It reads no state.
func (db *DB) Pipelines(ctx context.Context) (all []record.Head, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return heads.in(tx).ForEach(func(k, v []byte) error {
			h, _, err := readHead(v)
			if err != nil {
				return fmt.Errorf("pipeline %s: %w", k, err)
			}
			all = append(all, record.Head{Pipeline: string(k), Last: h.Last, Due: h.Due})
			return nil
		})
	})
	return all, err
}

// Frames returns a pipeline's frames after seq, in order, at most limit; below 1, limit is 1000.
func (db *DB) Frames(ctx context.Context, pipeline string, after uint64, limit int) (fs []event.Frame, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		fs, err = db.codec.readFrames(tx, pipeline, after, orDefault(limit))
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
			f, err := db.codec.decodeFrame(binary.BigEndian.Uint64(k), v)
			if err != nil {
				return false, err
			}
			fs = append(fs, f)
			return len(fs) < limit, ctx.Err()
		})
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

// Pending returns the receipts of a source that are not done, oldest first; of
// every source, one after the other, for "".
func (db *DB) Pending(ctx context.Context, source string) (rs []work.Receipt, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		rows, prefix := receipts.in(tx), []byte(nil)
		if source != "" {
			prefix = named(source)
		}
		return ascend(pending.in(tx), prefix, prefix, func(k, _ []byte) (bool, error) {
			_, key, _ := bytes.Cut(k, []byte{0})
			key = key[min(len(key), timeSize):]
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
		value, err = db.codec.decodeMemo(row)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("memo %s of %s: %w", key, owner, err)
	}
	return value, ok, nil
}

// List returns owner's memos whose key begins with prefix, in the order of their keys.
func (db *DB) List(ctx context.Context, owner, prefix string) (ms []record.Memo, err error) {
	return db.ListAfter(ctx, owner, prefix, "", math.MaxInt)
}

// ListAfter is List of the keys that come after one, at most limit: a page.
func (db *DB) ListAfter(ctx context.Context, owner, prefix, after string, limit int) (ms []record.Memo, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		mine := named(owner)
		all := append(named(owner), prefix...)
		from := all
		if after != "" {
			from = append(append(named(owner), after...), 0)
		}
		return ascend(memos.in(tx), all, from, func(k, v []byte) (bool, error) {
			value, err := db.codec.decodeMemo(v)
			if err != nil {
				return false, fmt.Errorf("memo %s of %s: %w", k[len(mine):], owner, err)
			}
			ms = append(ms, record.Memo{Owner: owner, Key: string(k[len(mine):]), Value: value})
			return len(ms) < limit, ctx.Err()
		})
	})
	return ms, err
}
