package actions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	jobPages  = 3        // of 100 jobs, among which the one that failed is looked for
	mostLog   = 64 << 20 // bytes of a job's log that are read
	shownLog  = 60       // lines of it that come into the action's log
	textLimit = 300      // of a finding's texts
)

// ended is the outcome of a run that has ended. Why it failed is asked with few calls;
// what cannot be asked now is left out, because how it ended is known.
func (r *Runner) ended(ctx context.Context, d dispatch, t *work.Task, w work.Workspace, run *github.WorkflowRun) (work.Outcome, error) {
	o := outcomeOf(t, run)
	logTo(w, "%s %s: %s", run.GetName(), run.GetHTMLURL(), run.GetConclusion())
	if o.State == work.Succeeded {
		if r := t.Revision; r != nil && r.RevisionID != "" && r.RevisionID != run.GetHeadSHA() {
			logTo(w, "the workflow ran on %s of %s; the execution brings %s: a workflow starts at the end of a branch or tag, so give the commit as an input and check it out", run.GetHeadSHA(), d.ref, r.RevisionID)
		}
		return o, nil
	}
	job, err := r.failedJob(ctx, d, run)
	if err != nil {
		r.Log.Warn("why a run of GitHub Actions failed could not be asked", "run", run.GetHTMLURL(), "error", err)
	}
	if job == nil {
		o.Error.Finding = runFinding(run, o.Error.Message)
		return o, nil
	}
	step := failedStep(job)
	o.Error.Message += ": job " + words.Cut(clean.Line(job.GetName()), 80)
	if step != "" {
		o.Error.Message += ", step " + words.Cut(clean.Line(step), 80)
	}
	lines, err := r.logEnd(ctx, d, job.GetID())
	if err != nil {
		r.Log.Warn("the log of a job of GitHub Actions could not be read", "job", job.GetHTMLURL(), "error", err)
	}
	linesTo(w, lines)
	o.Error.Finding = jobFinding(o.Error.Message, run, job, step, lines)
	return o, nil
}

// failedJob is the first job that failed, else the first that was cut off; nil: there is none.
func (r *Runner) failedJob(ctx context.Context, d dispatch, run *github.WorkflowRun) (*github.WorkflowJob, error) {
	o := &github.ListWorkflowJobsOptions{Filter: "latest", ListOptions: github.ListOptions{PerPage: 100}}
	var cut *github.WorkflowJob
	for range jobPages {
		page, resp, err := r.client.Actions.ListWorkflowJobs(ctx, d.owner, d.name, run.GetID(), o)
		if err != nil {
			return cut, errors.New(api.Said(err)) //nolint:errorlint // in words for people
		}
		for _, job := range page.Jobs {
			switch job.GetConclusion() {
			case "failure", "timed_out", "startup_failure":
				return job, nil
			case "cancelled", "action_required":
				if cut == nil {
					cut = job
				}
			}
		}
		if resp.NextPage == 0 {
			break
		}
		o.Page = resp.NextPage
	}
	return cut, nil
}

// failedStep is the name of the first step that did not succeed; empty: none began.
func failedStep(job *github.WorkflowJob) string {
	for _, s := range job.Steps {
		switch s.GetConclusion() {
		case "failure", "timed_out", "cancelled":
			return s.GetName()
		}
	}
	return ""
}

// logEnd reads the lines of a job's log up to its last error. They lie at another
// address, which is not given the token.
func (r *Runner) logEnd(ctx context.Context, d dispatch, job int64) ([]string, error) {
	at, _, err := r.client.Actions.GetWorkflowJobLogs(ctx, d.owner, d.name, job, 1)
	if err != nil {
		return nil, errors.New(api.Said(err)) //nolint:errorlint // in words for people
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, errors.New("the address of the log cannot be read")
	}
	resp, err := r.logs.Do(req)
	if err != nil {
		return nil, errors.New(api.Said(err)) //nolint:errorlint // without the address, which gives access
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the log's address answers %d", resp.StatusCode)
	}
	return errorLines(io.LimitReader(resp.Body, mostLog))
}

var (
	stampRule = regexp.MustCompile(`^\x{FEFF}?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z `)
	// markRule is what the runner puts around lines: ##[error]Process completed with exit code 1.
	markRule = regexp.MustCompile(`^##\[(error|warning|group|endgroup|command|debug|notice)\]`)
)

// errorLines are the last lines of a log up to the last one that is marked as an error;
// without such a mark up to its end.
func errorLines(log io.Reader) ([]string, error) {
	var last, upToError []string
	s := bufio.NewScanner(log)
	s.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for s.Scan() {
		line := stampRule.ReplaceAllString(s.Text(), "")
		isError := strings.HasPrefix(line, "##[error]")
		if line = strings.TrimRight(clean.Text(markRule.ReplaceAllString(line, "")), " \r\n"); line == "" {
			continue
		}
		if last = append(last, line); len(last) > shownLog {
			last = last[1:]
		}
		if isError {
			upToError = slices.Clone(last)
		}
	}
	if err := s.Err(); err != nil && len(last) == 0 {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	if upToError != nil {
		return upToError, nil
	}
	return last, nil
}

// linesTo adds lines to the action's log.
func linesTo(w work.Workspace, lines []string) {
	out, err := w.Log()
	if err != nil {
		return
	}
	for _, line := range lines {
		_, _ = fmt.Fprintln(out, line) // as logTo
	}
	_ = out.Close()
}

// runFinding is what is known of a failure of which no job tells.
func runFinding(run *github.WorkflowRun, message string) *workflows.Finding {
	f := &workflows.Finding{Class: "CommandFailed", Title: words.Cut(message, textLimit), Retry: "afterFix"}
	switch run.GetConclusion() {
	case "startup_failure":
		f.Class, f.Fix = "Validation", []string{"open the run: GitHub says on it what is wrong with the workflow"}
	case "timed_out":
		f.Class = "Timeout"
	case "cancelled":
		f.Retry = "now"
	}
	f.Links = append(f.Links, struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	}{"The run on GitHub", run.GetHTMLURL()})
	return f
}

// jobFinding is what is known of a failure: where, the last lines, and the page of the job.
func jobFinding(message string, run *github.WorkflowRun, job *github.WorkflowJob, step string, lines []string) *workflows.Finding {
	f := runFinding(run, message)
	if len(lines) > 0 {
		from := "GitHub Actions job " + job.GetName()
		if step != "" {
			from += ", step " + step
		}
		f.Evidence = append(f.Evidence, struct {
			From string `json:"from"`
			Text string `json:"text"`
		}{words.Cut(clean.Line(from), textLimit), lastOf(lines)})
		f.Fix = append(f.Fix, "look at the last lines of the job's log, which are in this action's log too")
	}
	f.Links = slices.Insert(f.Links, 0, struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	}{words.Cut(clean.Line("Job "+job.GetName()+" on GitHub"), 80), job.GetHTMLURL()})
	return f
}

// lastOf are the last lines that fit into a finding.
func lastOf(lines []string) string {
	text := ""
	for _, line := range slices.Backward(lines) {
		next := words.Cut(line, textLimit)
		if text != "" {
			next += "\n" + text
		}
		if len([]rune(next)) > textLimit {
			break
		}
		text = next
	}
	return text
}
