package retention

import (
	"context"
	"slices"
	"sync"
	"time"
)

// abandoned is how long a reservation counts that is not released: whoever asked
// did not wait for the decision, which may still be made.
const abandoned = 24 * time.Hour

// reservations keep what somebody is about to use. The turn is held while
// something is removed, also across the commit: so it is a channel, and whoever
// waits for it can give up.
type reservations struct {
	turn chan struct{}

	mu      sync.Mutex // guards what follows
	all     []*reservation
	marking bool // artifacts are being marked: what is released meanwhile counts until that is over
}

// reservation keeps an execution and its artifacts.
type reservation struct {
	keys     []string // its ID, their digests
	at       time.Time
	released bool
}

func newReservations() *reservations { return &reservations{turn: make(chan struct{}, 1)} }

// lock waits for the turn, unless ctx ends first.
func (r *reservations) lock(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reservations) unlock() { <-r.turn }

// has says whether something is reserved.
func (r *reservations) has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.all, func(one *reservation) bool { return slices.Contains(one.keys, key) })
}

// mark says whether artifacts are marked from now on, and drops what counts no longer.
func (r *reservations) mark(now time.Time, marking bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marking = marking
	r.all = slices.DeleteFunc(r.all, func(one *reservation) bool { return one.released || now.Sub(one.at) > abandoned })
}

// release ends a reservation: what it was for is durable and known, or was refused.
func (r *reservations) release(one *reservation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one.released = true; !r.marking {
		r.all = slices.DeleteFunc(r.all, func(other *reservation) bool { return other.released })
	}
}

// Reserve keeps an execution that has ended, and artifacts of it, until release
// is called: after the answer to what they are needed for. What is read after
// Reserve is there, or is gone for good. The error is ctx's.
func (r *Retention) Reserve(ctx context.Context, keys ...string) (release func(), err error) {
	if !r.o.Policy.on() {
		return func() {}, nil
	}
	if err := r.reserved.lock(ctx); err != nil {
		return nil, err
	}
	defer r.reserved.unlock()
	one := &reservation{keys: keys, at: r.o.Now()}
	r.reserved.mu.Lock()
	defer r.reserved.mu.Unlock()
	r.reserved.all = append(r.reserved.all, one)
	return func() { r.reserved.release(one) }, nil
}
