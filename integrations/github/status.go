package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Reader reads what was committed.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
}

// Notes remembers what GitHub was told.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error // durable when it returns
}

// StatusOptions is what Statuses needs.
type StatusOptions struct {
	APIURL    string // empty: DefaultAPI
	Token     string // or App
	App       *App
	PublicURL string // where an execution can be looked at: PublicURL/executions/ID; empty: no link
	Reader    Reader
	Notes     Notes
	Log       *slog.Logger      // nil: slog.Default()
	Transport http.RoundTripper // nil: http.DefaultTransport; wrapped in wire.Transport
}

// Statuses keeps commit statuses in step with executions: one per pipeline on
// each commit that a GitHub source brought in. A rollback leaves them alone: it
// says something about a stage, not about the commit that it brings back.
//
// Telling GitHub the same thing twice is harmless, so no marker is written
// before a call; the memo behind it only saves calls.
type Statuses struct {
	client *github.Client
	public string
	reader Reader
	notes  Notes
	log    *slog.Logger
}

// NewStatuses checks the options; its errors are *workflows.Problem.
func NewStatuses(o StatusOptions) (*Statuses, error) {
	c, err := newClient(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		return nil, err
	}
	s := &Statuses{client: c, public: strings.TrimSuffix(o.PublicURL, "/"), reader: o.Reader, notes: o.Notes, log: o.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s, nil
}

// Name is the follower's name.
func (s *Statuses) Name() string { return "github-status" }

// Follow brings the statuses of the executions in the batch up to date. An
// error means that GitHub could not be asked; what GitHub refuses for good is
// logged once and accepted.
func (s *Statuses) Follow(ctx context.Context, b event.Batch) error {
	var failed []error
	for _, id := range b.Executions() {
		e, err := s.reader.Execution(ctx, workflows.EnginePrincipal(), id)
		if unknown(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading execution %s: %w", id, err)
		}
		if e.Type == workflows.TypeRollback {
			continue
		}
		commits, err := s.commits(ctx, &e)
		if err != nil {
			return err
		}
		for _, c := range commits {
			if err := s.tell(ctx, &e, c); err != nil {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

// target is a commit on GitHub.
type target struct{ owner, name, sha string }

// commits returns what the execution's GitHub sources brought in, each once.
func (s *Statuses) commits(ctx context.Context, e *workflows.Execution) ([]target, error) {
	if len(e.SourceRevisions) == 0 {
		return nil, nil
	}
	view, err := s.reader.Pipeline(ctx, workflows.EnginePrincipal(), e.Pipeline, e.Version)
	if unknown(err) || err == nil && view.Definition == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading version %d of %s: %w", e.Version, e.Pipeline, err)
	}
	var found []target
	seen := map[target]bool{}
	for _, r := range e.SourceRevisions {
		repository, ok := onGitHub(view.Definition, r)
		if !ok || !isSHA(r.RevisionID) {
			continue
		}
		owner, name, err := splitRepository(repository)
		if err != nil {
			s.log.Warn("a source's repository gets no commit status", "execution", e.Ref(), "action", r.ActionName, "error", err)
			continue
		}
		t := target{owner, name, r.RevisionID}
		if !seen[t] {
			seen[t] = true
			found = append(found, t)
		}
	}
	return found, nil
}

// onGitHub returns the repository of a revision whose source action reads from GitHub.
func onGitHub(p *workflows.Pipeline, r workflows.SourceRevision) (string, bool) {
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

// told is the memo of one pipeline's status on one commit.
type told struct {
	Number      int    `json:"number"` // of the execution it speaks of
	State       string `json:"state"`
	Description string `json:"description"`
	Refused     int    `json:"refused,omitempty"` // HTTP status with which GitHub refused it
}

// tell posts the status unless GitHub knows it, or speaks of a newer execution.
func (s *Statuses) tell(ctx context.Context, e *workflows.Execution, t target) error {
	key := fmt.Sprintf("%s/%s@%s/%s", t.owner, t.name, t.sha, e.Pipeline)
	var last told
	raw, ok, err := s.notes.Memo(ctx, key)
	if err != nil {
		return fmt.Errorf("reading what GitHub was told: %w", err)
	}
	if ok {
		if err := json.Unmarshal(raw, &last); err != nil {
			return fmt.Errorf("reading what GitHub was told about %s: %w", key, err)
		}
	}
	now := told{Number: e.Number}
	now.State, now.Description = describe(e)
	if last.Number > e.Number || now == (told{last.Number, last.State, last.Description, 0}) {
		return nil
	}
	status := &github.RepoStatus{
		State: github.String(now.State), Description: github.String(now.Description), Context: github.String("rollcall/" + e.Pipeline),
	}
	if s.public != "" {
		status.TargetURL = github.String(s.public + "/executions/" + e.ID)
	}
	if _, _, err := s.client.Repositories.CreateStatus(ctx, t.owner, t.name, t.sha, status); err != nil {
		if passing(err) {
			return fmt.Errorf("setting the commit status of %s on %s/%s: %w", e.Ref(), t.owner, t.name, wire.Scrub(err))
		}
		now.Refused = s.refused(e, t, err, last.Refused)
	}
	value, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("noting what GitHub was told: %w", err)
	}
	if err := s.notes.Note(ctx, key, value); err != nil {
		return fmt.Errorf("noting what GitHub was told: %w", err)
	}
	return nil
}

// refused says once per commit what an operator can do about it.
func (s *Statuses) refused(e *workflows.Execution, t target, err error, before int) int {
	status := 0
	var answer *github.ErrorResponse
	if errors.As(err, &answer) && answer.Response != nil {
		status = answer.Response.StatusCode
	}
	if status == before {
		return status
	}
	hint := "GitHub does not take this commit status"
	switch status {
	case http.StatusForbidden:
		hint = "give the token or the app the permission \"Commit statuses: write\" on this repository"
	case http.StatusNotFound:
		hint = "check the repository's name, and that the token or the app may see it"
	case http.StatusUnprocessableEntity:
		hint = "the commit is not in this repository, or has too many statuses"
	}
	s.log.Warn("GitHub refused a commit status", "execution", e.Ref(), "repository", t.owner+"/"+t.name, "commit", t.sha,
		"status", status, "hint", hint, "error", wire.Scrub(err))
	return status
}

// unknown says whether a reader's error means that there is no such thing any more.
func unknown(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && (p.Code == workflows.CodeExecutionNotFound || p.Code == workflows.CodePipelineNotFound)
}
