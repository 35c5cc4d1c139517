package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

const (
	receiptsKept = 7 * 24 * time.Hour // after that a repeated key counts as new
	careEvery    = time.Hour
	forgetAtOnce = 500
)

// run finishes what a crash left half-done, and tidies up now and then.
func (r *receipts) run(ctx context.Context) {
	<-r.e.ready
	for failures := 0; ; failures++ {
		err := r.finishAll(ctx)
		if err == nil {
			break
		}
		r.e.log.Error("deliveries from before the restart could not be finished; it is tried again", "err", err)
		select {
		case <-time.After(backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
	care := time.NewTicker(careEvery)
	defer care.Stop()
	for {
		if err := r.tidy(ctx); err != nil {
			r.e.log.Warn("old receipts could not be removed", "err", err)
		}
		select {
		case <-care.C:
		case <-ctx.Done():
			return
		}
	}
}

// finishAll carries out the deliveries that were accepted and not finished.
func (r *receipts) finishAll(ctx context.Context) error {
	memos, err := r.e.o.Memos.List(ctx, owner, deliveryPrefix)
	if err != nil {
		return err
	}
	for _, m := range memos {
		var d delivery
		if err := json.Unmarshal(m.Value, &d); err != nil {
			return fmt.Errorf("read %s: %w", m.Key, err)
		}
		if _, _, err := r.e.Receive(ctx, d.Receipt, d.Changes); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes what no repeat can ask for any more.
func (r *receipts) tidy(ctx context.Context) error {
	now := r.e.o.Now()
	for {
		n, err := r.e.o.Inbox.Forget(ctx, now.Add(-receiptsKept), forgetAtOnce)
		if err != nil {
			return err
		}
		if n < forgetAtOnce {
			break
		}
	}
	var old []Memo
	for prefix, keep := range map[string]time.Duration{pushPrefix: samePush, tokenPrefix: tokenKept, invokedPrefix: tokenKept} {
		memos, err := r.e.o.Memos.List(ctx, owner, prefix)
		if err != nil {
			return err
		}
		for _, m := range memos {
			if at, ok := noted(m.Value); ok && now.Sub(at) > keep {
				old = append(old, Memo{Owner: owner, Key: m.Key})
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	return r.e.persist(ctx, nil, old)
}

// noted is when a push or a gate was noted.
func noted(value []byte) (at time.Time, ok bool) {
	var n struct {
		At       time.Time `json:"at"`
		OpenedAt time.Time `json:"openedAt"`
	}
	err := json.Unmarshal(value, &n)
	return later(n.At, n.OpenedAt), err == nil
}
