package workflows

import (
	"cmp"
	"slices"
)

// Retryable finds the stage that a retry takes up again, by what the execution
// itself says, or refuses and says why there is none.
func (e *Execution) Retryable(in *Intent) (*StageExecution, error) {
	no := func(hint, format string, args ...any) (*StageExecution, error) {
		return nil, Refuse(CodeStageNotRetryable, hint, format, args...)
	}
	if in.Stage != "" {
		if _, ok := e.Stage(in.Stage); !ok {
			return nil, Refuse(CodeStageNotFound, "see its stages with: status "+e.Ref(), "%s has no stage %s", e.Ref(), in.Stage)
		}
	}
	switch e.Status {
	case StatusSuperseded, StatusCancelled, StatusSucceeded:
		return no("start a new execution", "%s is %s: there is nothing to retry", e.Ref(), e.Status)
	}
	var st *StageExecution
	for i := range e.Stages {
		if s := &e.Stages[i]; s.Status != StatusSucceeded && s.Status != StatusSkipped && s.Status != StatusNotStarted {
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
	busy := len(st.Open())
	_, failed := st.Next()
	judging := slices.ContainsFunc(st.Conditions, func(c ConditionExecution) bool { return c.Status == StatusInProgress })
	switch {
	case busy > 0 && !failed:
		return no("wait until it has ended, or stop it", "%s of %s runs: nothing of it has failed", st.Name, e.Ref())
	case judging:
		return no("wait for its answer", "a condition of %s in %s is being evaluated", st.Name, e.Ref())
	case busy > 0 && in.All:
		return no("wait until it ends, or retry only what has failed", "actions of %s in %s still run", st.Name, e.Ref())
	}
	return st, nil
}

// Continues says whether the execution can be taken up in a stage under the
// definition in force: an edit of the stages or the mode makes that meaningless.
func (e *Execution) Continues(now *Pipeline, stage string) bool {
	if _, kept := now.Stage(stage); !kept {
		return false
	}
	same := slices.EqualFunc(e.Stages, now.Stages, func(had StageExecution, has Stage) bool { return had.Name == has.Name })
	return e.Type == TypeRollback || same && cmp.Or(e.Mode, ModeSuperseded) == now.ExecutionMode
}
