package demo

import (
	"sync"
	"time"
)

// notifier counts what could be new on a page. The zero value is ready.
type notifier struct {
	mu      sync.Mutex
	version uint64
	changed chan struct{} // closed and replaced with every change
}

// now returns the version, and a channel that is closed when there is a newer
// one. Versions rise over restarts too.
func (b *notifier) now() (uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	return b.version, b.changed
}

func (b *notifier) init() {
	if b.changed == nil {
		b.version, b.changed = uint64(time.Now().UnixMilli()), make(chan struct{})
	}
}

func (b *notifier) bump() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.init()
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
}
