package githubfake

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Hook is a webhook of a repository as GitHub lists it.
type Hook struct {
	URL      string
	Events   []string
	Inactive bool
	Form     bool // content type form, not json
	Answered int  // status of the last delivery; 0: none yet
}

// Account says what the caller's token may, and which repositories there are.
type Account struct {
	Scopes       string            // of a classic token; "-": a fine-grained one, which says none
	Repositories map[string][]Hook // by OWNER/NAME; nil: every repository is there, without webhooks
	NoHooks      bool              // webhooks may not be read
	// Organizations are the webhooks of organizations, by name; one that is not here has none to show.
	Organizations map[string][]Hook
	AppHook       string // the address of the app's webhook; empty: not shown
}

// SetAccount replaces what is known of the caller.
func (s *Server) SetAccount(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = a
}

func (s *Server) caller() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

func (s *Server) getUser(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	switch scopes := s.caller().Scopes; scopes {
	case "-":
	case "":
		w.Header().Set("X-OAuth-Scopes", "repo, admin:repo_hook")
	default:
		w.Header().Set("X-OAuth-Scopes", scopes)
	}
	wire.Answer(w, http.StatusOK, map[string]string{"login": "rollcall-bot"})
}

func (s *Server) listInstalled(w http.ResponseWriter, _ *http.Request) {
	wire.Answer(w, http.StatusOK, map[string]any{"total_count": max(1, len(s.caller().Repositories)), "repositories": []any{}})
}

// repository finds the repository of a request, or refuses.
func (s *Server) repository(w http.ResponseWriter, r *http.Request) (hooks []Hook, ok bool) {
	if !s.allowed(w, r) {
		return nil, false
	}
	a := s.caller()
	hooks, ok = a.Repositories[r.PathValue("owner")+"/"+r.PathValue("name")]
	if !ok && a.Repositories != nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return nil, false
	}
	return hooks, true
}

func (s *Server) getRepository(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.repository(w, r); ok {
		wire.Answer(w, http.StatusOK, map[string]string{"full_name": r.PathValue("owner") + "/" + r.PathValue("name")})
	}
}

func (s *Server) listHooks(w http.ResponseWriter, r *http.Request) {
	hooks, ok := s.repository(w, r)
	if !ok {
		return
	}
	if s.caller().NoHooks {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	wire.Answer(w, http.StatusOK, shownHooks(hooks))
}

// shownHooks are webhooks as GitHub lists them; their IDs count from 1.
func shownHooks(hooks []Hook) []any {
	list := []any{}
	for n, h := range hooks {
		kind := "json"
		if h.Form {
			kind = "form"
		}
		last := map[string]any{"code": nil, "status": "unused"}
		if h.Answered != 0 {
			last = map[string]any{"code": h.Answered, "status": strings.ToLower(http.StatusText(h.Answered))}
		}
		list = append(list, map[string]any{"id": n + 1, "active": !h.Inactive, "events": slices.Clone(h.Events),
			"config": map[string]string{"url": h.URL, "content_type": kind}, "last_response": last})
	}
	return list
}
