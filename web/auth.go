package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// tokens holds the hashes of the API tokens, so that comparing takes the same
// time whatever was sent.
type tokens []struct {
	name string
	sum  [sha256.Size]byte
}

func newTokens(secrets map[string]string) tokens {
	var ts tokens
	for name, secret := range secrets {
		ts = append(ts, struct {
			name string
			sum  [sha256.Size]byte
		}{name, sha256.Sum256([]byte(secret))})
	}
	return ts
}

// principal says who sent the request; ok is false when nobody known did.
func (ts tokens) principal(r *http.Request) (p workflows.Principal, ok bool) {
	secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return p, false
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	for _, t := range ts {
		if subtle.ConstantTimeCompare(t.sum[:], sum[:]) == 1 {
			p, ok = workflows.Principal{ID: "token:" + t.name, Name: t.name, Via: "api"}, true
		}
	}
	return p, ok
}

// handler answers a request of somebody: a status and a value to be written as
// JSON, or an error. A nil value with a nil error means that it has answered itself.
type handler func(w http.ResponseWriter, r *http.Request, by workflows.Principal) (status int, v any, err error)

// asSomebody finds out who asks, and writes what the handler answers.
func (a *api) asSomebody(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, ok := a.tokens.principal(r)
		if !ok && a.Sessions != nil {
			var err error
			if by, ok, err = a.Sessions.Principal(r); err != nil {
				a.fail(w, r, err)
				return
			}
		}
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="rollcall"`)
			a.fail(w, r, &unauthorized)
			return
		}
		status, v, err := h(w, r, by)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if v != nil {
			writeJSON(w, status, "application/json", worded(v))
		}
	})
}
