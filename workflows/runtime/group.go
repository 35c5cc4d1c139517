package runtime

import (
	"sync"
	"time"
)

// group are goroutines that come and go. None is added once shutdown has begun.
type group struct {
	mu     sync.Mutex
	ending bool
	all    sync.WaitGroup
}

// Go runs f on a goroutine of its own; false: shutdown has begun, and it does not.
func (g *group) Go(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ending {
		g.all.Go(f)
	}
	return !g.ending
}

// wait adds no more and waits for all, at most so long; false: some still run.
func (g *group) wait(within time.Duration) bool {
	g.mu.Lock()
	g.ending = true
	g.mu.Unlock()
	done := make(chan struct{})
	go func() { g.all.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(within):
		return false
	}
}
