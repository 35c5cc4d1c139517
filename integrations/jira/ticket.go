package jira

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// fail sees to it that Jira knows of the failure, exactly once, and that the
// execution says so. away is set when Jira was found away a moment ago.
func (t *Tickets) fail(ctx context.Context, j *job, away error) error {
	d, wanted, err := t.wanted(ctx, j)
	if err != nil || !wanted {
		return err
	}
	r, err := t.load(ctx, ticketKey(j.e.Pipeline, j.stage, j.action))
	if err != nil {
		return err
	}
	how, known := r.did(j.id)
	if !known {
		if away == nil {
			away = t.report(ctx, r, j, d)
		}
		if away != nil {
			return t.later(ctx, j, away)
		}
		how, _ = r.did(j.id)
	}
	if how.Refused != "" {
		return t.say(ctx, j, "refused", how.Refused, "")
	}
	return t.say(ctx, j, "done", how.Issue, t.jira.link(how.Issue))
}

// later says on the execution that its ticket is on its way, and hands err back.
func (t *Tickets) later(ctx context.Context, j *job, err error) error {
	if !passing(err) || ctx.Err() != nil {
		return err
	}
	text := "Jira is away, trying again"
	if answered(err) == http.StatusUnauthorized {
		text = "Jira does not accept our credentials, trying again"
	}
	if said := t.say(ctx, j, "waiting", text, ""); said != nil {
		return said
	}
	return fmt.Errorf("the ticket of %s: %w", j.e.Ref(), err)
}

// wanted says whether the failure's stage gets tickets, by the definition in force.
func (t *Tickets) wanted(ctx context.Context, j *job) (*workflows.Pipeline, bool, error) {
	view, err := t.Reader.Pipeline(ctx, workflows.EnginePrincipal(), j.e.Pipeline, 0)
	if gone(err) || err == nil && view.Definition == nil {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, &internal{fmt.Errorf("reading pipeline %s: %w", j.e.Pipeline, err)}
	}
	p := view.Definition
	if p.Ticket != nil && len(p.Ticket.Stages) > 0 {
		for _, s := range p.Ticket.Stages {
			if s == j.stage {
				return p, true, nil
			}
		}
		return p, false, nil
	}
	st, ok := p.Stage(j.stage)
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
		sum := sha256.Sum256([]byte(r.key + " " + j.id))
		*r = ticket{key: r.key, State: creating, Label: "rollcall-" + hex.EncodeToString(sum[:8]), Previous: r.Issue, Done: r.Done}
		return t.create(ctx, r, j, p)
	}
	issue, err := t.lookUp(ctx, r)
	switch {
	case err != nil:
		return err
	case issue != "":
		return t.adopt(ctx, r, j, issue)
	}
	return t.create(ctx, r, j, p)
}

// lookUp finds the ticket of a create whose outcome was not learnt. It answers
// "none" only when that proves something.
func (t *Tickets) lookUp(ctx context.Context, r *ticket) (string, error) {
	jql := fmt.Sprintf("labels = %q", r.Label)
	if r.Plain {
		jql = fmt.Sprintf("description ~ %q", r.Label)
	}
	issue, err := t.jira.find(ctx, jql)
	if err != nil && passing(err) {
		return "", err
	}
	if err != nil {
		t.Log.Warn("Jira cannot be searched, so a ticket may come twice after a crash", "label", r.Label, "error", err)
	}
	if issue == "" && t.Now().Before(r.Until) {
		return "", fmt.Errorf("whether Jira made the ticket %s is not known yet", r.Label)
	}
	return issue, nil
}

// create opens the ticket; the marker is durable before the call.
func (t *Tickets) create(ctx context.Context, r *ticket, j *job, p *workflows.Pipeline) error {
	for {
		r.Doing, r.Until = j.id, t.Now().Add(settleLost)
		if err := t.save(ctx, r); err != nil {
			return err
		}
		issue, err := t.jira.create(ctx, t.draft(ctx, r, j, p))
		switch {
		case err == nil:
			return t.adopt(ctx, r, j, issue)
		case passing(err):
			r.Until = t.Now().Add(settle(err))
			if saved := t.save(ctx, r); saved != nil {
				return saved
			}
			return err
		case !r.Plain:
			t.Log.Warn("Jira refused a ticket, trying without optional fields", "execution", j.e.Ref(), "error", err)
			r.Plain = true
		default:
			t.Log.Warn("Jira refused a ticket", "execution", j.e.Ref(), "error", err)
			*r = ticket{key: r.key, Issue: r.Previous, State: closed, Done: r.Done}
			r.finish(done{Job: j.id, Refused: err.Error()})
			return t.save(ctx, r)
		}
	}
}

// settle is how long not finding the ticket proves nothing, after this error of a create.
func settle(err error) time.Duration {
	status := answered(err)
	switch {
	case wire.NotSent(err), status > 0 && status < 500:
		return 0
	case status == http.StatusServiceUnavailable:
		return settleAway
	}
	return settleLost
}

// adopt notes the ticket that the create made.
func (t *Tickets) adopt(ctx context.Context, r *ticket, j *job, issue string) error {
	r.State, r.Issue, r.Number, r.Until = opened, issue, j.e.Number, time.Time{}
	r.finish(done{Job: j.id, Issue: issue})
	// First the way back from the issue: without it nobody would hear that it was closed.
	if err := t.Notes.Note(ctx, issueKey(issue), []byte(r.key)); err != nil {
		return &internal{fmt.Errorf("noting the ticket %s: %w", issue, err)}
	}
	return t.save(ctx, r)
}

// stillOpen asks whether the ticket can take more, and notes when it cannot.
func (t *Tickets) stillOpen(ctx context.Context, r *ticket) (bool, error) {
	raw, ok, err := t.Notes.Memo(ctx, closedKey(r.Issue))
	if err != nil {
		return false, &internal{fmt.Errorf("reading whether %s is closed: %w", r.Issue, err)}
	}
	var last heard
	if ok {
		if err := json.Unmarshal(raw, &last); err != nil {
			return false, &internal{fmt.Errorf("reading whether %s is closed: %w", r.Issue, err)}
		}
	}
	open := !last.Done
	if open {
		if open, err = t.jira.open(ctx, r.Issue); err != nil && passing(err) {
			return false, err
		}
		// Where Jira refuses to say, the comment will show.
		open = open || err != nil
	}
	if !open {
		r.State = closed
	}
	return open, nil
}

// add comments the open ticket with one more failure.
func (t *Tickets) add(ctx context.Context, r *ticket, j *job) error {
	if err := t.tell(ctx, r, j, again(t, r, j)); err != nil {
		return err
	}
	r.Number, r.Recovered = j.e.Number, false
	r.finish(done{Job: j.id, Issue: r.Issue})
	return t.save(ctx, r)
}

// tell comments the ticket once: when an earlier try may have arrived, the
// comments are looked at first. A refusal is logged; the ticket stands without it.
func (t *Tickets) tell(ctx context.Context, r *ticket, j *job, text string) error {
	first, _, _ := strings.Cut(text, "\n")
	if r.Doing == j.id {
		there, err := t.jira.commented(ctx, r.Issue, first)
		if err != nil && passing(err) {
			return err
		}
		if there {
			return nil
		}
	}
	r.Doing = j.id
	if err := t.save(ctx, r); err != nil {
		return err
	}
	err := t.jira.comment(ctx, r.Issue, text)
	if err != nil && !passing(err) {
		t.Log.Warn("Jira refused a comment", "ticket", r.Issue, "execution", j.e.Ref(), "error", err)
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

// recover tells the stage's open tickets that something succeeded there.
func (t *Tickets) recover(ctx context.Context, j *job) error {
	memos, err := t.Notes.List(ctx, ticketKey(j.e.Pipeline, j.stage, ""))
	if err != nil {
		return &internal{fmt.Errorf("listing the tickets of %s: %w", j.e.Pipeline, err)}
	}
	for _, m := range memos {
		r, err := t.load(ctx, m.Key)
		if err != nil {
			return err
		}
		if _, known := r.did(j.id); known || r.State != opened || r.Recovered || j.e.Number < r.Number {
			continue
		}
		if err := t.recovered(ctx, r, j); err != nil {
			return fmt.Errorf("telling %s that %s succeeded: %w", r.Issue, j.e.Ref(), err)
		}
	}
	return nil
}

// recovered comments one ticket, and closes it where the definition says so. A
// rollback repairs the stage, not the release: it never closes.
func (t *Tickets) recovered(ctx context.Context, r *ticket, j *job) error {
	still, err := t.stillOpen(ctx, r)
	if err != nil {
		return err
	}
	if still {
		if err := t.tell(ctx, r, j, better(t, j)); err != nil {
			return err
		}
	}
	if still && j.e.Type != workflows.TypeRollback {
		if err := t.close(ctx, r, j); err != nil {
			return err
		}
		r.Recovered = true
	}
	r.finish(done{Job: j.id, Issue: r.Issue})
	return t.save(ctx, r)
}

// close moves the ticket where ticket.closeOnSuccess says.
func (t *Tickets) close(ctx context.Context, r *ticket, j *job) error {
	view, err := t.Reader.Pipeline(ctx, workflows.EnginePrincipal(), j.e.Pipeline, 0)
	if gone(err) || err == nil && (view.Definition == nil || view.Definition.Ticket == nil || view.Definition.Ticket.CloseOnSuccess == "") {
		return nil
	}
	if err != nil {
		return &internal{fmt.Errorf("reading pipeline %s: %w", j.e.Pipeline, err)}
	}
	to := view.Definition.Ticket.CloseOnSuccess
	offered, ok, err := t.jira.move(ctx, r.Issue, leadsTo(to))
	switch {
	case err != nil && passing(err):
		return err
	case err != nil:
		t.Log.Warn("Jira refused to close a ticket", "ticket", r.Issue, "to", to, "error", err)
	case !ok:
		t.Log.Warn("a ticket cannot be closed: ticket.closeOnSuccess names no transition that Jira offers", "ticket", r.Issue, "to", to, "offered", offered)
	}
	return nil
}
