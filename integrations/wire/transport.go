package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Pacing says how a Transport treats the other side. The zero value is usable.
type Pacing struct {
	Timeout   time.Duration // of one try, until its body is read; 0: 20 s
	PerSecond float64       // calls a second over everything that uses the transport; 0: no limit
	Burst     int           // calls that may go at once before PerSecond applies; 0: 1
	MaxWait   time.Duration // longest wait inside one call, for pacing and Retry-After together; 0: 5 s; negative: never wait
	Retries   int           // further tries of one call; 0: 2; negative: none
}

// Later is the error for "not now": the other side, or our own pacing, wants
// a longer wait than one call may take. The caller comes back on its own time.
type Later struct {
	After  time.Duration // how long the other side asked to wait
	Status int           // its HTTP status; 0: our own pacing
}

// Error says how long.
func (l *Later) Error() string {
	if l.Status == 0 {
		return fmt.Sprintf("too many calls at once, next one in %s", l.After.Round(time.Millisecond))
	}
	return fmt.Sprintf("the other side asks to wait %s (HTTP %d)", l.After.Round(time.Millisecond), l.Status)
}

// Transport returns base under a [Guard] with timeouts, pacing,
// Retry-After and few, safe retries. A call that changes something is repeated
// only after 429, which says that nothing was done; GET, HEAD, OPTIONS,
// PUT and DELETE also after a lost connection and 5xx. Answers that ask for a
// longer wait than Pacing.MaxWait, or that remain after the last try of a
// rate limit, come back as *Later; all other answers are passed on. No wait
// outlasts the request's context.
func Transport(base http.RoundTripper, o Pacing) http.RoundTripper {
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.MaxWait == 0 {
		o.MaxWait = 5 * time.Second
	}
	if o.Retries == 0 {
		o.Retries = 2
	}
	t := &transport{base: Guard(base), pacing: o}
	if o.PerSecond > 0 {
		t.limiter = rate.NewLimiter(rate.Limit(o.PerSecond), max(o.Burst, 1))
	}
	return t
}

type transport struct {
	base    http.RoundTripper
	pacing  Pacing
	limiter *rate.Limiter
}

// RoundTrip implements http.RoundTripper. The caller's request is never
// changed: each try is a clone with a fresh body.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	waited := time.Duration(0)
	wait := func(d time.Duration) bool {
		if d > t.pacing.MaxWait-waited || !fits(req.Context(), d) {
			return false
		}
		waited += d
		return sleep(req.Context(), d)
	}
	for try := 0; ; try++ {
		if err := t.pace(wait); err != nil {
			return nil, err
		}
		one, err := again(req, try)
		if err != nil {
			return nil, err
		}
		resp, err := t.once(one)
		more := try < t.pacing.Retries && (req.Body == nil || req.Body == http.NoBody || req.GetBody != nil)
		after, limited := retryAfter(resp, try)
		switch {
		case err != nil && (!more || Final(err) || !idempotent(req.Method) || req.Context().Err() != nil || !wait(backoff(try))):
			return nil, err
		case err != nil:
			continue
		case limited && more && (idempotent(req.Method) || resp.StatusCode == http.StatusTooManyRequests) && wait(after):
			drain(resp)
		case limited:
			drain(resp)
			return nil, &Later{After: after, Status: resp.StatusCode}
		case more && idempotent(req.Method) && resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented && wait(backoff(try)):
			drain(resp)
		default:
			return resp, nil
		}
	}
}

// pace takes a place in the line of calls.
func (t *transport) pace(wait func(time.Duration) bool) error {
	if t.limiter == nil {
		return nil
	}
	place := t.limiter.Reserve()
	if d := place.Delay(); d > 0 && !wait(d) {
		place.Cancel()
		return &Later{After: d}
	}
	return nil
}

// once makes one try, bounded in time up to the end of its body.
func (t *transport) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.pacing.Timeout)
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && req.Context().Err() == nil {
			return nil, fmt.Errorf("no answer within %s: %w", t.pacing.Timeout, context.DeadlineExceeded)
		}
		return nil, Scrub(err)
	}
	resp.Body = &body{ReadCloser: resp.Body, cancel: cancel}
	return resp, nil
}

// body ends the try's time limit when the answer has been dealt with.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close closes the answer and frees the timer.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// again clones the request; tries after the first need a fresh body.
func again(req *http.Request, try int) (*http.Request, error) {
	one := req.Clone(req.Context())
	if try == 0 || req.GetBody == nil {
		return one, nil
	}
	fresh, err := req.GetBody()
	if err != nil {
		return nil, fmt.Errorf("repeating the request body: %w", err)
	}
	one.Body = fresh
	return one, nil
}

func idempotent(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// retryAfter says whether the answer is a rate limit or names a time, and how long to wait.
// A 403 without either is a plain refusal.
func retryAfter(resp *http.Response, try int) (time.Duration, bool) {
	if resp == nil {
		return 0, false
	}
	h := resp.Header
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusForbidden:
	default:
		return 0, false
	}
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.Atoi(v); err == nil && s >= 0 {
			return time.Duration(s) * time.Second, true
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(time.Until(at), 0), true
		}
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return 0, false
	}
	if s, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && h.Get("X-RateLimit-Remaining") == "0" {
		return max(time.Until(time.Unix(s, 0)), 0), true
	}
	return backoff(try), resp.StatusCode == http.StatusTooManyRequests
}

// backoff is 0.2 s, doubling, with a quarter of jitter so that callers spread: the
// clock's last digits, which a simulation can repeat.
func backoff(try int) time.Duration {
	d := 200 * time.Millisecond << min(try, 6)
	return d - time.Duration(time.Now().Nanosecond())%(d/4)
}

// fits says whether a wait would end before the context does.
func fits(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > d
}

// sleep returns true after d, or false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain frees the connection for the next try.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
