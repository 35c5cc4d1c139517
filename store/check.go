package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// enoughProblems is how many a check tells before it stops: the rest of a
// broken file says nothing new.
const enoughProblems = 100

// Check reads the whole file: that every row decodes, that the frames of every
// pipeline form an unbroken chain of hashes up to its head, and that the
// indexes lead where they should. It returns what is wrong as sentences, none
// when all is well; an error says only that it could not look. It runs beside
// commits, and sees the file as it was when it began.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	c := &checker{codec: &db.codec, ctx: ctx, heads: map[string]headRow{}}
	err := db.view(ctx, func(tx *bbolt.Tx) error {
		c.tx = tx
		for _, step := range []func() error{c.log, c.headsMatch, c.states, c.executions, c.numbers, c.successes, c.receipts, c.memos} {
			if err := step(); err != nil || len(c.problems) >= enoughProblems {
				return err
			}
		}
		return nil
	})
	return c.problems, err
}

type checker struct {
	codec    *codec
	ctx      context.Context
	tx       *bbolt.Tx
	heads    map[string]headRow // as the log says they should be
	problems []string
}

func (c *checker) found(format string, a ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, a...))
}

// each visits all rows of a bucket until enough was found.
func (c *checker) each(b bucket, visit func(k, v []byte)) error {
	return ascend(b.in(c.tx), nil, nil, func(k, v []byte) (bool, error) {
		visit(k, v)
		return len(c.problems) < enoughProblems, c.ctx.Err()
	})
}

func (c *checker) log() error {
	return c.each(frames, func(k, v []byte) {
		if len(k) != 8 {
			c.found("the log has a key of %d bytes", len(k))
			return
		}
		f, err := c.codec.decodeFrame(binary.BigEndian.Uint64(k), v)
		if err != nil {
			c.found("frame %d of the feed: %v", binary.BigEndian.Uint64(k), err)
			return
		}
		h := c.heads[f.Pipeline]
		switch {
		case f.Seq != h.Last+1:
			c.found("%s: frame %d follows frame %d", f.Pipeline, f.Seq, h.Last)
		case f.Prev != h.Hash:
			c.found("%s: frame %d does not continue frame %d: one of them was changed after it was written", f.Pipeline, f.Seq, h.Last)
		}
		c.heads[f.Pipeline] = headRow{Last: f.Seq, Hash: f.Hash, Feed: f.Feed}
		c.reachable(f, h.Feed, v)
	})
}

// reachable asks that the index leads to a frame where it should, and the frame to the one before it.
func (c *checker) reachable(f event.Frame, before uint64, row []byte) {
	if row[0] == first || f.Seq%indexEvery == 0 {
		if feed, err := indexed(c.tx, f.Pipeline, f.Seq); err != nil || feed != f.Feed {
			c.found("%s: the index does not lead to frame %d", f.Pipeline, f.Seq)
		}
	}
	if f.Seq > 1 {
		if feed, err := backOf(c.tx, f.Pipeline, f.Seq, f.Feed, row); err != nil || feed != before {
			c.found("%s: frame %d does not lead to frame %d", f.Pipeline, f.Seq, f.Seq-1)
		}
	}
}

func (c *checker) headsMatch() error {
	err := c.each(heads, func(k, v []byte) {
		h, err := decodeHead(v)
		if err != nil {
			c.found("%s: %v", k, err)
			return
		}
		if log := c.heads[string(k)]; h.Last != log.Last || h.Hash != log.Hash || h.Feed != 0 && h.Feed != log.Feed {
			c.found("%s: the log ends with frame %d and should end with frame %d, hash %s", k, log.Last, h.Last, h.Hash)
		}
		delete(c.heads, string(k))
	})
	for pipeline := range c.heads {
		c.found("%s: the log has frames and no head", pipeline)
	}
	return err
}

func (c *checker) states() error {
	return c.each(checkpoints, func(k, v []byte) {
		s, err := c.codec.decodeCheckpoint(string(k), v)
		if err != nil {
			c.found("%s: %v", k, err)
			return
		}
		if h, err := decodeHead(heads.in(c.tx).Get(k)); err != nil || s.Seq > h.Last {
			c.found("%s: the checkpoint is of frame %d and the log ends with %d", k, s.Seq, h.Last)
		}
		if v[0] == first && !json.Valid(s.State) { // later rows have a checksum
			c.found("%s: the checkpoint's state is not JSON", k)
		}
	})
}

func (c *checker) executions() error {
	row := func(of bucket, final bool) func(k, v []byte) {
		return func(k, v []byte) {
			e, err := c.codec.decodeExecution(of, v)
			switch {
			case err != nil:
				c.found("execution %s: %v", k, err)
			case e.ID != string(k):
				c.found("execution %s lies under the ID %s", e.ID, k)
			case e.Status.Final() != final:
				c.found("execution %s is %s and lies among the wrong ones", k, e.Status)
			case !c.numbered(&e):
				c.found("execution %s: the index does not lead from %s to it", k, e.Ref())
			case !c.ending(&e):
				c.found("execution %s: the index does not lead from its end to it", k)
			}
		}
	}
	if err := c.each(live, row(live, false)); err != nil {
		return err
	}
	return c.each(ended, row(ended, true))
}

// numbered says whether the index leads from an execution's number to it.
func (c *checker) numbered(e *workflows.Execution) bool {
	status, id, err := decodeNumber(numbers.in(c.tx).Get(numbered(uint64(e.Number), e.Pipeline)))
	return err == nil && id == e.ID && status == letter(e.Status)
}

// ending says whether the index leads from the ends of an execution's IDs to it.
func (c *checker) ending(e *workflows.Execution) bool {
	for _, key := range endingKeys(e) {
		if endings.in(c.tx).Get(key) == nil {
			return false
		}
	}
	return true
}

// known says whether an execution has a row.
func (c *checker) known(id []byte) bool {
	return live.in(c.tx).Get(id) != nil || ended.in(c.tx).Get(id) != nil
}

func (c *checker) numbers() error {
	err := c.each(numbers, func(k, v []byte) {
		if _, id, err := decodeNumber(v); err != nil {
			c.found("number %q: %v", k, err)
		} else if !c.known([]byte(id)) {
			c.found("number %q leads to execution %s, which has no row", k, id)
		}
	})
	if err != nil {
		return err
	}
	return c.each(endings, func(k, v []byte) {
		id := endingOf(k)
		if _, err := unwrap(endings, v); err != nil {
			c.found("ending of %s: %v", id, err)
		} else if !c.known([]byte(id)) {
			c.found("the ending index names execution %s, which has no row", id)
		}
	})
}

func (c *checker) successes() error {
	return c.each(successes, func(k, v []byte) {
		pipeline, _, _ := bytes.Cut(k, []byte{0})
		if id, err := succeeded(c.tx, string(pipeline), k, v); err != nil {
			c.found("success %q: %v", k, err)
		} else if !c.known([]byte(id)) {
			c.found("success %q leads to execution %q, which has no row", k, id)
		}
	})
}

func (c *checker) receipts() error {
	entries := 0
	err := c.each(receipts, func(k, v []byte) {
		var r work.Receipt
		if err := unwrapJSON(receipts, v, &r); err != nil {
			c.found("receipt %s: %v", k, err)
			return
		}
		entries++
		of, key := receiptIndex(&r)
		if r.Key != string(k) || of.in(c.tx).Get(key) == nil {
			c.found("receipt %s: the index %s does not lead to it", k, of)
		}
	})
	for _, b := range []bucket{pending, done} {
		err = cmp.Or(err, c.each(b, func(_, v []byte) {
			entries--
			if _, err := unwrap(b, v); err != nil {
				c.found("the index %s: %v", b, err)
			}
		}))
	}
	if err == nil && entries != 0 && len(c.problems) < enoughProblems {
		c.found("the indexes of receipts have %d entries too many", -entries)
	}
	return err
}

func (c *checker) memos() error {
	return c.each(memos, func(k, v []byte) {
		if _, err := c.codec.decodeMemo(v); err != nil {
			c.found("memo %q: %v", k, err)
		}
	})
}
