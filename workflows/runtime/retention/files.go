package retention

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/identity"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// share is how long marking rests for the time it took: it reads all executions.
const share = 50

// removeLogs removes the logs of executions that ended long enough ago, and of
// those that are gone. Where logs are kept for ever, only the latter.
func (r *Retention) removeLogs(ctx context.Context, now time.Time) (next look, err error) {
	all, err := r.o.Files.Logs(ctx)
	if err != nil {
		return next, err
	}
	age := r.o.Policy.Logs
	if age == 0 {
		age = r.o.Policy.Executions
	}
	removed := 0
	for _, one := range all {
		begun, ok := identity.Time(one.Name)
		if !ok || age == 0 {
			continue // not ours
		}
		if due := age.After(begun); due.After(now) {
			next.at = earlier(next.at, due)
			break // those behind it began later
		}
		due, err := r.logsDue(ctx, one.Name, age.After(one.At))
		if err != nil {
			return next, err
		}
		if due.IsZero() || due.After(now) {
			next.at = earlier(next.at, due)
			continue
		}
		if err := r.o.Files.RemoveLogs(one.Name); err != nil {
			return next, err
		}
		if removed++; removed%atOnce == 0 {
			r.rest(ctx, 0)
		}
		if ctx.Err() != nil {
			return next, ctx.Err()
		}
	}
	if r.o.Policy.Logs == 0 {
		next.at = time.Time{} // those that a crash left are looked for at the start
	}
	if removed > 0 {
		r.o.Log.Info("retention removed logs", "executions", removed, "logs", age.String())
	}
	return next, nil
}

// logsDue is when an execution's logs can go; the zero time: not before it ends,
// or never. stale is when those of one that is gone can.
func (r *Retention) logsDue(ctx context.Context, id string, stale time.Time) (time.Time, error) {
	x, ok, err := r.o.Rows.Execution(ctx, id)
	switch {
	case err != nil:
		return time.Time{}, err
	case !ok:
		return stale, nil
	case !x.Status.Final():
		return time.Time{}, nil
	}
	return r.o.Policy.Logs.After(endOf(&x)), nil
}

// removeArtifacts marks and sweeps. Those that have not ended are marked first,
// then those that have: what ends meanwhile is seen once at least. What is taken
// up again meanwhile is reserved; what is stored again is newer than now.
func (r *Retention) removeArtifacts(ctx context.Context, now time.Time) (next look, err error) {
	r.reserved.mark(now, true)
	defer r.reserved.mark(now, false)
	all, err := r.o.Files.Artifacts(ctx)
	if err != nil {
		return next, err
	}
	m := marking{r: r, now: now, unused: map[string]bool{}, needs: needs{r: r}}
	for _, one := range all {
		if due := r.o.Policy.Artifacts.After(one.At); due.After(now) {
			m.next.at = earlier(m.next.at, due)
		} else {
			m.unused[one.Name] = true
		}
	}
	if len(m.unused) > 0 {
		err = m.live(ctx)
	}
	if err == nil && len(m.unused) > 0 {
		err = m.ended(ctx)
	}
	if err != nil {
		return next, fmt.Errorf("look at what refers to artifacts: %w", err)
	}
	if rested := r.o.Now().Add(share * m.took); !m.next.at.IsZero() && m.next.at.Before(rested) {
		m.next.at = rested
	}
	left, err := r.sweep(ctx, m.unused, now)
	if left {
		m.next.at = earlier(m.next.at, r.o.Now().Add(whileKept))
	}
	return m.next, err
}

// sweep removes what is unused. left says that something was reserved, or stored again.
func (r *Retention) sweep(ctx context.Context, unused map[string]bool, now time.Time) (left bool, err error) {
	removed := 0
	for _, digest := range slices.Sorted(maps.Keys(unused)) {
		gone, err := r.removeArtifact(ctx, digest, now)
		if err != nil {
			return true, err
		}
		if !gone {
			left = true
			continue
		}
		if removed++; removed%atOnce == 0 {
			r.rest(ctx, 0)
		}
	}
	if removed > 0 {
		r.o.Log.Info("retention removed artifacts", "count", removed, "artifacts", r.o.Policy.Artifacts.String())
	}
	return left, nil
}

func (r *Retention) removeArtifact(ctx context.Context, digest string, now time.Time) (bool, error) {
	if err := r.reserved.lock(ctx); err != nil {
		return false, err
	}
	defer r.reserved.unlock()
	if r.reserved.has(digest) {
		return false, nil
	}
	return r.o.Files.RemoveArtifact(digest, r.o.Policy.Artifacts.Before(now).Add(1)) // exactly so old is old enough
}

// marking finds out which artifacts nothing needs.
type marking struct {
	r      *Retention
	now    time.Time
	unused map[string]bool // digests and places of which no need is known yet
	needs  needs
	next   look
	took   time.Duration // to read what has ended
}

// keep takes an execution's artifacts off the unused ones.
func (m *marking) keep(x *workflows.Execution) {
	for _, a := range x.Artifacts {
		delete(m.unused, a.Digest)
		delete(m.unused, a.Place())
	}
}

// live marks what executions refer to that have not ended.
func (m *marking) live(ctx context.Context) error {
	pipelines := map[string]bool{}
	for after := ""; ; {
		page, err := m.r.o.Rows.Live(ctx, after, atOnce)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			after, pipelines[page[i].Pipeline] = page[i].ID, true
			m.keep(&page[i])
		}
	}
	for name := range pipelines { // the rows may be behind
		if len(m.unused) == 0 {
			return nil
		}
		err := m.r.o.States.Read(ctx, name, func(s *machine.State) error {
			for _, x := range s.Executions {
				m.keep(x)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ended marks what executions refer to that have ended, where they are needed or young.
func (m *marking) ended(ctx context.Context) error {
	for after := ""; len(m.unused) > 0; {
		began := m.r.o.Now()
		page, err := m.r.o.Rows.Ended(ctx, after, atOnce)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			x := &page[i]
			after = x.ID
			if !refersTo(x, m.unused) {
				continue
			}
			needed, err := m.needs.of(ctx, x.Pipeline)
			if err != nil {
				return err
			}
			due := m.r.o.Policy.Artifacts.After(endOf(x))
			switch {
			case needed[x.ID]:
				m.keep(x)
				m.next.kept = true
			case due.After(m.now):
				m.keep(x)
				m.next.at = earlier(m.next.at, due)
			}
		}
		took := m.r.o.Now().Sub(began)
		m.took += took
		m.r.rest(ctx, took/4)
	}
	return ctx.Err()
}
