package jira

import (
	"context"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// reopen opens a ticket again that was closed less than ticket.reopenWithin
// ago, and adds the failure to it. It answers false where a successor is wanted:
// the ticket was closed earlier, is gone, or Jira offers no way back.
//
// What is to happen is durable before it does. Whether the ticket is closed, and
// since when, Jira is asked itself: deliveries may be late or lost.
func (t *Tickets) reopen(ctx context.Context, r *ticket, g *group) (bool, error) {
	j, within := g.last(), reopenWithin(g.pipeline)
	if within <= 0 || r.Issue == "" {
		return false, nil
	}
	now, err := t.jira.state(ctx, r.Issue)
	if err != nil && !goWithout(j, err) {
		return false, err
	}
	if err != nil || !now.there || now.done && t.Now().Sub(now.since) >= within {
		return false, nil
	}
	if now.done {
		r.Reopening = j.ID
		if err := t.save(ctx, r); err != nil {
			return false, err
		}
		offered, ok, err := t.jira.move(ctx, r.Issue, toOpen)
		if err != nil && !goWithout(j, err) {
			return false, err
		}
		if err != nil || !ok {
			t.Log.With(j.about()...).Warn("a closed ticket cannot be opened again, so the failure gets a new one", "ticket", r.Issue, "offered", offered, "error", err)
			r.Reopening = ""
			return false, nil
		}
	}
	// Only webhooks write the issue's last status. Reopened makes a delivery about
	// the closing, which may still be on its way, count as older.
	r.State, r.Reopened = opened, t.Now().UnixMilli()
	return true, t.add(ctx, r, g)
}

// reopenWithin is for how long a closed ticket can be opened again; zero: never.
func reopenWithin(p *workflows.Pipeline) time.Duration {
	if p.Ticket == nil {
		return 0
	}
	d, err := time.ParseDuration(p.Ticket.ReopenWithin)
	if err != nil {
		return 0
	}
	return d
}
