package actions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	shortestPoll = 3 * time.Second
	longestPoll  = 30 * time.Second
	// unseenFor is how long a run that GitHub has announced may be missing from its list.
	unseenFor = 10 * time.Minute
)

// Options is what a Runner needs.
type Options struct {
	APIURL    string // empty: https://api.github.com/
	Token     string // or App
	App       *api.App
	Notes     func() api.Notes  // which run belongs to which task; asked for when it is first needed
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
	Log       *slog.Logger      // nil: slog.Default()
	Now       func() time.Time  // nil: time.Now
}

// Runner carries out GitHubWorkflow actions: it dispatches a workflow of
// GitHub Actions and ends as the run does. A dispatch whose answer was lost is looked
// up among the runs, and never made a second time unless it certainly did not happen.
// It is safe for concurrent use.
type Runner struct {
	Options
	client *github.Client
	logs   *http.Client // for the addresses that logs are kept at, without the token

	mu      sync.Mutex
	turns   map[string]chan struct{} // by workflow: who dispatches, or looks for a run
	old     bool                     // the server knows no return_run_details
	account string                   // the login that dispatches; empty: not known yet
}

// NewRunner checks the options; its errors are *workflows.Problem.
func NewRunner(o Options) (*Runner, error) {
	c, err := api.New(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	logs := &http.Client{Transport: wire.Transport(o.Transport, wire.Pacing{})}
	return &Runner{Options: o, client: c, logs: logs, turns: map[string]chan struct{}{}}, nil
}

// Start dispatches the workflow. An error says that GitHub did not take it now, or
// that nobody knows whether it did: then Find is asked before it is started again.
func (r *Runner) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	d, err := readDispatch(&t)
	if err != nil {
		return refusedStart(&t, err), nil
	}
	done, err := r.turn(ctx, d.workflowKey())
	if err != nil {
		return work.Outcome{}, err
	}
	defer done()
	b, err := r.load(ctx, d)
	if err != nil {
		return work.Outcome{}, err
	}
	b.Entries[t.ID] = &dispatched{At: r.Now().UTC(), Ref: d.ref}
	if err := r.save(ctx, b); err != nil { // durable before anything happens outside
		return work.Outcome{}, err
	}
	made, err := r.dispatch(ctx, d)
	if err != nil {
		return r.notDispatched(ctx, &t, b, err)
	}
	entry := b.Entries[t.ID]
	entry.Taken, entry.Run, entry.URL = true, made.Run, made.HTMLURL
	r.saveLater(ctx, b)
	logTo(w, "dispatched %s of %s on %s %s", d.workflow, d.repository(), d.ref, made.HTMLURL)
	if made.Run == 0 {
		return work.Outcome{Task: t.ID, State: work.Running, Handle: unseen, Summary: "GitHub has taken the dispatch; its run is not listed yet", PollAfter: shortestPoll}, nil
	}
	return running(&t, made.Run, made.HTMLURL, "queued"), nil
}

// notDispatched says what a dispatch that failed means. What certainly did nothing
// leaves no trace, so that no later look-up takes it for one that may have.
func (r *Runner) notDispatched(ctx context.Context, t *work.Task, b *book, err error) (work.Outcome, error) {
	if !surelyUndone(err) {
		return work.Outcome{}, fmt.Errorf("GitHub's answer to the dispatch was lost: %s", api.Said(err)) //nolint:errorlint // in words for people
	}
	delete(b.Entries, t.ID)
	r.saveLater(ctx, b)
	if api.Kind(err) == wire.Transient || api.Status(err) == http.StatusUnauthorized {
		return work.Outcome{}, fmt.Errorf("dispatching the workflow: %s", api.Said(err)) //nolint:errorlint // in words for people
	}
	return refusedStart(t, err), nil
}

// surelyUndone says whether a call that failed changed nothing: it was refused, or not sent.
func surelyUndone(err error) bool {
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	status := api.Status(err)
	return errors.As(err, &limit) || errors.As(err, &abuse) || wire.NotSent(err) || status >= 400 && status < 500
}

// Find looks up whether an earlier start of the task happened.
func (r *Runner) Find(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, bool, error) {
	d, err := readDispatch(&t)
	if err != nil {
		return refusedStart(&t, err), true, nil
	}
	done, err := r.turn(ctx, d.workflowKey())
	if err != nil {
		return work.Outcome{}, false, err
	}
	defer done()
	b, err := r.load(ctx, d)
	if err != nil {
		return work.Outcome{}, false, err
	}
	entry := b.Entries[t.ID]
	switch {
	case entry == nil: // a marker comes before every dispatch
		return work.Outcome{}, false, nil
	case entry.Run != 0:
		return running(&t, entry.Run, entry.URL, "started"), true, nil
	}
	found, err := r.search(ctx, d, b, &t)
	switch {
	case err != nil:
		return work.Outcome{}, false, err
	case found.run != nil:
		if err := r.claim(ctx, b, t.ID, found.run); err != nil {
			return work.Outcome{}, false, err
		}
		logTo(w, "found the run %s", found.run.GetHTMLURL())
		return running(&t, found.run.GetID(), found.run.GetHTMLURL(), "started"), true, nil
	case found.doubt != "":
		return work.Outcome{Task: t.ID, State: work.InDoubt, Error: &workflows.Reason{Code: "InDoubt", Message: found.doubt}}, true, nil
	case entry.Taken:
		return work.Outcome{Task: t.ID, State: work.Running, Handle: unseen, PollAfter: shortestPoll}, true, nil
	}
	return work.Outcome{}, false, nil
}

// Poll says how the run stands.
func (r *Runner) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	d, err := readDispatch(&t)
	if err != nil {
		return refusedStart(&t, err), nil
	}
	if t.Handle == unseen {
		return r.discover(ctx, t, w)
	}
	run, o, err := r.look(ctx, d, &t)
	switch {
	case run == nil:
		return o, err
	case run.GetStatus() != completed:
		o = running(&t, run.GetID(), run.GetHTMLURL(), run.GetStatus())
		o.PollAfter = pauseAt(r.Now().Sub(run.GetCreatedAt().Time))
		return o, nil
	}
	return r.ended(ctx, d, &t, w, run)
}

// discover looks for the run of a dispatch that GitHub took without naming it.
func (r *Runner) discover(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	o, ok, err := r.Find(ctx, t, w)
	switch {
	case err != nil:
		return work.Outcome{}, err
	case !ok: // the note of it is gone
		return lost(&t, "GitHub took the dispatch, but nothing says which run is its"), nil
	}
	return o, nil
}

// look reads the run; nil: the outcome or the error says why not.
func (r *Runner) look(ctx context.Context, d dispatch, t *work.Task) (*github.WorkflowRun, work.Outcome, error) {
	id, err := runOf(t.Handle)
	if err != nil {
		return nil, lost(t, err.Error()), nil
	}
	run, _, err := r.client.Actions.GetWorkflowRunByID(ctx, d.owner, d.name, id)
	switch {
	case api.Status(err) == http.StatusNotFound:
		return nil, lost(t, fmt.Sprintf("GitHub no longer shows run %d of %s: it was deleted, or the token may no longer see the repository", id, d.repository())), nil
	case err != nil:
		return nil, work.Outcome{}, fmt.Errorf("looking at run %d of %s: %s", id, d.repository(), api.Said(err)) //nolint:errorlint // in words for people
	}
	return run, work.Outcome{}, nil
}

// pauseAt is the pause between two looks at a run of that age.
func pauseAt(age time.Duration) time.Duration {
	return min(max(age/20, shortestPoll), longestPoll)
}

// turn waits until nobody else dispatches the workflow or looks for a run of it.
func (r *Runner) turn(ctx context.Context, workflow string) (done func(), err error) {
	r.mu.Lock()
	turn := r.turns[workflow]
	if turn == nil {
		turn = make(chan struct{}, 1)
		r.turns[workflow] = turn
	}
	r.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another dispatch of %s: %w", workflow, ctx.Err())
	}
}

// logTo adds a line to the action's log. A log that cannot be written is no reason to
// lose a run that has begun.
func logTo(w work.Workspace, format string, args ...any) {
	out, err := w.Log()
	if err != nil {
		return
	}
	_, _ = fmt.Fprintln(out, clean.Line(fmt.Sprintf(format, args...)))
	_ = out.Close()
}
