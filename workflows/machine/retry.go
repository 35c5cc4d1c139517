package machine

import (
	"cmp"

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
	st, err := e.Retryable(in)
	if err != nil {
		return err
	}
	return d.resume(e, st, &event.Resumed{All: in.All})
}

// resume brings an execution back into the stage where it ended. A freeze lets rollbacks pass.
func (d *decision) resume(e *workflows.Execution, st *workflows.StageExecution, how *event.Resumed) error {
	if err := d.checkActive(); err != nil {
		return err
	}
	if err := d.checkFreeze(st.Name); err != nil && e.Type != workflows.TypeRollback {
		return err
	}
	if err := d.stillLatest(e, st.Name); err != nil {
		return err
	}
	if err := d.sameStages(e, st); err != nil {
		return err
	}
	if d.s.bridge() != nil {
		return d.inAWS().AskAbout(*d.in.Intent, e, st)
	}
	if now := d.s.execution(e.ID); now == nil || now.Inside() == nil {
		if err := d.checkLimits(e.Type); err != nil {
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
	if e.Continues(d.s.definition(), st.Name) && (d.s.bridge() == nil || e.Version == d.s.Version) {
		return nil
	}
	return workflows.Refuse(workflows.CodeStageNotRetryable, "start a new execution",
		"the stages of %s were changed after %s had started", d.s.Name, e.Ref())
}
