package retention

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/identity"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	atOnce    = 64      // rows in a commit, files between two rests
	perPass   = 1 << 16 // rows that a pass removes at most
	pageOf    = 256     // rows of an index, read together
	whileKept = time.Minute
)

// old is an execution that can go.
type old struct{ pipeline, id string }

// removeRows removes the executions of these pipelines that are due, in the order
// of their IDs over all of them: rows side by side in the file leave whole pages free.
func (r *Retention) removeRows(ctx context.Context, pipelines []string, now time.Time) {
	needs := needs{r: r}
	var all []old
	for _, name := range pipelines {
		var found []old
		r.update(ctx, name, func() (next look, err error) {
			if len(all) >= perPass {
				return look{at: now}, nil
			}
			found, next, err = r.find(ctx, &needs, name, now)
			return next, err
		})
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b old) int { return cmp.Compare(a.id, b.id) })
	removed := 0
	for chunk := range slices.Chunk(all, atOnce) {
		began := r.o.Now()
		n, err := r.remove(ctx, &needs, chunk)
		removed += n
		if err != nil && ctx.Err() == nil {
			r.o.Log.Warn("old executions could not be removed; it is tried again", "err", err)
			r.lookAgain(chunk, now.Add(again))
		}
		if ctx.Err() != nil {
			return
		}
		r.rest(ctx, r.o.Now().Sub(began))
	}
	if removed == 0 {
		return
	}
	r.o.Log.Info("retention removed executions", "count", removed, "executions", r.o.Policy.Executions.String())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.artifacts.at = earlier(r.artifacts.at, now) // what only they needed can go
}

// update looks at a pipeline, and notes when to look again.
func (r *Retention) update(ctx context.Context, pipeline string, do func() (look, error)) {
	var l look
	r.done(ctx, &l, "executions of "+pipeline, do)
	r.mu.Lock()
	defer r.mu.Unlock()
	had := r.pipelines[pipeline]
	r.pipelines[pipeline] = look{at: earlier(had.at, l.at), kept: l.kept}
}

func (r *Retention) lookAgain(these []old, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range these {
		l := r.pipelines[one.pipeline]
		l.at = earlier(l.at, at)
		r.pipelines[one.pipeline] = l
	}
}

// find lists what can go of a pipeline, and says when to look again. Numbers
// rise with the time of the start, so it stops at the first execution that
// began too late to be due, whenever it ended.
func (r *Retention) find(ctx context.Context, needs *needs, pipeline string, now time.Time) (found []old, next look, err error) {
	for from := 0; ; {
		began := r.o.Now()
		page, err := r.o.Rows.Numbers(ctx, pipeline, from, pageOf)
		if err != nil || len(page) == 0 {
			return found, next, err
		}
		for _, one := range page {
			from = one.Number + 1
			if begun, ok := identity.Time(one.Execution); ok && r.o.Policy.Executions.After(begun).After(now) {
				next.at = earlier(next.at, r.o.Policy.Executions.After(begun))
				return found, next, nil
			}
			if !one.Ended {
				continue // its end is told by a commit
			}
			due, kept, err := r.due(ctx, needs, pipeline, one.Execution)
			if err != nil {
				return found, next, err
			}
			switch next.kept = next.kept || kept; {
			case kept:
			case due.After(now):
				next.at = earlier(next.at, due)
			case len(found) >= perPass:
				return found, look{at: now, kept: next.kept}, nil
			default:
				found = append(found, old{pipeline, one.Execution})
			}
		}
		if len(page) < pageOf {
			return found, next, nil
		}
		r.rest(ctx, r.o.Now().Sub(began)/4)
	}
}

// due is when an ended execution can go. kept: not before something else happens.
func (r *Retention) due(ctx context.Context, needs *needs, pipeline, id string) (at time.Time, kept bool, err error) {
	needed, err := needs.of(ctx, pipeline)
	if err != nil || needed[id] {
		return at, true, err
	}
	x, ok, err := r.o.Rows.Execution(ctx, id)
	if err != nil || !ok || !x.Status.Final() {
		return at, true, err
	}
	if at = r.o.Policy.Executions.After(endOf(&x)); at.After(r.o.Now()) || x.Trigger.Execution == "" {
		return at, false, nil
	}
	// What another execution has started is asked for its end until that one has ended.
	parent, ok, err := r.o.Rows.Execution(ctx, x.Trigger.Execution)
	if err == nil && ok && !parent.Status.Final() {
		return r.o.Now().Add(whileKept), false, nil
	}
	return at, false, err
}

// remove removes executions in one commit, and their logs after it. Whoever
// reserves one has done so before, or waits, and finds it gone.
func (r *Retention) remove(ctx context.Context, needs *needs, these []old) (n int, err error) {
	var c record.Commit
	err = func() error {
		if err := r.reserved.lock(ctx); err != nil {
			return err
		}
		defer r.reserved.unlock()
		for _, one := range these {
			needed, err := needs.of(ctx, one.pipeline)
			if err != nil {
				return err
			}
			if r.reserved.has(one.id) || needed[one.id] {
				r.lookAgain([]old{one}, r.o.Now().Add(whileKept))
				continue
			}
			x, ok, err := r.o.Rows.Execution(ctx, one.id)
			if err != nil {
				return err
			}
			if ok && x.Status.Final() {
				c.Removed = append(c.Removed, x.ID)
				c.Memos = append(c.Memos, forgotten(r.o.Memos(&x))...)
			}
		}
		if len(c.Removed) == 0 {
			return nil
		}
		return r.o.Commits.Persist(ctx, c)
	}()
	if err != nil {
		return 0, fmt.Errorf("removing %d executions: %w", len(c.Removed), err)
	}
	for _, id := range c.Removed {
		if r.o.Files == nil {
			break
		}
		if err := r.o.Files.RemoveLogs(id); err != nil {
			r.o.Log.Warn("the logs of a removed execution are left", "executionId", id, "err", err)
		}
	}
	return len(c.Removed), nil
}

// endOf is when an execution ended.
func endOf(x *workflows.Execution) time.Time {
	if x.EndedAt == nil {
		return x.UpdatedAt
	}
	return *x.EndedAt
}

// needs are what pipelines need, as of their last frames.
type needs struct {
	r     *Retention
	known map[string]need
}

type need struct {
	seq uint64
	ids map[string]bool
}

func (n *needs) of(ctx context.Context, pipeline string) (map[string]bool, error) {
	seq, _ := n.r.o.States.Last(pipeline)
	if known, ok := n.known[pipeline]; ok && known.seq == seq {
		return known.ids, nil
	}
	var ids map[string]bool
	var stages []string
	err := n.r.o.States.Read(ctx, pipeline, func(s *machine.State) error {
		ids, stages = Needed(s, n.r.o.Policy.successes()), slices.Sorted(maps.Keys(s.Stages))
		stages = slices.DeleteFunc(stages, func(name string) bool { return isSource(s, name) })
		return nil
	})
	for _, stage := range stages {
		if err != nil {
			break
		}
		var newest []string
		newest, err = n.r.o.Rows.Successes(ctx, pipeline, stage, n.r.o.Policy.successes())
		for _, id := range newest {
			ids[id] = true
		}
	}
	if err != nil {
		return nil, fmt.Errorf("what %s needs: %w", pipeline, err)
	}
	if n.known == nil {
		n.known = map[string]need{}
	}
	n.known[pipeline] = need{seq, ids}
	return ids, nil
}
