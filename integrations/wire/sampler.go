package wire

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Sampler keeps a flood of requests from filling a log: of many lines alike it
// lets ten through at once, and then one every ten seconds. It is safe for concurrent use.
type Sampler struct {
	limit *rate.Limiter
	left  atomic.Int64
}

// NewSampler returns a sampler that has let nothing through yet.
func NewSampler() *Sampler { return &Sampler{limit: rate.NewLimiter(rate.Every(10*time.Second), 10)} }

// Due says whether a line is to be written now, and how many were left out before it.
func (s *Sampler) Due() (left int64, ok bool) {
	if !s.limit.Allow() {
		s.left.Add(1)
		return 0, false
	}
	return s.left.Swap(0), true
}
