package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Statuses keeps commit statuses in step with executions: one per pipeline on
// each commit that a GitHub source brought in, and one per stage that was
// entered, unless [CheckRuns] show those. A rollback leaves them alone: it
// says something about a stage, not about the commit that it brings back.
//
// Telling GitHub the same thing twice is harmless, so no marker is written
// before a call; the memo behind it only saves calls.
type Statuses struct {
	follower
}

// NewStatuses checks the options; its errors are *workflows.Problem.
func NewStatuses(o Options) (*Statuses, error) {
	f, err := newFollower("github-status", o)
	if err != nil {
		return nil, err
	}
	return &Statuses{f}, nil
}

// Follow brings the statuses of the executions in the batch up to date. What
// GitHub does not take now is noted, and tried again by the clock until it does
// or has refused it for good; the execution says so. It delays nothing else.
func (s *Statuses) Follow(ctx context.Context, b event.Batch) error {
	return s.keeper("commit statuses", s.updateExecution).follow(ctx, b)
}

// updateExecution brings the statuses of one execution up to date. waits says that it was
// tried before; such a one leaves blocked repositories alone. left says
// why it must be tried again; the error is trouble of our own.
func (s *Statuses) updateExecution(ctx context.Context, id string, waits bool, blocked blocks) (left, err error) {
	e, err := s.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if notFound(err) || err == nil && e.Type == workflows.TypeRollback {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	p, err := s.definition(ctx, &e)
	if err != nil {
		return nil, err
	}
	for _, c := range s.commitsOf(&e, p) {
		repository := c.repository()
		if waits && blocked[repository] {
			left = cmp.Or(left, errors.New(repository+" must be mended first"))
			continue
		}
		var refused *refusal
		switch err := s.postAll(ctx, &e, c); {
		case err == nil:
		case errors.Is(err, errMendFirst):
			left = cmp.Or(left, err)
		case !errors.As(err, &refused) || ctx.Err() != nil:
			return nil, err
		default:
			left = cmp.Or(left, error(refused))
			blocked.note(repository, refused.err)
		}
	}
	return left, nil
}

// errMendFirst says that GitHub refuses the status of a newer execution of the
// commit, which somebody can mend: what the stages of this one need waits as long.
var errMendFirst = errors.New("GitHub refuses the status of a newer execution of the commit, and that must be mended first")

// postAll posts the statuses of a commit: the pipeline's own, and those of the stages.
func (s *Statuses) postAll(ctx context.Context, e *workflows.Execution, c commitRef) error {
	taken, err := s.post(ctx, e, c)
	if err != nil || !taken {
		return err
	}
	return s.postStages(ctx, e, c)
}

// refusal is trouble of GitHub's with one thing in a repository.
type refusal struct {
	doing      string // "setting a commit status on"
	repository string
	err        error
}

// Error says what, and where.
func (r *refusal) Error() string {
	return fmt.Sprintf("%s %s: %s", r.doing, r.repository, wire.Scrub(r.err))
}

// Unwrap is the cause.
func (r *refusal) Unwrap() error { return r.err }

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
		if r.Repository != "" && api.IsSHA(r.RevisionID) {
			keys = append(keys, statusKey(r.Repository, r.RevisionID, x.Pipeline))
			for i := range x.Stages {
				keys = append(keys, stageKey(r.Repository, r.RevisionID, x.Pipeline, x.Stages[i].Name))
			}
		}
	}
	return keys
}

// post posts the pipeline's own status unless GitHub knows it, or speaks of a
// newer execution; taken is false when GitHub refused it for good.
func (s *Statuses) post(ctx context.Context, e *workflows.Execution, t commitRef) (taken bool, err error) {
	line := statusLine{key: statusKey(t.repository(), t.sha, e.Pipeline), context: "rollcall/" + e.Pipeline, own: true}
	line.now.State, line.now.Description = describe(e)
	return s.postLine(ctx, e, t, line)
}

// statusLine is one status of a commit as it should be.
type statusLine struct {
	key     string // of its memo
	context string
	now     postedStatus
	own     bool // the pipeline's: the execution says what becomes of it
}

func (s *Statuses) postLine(ctx context.Context, e *workflows.Execution, t commitRef, line statusLine) (taken bool, err error) {
	var last postedStatus
	if err := s.read(ctx, line.key, &last); err != nil {
		return false, err
	}
	now := line.now
	now.Number = e.Number
	mendable := last.Refused != 0 && wire.KindOf(last.Refused) == wire.Fixable
	if last.Number > e.Number && mendable {
		return false, errMendFirst
	}
	if last.Number > e.Number || !mendable && now == (postedStatus{last.Number, last.State, last.Description, 0}) {
		return last.Refused == 0, nil
	}
	_, _, err = s.client.Repositories.CreateStatus(ctx, t.owner, t.name, t.sha, &github.RepoStatus{
		State: github.String(now.State), Description: github.String(now.Description), Context: github.String(line.context), TargetURL: s.page(e.ID)})
	refused := &refusal{"setting a commit status on", t.repository(), err}
	kind := api.Kind(err)
	if err != nil && kind == wire.Transient {
		return false, refused
	}
	if err != nil {
		if now.Refused = cmp.Or(api.Status(err), -1); /* redirected, or too large */ now.Refused != last.Refused {
			s.Log.With(words.LogAttrs(e.Ref())...).Warn("GitHub refused a commit status", "repository", refused.repository, "commit", t.sha,
				"context", line.context, "status", now.Refused, "hint", statusAdvice(err), "error", wire.Scrub(err))
		}
	}
	if line.own {
		if noted := s.annotate(ctx, e, now, refused.repository, err); noted != nil {
			return false, noted
		}
	}
	if err := s.note(ctx, line.key, now); err != nil {
		return false, err
	}
	if now.Refused != 0 && kind == wire.Fixable {
		return false, refused
	}
	return now.Refused == 0, nil
}
