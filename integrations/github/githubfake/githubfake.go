// Package githubfake is a small GitHub: it delivers signed pushes and pull
// requests to a webhook, lists what a pull request changes, and takes commit
// statuses over the real protocol, checking what GitHub checks. Tests and the
// demo run against it; [Server.Faults] makes it fail.
package githubfake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// Options says who may call and where deliveries go.
type Options struct {
	Token      string // that callers must send; empty: everybody may
	WebhookURL string // where deliveries go; may be set later with Connect
	Secret     string // they are signed with; empty: not signed
	// Compare lists the files that head has changed since the last commit that it
	// has in common with base; nil: neither is known.
	Compare func(base, head string) []File
}

// Status is a commit status as it was taken.
type Status struct {
	Repository  string    `json:"-"` // owner/name
	SHA         string    `json:"-"`
	State       string    `json:"state"`
	Context     string    `json:"context"`
	Description string    `json:"description"`
	TargetURL   string    `json:"target_url"`
	CreatedAt   time.Time `json:"created_at"`
}

// Server is the fake. It is an http.Handler for the API.
type Server struct {
	Faults  fault.Switch // trouble for calls of the API
	Actions Actions      // the workflows and their runs

	changes fault.Changes
	handler http.Handler
	hook    *wirefake.Hook
	gates   gates

	mu        sync.Mutex
	options   Options
	statuses  []Status
	pulls     map[string]Pull     // owner/name#number, as last delivered
	teams     map[string][]string // org/team in lower case, its logins
	tags      map[string]string   // owner/name and tag, its commit
	calls     int
	published []Published // releases, the oldest first
	account   Account
	log       []LoggedDelivery
	feedback  feedback
}

// New makes a GitHub without statuses.
func New(o Options) *Server {
	s := &Server{options: o, pulls: map[string]Pull{}}
	s.hook = wirefake.NewHook(dress, s.changes.Notify)
	s.hook.Connect(o.WebhookURL, o.Secret)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /repos/{owner}/{name}/statuses/{sha}", s.createStatus)
	mux.HandleFunc("GET /repos/{owner}/{name}/commits/{sha}/statuses", s.listStatuses)
	mux.HandleFunc("GET /repos/{owner}/{name}/pulls/{number}/files", s.listFiles)
	mux.HandleFunc("GET /repos/{owner}/{name}/pulls/{number}", s.getPull)
	mux.HandleFunc("GET /repos/{owner}/{name}/pulls", s.listPulls)
	mux.HandleFunc("GET /repos/{owner}/{name}/commits/{sha}/pulls", s.pullsOf)
	mux.HandleFunc("GET /repos/{owner}/{name}/commits/{kind}/{tag}", s.commitOf)
	mux.HandleFunc("GET /repos/{owner}/{name}/compare/{basehead}", s.compare)
	mux.HandleFunc("GET /orgs/{org}/teams/{team}", s.getTeam)
	mux.HandleFunc("GET /orgs/{org}/teams/{team}/memberships/{login}", s.getMembership)
	mux.HandleFunc("GET /user", s.getUser)
	mux.HandleFunc("GET /installation/repositories", s.listInstalled)
	mux.HandleFunc("GET /repos/{owner}/{name}", s.getRepository)
	mux.HandleFunc("GET /repos/{owner}/{name}/hooks", s.listHooks)
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", s.installationToken)
	s.deliveryRoutes(mux)
	s.handleFeedback(mux)
	s.actionRoutes(mux)
	s.releaseRoutes(mux)
	s.handler = s.Faults.Wrap(s.withGates(mux))
	return s
}

// ServeHTTP serves the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/pulls") {
		s.feedback.pullReads++
	}
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// Calls is how many calls of the API arrived, failed ones included.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Statuses are those taken for a commit, oldest first; an empty sha: all.
func (s *Server) Statuses(sha string) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Status
	for _, st := range s.statuses {
		if sha == "" || st.SHA == sha {
			list = append(list, st)
		}
	}
	return list
}

// Latest is the newest status of a commit and context; ok is false when there is none.
func (s *Server) Latest(sha, context string) (latest Status, ok bool) {
	for _, st := range slices.Backward(s.Statuses(sha)) {
		if st.Context == context {
			return st, true
		}
	}
	return Status{}, false
}

// WaitStatus waits until the newest status of a commit and context has the state.
func (s *Server) WaitStatus(ctx context.Context, sha, name, state string) (Status, error) {
	var st Status
	err := s.changes.Wait(ctx, func() bool {
		var ok bool
		st, ok = s.Latest(sha, name)
		return ok && st.State == state
	})
	if err != nil {
		return st, fmt.Errorf("waiting for %s to be %s on %s, it is %q: %w", name, state, sha, st.State, err)
	}
	return st, nil
}

func (s *Server) allowed(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	token := s.options.Token
	s.mu.Unlock()
	if token == "" || r.Header.Get("Authorization") == "Bearer "+token || r.Header.Get("Authorization") == "token "+token {
		return true
	}
	refuse(w, http.StatusUnauthorized, "Bad credentials")
	return false
}

func refuse(w http.ResponseWriter, status int, message string) {
	wire.Answer(w, status, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

// installationToken gives an app's installation the token that the API takes.
func (s *Server) installationToken(w http.ResponseWriter, r *http.Request) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || strings.Count(bearer, ".") != 2 {
		refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wire.Answer(w, http.StatusCreated, map[string]any{"token": s.options.Token, "expires_at": time.Now().Add(time.Hour).UTC(), "permissions": s.feedback.granted})
}

func (s *Server) createStatus(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	st := Status{Repository: r.PathValue("owner") + "/" + r.PathValue("name"), SHA: r.PathValue("sha"), CreatedAt: time.Now().UTC()}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&st); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	switch {
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, st.State):
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: state is not included in the list")
		return
	case utf8.RuneCountInString(st.Description) > 140:
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: description is too long (maximum is 140 characters)")
		return
	case !regexp.MustCompile(`^(https?://.*)?$`).MatchString(st.TargetURL):
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: target_url must use http(s) scheme")
		return
	case !isCommit(st.SHA):
		refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+st.SHA)
		return
	}
	s.mu.Lock()
	s.statuses = append(s.statuses, st)
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, st)
}

func isCommit(sha string) bool { return regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(sha) }

// listStatuses answers newest first, as GitHub does.
func (s *Server) listStatuses(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	list := []Status{}
	for _, st := range slices.Backward(s.Statuses(r.PathValue("sha"))) {
		if st.Repository == r.PathValue("owner")+"/"+r.PathValue("name") {
			list = append(list, st)
		}
	}
	wire.Answer(w, http.StatusOK, list)
}
