package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/rule"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// conditionOf returns the condition of a stage's definition; nil: it has none of that kind.
func conditionOf(st *workflows.Stage, kind string) *workflows.Condition {
	switch {
	case kind == workflows.BeforeEntry:
		return st.BeforeEntry
	case kind == workflows.OnSuccess:
		return st.OnSuccess
	case st.OnFailure != nil:
		return st.OnFailure.Condition
	}
	return nil
}

// ruleOf lays a rule out as the action that it is in every way: with attempts,
// a time limit, a task. It only looks, so it may start again by itself.
func ruleOf(c *workflows.Condition, kind, name string) *workflows.Action {
	i := slices.IndexFunc(c.Rules, func(r workflows.Rule) bool { return r.Name == name })
	r := c.Rules[i]
	return &workflows.Action{Name: kind + ":" + r.Name, ActionType: r.RuleType, RunOrder: 1, Configuration: r.Configuration,
		Commands: r.Commands, InputArtifacts: r.InputArtifacts, TimeoutMinutes: r.TimeoutMinutes, Restartable: true}
}

// beginCondition lays a condition out in the execution. Attempts of its rules
// go on counting where it was evaluated before.
func (s *State) beginCondition(e *workflows.Execution, st *workflows.StageExecution, kind string) {
	def, _ := s.Definitions[e.Version].Stage(st.Name)
	now := workflows.ConditionExecution{Kind: kind, Result: conditionOf(def, kind).Result, Status: workflows.StatusInProgress}
	before := st.Condition(kind)
	for _, r := range conditionOf(def, kind).Rules {
		a := workflows.ActionExecution{Name: kind + ":" + r.Name, RunOrder: 1, Provider: r.RuleType.Provider, Status: workflows.StatusNotStarted}
		if before != nil {
			if i := slices.IndexFunc(before.Rules, func(o workflows.ActionExecution) bool { return o.Name == a.Name }); i >= 0 {
				a.Attempt = before.Rules[i].Attempt
			}
		}
		now.Rules = append(now.Rules, a)
	}
	if before != nil {
		*before = now
		return
	}
	st.Conditions = append(st.Conditions, now)
}

// forget makes the conditions of a stage be evaluated again. Without all, an
// entry condition that let the execution in need not be.
func forget(st *workflows.StageExecution, all bool) {
	for i := range st.Conditions {
		if c := &st.Conditions[i]; all || c.Kind != workflows.BeforeEntry || !passed(c) {
			c.Status, c.Reason, c.Override = workflows.StatusNotStarted, nil, nil
		}
	}
}

// held evaluates a condition of the stage. It answers whether the condition has
// an answer, and the condition as it stands; nil where there is none to ask. A
// rollback asks none, so that a broken alarm cannot keep anybody from going back.
func (d *decision) held(e *workflows.Execution, st *workflows.StageExecution, kind string) (c *workflows.ConditionExecution, answered bool) {
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	if e.Type == workflows.TypeRollback || conditionOf(def, kind) == nil {
		return nil, true
	}
	if c = st.Condition(kind); c == nil || c.Status == workflows.StatusNotStarted {
		d.condition(event.ConditionStarted, e, st, kind, nil)
		c = st.Condition(kind)
	}
	if c.Status != workflows.StatusInProgress {
		return c, true
	}
	for i := range c.Rules {
		if c.Rules[i].Status == workflows.StatusNotStarted {
			d.startAction(e, st, &c.Rules[i])
		}
	}
	for i := range c.Rules {
		if r := &c.Rules[i]; r.Status == workflows.StatusFailed || r.Status == workflows.StatusAbandoned {
			d.quit(e, st, c, "another rule of the condition failed")
			d.condition(event.ConditionFailed, e, st, kind, broken(st, c, r))
			return c, true
		}
	}
	if slices.ContainsFunc(c.Rules, func(r workflows.ActionExecution) bool { return r.Status != workflows.StatusSucceeded }) {
		return c, false
	}
	d.condition(event.ConditionSucceeded, e, st, kind, nil)
	return c, true
}

// passed says whether a condition, if there is one, lets the execution go on.
func passed(c *workflows.ConditionExecution) bool {
	return c == nil || c.Status == workflows.StatusSucceeded || c.Status == workflows.StatusOverridden
}

// broken is why a condition did not hold.
func broken(st *workflows.StageExecution, c *workflows.ConditionExecution, r *workflows.ActionExecution) *workflows.Reason {
	what := map[string]string{workflows.BeforeEntry: "entry", workflows.OnSuccess: "success", workflows.AfterFailed: "failure"}[c.Kind]
	text := "the " + what + " condition of " + st.Name + " does not hold: " + r.Name[len(c.Kind)+1:]
	if r.Error != nil {
		text += ": " + r.Error.Message
	}
	return &workflows.Reason{Code: reasonCondition, Message: text}
}

func (d *decision) condition(kind event.Kind, e *workflows.Execution, st *workflows.StageExecution, which string, why *workflows.Reason) {
	d.emit(event.Event{Kind: kind, Execution: e.ID, Stage: st.Name, Text: which, Reason: why})
}

// quit ends the rules of a condition that are still open.
func (d *decision) quit(e *workflows.Execution, st *workflows.StageExecution, c *workflows.ConditionExecution, why string) {
	for i := range c.Rules {
		if r := &c.Rules[i]; r.Status == workflows.StatusInProgress {
			d.act(event.ActionAbandoned, e, st, r, &workflows.Reason{Code: reasonStopped, Message: why}, nil)
		}
	}
}

// quitConditions gives up every condition that is being evaluated in a stage.
func (d *decision) quitConditions(e *workflows.Execution, st *workflows.StageExecution, why string) {
	for i := range st.Conditions {
		if c := &st.Conditions[i]; c.Status == workflows.StatusInProgress {
			d.quit(e, st, c, why)
			d.condition(event.ConditionAbandoned, e, st, c.Kind, nil)
		}
	}
}

// evolveCondition applies what happened to a condition as a whole.
func (s *State) evolveCondition(e *workflows.Execution, st *workflows.StageExecution, ev event.Event) {
	if ev.Kind == event.ConditionStarted {
		s.beginCondition(e, st, ev.Text)
		return
	}
	c := st.Condition(ev.Text)
	if c == nil {
		return
	}
	c.Reason = ev.Reason
	switch ev.Kind {
	case event.ConditionSucceeded:
		c.Status = workflows.StatusSucceeded
	case event.ConditionFailed:
		c.Status = workflows.StatusFailed
		for _, r := range c.Rules {
			if r.Error != nil && (r.Error.Code == reasonConfiguration || r.Error.Code == reasonArtifactMissing) {
				c.Status = workflows.StatusErrored
			}
		}
	case event.ConditionOverridden:
		c.Status, c.Override = workflows.StatusOverridden, ev.Override
	case event.ConditionAbandoned:
		c.Status = workflows.StatusAbandoned
	}
}

// consult answers a rule that needs nothing from outside, as far as it can be answered now.
func (d *decision) consult(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, configuration map[string]string) {
	holds, why := false, ""
	var err error
	switch a.Provider {
	case rule.VariableCheck:
		holds, why, err = rule.Compare(configuration)
	case rule.DeploymentWindow:
		opens, ever, fault := rule.Opens(configuration, d.in.At)
		if err = fault; err == nil && ever && opens.After(d.in.At) {
			return // it waits for the window
		}
		holds, why = ever, "the window never opens again"
	default:
		return
	}
	switch {
	case err != nil:
		d.act(event.ActionFailed, e, st, a, &workflows.Reason{Code: reasonConfiguration, Message: err.Error()}, &event.Outcome{})
	case holds:
		d.act(event.ActionSucceeded, e, st, a, nil, &event.Outcome{})
	default:
		d.act(event.ActionFailed, e, st, a, &workflows.Reason{Code: reasonFailed, Message: why}, &event.Outcome{})
	}
}

// override sets aside what stands in an execution's way, by somebody's right:
// a condition that is evaluated or has failed, or the answers a gate lacks.
func (d *decision) override(in *workflows.Intent) error {
	e, err := d.find("execution", in.Execution)
	if err != nil {
		return err
	}
	stage := in.Stage
	if stage == "" {
		stage = furthest(e)
	}
	st, ok := e.Stage(stage)
	if !ok {
		return refuse(workflows.CodeStageNotFound, "see its stages with: status "+e.Ref(), "%s has no stage %s", e.Ref(), in.Stage)
	}
	if in.Reason == "" && !d.dry {
		return invalid("reason", "say why %s is to go on without what it asks for", e.Ref())
	}
	kind, ok := map[string]string{"": "", "BEFORE_ENTRY": workflows.BeforeEntry, "ON_SUCCESS": workflows.OnSuccess, "APPROVAL": "approval"}[in.Condition]
	if !ok {
		return invalid("condition", "%q cannot be overridden: say BEFORE_ENTRY, ON_SUCCESS or APPROVAL", in.Condition)
	}
	if kind == "" || kind == "approval" {
		gates := slices.DeleteFunc(open(st), func(a *workflows.ActionExecution) bool {
			return a.Needs != workflows.NeedsApproval || in.Action != "" && in.Action != a.Name
		})
		switch {
		case len(gates) == 1 && !e.Status.Final():
			d.overrideGate(e, st, gates[0], in.Reason)
			return nil
		case len(gates) > 1:
			return invalid("action", "which gate of %s in %s: %s?", e.Ref(), st.Name, words.List(openActions(st), "or"))
		}
	}
	for i := range st.Conditions {
		c := &st.Conditions[i]
		if (kind == "" || kind == c.Kind) && c.Kind != workflows.AfterFailed && !passed(c) && c.Status != workflows.StatusNotStarted && c.Status != workflows.StatusAbandoned {
			return d.overrideCondition(e, st, c, in)
		}
	}
	return refuse(workflows.CodeNotOverridable, "see what it waits for with: status "+e.Ref(), "nothing that %s waits for in %s can be overridden", e.Ref(), st.Name)
}

func (d *decision) overridden(reason, without string) *workflows.Overridden {
	return &workflows.Overridden{By: d.by, Reason: reason, At: d.in.At, Without: without}
}

// overrideCondition lets the execution go on as if the condition held. One
// that has failed because of it is taken up again, like a retry.
func (d *decision) overrideCondition(e *workflows.Execution, st *workflows.StageExecution, c *workflows.ConditionExecution, in *workflows.Intent) error {
	if c.Result == workflows.ResultSkip {
		return refuse(workflows.CodeNotOverridable, "start a new execution when the condition holds", "the entry condition of %s skips the stage: that cannot be overridden", st.Name)
	}
	ev := event.Event{Kind: event.ConditionOverridden, Execution: e.ID, Stage: st.Name, Text: c.Kind, Override: d.overridden(in.Reason, "")}
	switch {
	case c.Status == workflows.StatusInProgress && e.Stop != nil:
		return refuse(workflows.CodeNotOverridable, "it ends by itself", "%s is being stopped", e.Ref())
	case c.Status == workflows.StatusInProgress:
		d.quit(e, st, c, words.Because("overridden by "+d.by.Name, in.Reason))
	case e.Status != workflows.StatusFailed:
		return refuse(workflows.CodeNotOverridable, "see how it stands with: status "+e.Ref(), "%s is %s", e.Ref(), e.Status)
	default:
		if err := d.takeUp(e, st, &event.Resumed{Override: c.Kind}); err != nil {
			return err
		}
	}
	d.emit(ev)
	return nil
}

// overrideGate fills the answers that a gate lacks. The record says what was missing, for good.
func (d *decision) overrideGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, reason string) {
	ev := of(event.GateOverridden, e, st, a)
	ev.Override = d.overridden(reason, gate.Without(d.s.policy(e, st.Name, a.Name), a.Approval.Votes))
	d.emit(ev)
	d.closeGate(e, st, a, gateOverridden, nil)
}
