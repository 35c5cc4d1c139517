package wire

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// System is a vendor, for those who count calls.
type System struct {
	Name string // "slack"
	// Operation names what a call does ("chat.postMessage"), one of a few dozen
	// words: never an ID of what it is done to.
	Operation func(*http.Request) string
	// Refused says whether an answer of status 2xx is a refusal all the same; nil: none is.
	Refused func(*http.Response) bool
}

// Calls hears of calls to vendors, from any goroutine.
type Calls interface {
	// Called says what became of a call: "ok", "refused" (the vendor said no),
	// "limited" (not now), or "failed" (no answer, or a fault of the vendor's).
	Called(system, operation, result string)
	// Remaining says how many calls the vendor's rate limit still allows.
	Remaining(system string, calls int)
}

// Counted returns base (nil: http.DefaultTransport) with every request that
// goes through it reported to c: each try of a [Transport] above it is one.
func Counted(base http.RoundTripper, s System, c Calls) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return counted{base, s, c}
}

type counted struct {
	base   http.RoundTripper
	system System
	calls  Calls
}

// RoundTrip implements http.RoundTripper.
func (t counted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	t.calls.Called(t.system.Name, t.system.Operation(req), t.result(resp, err))
	if resp != nil {
		if n, err := strconv.Atoi(resp.Header.Get("X-RateLimit-Remaining")); err == nil {
			t.calls.Remaining(t.system.Name, n)
		}
	}
	return resp, err
}

func (t counted) result(resp *http.Response, err error) string {
	if err != nil {
		return "failed"
	}
	if _, limited := retryAfter(resp, 0); limited {
		return "limited"
	}
	switch status := resp.StatusCode; {
	case status >= 500:
		return "failed"
	case status >= 400, t.system.Refused != nil && t.system.Refused(resp):
		return "refused"
	}
	return "ok"
}

// ByPath names an operation by its method and the last part of its path that is
// one of these: "POST statuses". What has none of them is "POST other".
func ByPath(parts ...string) func(*http.Request) string {
	return func(r *http.Request) string {
		path := strings.Split(r.URL.Path, "/")
		for i := len(path) - 1; i >= 0; i-- {
			if slices.Contains(parts, path[i]) {
				return r.Method + " " + path[i]
			}
		}
		return r.Method + " other"
	}
}
