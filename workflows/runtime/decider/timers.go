package decider

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Timers is the one heap of everything that must happen later: due pipelines,
// polls, retries. One goroutine sleeps until the first; nothing else sleeps.
// What is in it is derived from durable state, so losing it loses nothing.
type Timers struct {
	now func() time.Time

	mu      sync.Mutex
	heap    timerHeap
	byKey   map[string]*timer
	changed chan struct{} // has one when the first timer may be another
}

type timer struct {
	key   string
	at    time.Time
	fire  func()
	index int
}

// NewTimers returns an empty heap.
func NewTimers(now func() time.Time) *Timers {
	return &Timers{now: now, byKey: map[string]*timer{}, changed: make(chan struct{}, 1)}
}

// Set has fire called once at that time, on the timers' goroutine: it must not
// block. An earlier timer of the same key is replaced.
func (t *Timers) Set(key string, at time.Time, fire func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byKey[key]; old != nil {
		old.at, old.fire = at, fire
		heap.Fix(&t.heap, old.index)
	} else {
		one := &timer{key: key, at: at, fire: fire}
		t.byKey[key] = one
		heap.Push(&t.heap, one)
	}
	if t.heap[0].key == key {
		select {
		case t.changed <- struct{}{}:
		default:
		}
	}
}

// Drop forgets the timer of that key, if there is one.
func (t *Timers) Drop(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byKey[key]; old != nil {
		heap.Remove(&t.heap, old.index)
		delete(t.byKey, key)
	}
}

// Look has the timers look at the clock again, which has moved by itself.
func (t *Timers) Look() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// Run fires timers until ctx ends.
func (t *Timers) Run(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		fire, wait := t.next()
		for _, f := range fire {
			f()
		}
		if len(fire) > 0 {
			continue
		}
		alarm.Stop()
		if wait > 0 {
			alarm.Reset(wait)
		}
		select {
		case <-alarm.C:
		case <-t.changed:
		case <-ctx.Done():
			return
		}
	}
}

// next takes what is due, or says how long nothing is; 0: for ever.
func (t *Timers) next() (fire []func(), wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for len(t.heap) > 0 && !t.heap[0].at.After(now) {
		one := heap.Pop(&t.heap).(*timer)
		delete(t.byKey, one.key)
		fire = append(fire, one.fire)
	}
	if len(t.heap) > 0 {
		wait = max(t.heap[0].at.Sub(now), time.Millisecond)
	}
	return fire, wait
}

// timerHeap is a container/heap by time.
type timerHeap []*timer

// Len is for container/heap.
func (h timerHeap) Len() int { return len(h) }

// Less is for container/heap.
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

// Swap is for container/heap.
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *timerHeap) Push(x any) {
	one := x.(*timer)
	one.index = len(*h)
	*h = append(*h, one)
}

// Pop is for container/heap.
func (h *timerHeap) Pop() any {
	old := *h
	one := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return one
}
