package jirafake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// account is the service account that the fake knows.
type account struct {
	id, secret string
	life       time.Duration
	tokens     map[string]time.Time // that were given, with their ends
	given      int
}

// ServiceAccount lets callers in by the tokens of a service account alone, each
// good for life. Tokens are given at /oauth/token, as on Cloud, and at
// /rest/oauth2/latest/token, as by a server; calls may come below /ex/jira/ID.
func (s *Server) ServiceAccount(clientID, secret string, life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = &account{id: clientID, secret: secret, life: life, tokens: map[string]time.Time{}}
}

// Tokens is how many access tokens were given.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account == nil {
		return 0
	}
	return s.account.given
}

// RevokeTokens ends all access tokens at once.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.tokens = map[string]time.Time{}
}

// token answers the token endpoint.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account
	switch {
	case a == nil:
		http.NotFound(w, r)
	case r.PostFormValue("grant_type") != "client_credentials":
		wire.Answer(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
	case r.PostFormValue("client_id") != a.id || r.PostFormValue("client_secret") != a.secret:
		wire.Answer(w, http.StatusUnauthorized, map[string]string{"error": "access_denied", "error_description": "Unauthorized"})
	default:
		a.given++
		token := fmt.Sprintf("access-%d", a.given)
		a.tokens[token] = s.options.Now().Add(a.life)
		wire.Answer(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(a.life.Seconds()), "token_type": "Bearer", "scope": "read:jira-work"})
	}
}

// signedIn says whether a call has a token of the service account; known is false without one.
func (s *Server) signedIn(r *http.Request) (ok, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account == nil {
		return false, false
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.options.Now().Before(s.account.tokens[token]), true
}

// below takes the prefix of Atlassian's gateway from calls.
func below(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if parts := strings.SplitN(r.URL.Path, "/", 5); len(parts) == 5 && slices.Equal(parts[:3], []string{"", "ex", "jira"}) {
			http.StripPrefix("/ex/jira/"+parts[3], h).ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
