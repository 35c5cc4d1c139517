package githubfake

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// SetTeam makes a team "ORG/TEAM" of these logins, or changes who is in it. A
// login with a ? behind it is invited and has not accepted.
func (s *Server) SetTeam(team string, logins ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.teams == nil {
		s.teams = map[string][]string{}
	}
	s.teams[strings.ToLower(team)] = logins
}

func (s *Server) team(r *http.Request) (logins []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	logins, ok = s.teams[strings.ToLower(r.PathValue("org")+"/"+r.PathValue("team"))]
	return logins, ok
}

func (s *Server) getTeam(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	if _, ok := s.team(r); !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, map[string]string{"slug": r.PathValue("team")})
}

func (s *Server) getMembership(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	logins, _ := s.team(r)
	is := func(suffix string) bool {
		return slices.ContainsFunc(logins, func(login string) bool { return strings.EqualFold(login, r.PathValue("login")+suffix) })
	}
	switch {
	case is(""):
		wire.Answer(w, http.StatusOK, map[string]string{"state": "active", "role": "member"})
	case is("?"):
		wire.Answer(w, http.StatusOK, map[string]string{"state": "pending", "role": "member"})
	default:
		refuse(w, http.StatusNotFound, "Not Found")
	}
}
