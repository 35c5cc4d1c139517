package inbound

import (
	"context"
	"slices"
	"sync"
)

// locks lets one at a time work on a key. It keeps the claims of one process
// from meeting in one commit; between processes the claims decide.
type locks struct {
	o *Options

	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the key is free
}

func newLocks(o *Options) *locks { return &locks{o: o, busy: map[string]chan struct{}{}} }

// lock waits until nobody else works on the key, and takes it.
func (l *locks) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		other := l.busy[key]
		if other == nil {
			mine := make(chan struct{})
			l.busy[key] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.busy, key)
				l.mu.Unlock()
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.o.Ended:
			return nil, l.o.Stopped
		}
	}
}

// exclusively runs f with the keys locked, in the context calls. f goes on, with
// the keys, after ctx has ended: who sends the same again must find what became of it.
func (l *locks) exclusively(ctx, calls context.Context, keys []string, f func(ctx context.Context) error) error {
	slices.Sort(keys) // whoever wants several of the same keys takes them in one order
	var unlocks []func()
	unlock := func() {
		for _, one := range unlocks {
			one()
		}
	}
	for _, key := range slices.Compact(keys) {
		one, err := l.lock(ctx, key)
		if err != nil {
			unlock()
			return err
		}
		unlocks = append(unlocks, one)
	}
	done := make(chan error, 1)
	if !l.o.Go(func() {
		defer unlock()
		done <- f(calls)
	}) {
		unlock()
		return l.o.Stopped
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
