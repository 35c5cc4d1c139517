package main

import (
	"runtime"
	"testing"
)

// Few cores are shared by more threads, unless the environment says how many there are.
func TestThreads(t *testing.T) {
	for _, c := range []struct {
		environment string
		before      int
		want        int
	}{{"", 1, leastThreads}, {"", 2, leastThreads}, {"", 8, 8}, {"2", 2, 2}} {
		before := runtime.GOMAXPROCS(c.before)
		t.Setenv("GOMAXPROCS", c.environment)
		moreThreads()
		if got := runtime.GOMAXPROCS(before); got != c.want {
			t.Errorf("%d threads with GOMAXPROCS=%q and %d cores, want %d", got, c.environment, c.before, c.want)
		}
	}
}
