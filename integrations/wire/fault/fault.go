// Package fault makes fakes of vendors useful: a [Switch] puts trouble into
// their answers, and [Changes] lets a test wait for what it is about to see
// instead of sleeping.
package fault

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is trouble for the calls it matches.
type Fault struct {
	// Match is a method and the beginning of a path, "POST /rest/api/2/issue";
	// a "$" at its end makes it the whole path. Empty matches every call.
	Match string
	Times int // how many calls; 0: until the switch is set again

	Status     int           // answer this
	RetryAfter time.Duration // with this header, in whole seconds
	Body       string        // and this body, as JSON
	Hang       bool          // give no answer until the caller goes away or the switch is set again
	Cut        bool          // break the connection without an answer
	After      bool          // carry the call out first: only its answer is lost
}

// Switch holds the faults that are on. The zero value has none.
type Switch struct {
	mu     sync.Mutex
	faults []*Fault
	lift   chan struct{} // closed when the faults change
}

// Set replaces the faults that are on; without any, all is well again.
func (s *Switch) Set(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lift != nil {
		close(s.lift)
	}
	s.lift = make(chan struct{})
	s.faults = nil
	for _, f := range faults {
		s.faults = append(s.faults, &f)
	}
}

// take returns the first fault that matches and counts it.
func (s *Switch) take(r *http.Request) (f Fault, lifted <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.matches(r) {
			continue
		}
		if f.Times == 1 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		f.Times--
		return *f, s.lift, true
	}
	return Fault{}, nil, false
}

func (f *Fault) matches(r *http.Request) bool {
	method, path, ok := strings.Cut(f.Match, " ")
	if !ok {
		return f.Match == ""
	}
	if method != r.Method {
		return false
	}
	if whole, ok := strings.CutSuffix(path, "$"); ok {
		return r.URL.Path == whole
	}
	return strings.HasPrefix(r.URL.Path, path)
}

// Wrap returns h with the switch's faults.
func (s *Switch) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, lifted, ok := s.take(r)
		if !ok {
			h.ServeHTTP(w, r)
			return
		}
		if f.After {
			h.ServeHTTP(lost{}, r)
		}
		if f.Hang {
			select {
			case <-r.Context().Done():
			case <-lifted:
			}
		}
		if f.Cut || f.Hang {
			panic(http.ErrAbortHandler)
		}
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body))
	})
}

// lost is where an answer goes that nobody will see.
type lost struct{}

// Header is thrown away.
func (lost) Header() http.Header { return http.Header{} }

// Write takes everything.
func (lost) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (lost) WriteHeader(int) {}

// Changes tells those who wait that something changed. The zero value is ready.
type Changes struct {
	mu sync.Mutex
	ch chan struct{}
}

// Notify wakes everybody who waits. It is called after each change.
func (c *Changes) Notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}

// Wait returns nil once until holds, which is asked now and after every
// change, or the context's error. until must not call Notify.
func (c *Changes) Wait(ctx context.Context, until func() bool) error {
	for {
		c.mu.Lock()
		if c.ch == nil {
			c.ch = make(chan struct{})
		}
		changed := c.ch
		c.mu.Unlock()
		if until() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
