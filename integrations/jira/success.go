package jira

import (
	"context"
	"fmt"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// reportSuccess tells the stage's open tickets that something succeeded there.
func (t *Tickets) reportSuccess(ctx context.Context, j *job) error {
	memos, err := t.Notes.List(ctx, ticketKey(j.execution.Pipeline, j.Stage, ""))
	if err != nil {
		return &ownError{fmt.Errorf("listing the tickets of %s: %w", j.execution.Pipeline, err)}
	}
	for _, m := range memos {
		r, err := t.load(ctx, m.Key)
		if err != nil {
			return err
		}
		if _, known := r.resultOf(j.ID); known || r.State != opened || r.Recovered || j.execution.Number < r.Number {
			continue
		}
		if err := t.commentSuccess(ctx, r, j); err != nil {
			return fmt.Errorf("telling %s that %s succeeded: %w", r.Issue, j.execution.Ref(), err)
		}
	}
	return nil
}

// commentSuccess comments one ticket, and closes it where the definition says so. A
// rollback repairs the stage, not the release: it never closes.
func (t *Tickets) commentSuccess(ctx context.Context, r *ticket, j *job) error {
	still, err := t.stillOpen(ctx, r)
	if err != nil {
		return err
	}
	if still {
		if err := t.commentOnce(ctx, r, j, successText(t, j)); err != nil {
			return err
		}
	}
	if still && j.execution.Type != workflows.TypeRollback {
		if err := t.closeTicket(ctx, r, j); err != nil {
			return err
		}
		r.Recovered = true
	}
	r.finish(result{Job: j.ID, Issue: r.Issue})
	return t.save(ctx, r)
}

// successText is the comment for a success in the stage.
func successText(t *Tickets, j *job) *markup.Doc {
	var d markup.Doc
	if rb := j.execution.Rollback; rb != nil {
		how := "by " + clean.Line(j.execution.Trigger.By.Called())
		if j.execution.Trigger.Type == workflows.TriggerAutomated {
			how = "automatically"
		}
		d.Line(markup.Text(fmt.Sprintf("%s was rolled back %s to %s #%d: ", j.Stage, how, j.execution.Pipeline, rb.TargetNumber)), t.ref(j.execution), markup.Text(" succeeded ("+shortID(j.ID)+")."))
		return &d
	}
	d.Line(t.ref(j.execution), markup.Text(" succeeded in "+j.Stage+" ("+shortID(j.ID)+")."))
	for _, s := range j.execution.SourceRevisions {
		d.Fact("Revision", revision(s)...)
	}
	return &d
}

// closeTicket moves the ticket where ticket.closeOnSuccess says.
func (t *Tickets) closeTicket(ctx context.Context, r *ticket, j *job) error {
	view, err := t.Reader.Pipeline(ctx, workflows.EnginePrincipal(), j.execution.Pipeline, 0)
	if notFound(err) || err == nil && (view.Definition == nil || view.Definition.Ticket == nil || view.Definition.Ticket.CloseOnSuccess == "") {
		return nil
	}
	if err != nil {
		return &ownError{fmt.Errorf("reading pipeline %s: %w", j.execution.Pipeline, err)}
	}
	to := view.Definition.Ticket.CloseOnSuccess
	now, err := t.jira.state(ctx, r.Issue)
	if err != nil && !goWithout(j, err) {
		return err
	}
	if toStatus(to)(transition{To: now.status}) >= 0 { // by an earlier try, or by somebody
		return nil
	}
	offered, ok, err := t.jira.move(ctx, r.Issue, toStatus(to))
	switch {
	case err != nil && !goWithout(j, err):
		return err
	case err != nil:
		t.Log.With(j.about()...).Warn("Jira refused to close a ticket", "ticket", r.Issue, "to", to, "error", err)
	case !ok:
		t.Log.With(j.about()...).Warn("a ticket cannot be closed: ticket.closeOnSuccess names no transition that Jira offers", "ticket", r.Issue, "to", to, "offered", offered)
	}
	return nil
}
