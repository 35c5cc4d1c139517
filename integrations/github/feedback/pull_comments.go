package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostCommented = 100              // pull requests of one execution in one stage
	pullsWithin   = 30 * time.Minute // so long it is asked again which pull requests there are
)

// errCommentUnknown says that a create of unknown outcome may still show up.
var errCommentUnknown = errors.New("whether GitHub has taken the comment is not known yet")

// pullsOf says which pull requests an execution brought into a stage, by its ID,
// and which it took out again, newest first. missing says why not all are known;
// empty: all are.
type pullsOf = func(ctx context.Context, execution, stage string) (brought, undone []work.Pull, missing string, err error)

// PullComments keeps one comment on each pull request whose change runs in an
// environment, or did: since when, who approved, or that it was rolled back.
//
// A marker is noted before each create, and the comment begins with one that
// nobody sees, so that after a crash it is found and not made twice.
type PullComments struct {
	perExecution
	pulls pullsOf
	mu    sync.Mutex // of comments: pipelines share them
}

// NewPullComments takes what says which pull requests an execution brought into a
// stage, which it took out again, and why not all are known. It checks the
// options; its errors are *workflows.Problem.
func NewPullComments(o Options, pulls pullsOf) (*PullComments, error) {
	f, err := newFollower("github-pulls", o)
	if err != nil {
		return nil, err
	}
	return &PullComments{perExecution: perExecution{f}, pulls: pulls}, nil
}

// Concerns says whether an execution has succeeded in a stage.
func (c *PullComments) Concerns(f event.Frame) bool {
	return f.Has(event.StageSucceeded)
}

// Follow comments on what the executions of the batch have deployed. What GitHub
// does not take now is tried again by the clock.
func (c *PullComments) Follow(ctx context.Context, b event.Batch) error {
	k := c.keeper("comments on pull requests", c.update)
	k.ordered = true
	return k.follow(ctx, b)
}

// reported is the memo of an execution: the stages of which everything is said.
type reported struct {
	Stages []string `json:"stages"`
}

func (c *PullComments) update(ctx context.Context, id string, _ bool, blocked blocks) (left, err error) {
	var done reported
	if err := c.read(ctx, executionKey(id), &done); err != nil {
		return nil, err
	}
	e, err := c.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	p, err := c.definition(ctx, &e)
	if err != nil {
		return nil, err
	}
	for i := range e.Stages {
		s := &e.Stages[i]
		st, _ := stageOf(p, s.Name)
		if st.Environment == "" || s.Status != workflows.StatusSucceeded || slices.Contains(done.Stages, s.Name) {
			continue
		}
		one, err := c.comment(ctx, &e, s, st.Environment, blocked)
		if err != nil {
			return nil, err
		}
		if one != nil {
			left = cmp.Or(left, one)
			continue
		}
		done.Stages = append(done.Stages, s.Name)
		if err := c.note(ctx, executionKey(id), done); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// comment says on the pull requests concerned that a stage has succeeded.
func (c *PullComments) comment(ctx context.Context, e *workflows.Execution, s *workflows.StageExecution, environment string, blocked blocks) (left, err error) {
	comes, goes, missing, err := c.pulls(ctx, e.ID, s.Name)
	if notFound(err) {
		return nil, nil // what ran before has been removed
	}
	if err != nil {
		return nil, fmt.Errorf("reading what %s brings into %s: %w", e.Ref(), s.Name, err)
	}
	at := cmp.Or(e.EndedAt, &e.UpdatedAt)
	if s.Since != nil {
		at = s.Since
	}
	p := presence{Pipeline: e.Pipeline, Environment: environment, Execution: e.ID, Number: e.Number, At: *at}
	seen := map[pullRef]bool{}
	brought, undone := refsOf(comes, seen), refsOf(goes, seen)
	if n := len(brought) + len(undone); n > mostCommented {
		c.Log.With(words.LogAttrs(e.Ref(), s.Name)...).Warn("only the newest pull requests get a comment", "pull_requests", n, "commented", mostCommented)
	}
	f := &say.Format{Text: markdown}
	if text := approvedBy(f, s); text != string(say.Succeeded) {
		p.By = text
	}
	for i, pull := range append(brought, undone...) {
		if i == mostCommented {
			break
		}
		if i == len(brought) {
			p.RolledBack, p.By = true, by(f, e)
		}
		one, err := c.write(ctx, e, pull, p, blocked)
		if err != nil {
			return nil, err
		}
		left = cmp.Or(left, one)
	}
	if left == nil && missing != "" && c.Now().Sub(*at) < pullsWithin {
		left = errors.New("not all pull requests are known yet: " + missing)
	}
	return left, nil
}

// write brings one comment up to date; left says why it must be tried again.
func (c *PullComments) write(ctx context.Context, e *workflows.Execution, pull pullRef, p presence, blocked blocks) (left, err error) {
	late := c.Now().Sub(p.At) > refusedFor
	switch {
	case blocked[pull.repository()] && late:
		return nil, nil // the log says why
	case blocked[""], blocked[pull.repository()]:
		return errors.New(pull.repository() + " must be mended first"), nil
	}
	err = c.show(ctx, pull, p)
	var refused *refusal
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, errCommentUnknown):
		return err, nil
	case !errors.As(err, &refused) || ctx.Err() != nil:
		return nil, err
	}
	blocked.note(pull.repository(), refused.err)
	if api.Kind(refused.err) == wire.Fixable && late {
		c.Log.With(words.LogAttrs(e.Ref())...).Warn("GitHub refuses a comment", "repository", pull.repository(), "pull_request", pull.number, "status", api.Status(refused.err),
			"hint", api.Advice(refused.err, `the permission "Pull requests: read and write" on this repository, or set github.pullRequests.comment: false`), "error", wire.Scrub(refused.err))
		return nil, nil
	}
	return refused, nil
}

// by says who rolled back.
func by(f *say.Format, e *workflows.Execution) string {
	switch {
	case e.Trigger.Type == workflows.TriggerAutomated:
		return "automatically"
	case e.Trigger.By.Called() == "":
		return ""
	}
	return "by " + f.Who(e.Trigger.By)
}

// refsOf finds pull requests by their addresses, each once.
func refsOf(all []work.Pull, seen map[pullRef]bool) (found []pullRef) {
	for i := range all {
		if at, ok := pullAt(&all[i]); ok && !seen[at] {
			seen[at] = true
			found = append(found, at)
		}
	}
	return found
}

// pullAt finds the repository of a pull request in its address.
func pullAt(p *work.Pull) (at pullRef, ok bool) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return at, false
	}
	full, _, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/pull/")
	if !ok {
		return at, false
	}
	owner, name, err := api.SplitRepository(full)
	return pullRef{owner, name, p.Number}, err == nil && p.Number > 0
}
