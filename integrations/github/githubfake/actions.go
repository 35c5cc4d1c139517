package githubfake

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Workflow is a workflow of GitHub Actions in a repository.
type Workflow struct {
	Repository string // owner/name
	File       string // deploy.yml
	ID         int64
	Text       string   // the file's content
	Manual     bool     // it has workflow_dispatch
	Disabled   bool     // by hand
	Inputs     []string // that it knows
	Required   []string // of these
	Shows      string   // the input that its run-name shows; empty: none
	Refs       []string // branches and tags that it is on; empty: every one but commits

	Takes      time.Duration // from a dispatch to the run's end; negative: until somebody ends it
	Conclusion string        // of its runs; empty: success
	Jobs       []Job         // of its runs
	Stubborn   bool          // runs go on after a cancel that is not forced
}

// Job is a job of a run.
type Job struct {
	Name       string
	Conclusion string // empty: the run's
	Steps      []Step
	Log        string
}

// Step is a step of a job.
type Step struct{ Name, Conclusion string }

// Run is a run of a workflow that was dispatched.
type Run struct {
	ID         int64
	Number     int
	Repository string
	File       string
	Ref        string
	HeadSHA    string
	Actor      string
	Title      string
	Inputs     map[string]string
	Status     string
	Conclusion string
	CreatedAt  time.Time
	EndsAt     time.Time // zero: when somebody ends it
	Cancelled  bool      // a cancel was asked for
	Jobs       []Job
}

// Actions is the part of the fake that runs workflows.
type Actions struct {
	mu        sync.Mutex
	workflows []Workflow
	runs      []*Run
	old       bool
	lag       time.Duration
	heads     map[string]string // owner/name@ref
	deny      bool
}

// SetWorkflows replaces the workflows that there are.
func (a *Actions) SetWorkflows(all ...Workflow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.workflows = slices.Clone(all)
	for i := range a.workflows {
		if a.workflows[i].ID == 0 {
			a.workflows[i].ID = int64(1001 + i)
		}
	}
}

// SetServer says what kind of server it is: an old one knows no return_run_details;
// lag is how long a run is missing from the list.
func (a *Actions) SetServer(old bool, lag time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.old, a.lag = old, lag
}

// Deny takes the permission Actions: write away, or gives it back.
func (a *Actions) Deny(deny bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deny = deny
}

// SetHead says which commit a branch or tag is at.
func (a *Actions) SetHead(repository, ref, sha string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heads = maps.Clone(a.heads)
	if a.heads == nil {
		a.heads = map[string]string{}
	}
	a.heads[repository+"@"+ref] = sha
}

// Runs are the runs that there were, oldest first.
func (a *Actions) Runs() (all []Run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.runs {
		all = append(all, *a.now(r))
	}
	return all
}

// AddRun has a run that somebody else started.
func (a *Actions) AddRun(r Run) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.add(&r).ID
}

// End ends a run; of one that is unknown nothing comes.
func (a *Actions) End(run int64, conclusion string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.runs {
		if r.ID == run {
			r.Status, r.Conclusion, r.EndsAt = "completed", conclusion, time.Now()
		}
	}
}

// Delete removes a run as its owner may.
func (a *Actions) Delete(run int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs = slices.DeleteFunc(a.runs, func(r *Run) bool { return r.ID == run })
}

func (a *Actions) add(r *Run) *Run {
	r.ID, r.Number, r.CreatedAt = int64(7000000001+len(a.runs)), len(a.runs)+1, cmp.Or(r.CreatedAt, time.Now())
	r.Status = cmp.Or(r.Status, "queued")
	r.HeadSHA = cmp.Or(r.HeadSHA, a.heads[r.Repository+"@"+r.Ref], strings.Repeat("ab", 20))
	a.runs = append(a.runs, r)
	return r
}

// now brings a run up to the time.
func (a *Actions) now(r *Run) *Run {
	switch now := time.Now(); {
	case r.Status == "completed":
	case !r.EndsAt.IsZero() && !now.Before(r.EndsAt):
		r.Status = "completed"
	case now.Sub(r.CreatedAt) >= 2*time.Second:
		r.Status = "in_progress"
	}
	return r
}

func (s *Server) actionRoutes(mux *http.ServeMux) {
	const at = "/repos/{owner}/{name}/actions/"
	handle := func(pattern string, f func(a *Actions, w http.ResponseWriter, r *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+at+path, func(w http.ResponseWriter, r *http.Request) {
			if !s.allowed(w, r) {
				return
			}
			s.Actions.mu.Lock()
			defer s.Actions.mu.Unlock()
			defer s.changes.Notify()
			f(&s.Actions, w, r)
		})
	}
	handle("GET workflows/{workflow}", (*Actions).getWorkflow)
	handle("POST workflows/{workflow}/dispatches", (*Actions).takeDispatch)
	handle("GET workflows/{workflow}/runs", (*Actions).listRuns)
	handle("GET runs/{run}", (*Actions).getRun)
	handle("GET runs/{run}/jobs", (*Actions).listJobs)
	handle("POST runs/{run}/cancel", (*Actions).cancel)
	handle("POST runs/{run}/force-cancel", (*Actions).forceCancel)
	handle("GET jobs/{job}/logs", (*Actions).redirectToLog)
	mux.HandleFunc("GET /logs/{job}", s.Actions.getLog) // at the storage: without a token
	mux.HandleFunc("GET /repos/{owner}/{name}/contents/.github/workflows/{file}", func(w http.ResponseWriter, r *http.Request) {
		if s.allowed(w, r) {
			s.Actions.getFile(w, r)
		}
	})
}

func repositoryOf(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("name") }

// workflow finds the workflow of a request, by its file or its ID, or refuses.
func (a *Actions) workflow(w http.ResponseWriter, r *http.Request) *Workflow {
	name := r.PathValue("workflow")
	for i := range a.workflows {
		one := &a.workflows[i]
		if one.Repository == repositoryOf(r) && (one.File == name || strconv.FormatInt(one.ID, 10) == name) {
			return one
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return nil
}

func (a *Actions) getWorkflow(w http.ResponseWriter, r *http.Request) {
	one := a.workflow(w, r)
	if one == nil {
		return
	}
	state := "active"
	if one.Disabled {
		state = "disabled_manually"
	}
	wire.Answer(w, http.StatusOK, map[string]any{"id": one.ID, "name": one.File, "path": ".github/workflows/" + one.File, "state": state})
}

// takeDispatch refuses what GitHub refuses, in its words.
func (a *Actions) takeDispatch(w http.ResponseWriter, r *http.Request) {
	one := a.workflow(w, r)
	if one == nil {
		return
	}
	var body map[string]json.RawMessage
	raw, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // a body that breaks off is no JSON
	if err := json.Unmarshal(raw, &body); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	var ref string
	inputs := map[string]string{}
	details := string(body["return_run_details"]) == "true"
	if json.Unmarshal(body["ref"], &ref) != nil || body["inputs"] != nil && json.Unmarshal(body["inputs"], &inputs) != nil {
		refuse(w, http.StatusUnprocessableEntity, "Invalid request.")
		return
	}
	if a.old && body["return_run_details"] != nil {
		refuse(w, http.StatusUnprocessableEntity, `Invalid request. "return_run_details" is not a permitted key.`)
		return
	}
	if status, why := a.refusal(one, ref, inputs); why != "" {
		refuse(w, status, why)
		return
	}
	run := a.add(&Run{Repository: one.Repository, File: one.File, Ref: ref, Actor: "rollcall-bot", Title: cmp.Or(inputs[one.Shows], one.File), Inputs: inputs, Conclusion: cmp.Or(one.Conclusion, "success"), Jobs: one.Jobs})
	if one.Takes >= 0 {
		run.EndsAt = run.CreatedAt.Add(one.Takes)
	}
	if !details {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	wire.Answer(w, http.StatusOK, map[string]any{"workflow_run_id": run.ID, "run_url": fmt.Sprintf("https://api.github.com/repos/%s/actions/runs/%d", run.Repository, run.ID), "html_url": run.page()})
}

// refusal is why GitHub does not take a dispatch; empty: it does.
func (a *Actions) refusal(one *Workflow, ref string, inputs map[string]string) (status int, why string) {
	var unknown []string
	for name := range inputs {
		if !slices.Contains(one.Inputs, name) {
			unknown = append(unknown, `"`+name+`"`)
		}
	}
	slices.Sort(unknown)
	switch {
	case a.deny:
		return http.StatusForbidden, "Resource not accessible by personal access token"
	case one.Disabled:
		return http.StatusForbidden, "Cannot trigger a 'workflow_dispatch' on a disabled workflow"
	case !one.Manual:
		return http.StatusUnprocessableEntity, "Workflow does not have 'workflow_dispatch' trigger"
	case len(ref) == 40 && strings.Trim(ref, "0123456789abcdef") == "", len(one.Refs) > 0 && !slices.Contains(one.Refs, ref):
		return http.StatusUnprocessableEntity, "No ref found for: " + ref
	case len(unknown) > 0:
		return http.StatusUnprocessableEntity, "Unexpected inputs provided: [" + strings.Join(unknown, ", ") + "]"
	}
	for _, name := range one.Required {
		if inputs[name] == "" {
			return http.StatusUnprocessableEntity, "Required input '" + name + "' not provided"
		}
	}
	return 0, ""
}

func (r *Run) page() string {
	return fmt.Sprintf("https://github.com/%s/actions/runs/%d", r.Repository, r.ID)
}

// shown is a run as the API shows it.
func (r *Run) shown() map[string]any {
	one := map[string]any{
		"id": r.ID, "run_number": r.Number, "run_attempt": 1, "name": r.File, "display_title": r.Title, "event": "workflow_dispatch", "status": r.Status, "conclusion": nil,
		"head_branch": r.Ref, "head_sha": r.HeadSHA, "html_url": r.page(), "actor": map[string]any{"login": r.Actor},
		"created_at": r.CreatedAt.UTC().Format(time.RFC3339), "updated_at": r.CreatedAt.UTC().Format(time.RFC3339),
	}
	if r.Status == "completed" {
		one["conclusion"], one["updated_at"] = r.Conclusion, r.EndsAt.UTC().Format(time.RFC3339)
	}
	return one
}

// listRuns answers the newest first, as far as they are in the list.
func (a *Actions) listRuns(w http.ResponseWriter, r *http.Request) {
	one := a.workflow(w, r)
	if one == nil {
		return
	}
	q := r.URL.Query()
	since, _ := time.Parse(time.RFC3339, strings.TrimPrefix(q.Get("created"), ">=")) // none: from the beginning
	list := []any{}
	for _, run := range slices.Backward(a.runs) {
		if run.Repository == one.Repository && run.File == one.File && time.Since(run.CreatedAt) >= a.lag && !run.CreatedAt.Before(since) && (q.Get("branch") == "" || q.Get("branch") == run.Ref) {
			list = append(list, a.now(run).shown())
		}
	}
	size, page := query(r, "per_page", 30, 100), query(r, "page", 1, 100)
	from := min((page-1)*size, len(list))
	if to := from + size; to < len(list) {
		next := *r.URL
		values := next.Query()
		values.Set("page", strconv.Itoa(page+1))
		next.RawQuery = values.Encode()
		w.Header().Set("Link", "<http://"+r.Host+next.String()+`>; rel="next"`)
	}
	wire.Answer(w, http.StatusOK, map[string]any{"total_count": len(list), "workflow_runs": list[from:min(from+size, len(list))]})
}

// run finds the run of a request, or refuses.
func (a *Actions) run(w http.ResponseWriter, r *http.Request) *Run {
	for _, run := range a.runs {
		if run.Repository == repositoryOf(r) && strconv.FormatInt(run.ID, 10) == r.PathValue("run") {
			return a.now(run)
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return nil
}

func (a *Actions) getRun(w http.ResponseWriter, r *http.Request) {
	if run := a.run(w, r); run != nil {
		wire.Answer(w, http.StatusOK, run.shown())
	}
}

func (a *Actions) listJobs(w http.ResponseWriter, r *http.Request) {
	run := a.run(w, r)
	if run == nil {
		return
	}
	list := []any{}
	for n, j := range run.Jobs {
		steps := []any{}
		for i, s := range j.Steps {
			steps = append(steps, map[string]any{"name": s.Name, "number": i + 1, "status": "completed", "conclusion": cmp.Or(s.Conclusion, "success")})
		}
		list = append(list, map[string]any{"id": run.ID*100 + int64(n), "run_id": run.ID, "name": j.Name, "status": "completed", "conclusion": cmp.Or(j.Conclusion, run.Conclusion),
			"html_url": fmt.Sprintf("%s/job/%d", run.page(), run.ID*100+int64(n)), "steps": steps})
	}
	wire.Answer(w, http.StatusOK, map[string]any{"total_count": len(list), "jobs": list})
}

func (a *Actions) cancel(w http.ResponseWriter, r *http.Request) {
	if run := a.run(w, r); run != nil {
		stubborn := slices.ContainsFunc(a.workflows, func(one Workflow) bool {
			return one.Repository == run.Repository && one.File == run.File && one.Stubborn
		})
		a.stop(w, run, !stubborn)
	}
}

func (a *Actions) forceCancel(w http.ResponseWriter, r *http.Request) {
	if run := a.run(w, r); run != nil {
		a.stop(w, run, true)
	}
}

func (a *Actions) stop(w http.ResponseWriter, run *Run, now bool) {
	if run.Status == "completed" {
		refuse(w, http.StatusConflict, "Cannot cancel a workflow run that is completed.")
		return
	}
	if run.Cancelled = true; now {
		run.Status, run.Conclusion, run.EndsAt = "completed", "cancelled", time.Now()
	}
	wire.Answer(w, http.StatusAccepted, map[string]any{})
}

func (a *Actions) redirectToLog(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "http://"+r.Host+"/logs/"+url.PathEscape(r.PathValue("job"))+"?sig=secret-of-the-log")
	w.WriteHeader(http.StatusFound)
}

// getLog is the storage's answer: it takes no token of GitHub's.
func (a *Actions) getLog(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, _ := strconv.ParseInt(r.PathValue("job"), 10, 64)
	for _, run := range a.runs {
		if n := id - run.ID*100; n >= 0 && n < int64(len(run.Jobs)) && r.Header.Get("Authorization") == "" {
			_, _ = io.WriteString(w, run.Jobs[n].Log) // the caller may be gone
			return
		}
	}
	w.WriteHeader(http.StatusBadRequest)
}

func (a *Actions) getFile(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.workflows {
		if one.Repository == repositoryOf(r) && one.File == r.PathValue("file") {
			wire.Answer(w, http.StatusOK, map[string]any{"type": "file", "encoding": "base64", "name": one.File, "content": base64.StdEncoding.EncodeToString([]byte(one.Text))})
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}
