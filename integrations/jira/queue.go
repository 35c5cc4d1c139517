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
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	longestPause = 30 * time.Second // between tries: whoever mends something sees it work
	mostWaiting  = 100              // jobs of a pipeline; the oldest failure gives way, and says so
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
	due := !t.Now().Before(q.Again)
	cause = errors.New("a moment ago Jira was asked already")
	var away error
	done, idle := map[*job]bool{}, false // idle: Jira wants something mended first
	order := slices.Clone(q.Jobs)
	slices.SortStableFunc(order, func(a, b *job) int { return cmp.Compare(q.refused(a), q.refused(b)) })
	for _, j := range order {
		if j.Tried && (!due || idle) || j.Kind == recovered && (away != nil || q.failedBefore(j, done)) {
			continue
		}
		err := t.processJob(ctx, j, away)
		var own *ownError
		switch {
		case err == nil:
			done[j] = true
			continue
		case errors.As(err, &own), ctx.Err() != nil:
			return nil, err
		case away == nil:
			j.Tried = true
		}
		cause, idle = err, idle || kindOf(err) == wire.Fixable
		if serverFailed(err) || kindOf(err) == wire.Fixable {
			j.Refused++
		}
		if away == nil && kindOf(err) == wire.Transient && !serverFailed(err) && !errors.Is(err, errUnknown) {
			away = err
		}
	}
	q.Jobs = slices.DeleteFunc(q.Jobs, func(j *job) bool { return done[j] })
	if len(done) > 0 && away == nil {
		if err := t.annotateWaiting(ctx, q); err != nil {
			return nil, err
		}
	}
	switch {
	case due && len(done) > 0:
		q.Rounds = 0
	case due:
		q.Rounds++
	}
	if due {
		q.Again = t.Now().Add(min(time.Second<<min(max(q.Rounds-1, 0), 5), longestPause))
	}
	return cause, t.trimQueue(ctx, q)
}

// refused is how often Jira refused a job, or one that must come before it.
func (q *queue) refused(j *job) int {
	n := j.Refused
	for _, earlier := range q.Jobs {
		if earlier == j {
			break
		}
		if j.Kind == recovered && earlier.Kind == failed && earlier.Stage == j.Stage {
			n = max(n, earlier.Refused)
		}
	}
	return n
}

// failedBefore says whether an earlier failure of the stage still waits: a
// success can only be reported to a ticket that exists.
func (q *queue) failedBefore(j *job, done map[*job]bool) bool {
	for _, earlier := range q.Jobs {
		if earlier == j {
			return false
		}
		if earlier.Kind == failed && earlier.Stage == j.Stage && !done[earlier] {
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
		} else if found && slices.ContainsFunc(j.execution.Notes, func(n workflows.Note) bool { return n.Name == noteName && n.Text == textAway }) {
			if err := t.annotate(ctx, j, "waiting", textLooking, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimQueue drops the oldest jobs when there are more than mostWaiting.
func (t *Tickets) trimQueue(ctx context.Context, q *queue) error {
	for len(q.Jobs) > mostWaiting {
		j := q.Jobs[0]
		found, err := t.loadExecution(ctx, j)
		if err != nil {
			return err
		}
		if found && j.Kind == failed {
			if err := t.annotate(ctx, j, "refused", or(j.LastError, "Jira did not answer")+"; too many tickets wait", ""); err != nil {
				return err
			}
		}
		q.Jobs = q.Jobs[1:]
	}
	return nil
}
