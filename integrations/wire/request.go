package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// TooLarge is the error for a body above the limit. ReadBody's is answered 413;
// that of a [Guard] is about the answer of the other side.
type TooLarge struct {
	Limit int64 // bytes
}

// Error says what the limit is.
func (e *TooLarge) Error() string {
	return fmt.Sprintf("the body is larger than %d bytes", e.Limit)
}

// ReadBody returns the raw body, at most limit bytes. A larger one is a
// *TooLarge, and the connection closes after the answer, so that the rest is
// not read. Any other error means that the sender went away, or is turned away
// by whoever stands in front of the handlers. Memory grows with what has come,
// not with what is announced.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, &TooLarge{Limit: limit}
	}
	const usual = 32 << 10
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), usual)+bytes.MinRead))
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, &TooLarge{Limit: limit}
		}
		return nil, fmt.Errorf("reading the request body: %w", err)
	}
	return body.Bytes(), nil
}

// BodyStatus is the HTTP status for an error of ReadBody: 413, the one that the
// error itself names by a method HTTPStatus, or 400.
func BodyStatus(err error) int {
	var big *TooLarge
	if errors.As(err, &big) {
		return http.StatusRequestEntityTooLarge
	}
	var named interface{ HTTPStatus() int }
	if errors.As(err, &named) {
		return named.HTTPStatus()
	}
	return http.StatusBadRequest
}

const signaturePrefix = "sha256="

// Sign returns the signature header's value for a body: "sha256=" and the
// HMAC-SHA256 in lower-case hex.
func Sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return signaturePrefix + hex.EncodeToString(mac.Sum(nil))
}

// Fingerprint names a signed body, for a receipt: hex, 32 characters.
func Fingerprint(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// Verify says whether header is the body's signature under secret, in constant
// time. An empty secret verifies nothing; other algorithms than sha256 are refused.
func Verify(secret, body []byte, header string) bool {
	sum, ok := strings.CutPrefix(header, signaturePrefix)
	if !ok || len(secret) == 0 {
		return false
	}
	given, err := hex.DecodeString(sum)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

// Answer writes v as JSON.
func Answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The sender may be gone; then nobody needs the answer.
	_ = json.NewEncoder(w).Encode(v)
}

// Refuse writes an application/problem+json answer and returns its ID, which
// the caller puts in the log. Detail is shown to the sender: no secrets, no
// inner errors. After 429 and 503 the sender is asked to come back in 5 s.
func Refuse(w http.ResponseWriter, status int, code, detail string) (id string) {
	id = strings.ToLower(rand.Text()[:12])
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{
		Title: http.StatusText(status), Status: status, Detail: detail, Code: code, ID: id,
	})
	return id
}

type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	ID     string `json:"id"`
}
