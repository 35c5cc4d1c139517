package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Commit makes c durable, all or nothing, in one transaction, and then fills in
// Feed, Prev and Hash of its frames. A [record.Conflict]: a frame does not follow
// the log, or a claim is taken; nothing was written. Any other error means unknown, not no: Reopen,
// and look.
func (db *DB) Commit(ctx context.Context, c *record.Commit) error {
	var stamps []stamp
	err := db.update(ctx, func(tx *bbolt.Tx) error {
		w := writer{tx: tx, codec: &db.codec, heads: map[string]*headRow{}}
		if err := w.all(c); err != nil {
			return err
		}
		if err := raise(tx); err != nil {
			return err
		}
		stamps = w.stamps
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for i, s := range stamps {
		c.Frames[i].Feed, c.Frames[i].Prev, c.Frames[i].Hash = s.feed, s.prev, s.hash
	}
	return nil
}

// stamp is what a frame gets from the store.
type stamp struct {
	feed       uint64
	prev, hash string
}

// writer carries out one commit in one transaction.
type writer struct {
	tx     *bbolt.Tx
	codec  *codec
	heads  map[string]*headRow // of the pipelines touched; written once, at the end
	stamps []stamp             // of the frames, in their order
}

func (w *writer) all(c *record.Commit) error {
	if err := w.frames(c); err != nil {
		return err
	}
	for i := range c.Checkpoints {
		if err := w.checkpoint(&c.Checkpoints[i], encoded(c.Encoded.Checkpoints, i)); err != nil {
			return err
		}
	}
	for _, d := range c.Dues {
		h, err := w.head(d.Pipeline)
		if err != nil {
			return err
		}
		h.Due = d.At.UTC()
	}
	for i := range c.Executions {
		if err := w.execution(&c.Executions[i], encoded(c.Encoded.Executions, i)); err != nil {
			return err
		}
	}
	for i := range c.Successes {
		if err := w.success(&c.Successes[i]); err != nil {
			return err
		}
	}
	for i := range c.Claims {
		if err := w.claim(&c.Claims[i]); err != nil {
			return err
		}
	}
	for i := range c.Receipts {
		if err := w.receipt(&c.Receipts[i]); err != nil {
			return err
		}
	}
	for i := range c.Memos {
		if err := w.memo(&c.Memos[i], encoded(c.Encoded.Memos, i)); err != nil {
			return err
		}
	}
	if err := w.remove(c.Removed); err != nil {
		return err
	}
	return w.writeHeads()
}

func (w *writer) head(pipeline string) (*headRow, error) {
	if h := w.heads[pipeline]; h != nil {
		return h, nil
	}
	if err := usable("pipeline name", pipeline); err != nil {
		return nil, err
	}
	h := &headRow{}
	if row := heads.in(w.tx).Get([]byte(pipeline)); row != nil {
		old, err := decodeHead(row)
		if err != nil {
			return nil, err
		}
		*h = old
	}
	w.heads[pipeline] = h
	return h, nil
}

func (w *writer) writeHeads() error {
	b := heads.filling(w.tx)
	for pipeline, h := range w.heads {
		row, err := encodeHead(h)
		if err != nil {
			return err
		}
		if err := b.Put([]byte(pipeline), row); err != nil {
			return err
		}
	}
	return nil
}

// frames appends to the log. Its bucket only ever grows at its end, so its
// pages are filled to the brim.
func (w *writer) frames(c *record.Commit) error {
	if len(c.Frames) == 0 {
		return nil
	}
	log := frames.in(w.tx)
	log.FillPercent = 1
	feed, err := lastFeed(log)
	if err != nil {
		return err
	}
	for i := range c.Frames {
		f := &c.Frames[i]
		h, err := w.head(f.Pipeline)
		if err != nil {
			return err
		}
		if f.Seq != h.Last+1 {
			return fmt.Errorf("frame %d after %d: %w", f.Seq, h.Last, &record.Conflict{Pipeline: f.Pipeline})
		}
		feed++
		if err := w.frame(f, encoded(c.Encoded.Frames, i), h, feed); err != nil {
			return err
		}
	}
	return nil
}

// frame writes a frame that follows the head, and moves the head.
func (w *writer) frame(f *event.Frame, body []byte, h *headRow, feed uint64) (err error) {
	if body == nil {
		if body, err = w.codec.encodeFrame(f); err != nil {
			return err
		}
	}
	before, err := h.lastOf(w.tx, f.Pipeline)
	if err != nil {
		return err
	}
	back := uint64(0)
	if before > 0 {
		back = feed - before
	}
	row, err := chained(back, h.Hash, body)
	if err != nil {
		return err
	}
	if err := frames.in(w.tx).Put(feedKey(feed), row); err != nil {
		return err
	}
	if f.Seq%indexEvery == 0 {
		if err := sequence.filling(w.tx).Put(numbered(f.Seq, f.Pipeline), encodeUint(feed)); err != nil {
			return err
		}
	}
	s := stamp{feed: feed, prev: h.Hash, hash: hash(row)}
	h.Last, h.Hash, h.Feed = f.Seq, s.hash, feed
	w.stamps = append(w.stamps, s)
	return nil
}

func (w *writer) checkpoint(c *record.Checkpoint, row []byte) error {
	h, err := w.head(c.Pipeline)
	if err != nil {
		return err
	}
	if c.Seq > h.Last {
		return fmt.Errorf("the checkpoint of %s is of frame %d and the log ends with %d", c.Pipeline, c.Seq, h.Last)
	}
	h.Due = c.Due.UTC()
	if row == nil {
		if row, err = w.codec.encodeCheckpoint(c); err != nil {
			return err
		}
	}
	return checkpoints.filling(w.tx).Put([]byte(c.Pipeline), row)
}

// execution writes the row where it belongs now, and its indexes when they change.
func (w *writer) execution(e *workflows.Execution, row []byte) (err error) {
	if err := usable("execution ID", e.ID); err != nil {
		return err
	}
	if err := usable("pipeline name", e.Pipeline); err != nil {
		return err
	}
	id := []byte(e.ID)
	to, from := live.in(w.tx), ended.filling(w.tx)
	if e.Status.Final() {
		to, from = from, to
	}
	if row == nil {
		if row, err = w.codec.encodeExecution(*e); err != nil {
			return fmt.Errorf("execution %s: %w", e.Ref(), err)
		}
	}
	moved := from.Get(id) != nil
	fresh := !moved && to.Get(id) == nil
	if moved {
		if err := from.Delete(id); err != nil {
			return err
		}
	}
	if fresh {
		for _, key := range endingKeys(e) {
			if err := endings.filling(w.tx).Put(key, []byte{first}); err != nil {
				return err
			}
		}
	}
	if err := to.Put(id, row); err != nil {
		return err
	}
	return w.number(e)
}

func (w *writer) number(e *workflows.Execution) error {
	b, key, row := numbers.filling(w.tx), numbered(uint64(e.Number), e.Pipeline), encodeNumber(e.Status, e.ID)
	old := b.Get(key)
	if bytes.Equal(old, row) {
		return nil
	}
	if old != nil {
		if _, id, err := decodeNumber(old); err != nil {
			return err
		} else if id != e.ID {
			return fmt.Errorf("%s is execution %s and cannot be %s too", e.Ref(), id, e.ID)
		}
	}
	return b.Put(key, row)
}

func (w *writer) success(s *record.Success) error {
	if err := usable("pipeline name", s.Pipeline); err != nil {
		return err
	}
	if err := usable("stage name", s.Stage); err != nil {
		return err
	}
	return successes.filling(w.tx).Put(numbered(uint64(s.Number), s.Pipeline, s.Stage), []byte{version})
}

// claim inserts the receipt, unless its key is there.
func (w *writer) claim(c *record.Claim) error {
	if row := receipts.in(w.tx).Get([]byte(c.Key)); row != nil {
		var there work.Receipt
		if err := unwrapJSON(receipts, row, &there); err != nil {
			return err
		}
		if c.Taken(there) {
			return &record.Conflict{Claim: c.Key}
		}
	}
	return w.receipt(&c.Receipt)
}

// receipt writes the row and the one index entry that its state asks for.
func (w *writer) receipt(r *work.Receipt) error {
	if err := usable("receipt key", r.Key); err != nil {
		return err
	}
	if err := usable("receipt source", r.Source); err != nil {
		return err
	}
	b := receipts.in(w.tx)
	if row := b.Get([]byte(r.Key)); row != nil {
		var old work.Receipt
		if err := unwrapJSON(receipts, row, &old); err != nil {
			return err
		}
		of, key := receiptIndex(&old)
		if err := of.in(w.tx).Delete(key); err != nil {
			return err
		}
	}
	row, err := wrapJSON(r)
	if err != nil {
		return err
	}
	if err := b.Put([]byte(r.Key), row); err != nil {
		return err
	}
	of, key := receiptIndex(r)
	return of.in(w.tx).Put(key, []byte{first})
}

func receiptIndex(r *work.Receipt) (bucket, []byte) {
	if r.Done {
		return done, doneKey(r.Key, r.At)
	}
	return pending, pendingKey(r.Source, r.Key, r.At)
}

func (w *writer) memo(m *record.Memo, row []byte) (err error) {
	if err := usable("memo owner", m.Owner); err != nil {
		return err
	}
	b, key := memos.filling(w.tx), append(named(m.Owner), m.Key...)
	if len(m.Value) == 0 {
		return b.Delete(key)
	}
	if row == nil {
		if row, err = w.codec.encodeMemo(m.Value); err != nil {
			return err
		}
	}
	return b.Put(key, row)
}

// Forget removes receipts that are done and older than before, oldest first, at
// most limit in one go; it returns how many. Below 1, limit is 1000.
func (db *DB) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	old, err := db.forgettable(ctx, before, orDefault(limit))
	// Nothing to forget is the usual answer and costs no fsync.
	if err != nil || len(old) == 0 {
		return 0, err
	}
	return db.forget(ctx, old)
}

// forgettable returns the keys in the index of receipts that are done and older than before.
func (db *DB) forgettable(ctx context.Context, before time.Time, limit int) (old [][]byte, err error) {
	end := encodeTime(nil, before)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		return ascend(done.in(tx), nil, nil, func(k, _ []byte) (bool, error) {
			if bytes.Compare(k[:timeSize], end) >= 0 {
				return false, nil
			}
			old = append(old, bytes.Clone(k))
			return len(old) < limit, nil
		})
	})
	return old, err
}

// forget removes receipts, but those that were opened again since they were looked up.
func (db *DB) forget(ctx context.Context, old [][]byte) (removed int, err error) {
	err = db.update(ctx, func(tx *bbolt.Tx) error {
		rows, index := receipts.in(tx), done.in(tx)
		for _, k := range old {
			if index.Get(k) == nil {
				continue
			}
			if err := index.Delete(k); err != nil {
				return err
			}
			if err := rows.Delete(k[timeSize:]); err != nil {
				return err
			}
			removed++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("forgetting receipts: %w", err)
	}
	return removed, nil
}
