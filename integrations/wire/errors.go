package wire

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Kind says what becomes of a call that failed, if it is made again.
type Kind int

// Kinds of failed calls.
const (
	Transient Kind = iota // it may work by itself: limits, time-outs, trouble of the other side
	Fixable               // it works once somebody has fixed credentials, permissions or a name
	Permanent             // the other side has decided
)

// KindOf says of which kind an HTTP status is.
func KindOf(status int) Kind {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return Transient
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired:
		return Fixable
	}
	if status >= 500 {
		return Transient
	}
	return Permanent
}

// TransientIO says whether an error of this machine may go away by itself: a full
// disk, no more memory or open files, a disk that does not answer; or what says
// of itself that it passes.
func TransientIO(err error) bool {
	if says, ok := errors.AsType[interface {
		error
		Passes() bool
	}](err); ok && says.Passes() {
		return true
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, io.ErrShortWrite} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// NotSent says whether the call behind err certainly did not reach the other
// side: the address did not resolve, the connection was refused, our own pacing
// did not let it out, or the other side rejected it for its rate limit or as
// unavailable, which says that nothing was done.
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
