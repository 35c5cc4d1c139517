package workspace

import (
	"net/http"
	"strconv"
	"time"
)

// ResponseURLs is the method name that stands for response URLs in Fault and Calls.
const ResponseURLs = "response_url"

// Fault is how a call goes wrong. Delay comes first; of the others, the first
// one that is set decides. Only a Delay: the answer is late, and well.
type Fault struct {
	Delay       time.Duration
	RateLimited time.Duration // 429 with this Retry-After, in whole seconds
	Status      int           // an HTTP status without a useful body: 500
	Error       string        // ok:false with this error
	Needed      string        // with Error "missing_scope": the scope
	Down        bool          // the connection is closed without an answer
	Lost        bool          // the call is carried out, then the connection is closed
	Garbage     bool          // 200 with something that is not JSON
	Times       int           // how many calls; 0: until mended
}

// Fault makes calls of a method go wrong ("chat.postMessage"; "" for every
// method that has no fault of its own, response URLs too).
func (w *Workspace) Fault(method string, f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[method] = &f
}

// Mend takes all faults away. Answers that are being delayed stay late.
func (w *Workspace) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.faults)
}

// Calls says how often a method was called, also when it went wrong; "" for all together.
func (w *Workspace) Calls(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// count notes a call and returns how it is to go wrong.
func (w *Workspace) count(name string) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[name]++
	w.calls[""]++
	for _, key := range []string{name, ""} {
		f := w.faults[key]
		if f == nil {
			continue
		}
		now := *f
		if f.Times--; f.Times == 0 {
			delete(w.faults, key)
		}
		return now
	}
	return Fault{}
}

// goesWrong lets the call go wrong before it is carried out, and says whether it did.
func (w *Workspace) goesWrong(f Fault, rw http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		late := time.NewTimer(f.Delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-w.ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
	switch {
	case f.RateLimited > 0:
		rw.Header().Set("Retry-After", strconv.Itoa(max(1, int(f.RateLimited.Seconds()))))
		answer(rw, http.StatusTooManyRequests, reply{"ok": false, "error": "ratelimited"})
	case f.Status != 0:
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(f.Status)
	case f.Error != "":
		answer(rw, http.StatusOK, (&apiError{Code: f.Error, Needed: f.Needed}).reply())
	case f.Down:
		panic(http.ErrAbortHandler)
	case f.Garbage:
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte("<!doctype html><title>Slack</title>"))
	default:
		return false
	}
	return true
}
