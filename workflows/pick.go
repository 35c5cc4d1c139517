package workflows

import "strings"

// Pick finds the action that an intent is about: the one it names, or the only one that
// fits and is in progress; what says in words what fitting means. The error is a *Problem.
func (e *Execution) Pick(in *Intent, what string, fits func(*ActionExecution) bool) (*StageExecution, *ActionExecution, error) {
	if in.Stage != "" {
		st, ok := e.Stage(in.Stage)
		if !ok {
			return nil, nil, Refuse(CodeStageNotFound, "see its stages with: status "+e.Ref(), "%s has no stage %s", e.Ref(), in.Stage)
		}
		if _, ok := st.Action(in.Action); in.Action != "" && !ok {
			return nil, nil, Refuse(CodeActionNotFound, "see its actions with: status "+e.Ref(), "%s of %s has no action %s", in.Stage, e.Ref(), in.Action)
		}
	}
	var stages []*StageExecution
	var actions []*ActionExecution
	var names []string
	named := false
	for i := range e.Stages {
		st := &e.Stages[i]
		for _, one := range st.AllActions() {
			a, _ := st.Action(one.Name)
			if in.Stage != "" && st.Name != in.Stage || in.Action != "" && a.Name != in.Action {
				continue
			}
			named = true
			if a.Status == StatusInProgress && fits(a) {
				stages, actions, names = append(stages, st), append(actions, a), append(names, a.Name)
			}
		}
	}
	switch {
	case !named:
		return nil, nil, Refuse(CodeActionNotFound, "see its actions with: status "+e.Ref(), "%s has no action %s", e.Ref(), in.Action)
	case len(actions) == 0 && in.Action != "":
		return nil, nil, Refuse(CodeConflict, "see how it stands with: status "+e.Ref(), "%s of %s is not %s", in.Action, e.Ref(), what)
	case len(actions) == 0:
		return nil, nil, Refuse(CodeConflict, "see how it stands with: status "+e.Ref(), "%s is not %s: it %s", e.Ref(), what, e.whereabouts())
	case len(actions) > 1:
		return nil, nil, Refuse(CodeValidation, "name one of "+strings.Join(names, " or "), "several actions of %s are meant", e.Ref()).In("action")
	}
	return stages[0], actions[0], nil
}

// whereabouts says where an execution is, or how and when it ended, behind "it".
func (e *Execution) whereabouts() string {
	switch {
	case e.Status.Final():
		how := map[Status]string{StatusSucceeded: "succeeded", StatusFailed: "failed"}[e.Status]
		if how == "" {
			how = "was " + strings.ToLower(string(e.Status))
		}
		if e.EndedAt != nil {
			how += " at " + e.EndedAt.UTC().Format("2 Jan 15:04 UTC")
		}
		return how
	case e.WaitsFor != nil:
		return "waits before " + e.WaitsFor.Stage
	case e.Inside() != nil:
		return "is in " + e.Inside().Name
	}
	return "is on its way"
}
