package simulation

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// policyOf draws how long a world keeps things, in some for ever, and how few
// successes of a stage.
func policyOf(seed uint64) retention.Policy {
	dice := rand.New(rand.NewPCG(seed, 11))
	draw := func() retention.Age {
		return retention.Age([]time.Duration{0, 2 * time.Second, time.Minute, 20 * time.Minute, 6 * time.Hour}[dice.IntN(5)])
	}
	return retention.Policy{Executions: draw(), Artifacts: draw(), Successes: 1 + dice.IntN(3)}
}

// What retention asks of the disk.

func (q *port) Numbers(ctx context.Context, pipeline string, from, limit int) (all []record.Numbered, err error) {
	err = q.read("numbers "+pipeline, func() error { all, err = q.w.disk.Numbers(ctx, pipeline, from, limit); return err })
	return all, err
}

func (q *port) Successes(ctx context.Context, pipeline, stage string, limit int) (ids []string, err error) {
	err = q.read("successes "+pipeline+" "+stage, func() error { ids, err = q.w.disk.Successes(ctx, pipeline, stage, limit); return err })
	return ids, err
}

func (q *port) Ended(ctx context.Context, after string, limit int) (all []workflows.Execution, err error) {
	err = q.read("ended", func() error { all, err = q.w.disk.Ended(ctx, after, limit); return err })
	return all, err
}

func (q *port) Live(ctx context.Context, after string, limit int) (all []workflows.Execution, err error) {
	err = q.read("live", func() error { all, err = q.w.disk.Live(ctx, after, limit); return err })
	return all, err
}

func (m *memory) Numbers(_ context.Context, pipeline string, from, limit int) (all []record.Numbered, err error) {
	for i, id := range m.numbers[pipeline] {
		if id != "" && i+1 >= from && len(all) < limit {
			all = append(all, record.Numbered{Number: i + 1, Execution: id, Ended: m.executions[id].read().Status.Final()})
		}
	}
	return all, nil
}

func (m *memory) Successes(ctx context.Context, pipeline, stage string, limit int) (ids []string, err error) {
	all, err := m.Executions(ctx, record.Query{Pipeline: pipeline, SucceededInStage: stage, Limit: limit})
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids, err
}

func (m *memory) listed(after string, limit int, final bool) (all []workflows.Execution) {
	for _, id := range slices.Sorted(maps.Keys(m.executions)) {
		if e := m.executions[id].read(); id > after && e.Status.Final() == final && len(all) < limit {
			all = append(all, e)
		}
	}
	return all
}

func (m *memory) Ended(_ context.Context, after string, limit int) ([]workflows.Execution, error) {
	return m.listed(after, limit, true), nil
}

func (m *memory) Live(_ context.Context, after string, limit int) ([]workflows.Execution, error) {
	return m.listed(after, limit, false), nil
}

func (m *memory) remove(id string) {
	row := m.executions[id]
	if row == nil || !row.read().Status.Final() {
		return
	}
	e := row.read()
	delete(m.executions, id)
	m.numbers[e.Pipeline][e.Number-1] = ""
	for key := range m.successes {
		m.successes[key] = slices.DeleteFunc(m.successes[key], func(one string) bool { return one == id })
	}
}

// The files: artifacts alone.

// store keeps an artifact, which the process keeps until its task is released.
func (d desk) store(task, digest string) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if !d.p.dead {
		d.w.cellar[digest] = d.w.now()
		d.p.pins[task] = append(d.p.pins[task], digest)
	}
}

func (d desk) unpin(task string) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	delete(d.p.pins, task)
}

func (p *process) pinned(digest string) bool {
	for _, digests := range p.pins {
		if slices.Contains(digests, digest) {
			return true
		}
	}
	return false
}

func (q *port) Logs(context.Context) ([]work.Stored, error) { return nil, nil }
func (q *port) RemoveLogs(string) error                     { return nil }

func (q *port) HasArtifact(digest string) bool {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	_, ok := q.w.cellar[digest]
	return ok
}

func (q *port) Artifacts(context.Context) (all []work.Stored, err error) {
	err = q.read("artifacts", func() error {
		for _, digest := range slices.Sorted(maps.Keys(q.w.cellar)) {
			if q.p.pinned(digest) {
				continue
			}
			all = append(all, work.Stored{Name: digest, At: q.w.cellar[digest]})
		}
		return nil
	})
	return all, err
}

// RemoveArtifact removes what no task has stored that is not over.
func (q *port) RemoveArtifact(digest string, before time.Time) (removed bool, err error) {
	err = q.read("", func() error {
		at, ok := q.w.cellar[digest]
		if !ok || !at.Before(before) || q.p.pinned(digest) {
			return nil
		}
		q.w.ledger.unneeded(digest)
		delete(q.w.cellar, digest)
		removed = true
		return nil
	})
	return removed, err
}

// isRemoved says whether retention has removed an execution.
func (w *world) isRemoved(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ledger.removed[id]
}

// What may be removed, by what the log says and nothing else. w.mu is held.

func has(x workflows.Execution, digest string) bool {
	for _, a := range x.Artifacts {
		if a.Digest == digest {
			return true
		}
	}
	return false
}

// needs says why an ended execution must stay; empty: it need not.
func (b *book) needs(id string, successes int) string {
	for stage, runs := range b.running {
		if runs == id && !b.definition().IsSource(stage) {
			return "it runs in " + stage
		}
	}
	for stage, ids := range b.succeeded {
		if !b.definition().IsSource(stage) && slices.Contains(ids[max(0, len(ids)-successes):], id) {
			return "it is one of the last successes of " + stage
		}
	}
	for _, x := range b.state.Unfinished() {
		if x.Rollback != nil && x.Rollback.Target == id {
			return x.Ref() + " goes back to it"
		}
	}
	return ""
}

// unneeded judges the removal of an artifact.
func (l *ledger) unneeded(digest string) {
	for _, b := range l.books {
		for _, x := range b.state.Unfinished() {
			if has(x, digest) {
				l.violated("no artifact goes that is needed", "%s of %s, which has not ended", digest, x.Ref())
			}
		}
		for id, x := range b.archive {
			if why := b.needs(id, l.w.keeps.Successes); why != "" && has(x, digest) {
				l.violated("no artifact goes that is needed", "%s of %s: %s", digest, x.Ref(), why)
			}
		}
	}
}

// removals judges what a commit removes.
func (l *ledger) removals(c *runtime.Commit) {
	for _, e := range c.Executions {
		delete(l.removed, e.ID)
	}
	for _, id := range c.Removed {
		for _, b := range l.books {
			x, ended := b.archive[id]
			if _, back := b.state.Execution(id); !ended || back {
				continue // it stays
			}
			if why := b.needs(id, l.w.keeps.Successes); why != "" {
				l.violated("no execution goes that is needed", "%s: %s", x.Ref(), why)
			}
			if latest := time.Now().Add(l.w.ahead); x.EndedAt == nil || latest.Sub(*x.EndedAt) < time.Duration(l.w.keeps.Executions) {
				l.violated("nothing goes before it is old", "%s ended at %v", x.Ref(), x.EndedAt)
			}
			l.removed[id] = true
		}
	}
}

// old checks that what is old and not needed has gone.
func (w *world) old() {
	age := time.Duration(w.keeps.Executions)
	for _, name := range w.names {
		b := w.ledger.book(name)
		needed := retention.Needed(b.state, w.keeps.Successes)
		for _, ids := range b.succeeded { // by number too, as the index has them
			ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return w.ledger.removed[id] })
			slices.SortFunc(ids, func(x, y string) int { return cmp.Compare(slices.Index(b.numbers, x), slices.Index(b.numbers, y)) })
			for _, id := range ids[max(0, len(ids)-w.keeps.Successes):] {
				needed[id] = true
			}
		}
		for id, x := range b.archive {
			if age > 0 && !w.ledger.removed[id] && !needed[id] && b.needs(id, w.keeps.Successes) == "" && w.now().Sub(*x.EndedAt) > age+2*time.Minute {
				w.violated("what is old goes", "%s ended at %s", x.Ref(), x.EndedAt)
			}
		}
	}
}
