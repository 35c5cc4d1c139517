package machine

import (
	"reflect"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Why a door is shut (Transition.Cause).
const (
	causePerson   = "person"
	causeRollback = "rollback" // a hold
)

// staleHold is how long a door may have been shut for those who wait there to
// go on when it opens; after that the change is too old to walk in unasked.
const staleHold = 30 * 24 * time.Hour

// frozen returns the freeze that keeps executions out of a stage at a time; nil: none.
func (s *State) frozen(stage string, at time.Time) *workflows.Freeze {
	for i := range s.Freezes {
		if s.Freezes[i].At(at, s.Name, stage) {
			return &s.Freezes[i]
		}
	}
	return nil
}

// thawed refuses what a freeze keeps out, except from those who may let things pass.
func (d *decision) thawed(stage string) error {
	f := d.s.frozen(stage, d.in.At)
	if f == nil || d.dry && len(f.MayPass) > 0 {
		return nil
	}
	known := d.in.Facts.Members[d.by.Key()]
	_, machine := d.by.Machine()
	for _, who := range f.MayPass {
		if _, looked := known[who]; !looked && !machine {
			return &NeedFacts{People: []workflows.Principal{d.by}, Who: f.MayPass}
		}
		if known[who] || who == d.by.ID {
			return nil
		}
	}
	hint := "nobody may pass it; rolling back is possible all the same"
	if len(f.MayPass) > 0 {
		hint = "these may let it pass: " + strings.Join(f.MayPass, ", ") + "; rolling back is possible all the same"
	}
	return workflows.Refuse(workflows.CodeStageDisabled, hint, "%s is frozen (%s) until %s", stage, f.Name, words.Moment(f.To))
}

// keptFrozen refuses to open a gate in a freeze while nothing of the stage has
// been deployed, unless the execution was let past the freeze.
func (d *decision) keptFrozen(e *workflows.Execution, st *workflows.StageExecution) error {
	if door := d.s.peek(st.Name).Door; e.Type == workflows.TypeRollback || st.Worked() || door.Only == e.ID && door.PastFreeze {
		return nil
	}
	return d.thawed(st.Name)
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

// door finds the stage whose transition an intent is about.
func (d *decision) door(in *workflows.Intent) (string, error) {
	if _, err := d.stageNamed(in.Stage); err != nil {
		return "", err
	}
	if d.s.definition().IsSource(in.Stage) && (in.Execution == "" || d.s.frozen(in.Stage, d.in.At) == nil) {
		return "", workflows.Invalid("stage", "archive the pipeline to keep it from starting", "%s is the first stage of %s: no transition leads into it", in.Stage, d.s.Name)
	}
	return in.Stage, nil
}

// shut writes a door's new state.
func (d *decision) shut(stage, cause, reason, only string, by workflows.Principal, at time.Time) {
	d.emit(event.Event{Kind: event.TransitionDisabled, Stage: stage, Transition: &workflows.Transition{
		Cause: cause, Reason: reason, By: &by, At: &at, Only: only,
	}})
}

func (d *decision) unlock(stage, reason string) {
	by, at := d.by, d.in.At
	d.emit(event.Event{Kind: event.TransitionEnabled, Stage: stage, Transition: &workflows.Transition{
		Enabled: true, Reason: reason, By: &by, At: &at,
	}})
}

// disable shuts the door into a stage; a person's word replaces a hold's. A
// door that was shut before keeps its time and gets the new reason.
func (d *decision) disable(in *workflows.Intent) error {
	stage, err := d.door(in)
	if err != nil {
		return err
	}
	at, door := d.in.At, d.s.peek(stage).Door
	if !door.Enabled && door.At != nil {
		if door.Cause == causePerson && door.Reason == in.Reason && door.Only == "" {
			return nil
		}
		at = *door.At
	}
	d.shut(stage, causePerson, in.Reason, "", d.by, at)
	return nil
}

// enable opens the door into a stage, or lets one execution through.
func (d *decision) enable(in *workflows.Intent) error {
	stage, err := d.door(in)
	if err != nil {
		return err
	}
	door := d.s.peek(stage).Door
	if in.Execution != "" {
		return d.letIn(in.Execution, stage, door)
	}
	if door.Enabled {
		return nil
	}
	d.unlock(stage, in.Reason)
	if door.At != nil && d.in.At.Sub(*door.At) > staleHold {
		for _, e := range d.s.waiting(stage) {
			d.emit(event.Event{Kind: event.ExecutionCancelled, Execution: e.ID, Reason: &workflows.Reason{Code: reasonCancelled,
				Message: "the door into " + stage + " was shut for more than 30 days; start again with what is new"}})
		}
	}
	return nil
}

// letIn lets one execution through a shut door that stays shut for the others.
func (d *decision) letIn(id, stage string, door workflows.Transition) error {
	e, err := d.find("only", id)
	if err != nil {
		return err
	}
	st, ok := e.Stage(stage)
	switch {
	case e.Status.Final():
		return workflows.Refuse(workflows.CodeConflict, "start a new execution", "%s has ended: it is %s", e.Ref(), e.Status)
	case !ok || e.Type == workflows.TypeRollback || st.Status != workflows.StatusNotStarted:
		return workflows.Refuse(workflows.CodeConflict, "see how it stands with: status "+e.Ref(), "%s does not come to the door of %s any more", e.Ref(), stage)
	}
	frozen := d.s.frozen(stage, d.in.At) != nil
	if err := d.thawed(stage); err != nil {
		return err
	}
	if door.Enabled && !frozen || door.Only == e.ID && door.PastFreeze == frozen {
		return nil
	}
	door.Only, door.PastFreeze = e.ID, frozen
	d.emit(event.Event{Kind: event.TransitionEnabled, Execution: e.ID, Stage: stage, Transition: &door})
	return nil
}

// hold shuts the door of a stage that is being rolled back, so that the next
// change does not walk straight back in. A person's disable stays as it is,
// except that nobody who had been let through may now follow.
func (d *decision) hold(o *order) {
	stage := o.stage
	door := d.s.peek(stage.Name).Door
	wanted := stage.Rollback.Hold == "always" || stage.Rollback.Hold == "manual" && !o.automatic()
	why := words.Because("rolled back to "+o.target.Ref(), o.reason)
	switch {
	case wanted && (door.Enabled || door.Cause == causeRollback): // the newer rollback is why it is held now
		d.shut(stage.Name, causeRollback, why, "", o.trigger.By, d.in.At)
	case !door.Enabled && door.Only != "":
		door.Only, door.PastFreeze = "", false
		d.emit(event.Event{Kind: event.TransitionDisabled, Stage: stage.Name, Transition: &door})
	}
}
