package wiretest

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// Client makes one call of a vendor's client to the API at base, and says
// whether the client's owner would make the same call again after its error.
type Client func(t *testing.T, base string, transport http.RoundTripper) (again bool, err error)

const (
	stayBelow = 160 << 20 // bytes allocated for one answer: its 16 MiB, and the growing of a buffer
	sends     = 300 << 20 // bytes of an answer that is too large
)

// Bounds checks what is true of every client that sends credentials: they
// never follow a redirect to another host, port or scheme (T4), and an answer of
// any size and form costs bounded memory (T8). Neither is asked again.
func Bounds(t *testing.T, call Client) {
	t.Helper()
	var strayed atomic.Int64
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		strayed.Add(1)
		t.Errorf("a call went to %s%s, Authorization %q", r.Host, r.URL.Path, r.Header.Get("Authorization"))
	})
	other, open := httptest.NewTLSServer(elsewhere), httptest.NewServer(elsewhere)
	defer other.Close()
	defer open.Close()
	for name, to := range map[string]string{
		"another port": other.URL, "another host": strings.Replace(other.URL, "127.0.0.1", "localhost", 1), "http": open.URL,
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("T4 %d to %s", status, name), func(t *testing.T) {
				refused(t, call, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", to+r.URL.Path)
					w.WriteHeader(status)
				})
			})
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(sends+8))
			pour(w, sends)
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) { pour(w, 1<<40) },
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			pour(z, sends)
			_ = z.Close()
		},
	} {
		t.Run("T8 "+name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			refused(t, call, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				answer(w, r)
			})
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > stayBelow {
				t.Errorf("the answer took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		})
	}
}

// refused makes a call to a server that answers so, and wants it to fail for good at the first try.
func refused(t *testing.T, call Client, answer http.HandlerFunc) {
	t.Helper()
	var calls atomic.Int64
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(w, r)
	}))
	defer srv.Close()
	// One client for all servers of the test: their certificate is the same.
	if again, err := call(t, srv.URL, srv.Client().Transport); err == nil || again || calls.Load() != 1 {
		t.Errorf("%v, again %v, %d calls; want an error at the first call, for good", err, again, calls.Load())
	}
}

// pour writes a JSON text of so many bytes, until nobody reads it any more.
func pour(w interface{ Write([]byte) (int, error) }, size int) {
	piece := []byte(strings.Repeat("x", 64<<10))
	_, err := w.Write([]byte(`{"key":"`))
	for sent := 0; sent < size && err == nil; sent += len(piece) {
		_, err = w.Write(piece)
	}
}
