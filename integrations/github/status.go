package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Reader reads what was committed.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
}

// Notes remembers the statuses that GitHub has taken.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error // durable when it returns
}

// Submitter takes the notes that executions get.
type Submitter interface {
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
}

// StatusOptions is what Statuses needs.
type StatusOptions struct {
	APIURL    string // empty: DefaultAPI
	Token     string // or App
	App       *App
	PublicURL string // where an execution can be looked at: PublicURL/executions/ID; empty: no link
	Reader    Reader
	Submitter Submitter
	Notes     Notes
	Log       *slog.Logger      // nil: slog.Default()
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Statuses keeps commit statuses in step with executions: one per pipeline on
// each commit that a GitHub source brought in. A rollback leaves them alone: it
// says something about a stage, not about the commit that it brings back.
//
// Telling GitHub the same thing twice is harmless, so no marker is written
// before a call; the memo behind it only saves calls.
type Statuses struct {
	StatusOptions
	client *github.Client
}

// NewStatuses checks the options; its errors are *workflows.Problem.
func NewStatuses(o StatusOptions) (*Statuses, error) {
	c, err := newClient(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		return nil, err
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Statuses{o, c}, nil
}

// Name is the follower's name.
func (s *Statuses) Name() string { return "github-status" }

// Follow brings the statuses of the executions in the batch up to date. What
// GitHub does not take now is noted, and tried again by the clock until it does
// or has refused it for good; the execution says so. It delays nothing else.
func (s *Statuses) Follow(ctx context.Context, b event.Batch) error {
	q, err := s.loadQueue(ctx, b.Pipeline)
	if err != nil {
		return err
	}
	due := !s.Now().Before(q.Again)
	var cause error
	var left []string
	blocked := map[string]bool{} // repositories that somebody must fix first; "" for all of GitHub, which is away
	for _, id := range q.order(b.Executions()) {
		waits := slices.Contains(q.Waiting, id)
		one := errors.New("GitHub was asked a moment ago")
		if !blocked[""] && (due || !waits) {
			if one, err = s.updateExecution(ctx, id, waits, blocked); err != nil {
				return err
			}
		}
		if one != nil {
			cause, left = cmp.Or(cause, one), append(left, id)
		}
	}
	return s.saveQueue(ctx, q, left, due, cause)
}

// updateExecution brings the statuses of one execution up to date. waits says that it was
// tried before; such a one leaves blocked repositories alone. left says
// why it must be tried again; the error is trouble of our own.
func (s *Statuses) updateExecution(ctx context.Context, id string, waits bool, blocked map[string]bool) (left, err error) {
	e, err := s.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if notFound(err) || err == nil && e.Type == workflows.TypeRollback {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	commits, err := s.commitsOf(ctx, &e)
	if err != nil {
		return nil, err
	}
	for _, c := range commits {
		repository := c.owner + "/" + c.name
		if waits && blocked[repository] {
			left = cmp.Or(left, errors.New(repository+" must be mended first"))
			continue
		}
		var refused *refusal
		switch err := s.post(ctx, &e, c); {
		case err == nil:
		case !errors.As(err, &refused) || ctx.Err() != nil:
			return nil, err
		default:
			left = cmp.Or(left, error(refused))
			kind := kindOf(refused.err)
			blocked[repository] = blocked[repository] || kind == wire.Fixable
			blocked[""] = blocked[""] || kind == wire.Transient && answered(refused.err) < 500 // away, or a limit
		}
	}
	return left, nil
}

// refusal is trouble of GitHub's with one commit.
type refusal struct {
	repository string
	err        error
}

// Error says where.
func (r *refusal) Error() string {
	return fmt.Sprintf("setting a commit status on %s: %s", r.repository, wire.Scrub(r.err))
}

// Unwrap is the cause.
func (r *refusal) Unwrap() error { return r.err }

// commitRef is a commit on GitHub.
type commitRef struct{ owner, name, sha string }

// commitsOf returns what the execution's GitHub sources brought in, each once.
func (s *Statuses) commitsOf(ctx context.Context, e *workflows.Execution) ([]commitRef, error) {
	if len(e.SourceRevisions) == 0 {
		return nil, nil
	}
	view, err := s.Reader.Pipeline(ctx, workflows.EnginePrincipal(), e.Pipeline, e.Version)
	if notFound(err) || err == nil && view.Definition == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading version %d of %s: %w", e.Version, e.Pipeline, err)
	}
	var found []commitRef
	seen := map[commitRef]bool{}
	for _, r := range e.SourceRevisions {
		repository, ok := repositoryOf(view.Definition, r)
		if !ok || !isSHA(r.RevisionID) {
			continue
		}
		owner, name, err := splitRepository(repository)
		if err != nil {
			s.Log.With(words.LogAttrs(e.Ref(), view.Definition.Stages[0].Name, r.ActionName)...).Warn("a source's repository gets no commit status", "error", err)
			continue
		}
		t := commitRef{owner, name, r.RevisionID}
		if !seen[t] {
			seen[t] = true
			found = append(found, t)
		}
	}
	return found, nil
}

// repositoryOf returns the repository of a revision whose source action reads from GitHub.
func repositoryOf(p *workflows.Pipeline, r workflows.SourceRevision) (string, bool) {
	for i := range p.Stages {
		a, ok := p.Stages[i].Action(r.ActionName)
		if !ok || !a.IsSource() {
			continue
		}
		switch a.ActionType.Provider {
		case "GitHub", "CodeStarSourceConnection":
			return a.Configuration["FullRepositoryId"], true
		}
	}
	return "", false
}

// postedStatus is the memo of one pipeline's status on one commit.
type postedStatus struct {
	Number      int    `json:"number"` // of the execution it speaks of
	State       string `json:"state"`
	Description string `json:"description"`
	Refused     int    `json:"refused,omitempty"` // HTTP status with which GitHub refused it
}

func statusKey(repository, sha, pipeline string) string {
	return repository + "@" + sha + "/" + pipeline
}

// ExecutionMemos are the memos of what GitHub was told about an execution: they go with it.
func (s *Statuses) ExecutionMemos(x *workflows.Execution) (keys []string) {
	for _, r := range x.SourceRevisions {
		if r.Repository != "" && isSHA(r.RevisionID) {
			keys = append(keys, statusKey(r.Repository, r.RevisionID, x.Pipeline))
		}
	}
	return keys
}

// post posts the status unless GitHub knows it, or speaks of a newer execution.
func (s *Statuses) post(ctx context.Context, e *workflows.Execution, t commitRef) error {
	key := statusKey(t.owner+"/"+t.name, t.sha, e.Pipeline)
	var last postedStatus
	raw, ok, err := s.Notes.Memo(ctx, key)
	if err != nil {
		return fmt.Errorf("reading what GitHub was told: %w", err)
	}
	if ok {
		if err := json.Unmarshal(raw, &last); err != nil {
			return fmt.Errorf("reading what GitHub was told about %s: %w", key, err)
		}
	}
	now := postedStatus{Number: e.Number}
	now.State, now.Description = describe(e)
	mendable := last.Refused != 0 && wire.KindOf(last.Refused) == wire.Fixable
	if last.Number > e.Number || !mendable && now == (postedStatus{last.Number, last.State, last.Description, 0}) {
		return nil
	}
	status := &github.RepoStatus{
		State: github.String(now.State), Description: github.String(now.Description), Context: github.String("rollcall/" + e.Pipeline),
	}
	if s.PublicURL != "" {
		status.TargetURL = github.String(s.PublicURL + "/executions/" + e.ID)
	}
	_, _, err = s.client.Repositories.CreateStatus(ctx, t.owner, t.name, t.sha, status)
	refused := &refusal{t.owner + "/" + t.name, err}
	kind := kindOf(err)
	if err != nil && kind == wire.Transient {
		return refused
	}
	if err != nil {
		if now.Refused = cmp.Or(answered(err), -1); /* redirected, or too large */ now.Refused != last.Refused {
			s.Log.With(words.LogAttrs(e.Ref())...).Warn("GitHub refused a commit status", "repository", refused.repository, "commit", t.sha,
				"status", now.Refused, "hint", hint(now.Refused), "error", wire.Scrub(err))
		}
	}
	if said := s.annotate(ctx, e, now, refused.repository, kind); said != nil {
		return said
	}
	value, err := json.Marshal(now)
	if err == nil {
		err = s.Notes.Note(ctx, key, value)
	}
	if err != nil {
		return fmt.Errorf("noting what GitHub was told: %w", err)
	}
	if now.Refused != 0 && kind == wire.Fixable {
		return refused
	}
	return nil
}
