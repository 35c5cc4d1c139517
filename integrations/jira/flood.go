package jira

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// defaultMaxPerHour is how many tickets a pipeline gets in an hour where its
// definition does not say.
const defaultMaxPerHour = 10

// hour is the memo of the tickets that a pipeline got in the last hour, also of
// those that are being made.
type hour struct {
	Made []made `json:"made"`
}

type made struct {
	Label string    `json:"label"`
	At    time.Time `json:"at"`
}

func hourKey(pipeline string) string { return "hour/" + url.PathEscape(pipeline) }

// floodKey is the key of the memo of the ticket that counts what gets none of its own.
func floodKey(pipeline string) string { return "flood/" + url.PathEscape(pipeline) }

// isFlood says whether the memo is of such a ticket.
func (r *ticket) isFlood(pipeline string) bool { return r.key == floodKey(pipeline) }

// maxPerHour is how many tickets the pipeline may get in an hour.
func maxPerHour(p *workflows.Pipeline) int {
	if p.Ticket == nil || p.Ticket.MaxPerHour <= 0 {
		return defaultMaxPerHour
	}
	return p.Ticket.MaxPerHour
}

// reserve notes that a ticket is about to be made, before it is. It answers false
// where the pipeline has had as many as it may get. The ticket is known by its
// label, so that one that is tried again counts once.
func (t *Tickets) reserve(ctx context.Context, p *workflows.Pipeline, label string) (bool, error) {
	var h hour
	if err := t.loadMemo(ctx, hourKey(p.Name), &h); err != nil {
		return false, err
	}
	h.Made = slices.DeleteFunc(h.Made, func(m made) bool { return m.Label == label || t.Now().Sub(m.At) >= time.Hour })
	if len(h.Made) >= maxPerHour(p) {
		return false, nil
	}
	h.Made = append(h.Made, made{Label: label, At: t.Now()})
	return true, t.saveMemo(ctx, hourKey(p.Name), &h)
}

// release takes a reservation back: that ticket was not made.
func (t *Tickets) release(ctx context.Context, pipeline, label string) error {
	var h hour
	if err := t.loadMemo(ctx, hourKey(pipeline), &h); err != nil {
		return err
	}
	before := len(h.Made)
	h.Made = slices.DeleteFunc(h.Made, func(m made) bool { return m.Label == label })
	if len(h.Made) == before {
		return nil
	}
	return t.saveMemo(ctx, hourKey(pipeline), &h)
}

// keepFor is how long a kind is known that has not failed again since it was good.
const keepFor = 180 * 24 * time.Hour

// prune forgets kinds of the stage that have been good for long: messages come and
// go, and each is a memo.
func (t *Tickets) prune(ctx context.Context, g *group) error {
	memos, err := t.Notes.List(ctx, ticketKey(g.pipeline.Name, g.stage(), ""))
	if err != nil {
		return &ownError{fmt.Errorf("listing the tickets of %s: %w", g.pipeline.Name, err)}
	}
	for _, m := range memos {
		r, err := t.load(ctx, m.Key)
		if err != nil {
			return err
		}
		good := r.State == closed || r.State == opened && r.Recovered
		if !good || r.Last.IsZero() || t.Now().Sub(r.Last) < keepFor {
			continue
		}
		t.forget(ctx, r.Issue)
		if err := t.Notes.Note(ctx, m.Key, nil); err != nil {
			return &ownError{fmt.Errorf("forgetting %s: %w", m.Key, err)}
		}
	}
	return nil
}

// reportFlood counts failures, whose kind gets no ticket of its own any more, in
// the one ticket that says so. One that counted something within the last hour goes on.
func (t *Tickets) reportFlood(ctx context.Context, g *group) error {
	r, err := t.load(ctx, floodKey(g.pipeline.Name))
	if err != nil {
		return err
	}
	if r.State == opened && t.Now().Sub(r.Last) >= time.Hour {
		r.State = closed
	}
	return t.report(ctx, r, g)
}
