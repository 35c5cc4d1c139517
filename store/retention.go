package store

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// remove takes ended executions out, in the order of their keys: those that lie
// side by side leave whole pages free.
func (w *writer) remove(ids []string) error {
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if err := w.removeOne(id); err != nil {
			return fmt.Errorf("removing execution %s: %w", id, err)
		}
	}
	return nil
}

// removeOne takes the row of an ended execution out, and all that leads to it.
func (w *writer) removeOne(id string) error {
	row := ended.in(w.tx).Get([]byte(id))
	if row == nil {
		return nil // it is gone already, or lives again
	}
	e, err := w.codec.decodeExecution(ended, row)
	if err != nil {
		return err
	}
	if err := ended.in(w.tx).Delete([]byte(id)); err != nil {
		return err
	}
	for _, key := range endingKeys(&e) {
		if err := endings.in(w.tx).Delete(key); err != nil {
			return err
		}
	}
	index := successes.in(w.tx)
	for i := range e.Stages {
		key := numbered(uint64(e.Number), e.Pipeline, e.Stages[i].Name)
		of := index.Get(key)
		if of == nil {
			continue
		}
		if of, err := succeeded(w.tx, e.Pipeline, key, of); err != nil {
			return err
		} else if of != id {
			continue
		}
		if err := index.Delete(key); err != nil {
			return err
		}
	}
	return numbers.in(w.tx).Delete(numbered(uint64(e.Number), e.Pipeline))
}

// Numbers lists a pipeline's executions by rising number, from a number on, at
// most limit; below 1, limit is 1000. It reads no rows of executions.
func (db *DB) Numbers(ctx context.Context, pipeline string, from, limit int) (all []record.Numbered, err error) {
	limit = orDefault(limit)
	prefix := named(pipeline)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return ascend(numbers.in(tx), prefix, numbered(uint64(max(from, 0)), pipeline), func(k, row []byte) (bool, error) {
			status, id, err := decodeNumber(row)
			if err != nil {
				return false, err
			}
			open := status == letter(workflows.StatusInProgress) || status == letter(workflows.StatusStopping)
			all = append(all, record.Numbered{Number: numberIn(k, prefix), Execution: id, Ended: !open})
			return len(all) < limit, ctx.Err()
		})
	})
	return all, err
}

// Successes are the IDs of a stage's newest successes, newest first, at most
// limit; below 1, limit is 1000. It reads no rows of executions.
func (db *DB) Successes(ctx context.Context, pipeline, stage string, limit int) (ids []string, err error) {
	limit = orDefault(limit)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return descend(successes.in(tx), named(pipeline, stage), numbered(maxNumber, pipeline, stage), func(k, row []byte) (bool, error) {
			id, err := succeeded(tx, pipeline, k, row)
			if id != "" {
				ids = append(ids, id)
			}
			return len(ids) < limit, err
		})
	})
	return ids, err
}

// Ended lists ended executions of all pipelines in the order of their IDs, after
// one, at most limit; below 1, limit is 1000.
func (db *DB) Ended(ctx context.Context, after string, limit int) (es []workflows.Execution, err error) {
	limit = orDefault(limit)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return ascend(ended.in(tx), nil, append([]byte(after), 0), func(k, row []byte) (bool, error) {
			e, err := db.codec.decodeExecution(ended, row)
			if err != nil {
				return false, fmt.Errorf("execution %s: %w", k, err)
			}
			es = append(es, e)
			return len(es) < limit, ctx.Err()
		})
	})
	return es, err
}

// Live lists executions that have not ended, of all pipelines in the order of
// their IDs, after one, at most limit; below 1, limit is 1000. Their rows may be
// older than the log.
func (db *DB) Live(ctx context.Context, after string, limit int) (es []workflows.Execution, err error) {
	limit = orDefault(limit)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return ascend(live.in(tx), nil, append([]byte(after), 0), func(k, row []byte) (bool, error) {
			e, err := db.codec.decodeExecution(live, row)
			if err != nil {
				return false, fmt.Errorf("execution %s: %w", k, err)
			}
			es = append(es, e)
			return len(es) < limit, ctx.Err()
		})
	})
	return es, err
}

// numberIn is the number behind the names of a key.
func numberIn(key, prefix []byte) (n int) {
	for _, b := range key[len(prefix):] {
		n = n<<8 | int(b)
	}
	return n
}
