package wire

import (
	"context"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// arrives notes that a request is being made durable; false when too many wait.
func (i *Inbox) arrives(key string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.o.Limit > 0 && i.waiting >= i.o.Limit {
		return false
	}
	i.arriving[key]++
	return true
}

func (i *Inbox) arrived(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.arriving[key]--; i.arriving[key] == 0 {
		delete(i.arriving, key)
	}
}

// add puts a durable request at the end of its queue and returns where its outcome is reported.
func (i *Inbox) add(r work.Receipt) chan outcome {
	done := make(chan outcome, 1)
	name, ours := i.o.Queue(r)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.callers[r.Key] = append(i.callers[r.Key], done)
	if ours && !i.queued[r.Key] {
		i.put(name, r)
	}
	return done
}

// put puts a request into its queue and has a worker begin where there is none. Under the lock.
func (i *Inbox) put(name string, r work.Receipt) {
	i.queued[r.Key] = true
	i.waiting++
	i.queues[name] = append(i.queues[name], r)
	if i.ctx != nil && !i.closed && len(i.queues[name]) == 1 {
		i.tasks.Go(func() { i.work(name) })
	}
}

// start lets workers begin, and go on until ctx ends.
func (i *Inbox) start(ctx context.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ctx = ctx
	for name := range i.queues {
		i.tasks.Go(func() { i.work(name) })
	}
}

// work processes the requests of one queue, one after the other, until there
// are none. The next one begins when the one before it is processed or released.
func (i *Inbox) work(name string) {
	for r, ok := i.head(name); ok; r, ok = i.next(name) {
		released := make(chan struct{})
		release := sync.OnceFunc(func() { close(released) })
		i.tasks.Go(func() {
			defer release()
			i.process(onRelease(i.ctx, release), r)
			i.leave(r.Key)
		})
		<-released
	}
}

// head is the first request of a queue; false when the process ends.
func (i *Inbox) head(name string) (work.Receipt, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.queues[name][0], i.ctx.Err() == nil
}

// next takes the first request out of a queue and returns the one behind it. A
// queue is never there without a request: whoever puts one into it begins a
// worker if and only if the last worker has seen its end.
func (i *Inbox) next(name string) (work.Receipt, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	rest := i.queues[name][1:]
	if len(rest) == 0 {
		delete(i.queues, name)
		return work.Receipt{}, false
	}
	i.queues[name] = rest
	return rest[0], i.ctx.Err() == nil
}

// leave takes a request that was processed out of what is known to wait.
func (i *Inbox) leave(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.waiting--
	delete(i.queued, key)
	if i.finished != nil {
		i.finished[key] = true
	}
}

// report gives the outcome to those who wait for it in Take.
func (i *Inbox) report(key string, out outcome) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if out.err != nil && !i.o.ReportTries {
		return
	}
	for _, done := range i.callers[key] {
		done <- out
	}
	delete(i.callers, key)
}

// forget removes somebody who waits no more.
func (i *Inbox) forget(key string, done chan outcome) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, one := range i.callers[key] {
		if one == done {
			i.callers[key] = append(i.callers[key][:n:n], i.callers[key][n+1:]...)
		}
	}
	if len(i.callers[key]) == 0 {
		delete(i.callers, key)
	}
}

type releaseKey struct{}

// onRelease has f called when the context's request is released, besides what
// was to be called before.
func onRelease(ctx context.Context, f func()) context.Context {
	if before, ok := ctx.Value(releaseKey{}).(func()); ok {
		first := f
		f = func() { first(); before() }
	}
	return context.WithValue(ctx, releaseKey{}, f)
}

// Release says that everything a request decides is decided, and only its
// answer is left: the next request of its queue begins, and its worker is free.
// So no decision waits until the answer to an earlier one is delivered.
func Release(ctx context.Context) {
	if release, ok := ctx.Value(releaseKey{}).(func()); ok {
		release()
	}
}
