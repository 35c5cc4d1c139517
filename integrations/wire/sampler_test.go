package wire

import (
	"testing"
	"testing/synctest"
	"time"
)

// T16: 10,000 refusals a second for a minute leave a handful of lines, and
// those say how many they stand for.
func TestStrangersFillNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSampler()
		lines, stoodFor := 0, int64(0)
		for range 60 {
			for range 10000 {
				if left, ok := s.Due(); ok {
					lines, stoodFor = lines+1, stoodFor+left
				}
			}
			time.Sleep(time.Second)
		}
		if lines > 16 || stoodFor < 400000 {
			t.Errorf("%d lines that stand for %d others", lines, stoodFor)
		}
	})
}
