package fault

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSwitch shows each kind of trouble and that the fake recovers from it.
func TestSwitch(t *testing.T) {
	var carried atomic.Int32
	var s Switch
	srv := httptest.NewServer(s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		carried.Add(1)
		w.WriteHeader(http.StatusCreated)
	})))
	defer srv.Close()
	call := func(ctx context.Context) (int, string) {
		req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/thing/1", nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, ""
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	for _, c := range []struct {
		name    string
		fault   Fault
		status  int // 0: no answer
		after   string
		carried int32 // by the call itself
	}{
		{"another path", Fault{Match: "POST /other", Status: 500}, 201, "", 1},
		{"another method", Fault{Match: "GET /thing", Status: 500}, 201, "", 1},
		{"not the whole path", Fault{Match: "POST /thing$", Status: 500}, 201, "", 1},
		{"a limit", Fault{Match: "POST /thing", Times: 1, Status: 429, RetryAfter: 7 * time.Second}, 429, "7", 0},
		{"broken off", Fault{Times: 1, Cut: true}, 0, "", 0},
		{"a lost answer", Fault{Times: 1, Cut: true, After: true}, 0, "", 1},
		{"an answer that lies", Fault{Times: 1, Status: 503, After: true}, 503, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			carried.Store(0)
			s.Set(c.fault)
			status, after := call(t.Context())
			if status != c.status || after != c.after || carried.Load() != c.carried {
				t.Errorf("answer %d, Retry-After %q, carried out %d; want %d, %q, %d", status, after, carried.Load(), c.status, c.after, c.carried)
			}
			s.Set()
			if status, _ := call(t.Context()); status != 201 {
				t.Errorf("afterwards the answer is %d", status)
			}
		})
	}
}

func TestSwitchHangsUntilLifted(t *testing.T) {
	var s Switch
	srv := httptest.NewServer(s.Wrap(http.NotFoundHandler()))
	defer srv.Close()
	s.Set(Fault{Hang: true})
	done := make(chan error, 1)
	go func() {
		_, err := http.Get(srv.URL)
		done <- err
	}()
	for len(done) == 0 && !taken(&s) {
		select {
		case err := <-done:
			t.Fatalf("the call came back early: %v", err)
		default:
		}
	}
	s.Set()
	if err := <-done; err == nil {
		t.Error("a call that hung was answered in the end")
	}
}

// taken says whether a call has met the fault: each one counts it down.
func taken(s *Switch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults) == 1 && s.faults[0].Times < 0
}

func TestChanges(t *testing.T) {
	var c Changes
	level := make(chan int, 1)
	level <- 0
	read := func() int { n := <-level; level <- n; return n }
	go func() {
		for range 3 {
			level <- <-level + 1
			c.Notify()
		}
	}()
	if err := c.Wait(t.Context(), func() bool { return read() == 3 }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx, func() bool { return false }); err == nil {
		t.Error("a wait outlasted its context")
	}
}

// Several faults stand side by side: one for certain calls goes before one for every call.
func TestFaultsStandSideBySide(t *testing.T) {
	var s Switch
	h := s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	want := func(method, path string, status int) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != status {
			t.Errorf("%s %s: %d, want %d", method, path, w.Code, status)
		}
	}
	s.Add(Fault{Status: 500})
	s.Add(Fault{Match: "/api/post$", Status: 429})
	want("GET", "/api/post", 429) // a path alone is for every method
	want("POST", "/api/post", 429)
	want("POST", "/api/post.more", 500)
	s.Add(Fault{Match: "/api/post$", Status: 503, Times: 1}) // in place of the first
	want("POST", "/api/post", 503)
	want("POST", "/api/post", 500) // it is used up
	s.Set()
	want("POST", "/api/post", 200)
}

func TestADelayComesFirst(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		gone   time.Duration // when the caller gives up; 0: never
		status int           // 0: no answer
		took   time.Duration
	}{
		"late, and well":     {Fault{Delay: time.Minute}, 0, 200, time.Minute},
		"late, and refused":  {Fault{Delay: time.Minute, Status: 503}, 0, 503, time.Minute},
		"the caller goes":    {Fault{Delay: time.Minute}, time.Second, 0, time.Second},
		"without any of all": {Fault{}, 0, 200, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s Switch
				s.Set(c.fault)
				h := s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if body, _ := io.ReadAll(r.Body); string(body) != "hello" {
						t.Errorf("body %q", body)
					}
					w.WriteHeader(http.StatusOK)
				}))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.gone > 0 {
					time.AfterFunc(c.gone, cancel)
				}
				w, began := httptest.NewRecorder(), time.Now()
				status := func() int {
					defer func() { _ = recover() }() // a connection that is broken off
					h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "POST", "/", strings.NewReader("hello")))
					return w.Code
				}()
				if took := time.Since(began); status != c.status || took != c.took {
					t.Errorf("%d after %s", status, took)
				}
			})
		})
	}
}
