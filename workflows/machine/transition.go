package machine

import (
	"reflect"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/scope"
)

// Why a stage is locked (Transition.Cause).
const (
	causePerson   = "person"
	causeRollback = "rollback"
)

// staleLock is how long a stage may have been locked for those who wait before it
// to go on when it is unlocked; after that their change is too old to enter unasked.
const staleLock = 30 * 24 * time.Hour

// frozen returns the freeze that keeps executions out of a stage at a time; nil: none.
func (s *State) frozen(stage string, at time.Time) *workflows.Freeze {
	for i := range s.Freezes {
		if scope.Frozen(&s.Freezes[i], at, s.Name, stage) {
			return &s.Freezes[i]
		}
	}
	return nil
}

// checkFreeze refuses what freezes keep out, except from those whom each lets things pass.
func (d *decision) checkFreeze(stage string) (err error) {
	for _, f := range d.s.Freezes {
		if err == nil && scope.Frozen(&f, d.in.At, d.s.Name, stage) {
			switch passes, known := gate.Passes(&f, d.by, d.in.Facts.Members[d.by.Key()]); {
			case d.dry && len(f.MayPass) > 0, passes:
			case !known:
				err = &NeedFacts{People: []workflows.Principal{d.by}, Who: f.MayPass}
			default:
				err = gate.Frozen(f, stage)
			}
		}
	}
	return err
}

// checkGateFreeze refuses to open a gate in a freeze while nothing of the stage has
// been deployed, unless the execution was let past the freeze.
func (d *decision) checkGateFreeze(e *workflows.Execution, st *workflows.StageExecution) error {
	if transition := d.s.peek(st.Name).Transition; e.Type == workflows.TypeRollback || st.Worked() || transition.Only == e.ID && transition.PastFreeze {
		return nil
	}
	return d.checkFreeze(st.Name)
}

// setFreezes takes over what the service's configuration says of this pipeline.
func (d *decision) setFreezes(in *workflows.Intent) error {
	if !d.by.IsEngine() {
		return workflows.Refuse(workflows.CodeAccessDenied, "write it into the configuration of the service", "freezes are set by the configuration only")
	}
	if !reflect.DeepEqual(d.s.Freezes, in.Freezes) {
		d.emit(event.Event{Kind: event.FreezesSet, Freezes: in.Freezes})
	}
	return nil
}

// transitionOf finds the stage whose transition an intent is about.
func (d *decision) transitionOf(in *workflows.Intent) (string, error) {
	if _, err := d.stageNamed(in.Stage); err != nil {
		return "", err
	}
	if d.s.definition().IsSource(in.Stage) && (in.Execution == "" || d.s.frozen(in.Stage, d.in.At) == nil) {
		return "", workflows.Refuse(workflows.CodeValidation, "archive the pipeline to keep it from starting", "%s is the first stage of %s: no transition leads into it", in.Stage, d.s.Name).In("stage")
	}
	return in.Stage, nil
}

// setLock disables the transition into a stage.
func (d *decision) setLock(stage, cause, reason, only string, by workflows.Principal, at time.Time) {
	d.emit(event.Event{Kind: event.TransitionDisabled, Stage: stage, Transition: &workflows.Transition{Cause: cause, Reason: reason, By: &by, At: &at, Only: only}})
}

func (d *decision) liftLock(stage, reason string) {
	by, at := d.by, d.in.At
	d.emit(event.Event{Kind: event.TransitionEnabled, Stage: stage, Transition: &workflows.Transition{Enabled: true, Reason: reason, By: &by, At: &at}})
}

// lock locks a stage; a person's reason replaces that of a rollback. One that was
// locked before keeps its time.
func (d *decision) lock(in *workflows.Intent) error {
	stage, err := d.transitionOf(in)
	if err != nil {
		return err
	}
	at, transition := d.in.At, d.s.peek(stage).Transition
	if !transition.Enabled && transition.At != nil {
		if transition.Cause == causePerson && transition.Reason == in.Reason && transition.Only == "" {
			return nil
		}
		at = *transition.At
	}
	if d.s.bridge() != nil {
		return d.inAWS().Ask(*in, nil, "", in.Reason)
	}
	d.setLock(stage, causePerson, in.Reason, "", d.by, at)
	return nil
}

// unlock unlocks a stage, or admits one execution to it.
func (d *decision) unlock(in *workflows.Intent) error {
	stage, err := d.transitionOf(in)
	if err != nil {
		return err
	}
	transition := d.s.peek(stage).Transition
	if in.Execution != "" && d.s.bridge() != nil {
		return workflows.Refuse(workflows.CodeValidation, "unlock the stage, and lock it again behind that one", "AWS CodePipeline lets nobody alone through a locked stage").In("only")
	}
	if in.Execution != "" {
		return d.admitOnly(in.Execution, stage, transition)
	}
	if transition.Enabled {
		return nil
	}
	if d.s.bridge() != nil {
		return d.inAWS().Ask(*in, nil, "", in.Reason)
	}
	d.liftLock(stage, in.Reason)
	if transition.At != nil && d.in.At.Sub(*transition.At) > staleLock {
		for _, e := range d.s.waiting(stage) {
			d.emit(event.Event{Kind: event.ExecutionCancelled, Execution: e.ID, Reason: &workflows.Reason{Code: reasonCancelled,
				Message: stage + " was locked for more than 30 days; start again with what is new"}})
		}
	}
	return nil
}

// admitOnly admits one execution to a stage that stays locked, or frozen, for the others.
func (d *decision) admitOnly(id, stage string, transition workflows.Transition) error {
	e, err := d.find("only", id)
	if err != nil {
		return err
	}
	st, ok := e.Stage(stage)
	switch {
	case e.Status.Final():
		return workflows.Refuse(workflows.CodeConflict, "start a new execution", "%s has ended: it is %s", e.Ref(), e.Status)
	case !ok || e.Type == workflows.TypeRollback || st.Status != workflows.StatusNotStarted:
		return workflows.Refuse(workflows.CodeConflict, "see how it stands with: status "+e.Ref(), "%s does not come to %s any more", e.Ref(), stage)
	}
	frozen := d.s.frozen(stage, d.in.At) != nil
	if err := d.checkFreeze(stage); err != nil {
		return err
	}
	if transition.Enabled && !frozen || transition.Only == e.ID && transition.PastFreeze == frozen {
		return nil
	}
	transition.Only, transition.PastFreeze = e.ID, frozen
	d.emit(event.Event{Kind: event.TransitionEnabled, Execution: e.ID, Stage: stage, Transition: &transition})
	return nil
}

// lockAfterRollback locks a stage that is being rolled back, so that the next run
// does not redeploy what was rolled back. A person's lock stays as it is, except
// that nobody who had been admitted may now follow.
func (d *decision) lockAfterRollback(o *order) {
	stage := o.stage
	transition := d.s.peek(stage.Name).Transition
	wanted := stage.Rollback.Lock == "always" || stage.Rollback.Lock == "manual" && !o.automatic()
	if o.lock != nil {
		wanted = *o.lock
	}
	why := say.LockReason(o.target.Ref(), o.reason)
	switch {
	case wanted && (transition.Enabled || transition.Cause == causeRollback): // the newer rollback is why it is locked now
		d.setLock(stage.Name, causeRollback, why, "", o.trigger.By, d.in.At)
	case !transition.Enabled && transition.Only != "":
		d.admitNobody(stage.Name, transition)
	}
}

// admitNobody leaves a stage locked as it is, also for the one that had been admitted.
func (d *decision) admitNobody(stage string, transition workflows.Transition) {
	transition.Only, transition.PastFreeze = "", false
	d.emit(event.Event{Kind: event.TransitionDisabled, Stage: stage, Transition: &transition})
}
