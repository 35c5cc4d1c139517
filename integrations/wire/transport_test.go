package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script is an other side that gives prepared answers, the last one forever.
type script struct {
	answers []func(*http.Request) (*http.Response, error)

	mu     sync.Mutex
	calls  int
	bodies []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		s.bodies = append(s.bodies, string(b))
	}
	a := s.answers[min(s.calls, len(s.answers)-1)]
	s.calls++
	s.mu.Unlock()
	return a(r)
}

type reply = func(*http.Request) (*http.Response, error)

func answers(status int, headers ...string) reply {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("x"))}, nil
	}
}

func breaks(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestTransportStatuses is the table of what one call does with an answer.
func TestTransportStatuses(t *testing.T) {
	const status, later, lost = "status", "later", "error"
	for _, c := range []struct {
		name   string
		method string
		script []reply
		calls  int
		want   string
		code   int           // of the answer, or of Later
		after  time.Duration // of Later
		took   time.Duration // at least
	}{
		{"all is well", "POST", []reply{answers(201)}, 1, status, 201, 0, 0},
		{"a refusal is passed on", "GET", []reply{answers(404)}, 1, status, 404, 0, 0},
		{"403 without a time is a refusal", "GET", []reply{answers(403)}, 1, status, 403, 0, 0},
		{"403 with a short time is waited for", "GET", []reply{answers(403, "Retry-After", "2"), answers(200)}, 2, status, 200, 0, 2 * time.Second},
		{"403 with a time may have changed something", "POST", []reply{answers(403, "Retry-After", "2")}, 1, later, 403, 2 * time.Second, 0},
		{"403 at the hourly limit", "POST", []reply{answers(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "946688400")}, 1, later, 403, time.Hour, 0},
		{"429 with a short time, then well", "POST", []reply{answers(429, "Retry-After", "1"), answers(201)}, 2, status, 201, 0, time.Second},
		{"429 with a long time", "POST", []reply{answers(429, "Retry-After", "30")}, 1, later, 429, 30 * time.Second, 0},
		{"429 with a date", "POST", []reply{answers(429, "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT")}, 1, later, 429, time.Minute, 0},
		{"429 for ever", "POST", []reply{answers(429, "Retry-After", "1")}, 3, later, 429, time.Second, 2 * time.Second},
		{"500 of a read is tried again", "GET", []reply{answers(500), answers(200)}, 2, status, 200, 0, 0},
		{"500 of a read for ever", "GET", []reply{answers(500)}, 3, status, 500, 0, 0},
		{"500 of a write is passed on", "POST", []reply{answers(500)}, 1, status, 500, 0, 0},
		{"503 with a time of a write is not repeated", "POST", []reply{answers(503, "Retry-After", "1")}, 1, later, 503, time.Second, 0},
		{"503 with a time of a read", "GET", []reply{answers(503, "Retry-After", "1"), answers(200)}, 2, status, 200, 0, time.Second},
		{"501 will not change", "GET", []reply{answers(501)}, 1, status, 501, 0, 0},
		{"a lost connection of a read", "GET", []reply{breaks, answers(200)}, 2, status, 200, 0, 0},
		{"a lost connection of a write", "POST", []reply{breaks}, 1, lost, 0, 0, 0},
		{"silence of a write", "POST", []reply{hangs}, 1, lost, 0, 0, 20 * time.Second},
		{"silence of a read, then well", "GET", []reply{hangs, answers(200)}, 2, status, 200, 0, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: c.script}
				req, _ := http.NewRequest(c.method, "https://vendor.example/x", strings.NewReader("content"))
				begin := time.Now()
				resp, err := Transport(s, Pacing{}).RoundTrip(req)
				var l *Later
				got, code := status, 0
				switch {
				case errors.As(err, &l):
					got, code = later, l.Status
				case err != nil:
					got = lost
				default:
					code = resp.StatusCode
					resp.Body.Close()
				}
				if got != c.want || code != c.code {
					t.Errorf("came back with %s %d (%v), want %s %d", got, code, err, c.want, c.code)
				}
				if l != nil && l.After != c.after {
					t.Errorf("Later.After = %s, want %s", l.After, c.after)
				}
				if s.calls != c.calls {
					t.Errorf("%d calls, want %d", s.calls, c.calls)
				}
				for _, b := range s.bodies {
					if b != "content" {
						t.Errorf("a try carried the body %q", b)
					}
				}
				if took := time.Since(begin); took < c.took || took > c.took+2*time.Second {
					t.Errorf("took %s, want about %s", took, c.took)
				}
			})
		})
	}
}

func TestTransportNeverOutlastsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://vendor.example/", nil)
		begin := time.Now()
		_, err := Transport(&script{answers: []reply{answers(429, "Retry-After", "3")}}, Pacing{}).RoundTrip(req)
		var l *Later
		if !errors.As(err, &l) || time.Since(begin) != 0 {
			t.Errorf("after %s: %v, want *Later at once, because the wait would not fit", time.Since(begin), err)
		}
	})
}

func TestTransportPaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := Transport(&script{answers: []reply{answers(200)}}, Pacing{PerSecond: 2, Burst: 1, MaxWait: time.Second})
		begin := time.Now()
		call := func() error {
			req, _ := http.NewRequest("GET", "https://vendor.example/", nil)
			resp, err := tr.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		for range 3 {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("three calls at two a second took %s, want 1s", took)
		}
		late := make(chan error, 8)
		for range 8 {
			go func() { late <- call() }()
		}
		var turnedAway int
		for range 8 {
			var l *Later
			if errors.As(<-late, &l) {
				turnedAway++
			}
		}
		if turnedAway == 0 {
			t.Error("nobody was told to come later, though the line is longer than MaxWait")
		}
	})
}

func TestBodyStaysReadableAfterTheCall(t *testing.T) {
	req, _ := http.NewRequest("GET", "https://vendor.example/", nil)
	resp, err := Transport(&script{answers: []reply{answers(200)}}, Pacing{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "x" || err != nil {
		t.Errorf("body %q, %v", b, err)
	}
}

func TestScrub(t *testing.T) {
	_, err := (&http.Client{Transport: &script{answers: []reply{breaks}}}).Get("https://bot:hunter2@vendor.example/hook?secret=hunter3&x=1")
	err = Scrub(fmt.Errorf("telling the vendor: %w", err))
	for _, secret := range []string{"hunter2", "hunter3", "secret="} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in the error: %v", secret, err)
		}
	}
	if !strings.Contains(err.Error(), "vendor.example/hook") || !strings.Contains(err.Error(), "telling the vendor") {
		t.Errorf("the error does not say what happened to what: %v", err)
	}
	if plain := errors.New("plain"); !errors.Is(Scrub(plain), plain) {
		t.Error("an error without an address changed")
	}
	if Scrub(nil) != nil {
		t.Error("no error became one")
	}
}

// C6, C19c: what somebody can mend is neither taken for good nor for passing.
func TestKindOf(t *testing.T) {
	for status, want := range map[int]Kind{
		200: Permanent, 301: Permanent, 400: Permanent, 401: Fixable, 403: Fixable, 404: Fixable, 407: Fixable, 408: Transient, 409: Permanent, 410: Permanent,
		413: Permanent, 422: Permanent, 425: Transient, 429: Transient, 500: Transient, 502: Transient, 503: Transient, 504: Transient,
	} {
		if got := KindOf(status); got != want {
			t.Errorf("KindOf(%d) = %v, want %v", status, got, want)
		}
	}
}
