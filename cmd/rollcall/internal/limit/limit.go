// Package limit stands before every handler of the service and bounds what
// those may cost who have not yet said who they are: how long a body may take,
// how many bytes of bodies are in memory at the same time, and how often one address
// is answered 401.
package limit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	bodyTimeout    = 15 * time.Second // from the first byte of a body to its last
	uncountedBytes = 32 << 10         // bytes of a body that are not counted: most are smaller
	maxBytes       = 32 << 20         // bytes of all bodies being read that are
)

// Limiter bounds the requests to one handler. It is safe for concurrent use.
type Limiter struct {
	next         http.Handler
	now          func() time.Time
	reading      atomic.Int64 // bytes counted against together
	mu           sync.Mutex
	unauthorized map[string]*bucket
}

// New returns a Limiter before next.
func New(next http.Handler) *Limiter {
	return &Limiter{next: next, now: time.Now, unauthorized: map[string]*bucket{}}
}

// ServeHTTP hands the request on with a body that ends in time, with an error
// that has a method HTTPStatus: 408 when it did not come within 15 s, 503 when
// too many others are being read. An answer of 401 becomes 429, with
// Retry-After, for an address that has heard it too often.
func (d *Limiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &answer{ResponseWriter: w, limiter: d, request: r}
	if r.ContentLength != 0 {
		in := &body{ReadCloser: r.Body, limiter: d, control: http.NewResponseController(w)}
		// Kept until the last byte, also when nobody reads: the server itself
		// waits for what is left of a body before it answers.
		_ = in.control.SetReadDeadline(time.Now().Add(bodyTimeout)) // an error: there is no connection, as in a test
		defer in.release()
		r.Body, out.body = in, in
	}
	d.next.ServeHTTP(out, r)
}

// body is a request's, in time and counted.
type body struct {
	io.ReadCloser
	limiter *Limiter
	control *http.ResponseController
	read    int64
	counted int64
	whole   bool
}

// refusal is a body's end before its time.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string   { return e.text }
func (e *refusal) HTTPStatus() int { return e.status }

func (b *body) Read(p []byte) (int, error) {
	if b.read > uncountedBytes && b.limiter.reading.Load() >= maxBytes {
		return 0, &refusal{http.StatusServiceUnavailable, "too many large requests are being read at the same time; send it again in a few seconds"}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if more := b.read - uncountedBytes - b.counted; more > 0 {
		b.counted += more
		b.limiter.reading.Add(more)
	}
	switch {
	case errors.Is(err, io.EOF):
		b.whole = true
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &refusal{http.StatusRequestTimeout, fmt.Sprintf("the request body did not come within %s", bodyTimeout)}
	}
	return n, err
}

func (b *body) release() { b.limiter.reading.Add(-b.counted) }

// answer is the handler's, unless it says 401 to somebody who has heard it too often.
type answer struct {
	http.ResponseWriter
	limiter *Limiter
	request *http.Request
	body    *body // nil: there is none
	braked  bool
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= 400 && a.body != nil && !a.body.whole {
		a.Header().Set("Connection", "close") // else the server reads what nobody wants before it answers
	}
	wait := time.Duration(0)
	if status == http.StatusUnauthorized {
		wait = a.limiter.delayOf401(a.request.RemoteAddr)
	}
	if wait == 0 {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.braked = true
	h := a.Header()
	h.Del("Content-Length")
	h.Del("WWW-Authenticate")
	h.Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	h.Set("Content-Type", "application/problem+json")
	a.ResponseWriter.WriteHeader(http.StatusTooManyRequests)
	_ = json.NewEncoder(a.ResponseWriter).Encode(map[string]any{ // nobody is left to tell of an error
		"title": http.StatusText(http.StatusTooManyRequests), "status": http.StatusTooManyRequests, "code": "TooManyRequests",
		"detail": "too many requests from this address say nobody who is known",
		"hint":   "wait, and send a token or a signature that is good",
	})
}

func (a *answer) Write(p []byte) (int, error) {
	if a.braked {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}
