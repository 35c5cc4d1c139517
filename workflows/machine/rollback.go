package machine

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// How a rollback runs its stage (Rollback.Definition).
const (
	asWas = "asWas" // as the target ran it
	asIs  = "asIs"  // as the definition in force has it
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
	trigger    workflows.StartedBy
	failed     string // automatic: the execution that failed
}

func (o *order) automatic() bool { return o.failed != "" }

// rollback puts a stage back to what an earlier execution ran there.
func (d *decision) rollback(in *workflows.Intent) error {
	if err := d.live(); err != nil {
		return err
	}
	o := &order{definition: cmp.Or(in.Definition, asWas), reason: in.Reason, trigger: workflows.StartedBy{Type: workflows.TriggerRollback, Detail: d.by.Name, By: d.by}}
	if o.definition != asWas && o.definition != asIs {
		return workflows.Invalid("definition", "say asWas (as it ran then) or asIs (as the pipeline is now)", "%q is not how a stage can run", in.Definition)
	}
	if !slices.Contains([]string{"", whileStop, whileWait}, in.WhileRunning) {
		return workflows.Invalid("whileRunning", "say stop or wait", "%q is not what can be done with what runs", in.WhileRunning)
	}
	if err := d.aim(o, in); err != nil {
		return err
	}
	held := d.s.holders(nil, in.Stage)
	if i := slices.IndexFunc(held, (*workflows.Execution).Works); i >= 0 {
		return d.whileRunning(in, o, held[i])
	}
	return d.replace(o, held)
}

// replace begins a rollback; those who only wait in its stage give way.
func (d *decision) replace(o *order, held []*workflows.Execution) error {
	for _, x := range held {
		d.giveWay(x, x.Inside())
	}
	return d.launch(o)
}

// aim finds and judges the target of an intent.
func (d *decision) aim(o *order, in *workflows.Intent) error {
	stage, err := d.stageNamed(in.Stage)
	if err != nil {
		return err
	}
	if in.Target == "" {
		problem := workflows.Invalid("target", "see what can be chosen with: targets "+d.s.Name+" "+in.Stage, "to which execution should %s/%s go back?", d.s.Name, in.Stage)
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
	return d.unchanged(in)
}

// ref is the name people read for an execution of this pipeline.
func (s *State) ref(number int) string {
	return (&workflows.Execution{Pipeline: s.Name, Number: number}).Ref()
}

// eligible judges a target, in the order of engine.md 8.2.
func (d *decision) eligible(o *order) error {
	stage, target := o.stage.Name, o.target
	no := func(hint, format string, args ...any) error {
		return workflows.Refuse(workflows.CodeUnableToRollback, hint, format, args...)
	}
	switch {
	case d.s.definition().IsSource(stage):
		return no("start a new execution with an older revision instead", "%s is the source stage of %s: it cannot be rolled back", stage, d.s.Name)
	case o.stage.Rollback.Eligible == "sameVersion" && target.Version != d.s.Version:
		return workflows.Refuse(workflows.CodeExecutionOutdated, "the stage's setting rollback.eligible allows only executions of the version in force",
			"%s ran under version %d of %s, and %d is in force", target.Ref(), target.Version, d.s.Name, d.s.Version)
	case target.Type == workflows.TypeRollback:
		return no("roll back to "+d.s.ref(target.Rollback.TargetNumber)+", which it carried", "%s is itself a rollback", target.Ref())
	}
	st, ok := target.Stage(stage)
	hint := "see what can be chosen with: targets " + d.s.Name + " " + stage
	switch {
	case !ok || st.Status == workflows.StatusNotStarted:
		return no(hint, "%s never came to %s", target.Ref(), stage)
	case st.Status == workflows.StatusSucceeded:
		return nil
	}
	return no(hint, "%s never succeeded in %s: it is %s there", target.Ref(), stage, st.Status)
}

// unchanged refuses when the stage no longer runs what the person saw.
func (d *decision) unchanged(in *workflows.Intent) error {
	if in.IfCurrent == "" {
		return nil
	}
	now, name := "", "nothing yet"
	if runs := d.s.peek(in.Stage).Runs; runs != nil {
		now, name = runs.Execution, d.s.ref(runs.Number)
	}
	if now == in.IfCurrent {
		return nil
	}
	return workflows.Refuse(workflows.CodeChanged, "look again, and choose again", "%s has changed meanwhile: it runs %s now", in.Stage, name)
}

// giveWay takes an execution out of the stage that only waits at a gate there.
// It waits before the stage again, except one that was to end anyway, because
// it is being stopped or an action of it has failed, and a rollback: those end.
func (d *decision) giveWay(x *workflows.Execution, st *workflows.StageExecution) {
	failed := slices.ContainsFunc(st.Actions, func(a workflows.ActionExecution) bool { return a.Status == workflows.StatusFailed })
	if x.Stop != nil || failed || x.Type == workflows.TypeRollback {
		if x.Stop == nil {
			d.stopping(x, true, "a rollback of "+st.Name+" takes its place", false)
		}
		d.abandon(x, st, &workflows.Reason{Code: reasonStopped, Message: stopText(x.Stop)})
		d.halt(x, st)
		return
	}
	d.quitConditions(x, st, st.Name+" is being rolled back")
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
	d.emit(event.Event{Kind: event.ReturnPlanned, Stage: in.Stage, Planned: &workflows.PlannedReturn{
		Stage: in.Stage, Target: o.target.ID, Definition: o.definition, Reason: in.Reason, By: d.by, At: d.in.At,
	}})
	if in.WhileRunning == whileStop {
		for _, x := range d.s.holders(nil, in.Stage) {
			d.cutShort(x, x.Inside(), "to go back to "+o.target.Ref())
		}
	}
	return nil
}

// cutShort stops an execution and cancels what runs of it, so that its stage is free soon.
func (d *decision) cutShort(x *workflows.Execution, st *workflows.StageExecution, reason string) {
	if x.Stop == nil {
		d.stopping(x, false, reason, false)
	}
	why := &workflows.Reason{Code: reasonStopped, Message: stopText(x.Stop)}
	for _, a := range st.Open() {
		switch {
		case a.Cancelling:
		case a.IsGate():
			d.closeGate(x, st, a, gateWithdrawn, why)
		case a.Needs == workflows.NeedsResolve, a.Waits():
			d.act(event.ActionAbandoned, x, st, a, why, nil)
		default:
			d.act(event.ActionCancelling, x, st, a, why, nil)
		}
	}
}

// lastGood is where a stage would go back to; nil: nowhere.
func (s *State) lastGood(stage string) *ledger.Success {
	st, version := s.peek(stage), 0
	if p := s.definition(); p != nil {
		if def, ok := p.Stage(stage); ok && def.Rollback.Eligible == "sameVersion" {
			version = s.Version
		}
	}
	return st.LastGood(version)
}

// returns begins the planned rollbacks whose stage has become free.
func (d *decision) returns() error {
	if d.s.Version == 0 {
		return nil
	}
	stages := d.s.definition().Stages
	for i := range stages {
		name := stages[i].Name
		plan := d.s.peek(name).Planned
		held := d.s.holders(nil, name)
		if plan == nil || slices.ContainsFunc(held, (*workflows.Execution).Works) {
			continue
		}
		var err error
		o := &order{stage: &stages[i], definition: plan.Definition, reason: plan.Reason,
			trigger: workflows.StartedBy{Type: workflows.TriggerRollback, Detail: plan.By.Name, By: plan.By}}
		o.target, err = d.find("target", plan.Target)
		if err == nil {
			err = d.eligible(o)
		}
		if err == nil {
			err = d.replace(o, held)
		}
		var problem *workflows.Problem
		if errors.As(err, &problem) {
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
	stage, kept := d.s.definition().Stage(name)
	if !kept || failed.Type == workflows.TypeRollback || d.s.peek(name).Planned != nil {
		return nil
	}
	good := d.s.lastGood(name)
	if good == nil || good.Execution == failed.ID || good.Digest != d.s.digest(d.s.Version, name) {
		return nil
	}
	detail, err := json.Marshal(map[string]string{"FailedPipelineExecutionId": failed.ID})
	if err != nil {
		return err
	}
	o := &order{stage: stage, definition: asWas, reason: failed.Ref() + " failed", failed: failed.ID,
		trigger: workflows.StartedBy{Type: workflows.TriggerAutomated, Detail: string(detail), By: workflows.EnginePrincipal()}}
	o.target, err = d.find("target", good.Execution)
	if err == nil {
		err = d.eligible(o)
	}
	if err == nil {
		err = d.launch(o)
	}
	if errors.As(err, new(*workflows.Problem)) {
		return nil // the failure stands; a person may choose
	}
	return err
}

// content is the version under which a rollback runs, and its stage there. Where
// the stage does the same work as ever, that is the version in force.
func (d *decision) content(o *order) (version int, p *workflows.Pipeline, carried bool, err error) {
	st, _ := o.target.Stage(o.stage.Name)
	if o.definition == asIs || st.Digest == d.s.digest(d.s.Version, o.stage.Name) {
		return d.s.Version, d.s.definition(), false, nil
	}
	p, carried, err = d.version(o.target.Version)
	return o.target.Version, p, carried, err
}

// launch begins a rollback in its stage, which is free: with the target's
// revisions, variables, artifacts and outputs, and nothing but this stage.
func (d *decision) launch(o *order) error {
	version, p, carried, err := d.content(o)
	if err != nil {
		return err
	}
	runs, ok := p.Stage(o.stage.Name)
	if !ok {
		return workflows.Refuse(workflows.CodeUnableToRollback, "choose another target", "version %d of %s has no stage %s", version, d.s.Name, o.stage.Name)
	}
	t := o.target
	e := d.begin(workflows.TypeRollback, version, []workflows.Stage{*runs})
	e.Trigger, e.Variables, e.Artifacts, e.Outputs = o.trigger, t.Variables, t.Artifacts, t.Outputs
	e.SourceRevisions = slices.Clone(t.SourceRevisions)
	e.Rollback = &workflows.Rollback{
		Target: t.ID, TargetNumber: t.Number, FailedExecution: o.failed, Definition: o.definition, Reason: o.reason,
		SkipApprovals: d.skipsApprovals(o),
	}
	if now := d.s.peek(o.stage.Name).Runs; now != nil {
		e.Rollback.LeftExecution = now.Execution
	}
	ev := event.Event{Kind: event.ExecutionStarted, Execution: e.ID, Stage: o.stage.Name, Started: &e}
	if carried {
		ev.Under = p
	}
	d.emit(ev)
	d.hold(o)
	d.enter(d.s.execution(e.ID), o.stage.Name)
	return nil
}

// skipsApprovals says whether people need not approve again. Going back by
// itself never asks: it would leave the stage broken until somebody comes.
func (d *decision) skipsApprovals(o *order) bool {
	switch {
	case o.automatic(), o.stage.Rollback.Approval == "skip":
		return true
	case o.stage.Rollback.Approval == "require":
		return false
	}
	st := d.s.peek(o.stage.Name)
	return st.Recent(o.target.ID)
}
