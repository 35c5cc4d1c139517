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

// sweepRuns removes the run folders that the last run left because it ended
// between an outcome and the removal. A folder that is gone already is no matter.
func (e *Engine) sweepRuns(ctx context.Context) {
	if err := e.trySweepRuns(ctx); err != nil && ctx.Err() == nil {
		e.log.Warn("run folders that an earlier run left could not be looked for", "err", err)
	}
}

func (e *Engine) trySweepRuns(ctx context.Context) error {
	head, err := e.feed.head(ctx)
	if err != nil {
		return err
	}
	frames, err := e.o.History.Feed(ctx, max(head, lookBack)-lookBack, lookBack)
	if err != nil {
		return err
	}
	over := map[string][]work.Task{} // by pipeline
	for _, f := range frames {
		for _, ev := range f.Events {
			switch ev.Kind {
			case event.ActionSucceeded, event.ActionFailed, event.ActionAbandoned:
				over[f.Pipeline] = append(over[f.Pipeline], work.Task{
					ID: machine.TaskID(ev.Execution, ev.Stage, ev.Action, ev.Attempt), Pipeline: f.Pipeline,
					Execution: ev.Execution, Stage: ev.Stage, Attempt: ev.Attempt, Action: workflows.Action{Name: ev.Action},
				})
			}
		}
	}
	for pipeline, tasks := range over {
		open := map[string]bool{} // a cancel that is not confirmed needs its folder
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
	}
	return nil
}
