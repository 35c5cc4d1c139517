package acting

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// runnerOf is the runner of a kind of action; nil: there is none.
func (t *Tasks) runnerOf(kind workflows.ActionType) Runner {
	if r := t.o.Runners[kind.Category+"/"+kind.Provider]; r != nil {
		return r
	}
	return t.o.Runners[kind.Provider]
}

// trackedWorkspace is a workspace that notes that its run folder was asked for, or something
// stored: then there is something to release.
type trackedWorkspace struct {
	work.Workspace
	asked *atomic.Bool
}

// Dir is the run folder.
func (s trackedWorkspace) Dir() string {
	s.asked.Store(true)
	return s.Workspace.Dir()
}

// Pack stores an artifact, which is kept from retention until the task is released.
func (s trackedWorkspace) Pack(name, dir string, globs []string) (workflows.Artifact, error) {
	s.asked.Store(true)
	return s.Workspace.Pack(name, dir, globs)
}

// ask calls the runner as the task's kind says. before: the start was called earlier, or may have been.
func (t *Tasks) ask(ctx context.Context, task work.Task, before bool, folder *atomic.Bool) (o work.Outcome, err error) {
	provider := task.Action.ActionType.Provider
	defer func() {
		if fault := recover(); fault != nil {
			t.o.Log.With(about(&task)...).Error("a runner panicked", "task", task.ID, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("the runner of %s panicked: %v", provider, fault)
		}
	}()
	runner := t.runnerOf(task.Action.ActionType)
	if runner == nil {
		return outcome(work.Failed, "ConfigurationInvalid", fmt.Sprintf("nothing here carries out actions of the provider %s; it may be switched off in the configuration", provider)), nil
	}
	if task.Kind == work.Cancel && !before {
		return work.Outcome{State: work.Cancelled, Summary: "it had not begun"}, nil
	}
	workspace, err := t.o.Runs.Workspace(task)
	if err != nil {
		return o, fmt.Errorf("prepare the run folder: %w", err)
	}
	space := trackedWorkspace{workspace, folder}
	switch task.Kind {
	case work.Start:
		return start(ctx, runner, task, space, before)
	case work.Poll:
		return runner.Poll(ctx, task, space)
	case work.Cancel:
		return runner.Cancel(ctx, task, space)
	}
	return o, fmt.Errorf("no runner knows tasks of the kind %q", task.Kind)
}

// start begins the work, unless it may have begun before: then it is looked up
// first, and where that is impossible it is in doubt, never repeated blindly.
func start(ctx context.Context, runner Runner, task work.Task, space work.Workspace, before bool) (work.Outcome, error) {
	if finder, ok := runner.(Finder); ok && before {
		found, ok, err := finder.Find(ctx, task, space)
		if err != nil || ok {
			return found, err
		}
	} else if before && !task.Restartable {
		return outcome(work.InDoubt, "InDoubt", "rollcall was interrupted while it started this action, and cannot find out whether it runs"), nil
	}
	return runner.Start(ctx, task, space)
}

func outcome(state, code, message string) work.Outcome {
	return work.Outcome{State: state, Error: &workflows.Reason{Code: code, Message: message}}
}
