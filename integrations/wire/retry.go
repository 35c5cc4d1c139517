package wire

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Panic is the error of a try that panicked. It is not tried again.
type Panic struct{ Value any }

// Error says what was thrown.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Backoff calls f until it says that it worked or ctx ends, after a pause that
// doubles from first to longest.
func Backoff(ctx context.Context, first, longest time.Duration, f func() bool) {
	for pause := first; ctx.Err() == nil && !f(); pause = min(2*pause, longest) {
		sleep(ctx, pause)
	}
}

// try is the Try of a receipt.
func (i *Inbox) try(key string) Try {
	return func(ctx context.Context, f func(context.Context) error) error {
		end := time.Now().Add(i.o.RetryFor)
		for pause := firstPause; ; pause = min(2*pause, i.o.LongestPause) {
			err := i.withWorker(ctx, func(ctx context.Context) error { return i.once(ctx, f) })
			_, panicked := errors.AsType[*Panic](err)
			switch {
			case err == nil, panicked, i.o.Final != nil && i.o.Final(err), i.o.RetryFor > 0 && time.Now().Add(pause).After(end):
				return err
			}
			i.report(key, outcome{err: err})
			if !sleep(ctx, pause) {
				return err
			}
		}
	}
}

// withWorker runs f while fewer than Workers others run that have not released theirs.
func (i *Inbox) withWorker(ctx context.Context, f func(ctx context.Context) error) error {
	select {
	case i.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	free := sync.OnceFunc(func() { <-i.slots })
	defer free()
	return f(onRelease(ctx, free))
}

// once runs f, bounded in time. When ctx ends meanwhile, f gets a moment to
// finish what it is doing.
func (i *Inbox) once(ctx context.Context, f func(context.Context) error) (err error) {
	trying, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if i.o.TryLimit > 0 {
		trying, cancel = context.WithTimeout(context.WithoutCancel(ctx), i.o.TryLimit)
	}
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		sleep(trying, i.o.Drain)
		cancel()
	})()
	defer func() {
		if p := recover(); p != nil {
			i.o.Log.Error("processing a request panicked", "panic", p, "stack", string(debug.Stack()))
			err = &Panic{p}
		}
	}()
	return f(trying)
}
