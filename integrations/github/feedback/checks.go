package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// ChecksGranted is a question for [Options] that GitHub answers: whether
// the installation of the app may write check runs. A token never may. An answer
// is good for an hour. The error is a *workflows.Problem about the configuration.
func ChecksGranted(o Options) (func(ctx context.Context) (bool, error), error) {
	if o.App == nil {
		return func(context.Context) (bool, error) { return false, nil }, nil
	}
	permissions, err := api.Permissions(o.APIURL, *o.App, o.Transport)
	if err != nil {
		return nil, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	var mu sync.Mutex
	var until time.Time
	granted := false
	return func(ctx context.Context) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if now().Before(until) {
			return granted, nil
		}
		p, err := permissions(ctx)
		if err != nil {
			return false, err
		}
		granted, until = p["checks"] == "write", now().Add(time.Hour)
		return granted, nil
	}, nil
}

// CheckRuns keeps one check run per pipeline on each commit in step with the newest
// execution of it: its stages, how long they took, who approved. It does so where
// [Options] says that check runs show the stages.
type CheckRuns struct {
	follower
}

// NewCheckRuns checks the options; its errors are *workflows.Problem.
func NewCheckRuns(o Options) (*CheckRuns, error) {
	f, err := newFollower("github-checks", o)
	if err != nil {
		return nil, err
	}
	return &CheckRuns{f}, nil
}

// ExecutionMemos are the memos of the check runs that speak of an execution.
func (c *CheckRuns) ExecutionMemos(x *workflows.Execution) (keys []string) {
	for _, r := range x.SourceRevisions {
		if r.Repository != "" && api.IsSHA(r.RevisionID) {
			keys = append(keys, statusKey(r.Repository, r.RevisionID, x.Pipeline))
		}
	}
	return keys
}

// Follow brings the check runs of the executions in the batch up to date; what
// GitHub does not take now is tried again by the clock.
func (c *CheckRuns) Follow(ctx context.Context, b event.Batch) error {
	k := c.keeper("check runs", c.update)
	return k.follow(ctx, b)
}

func (c *CheckRuns) update(ctx context.Context, id string, waits bool, blocked blocks) (left, err error) {
	if c.Options.Checks == nil {
		return nil, nil
	}
	e, err := c.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if notFound(err) || err == nil && e.Type == workflows.TypeRollback {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	if shown, err := c.Options.Checks(ctx); err != nil || !shown {
		return err, nil //nolint:nilerr // GitHub does not say: it is asked again
	}
	p, err := c.definition(ctx, &e)
	if err != nil {
		return nil, err
	}
	for _, at := range c.commitsOf(&e, p) {
		if waits && blocked[at.repository()] {
			left = cmp.Or(left, errors.New(at.repository()+" must be mended first"))
			continue
		}
		var refused *refusal
		switch err := c.show(ctx, &e, at); {
		case err == nil:
		case !errors.As(err, &refused) || ctx.Err() != nil:
			return nil, err
		default:
			left = cmp.Or(left, error(refused))
			blocked.note(at.repository(), refused.err)
		}
	}
	return left, nil
}

// shownCheck is the memo of a pipeline's check run on a commit.
type shownCheck struct {
	Number  int    `json:"number"` // of the execution that it speaks of
	Attempt int    `json:"attempt,omitempty"`
	ID      int64  `json:"id,omitempty"` // 0: a create may be under way, or have happened
	Shown   string `json:"shown,omitempty"`
	Done    bool   `json:"done,omitempty"`
	Refused int    `json:"refused,omitempty"` // HTTP status with which GitHub refused it for good
}

// show makes or edits the check run unless it speaks of a newer execution.
func (c *CheckRuns) show(ctx context.Context, e *workflows.Execution, at commitRef) (err error) {
	key := statusKey(at.repository(), at.sha, e.Pipeline)
	var last shownCheck
	if err := c.read(ctx, key, &last); err != nil {
		return err
	}
	v := viewCheck(e)
	same := last.Number == e.Number && last.Attempt == e.Attempt
	if last.Number > e.Number || same && (last.Shown == v.digest() || last.Refused != 0) {
		return nil
	}
	name := "rollcall/" + e.Pipeline + " (stages)"
	if !same {
		if last.ID != 0 && !last.Done {
			if err := c.close(ctx, at, name, last.ID, e); err != nil {
				return err
			}
		}
		last = shownCheck{Number: e.Number, Attempt: e.Attempt}
		if err := c.note(ctx, key, last); err != nil {
			return err
		}
	} else if last.ID == 0 {
		if last.ID, err = c.find(ctx, at, name, externalID(e)); err != nil {
			return c.refused(e, at, err)
		}
	}
	if last.ID, err = c.write(ctx, e, at, name, last.ID, &v); err != nil {
		if again := c.refused(e, at, err); again != nil {
			return again
		}
		last.Refused = cmp.Or(api.Status(err), -1)
	}
	last.Shown, last.Done = v.digest(), v.conclusion != ""
	return c.note(ctx, key, last)
}

// externalID tells the check runs of one commit apart.
func externalID(e *workflows.Execution) string { return fmt.Sprintf("%s/%d", e.ID, max(e.Attempt, 1)) }

func (c *CheckRuns) write(ctx context.Context, e *workflows.Execution, at commitRef, name string, id int64, v *checkView) (int64, error) {
	var conclusion *string
	if v.conclusion != "" {
		conclusion = &v.conclusion
	}
	out := &github.CheckRunOutput{Title: &v.title, Summary: &v.summary}
	if id == 0 {
		run, _, err := c.client.Checks.CreateCheckRun(ctx, at.owner, at.name, github.CreateCheckRunOptions{Name: name, HeadSHA: at.sha, DetailsURL: c.page(e.ID),
			ExternalID: github.String(externalID(e)), Status: &v.status, Conclusion: conclusion, Output: out})
		return run.GetID(), err
	}
	_, _, err := c.client.Checks.UpdateCheckRun(ctx, at.owner, at.name, id, github.UpdateCheckRunOptions{Name: name, DetailsURL: c.page(e.ID),
		ExternalID: github.String(externalID(e)), Status: &v.status, Conclusion: conclusion, Output: out})
	return id, err
}

// close ends the check run of an earlier execution, of which nobody will hear any more.
func (c *CheckRuns) close(ctx context.Context, at commitRef, name string, id int64, by *workflows.Execution) error {
	v := checkView{status: "completed", conclusion: "neutral", title: "replaced by " + by.Ref(), summary: "A newer execution of this commit has its own check run."}
	_, _, err := c.client.Checks.UpdateCheckRun(ctx, at.owner, at.name, id, github.UpdateCheckRunOptions{Name: name, Status: &v.status, Conclusion: &v.conclusion,
		Output: &github.CheckRunOutput{Title: &v.title, Summary: &v.summary}})
	if err != nil {
		return c.refused(by, at, err)
	}
	return nil
}

// find looks for a check run whose create got no answer; 0: there is none.
func (c *CheckRuns) find(ctx context.Context, at commitRef, name, external string) (int64, error) {
	found, _, err := c.client.Checks.ListCheckRunsForRef(ctx, at.owner, at.name, at.sha, &github.ListCheckRunsOptions{CheckName: &name, Filter: github.String("all"),
		ListOptions: github.ListOptions{PerPage: 100}})
	if err != nil {
		return 0, err
	}
	for _, run := range found.CheckRuns {
		if run.GetExternalID() == external {
			return run.GetID(), nil
		}
	}
	return 0, nil
}

// refused says what follows from GitHub's refusal: nil, nothing; else that it is tried again.
func (c *CheckRuns) refused(e *workflows.Execution, at commitRef, err error) error {
	kind := api.Kind(err)
	ended := e.EndedAt != nil && c.Now().Sub(*e.EndedAt) > refusedFor
	if kind == wire.Transient || kind == wire.Fixable && !ended {
		return &refusal{"writing the check run of " + e.Ref() + " in", at.repository(), err}
	}
	c.Log.With(words.LogAttrs(e.Ref())...).Warn("GitHub refused a check run", "repository", at.repository(), "commit", at.sha, "status", api.Status(err),
		"hint", api.Advice(err, `the permission "Checks: read and write", or set github.feedback: statuses`), "error", wire.Scrub(err))
	return nil
}
