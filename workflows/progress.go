package workflows

import (
	"slices"
	"strings"
)

// Inside returns the stage that the execution is in; nil while it waits at a door or has ended.
func (e *Execution) Inside() *StageExecution {
	for i := range e.Stages {
		if st := e.Stages[i].Status; st == StatusInProgress || st == StatusStopping {
			return &e.Stages[i]
		}
	}
	return nil
}

// Works says whether something runs of the execution that leaving its stage would cut off.
func (e *Execution) Works() bool {
	st := e.Inside()
	return st != nil && !st.OnlyWaits()
}

// Furthest is the last stage that the execution has entered; empty: none.
func (e *Execution) Furthest() string {
	for i := len(e.Stages) - 1; i >= 0; i-- {
		if e.Stages[i].Status != StatusNotStarted {
			return e.Stages[i].Name
		}
	}
	return ""
}

// Value gives a variable as the execution knows it: its own, a pipeline
// variable's, or an output of an action with that namespace (engine.md 11).
func (e *Execution) Value(namespace, key string) (string, bool) {
	switch namespace {
	case "codepipeline":
		return e.ID, key == "PipelineExecutionId"
	case "variables":
		v, ok := e.Variables[key]
		return v, ok
	}
	v, ok := e.Outputs[namespace][key]
	return v, ok
}

// IsGate says whether the action waits for people. The provider is what tells it, as for [Action.IsApproval].
func (a *ActionExecution) IsGate() bool { return a.Provider == "Manual" }

// IsRule says whether the action is a rule of a condition: it is named KIND:NAME.
func (a *ActionExecution) IsRule() bool { return strings.Contains(a.Name, ":") }

// Waits says whether nothing outside works for the action while it is open: it
// waits for people, or for a window of time.
func (a *ActionExecution) Waits() bool { return a.IsGate() || a.Provider == "DeploymentWindow" }

// Reset makes the action run again. Attempts go on counting; the last gate's
// record stays to be read until a new one opens.
func (a *ActionExecution) Reset() {
	*a = ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.Provider, Attempt: a.Attempt, Status: StatusNotStarted, Approval: a.Approval}
}

// Passed says whether the condition, if there is one, lets the execution go on.
func (c *ConditionExecution) Passed() bool {
	return c == nil || c.Status == StatusSucceeded || c.Status == StatusOverridden
}

// Fault is why the condition of a stage did not hold: a rule of it failed.
func (c *ConditionExecution) Fault(stage string, rule *ActionExecution) *Reason {
	what := map[string]string{BeforeEntry: "entry", OnSuccess: "success", AfterFailed: "failure"}[c.Kind]
	text := "the " + what + " condition of " + stage + " does not hold: " + strings.TrimPrefix(rule.Name, c.Kind+":")
	if rule.Error != nil {
		text += ": " + rule.Error.Message
	}
	return &Reason{Code: "ConditionFailed", Message: text}
}

// Open lists what is in progress in the stage: actions, then rules of conditions.
func (s *StageExecution) Open() []*ActionExecution {
	var all []*ActionExecution
	add := func(in []ActionExecution) {
		for i := range in {
			if in[i].Status == StatusInProgress {
				all = append(all, &in[i])
			}
		}
	}
	add(s.Actions)
	for i := range s.Conditions {
		add(s.Conditions[i].Rules)
	}
	return all
}

// OpenActions names the actions that are in progress, rules left out.
func (s *StageExecution) OpenActions() []string {
	var names []string
	for _, a := range s.Actions {
		if a.Status == StatusInProgress {
			names = append(names, a.Name)
		}
	}
	return names
}

// OnlyWaits says whether everything that is open in the stage waits for people
// or for time, so that nothing is cut off by leaving.
func (s *StageExecution) OnlyWaits() bool {
	return !slices.ContainsFunc(s.Open(), func(a *ActionExecution) bool { return !a.Waits() })
}

// Worked says whether the stage has had an effect outside: an action that is
// not an approval was started.
func (s *StageExecution) Worked() bool {
	return slices.ContainsFunc(s.Actions, func(a ActionExecution) bool { return !a.IsGate() && a.StartedAt != nil })
}

// Next is the lowest run order that is not done; 0: all is done. failed says whether an action has failed.
func (s *StageExecution) Next() (runOrder int, failed bool) {
	for _, a := range s.Actions {
		switch a.Status {
		case StatusSucceeded, StatusSkipped:
			continue
		case StatusFailed, StatusAbandoned:
			failed = true
		}
		if runOrder == 0 || a.RunOrder < runOrder {
			runOrder = a.RunOrder
		}
	}
	return runOrder, failed
}

// Again makes what failed in the stage run once more, or all of it.
func (s *StageExecution) Again(all bool) {
	for i := range s.Actions {
		a := &s.Actions[i]
		if a.Status != StatusInProgress && (all || a.Status == StatusFailed || a.Status == StatusAbandoned) {
			a.Reset()
		}
	}
	s.Forget(all)
	s.Attempt++
}

// Forget makes the conditions of the stage be evaluated again. Without all, an
// entry condition that let the execution in need not be.
func (s *StageExecution) Forget(all bool) {
	for i := range s.Conditions {
		if c := &s.Conditions[i]; all || c.Kind != BeforeEntry || !c.Passed() {
			c.Status, c.Reason, c.Override = StatusNotStarted, nil, nil
		}
	}
}

// CountRetry records that the stage was taken up once more. The record is replaced, not written.
func (s *StageExecution) CountRetry(automatic bool) {
	now := Retries{}
	if s.Retries != nil {
		now = *s.Retries
	}
	if automatic {
		now.Automatic, now.Latest = now.Automatic+1, "AutomatedStageRetry"
	} else {
		now.Manual, now.Latest = now.Manual+1, "ManualStageRetry"
	}
	s.Retries = &now
}

// StageNames are the names of the stages, in their order.
func (p *Pipeline) StageNames() []string {
	names := make([]string, len(p.Stages))
	for i, st := range p.Stages {
		names[i] = st.Name
	}
	return names
}

// Shape is the part of a definition whose change ends what runs: the ordered names of the stages, and the mode.
func (p *Pipeline) Shape() string {
	return string(p.ExecutionMode) + ":" + strings.Join(p.StageNames(), "/")
}

// IsSource says whether the stage is the pipeline's first one, whose actions fetch revisions.
func (p *Pipeline) IsSource(stage string) bool { return len(p.Stages) > 0 && p.Stages[0].Name == stage }

// Condition returns the stage's condition of a kind (beforeEntry|onSuccess|onFailure); nil: it has none.
func (s *Stage) Condition(kind string) *Condition {
	switch {
	case kind == BeforeEntry:
		return s.BeforeEntry
	case kind == OnSuccess:
		return s.OnSuccess
	case s.OnFailure != nil:
		return s.OnFailure.Condition
	}
	return nil
}

// Action lays the rule of that name out as the action that it is in every way:
// named KIND:NAME, with attempts, a time limit, a task. It only looks, so it may
// start again by itself.
func (c *Condition) Action(kind, name string) *Action {
	for _, r := range c.Rules {
		if r.Name == name {
			return &Action{Name: kind + ":" + r.Name, ActionType: r.RuleType, RunOrder: 1, Configuration: r.Configuration,
				Commands: r.Commands, InputArtifacts: r.InputArtifacts, TimeoutMinutes: r.TimeoutMinutes, Restartable: true}
		}
	}
	return nil
}

// Begin lays the stage out in an execution; nothing has happened yet.
func (s *Stage) Begin() StageExecution {
	begun := StageExecution{Name: s.Name, Status: StatusNotStarted, Actions: make([]ActionExecution, len(s.Actions))}
	for i, a := range s.Actions {
		begun.Actions[i] = ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.ActionType.Provider, Status: StatusNotStarted}
	}
	return begun
}

// Begin lays the condition out in an execution, as one that is being evaluated.
// Attempts of its rules go on counting where it was evaluated before.
func (c *Condition) Begin(kind string, before *ConditionExecution) ConditionExecution {
	now := ConditionExecution{Kind: kind, Result: c.Result, Status: StatusInProgress}
	for _, r := range c.Rules {
		a := ActionExecution{Name: kind + ":" + r.Name, RunOrder: 1, Provider: r.RuleType.Provider, Status: StatusNotStarted}
		if before != nil {
			for _, old := range before.Rules {
				if old.Name == a.Name {
					a.Attempt = old.Attempt
				}
			}
		}
		now.Rules = append(now.Rules, a)
	}
	return now
}

// Failure is why the stage failed: the first action that did, work before approvals.
func (s *StageExecution) Failure() *Reason {
	var first *ActionExecution
	for i := range s.Actions {
		a := &s.Actions[i]
		if a.Error == nil || a.Status != StatusFailed && a.Status != StatusAbandoned {
			continue
		}
		if first == nil || first.IsGate() && !a.IsGate() {
			first = a
		}
	}
	if first == nil {
		return &Reason{Code: "ActionFailed", Message: s.Name + " failed"}
	}
	if first.IsGate() {
		return first.Error
	}
	code := first.Error.Code
	switch code {
	case "ActionTimedOut", "ConfigurationInvalid", "ArtifactMissing":
	default:
		code = "ActionFailed" // the action's own error keeps what its runner called it
	}
	return &Reason{Code: code, Message: first.Name + " in " + s.Name + ": " + first.Error.Message}
}
