package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Inside returns the stage that the execution is in; nil while it waits before a stage or has ended.
func (e *Execution) Inside() *StageExecution {
	for i := range e.Stages {
		if st := e.Stages[i].Status; st == StatusInProgress || st == StatusStopping {
			return &e.Stages[i]
		}
	}
	return nil
}

// Shares says whether an execution shares stages with others like it; nil
// stands for a rollback, which does not.
func (e *Execution) Shares() bool {
	return e != nil && e.Type == TypeStandard && e.Mode == ModeParallel
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
// variable's, or an output of an action with that namespace.
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

// What is said of an open action whose runner cannot be asked: a code, and how the sentence begins.
const (
	reasonRetrying = "Retrying"
	retriedSince   = "it is tried again since "
)

// Retrying says whether the action is open and its runner cannot be asked; Error says why, since when.
func (a *ActionExecution) Retrying() bool { return a.Error != nil && a.Error.Code == reasonRetrying }

// Retry is what is to be said about an open action whose runner could not be
// asked, for that cause; nil: it has been said, or the action says something else.
func (a *ActionExecution) Retry(cause string, at time.Time) *Reason {
	if a.Error != nil && (!a.Retrying() || strings.HasSuffix(a.Error.Message, ": "+cause)) {
		return nil
	}
	since := at.UTC().Format("2 Jan 15:04 UTC")
	if a.Retrying() { // for another cause: it has been since the first
		first, _, _ := strings.Cut(strings.TrimPrefix(a.Error.Message, retriedSince), ": ")
		since = cmp.Or(first, since)
	}
	return &Reason{Code: reasonRetrying, Message: retriedSince + since + ": " + cause}
}

// Reset makes the action run again. Attempts go on counting; the last gate's
// record stays to be read until a new one opens.
func (a *ActionExecution) Reset() {
	*a = ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.Provider, Attempt: a.Attempt, Restarts: a.Restarts, Status: StatusNotStarted, Approval: a.Approval}
}

// restartPauses is how long restarts wait that nobody asked for.
var restartPauses = [...]time.Duration{0, 10 * time.Second, time.Minute}

// Restart is when the action may start again by itself that was found in doubt
// at that time. ok is false when it has done so often enough: then a person must say.
func (a *ActionExecution) Restart(at time.Time) (begins time.Time, ok bool) {
	if a.Restarts >= len(restartPauses) {
		return at, false
	}
	return at.Add(restartPauses[a.Restarts]), true
}

// Passed says whether the condition, if there is one, lets the execution go on.
func (c *ConditionExecution) Passed() bool {
	return c == nil || c.Status == StatusSucceeded || c.Status == StatusOverridden
}

// Blocking is the condition of a kind (empty: any) that stands in the way, and can be
// overridden; nil: none. What follows a failure cannot.
func (s *StageExecution) Blocking(kind string) *ConditionExecution {
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if (kind == "" || kind == c.Kind) && c.Kind != AfterFailed && !c.Passed() && c.Status != StatusNotStarted && c.Status != StatusAbandoned {
			return c
		}
	}
	return nil
}

// Conclude records how the evaluation of the condition ended. It is errored, not
// failed, where a rule could not even be asked.
func (c *ConditionExecution) Conclude(how Status, why *Reason, by *Overridden) {
	c.Status, c.Reason = how, why
	if how == StatusOverridden {
		c.Override = by
	}
	for _, r := range c.Rules {
		if how == StatusFailed && r.Error != nil && (r.Error.Code == "ConfigurationInvalid" || r.Error.Code == "ArtifactMissing") {
			c.Status = StatusErrored
		}
	}
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

// Unshare gives the stage actions and conditions that no copy of the execution shares:
// when the execution comes inside, because from then on they are written.
func (s *StageExecution) Unshare() {
	s.Actions, s.Conditions = slices.Clone(s.Actions), slices.Clone(s.Conditions)
	for i := range s.Conditions {
		s.Conditions[i].Rules = slices.Clone(s.Conditions[i].Rules)
	}
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
	return p.ExecutionMode + ":" + strings.Join(p.StageNames(), "/")
}

// Cancels says whether putting a new definition in the place of this one cancels
// an execution: CodePipeline's rule for an edit of the [Pipeline.Shape]. A rollback
// is one stage with content that worked: it may finish; and so may what runs in
// PARALLEL mode. No old definition (nil) cancels nothing.
func (p *Pipeline) Cancels(e *Execution, by *Pipeline) bool {
	return p != nil && p.Shape() != by.Shape() && e.Type != TypeRollback && e.Mode != ModeParallel && !e.Status.Final()
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
				Commands: r.Commands, InputArtifacts: r.InputArtifacts, TimeoutMinutes: r.TimeoutMinutes, Region: r.Region, RoleArn: r.RoleArn, Restartable: true}
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
					a.Attempt, a.Restarts = old.Attempt, old.Restarts
				}
			}
		}
		now.Rules = append(now.Rules, a)
	}
	return now
}

// Failure is why the stage failed: the first action that did, work before what
// only lacks something of ours, and that before approvals.
func (s *StageExecution) Failure() *Reason {
	var first *ActionExecution
	for i := range s.Actions {
		a := &s.Actions[i]
		if a.Error == nil || a.Status != StatusFailed && a.Status != StatusAbandoned {
			continue
		}
		if first == nil || !first.broke() && a.broke() || first.IsGate() && !a.IsGate() {
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
	case "ActionTimedOut", "ConfigurationInvalid", "ArtifactMissing", superseded, notStored:
	default:
		code = "ActionFailed" // the action's own error keeps what its runner called it
	}
	return &Reason{Code: code, Message: first.Name + " in " + s.Name + ": " + first.Error.Message}
}

// superseded is the code of a source action whose revision was replaced before it was fetched.
const superseded = "Superseded"

// notStored is the code of an action whose work succeeded and whose output artifact could not be stored.
const notStored = "ArtifactNotStored"

// Broke says whether work of the stage has failed, so that what onFailure says
// follows. It does not from what people decided or let pass at an approval, nor
// from what only our own keeping lacks: a value or an artifact without which an
// action could not begin, or the artifact of one that succeeded. None of that
// says that what is live is bad.
func (s *StageExecution) Broke() bool {
	for i := range s.Actions {
		if s.Actions[i].broke() {
			return true
		}
	}
	return false
}

func (a *ActionExecution) broke() bool {
	ended := a.Status == StatusFailed || a.Status == StatusAbandoned
	return ended && !a.IsGate() && a.StartedAt != nil && (a.Error == nil || a.Error.Code != notStored && a.Error.Code != superseded && a.Error.Code != "ArtifactMissing")
}
