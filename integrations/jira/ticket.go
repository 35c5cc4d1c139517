package jira

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// reportFailure sees to it that Jira knows of the failure, exactly once, and that the
// execution says so. away is set when Jira was found away a moment ago.
func (t *Tickets) reportFailure(ctx context.Context, j *job, away error) error {
	d, wanted, err := t.wantsTicket(ctx, j)
	if err != nil || !wanted {
		return err
	}
	r, err := t.load(ctx, ticketKey(j.execution.Pipeline, j.Stage, j.Action))
	if err != nil {
		return err
	}
	how, known := r.resultOf(j.ID)
	if !known {
		if away == nil {
			away = t.report(ctx, r, j, d)
		}
		if away != nil {
			return t.postpone(ctx, j, away)
		}
		how, _ = r.resultOf(j.ID)
	}
	if how.Refused != "" {
		return t.annotate(ctx, j, "refused", how.Refused, "")
	}
	return t.annotate(ctx, j, "done", how.Issue, t.jira.link(how.Issue))
}

// The note of an execution whose ticket is not made yet.
const (
	textAway    = "Jira is away, trying again"
	textLooking = "Jira has not said whether it made the ticket, looking for it"
)

// postpone says on the execution that its ticket is on its way, and hands err back.
func (t *Tickets) postpone(ctx context.Context, j *job, err error) error {
	var own *ownError
	if errors.As(err, &own) || ctx.Err() != nil {
		return err
	}
	if answered(err) > 0 {
		j.LastError = err.Error()
	}
	text := textAway
	switch {
	case answered(err) == http.StatusUnauthorized:
		text = "Jira does not accept our credentials, trying again"
	case kindOf(err) == wire.Fixable:
		text = err.Error() + "; it is made as soon as somebody has mended that"
	case serverFailed(err):
		text = err.Error() + "; trying again"
	case errors.Is(err, errUnknown) && slices.ContainsFunc(j.execution.Notes, func(n workflows.Note) bool { return n.Name == noteName && n.State == "waiting" }):
		text = "" // the note about this call is there already
	case errors.Is(err, errUnknown):
		text = textLooking
	}
	if text != "" {
		if said := t.annotate(ctx, j, "waiting", text, ""); said != nil {
			return said
		}
	}
	return fmt.Errorf("the ticket of %s: %w", j.execution.Ref(), err)
}

// wantsTicket says whether the failure's stage gets tickets, by the definition in force.
func (t *Tickets) wantsTicket(ctx context.Context, j *job) (*workflows.Pipeline, bool, error) {
	view, err := t.Reader.Pipeline(ctx, workflows.EnginePrincipal(), j.execution.Pipeline, 0)
	if notFound(err) || err == nil && view.Definition == nil {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, &ownError{fmt.Errorf("reading pipeline %s: %w", j.execution.Pipeline, err)}
	}
	p := view.Definition
	if s, ok := view.Stage(j.Stage); ok {
		j.runs = s.Running
	}
	if p.Ticket != nil && len(p.Ticket.Stages) > 0 {
		for _, s := range p.Ticket.Stages {
			if s == j.Stage {
				return p, true, nil
			}
		}
		return p, false, nil
	}
	st, ok := p.Stage(j.Stage)
	return p, ok && st.Environment != "", nil
}

// report opens a ticket for the failure, or adds to the open one.
func (t *Tickets) report(ctx context.Context, r *ticket, j *job, p *workflows.Pipeline) error {
	if r.State == opened {
		still, err := t.stillOpen(ctx, r)
		if err != nil {
			return err
		}
		if still {
			return t.add(ctx, r, j)
		}
	}
	if r.State == closed {
		if again, err := t.reopen(ctx, r, j, p); err != nil || again {
			return err
		}
	}
	if r.State != creating {
		t.forget(ctx, r.Issue)
		sum := sha256.Sum256([]byte(r.key + " " + j.ID))
		*r = ticket{key: r.key, State: creating, Label: "rollcall-" + hex.EncodeToString(sum[:8]), Previous: r.Issue, Done: r.Done}
		return t.create(ctx, r, j, p)
	}
	issue, err := t.lookUp(ctx, r)
	switch {
	case err != nil:
		return err
	case issue != "" && r.Doing != "" && r.Doing != j.ID: // an earlier failure's
		if err := t.adopt(ctx, r, j, r.Doing, issue); err != nil {
			return err
		}
		return t.add(ctx, r, j)
	case issue != "":
		return t.adopt(ctx, r, j, j.ID, issue)
	}
	return t.create(ctx, r, j, p)
}

// errUnknown says that a create may have happened.
var errUnknown = errors.New("it is not known yet whether Jira made the ticket")

// lookUp finds the ticket of a create whose outcome was not learnt. It answers
// "none" only when that proves something.
func (t *Tickets) lookUp(ctx context.Context, r *ticket) (string, error) {
	jql := fmt.Sprintf("labels = %q", r.Label)
	if r.Plain {
		jql = fmt.Sprintf("description ~ %q", r.Label)
	}
	issue, err := t.jira.find(ctx, jql)
	if err != nil && !final(err) {
		return "", err
	}
	if err != nil {
		t.Log.Warn("Jira cannot be searched, so a ticket may come twice after a crash", "label", r.Label, "error", err)
	}
	if issue == "" && t.Now().Before(r.Until) {
		return "", fmt.Errorf("%w: %s", errUnknown, r.Label)
	}
	return issue, nil
}

// create opens the ticket; the marker is durable before the call. What Jira
// refuses, or fails at again and again without being away, it gets once more
// without what it may not take; its second refusal is final.
func (t *Tickets) create(ctx context.Context, r *ticket, j *job, p *workflows.Pipeline) error {
	for {
		if j.Reduced && j.ServerFailures >= maxServerFailures {
			return t.giveUp(ctx, r, j, j.LastError)
		}
		d := t.compose(ctx, r, j, p)
		r.Doing, r.Until, r.Plain = j.ID, t.Now().Add(lagAfterLost), d.labels == nil
		if err := t.save(ctx, r); err != nil {
			return err
		}
		issue, err := t.jira.create(ctx, d)
		switch kind := kindOf(err); {
		case err == nil:
			return t.adopt(ctx, r, j, j.ID, issue)
		case kind == wire.Transient:
			if serverFailed(err) {
				j.countServerFailure(basic(d.summary+d.description) != d.summary+d.description)
			}
			r.Until = t.Now().Add(searchLag(err))
			if saved := t.save(ctx, r); saved != nil {
				return saved
			}
			return err
		case answered(err) == http.StatusBadRequest && !j.Reduced, kind == wire.Permanent && !j.Reduced:
			t.Log.With(j.about()...).Warn("Jira refused a ticket, trying without optional fields", "error", err)
			j.Reduced, j.Basic = true, !names(err, "labels")
		case kind == wire.Permanent:
			t.Log.With(j.about()...).Warn("Jira refused a ticket", "error", err)
			return t.giveUp(ctx, r, j, err.Error())
		default:
			if saved := t.clearCreate(ctx, r); saved != nil {
				return saved
			}
			return err
		}
	}
}

// giveUp notes that the failure has no ticket, and why.
func (t *Tickets) giveUp(ctx context.Context, r *ticket, j *job, why string) error {
	r.finish(result{Job: j.ID, Refused: why})
	return t.clearCreate(ctx, r)
}

// clearCreate notes that no create is under way.
func (t *Tickets) clearCreate(ctx context.Context, r *ticket) error {
	*r = ticket{key: r.key, Issue: r.Previous, State: closed, Done: r.Done}
	return t.save(ctx, r)
}

// searchLag is how long not finding the ticket proves nothing, after this error of a create.
func searchLag(err error) time.Duration {
	status := answered(err)
	switch {
	case wire.NotSent(err), status > 0 && status < 500:
		return 0
	case status == http.StatusServiceUnavailable:
		return lagAfterUnavailable
	}
	return lagAfterLost
}

// adopt notes the ticket that the create for a job made.
func (t *Tickets) adopt(ctx context.Context, r *ticket, j *job, made, issue string) error {
	r.State, r.Issue, r.Number, r.Until = opened, issue, j.execution.Number, time.Time{}
	r.finish(result{Job: made, Issue: issue})
	// First the memo that leads from the issue to the ticket: without it a webhook's
	// delivery that the issue was closed would be ignored.
	if err := t.Notes.Note(ctx, issueKey(issue), []byte(r.key)); err != nil {
		return &ownError{fmt.Errorf("noting the ticket %s: %w", issue, err)}
	}
	return t.save(ctx, r)
}

// stillOpen asks whether the ticket can take more, and notes when it cannot.
func (t *Tickets) stillOpen(ctx context.Context, r *ticket) (bool, error) {
	raw, ok, err := t.Notes.Memo(ctx, closedKey(r.Issue))
	if err != nil {
		return false, &ownError{fmt.Errorf("reading whether %s is closed: %w", r.Issue, err)}
	}
	var last lastStatus
	if ok {
		if err := json.Unmarshal(raw, &last); err != nil {
			return false, &ownError{fmt.Errorf("reading whether %s is closed: %w", r.Issue, err)}
		}
	}
	open := !last.Done || last.At < r.Reopened
	if open {
		if open, err = t.jira.open(ctx, r.Issue); err != nil && !final(err) {
			return false, err
		}
		// Where Jira refuses to answer, the comment will show whether the issue is there.
		open = open || err != nil
	}
	if !open {
		r.State = closed
	}
	return open, nil
}

// add comments the open ticket with one more failure.
func (t *Tickets) add(ctx context.Context, r *ticket, j *job) error {
	if err := t.commentOnce(ctx, r, j, repeatText(t, r, j)); err != nil {
		return err
	}
	r.Number, r.Recovered = j.execution.Number, false
	r.finish(result{Job: j.ID, Issue: r.Issue})
	return t.save(ctx, r)
}

// commentOnce comments the ticket once: when an earlier try may have arrived, the
// comments are looked at first; they show what there is, unlike the search. A
// refusal is logged; the ticket stands without it.
func (t *Tickets) commentOnce(ctx context.Context, r *ticket, j *job, text string) error {
	first, _, _ := strings.Cut(text, "\n")
	if r.Doing == j.ID {
		there, err := t.jira.hasComment(ctx, r.Issue, first)
		if err != nil && !final(err) {
			return err
		}
		if there {
			return nil
		}
	}
	r.Doing = j.ID
	if err := t.save(ctx, r); err != nil {
		return err
	}
	if j.Basic {
		text = basic(text)
	}
	err := t.jira.comment(ctx, r.Issue, text)
	if serverFailed(err) {
		j.countServerFailure(basic(text) != text)
	}
	if err != nil && (final(err) || j.Reduced && j.ServerFailures >= maxServerFailures) {
		t.Log.With(j.about()...).Warn("Jira refused a comment", "ticket", r.Issue, "error", err)
		return nil
	}
	return err
}

// forget drops the way back from an issue that has a successor.
func (t *Tickets) forget(ctx context.Context, issue string) {
	if issue == "" {
		return
	}
	for _, key := range []string{issueKey(issue), closedKey(issue)} {
		if err := t.Notes.Note(ctx, key, nil); err != nil {
			t.Log.Warn("a memo could not be deleted", "key", key, "error", err)
		}
	}
}
