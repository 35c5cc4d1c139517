package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	receiptsKept = 7 * 24 * time.Hour // after that a repeated key counts as new
	cleanEvery   = time.Hour
	forgetAtOnce = 500
	forgetEvery  = 20 * time.Millisecond // between two pages: there may be a million rows, and others work meanwhile
)

// Run finishes what was left half-done, and removes what is old, until ctx ends.
func (r *Receipts) Run(ctx context.Context) {
	r.finish(ctx)
	clean := time.NewTicker(cleanEvery)
	defer clean.Stop()
	for {
		if err := r.removeOld(ctx); err != nil {
			r.o.Log.Warn("old receipts could not be removed", "err", err)
		}
		for waiting := true; waiting; {
			select {
			case <-r.unfinished:
				r.finish(ctx)
			case <-clean.C:
				waiting = false
			case <-ctx.Done():
				return
			}
		}
	}
}

// finishLater has Run finish what may be half-done.
func (r *Receipts) finishLater() {
	select {
	case r.unfinished <- struct{}{}:
	default:
	}
}

// finish carries out what was accepted and not finished, because the process
// was killed or the store did not answer in between, and tries until it can.
func (r *Receipts) finish(ctx context.Context) {
	for failures := 0; ; failures++ {
		err := r.finishAll(ctx)
		if err == nil {
			return
		}
		r.o.Log.Error("accepted deliveries could not be finished; it is tried again", "err", err)
		select {
		case <-time.After(work.Backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
}

// finishAll carries out the deliveries that were accepted and not finished.
func (r *Receipts) finishAll(ctx context.Context) error {
	memos, err := r.o.Memos.List(ctx, record.RuntimeOwner, deliveryPrefix)
	if err != nil {
		return err
	}
	for _, m := range memos {
		var d delivery
		if err := json.Unmarshal(m.Value, &d); err != nil {
			return fmt.Errorf("read %s: %w", m.Key, err)
		}
		if _, _, err := r.Receive(ctx, d.Receipt, d.Changes); err != nil {
			return err
		}
	}
	return nil
}

// removeOld removes what no repeat can ask for any more.
func (r *Receipts) removeOld(ctx context.Context) error {
	now := r.o.Now()
	for {
		n, err := r.o.Inbox.Forget(ctx, now.Add(-receiptsKept), forgetAtOnce)
		if err != nil {
			return err
		}
		if n < forgetAtOnce {
			break
		}
	}
	keep := map[string]time.Duration{pushPrefix: samePush, pushedPrefix: pushedKept} // push/ is of earlier versions
	maps.Copy(keep, r.o.Expire)
	for prefix, keep := range keep {
		if err := r.removeMemos(ctx, prefix, now.Add(-keep)); err != nil {
			return err
		}
	}
	return nil
}

// removeMemos removes the memos of a prefix from before a time, page by page.
func (r *Receipts) removeMemos(ctx context.Context, prefix string, before time.Time) error {
	for after := ""; ; {
		page, err := r.o.Memos.ListAfter(ctx, record.RuntimeOwner, prefix, after, forgetAtOnce)
		if err != nil {
			return err
		}
		var old []record.Memo
		for _, m := range page {
			if at, ok := writtenAt(m.Value); ok && at.Before(before) {
				old = append(old, record.NewMemo(record.RuntimeOwner, m.Key, nil))
			}
			after = m.Key
		}
		if len(old) > 0 {
			if err := r.o.Commits.Persist(ctx, record.Commit{Memos: old}); err != nil {
				return err
			}
		}
		if len(page) < forgetAtOnce {
			return nil
		}
		select {
		case <-time.After(forgetEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writtenAt is the time in a memo.
func writtenAt(value []byte) (at time.Time, ok bool) {
	var n struct {
		At       time.Time `json:"at"`
		OpenedAt time.Time `json:"openedAt"`
	}
	err := json.Unmarshal(value, &n)
	if n.OpenedAt.After(n.At) { // of a gate
		n.At = n.OpenedAt
	}
	return n.At, err == nil
}
