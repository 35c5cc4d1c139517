package app

import (
	"context"
	"runtime/debug"
	"time"
)

// afterStart is how long after a start the service has read what it reads then.
const afterStart = 3 * time.Second

// releaseStart gives memory back to the system that only the start needed: files,
// rows, and what was made of them. The collector would keep it until more is
// needed, which in a service that mostly waits may be never.
func releaseStart(ctx context.Context) error { return once(ctx, afterStart, debug.FreeOSMemory) }

// once calls f after a while, unless ctx ends before.
func once(ctx context.Context, after time.Duration, f func()) error {
	select {
	case <-ctx.Done():
	case <-time.After(after):
		f()
	}
	return nil
}
