package githubfake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

const (
	mostReports = 10   // of one deployment
	mostComment = 1024 // characters of one
)

// Waiting is a deployment of GitHub Actions that waits for a deployment protection rule.
type Waiting struct {
	Repository   string // owner/name
	Environment  string
	Run          int64
	Deployment   int64 // 0: one is made up
	SHA, Ref     string
	Event        string // that started the run; empty: push
	Sender       string // login
	Installation int64  // of the app whose rule it is
	Callback     string // empty: the right one
	State        string // its newest status: waiting, in_progress, success, failure
	Conclusion   string // of the run; empty: it has not ended
	Reports      []string
	Answers      []Answered

	reviews []map[string]any
	states  []string // newest first
}

// Answered is an answer that was taken.
type Answered struct{ State, Comment string }

// gates are the deployments that wait, with the runs that they are of.
type gates struct {
	mu  sync.Mutex
	all []*Waiting
}

// Ask has a deployment wait, and asks the app's webhook whether it may go on. api is
// where callers reach the API of this server.
func (s *Server) Ask(ctx context.Context, api string, w Waiting) (deployment int64, d wirefake.Delivery, err error) {
	deployment, payload, err := s.Wait(api, w)
	if err == nil {
		d, err = s.Deliver(ctx, "deployment_protection_rule", payload)
	}
	return deployment, d, err
}

// Wait has a deployment wait, and returns what the app's webhook is to be asked.
func (s *Server) Wait(api string, w Waiting) (deployment int64, payload []byte, err error) {
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	if w.Deployment == 0 {
		w.Deployment = 7000 + int64(len(s.gates.all))
	}
	if w.Event == "" {
		w.Event = "push"
	}
	w.State, w.states = "waiting", []string{"waiting"}
	s.gates.all = append(s.gates.all, &w)
	callback := w.Callback
	if callback == "" {
		callback = fmt.Sprintf("%s/repos/%s/actions/runs/%d/deployment_protection_rule", strings.TrimSuffix(api, "/"), w.Repository, w.Run)
	}
	payload, err = json.Marshal(map[string]any{
		"action": "requested", "environment": w.Environment, "event": w.Event, "deployment_callback_url": callback,
		"deployment":    map[string]any{"id": w.Deployment, "sha": w.SHA, "ref": w.Ref, "task": "deploy", "environment": w.Environment, "updated_at": time.Now().UTC().Format(time.RFC3339)},
		"pull_requests": []any{}, "repository": repositoryBody(w.Repository), "sender": map[string]any{"login": w.Sender}, "installation": map[string]any{"id": w.Installation},
	})
	return w.Deployment, payload, err
}

func repositoryBody(full string) map[string]any {
	return map[string]any{"full_name": full, "html_url": "https://github.com/" + full}
}

// Waiting is a deployment that waits, or waited, as it stands; ok is false when there is none.
func (s *Server) Waiting(id int64) (w Waiting, ok bool) {
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	if one := s.waiting(id); one != nil {
		w = *one
		w.Reports, w.Answers = slices.Clone(w.Reports), slices.Clone(w.Answers)
		return w, true
	}
	return w, false
}

// waiting is one of those that wait. The lock is held.
func (s *Server) waiting(id int64) *Waiting {
	i := slices.IndexFunc(s.gates.all, func(w *Waiting) bool { return w.Deployment == id })
	if i < 0 {
		return nil
	}
	return s.gates.all[i]
}

// Bypass has an administrator start a deployment that waits. The webhook hears of it
// when announce is deployment_status or workflow_run, and else does not.
func (s *Server) Bypass(ctx context.Context, id int64, login, comment, announce string) error {
	s.gates.mu.Lock()
	w := s.waiting(id)
	w.pass("in_progress")
	w.reviews = append(w.reviews, map[string]any{"state": "approved", "comment": comment, "user": map[string]any{"login": login},
		"environments": []any{map[string]any{"name": w.Environment}}})
	s.gates.mu.Unlock()
	s.changes.Notify()
	return s.announce(ctx, id, announce, login, "in_progress")
}

// Cancel has somebody cancel the run of a deployment.
func (s *Server) Cancel(ctx context.Context, id int64, login, announce string) error {
	s.gates.mu.Lock()
	w := s.waiting(id)
	w.Conclusion = "cancelled"
	w.pass("failure")
	s.gates.mu.Unlock()
	s.changes.Notify()
	return s.announce(ctx, id, announce, login, "completed")
}

func (w *Waiting) pass(state string) {
	w.State, w.states = state, append([]string{state}, w.states...)
}

// announce tells the webhook of what became of a deployment or of its run.
func (s *Server) announce(ctx context.Context, id int64, by, login, action string) error {
	w, _ := s.Waiting(id)
	body := map[string]any{"action": action, "repository": repositoryBody(w.Repository), "sender": map[string]any{"login": login}, "installation": map[string]any{"id": w.Installation}}
	switch by {
	case "":
		return nil
	case "deployment_status":
		body["action"] = "created"
		body["deployment"] = map[string]any{"id": id, "environment": w.Environment, "sha": w.SHA}
		body["deployment_status"] = map[string]any{"state": w.State, "environment": w.Environment, "creator": map[string]any{"login": "github-actions[bot]"}}
	case "workflow_run":
		status := map[string]string{"completed": "completed"}[action]
		if status == "" {
			status = "in_progress"
		}
		body["workflow_run"] = map[string]any{"id": w.Run, "status": status, "conclusion": w.Conclusion, "head_sha": w.SHA, "triggering_actor": map[string]any{"login": login}}
	}
	payload, err := json.Marshal(body)
	if err == nil {
		_, err = s.Deliver(ctx, by, payload)
	}
	return err
}

// WaitGate waits until a deployment is as wanted.
func (s *Server) WaitGate(ctx context.Context, id int64, wanted func(Waiting) bool) (w Waiting, err error) {
	err = s.changes.Wait(ctx, func() bool {
		w, _ = s.Waiting(id)
		return wanted(w)
	})
	return w, err
}

// withGates serves what concerns deployments that wait, and leaves the rest to next.
func (s *Server) withGates(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", s.tokenOfGates(next))
	mux.HandleFunc("POST /repos/{owner}/{name}/actions/runs/{run}/deployment_protection_rule", s.review)
	mux.HandleFunc("GET /repos/{owner}/{name}/deployments/{deployment}/statuses", s.ofGates(next, (*Waiting).listStates))
	mux.HandleFunc("GET /repos/{owner}/{name}/actions/runs/{run}/approvals", s.ofGates(next, func(w *Waiting) any { return append([]map[string]any{}, w.reviews...) }))
	mux.HandleFunc("GET /repos/{owner}/{name}/actions/runs/{run}", s.ofGates(next, func(w *Waiting) any {
		status := "waiting"
		if w.Conclusion != "" {
			status = "completed"
		}
		return map[string]any{"id": w.Run, "status": status, "conclusion": w.Conclusion}
	}))
	mux.Handle("/", next)
	return mux
}

// listStates are the statuses of a deployment, newest first.
func (w *Waiting) listStates() any {
	list := []map[string]any{}
	for _, state := range w.states {
		list = append(list, map[string]any{"state": state, "environment": w.Environment})
	}
	return list
}

// asked are the deployments that a call is about. The lock is held.
func (s *Server) asked(r *http.Request) (all []*Waiting) {
	repository := r.PathValue("owner") + "/" + r.PathValue("name")
	for _, w := range s.gates.all {
		if w.Repository == repository && (r.PathValue("run") == fmt.Sprint(w.Run) || r.PathValue("deployment") == fmt.Sprint(w.Deployment)) {
			all = append(all, w)
		}
	}
	return all
}

// ofGates answers about a deployment that waits; what is not one of these is next's.
func (s *Server) ofGates(next http.Handler, answer func(*Waiting) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.gates.mu.Lock()
		var body any
		all := s.asked(r)
		if len(all) > 0 {
			body = answer(all[0])
		}
		s.gates.mu.Unlock()
		if len(all) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		wire.Answer(w, http.StatusOK, body)
	}
}

// installationOf is the token of an installation: each has its own.
func installationOf(id string) string { return "ghs_installation_" + id }

// tokenOfGates gives the installations of deployments tokens of their own.
func (s *Server) tokenOfGates(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.gates.mu.Lock()
		ours := slices.ContainsFunc(s.gates.all, func(one *Waiting) bool { return fmt.Sprint(one.Installation) == r.PathValue("id") })
		s.gates.mu.Unlock()
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ours || !ok || strings.Count(bearer, ".") != 2 {
			next.ServeHTTP(w, r)
			return
		}
		wire.Answer(w, http.StatusCreated, map[string]any{"token": installationOf(r.PathValue("id")), "expires_at": time.Now().Add(time.Hour).UTC()})
	}
}

// review takes a report or an answer, checking what GitHub checks.
func (s *Server) review(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Environment string  `json:"environment_name"`
		State       *string `json:"state"`
		Comment     string  `json:"comment"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	defer s.changes.Notify()
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	var one *Waiting
	for _, some := range s.asked(r) {
		if some.Environment == in.Environment {
			one = some
		}
	}
	switch {
	case one == nil:
		refuse(w, http.StatusNotFound, "Not Found")
	case r.Header.Get("Authorization") != "token "+installationOf(fmt.Sprint(one.Installation)):
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
	case one.State != "waiting":
		refuse(w, http.StatusUnprocessableEntity, "The deployment is not waiting for a review")
	case utf8.RuneCountInString(in.Comment) > mostComment:
		refuse(w, http.StatusUnprocessableEntity, "comment is too long")
	case in.State == nil && (in.Comment == "" || len(one.Reports) >= mostReports):
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: at most 10 status reports")
	case in.State == nil:
		one.Reports = append(one.Reports, in.Comment)
		w.WriteHeader(http.StatusNoContent)
	case *in.State == "approved" || *in.State == "rejected":
		one.Answers = append(one.Answers, Answered{*in.State, in.Comment})
		one.pass(map[string]string{"approved": "queued", "rejected": "failure"}[*in.State])
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: state")
	}
}
