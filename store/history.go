package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	defaultPage = 20
	largestPage = 100
	// shortestEnding is how much of an ID's end must be given to look it up by it.
	shortestEnding = 6
)

// Execution returns the row of that ID; ok is false when there is none. The row
// of an unfinished execution may be older than the log.
func (db *DB) Execution(ctx context.Context, id string) (e workflows.Execution, ok bool, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		e, ok, err = db.execution(tx, id)
		return err
	})
	return e, ok, err
}

func (db *DB) execution(tx *bbolt.Tx, id string) (e workflows.Execution, ok bool, err error) {
	if row := live.in(tx).Get([]byte(id)); row != nil {
		e, err = db.codec.decodeExecution(live, row)
	} else if row := ended.in(tx).Get([]byte(id)); row != nil {
		e, err = db.codec.decodeExecution(ended, row)
	} else {
		return e, false, nil
	}
	if err != nil {
		return workflows.Execution{}, false, fmt.Errorf("execution %s: %w", id, err)
	}
	return e, true, nil
}

// Executions lists a pipeline's rows, newest first: those below number
// q.Before, of status q.Status, that succeeded in the stage
// q.SucceededInStage, at most q.Limit (0: 20; at most 100).
func (db *DB) Executions(ctx context.Context, q record.Query) (es []workflows.Execution, err error) {
	limit := q.Limit
	if limit < 1 {
		limit = defaultPage
	}
	limit = min(limit, largestPage)
	before := uint64(maxNumber)
	if q.Before > 0 {
		before = uint64(q.Before)
	}
	from, names := numbers, []string{q.Pipeline}
	if q.SucceededInStage != "" {
		from, names = successes, append(names, q.SucceededInStage)
	}
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return descend(from.in(tx), named(names...), numbered(before, names...), func(k, row []byte) (bool, error) {
			id, may, err := candidate(tx, from, q, k, row)
			if err != nil || !may {
				return true, cmp.Or(err, ctx.Err())
			}
			e, ok, err := db.execution(tx, id)
			if err != nil {
				return false, err
			}
			if ok && (q.Status == "" || e.Status == q.Status) {
				es = append(es, e)
			}
			return len(es) < limit, ctx.Err()
		})
	})
	return es, err
}

// candidate reads an index row; may is false when the row's letter rules the status out.
func candidate(tx *bbolt.Tx, from bucket, q record.Query, key, row []byte) (id string, may bool, err error) {
	if from == successes {
		id, err = succeeded(tx, q.Pipeline, key, row)
		return id, id != "", err
	}
	l, id, err := decodeNumber(row)
	return id, q.Status == "" || l == letter(q.Status), err
}

// succeeded reads a row of successes: which execution it names; none when that is gone.
func succeeded(tx *bbolt.Tx, pipeline string, key, row []byte) (id string, err error) {
	body, err := unwrap(successes, row)
	if err != nil || row[0] == first {
		return string(body), err
	}
	if len(key) < 8 {
		return "", errors.New("a key of successes is too short; the database is damaged")
	}
	number := numbers.in(tx).Get(append(named(pipeline), key[len(key)-8:]...))
	if number == nil {
		return "", nil
	}
	_, id, err = decodeNumber(number)
	return id, err
}

// Resolve finds IDs by "pipeline#number", by the whole ID, or by its end (at
// least 6 characters, upper or lower case), of ours and of AWS's; at most two are
// returned, so the caller can tell none from several.
func (db *DB) Resolve(ctx context.Context, ref string) (ids []string, err error) {
	ref = strings.TrimSpace(ref)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		if i := strings.LastIndexByte(ref, '#'); i >= 0 {
			ids, err = resolveNumber(tx, ref[:i], ref[i+1:])
			return err
		}
		end := backwards(strings.ToLower(ref))
		if endings.in(tx).Get(end) != nil {
			ids = []string{strings.ToLower(ref)}
			return nil
		}
		if len(end) < shortestEnding {
			return nil
		}
		return ascend(endings.in(tx), end, end, func(k, _ []byte) (bool, error) {
			ids = append(ids, endingOf(k))
			return len(ids) < 2, nil
		})
	})
	return ids, err
}

func resolveNumber(tx *bbolt.Tx, pipeline, number string) ([]string, error) {
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return nil, nil // no number: names nothing
	}
	row := numbers.in(tx).Get(numbered(n, pipeline))
	if row == nil {
		return nil, nil
	}
	_, id, err := decodeNumber(row)
	if err != nil {
		return nil, err
	}
	return []string{id}, nil
}
