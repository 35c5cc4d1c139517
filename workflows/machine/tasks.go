package machine

import (
	"maps"
	"slices"
	"strconv"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/vars"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Tasks says what the outside must do now: start, poll or cancel. It is made
// from the state alone, so after a restart it is the same.
func (s *State) Tasks() []work.Task {
	var tasks []work.Task
	s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		if a.Needs == "" && !a.Waits() {
			task, _ := s.task(e, st, a)
			tasks = append(tasks, task)
		}
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
		Action: *def, Handle: a.Handle, Restartable: def.Restartable,
	}
	switch {
	case a.Cancelling:
		t.Kind = work.Cancel
	case a.Handle != "":
		t.Kind = work.Poll
	}
	if a.Deadline != nil {
		t.Deadline = *a.Deadline
	}
	if def.IsSource() {
		if i := slices.IndexFunc(e.SourceRevisions, func(r workflows.SourceRevision) bool { return r.ActionName == a.Name }); i >= 0 {
			r := e.SourceRevisions[i]
			t.Revision = &r
		}
	}
	for _, name := range def.InputArtifacts {
		artifact, ok := e.Artifacts[name]
		if !ok {
			return t, &workflows.Reason{Code: reasonArtifactMissing, Message: "the artifact " + name + " is not there: nothing that ran before has left it"}
		}
		t.Inputs = append(t.Inputs, artifact)
	}
	if err := fill(&t, e); err != nil {
		return t, &workflows.Reason{Code: reasonConfiguration, Message: err.Error()}
	}
	return t, nil
}

// fill resolves the variables of a task.
func fill(t *work.Task, e *workflows.Execution) (err error) {
	value := func(r vars.Ref) (string, bool) { return e.Value(r.Namespace, r.Key) }
	if t.Configuration, err = vars.Fill(t.Action.Configuration, value); err != nil {
		return err
	}
	env := make(map[string]string, len(t.Action.EnvironmentVariables))
	for _, v := range t.Action.EnvironmentVariables {
		env[v.Name] = v.Value
	}
	if t.Environment, err = vars.Fill(env, value); err != nil {
		return err
	}
	maps.Copy(t.Environment, map[string]string{
		"ROLLCALL_EXECUTION_ID": e.ID,
		"ROLLCALL_EXECUTION":    e.Ref(),
		"ROLLCALL_PIPELINE":     t.Pipeline,
		"ROLLCALL_STAGE":        t.Stage,
		"ROLLCALL_ACTION":       t.Action.Name,
		"ROLLCALL_ATTEMPT":      strconv.Itoa(t.Attempt),
	})
	t.Commands, err = vars.FillCommands(t.Action.Commands, t.Environment, value)
	return err
}
