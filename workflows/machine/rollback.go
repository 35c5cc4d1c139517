package machine

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// How a rollback runs its stage (Rollback.Definition).
const (
	original = "original" // as the target ran it
	current  = "current"  // as the definition in force has it
)

// What a rollback does with actions that run in its stage (Intent.WhileRunning).
const (
	whileStop = "stop"
	whileWait = "wait"
)

// order is a rollback that is to begin.
type order struct {
	stage      *workflows.Stage // as the definition in force has it
	target     *workflows.Execution
	definition string
	reason     string
	lock       *bool // what the person chose; nil: as the stage says
	trigger    workflows.StartedBy
	failed     string // automatic: the execution that failed
	alarm      string // automatic: the alarm that rang after a success
}

func (o *order) automatic() bool { return o.trigger.Type == workflows.TriggerAutomated }

// rollback puts a stage back to what an earlier execution ran there.
func (d *decision) rollback(in *workflows.Intent) error {
	if err := d.checkActive(); err != nil {
		return err
	}
	o := &order{definition: cmp.Or(in.Definition, original), reason: in.Reason, lock: in.LockAfter, trigger: workflows.StartedBy{Type: workflows.TriggerRollback, Detail: d.by.Name, By: d.by}}
	if o.definition != original && o.definition != current {
		return workflows.Refuse(workflows.CodeValidation, "say original (as it ran then) or current (as the pipeline is now)", "%q is not how a stage can run", in.Definition).In("definition")
	}
	if !slices.Contains([]string{"", whileStop, whileWait}, in.WhileRunning) {
		return workflows.Refuse(workflows.CodeValidation, "say stop or wait", "%q is not what can be done with what runs", in.WhileRunning).In("whileRunning")
	}
	if err := d.chooseTarget(o, in); err != nil {
		return err
	}
	inside := d.s.occupants(nil, in.Stage)
	if d.s.bridge() != nil {
		return d.askBack(in, o, inside)
	}
	if i := slices.IndexFunc(inside, (*workflows.Execution).Works); i >= 0 {
		return d.whileRunning(in, o, inside[i])
	}
	return d.replace(o, inside)
}

// replace begins a rollback; those who only wait in its stage give way.
func (d *decision) replace(o *order, inside []*workflows.Execution) error {
	for _, x := range inside {
		d.withdraw(x, x.Inside())
	}
	return d.startRollback(o)
}

// chooseTarget finds and judges the target of an intent.
func (d *decision) chooseTarget(o *order, in *workflows.Intent) error {
	stage, err := d.stageNamed(in.Stage)
	if err != nil {
		return err
	}
	if in.Target == "" {
		problem := workflows.Refuse(workflows.CodeValidation, "see what can be chosen with: targets "+d.s.Name+" "+in.Stage, "to which execution should %s/%s go back?", d.s.Name, in.Stage).In("target")
		if good := d.s.lastGood(in.Stage); good != nil {
			problem.Hint = "the last good one is " + d.s.ref(good.Number)
		}
		return problem
	}
	o.stage = stage
	if o.target, err = d.find("target", in.Target); err != nil {
		return err
	}
	if err := d.eligible(o); err != nil {
		return err
	}
	if now := d.s.peek(in.Stage); !now.Shows(in.IfCurrent) {
		return now.Changed(d.s.Name, in.Stage)
	}
	return nil
}

// ref is the name people read for an execution of this pipeline.
func (s *State) ref(number int) string {
	return (&workflows.Execution{Pipeline: s.Name, Number: number}).Ref()
}

// eligible judges a target.
func (d *decision) eligible(o *order) error {
	if no := ledger.Eligible(d.s.definition(), d.s.Version, o.stage, o.target); no != nil {
		return no
	}
	if d.s.bridge() != nil {
		return d.inAWS().Eligible(o.target)
	}
	return nil
}

// withdraw takes an execution out of the stage that only waits at a gate there.
// It waits before the stage again, except one that was to end anyway, because
// it is being stopped or an action of it has failed, and a rollback: those end.
func (d *decision) withdraw(x *workflows.Execution, st *workflows.StageExecution) {
	failed := slices.ContainsFunc(st.Actions, func(a workflows.ActionExecution) bool { return a.Status == workflows.StatusFailed })
	if x.Stop != nil || failed || x.Type == workflows.TypeRollback {
		if x.Stop == nil {
			d.stopping(x, workflows.Stop{Abandon: true, Reason: "a rollback of " + st.Name + " takes its place"})
		}
		d.abandon(x, st, &workflows.Reason{Code: reasonStopped, Message: say.StoppedBy(x.Stop)})
		d.endStopped(x, st)
		return
	}
	d.abandonConditions(x, st, st.Name+" is being rolled back")
	for _, a := range st.Open() {
		if a.Needs == workflows.NeedsApproval {
			ev := of(event.GateClosed, x, st, a)
			ev.Text = gateWithdrawn
			ev.Reason = &workflows.Reason{Code: "RolledBack", Message: st.Name + " is being rolled back; it asks again when " + x.Ref() + " comes back"}
			d.emit(ev)
		}
	}
	d.emit(event.Event{Kind: event.ExecutionSteppedBack, Execution: x.ID, Stage: st.Name, Wait: &workflows.Wait{
		Stage: st.Name, For: workflows.WaitsForStage, Since: d.in.At,
	}})
	d.takesSlot(x, st.Name)
}

// whileRunning is for a rollback of a stage whose actions run: refused, or
// planned for the moment the stage is free.
func (d *decision) whileRunning(in *workflows.Intent, o *order, busy *workflows.Execution) error {
	if in.WhileRunning == "" {
		st := busy.Inside()
		return workflows.Refuse(workflows.CodeUnableToRollback, "stop it and roll back, or roll back when it ends",
			"%s runs in %s: %s", busy.Ref(), st.Name, cmp.Or(words.List(st.OpenActions(), "and"), "a condition is being asked"))
	}
	d.emit(event.Event{Kind: event.ReturnPlanned, Stage: in.Stage, Planned: &workflows.PlannedRollback{
		Stage: in.Stage, Target: o.target.ID, Definition: o.definition, Reason: in.Reason, LockAfter: in.LockAfter, By: d.by, At: d.in.At,
	}})
	if in.WhileRunning == whileStop {
		for _, x := range d.s.occupants(nil, in.Stage) {
			d.cutShort(x, x.Inside(), "to go back to "+o.target.Ref())
		}
	}
	return nil
}

// cutShort stops an execution and cancels what runs of it, so that its stage is free soon.
func (d *decision) cutShort(x *workflows.Execution, st *workflows.StageExecution, reason string) {
	if x.Stop == nil {
		d.stopping(x, workflows.Stop{Reason: reason})
	}
	why := &workflows.Reason{Code: reasonStopped, Message: say.StoppedBy(x.Stop)}
	for _, a := range st.Open() {
		switch {
		case a.Cancelling:
		case a.IsGate():
			d.closeGate(x, st, a, gateWithdrawn, why)
		case a.Needs == workflows.NeedsResolve, a.Waits():
			d.emitAction(event.ActionAbandoned, x, st, a, why, nil)
		default:
			d.emitAction(event.ActionCancelling, x, st, a, why, nil)
		}
	}
}

// lastGood is where a stage would go back to; nil: nowhere.
func (s *State) lastGood(stage string) *ledger.Success {
	st := s.peek(stage)
	return st.LastGood(s.onlyVersion(stage))
}

// onlyVersion is the one whose successes a stage goes back to; 0: any.
func (s *State) onlyVersion(stage string) int {
	if p := s.definition(); p != nil {
		if def, ok := p.Stage(stage); ok && def.Rollback.Eligible == "sameVersion" {
			return s.Version
		}
	}
	return 0
}

// startPlanned begins the planned rollbacks whose stage has become free.
func (d *decision) startPlanned() error {
	if d.s.Version == 0 {
		return nil
	}
	stages := d.s.definition().Stages
	for i := range stages {
		name := stages[i].Name
		plan := d.s.peek(name).Planned
		if plan == nil {
			continue
		}
		inside := d.s.occupants(nil, name)
		if slices.ContainsFunc(inside, (*workflows.Execution).Works) {
			continue
		}
		var err error
		o := &order{stage: &stages[i], definition: plan.Definition, reason: plan.Reason, lock: plan.LockAfter,
			trigger: workflows.StartedBy{Type: workflows.TriggerRollback, Detail: plan.By.Name, By: plan.By}}
		o.target, err = d.find("target", plan.Target)
		if err == nil {
			err = d.eligible(o)
		}
		if err == nil {
			err = d.replace(o, inside)
		}
		if problem, ok := errors.AsType[*workflows.Problem](err); ok {
			d.dropPlan(name, problem.Message)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *decision) dropPlan(stage, why string) {
	d.emit(event.Event{Kind: event.ReturnDropped, Stage: stage, Reason: &workflows.Reason{Code: reasonCancelled, Message: why}})
}

// rollbackAutomatically follows a failure: back to what the stage ran before,
// if that is known to be the same work. A failed rollback starts no other.
func (d *decision) rollbackAutomatically(failed *workflows.Execution, name string) error {
	good := d.s.lastGood(name)
	if failed.Type == workflows.TypeRollback || d.s.peek(name).Planned != nil || good != nil && good.Execution == failed.ID {
		return nil
	}
	o, err := d.automatic(name, good, failed.Ref()+" failed", map[string]string{"FailedPipelineExecutionId": failed.ID})
	if err == nil {
		err = d.startRollback(o)
	}
	if errors.As(err, new(*workflows.Problem)) {
		return nil // the failure stands; a person may choose
	}
	return err
}

// automatic is the order of a rollback that nobody asked for: detail says what led to it.
func (d *decision) automatic(name string, good *ledger.Success, why string, detail map[string]string) (*order, error) {
	stage, kept := d.s.definition().Stage(name)
	switch {
	case !kept || good == nil:
		return nil, workflows.Refuse(workflows.CodeUnableToRollback, "start an execution with what mends it", "nothing is known that ran in %s before", name)
	case good.Digest != d.s.digest(d.s.Version, name):
		return nil, workflows.Refuse(workflows.CodeUnableToRollback, "choose how it is to run with: targets "+d.s.Name+" "+name, "%s was changed since %s ran there", name, d.s.ref(good.Number))
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return nil, err
	}
	o := &order{stage: stage, definition: original, reason: why, failed: detail["FailedPipelineExecutionId"], alarm: detail["AlarmName"],
		trigger: workflows.StartedBy{Type: workflows.TriggerAutomated, Detail: string(text), By: workflows.EnginePrincipal()}}
	if o.target, err = d.find("target", good.Execution); err == nil {
		err = d.eligible(o)
	}
	return o, err
}

// content is the version under which a rollback runs, and its stage there. Where
// the stage does the same work as ever, that is the version in force.
func (d *decision) content(o *order) (version int, p *workflows.Pipeline, carried bool, err error) {
	st, _ := o.target.Stage(o.stage.Name)
	if o.definition == current || st.Digest == d.s.digest(d.s.Version, o.stage.Name) {
		return d.s.Version, d.s.definition(), false, nil
	}
	p, carried, err = d.version(o.target.Version)
	return o.target.Version, p, carried, err
}

// startRollback begins a rollback in its stage, which is free: with the target's
// revisions, variables, artifacts and outputs, and nothing but this stage.
func (d *decision) startRollback(o *order) error {
	version, p, carried, err := d.content(o)
	if err != nil {
		return err
	}
	runs, ok := p.Stage(o.stage.Name)
	if !ok {
		return workflows.Refuse(workflows.CodeUnableToRollback, "choose another target", "version %d of %s has no stage %s", version, d.s.Name, o.stage.Name)
	}
	t, st := o.target, d.s.peek(o.stage.Name)
	e := d.newExecution(workflows.TypeRollback, version, []workflows.Stage{*runs})
	e.Trigger, e.Variables, e.Artifacts, e.Outputs = o.trigger, t.Variables, t.Artifacts, t.Outputs
	e.SourceRevisions = slices.Clone(t.SourceRevisions)
	e.Rollback = &workflows.Rollback{
		Target: t.ID, TargetNumber: t.Number, FailedExecution: o.failed, Alarm: o.alarm, Definition: o.definition, Reason: o.reason,
		SkipApprovals: o.automatic() || st.SkipsApprovals(o.stage, t.ID),
	}
	if now := st.Runs; now != nil {
		e.Rollback.LeftExecution = now.Execution
	}
	ev := event.Event{Kind: event.ExecutionStarted, Execution: e.ID, Stage: o.stage.Name, Started: &e}
	if carried {
		ev.Under = p
	}
	d.emit(ev)
	d.lockAfterRollback(o)
	d.enter(d.s.execution(e.ID), o.stage.Name)
	return nil
}
