package jira

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// group is what waits together: the failures of one kind, in the order in which
// they happened, or one success.
type group struct {
	jobs     []*job
	pipeline *workflows.Pipeline // its definition in force
}

func (g *group) kind() string     { return g.jobs[0].Kind }
func (g *group) last() *job       { return g.jobs[len(g.jobs)-1] }
func (g *group) first() time.Time { return g.jobs[0].at() }
func (g *group) tried() bool {
	return slices.ContainsFunc(g.jobs, func(j *job) bool { return j.Tried })
}
func (g *group) stage() string   { return g.jobs[0].Stage }
func (g *group) has(j *job) bool { return slices.Contains(g.jobs, j) }
func (g *group) is(of *job) bool {
	return of.Kind == failed && g.kind() == failed && g.id() == idOf(of)
}
func (g *group) id() string { return idOf(g.jobs[0]) }
func idOf(j *job) string    { return j.Stage + "\x00" + j.Action + "\x00" + j.Print }

// lead is the failure from which a new ticket is written: the first and, when Jira
// failed at that or wants something mended for it, the newest in turn.
func (g *group) lead() *job {
	if form := g.jobs[0]; (form.Denied+form.ServerFailures)%2 == 1 {
		return g.last()
	}
	return g.jobs[0]
}

// groups puts together what waits, in the order in which it began. What can be of
// no use any more is in none: its execution is gone, or nothing says what failed.
func (t *Tickets) groups(ctx context.Context, q *queue) ([]*group, error) {
	var all []*group
	for _, j := range q.Jobs {
		if ok, err := t.prepare(ctx, j); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		i := slices.IndexFunc(all, func(g *group) bool { return g.is(j) })
		if i < 0 {
			all = append(all, &group{jobs: []*job{j}})
			continue
		}
		all[i].jobs = append(all[i].jobs, j)
	}
	for _, g := range all {
		for _, j := range g.jobs[min(1, len(g.jobs)-1):max(len(g.jobs)-1, 0)] {
			j.lighten()
		}
	}
	return all, nil
}

// prepare reads the job's execution, and says of what kind a failure is; false:
// there is nothing to be done.
func (t *Tickets) prepare(ctx context.Context, j *job) (bool, error) {
	if found, err := t.loadExecution(ctx, j); !found {
		return false, err
	}
	if j.Kind != failed {
		return true, nil
	}
	if !j.addFromExecution() {
		t.Log.With(j.about()...).Warn("a failed execution gets no ticket: nothing says which stage failed")
		return false, nil
	}
	if j.Print == "" {
		j.Print = printOf(j.Reason, j.execution)
	}
	return true, nil
}

// process does what a group asks for. away is set when Jira was found away a moment ago.
func (t *Tickets) process(ctx context.Context, g *group, away error) error {
	if g.kind() == recovered {
		return t.reportSuccess(ctx, g.jobs[0])
	}
	wanted, err := t.wantsTicket(ctx, g)
	if err != nil || !wanted {
		return err
	}
	if err := t.reportFailures(ctx, g, away); err != nil {
		return fmt.Errorf("the ticket of %s: %w", g.jobs[0].execution.Ref(), err)
	}
	return nil
}

// wantsTicket says whether the failures' stage gets tickets, by the definition in force.
func (t *Tickets) wantsTicket(ctx context.Context, g *group) (bool, error) {
	name := g.jobs[0].execution.Pipeline
	view, err := t.Reader.Pipeline(ctx, workflows.EnginePrincipal(), name, 0)
	if notFound(err) || err == nil && view.Definition == nil {
		return false, nil
	}
	if err != nil {
		return false, &ownError{fmt.Errorf("reading pipeline %s: %w", name, err)}
	}
	g.pipeline = view.Definition
	if s, ok := view.Stage(g.stage()); ok {
		for _, j := range g.jobs {
			j.runs = s.Running
		}
	}
	if p := g.pipeline.Ticket; p != nil && len(p.Stages) > 0 {
		return slices.Contains(p.Stages, g.stage()), nil
	}
	st, ok := g.pipeline.Stage(g.stage())
	return ok && st.Environment != "", nil
}

// wait says on executions whose failures joined a kind that waits that they wait as well.
func (t *Tickets) wait(ctx context.Context, g *group) error {
	text := textAway
	for _, j := range g.jobs {
		text = or(j.waiting(), text)
		if j.waiting() == "" {
			if err := t.annotate(ctx, j, "waiting", text, ""); err != nil {
				return err
			}
		}
		j.Tried = true
	}
	return nil
}
