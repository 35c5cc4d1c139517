package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// waiting is what of one pipeline's messages waits for its turn. It belongs to
// whoever has the pipeline locked.
type waiting struct {
	due    map[string]time.Time // by execution: when to try again
	oldest int                  // the smallest number among them that was noted; 0: none
	loaded bool                 // what an earlier process left is in due
	newest event.Frame          // the newest frame that was followed, without its events
	at     time.Time            // when that was decided
}

// saw notes the newest frame.
func (w *waiting) saw(frames []event.Frame) {
	if len(frames) == 0 || frames[len(frames)-1].Seq < w.newest.Seq {
		return
	}
	newest := frames[len(frames)-1]
	w.at = time.Time{}
	if len(newest.Events) > 0 {
		w.at = newest.Events[0].At.UTC()
	}
	newest.Events = nil
	w.newest = newest
}

// waitingIn is what waits of a pipeline.
func (b *Bot) waitingIn(pipeline string) *waiting {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.waits[pipeline]
	if w == nil {
		w = &waiting{due: map[string]time.Time{}}
		b.waits[pipeline] = w
	}
	return w
}

// postponedKey is the memo that says that messages of a pipeline wait: the
// number of the oldest execution among them.
func postponedKey(pipeline string) string { return "postponed/" + pipeline }

// takeUp finds what an earlier process left waiting: all from the oldest
// execution on is looked at again.
func (f *following) takeUp(ctx context.Context, w *waiting) error {
	if w.loaded {
		return nil
	}
	value, ok, err := f.memos.Memo(ctx, postponedKey(f.batch.Pipeline))
	if err != nil {
		return err
	}
	if ok {
		if w.oldest, err = strconv.Atoi(string(value)); err != nil {
			return fmt.Errorf("what waits of %s was noted and cannot be read: %w", f.batch.Pipeline, err)
		}
	}
	for before := 0; ok; {
		page, err := f.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: f.batch.Pipeline, Limit: 100, Before: before})
		if err != nil && !notFound(err) {
			return err
		}
		for _, e := range page {
			if e.Number >= w.oldest {
				w.due[e.ID] = time.Time{}
			}
		}
		if len(page) == 0 || page[len(page)-1].Number <= w.oldest {
			break
		}
		before = page[len(page)-1].Number
	}
	w.loaded = true
	return nil
}

// withDue adds the executions whose turn may have come.
func (w *waiting) withDue(ids []string, now time.Time) []string {
	var more []string
	for id, due := range w.due {
		if !due.After(now) && !slices.Contains(ids, id) {
			more = append(more, id)
		}
	}
	slices.Sort(more) // IDs are ordered by time
	return append(ids, more...)
}

// wait notes that messages of an execution wait.
func (f *following) wait(ctx context.Context, w *waiting, e *workflows.Execution, p *Postponed) error {
	w.due[e.ID] = f.now().Add(p.After)
	if w.oldest != 0 && w.oldest <= e.Number {
		return nil
	}
	w.oldest = e.Number
	return f.memos.Note(ctx, postponedKey(f.batch.Pipeline), strconv.AppendInt(nil, int64(e.Number), 10))
}

// rest is what Follow gives back for what waits; nil when nothing does.
func (f *following) rest(ctx context.Context, w *waiting) error {
	if len(w.due) == 0 {
		if w.oldest == 0 {
			return nil
		}
		w.oldest = 0
		return f.memos.Note(ctx, postponedKey(f.batch.Pipeline), nil)
	}
	var first time.Time
	for _, due := range w.due {
		if first.IsZero() || due.Before(first) {
			first = due
		}
	}
	after := max(first.Sub(f.now()), time.Millisecond)
	return &event.Unfinished{Err: &Postponed{After: after}, After: after, Expected: true}
}

// split takes apart what is postponed, the soonest, and other errors.
func split(err error) (*Postponed, error) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var first *Postponed
		var rest []error
		for _, one := range all.Unwrap() {
			p, other := split(one)
			if p != nil && (first == nil || p.After < first.After) {
				first = p
			}
			rest = append(rest, other)
		}
		return first, errors.Join(rest...)
	}
	var p *Postponed
	if errors.As(err, &p) {
		return p, nil
	}
	return nil, err
}

// isPostponed says whether an error is nothing but that.
func isPostponed(err error) bool {
	p, rest := split(err)
	return p != nil && rest == nil
}

// asksFirst puts the executions in front in which somebody is asked.
func asksFirst(all []workflows.Execution) {
	slices.SortStableFunc(all, func(a, b workflows.Execution) int { return rank(&a) - rank(&b) })
}

func rank(e *workflows.Execution) int {
	for i := range e.Stages {
		for _, a := range e.Stages[i].Actions {
			if a.Approval != nil && a.Approval.Token != "" && a.Approval.Closed == "" {
				return 0
			}
		}
	}
	return 1
}

// cardUrgency is that of a card: as urgent as what can only hang below it. How an
// execution ended comes before how others proceed: nothing else corrects that card.
func (f *following) cardUrgency(mem *memory, e *workflows.Execution) Urgency {
	if mem.Card.TS != "" && !f.again {
		if e.Status.Final() {
			return News
		}
		return Progress
	}
	if rank(e) == 0 {
		return Question
	}
	if _, failed := failedIn(e); failed || f.again {
		return News
	}
	return Progress
}
