package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Commit makes c durable, all or nothing, in one transaction, and then fills in
// Feed, Prev and Hash of its frames. work.ErrConflict: a frame does not follow
// the log; nothing was written. Any other error means unknown, not no: Reopen,
// and look.
func (db *DB) Commit(ctx context.Context, c *work.Commit) error {
	var stamps []stamp
	err := db.update(ctx, func(tx *bbolt.Tx) error {
		w := writer{tx: tx, sealer: &db.sealer, heads: map[string]*headRow{}}
		if err := w.all(c); err != nil {
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
	sealer *sealer
	heads  map[string]*headRow // of the pipelines touched; written once, at the end
	stamps []stamp             // of the frames, in their order
}

func (w *writer) all(c *work.Commit) error {
	if err := w.frames(c); err != nil {
		return err
	}
	for i := range c.Checkpoints {
		if err := w.checkpoint(&c.Checkpoints[i]); err != nil {
			return err
		}
	}
	for i := range c.Executions {
		if err := w.execution(&c.Executions[i]); err != nil {
			return err
		}
	}
	for i := range c.Successes {
		if err := w.success(&c.Successes[i]); err != nil {
			return err
		}
	}
	for i := range c.Receipts {
		if err := w.receipt(&c.Receipts[i]); err != nil {
			return err
		}
	}
	for i := range c.Memos {
		if err := w.memo(&c.Memos[i]); err != nil {
			return err
		}
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
		if err := unwrapJSON(heads, row, h); err != nil {
			return nil, err
		}
	}
	w.heads[pipeline] = h
	return h, nil
}

func (w *writer) writeHeads() error {
	b := heads.in(w.tx)
	for pipeline, h := range w.heads {
		row, err := wrapJSON(h)
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
func (w *writer) frames(c *work.Commit) error {
	if len(c.Frames) == 0 {
		return nil
	}
	log, index := frames.in(w.tx), sequence.growing(w.tx)
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
			return fmt.Errorf("frame %d of %s follows %d: %w", f.Seq, f.Pipeline, h.Last, work.ErrConflict)
		}
		row, err := wrapJSON(frameRow{Pipeline: f.Pipeline, Seq: f.Seq, Events: f.Events, Prev: h.Hash})
		if err != nil {
			return err
		}
		feed++
		if err := log.Put(feedKey(feed), row); err != nil {
			return err
		}
		if err := index.Put(numbered(f.Seq, f.Pipeline), encodeUint(feed)); err != nil {
			return err
		}
		s := stamp{feed: feed, prev: h.Hash, hash: hash(row)}
		h.Last, h.Hash = f.Seq, s.hash
		w.stamps = append(w.stamps, s)
	}
	return nil
}

func (w *writer) checkpoint(c *work.Checkpoint) error {
	h, err := w.head(c.Pipeline)
	if err != nil {
		return err
	}
	if c.Seq > h.Last {
		return fmt.Errorf("the checkpoint of %s is of frame %d and the log ends with %d", c.Pipeline, c.Seq, h.Last)
	}
	h.Due = c.Due.UTC()
	row, err := encodeCheckpoint(c)
	if err != nil {
		return err
	}
	return checkpoints.in(w.tx).Put([]byte(c.Pipeline), row)
}

// execution writes the row where it belongs now, and its indexes when they change.
func (w *writer) execution(e *workflows.Execution) error {
	if err := usable("execution ID", e.ID); err != nil {
		return err
	}
	if err := usable("pipeline name", e.Pipeline); err != nil {
		return err
	}
	id := []byte(e.ID)
	to, from, encode := live.in(w.tx), ended.growing(w.tx), encodeLive
	if e.Status.Final() {
		to, from, encode = from, to, w.sealer.encode
	}
	row, err := encode(*e)
	if err != nil {
		return fmt.Errorf("execution %s: %w", e.Ref(), err)
	}
	moved := from.Get(id) != nil
	fresh := !moved && to.Get(id) == nil
	if moved {
		if err := from.Delete(id); err != nil {
			return err
		}
	}
	if fresh {
		if err := endings.in(w.tx).Put(backwards(e.ID), []byte{version}); err != nil {
			return err
		}
	}
	if err := to.Put(id, row); err != nil {
		return err
	}
	return w.number(e)
}

func (w *writer) number(e *workflows.Execution) error {
	b, key, row := numbers.growing(w.tx), numbered(uint64(e.Number), e.Pipeline), encodeNumber(e.Status, e.ID)
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

func (w *writer) success(s *work.Success) error {
	if err := usable("pipeline name", s.Pipeline); err != nil {
		return err
	}
	if err := usable("stage name", s.Stage); err != nil {
		return err
	}
	return successes.growing(w.tx).Put(numbered(uint64(s.Number), s.Pipeline, s.Stage), wrap([]byte(s.Execution)))
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
	return of.in(w.tx).Put(key, []byte{version})
}

func receiptIndex(r *work.Receipt) (bucket, []byte) {
	if r.Done {
		return done, doneKey(r.Key, r.At)
	}
	return pending, pendingKey(r.Source, r.Key, r.At)
}

func (w *writer) memo(m *work.Memo) error {
	if err := usable("memo owner", m.Owner); err != nil {
		return err
	}
	b, key := memos.in(w.tx), append(named(m.Owner), m.Key...)
	if len(m.Value) == 0 {
		return b.Delete(key)
	}
	return b.Put(key, wrap(m.Value))
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
