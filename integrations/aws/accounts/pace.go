package accounts

import (
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	slowest     = 8               // times slower than usual, however often AWS says that it is too fast
	halveEvery  = 5 * time.Second // at most: one storm is one sign
	largestBody = 64 << 20        // bytes of an answer
)

// pace is the bucket of one account and Region: each try of a call takes a
// token. Throttling halves its rate, what succeeds afterwards brings it back.
type pace struct {
	limit *rate.Limiter
	usual rate.Limit

	mu     sync.Mutex
	halved time.Time
}

// newPace lets one call pass at a time, evenly: a burst would only be answered with throttling.
func newPace(calls float64) *pace {
	return &pace{limit: rate.NewLimiter(rate.Limit(calls), 1), usual: rate.Limit(calls)}
}

func (p *pace) throttled() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.halved) >= halveEvery {
		p.halved = now
		p.limit.SetLimit(max(p.limit.Limit()/2, p.usual/slowest))
	}
}

func (p *pace) passed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.limit.Limit(); now < p.usual {
		p.limit.SetLimit(min(now+p.usual/10, p.usual))
	}
}

// pacedTransport waits its turn before each request.
type pacedTransport struct {
	base http.RoundTripper
	pace *pace
}

// RoundTrip implements http.RoundTripper.
func (t pacedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.pace.limit.Wait(r.Context()); err != nil {
		return nil, &NotSentError{err}
	}
	resp, err := t.base.RoundTrip(r)
	if err == nil && resp.StatusCode < 300 {
		t.pace.passed()
	}
	return resp, err
}

// NotSentError says that a request had not left when it was given up.
type NotSentError struct{ Err error }

// Error is why it was given up.
func (e *NotSentError) Error() string { return "the call was not made: " + e.Err.Error() }

// Unwrap is why it was given up.
func (e *NotSentError) Unwrap() error { return e.Err }

// boundedTransport bounds the answers.
type boundedTransport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err == nil {
		resp.Body = bounded{io.LimitReader(resp.Body, largestBody), resp.Body}
	}
	return resp, err
}

type bounded struct {
	io.Reader
	io.Closer
}
