package runtime

import (
	"context"
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// lookBack is how many of the newest frames are searched for work that had
// ended when the last run did: more than can be committed while a folder goes.
const lookBack = 512

// sweepRuns removes, in the background, the run folders that the last run left
// because it ended between an outcome and the removal. A folder that is gone
// already is no matter, so nothing but the log needs to be known.
func (e *Engine) sweepRuns(ctx context.Context) error {
	head, err := e.feed.head(ctx)
	if err != nil {
		return err
	}
	frames, err := e.o.History.Feed(ctx, max(head, lookBack)-lookBack, lookBack)
	if err != nil || len(frames) == 0 {
		return err
	}
	e.crew.do(func() {
		for pipeline, tasks := range over(frames) {
			if err := e.release(ctx, pipeline, tasks); err != nil && ctx.Err() == nil {
				e.log.Warn("run folders that an earlier run has left could not be removed", "pipeline", pipeline, "err", err)
			}
		}
	})
	return nil
}

// over lists the attempts that have ended, by pipeline.
func over(frames []event.Frame) map[string][]work.Task {
	tasks := map[string][]work.Task{}
	for _, f := range frames {
		for _, ev := range f.Events {
			switch ev.Kind {
			case event.ActionSucceeded, event.ActionFailed, event.ActionAbandoned:
				tasks[f.Pipeline] = append(tasks[f.Pipeline], work.Task{
					ID: machine.TaskID(ev.Execution, ev.Stage, ev.Action, ev.Attempt), Pipeline: f.Pipeline,
					Execution: ev.Execution, Stage: ev.Stage, Attempt: ev.Attempt, Action: workflows.Action{Name: ev.Action},
				})
			}
		}
	}
	return tasks
}

// release removes the run folders of tasks, except of those whose cancel is not
// confirmed: what goes on outside needs its folder.
func (e *Engine) release(ctx context.Context, pipeline string, tasks []work.Task) error {
	open := map[string]bool{}
	err := e.replicas.look(ctx, pipeline, func(s *machine.State) error {
		for _, t := range s.Tasks() {
			open[t.ID] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if open[t.ID] {
			continue
		}
		if err := e.o.Blobs.Release(t); err != nil {
			return fmt.Errorf("remove the run folder of %s: %w", t.ID, err)
		}
	}
	return nil
}
