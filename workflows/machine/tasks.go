package machine

import (
	"cmp"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/alarm"
	"github.com/rollcall-bot/rollcall/workflows/vars"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Tasks says what the outside must do now: start, poll or cancel. It is made
// from the state alone, so after a restart it is the same.
func (s *State) Tasks() []work.Task {
	if b := s.bridge(); b != nil {
		return s.Bridge.Tasks(s.Name, b)
	}
	var tasks []work.Task
	s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		if a.Needs == "" && !a.Waits() {
			if tasks == nil {
				tasks = make([]work.Task, 0, len(st.Actions))
			}
			task, _ := s.task(e, st, a)
			tasks = append(tasks, task)
		}
	})
	s.eachWatched(func(_ string, def *workflows.Stage, runs *workflows.Running) {
		tasks = append(tasks, alarm.Tasks(s.definition(), def, runs)...)
	})
	return append(tasks, slices.Clone(s.Orphans)...)
}

// task lays out an attempt for its runner. The reason says why it cannot run:
// a variable that nobody set, an artifact that is not there.
func (s *State) task(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) (work.Task, *workflows.Reason) {
	def := s.actionOf(e, st.Name, a.Name)
	t := work.Task{
		ID: TaskID(e.ID, st.Name, a.Name, a.Attempt), Kind: work.Start,
		Pipeline: s.Name, Execution: e.ID, Number: e.Number, Stage: st.Name, Attempt: a.Attempt,
		Action: *def, Handle: a.Handle, Host: a.Host, Restartable: def.Restartable,
		PipelineRole: s.under(e).RoleArn,
	}
	if cmp.Or(t.PipelineRole, def.RoleArn) != "" {
		t.For = cmp.Or(e.Trigger.By.Email, e.Trigger.By.Name)
	}
	switch {
	case a.Cancelling:
		t.Kind = work.Cancel
	case a.Handle != "":
		t.Kind = work.Poll
	case a.After != nil:
		t.After = *a.After
	}
	if a.Deadline != nil {
		t.Deadline = *a.Deadline
	}
	if missing := t.Supply(e); missing != "" {
		return t, &workflows.Reason{Code: reasonArtifactMissing, Message: "the artifact " + missing + " is not there: nothing that ran before has left it"}
	}
	if err := vars.FillTask(&t, e); err != nil {
		return t, &workflows.Reason{Code: reasonConfiguration, Message: err.Error()}
	}
	return t, nil
}
