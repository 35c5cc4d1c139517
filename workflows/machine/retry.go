package machine

import (
	"cmp"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// retry takes an execution up again in the stage where it failed or was
// stopped, with its own revisions, variables and artifacts.
func (d *decision) retry(in *workflows.Intent) error {
	e, err := d.find("execution", in.Execution)
	if err != nil {
		return err
	}
	st, err := d.retryable(e, in)
	if err != nil {
		return err
	}
	return d.takeUp(e, st, &event.Resumed{All: in.All})
}

// takeUp brings an execution back into the stage where it ended. A freeze lets rollbacks pass.
func (d *decision) takeUp(e *workflows.Execution, st *workflows.StageExecution, how *event.Resumed) error {
	if err := d.live(); err != nil {
		return err
	}
	if err := d.thawed(st.Name); err != nil && e.Type != workflows.TypeRollback {
		return err
	}
	if err := d.stillLatest(e, st.Name); err != nil {
		return err
	}
	if err := d.sameStages(e, st); err != nil {
		return err
	}
	if now := d.s.execution(e.ID); now == nil || now.Inside() == nil {
		if err := d.room(e.Type); err != nil {
			return err
		}
		if !d.free(e, st.Name) {
			return workflows.Refuse(workflows.CodeStageNotRetryable, "wait until it is free", "%s is not free for %s", st.Name, e.Ref())
		}
	}
	p, carried, err := d.version(e.Version)
	if err != nil {
		return err
	}
	how.Execution = *clone(e)
	ev := event.Event{Kind: event.ExecutionResumed, Execution: e.ID, Stage: st.Name, Resumed: how}
	if carried {
		ev.Under = p
	}
	d.emit(ev)
	return nil
}

// retryAutomatically takes a stage up again that has just failed, once.
func (d *decision) retryAutomatically(e *workflows.Execution, st *workflows.StageExecution, mode string) bool {
	if st.Retries != nil && st.Retries.Automatic > 0 {
		return false
	}
	d.emit(event.Event{Kind: event.StageResumed, Execution: e.ID, Stage: st.Name, Text: cmp.Or(mode, "FAILED_ACTIONS")})
	return true
}

// retryable finds the stage to take up again, or says why there is none.
func (d *decision) retryable(e *workflows.Execution, in *workflows.Intent) (*workflows.StageExecution, error) {
	no := func(hint, format string, args ...any) (*workflows.StageExecution, error) {
		return nil, workflows.Refuse(workflows.CodeStageNotRetryable, hint, format, args...)
	}
	if in.Stage != "" {
		if _, ok := e.Stage(in.Stage); !ok {
			return nil, workflows.Refuse(workflows.CodeStageNotFound, "see its stages with: status "+e.Ref(), "%s has no stage %s", e.Ref(), in.Stage)
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
		return no("wait, or stop it", "%s waits before %s: nothing has failed", e.Ref(), e.WaitsFor.Stage)
	case st == nil:
		return no("start a new execution", "%s ended while it waited between stages: nothing of it has failed", e.Ref())
	case in.Stage != "" && in.Stage != st.Name:
		return no("retry that one", "%s of %s has not failed; what can be retried is %s", in.Stage, e.Ref(), st.Name)
	case e.Stop != nil && !e.Status.Final():
		return no("wait until it has stopped", "%s is being stopped", e.Ref())
	}
	busy, failed := len(st.Open()), 0
	for _, a := range st.Actions {
		if a.Status == workflows.StatusFailed || a.Status == workflows.StatusAbandoned {
			failed++
		}
	}
	judging := slices.ContainsFunc(st.Conditions, func(c workflows.ConditionExecution) bool { return c.Status == workflows.StatusInProgress })
	switch {
	case busy > 0 && failed == 0:
		return no("wait until it has ended, or stop it", "%s of %s runs: nothing of it has failed", st.Name, e.Ref())
	case judging:
		return no("wait for its answer", "a condition of %s in %s is being evaluated", st.Name, e.Ref())
	case busy > 0 && in.All:
		return no("wait until it ends, or retry only what has failed", "actions of %s in %s still run", st.Name, e.Ref())
	}
	return st, nil
}

// stillLatest refuses when somebody else has entered the stage since. In
// PARALLEL mode the others do not matter, only a rollback does.
func (d *decision) stillLatest(e *workflows.Execution, stage string) error {
	latest := d.s.peek(stage).Latest
	if latest != nil && (latest.Execution == e.ID || d.s.definition().ExecutionMode == workflows.ModeParallel && latest.Type != workflows.TypeRollback) {
		return nil
	}
	newer := "another one"
	if latest != nil {
		newer = (&workflows.Execution{Pipeline: d.s.Name, Number: latest.Number}).Ref()
	}
	return workflows.Refuse(workflows.CodeNotLatest, "start a new execution with its revision, or roll back to one that worked",
		"%s has entered %s after %s", newer, stage, e.Ref())
}

// sameStages refuses to take up what an edit of the stages or the mode has made meaningless.
func (d *decision) sameStages(e *workflows.Execution, st *workflows.StageExecution) error {
	now := d.s.definition()
	_, kept := now.Stage(st.Name)
	same := slices.EqualFunc(e.Stages, now.Stages, func(had workflows.StageExecution, has workflows.Stage) bool { return had.Name == has.Name })
	if kept && (e.Type == workflows.TypeRollback || same && mode(e) == now.ExecutionMode) {
		return nil
	}
	return workflows.Refuse(workflows.CodeStageNotRetryable, "start a new execution",
		"the stages of %s were changed after %s had started", d.s.Name, e.Ref())
}
