// Package githubfake is a small GitHub: it delivers signed pushes and pull
// requests to a webhook, lists what a pull request changes, and takes commit
// statuses over the real protocol, checking what GitHub checks. Tests and the demo run against it; [Server.Faults] makes it fail.
package githubfake

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
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
)

// Options says who may call and where deliveries go.
type Options struct {
	Token      string // that callers must send; empty: everybody may
	WebhookURL string // where deliveries go; may be set later with Connect
	Secret     string // they are signed with; empty: not signed
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

// Delivery is a webhook delivery and how it was answered.
type Delivery struct {
	ID      string
	Event   string
	Payload []byte
	Status  int
	Answer  []byte
}

// Server is the fake. It is an http.Handler for the API.
type Server struct {
	Faults fault.Switch // trouble for calls of the API

	changes fault.Changes
	handler http.Handler

	mu         sync.Mutex
	options    Options
	statuses   []Status
	deliveries []Delivery
	pulls      map[string]Pull // owner/name#number, as last delivered
	calls      int
}

// New makes a GitHub without statuses.
func New(o Options) *Server {
	s := &Server{options: o, pulls: map[string]Pull{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /repos/{owner}/{name}/statuses/{sha}", s.createStatus)
	mux.HandleFunc("GET /repos/{owner}/{name}/commits/{sha}/statuses", s.listStatuses)
	mux.HandleFunc("GET /repos/{owner}/{name}/pulls/{number}/files", s.listFiles)
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", s.installationToken)
	s.handler = s.Faults.Wrap(mux)
	return s
}

// ServeHTTP serves the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// Connect sets where deliveries go.
func (s *Server) Connect(webhookURL, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.WebhookURL, s.options.Secret = webhookURL, secret
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
	wire.Answer(w, http.StatusCreated, map[string]any{"token": s.options.Token, "expires_at": time.Now().Add(time.Hour).UTC()})
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
	case !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(st.SHA):
		refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+st.SHA)
		return
	}
	s.mu.Lock()
	s.statuses = append(s.statuses, st)
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, st)
}

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

// Push is one push of one commit.
type Push struct {
	Repository string // owner/name
	Ref        string // refs/heads/…, refs/tags/…
	Commit     string // empty: the ref was deleted
	Message    string
	Author     Person
	Pusher     string // login
	Created    bool
	Files      []string // that the commit changed
}

// Person is the author of a commit.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Login string `json:"username"`
}

// Payload is the push as GitHub writes it.
func (p Push) Payload() []byte {
	zero := strings.Repeat("0", 40)
	body := map[string]any{
		"ref": p.Ref, "before": zero, "after": zero, "created": p.Created, "deleted": p.Commit == "", "forced": false, "base_ref": nil,
		"repository": map[string]any{"full_name": p.Repository, "default_branch": "main", "custom_properties": map[string]any{"teams": []string{"a", "b"}}},
		"pusher":     map[string]any{"name": p.Pusher, "email": p.Pusher + "@users.noreply.github.com"},
		"sender":     map[string]any{"login": p.Pusher, "type": "User"},
		"commits":    []any{}, "head_commit": nil,
	}
	if p.Commit != "" {
		commit := map[string]any{
			"id": p.Commit, "message": p.Message, "timestamp": time.Now().UTC().Format(time.RFC3339), "author": p.Author,
			"url":   "https://github.com/" + p.Repository + "/commit/" + p.Commit,
			"added": []string{}, "removed": []string{}, "modified": append([]string{}, p.Files...),
		}
		body["after"], body["head_commit"], body["commits"] = p.Commit, commit, []any{commit}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic("githubfake: a push always marshals: " + err.Error())
	}
	return raw
}

// Push delivers a push to the webhook and returns the answer.
func (s *Server) Push(ctx context.Context, p Push) (Delivery, error) {
	return s.Deliver(ctx, "push", p.Payload())
}

// Deliver sends a payload to the webhook under a new ID.
func (s *Server) Deliver(ctx context.Context, event string, payload []byte) (Delivery, error) {
	var id [16]byte
	// crypto/rand never fails.
	_, _ = rand.Read(id[:])
	return s.send(ctx, Delivery{ID: hex.EncodeToString(id[:]), Event: event, Payload: payload})
}

// Redeliver sends an earlier delivery again, under its ID.
func (s *Server) Redeliver(ctx context.Context, id string) (Delivery, error) {
	for _, d := range s.Deliveries() {
		if d.ID == id {
			return s.send(ctx, d)
		}
	}
	return Delivery{}, fmt.Errorf("there is no delivery %s", id)
}

// Deliveries are those that were sent, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

func (s *Server) send(ctx context.Context, d Delivery) (Delivery, error) {
	s.mu.Lock()
	to, secret := s.options.WebhookURL, s.options.Secret
	s.mu.Unlock()
	if to == "" {
		return d, errors.New("no webhook is connected")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.Payload))
	if err != nil {
		return d, fmt.Errorf("preparing the delivery: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitHub-Hookshot/fake")
	req.Header.Set("X-GitHub-Event", d.Event)
	req.Header.Set("X-GitHub-Delivery", d.ID)
	if secret != "" {
		req.Header.Set("X-Hub-Signature-256", wire.Sign([]byte(secret), d.Payload))
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return d, fmt.Errorf("delivering: %w", err)
	}
	defer resp.Body.Close()
	d.Status = resp.StatusCode
	if d.Answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return d, fmt.Errorf("reading the answer: %w", err)
	}
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
	s.changes.Notify()
	return d, nil
}
