package githubfake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Deployment is a deployment as it was made, with its statuses.
type Deployment struct {
	ID          int64           `json:"id"`
	Repository  string          `json:"-"` // owner/name
	SHA         string          `json:"sha"`
	Ref         string          `json:"ref"`
	Task        string          `json:"task"`
	Environment string          `json:"environment"`
	Description string          `json:"description"`
	Payload     json.RawMessage `json:"payload"`
	Production  bool            `json:"production_environment"`
	Transient   bool            `json:"transient_environment"`
	CreatedAt   time.Time       `json:"created_at"`

	Statuses []DeploymentStatus `json:"-"` // oldest first
}

// DeploymentStatus is one status of a deployment.
type DeploymentStatus struct {
	ID          int64     `json:"id"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	LogURL      string    `json:"log_url"`
	Environment string    `json:"environment"`
	CreatedAt   time.Time `json:"created_at"`
}

// State is the state of its newest status; empty: it has none.
func (d *Deployment) State() string {
	if len(d.Statuses) == 0 {
		return ""
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// feedback is what rollcall reported beyond commit statuses; s.mu guards it.
type feedback struct {
	deployments []*Deployment // oldest first
	comments    []*Comment
	checks      []*CheckRun
	records     []Record
	attested    map[string][]json.RawMessage // bundles by digest
	releases    map[string]bool              // by owner/name@tag: whether it is immutable
	granted     map[string]string            // permissions of the app's installation
	lag         time.Duration                // before a deployment is listed
	lastID      int64
	pullReads   int // calls that read pull requests
}

// PullReads is how many calls that read pull requests arrived, failed ones included.
func (s *Server) PullReads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.feedback.pullReads
}

func (s *Server) handleFeedback(mux *http.ServeMux) {
	mux.HandleFunc("POST /repos/{owner}/{name}/deployments", s.createDeployment)
	mux.HandleFunc("GET /repos/{owner}/{name}/deployments", s.listDeployments)
	mux.HandleFunc("POST /repos/{owner}/{name}/deployments/{id}/statuses", s.createDeploymentStatus)
	mux.HandleFunc("GET /repos/{owner}/{name}/deployments/{id}/statuses", s.listDeploymentStatuses)
	mux.HandleFunc("/repos/{owner}/{name}/issues/{number}/{id}", s.issueComments)
	mux.HandleFunc("POST /repos/{owner}/{name}/check-runs", s.createCheck)
	mux.HandleFunc("PATCH /repos/{owner}/{name}/check-runs/{id}", s.updateCheck)
	mux.HandleFunc("GET /repos/{owner}/{name}/commits/{sha}/check-runs", s.listChecks)
	mux.HandleFunc("POST /orgs/{org}/artifacts/metadata/deployment-record", s.createRecord)
	mux.HandleFunc("GET /repos/{owner}/{name}/attestations/{digest}", s.listAttestations)
	mux.HandleFunc("GET /repos/{owner}/{name}/releases/tags/{tag...}", s.releaseOfTag)
}

// Deployments are those made, oldest first.
func (s *Server) Deployments() []Deployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Deployment, 0, len(s.feedback.deployments))
	for _, d := range s.feedback.deployments {
		one := *d
		one.Statuses = slices.Clone(d.Statuses)
		all = append(all, one)
	}
	return all
}

// ListLate has deployments be listed only so long after they were made, as from
// a replica that lags.
func (s *Server) ListLate(lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feedback.lag = lag
}

// listed are those that a list may show.
func (s *Server) listed() []Deployment {
	all := s.Deployments()
	s.mu.Lock()
	lag := s.feedback.lag
	s.mu.Unlock()
	return slices.DeleteFunc(all, func(d Deployment) bool { return time.Since(d.CreatedAt) < lag })
}

// WaitDeployment waits until some deployment is as wanted, and returns it.
func (s *Server) WaitDeployment(ctx context.Context, wanted func(d *Deployment) bool) (Deployment, error) {
	var found Deployment
	err := s.changes.Wait(ctx, func() bool {
		all := s.Deployments()
		i := slices.IndexFunc(all, func(d Deployment) bool { return wanted(&d) })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	if err != nil {
		return found, fmt.Errorf("waiting for a deployment, there are %+v: %w", s.Deployments(), err)
	}
	return found, nil
}

// nextID is a fresh ID; s.mu is locked.
func (s *Server) nextID() int64 {
	s.feedback.lastID++
	return s.feedback.lastID
}

func fullName(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("name") }

// body reads a request's JSON, or refuses.
func body(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return false
	}
	return true
}

// page is the part of a list that the request asks for.
func page[T any](r *http.Request, all []T) []T {
	size, number := query(r, "per_page", 30, 100), query(r, "page", 1, 1000)
	from := min((number-1)*size, len(all))
	return append([]T{}, all[from:min(from+size, len(all))]...)
}

func (s *Server) createDeployment(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	var in struct {
		Deployment
		AutoMerge  *bool     `json:"auto_merge"`
		Contexts   *[]string `json:"required_contexts"`
		Production *bool     `json:"production_environment"`
	}
	if !body(w, r, &in) {
		return
	}
	switch {
	case !isCommit(in.Ref):
		refuse(w, http.StatusUnprocessableEntity, "No ref found for: "+in.Ref)
		return
	case utf8.RuneCountInString(in.Description) > 140:
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: description is too long (maximum is 140 characters)")
		return
	case in.AutoMerge == nil || *in.AutoMerge:
		wire.Answer(w, http.StatusAccepted, map[string]string{"message": "Auto-merged main into topic on deployment."})
		return
	case in.Contexts == nil:
		refuse(w, http.StatusConflict, "Conflict: Commit status checks failed for main.")
		return
	}
	d := in.Deployment
	if d.Task == "" {
		d.Task = "deploy"
	}
	if d.Environment == "" {
		d.Environment = "production"
	}
	d.Production = d.Environment == "production"
	if in.Production != nil {
		d.Production = *in.Production
	}
	d.Repository, d.SHA, d.CreatedAt = fullName(r), d.Ref, time.Now().UTC()
	s.mu.Lock()
	d.ID = s.nextID()
	kept := d // it gets statuses while this answers
	s.feedback.deployments = append(s.feedback.deployments, &kept)
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, d)
}

// listDeployments answers newest first, as GitHub does.
func (s *Server) listDeployments(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	is := func(name, value string) bool { q := r.URL.Query().Get(name); return q == "" || q == value }
	list := []Deployment{}
	for _, d := range slices.Backward(s.listed()) {
		if d.Repository == fullName(r) && is("sha", d.SHA) && is("ref", d.Ref) && is("task", d.Task) && is("environment", d.Environment) {
			list = append(list, d)
		}
	}
	wire.Answer(w, http.StatusOK, page(r, list))
}

// deployment finds the one of a request, or refuses; s.mu is locked.
func (s *Server) deployment(w http.ResponseWriter, r *http.Request) *Deployment {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	for _, d := range s.feedback.deployments {
		if d.ID == id && d.Repository == fullName(r) {
			return d
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return nil
}

func (s *Server) createDeploymentStatus(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	var in struct {
		DeploymentStatus
		AutoInactive *bool `json:"auto_inactive"`
	}
	if !body(w, r, &in) {
		return
	}
	switch {
	case !slices.Contains([]string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}, in.State):
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: state is not included in the list")
		return
	case utf8.RuneCountInString(in.Description) > 140:
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed: description is too long (maximum is 140 characters)")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.deployment(w, r)
	if d == nil {
		return
	}
	st := in.DeploymentStatus
	st.ID, st.CreatedAt = s.nextID(), time.Now().UTC()
	if st.Environment == "" {
		st.Environment = d.Environment
	}
	d.Statuses = append(d.Statuses, st)
	if st.State == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		s.deactivate(d, st)
	}
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, st)
}

// deactivate makes earlier successful deployments of the environment inactive,
// except production ones, as GitHub does. s.mu is locked.
func (s *Server) deactivate(newest *Deployment, because DeploymentStatus) {
	for _, d := range s.feedback.deployments {
		if d != newest && d.Repository == newest.Repository && d.Environment == newest.Environment && !d.Production && !d.Transient && d.State() == "success" {
			because.ID, because.State, because.Description = s.nextID(), "inactive", ""
			d.Statuses = append(d.Statuses, because)
		}
	}
}

// listDeploymentStatuses answers newest first.
func (s *Server) listDeploymentStatuses(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.deployment(w, r); d != nil {
		list := slices.Clone(d.Statuses)
		slices.Reverse(list)
		wire.Answer(w, http.StatusOK, page(r, list))
	}
}
