package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// answerLimit is the size of a vendor's answer at most, in bytes after decompression.
const answerLimit = 16 << 20

// Redirected is the error for an answer that points to another host, port or
// scheme: what we would send there has credentials that are not for it.
type Redirected struct {
	From, To string // scheme and host, without path and query
}

// Error names both ends, so that whoever reads it can put the address right.
func (a *Redirected) Error() string {
	return fmt.Sprintf("%s sends us on to %s, where our credentials must not go; check the address in the configuration", a.From, a.To)
}

// Final says whether an error of [Guard] is behind err: the other side has
// answered, and would answer the same again.
func Final(err error) bool {
	var redirected *Redirected
	var large *TooLarge
	return errors.As(err, &redirected) || errors.As(err, &large)
}

// Guard returns base (nil: http.DefaultTransport) with two bounds that belong
// under every client that sends credentials. An answer that redirects to
// another host, port or scheme is a *Redirected; one on the same origin is left to
// the client, so that renamed things are found. Reading more than 16 MiB of an
// answer, counted as the caller reads it and so after decompression, is a
// *TooLarge.
func Guard(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return guard{base}
}

type guard struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper. It looks at answers and not at
// requests, because libraries add credentials below the redirects of net/http.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		if next, err := req.URL.Parse(to); err != nil || origin(next) != origin(req.URL) {
			_ = resp.Body.Close()
			return nil, &Redirected{From: origin(req.URL), To: origin(next)}
		}
	}
	if resp.Body != nil {
		resp.Body = &capped{ReadCloser: resp.Body, left: answerLimit}
	}
	return resp, nil
}

// origin is what credentials are for: scheme, host and port.
func origin(u *url.URL) string {
	if u == nil {
		return "an address that cannot be read"
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + u.Hostname() + ":" + port
}

// capped is a body that ends in an error instead of filling the memory.
type capped struct {
	io.ReadCloser
	left int64 // bytes that may still be read
}

// Read passes on at most what is left; one byte more is too much.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if int64(n) > c.left {
		n, c.left = int(c.left), 0
		return n, &TooLarge{Limit: answerLimit}
	}
	c.left -= int64(n)
	return n, err
}
