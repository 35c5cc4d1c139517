package metrics

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Log is what was committed.
type Log interface {
	// Head is the position of the newest frame.
	Head(ctx context.Context) (uint64, error)
	// Feed returns frames after a position; it blocks until there is one, or ctx ends.
	Feed(ctx context.Context, viewer workflows.Principal, after uint64, limit int) ([]event.Frame, error)
}

// Rows are executions as they were last written down, which may be a while ago.
type Rows interface {
	Execution(ctx context.Context, id string) (e workflows.Execution, ok bool, err error)
}

// Follow returns what counts everything that is committed from now on, until its context ends.
func (m *Metrics) Follow(ctx context.Context, log Log, rows Rows) (run func(context.Context) error, err error) {
	at, err := log.Head(ctx)
	if err != nil {
		return nil, err
	}
	c := newCounter(m, rows)
	return func(ctx context.Context) error {
		for failures := 0; ctx.Err() == nil; {
			frames, err := log.Feed(ctx, workflows.EnginePrincipal(), at, 0)
			if err != nil {
				if ctx.Err() == nil {
					m.log.Debug("the feed could not be read for the metrics; it is tried again", "err", err)
					pause(ctx, work.Backoff(failures))
				}
				failures++
				continue
			}
			failures = 0
			for i := range frames {
				c.frame(ctx, &frames[i])
				at = frames[i].Feed
			}
		}
		return nil
	}, nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// counter counts events, one after the other.
type counter struct {
	*Metrics
	rows Rows
	live map[string]*live // unfinished executions, by ID

	shapes map[uint64]*shape // by their hash
	seed   maphash.Seed
}

func newCounter(m *Metrics, rows Rows) *counter {
	return &counter{Metrics: m, rows: rows, live: map[string]*live{}, shapes: map[uint64]*shape{}, seed: maphash.MakeSeed()}
}

func (c *counter) frame(ctx context.Context, f *event.Frame) {
	for i := range f.Events {
		c.event(ctx, f.Pipeline, &f.Events[i])
	}
}

func (c *counter) event(ctx context.Context, pipeline string, e *event.Event) {
	switch e.Kind {
	case event.ExecutionStarted:
		c.begin(e.Started, e.At)
		if e.Started.Rollback != nil {
			trigger := "manual"
			if e.Started.Trigger.Type == workflows.TriggerAutomated {
				trigger = "automatic"
			}
			c.rollbacks.WithLabelValues(pipeline, trigger).Inc()
		}
	case event.ExecutionResumed:
		c.begin(&e.Resumed.Execution, e.At)
	case event.ExecutionSucceeded:
		c.end(ctx, pipeline, e, workflows.StatusSucceeded)
	case event.ExecutionFailed:
		c.end(ctx, pipeline, e, workflows.StatusFailed)
	case event.ExecutionStopped:
		c.end(ctx, pipeline, e, workflows.StatusStopped)
	case event.ExecutionSuperseded:
		c.end(ctx, pipeline, e, workflows.StatusSuperseded)
	case event.ExecutionCancelled:
		c.end(ctx, pipeline, e, workflows.StatusCancelled)
	case event.IntentRefused:
		c.refusals.WithLabelValues(e.Refused.Problem.Code).Inc()
	default:
		c.action(ctx, pipeline, e)
	}
}

func (c *counter) action(ctx context.Context, pipeline string, e *event.Event) {
	switch e.Kind {
	case event.ActionStarted, event.GateOpened:
		if l := c.of(ctx, e.Execution); l != nil {
			l.open(e.Stage, e.Action, e.At)
		}
	case event.ActionSucceeded:
		c.actionEnded(ctx, e, workflows.StatusSucceeded)
	case event.ActionFailed:
		c.actionEnded(ctx, e, workflows.StatusFailed)
	case event.ActionAbandoned:
		c.actionEnded(ctx, e, workflows.StatusAbandoned)
	case event.ActionInDoubt:
		c.doubts.WithLabelValues(pipeline).Inc()
	case event.GateClosed:
		if l := c.of(ctx, e.Execution); l != nil {
			if opened, ok := l.close(e.Stage, e.Action); ok {
				c.gateSeconds.WithLabelValues(e.Text).Observe(e.At.Sub(opened).Seconds())
			}
		}
	}
}

func (c *counter) actionEnded(ctx context.Context, e *event.Event, status workflows.Status) {
	if l := c.of(ctx, e.Execution); l != nil {
		if began, ok := l.close(e.Stage, e.Action); ok {
			c.actionSeconds.WithLabelValues(l.provider(e.Stage, e.Action), string(status)).Observe(e.At.Sub(began).Seconds())
		}
	}
}

func (c *counter) end(ctx context.Context, pipeline string, e *event.Event, status workflows.Status) {
	c.executions.WithLabelValues(pipeline, string(status)).Inc()
	if l := c.of(ctx, e.Execution); l != nil {
		c.executionSeconds.WithLabelValues(string(status)).Observe(e.At.Sub(l.began).Seconds())
	}
	delete(c.live, e.Execution)
}
