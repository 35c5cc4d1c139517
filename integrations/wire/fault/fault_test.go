package fault

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
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
