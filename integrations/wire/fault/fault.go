// Package fault makes fakes of vendors useful: a [Switch] puts trouble into
// their answers, and [Changes] lets a test wait for what it is about to see
// instead of sleeping.
package fault

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is trouble for the calls it matches.
type Fault struct {
	// Match is a method and the beginning of a path, "POST /rest/api/2/issue", or
	// the path alone, for every method; a "$" at its end makes it the whole path.
	// Empty matches every call that no other fault matches.
	Match string
	Times int // how many calls; 0: until the switch is set again

	Delay time.Duration // comes first; with nothing else the answer is late, and well

	Status     int           // answer this
	RetryAfter time.Duration // with this header, in whole seconds
	Body       string        // and this body, as JSON
	Hang       bool          // give no answer until the caller goes away or the switch is set again
	Cut        bool          // break the connection without an answer
	After      bool          // serve the call first: only its answer is lost
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

// Add puts a fault on beside the others, in place of one for the same calls.
func (s *Switch) Add(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(slices.DeleteFunc(s.faults, func(old *Fault) bool { return old.Match == f.Match }), &f)
}

// take returns the first fault that matches, one for every call last, and counts it.
func (s *Switch) take(r *http.Request) (f Fault, lifted <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.Match != "" && f.matches(r) })
	if i < 0 {
		i = slices.IndexFunc(s.faults, func(f *Fault) bool { return f.Match == "" })
	}
	if i < 0 {
		return Fault{}, nil, false
	}
	one := s.faults[i]
	if one.Times == 1 {
		s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
	}
	one.Times--
	return *one, s.lift, true
}

func (f *Fault) matches(r *http.Request) bool {
	method, path, ok := strings.Cut(f.Match, " ")
	if !ok {
		method, path = r.Method, f.Match
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
		if f.Delay > 0 || f.Hang {
			keepBody(r)
			wait(r, f.Delay)
		}
		if f.After {
			h.ServeHTTP(discard{}, r)
		}
		if f.Hang {
			select {
			case <-r.Context().Done():
			case <-lifted:
			}
		}
		switch {
		case f.Cut || f.Hang:
			panic(http.ErrAbortHandler)
		case f.Status == 0:
			h.ServeHTTP(w, r)
			return
		}
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body))
	})
}

// keepBody reads the body and puts it back: a server notices only after it that
// the caller has gone.
func keepBody(r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 16<<20)) // a body that breaks off is the handler's to notice
	r.Body = io.NopCloser(bytes.NewReader(body))
}

// wait returns after d; when the caller goes before, there is nobody left to answer.
func wait(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// discard is where an answer goes that nobody will see.
type discard struct{}

// Header is thrown away.
func (discard) Header() http.Header { return http.Header{} }

// Write takes everything.
func (discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (discard) WriteHeader(int) {}

// Changes wakes those who wait when something changed. The zero value is ready.
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

// Wait returns nil once until is true, which is asked now and after every
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
