package githubfake

import (
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// CheckRun is a check run as it stands.
type CheckRun struct {
	ID         int64       `json:"id"`
	Repository string      `json:"-"` // owner/name
	Name       string      `json:"name"`
	HeadSHA    string      `json:"head_sha"`
	DetailsURL string      `json:"details_url"`
	ExternalID string      `json:"external_id"`
	Status     string      `json:"status"`
	Conclusion string      `json:"conclusion"`
	Output     CheckOutput `json:"output"`
}

// CheckOutput is what people read of a check run.
type CheckOutput struct {
	Title   string `json:"title"`
	Summary string `json:"summary"` // Markdown
}

// Grant says which permissions the app's installation has, "checks": "write".
// Without "checks" no check run can be made.
func (s *Server) Grant(permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feedback.granted = permissions
}

// CheckRuns are those of a commit, oldest first; an empty sha: all.
func (s *Server) CheckRuns(sha string) []CheckRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []CheckRun{}
	for _, c := range s.feedback.checks {
		if sha == "" || c.HeadSHA == sha {
			all = append(all, *c)
		}
	}
	return all
}

// mayCheck refuses who is no app, or lacks the permission.
func (s *Server) mayCheck(w http.ResponseWriter, r *http.Request) bool {
	if !s.allowed(w, r) {
		return false
	}
	s.mu.Lock()
	may := s.feedback.granted["checks"] == "write"
	s.mu.Unlock()
	if !may {
		refuse(w, http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	return may
}

// checkFault is what GitHub says against a check run; empty: nothing.
func checkFault(c *CheckRun) string {
	conclusions := []string{"action_required", "cancelled", "failure", "neutral", "skipped", "success", "timed_out"}
	switch {
	case c.Name == "":
		return "Invalid request: name wasn't supplied."
	case !isCommit(c.HeadSHA):
		return "No commit found for SHA: " + c.HeadSHA
	case !slices.Contains([]string{"queued", "in_progress", "completed"}, c.Status):
		return "Validation Failed: status is not included in the list"
	case c.Status == "completed" && !slices.Contains(conclusions, c.Conclusion):
		return "Validation Failed: conclusion is not included in the list"
	case utf8.RuneCountInString(c.Output.Summary) > 65535:
		return "Validation Failed: summary exceeds 65535 characters"
	case c.Output.Summary != "" && c.Output.Title == "":
		return "Invalid request: title wasn't supplied."
	}
	return ""
}

func (s *Server) createCheck(w http.ResponseWriter, r *http.Request) {
	c := CheckRun{Status: "queued"}
	if !s.mayCheck(w, r) || !body(w, r, &c) {
		return
	}
	if fault := checkFault(&c); fault != "" {
		refuse(w, http.StatusUnprocessableEntity, fault)
		return
	}
	c.Repository = fullName(r)
	s.mu.Lock()
	c.ID = s.nextID()
	kept := c // it may be edited while this answers
	s.feedback.checks = append(s.feedback.checks, &kept)
	s.mu.Unlock()
	s.changes.Notify()
	wire.Answer(w, http.StatusCreated, c)
}

func (s *Server) updateCheck(w http.ResponseWriter, r *http.Request) {
	if !s.mayCheck(w, r) {
		return
	}
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.feedback.checks, func(c *CheckRun) bool { return c.ID == id && c.Repository == fullName(r) })
	if i < 0 {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	c := *s.feedback.checks[i]
	if !body(w, r, &c) {
		return
	}
	if fault := checkFault(&c); fault != "" {
		refuse(w, http.StatusUnprocessableEntity, fault)
		return
	}
	s.feedback.checks[i] = &c
	s.changes.Notify()
	wire.Answer(w, http.StatusOK, c)
}

func (s *Server) listChecks(w http.ResponseWriter, r *http.Request) {
	if !s.mayCheck(w, r) {
		return
	}
	list := []CheckRun{}
	for _, c := range slices.Backward(s.CheckRuns(r.PathValue("sha"))) {
		if name := r.URL.Query().Get("check_name"); c.Repository == fullName(r) && (name == "" || name == c.Name) {
			list = append(list, c)
		}
	}
	wire.Answer(w, http.StatusOK, map[string]any{"total_count": len(list), "check_runs": page(r, list)})
}
