// Package transport is what all calls to one GitHub have in common: its limits,
// conditional reads, redirected writes, and when a token ends. It knows neither the
// library of GitHub's API nor what is asked.
package transport

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxRefusal is how much of a refusal is read, in bytes; what is longer is cut.
const MaxRefusal = 64 << 10

// Transport is what all clients of one GitHub have in common, below the pace that
// each keeps. It leaves GitHub alone for as long as an answer asked for, for every
// client of that credential; asks again with the ETag of what it has, which costs
// nothing while nothing has changed; repeats a redirected write as the write it
// was; and sees when a token ends. Its answers keep what GitHub said of limits
// from the library, whose own memory of them may block a client for an hour.
type Transport struct {
	base http.RoundTripper
	now  func() time.Time

	mu     sync.Mutex
	waits  map[place]time.Time // until when GitHub wants to be left alone
	cached *answers
}

// credential is a digest of what a request is signed with.
type credential [sha256.Size]byte

func credentialOf(authorization string) credential {
	return sha256.Sum256([]byte(authorization))
}

// place is what a limit is about.
type place struct {
	by   credential
	what string // "core", "search"; empty: everything
}

// mostWaits bounds what is remembered; what has passed goes first.
const mostWaits = 512

// New returns a Transport over base; nil: http.DefaultTransport. Clients
// that are given the same one share what it knows.
func New(base http.RoundTripper) *Transport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{base: base, now: time.Now, waits: map[place]time.Time{}, cached: newAnswers()}
}

// Over is base, if it is a Transport already, or else a new one over it.
func Over(base http.RoundTripper) *Transport {
	if t, ok := base.(*Transport); ok {
		return t
	}
	return New(base)
}

// RoundTrip implements http.RoundTripper. A call that GitHub does not want now is
// answered 429 without being sent.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	by := credentialOf(req.Header.Get("Authorization"))
	if wait := t.left(by, req); wait > 0 {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return notNow(req, wait), nil
	}
	kept := t.cached.of(by, req)
	if kept != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", kept.etag)
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= http.StatusBadRequest:
		if err := whole(resp); err != nil {
			return nil, err
		}
		t.note(by, req, resp)
	case kept != nil && resp.StatusCode == http.StatusNotModified:
		kept.answer(resp)
	default:
		asWritten(req, resp)
		if err := t.cached.keep(by, req, resp); err != nil {
			return nil, err
		}
	}
	// The library then does not remember the limits of this answer.
	resp.Header.Set("X-From-Cache", "1")
	return resp, nil
}

// whole reads a refusal to its end: the library that renews an app's tokens leaves
// it open and so keeps the connection.
func whole(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxRefusal))
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return nil
}

// asWritten makes a redirected write stay one: net/http would follow 301 and 302
// with a GET, whose answer looks like success.
func asWritten(req *http.Request, resp *http.Response) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently:
		resp.StatusCode = http.StatusPermanentRedirect
	case http.StatusFound:
		resp.StatusCode = http.StatusTemporaryRedirect
	default:
		return
	}
	resp.Status = strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)
}

// notNow is the answer to a call that is not sent.
func notNow(req *http.Request, wait time.Duration) *http.Response {
	const text = `{"message":"not sent: GitHub asked to wait"}`
	return &http.Response{Status: "429 Too Many Requests", StatusCode: http.StatusTooManyRequests, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {seconds(wait)}},
		Body:   io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text))}
}

// seconds are whole ones, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }
