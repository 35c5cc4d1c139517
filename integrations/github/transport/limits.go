package transport

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// Whoever meets a secondary limit that names no time waits a minute, as GitHub wants.
	secondaryWait = time.Minute
	longestWait   = time.Hour // a limit is renewed every hour; what says more is a clock that is wrong
)

// left is how long GitHub still wants to be left alone by a credential.
func (t *Transport) left(by credential, req *http.Request) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	until := t.waits[place{by: by}]
	if of := t.waits[place{by, resource(req)}]; of.After(until) {
		until = of
	}
	return until.Sub(t.now())
}

// resource is the limit that a call counts against, as far as its address says.
func resource(req *http.Request) string {
	if strings.Contains(req.URL.Path, "/search/") {
		return "search"
	}
	return "core"
}

// note remembers what a refusal says of limits, and writes into its Retry-After
// how long that is: by GitHub's clock, which need not be ours.
func (t *Transport) note(by credential, req *http.Request, resp *http.Response) {
	wait, what, limited := limit(req, resp, t.now())
	if !limited {
		return
	}
	resp.Header.Set("Retry-After", seconds(wait))
	if wait <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.waits) >= mostWaits {
		maps.DeleteFunc(t.waits, func(_ place, until time.Time) bool { return !until.After(now) })
	}
	if len(t.waits) >= mostWaits {
		clear(t.waits)
	}
	t.waits[place{by, what}] = now.Add(wait)
}

// limit says whether a refusal is a rate limit, how long to wait, and what it is about.
func limit(req *http.Request, resp *http.Response, now time.Time) (wait time.Duration, what string, limited bool) {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return 0, "", false
	}
	bound := func(d time.Duration) time.Duration { return min(max(d, 0), longestWait) }
	if s, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32); err == nil {
		return bound(time.Duration(s) * time.Second), "", true
	}
	if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
		return bound(at.Sub(theirs(resp, now))), "", true
	}
	if reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && resp.Header.Get("X-RateLimit-Remaining") == "0" {
		return bound(time.Unix(reset, 0).Sub(theirs(resp, now))), resource(req), true
	}
	if secondary(resp) {
		return secondaryWait, "", true
	}
	return 0, "", false
}

// theirs is the time by GitHub's clock.
func theirs(resp *http.Response, now time.Time) time.Time {
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return at
	}
	return now
}

// secondary says whether a refusal that names no time is a secondary limit. The library
// looks at the end of a link, which differs between GitHub's versions.
func secondary(resp *http.Response) bool {
	text, _ := io.ReadAll(resp.Body) // whole has read it
	resp.Body = io.NopCloser(bytes.NewReader(text))
	said := strings.ToLower(string(text))
	for _, sign := range []string{"secondary rate limit", "secondary-rate-limits", "abuse detection", "abuse-rate-limits"} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}
