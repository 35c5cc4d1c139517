package wire

import (
	"log/slog"
	"net/http"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Rejection is why a request is turned away. Code and Detail are for the
// sender: no secrets, no inner errors; Cause is for the log.
type Rejection struct {
	Status       int
	Code, Detail string
	Cause        error
}

// Endpoint is an address at which one vendor's signed requests arrive. Each
// goes the same way: its body is read under a limit, who signed it is verified,
// and Accept makes it durable and answers. Whatever is turned away leaves a
// line in the log, as far as such lines are not too many.
type Endpoint struct {
	Name string // of such a request in the log: "a GitHub delivery"
	Log  *slog.Logger
	// Limit is how many bytes the body may have, or why it is turned away unread.
	Limit func(h http.Header) (bytes int64, refused *Rejection)
	// Ping recognises an unsigned request by which the vendor tries the address.
	// It is answered 200, and nothing comes of it. Nil: there is no such request.
	Ping func(r *http.Request, body []byte) bool
	// Verify proves who sent the body. A repeat has the same fingerprint.
	Verify func(h http.Header, body []byte) (fingerprint string, refused *Rejection)
	// Accept takes the verified request and answers it, unless it is turned away.
	Accept func(w http.ResponseWriter, r *http.Request, body []byte, fingerprint string) *Rejection
	// Describe adds what the log says of a request that is turned away. Nil: nothing.
	Describe func(r *http.Request) []any
}

// Handler serves the endpoint. Several endpoints may share a sampler, which
// says how many lines a flood of rejections leaves in the log.
func (e Endpoint) Handler(s *Sampler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused := e.serve(w, r)
		if refused == nil {
			return
		}
		id := Refuse(w, refused.Status, refused.Code, refused.Detail)
		left, ok := s.Due()
		if !ok {
			return
		}
		line := []any{"id", id, "suppressed", left, "status", refused.Status, "reason", refused.Detail}
		if e.Describe != nil {
			line = append(line, e.Describe(r)...)
		}
		if refused.Cause != nil {
			line = append(line, "error", refused.Cause)
		}
		e.Log.Warn(e.Name+" was refused", line...)
	})
}

func (e Endpoint) serve(w http.ResponseWriter, r *http.Request) *Rejection {
	limit, refused := e.Limit(r.Header)
	if refused != nil {
		return refused
	}
	body, err := ReadBody(w, r, limit)
	if err != nil {
		return &Rejection{Status: BodyStatus(err), Code: workflows.CodeValidation, Detail: err.Error()}
	}
	if e.Ping != nil && e.Ping(r, body) {
		return nil
	}
	fingerprint, refused := e.Verify(r.Header, body)
	if refused != nil {
		return refused
	}
	return e.Accept(w, r, body, fingerprint)
}

// Signature is how GitHub and Atlassian sign: a header has the body's
// HMAC-SHA256 under a secret. Its methods are an Endpoint's Limit and Verify.
type Signature struct {
	Header    string // "X-Hub-Signature-256"
	Secret    []byte // empty: nothing is verified
	BodyLimit int64  // bytes
}

// Limit turns away what is not signed before its body is read.
func (s Signature) Limit(h http.Header) (int64, *Rejection) {
	if h.Get(s.Header) == "" {
		return 0, &Rejection{Status: http.StatusUnauthorized, Code: workflows.CodeAccessDenied, Detail: "the delivery is not signed (" + s.Header + ")"}
	}
	return s.BodyLimit, nil
}

// Verify turns away what is signed with another secret or in another way.
func (s Signature) Verify(h http.Header, body []byte) (string, *Rejection) {
	if !Verify(s.Secret, body, h.Get(s.Header)) {
		return "", &Rejection{Status: http.StatusUnauthorized, Code: workflows.CodeAccessDenied,
			Detail: "the delivery is not signed with this webhook's secret (" + s.Header + ", sha256)"}
	}
	return Fingerprint(body), nil
}
