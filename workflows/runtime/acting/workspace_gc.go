package acting

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Collector removes the run folders of this host that the last process left
// because it ended between an outcome and the removal. Whose folder it is stands
// in the folder; nothing needs to be remembered.
type Collector struct {
	Leftovers  Leftovers
	Runs       Runs
	Executions Executions
	Unfinished Unfinished
	Log        *slog.Logger
}

// Collect lists the folders, and has them removed by a function that it gives to
// in, which runs it in the background.
func (c Collector) Collect(ctx context.Context, in func(f func()) bool) error {
	left, err := c.Leftovers.Left(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	byExecution := map[string][]string{}
	for _, id := range left {
		execution, _, _ := strings.Cut(id, "/")
		byExecution[execution] = append(byExecution[execution], id)
	}
	in(func() {
		for execution, tasks := range byExecution {
			if err := c.release(ctx, execution, tasks); err != nil && ctx.Err() == nil {
				c.Log.Warn("run folders that an earlier run has left could not be removed", "executionId", execution, "err", err)
			}
		}
	})
	return nil
}

// release removes the run folders of an execution's tasks that are over. Those
// of an execution that the store does not know stay: they may be of another one.
func (c Collector) release(ctx context.Context, execution string, tasks []string) error {
	x, known, err := c.Executions.Execution(ctx, execution)
	if err != nil {
		return err
	}
	if !known {
		c.Log.Warn("run folders of an execution that the store does not know are left alone", "executionId", execution, "tasks", tasks)
		return nil
	}
	needed, err := c.needed(ctx, x.Pipeline)
	if err != nil {
		return err
	}
	for _, id := range tasks {
		if needed[id] {
			continue
		}
		if err := c.Runs.Release(work.Task{ID: id}); err != nil {
			return fmt.Errorf("remove the run folder of %s: %w", id, err)
		}
	}
	return nil
}

// needed are the attempts whose run folders are needed: those that are open,
// those in doubt, which somebody may want to inspect, and those whose cancel
// is not confirmed, because what goes on outside needs its folder.
func (c Collector) needed(ctx context.Context, pipeline string) (map[string]bool, error) {
	unfinished, err := c.Unfinished.Executions(ctx, pipeline)
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, x := range unfinished {
		for _, st := range x.Stages {
			for _, a := range st.AllActions() {
				if a.Status == workflows.StatusInProgress {
					needed[machine.TaskID(x.ID, st.Name, a.Name, a.Attempt)] = true
				}
			}
		}
	}
	tasks, err := c.Unfinished.Tasks(ctx, pipeline)
	for _, t := range tasks {
		needed[t.ID] = true
	}
	return needed, err
}
