package actions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// made is what GitHub says of a dispatch. Run is 0 where the server does not say it.
type made struct {
	Run     int64  `json:"workflow_run_id"`
	HTMLURL string `json:"html_url"`
}

// dispatch asks GitHub to run the workflow, and to say which run that is, where it can.
// A server that does not know that wish refuses the whole call, which then is made without.
func (r *Runner) dispatch(ctx context.Context, d dispatch) (made, error) {
	r.mu.Lock()
	old := r.old
	r.mu.Unlock()
	if !old {
		m, err := r.post(ctx, d, map[string]any{"ref": d.ref, "inputs": d.inputs, "return_run_details": true})
		if status := api.Status(err); status != http.StatusBadRequest && status != http.StatusUnprocessableEntity || !strings.Contains(api.Said(err), "return_run_details") {
			return m, err
		}
		r.mu.Lock()
		r.old = true
		r.mu.Unlock()
	}
	return r.post(ctx, d, map[string]any{"ref": d.ref, "inputs": d.inputs})
}

func (r *Runner) post(ctx context.Context, d dispatch, body any) (m made, err error) {
	req, err := r.client.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/actions/workflows/%s/dispatches", d.owner, d.name, url.PathEscape(d.workflow)), body)
	if err != nil {
		return m, fmt.Errorf("making the request: %w", err)
	}
	_, err = r.client.Do(ctx, req, &m)
	return m, err //nolint:wrapcheck // what GitHub answered, which callers look into
}

// isAccepted says whether an error is the library's word for 202.
func isAccepted(err error) bool {
	var accepted *github.AcceptedError
	return errors.As(err, &accepted)
}

// forceAfter is how long a cancel may take before it is forced: a job whose condition
// is always() goes on after a cancel, and nothing goes on after a forced one.
const forceAfter = 30 * time.Second

// Cancel has GitHub cancel the run, unless CancelOnStop is false, and says how it ended.
func (r *Runner) Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	d, err := readDispatch(&t)
	if err != nil { // then nothing was dispatched
		return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
	}
	if t.Handle == "" || t.Handle == unseen {
		o, ok, err := r.Find(ctx, t, w)
		switch {
		case err != nil:
			return work.Outcome{}, err
		case !ok:
			return work.Outcome{Task: t.ID, State: work.Cancelled, Summary: "it had not begun"}, nil
		case o.State != work.Running || o.Handle == unseen:
			return o, nil
		}
		t.Handle = o.Handle
	}
	run, o, err := r.look(ctx, d, &t)
	switch {
	case run == nil:
		return o, err
	case run.GetStatus() == completed:
		return cancelled(&t, run), nil
	case d.goesOn:
		o = running(&t, run.GetID(), run.GetHTMLURL(), run.GetStatus())
		o.State, o.Summary = work.Cancelled, "it goes on in GitHub Actions: CancelOnStop is false"
		return o, nil
	}
	o = running(&t, run.GetID(), run.GetHTMLURL(), run.GetStatus())
	o.Summary = "is being cancelled in GitHub Actions"
	return o, r.askToCancel(ctx, d, run.GetID(), w)
}

// cancelled is the outcome of a run that ended after it was to be cancelled.
func cancelled(t *work.Task, run *github.WorkflowRun) work.Outcome {
	o := outcomeOf(t, run)
	if o.State != work.Succeeded {
		o.State, o.Error = work.Cancelled, nil
	}
	return o
}

// askToCancel asks once, and when that has not helped by force.
func (r *Runner) askToCancel(ctx context.Context, d dispatch, run int64, w work.Workspace) error {
	note, how := filepath.Join(w.Dir(), "cancel-asked"), "cancel"
	asked, err := os.ReadFile(note)
	if err == nil {
		if at, err := time.Parse(time.RFC3339, string(asked)); err == nil {
			if r.Now().Sub(at) < forceAfter {
				return nil
			}
			how = "force-cancel"
		}
	}
	req, err := r.client.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/actions/runs/%d/%s", d.owner, d.name, run, how), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	_, err = r.client.Do(ctx, req, nil)
	if status := api.Status(err); err != nil && !isAccepted(err) && status != http.StatusConflict { // 409: it has ended meanwhile, or is not far enough to be cancelled
		return fmt.Errorf("cancelling run %d of %s: %s", run, d.repository(), api.Said(err)) //nolint:errorlint // in words for people
	}
	if api.Status(err) == http.StatusConflict && how == "cancel" {
		return nil // ask again the next time
	}
	logTo(w, "asked GitHub to %s run %d", how, run)
	if err := os.MkdirAll(w.Dir(), 0o700); err != nil {
		return fmt.Errorf("noting that the run is to be cancelled: %w", err)
	}
	if err := os.WriteFile(note, []byte(r.Now().UTC().Format(time.RFC3339)), 0o600); err != nil {
		return fmt.Errorf("noting that the run is to be cancelled: %w", err)
	}
	return nil
}
