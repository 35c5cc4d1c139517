package limit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reader reads all of a body and says how that ended.
func reader(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var named interface{ HTTPStatus() int }
	switch {
	case errors.As(err, &named):
		http.Error(w, err.Error(), named.HTTPStatus())
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		fmt.Fprint(w, len(body))
	}
}

// T5: a body that stalls is given up after 15 s, read or not, and one that is
// whole gives its handler all the time that it wants.
func TestABodyHasFifteenSeconds(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		sent    string // of a body of 10 bytes
		status  int
		after   time.Duration
	}{
		"one that stalls":                {reader, "123456789", 408, 15 * time.Second},
		"one that never begins":          {reader, "", 408, 15 * time.Second},
		"one that nobody reads":          {func(http.ResponseWriter, *http.Request) {}, "123456789", 200, 15 * time.Second},
		"one that nobody reads, refused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "123456789", 401, 0},
		"one that is whole, then work": {func(w http.ResponseWriter, r *http.Request) {
			reader(w, r)
			select {
			case <-time.After(time.Minute):
			case <-r.Context().Done():
				t.Error("the handler was cut off")
			}
		}, "1234567890", 200, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				server := &http.Server{Handler: New(c.handler)}
				go func() { _ = server.Serve(&once{conn: there, closed: make(chan struct{})}) }()
				began := time.Now()
				go func() { _, _ = io.WriteString(here, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"+c.sent) }()
				res, err := http.ReadResponse(bufio.NewReader(here), nil)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); res.StatusCode != c.status || took != c.after {
					t.Errorf("%d after %s, want %d after %s", res.StatusCode, took, c.status, c.after)
				}
				_ = here.Close()
				_ = server.Close()
			})
		})
	}
}

// once is a listener for one connection.
type once struct {
	conn   net.Conn
	closed chan struct{}
}

func (o *once) Accept() (net.Conn, error) {
	if c := o.conn; c != nil {
		o.conn = nil
		return c, nil
	}
	<-o.closed
	return nil, net.ErrClosed
}

func (o *once) Close() error {
	close(o.closed)
	return nil
}

func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// T5: large bodies together hold no more than the bound; small ones pass
// meanwhile, and what was held is free again afterwards.
func TestLargeBodiesShareABound(t *testing.T) {
	held, let := make(chan struct{}), make(chan struct{})
	d := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reader(w, r)
		if r.Header.Get("Hold") != "" {
			held <- struct{}{}
			<-let
		}
	}))
	post := func(size int, hold string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", size)))
		r.Header.Set("Hold", hold)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w
	}
	go post(maxBytes+uncountedBytes, "yes")
	<-held
	if w := post(uncountedBytes, ""); w.Code != 200 {
		t.Errorf("a small one: %d", w.Code)
	}
	if w := post(uncountedBytes+1, ""); w.Code != 503 || !strings.Contains(w.Body.String(), "send it again") {
		t.Errorf("a large one: %d %s", w.Code, w.Body)
	}
	close(let)
	for d.reading.Load() > 0 {
		<-time.After(time.Millisecond)
	}
	if w := post(1<<20, ""); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

// T16: an address that keeps coming as nobody hears 429 after a while, is told
// when to come back, and is served at once when it says who it is.
func TestAnAddressIsToldOnlySoOftenThatItIsNobody(t *testing.T) {
	d := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "who are you")
			return
		}
		_, _ = io.WriteString(w, "welcome")
	}))
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	get := func(from, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = from
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w
	}
	count := func(from string, n int) (told int) {
		for range n {
			if get(from, "").Code == http.StatusUnauthorized {
				told++
			}
		}
		return told
	}
	if told := count("192.0.2.1:1", 5000); told != maxUnauthorized {
		t.Errorf("told %d times, want %d", told, maxUnauthorized)
	}
	braked := get("192.0.2.1:2", "")
	if braked.Code != http.StatusTooManyRequests || braked.Header().Get("Retry-After") != "1" || !strings.Contains(braked.Body.String(), `"TooManyRequests"`) || strings.Contains(braked.Body.String(), "who are you") {
		t.Errorf("from another port: %d %v %s", braked.Code, braked.Header(), braked.Body)
	}
	if w := get("192.0.2.1:3", "Bearer good"); w.Code != 200 || w.Body.String() != "welcome" {
		t.Errorf("with a token: %d %s", w.Code, w.Body)
	}
	if told := count("192.0.2.2:1", 1); told != 1 {
		t.Error("another address is braked too")
	}
	if told := count("[2001:db8::1]:1", maxUnauthorized) + count("[2001:db8::2]:1", 1); told != maxUnauthorized {
		t.Errorf("two addresses of one network were told %d times", told)
	}
	now = now.Add(time.Second)
	if told := count("192.0.2.1:1", 100); told != int(time.Second/refillEvery) {
		t.Errorf("a second later: told %d times", told)
	}
	for i := range 3 * maxAddresses {
		get(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), "")
	}
	if n := len(d.unauthorized); n > maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
}
