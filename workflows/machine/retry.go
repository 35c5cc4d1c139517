package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// retry takes an execution up again in the stage where it failed or was
// stopped, with its own revisions, variables and artifacts.
func (d *decision) retry(in *workflows.Intent) error {
	if err := d.live(); err != nil {
		return err
	}
	e, err := d.find("execution", in.Execution)
	if err != nil {
		return err
	}
	st, err := d.retryable(e, in)
	if err != nil {
		return err
	}
	if err := d.sameStages(e, st); err != nil {
		return err
	}
	p, carried, err := d.version(e.Version)
	if err != nil {
		return err
	}
	ev := event.Event{Kind: event.ExecutionResumed, Execution: e.ID, Stage: st.Name, Resumed: &event.Resumed{Execution: *clone(e), All: in.All}}
	if carried {
		ev.Under = p
	}
	d.emit(ev)
	return nil
}

// retryable finds the stage to take up again, or says why there is none.
func (d *decision) retryable(e *workflows.Execution, in *workflows.Intent) (*workflows.StageExecution, error) {
	no := func(hint, format string, args ...any) (*workflows.StageExecution, error) {
		return nil, refuse(workflows.CodeStageNotRetryable, hint, format, args...)
	}
	if in.Stage != "" {
		if _, ok := e.Stage(in.Stage); !ok {
			return nil, refuse(workflows.CodeStageNotFound, "", "%s has no stage %s", e.Ref(), in.Stage)
		}
	}
	switch e.Status {
	case workflows.StatusSuperseded, workflows.StatusCancelled, workflows.StatusSucceeded:
		return no("start a new execution", "%s is %s: there is nothing to retry", e.Ref(), e.Status)
	}
	var st *workflows.StageExecution
	for i := range e.Stages {
		if s := &e.Stages[i]; s.Status != workflows.StatusSucceeded && s.Status != workflows.StatusSkipped && s.Status != workflows.StatusNotStarted {
			st = s
		}
	}
	switch {
	case st == nil && e.WaitsFor != nil:
		return no("", "%s waits before %s: nothing has failed", e.Ref(), e.WaitsFor.Stage)
	case st == nil:
		return no("start a new execution", "%s ended while it waited between stages: nothing of it has failed", e.Ref())
	case in.Stage != "" && in.Stage != st.Name:
		return no("", "%s of %s has not failed; what can be retried is %s", in.Stage, e.Ref(), st.Name)
	case e.Stop != nil && !e.Status.Final():
		return no("wait until it has stopped", "%s is being stopped", e.Ref())
	}
	open, failed := 0, 0
	for _, a := range st.Actions {
		switch a.Status {
		case workflows.StatusInProgress:
			open++
		case workflows.StatusFailed, workflows.StatusAbandoned:
			failed++
		}
	}
	switch {
	case open > 0 && failed == 0:
		return no("", "%s of %s runs: nothing of it has failed", st.Name, e.Ref())
	case open > 0 && in.All:
		return no("wait until it ends, or retry only what has failed", "actions of %s in %s still run", st.Name, e.Ref())
	}
	if latest := d.s.peek(st.Name).Latest; latest == nil || latest.Execution != e.ID {
		return nil, d.outrun(e, st.Name, latest)
	}
	return st, nil
}

func (d *decision) outrun(e *workflows.Execution, stage string, latest *workflows.LatestIn) error {
	newer := "another one"
	if latest != nil {
		newer = (&workflows.Execution{Pipeline: d.s.Name, Number: latest.Number}).Ref()
	}
	return refuse(workflows.CodeNotLatest, "start a new execution with its revision, or roll back to one that worked",
		"%s has entered %s after %s", newer, stage, e.Ref())
}

// sameStages refuses to take up what an edit of the stages has made meaningless.
func (d *decision) sameStages(e *workflows.Execution, st *workflows.StageExecution) error {
	now := d.s.definition()
	_, kept := now.Stage(st.Name)
	if kept && (e.Type == workflows.TypeRollback || slices.EqualFunc(e.Stages, now.Stages,
		func(had workflows.StageExecution, has workflows.Stage) bool { return had.Name == has.Name })) {
		return nil
	}
	return refuse(workflows.CodeStageNotRetryable, "start a new execution",
		"the stages of %s were changed after %s had started", d.s.Name, e.Ref())
}
