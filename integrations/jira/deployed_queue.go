package jira

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	mostDays    = 24 * time.Hour   // how long something is tried that Jira refuses, or that cannot be known
	mostTouched = 2000             // issues of a pipeline that wait; the oldest give way
	mostPause   = 10 * time.Minute // between tries of an issue that Jira refuses
)

// waiting is the memo of what a pipeline still has to say to issues.
type waiting struct {
	Arrivals []*arrival        `json:"arrivals,omitempty"` // in the order in which they happened
	Issues   []*touched        `json:"issues,omitempty"`
	Noted    map[string]string `json:"noted,omitempty"`  // executions that say that something waits, and what
	Passed   map[string]bool   `json:"passed,omitempty"` // of those, the ones with issues of which there is later news
	Rounds   int               `json:"rounds,omitempty"`
	Again    time.Time         `json:"again,omitzero"` // Jira was away

	key    string
	stored bool
}

// arrival is the end of an execution's stay in a stage.
type arrival struct {
	Execution string    `json:"execution"`
	Stage     string    `json:"stage"`
	At        time.Time `json:"at"`
	Tries     int       `json:"tries,omitempty"`
	Again     time.Time `json:"again,omitzero"`
	Said      string    `json:"said,omitempty"`    // which issues the panel knows of
	Refused   string    `json:"refused,omitempty"` // what the panel does not take
}

// touched is an issue that may have to be written to.
type touched struct {
	Key       string    `json:"key"`
	Execution string    `json:"execution"` // the latest that concerns it
	At        time.Time `json:"at"`
	Tries     int       `json:"tries,omitempty"` // that Jira refused
	Again     time.Time `json:"again,omitzero"`
}

func (d *Deployments) loadWaiting(ctx context.Context, pipeline string) (*waiting, error) {
	q := &waiting{key: "queue/" + url.PathEscape(pipeline)}
	raw, ok, err := d.Notes.Memo(ctx, q.key)
	if err == nil && ok {
		q.stored, err = true, json.Unmarshal(raw, q)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which issues wait: %w", err)
	}
	return q, nil
}

func (d *Deployments) saveWaiting(ctx context.Context, q *waiting) error {
	if n := len(q.Issues) - mostTouched; n > 0 {
		d.Log.Warn("too many issues wait for Jira; the oldest are given up", "queue", q.key, "issues", n)
		q.Issues = q.Issues[n:]
	}
	if q.empty() && !q.stored {
		return nil
	}
	var raw []byte // none deletes
	var err error
	if !q.empty() {
		raw, err = json.Marshal(q)
	}
	if err == nil {
		err = d.Notes.Note(ctx, q.key, raw)
	}
	if err != nil {
		return fmt.Errorf("noting which issues wait: %w", err)
	}
	q.stored = true
	return nil
}

func (q *waiting) empty() bool { return len(q.Arrivals)+len(q.Issues)+len(q.Noted) == 0 }

// take adds what ended in stages after a moment.
func (q *waiting) take(b event.Batch, after time.Time) {
	for _, f := range b.Frames {
		for _, e := range f.Events {
			if e.Kind != event.StageSucceeded && e.Kind != event.StageFailed || e.At.Before(after) || e.IsHistory() {
				continue
			}
			q.Arrivals = slices.DeleteFunc(q.Arrivals, func(a *arrival) bool { return a.Execution == e.Execution && a.Stage == e.Stage && !a.At.After(e.At) })
			q.Arrivals = append(q.Arrivals, &arrival{Execution: e.Execution, Stage: e.Stage, At: e.At})
		}
	}
}

// touch has an issue written to.
func (q *waiting) touch(key, execution string, now time.Time) {
	for _, t := range q.Issues {
		if _, noted := q.Noted[t.Execution]; noted && t.Key == key && t.Execution != execution {
			if q.Passed == nil {
				q.Passed = map[string]bool{}
			}
			q.Passed[t.Execution] = true
		}
	}
	q.Issues = slices.DeleteFunc(q.Issues, func(t *touched) bool { return t.Key == key })
	q.Issues = append(q.Issues, &touched{Key: key, Execution: execution, At: now})
}

// next is when there is something to do again.
func (q *waiting) next() time.Time {
	var first time.Time
	for _, a := range q.Arrivals {
		if first.IsZero() || a.Again.Before(first) {
			first = a.Again
		}
	}
	for _, t := range q.Issues {
		if at := latest(t.Again, q.Again); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// writeIssues writes to the issues that wait. One that Jira refuses keeps up no
// other one; while Jira is away none is tried. cause is why some are left; the error
// is trouble of our own.
func (d *Deployments) writeIssues(ctx context.Context, q *waiting, end time.Time) (cause, err error) {
	if d.Now().Before(q.Again) {
		return errors.New("a moment ago Jira did not answer"), nil
	}
	var left []*touched
	away := false
	for _, t := range q.Issues {
		if now := d.Now(); away || now.Before(t.Again) || now.After(end) {
			left = append(left, t)
			continue
		}
		refused := d.writeIssue(ctx, t.Key)
		var own *ownError
		switch {
		case refused == nil:
			continue
		case errors.As(refused, &own), ctx.Err() != nil:
			return nil, refused
		}
		cause = refused
		away = kindOf(refused) == wire.Transient && !serverFailed(refused) || answered(refused) == http.StatusUnauthorized
		if !away {
			t.Tries++
			t.Again = d.Now().Add(min(time.Second<<min(t.Tries, 10), mostPause))
		}
		if away || d.Now().Sub(t.At) < mostDays {
			left = append(left, t)
			err = d.noteWaiting(ctx, q, t, refused, away)
		} else {
			err = d.giveUp(ctx, q, t, refused)
		}
		if err != nil {
			return nil, err
		}
	}
	q.Issues = left
	if !away {
		q.Rounds, q.Again = 0, time.Time{}
		return cause, nil
	}
	q.Again = d.Now().Add(min(time.Second<<min(q.Rounds, 5), longestPause))
	q.Rounds++
	return cause, nil
}

// noteWaiting says on the execution that an issue cannot be written to now.
func (d *Deployments) noteWaiting(ctx context.Context, q *waiting, t *touched, refused error, away bool) error {
	text := "Jira is away; its issues are brought up to date as soon as it answers"
	if answered(refused) == http.StatusUnauthorized {
		text = "Jira does not accept our credentials, trying again"
	} else if !away {
		text = t.Key + ": " + refused.Error() + "; trying again for a day"
	}
	if q.Noted[t.Execution] == text {
		return nil
	}
	if q.Noted == nil {
		q.Noted = map[string]string{}
	}
	q.Noted[t.Execution] = text
	return d.annotate(ctx, t.Execution, workflows.Note{Name: deploymentsNote, State: "waiting", Text: text})
}

// giveUp says that an issue is no longer tried.
func (d *Deployments) giveUp(ctx context.Context, q *waiting, t *touched, refused error) error {
	d.Log.Warn("an issue gets no more comments about its deployments", "issue", t.Key, "error", refused)
	delete(q.Noted, t.Execution)
	return d.annotate(ctx, t.Execution, workflows.Note{Name: deploymentsNote, State: "refused", Text: t.Key + ": " + refused.Error()})
}

// clearNotes corrects the notes of executions whose issues are all up to date.
func (d *Deployments) clearNotes(ctx context.Context, q *waiting) error {
	for execution := range q.Noted {
		if slices.ContainsFunc(q.Issues, func(t *touched) bool { return t.Execution == execution }) {
			continue
		}
		text := "its issues in Jira are up to date"
		if q.Passed[execution] {
			text = "later news of its issues goes to Jira in place of it"
		}
		if err := d.annotate(ctx, execution, workflows.Note{Name: deploymentsNote, State: "done", Text: text}); err != nil {
			return err
		}
		delete(q.Noted, execution)
		delete(q.Passed, execution)
	}
	return nil
}

// deploymentsNote is the execution's note about issues that could not be written to.
const deploymentsNote = "jira"

func (d *Deployments) annotate(ctx context.Context, execution string, n workflows.Note) error {
	x, err := d.Reader.Execution(ctx, workflows.EnginePrincipal(), execution)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading execution %s: %w", execution, err)
	}
	if slices.Contains(x.Notes, n) {
		return nil
	}
	in := workflows.Intent{Verb: workflows.Annotate, Pipeline: x.Pipeline, Execution: x.ID, Note: &n}
	if _, err := d.Submitter.Submit(ctx, in, workflows.EnginePrincipal()); err != nil && !notFound(err) {
		return fmt.Errorf("noting on %s how its issues stand: %w", x.Ref(), err)
	}
	return nil
}
