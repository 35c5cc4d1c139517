package decider

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// takenUpAtOnce is how many pipelines take a restore up side by side.
const takenUpAtOnce = 64

// TakeUp has every pipeline decide about a restore, and waits until that is
// durable. Meanwhile nothing else is decided, so that no task of before begins
// and no time passes. It comes after Load and before Resume. What was taken up
// already, by a run that was killed, stays as it is.
func (d *Decider) TakeUp(ctx context.Context, r event.Restored, heads []record.Head) error {
	d.restored.Store(&r)
	for failures := 0; ; failures++ {
		err := d.takeUpAll(ctx, heads)
		if err == nil {
			d.restored.Store(nil)
			return nil
		}
		if ctx.Err() != nil || d.Err() != nil {
			return err // what is asked until the end still decides about nothing else
		}
		d.log.Error("the pipelines could not take the restore up; it is tried again", "tries", failures+1, "err", err)
		select {
		case <-time.After(work.Backoff(failures)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeUpAll asks every pipeline once; the error is that of one.
func (d *Decider) takeUpAll(ctx context.Context, heads []record.Head) error {
	slots := make(chan struct{}, takenUpAtOnce)
	errs := make(chan error, 1)
	var all sync.WaitGroup
	for _, h := range heads {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			// The passing of time: whatever is asked, the restore is decided about instead.
			if got := d.Submit(ctx, Request{Pipeline: h.Pipeline, By: workflows.EnginePrincipal()}); got.Err != nil {
				select {
				case errs <- fmt.Errorf("%s: %w", h.Pipeline, got.Err):
				default:
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// behind says whether a unit has not yet decided about the restore that is being taken up.
func (l *loop) behind(u *unit) bool {
	r := l.d.restored.Load()
	return r != nil && u.state.Epoch < r.Epoch
}
