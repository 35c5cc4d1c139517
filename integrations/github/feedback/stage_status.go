package feedback

import (
	"context"
	"net/url"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// stageKey is the memo of a stage's status. No pipeline's name has a slash.
func stageKey(repository, sha, pipeline, stage string) string {
	return statusKey(repository, sha, pipeline) + "/" + url.PathEscape(stage)
}

// postStages posts one status for each stage that the execution has entered,
// context "rollcall/PIPELINE/STAGE". Where check runs show the stages, only
// those statuses are kept that a commit has already.
func (s *Statuses) postStages(ctx context.Context, e *workflows.Execution, c commitRef) error {
	checks := false
	if s.Checks != nil {
		var err error
		if checks, err = s.Checks(ctx); err != nil {
			return &refusal{"asking which permissions the app has on", c.repository(), err}
		}
	}
	for i := range e.Stages {
		st := &e.Stages[i]
		line := statusLine{key: stageKey(c.repository(), c.sha, e.Pipeline, st.Name), context: "rollcall/" + e.Pipeline + "/" + st.Name}
		if !entered(st) && !steppedBack(st) {
			continue
		}
		var last postedStatus
		if err := s.read(ctx, line.key, &last); err != nil {
			return err
		}
		if checks && last.Number == 0 { // it has none yet
			continue
		}
		line.now.State, line.now.Description = stageStatus(e, st)
		if _, err := s.postLine(ctx, e, c, line); err != nil {
			return err
		}
	}
	return nil
}

// steppedBack says whether the execution has left the stage again, for a
// rollback, and waits before it: of what it did there the attempts are left.
func steppedBack(s *workflows.StageExecution) bool {
	return s.Status == workflows.StatusNotStarted && slices.ContainsFunc(s.Actions, func(a workflows.ActionExecution) bool { return a.Attempt > 0 })
}

// stageStatus puts an execution in a stage into a commit status.
func stageStatus(e *workflows.Execution, s *workflows.StageExecution) (state, description string) {
	f := &say.Format{}
	state, description = statePending, string(say.Stage(e, s))
	switch s.Status {
	case workflows.StatusSucceeded:
		state, description = stateSuccess, approvedBy(f, s)
	case workflows.StatusSkipped:
		state = stateSuccess
	case workflows.StatusFailed:
		state, description = failedState(f, e, s)
		if state == stateInactive {
			state = stateFailure // not approved
		}
	case workflows.StatusStopped, workflows.StatusCancelled, workflows.StatusAbandoned, workflows.StatusSuperseded:
		state = stateError
	}
	if e.Status.Final() && state == statePending {
		state, description = stateError, f.Ended(e)
	}
	return state, words.Cut(clean.Line(description), maxDescription)
}
