package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// What a start needed is given back once, soon after it, and never by a service
// that ends before.
func TestMemoryOfTheStartIsGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls, at := time.Now(), 0, time.Duration(0)
		f := func() { calls, at = calls+1, time.Since(began) }
		if err := once(t.Context(), afterStart, f); err != nil || calls != 1 || at != afterStart {
			t.Errorf("%v: it was given back %d times, after %s", err, calls, at)
		}
		ctx, stop := context.WithTimeout(t.Context(), afterStart/2)
		defer stop()
		if err := once(ctx, afterStart, f); err != nil || calls != 1 {
			t.Errorf("%v: it was given back although the service had ended", err)
		}
	})
}

// What the first look at the pipeline files found is not kept for as long as the
// service runs: it has every definition in it.
func TestTheFirstLookIsLetGo(t *testing.T) {
	done := make(chan struct{})
	close(done)
	f := &firstScan{d: &definitions{}, done: done, scan: scan{all: []*reading{}}}
	if err := f.apply(t.Context()); err != nil || f.scan.all != nil {
		t.Errorf("%v: %d files are kept", err, len(f.scan.all))
	}
}
