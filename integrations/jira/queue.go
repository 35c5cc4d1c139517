package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

const (
	longestPause = 30 * time.Second // between tries: whoever mends something sees it work
	mostWaiting  = 1000             // jobs of a pipeline; more of a kind are only counted
)

// queue is the memo of what Jira has not taken of a pipeline, in the order in
// which it happened.
type queue struct {
	Jobs   []*job    `json:"jobs"`
	Rounds int       `json:"rounds,omitempty"` // by the clock, in which nothing was done
	Again  time.Time `json:"again,omitzero"`   // of those that were tried

	key    string
	stored bool // there is such a memo
}

func (t *Tickets) loadQueue(ctx context.Context, pipeline string) (*queue, error) {
	q := &queue{key: "queue/" + url.PathEscape(pipeline)}
	raw, ok, err := t.Notes.Memo(ctx, q.key)
	if err == nil && ok {
		q.stored, err = true, json.Unmarshal(raw, q)
	}
	if err != nil {
		return nil, &ownError{fmt.Errorf("reading %s: %w", q.key, err)}
	}
	return q, nil
}

func (t *Tickets) saveQueue(ctx context.Context, q *queue) error {
	if len(q.Jobs) == 0 && !q.stored {
		return nil
	}
	var raw []byte // none deletes
	var err error
	if len(q.Jobs) > 0 {
		raw, err = json.Marshal(q)
	}
	if err == nil {
		err = t.Notes.Note(ctx, q.key, raw)
	}
	if err != nil {
		return &ownError{fmt.Errorf("noting %s: %w", q.key, err)}
	}
	return nil
}

// add appends the jobs that are not there.
func (q *queue) add(all []*job) {
	for _, j := range all {
		if !slices.ContainsFunc(q.Jobs, func(old *job) bool { return old.ID == j.ID }) {
			q.Jobs = append(q.Jobs, j)
		}
	}
}

// processQueue does what can be done now and leaves the rest in the queue, with the
// cause of the last trouble. What Jira refused less often comes first, so
// that nothing stands in the way of what comes after it. Its error is trouble of our own.
func (t *Tickets) processQueue(ctx context.Context, q *queue) (cause, err error) {
	all, err := t.groups(ctx, q)
	if err != nil {
		return nil, err
	}
	round := round{Tickets: t, q: q, all: all, due: !t.Now().Before(q.Again), cause: errors.New("a moment ago Jira was asked already")}
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b *group) int { return cmp.Compare(round.refused(a), round.refused(b)) })
	for _, g := range order {
		if err := round.try(ctx, g); err != nil {
			return nil, err
		}
	}
	q.Jobs = slices.DeleteFunc(q.Jobs, func(j *job) bool { return !slices.ContainsFunc(round.all, func(g *group) bool { return g.has(j) }) })
	if round.done > 0 && round.away == nil {
		if err := t.annotateWaiting(ctx, q); err != nil {
			return nil, err
		}
	}
	switch {
	case round.due && round.done > 0:
		q.Rounds = 0
	case round.due:
		q.Rounds++
	}
	if round.due {
		q.Again = t.Now().Add(min(time.Second<<min(max(q.Rounds-1, 0), 5), longestPause))
	}
	return round.cause, t.trimQueue(ctx, q, round.all)
}

// round is one pass over what waits.
type round struct {
	*Tickets
	q     *queue
	all   []*group // that are not done
	due   bool     // what was tried is tried again
	done  int
	away  error // Jira was found away
	idle  bool  // Jira wants something mended first
	cause error // of the last trouble
}

// try does what a group asks for, where that is of use now. Its error is trouble of our own.
func (r *round) try(ctx context.Context, g *group) error {
	switch {
	case g.tried() && (!r.due || r.idle):
		if g.kind() == failed {
			return r.wait(ctx, g)
		}
		return nil
	case g.kind() == recovered && (r.away != nil || r.failedBefore(g)):
		return nil
	}
	err := r.process(ctx, g, r.away)
	var own *ownError
	switch {
	case err == nil:
		r.done++
		r.all = slices.DeleteFunc(r.all, func(other *group) bool { return other == g })
		return nil
	case errors.As(err, &own), ctx.Err() != nil:
		return err
	}
	for _, j := range g.jobs {
		j.Tried = true
	}
	r.cause, r.idle = err, r.idle || kindOf(err) == wire.Fixable
	if serverFailed(err) || kindOf(err) == wire.Fixable {
		g.jobs[0].Refused++
	}
	if r.away == nil && kindOf(err) == wire.Transient && !serverFailed(err) && !errors.Is(err, errUnknown) {
		r.away = err
	}
	return nil
}

// refused is how often Jira refused what is in a group, or in one that must come before it.
func (r *round) refused(g *group) (n int) {
	for _, j := range g.jobs {
		n = max(n, j.Refused)
	}
	for _, earlier := range r.all {
		if earlier == g {
			break
		}
		if g.kind() == recovered && earlier.kind() == failed && earlier.stage() == g.stage() {
			for _, j := range earlier.jobs {
				n = max(n, j.Refused)
			}
		}
	}
	return n
}

// failedBefore says whether an earlier failure of the stage still waits: a
// success can only be reported to a ticket that exists.
func (r *round) failedBefore(g *group) bool {
	at := slices.Index(r.q.Jobs, g.jobs[0])
	for _, earlier := range r.all {
		if earlier.kind() == failed && earlier.stage() == g.stage() && slices.Index(r.q.Jobs, earlier.jobs[0]) < at {
			return true
		}
	}
	return false
}

// annotateWaiting corrects the notes that say Jira is away, once Jira has taken other jobs.
func (t *Tickets) annotateWaiting(ctx context.Context, q *queue) error {
	for _, j := range q.Jobs {
		if found, err := t.loadExecution(ctx, j); err != nil {
			return err
		} else if found && j.waiting() == textAway {
			if err := t.annotate(ctx, j, "waiting", textLooking, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimQueue keeps no more than mostWaiting jobs. First failures give way that are
// neither the first nor the newest of their kind: the ticket will count them
// nevertheless. Then the oldest of all.
func (t *Tickets) trimQueue(ctx context.Context, q *queue, all []*group) error {
	for _, g := range all {
		for len(q.Jobs) > mostWaiting && len(g.jobs) > 2 {
			j := g.jobs[1]
			g.jobs[0].Folded += 1 + j.Folded
			g.jobs = slices.Delete(g.jobs, 1, 2)
			if err := t.drop(ctx, q, j, "too many tickets wait to name this execution in its own; it is counted there"); err != nil {
				return err
			}
		}
	}
	for len(q.Jobs) > mostWaiting {
		j := q.Jobs[0]
		if err := t.drop(ctx, q, j, or(j.LastError, "Jira did not answer")+"; too many tickets wait"); err != nil {
			return err
		}
	}
	return nil
}

// drop takes a job out of the queue, and says so on its execution.
func (t *Tickets) drop(ctx context.Context, q *queue, j *job, why string) error {
	found, err := t.loadExecution(ctx, j)
	if err != nil {
		return err
	}
	if found && j.Kind == failed {
		if err := t.annotate(ctx, j, "refused", why, ""); err != nil {
			return err
		}
	}
	q.Jobs = slices.DeleteFunc(q.Jobs, func(other *job) bool { return other == j })
	return nil
}
