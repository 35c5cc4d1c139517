package wire

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Passing says whether an HTTP status is worth another try on the caller's own
// time: limits, time-outs, trouble of the other side, and credentials that
// somebody has to renew (401). Everything else the other side has decided.
func Passing(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// NotSent says whether the call behind err certainly did not reach the other
// side: the address did not resolve, the connection was refused, or our own
// pacing held it back, or the other side turned it away for its rate limit or
// for being away, which says it was not carried out.
func NotSent(err error) bool {
	var later *Later
	if errors.As(err, &later) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Scrub returns err without what must not be read: the query and the user part
// of the address that net/http puts into its errors.
func Scrub(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	return &scrubbed{text: strings.ReplaceAll(err.Error(), u.URL, Address(u.URL)), err: err}
}

// Address is a URL fit for a log: without user, query and fragment.
func Address(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "an address that cannot be read"
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment = nil, "", "", ""
	return u.String()
}

// scrubbed keeps the cause for errors.Is and errors.As, but not its text.
type scrubbed struct {
	text string
	err  error
}

// Error is the text without secrets.
func (s *scrubbed) Error() string { return s.text }

// Unwrap is the cause.
func (s *scrubbed) Unwrap() error { return s.err }
