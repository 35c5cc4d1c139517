package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/rule"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// evalCondition evaluates a condition of the stage. It answers whether the condition has
// an answer, and the condition as it stands; nil where there is none to ask. A
// rollback asks none, so that a broken alarm cannot keep anybody from going back.
func (d *decision) evalCondition(e *workflows.Execution, st *workflows.StageExecution, kind string) (c *workflows.ConditionExecution, answered bool) {
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	if e.Type == workflows.TypeRollback || def.Condition(kind) == nil {
		return nil, true
	}
	if c = st.Condition(kind); c == nil || c.Status == workflows.StatusNotStarted {
		d.emitCondition(event.ConditionStarted, e, st, kind, nil)
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
			d.abandonCondition(e, st, c, "another rule of the condition failed")
			d.emitCondition(event.ConditionFailed, e, st, kind, c.Fault(st.Name, r))
			return c, true
		}
	}
	if slices.ContainsFunc(c.Rules, func(r workflows.ActionExecution) bool { return r.Status != workflows.StatusSucceeded }) {
		return c, false
	}
	d.emitCondition(event.ConditionSucceeded, e, st, kind, nil)
	return c, true
}

func (d *decision) emitCondition(kind event.Kind, e *workflows.Execution, st *workflows.StageExecution, which string, why *workflows.Reason) {
	d.emit(event.Event{Kind: kind, Execution: e.ID, Stage: st.Name, Text: which, Reason: why})
}

// abandonCondition ends the rules of a condition that are still open.
func (d *decision) abandonCondition(e *workflows.Execution, st *workflows.StageExecution, c *workflows.ConditionExecution, why string) {
	for i := range c.Rules {
		if r := &c.Rules[i]; r.Status == workflows.StatusInProgress {
			d.emitAction(event.ActionAbandoned, e, st, r, &workflows.Reason{Code: reasonStopped, Message: why}, nil)
		}
	}
}

// abandonConditions gives up every condition that is being evaluated in a stage.
func (d *decision) abandonConditions(e *workflows.Execution, st *workflows.StageExecution, why string) {
	for i := range st.Conditions {
		if c := &st.Conditions[i]; c.Status == workflows.StatusInProgress {
			d.abandonCondition(e, st, c, why)
			d.emitCondition(event.ConditionAbandoned, e, st, c.Kind, nil)
		}
	}
}

// evolveCondition applies what happened to a condition as a whole.
func (s *State) evolveCondition(e *workflows.Execution, st *workflows.StageExecution, ev event.Event) {
	c := st.Condition(ev.Text)
	if ev.Kind == event.ConditionStarted {
		def, _ := s.under(e).Stage(st.Name)
		begun := def.Condition(ev.Text).Begin(ev.Text, c)
		if c == nil {
			st.Conditions = append(st.Conditions, begun)
		} else {
			*c = begun
		}
		return
	}
	if c == nil {
		return
	}
	c.Conclude(workflows.Status(ev.Kind[len("condition"):]), ev.Reason, ev.Override)
}

// evalRule answers a rule that needs nothing from outside, as far as it can be answered now.
func (d *decision) evalRule(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, configuration map[string]string) {
	holds, why := false, ""
	var err error
	switch a.Provider {
	case rule.VariableCheck:
		holds, why, err = rule.Compare(configuration)
	case rule.DeploymentWindow:
		opens, ever, fault := d.s.opens(e, st.Name, configuration, d.in.At)
		if err = fault; err == nil && ever && opens.After(d.in.At) {
			if says := rule.Says(configuration, opens); says != a.Summary {
				d.emitAction(event.ActionTracked, e, st, a, nil, &event.Outcome{Summary: says})
			}
			return // it waits for the window
		}
		holds, why = ever, "the window never opens again"
	default:
		return
	}
	switch {
	case err != nil:
		d.emitAction(event.ActionFailed, e, st, a, &workflows.Reason{Code: reasonConfiguration, Message: err.Error()}, &event.Outcome{})
	case holds:
		d.emitAction(event.ActionSucceeded, e, st, a, nil, &event.Outcome{})
	default:
		d.emitAction(event.ActionFailed, e, st, a, &workflows.Reason{Code: reasonFailed, Message: why}, &event.Outcome{})
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
		stage = e.Furthest()
	}
	st, ok := e.Stage(stage)
	if !ok {
		return workflows.Refuse(workflows.CodeStageNotFound, "see its stages with: status "+e.Ref(), "%s has no stage %s", e.Ref(), in.Stage)
	}
	if in.Reason == "" && !d.dry {
		return workflows.Refuse(workflows.CodeValidation, "say why it is to go on without what it asks for", "overriding what %s waits for needs a reason", e.Ref()).In("reason")
	}
	kind, ok := map[string]string{"": "", "BEFORE_ENTRY": workflows.BeforeEntry, "ON_SUCCESS": workflows.OnSuccess, "APPROVAL": "approval"}[in.Condition]
	if !ok {
		return workflows.Refuse(workflows.CodeValidation, "say BEFORE_ENTRY, ON_SUCCESS or APPROVAL", "%q is nothing that can be overridden", in.Condition).In("condition")
	}
	if kind == "" || kind == "approval" {
		gates := slices.DeleteFunc(st.Open(), func(a *workflows.ActionExecution) bool {
			return a.Needs != workflows.NeedsApproval || in.Action != "" && in.Action != a.Name
		})
		switch {
		case len(gates) == 1 && e.Stop == nil:
			return d.overrideGate(e, st, gates[0], in.Reason)
		case len(gates) > 1:
			return workflows.Refuse(workflows.CodeValidation, "name the one that is meant", "several gates of %s in %s are open", e.Ref(), st.Name).In("action")
		}
	}
	if c := st.Blocking(kind); c != nil {
		return d.overrideCondition(e, st, c, in)
	}
	return workflows.Refuse(workflows.CodeNotOverridable, "see what it waits for with: status "+e.Ref(), "nothing that %s waits for in %s can be overridden", e.Ref(), st.Name)
}

// overrideCondition lets the execution go on as if the condition held. One
// that has failed because of it is taken up again, like a retry.
func (d *decision) overrideCondition(e *workflows.Execution, st *workflows.StageExecution, c *workflows.ConditionExecution, in *workflows.Intent) error {
	if c.Result == workflows.ResultSkip {
		return workflows.Refuse(workflows.CodeNotOverridable, "start a new execution when the condition holds", "the entry condition of %s skips the stage: that cannot be overridden", st.Name)
	}
	if d.s.bridge() != nil {
		return d.inAWS().Override(*in, e, st, c)
	}
	ev := event.Event{Kind: event.ConditionOverridden, Execution: e.ID, Stage: st.Name, Text: c.Kind, Override: &workflows.Overridden{By: d.by, Reason: in.Reason, At: d.in.At}}
	switch {
	case c.Status == workflows.StatusInProgress && e.Stop != nil:
		return workflows.Refuse(workflows.CodeNotOverridable, "it ends by itself", "%s is being stopped", e.Ref())
	case c.Status == workflows.StatusInProgress:
		d.abandonCondition(e, st, c, words.Because("overridden by "+d.by.Called(), in.Reason))
	case e.Status != workflows.StatusFailed:
		return workflows.Refuse(workflows.CodeNotOverridable, "see how it stands with: status "+e.Ref(), "%s is %s", e.Ref(), e.Status)
	default:
		if err := d.resume(e, st, &event.Resumed{Override: c.Kind}); err != nil {
			return err
		}
	}
	d.emit(ev)
	return nil
}

// overrideGate fills the answers that a gate lacks. The record says what was missing, for good.
func (d *decision) overrideGate(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, reason string) error {
	if err := d.checkGateFreeze(e, st); err != nil {
		return err
	}
	ev := of(event.GateOverridden, e, st, a)
	ev.Override = &workflows.Overridden{By: d.by, Reason: reason, At: d.in.At, Without: gate.Without(d.s.Policy(e, st.Name, a.Name), a.Approval.Votes)}
	d.emit(ev)
	d.closeGate(e, st, a, gateOverridden, nil)
	return nil
}
