package machine

import (
	"errors"
	"fmt"
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
		if a.Needs == "" && !isGate(a) {
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

// fill resolves the variables of a task. In command lines they become variables
// of the environment: a value is never part of a line that a shell reads.
func fill(t *work.Task, e *workflows.Execution) error {
	value := func(r vars.Ref) (string, bool) { return lookUp(e, r) }
	resolve := func(what, text string) (string, error) {
		v, err := vars.Resolve(text, value)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return v, nil
	}
	var err error
	t.Configuration = make(map[string]string, len(t.Action.Configuration))
	for _, key := range sortedKeys(t.Action.Configuration) {
		if t.Configuration[key], err = resolve(key, t.Action.Configuration[key]); err != nil {
			return err
		}
	}
	t.Environment = map[string]string{}
	for _, v := range t.Action.EnvironmentVariables {
		if t.Environment[v.Name], err = resolve(v.Name, v.Value); err != nil {
			return err
		}
	}
	maps.Copy(t.Environment, map[string]string{
		"ROLLCALL_EXECUTION_ID": e.ID,
		"ROLLCALL_EXECUTION":    e.Ref(),
		"ROLLCALL_PIPELINE":     t.Pipeline,
		"ROLLCALL_STAGE":        t.Stage,
		"ROLLCALL_ACTION":       t.Action.Name,
		"ROLLCALL_ATTEMPT":      strconv.Itoa(t.Attempt),
	})
	return fillCommands(t, value)
}

func fillCommands(t *work.Task, value func(vars.Ref) (string, bool)) error {
	names := map[vars.Ref]string{}
	for _, line := range t.Action.Commands {
		var missing error
		rewritten, err := vars.Rewrite(line, func(r vars.Ref) string {
			name, known := names[r]
			if !known {
				name = fmt.Sprintf("ROLLCALL_VAR_%d", len(names)+1)
				names[r] = name
				v, ok := value(r)
				if !ok {
					missing = errors.Join(missing, fmt.Errorf("commands: %s has no value", r))
				}
				t.Environment[name] = v
			}
			return "${" + name + "}"
		})
		if err != nil {
			return fmt.Errorf("commands: %w", err)
		}
		if missing != nil {
			return missing
		}
		t.Commands = append(t.Commands, rewritten)
	}
	return nil
}

// lookUp gives the value of a variable as an execution knows it.
func lookUp(e *workflows.Execution, r vars.Ref) (string, bool) {
	switch r.Namespace {
	case "codepipeline":
		return e.ID, r.Key == "PipelineExecutionId"
	case "variables":
		v, ok := e.Variables[r.Key]
		return v, ok
	}
	v, ok := e.Outputs[r.Namespace][r.Key]
	return v, ok
}
