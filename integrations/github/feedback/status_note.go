package feedback

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// annotate puts on the execution that GitHub refuses its status, or does so no more.
func (s *Statuses) annotate(ctx context.Context, e *workflows.Execution, now postedStatus, repository string, refused error) error {
	n := workflows.Note{Name: "status", State: "done", Text: now.State}
	if now.Refused != 0 {
		n.State, n.Text = "refused", fmt.Sprintf("GitHub answers %d for %s; %s", now.Refused, repository, statusAdvice(refused))
		if api.Kind(refused) == wire.Fixable {
			n.State, n.Text = "waiting", n.Text+"; then it is set by itself"
		}
	}
	i := slices.IndexFunc(e.Notes, func(old workflows.Note) bool { return old.Name == n.Name })
	if i < 0 && n.State == "done" || i >= 0 && e.Notes[i] == n || s.Submitter == nil {
		return nil
	}
	in := workflows.Intent{Verb: workflows.Annotate, Pipeline: e.Pipeline, Execution: e.ID, Note: &n}
	if _, err := s.Submitter.Submit(ctx, in, workflows.EnginePrincipal()); err != nil && !notFound(err) {
		return fmt.Errorf("noting the commit status on %s: %w", e.Ref(), err)
	}
	return nil
}

// statusAdvice is what an operator can do about a refused status.
func statusAdvice(err error) string {
	if api.Status(err) == http.StatusUnprocessableEntity {
		return "the commit is not in this repository, or has too many statuses"
	}
	return api.Advice(err, "the permission \"Commit statuses: write\" on this repository")
}

// notFound says whether a reader's error means that there is no such thing any more.
func notFound(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && p.NotFound()
}
