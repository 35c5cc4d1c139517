package machine

import (
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// What an inbound execution waits for (Wait.For).
const (
	forStage      = "stage"      // somebody is inside
	forTransition = "transition" // the door is shut
)

// arrive brings an execution to a stage: in, when the stage is free and its
// door open, else into the waiting slot. Of two that meet at a door the newer
// one stays; the other is superseded, here and nowhere else.
func (d *decision) arrive(e *workflows.Execution, stage string) {
	if !d.takesSlot(e, stage) {
		return
	}
	obstacle := d.obstacle(e, stage)
	if obstacle == "" {
		d.enter(e, stage)
		return
	}
	d.emit(event.Event{Kind: event.ExecutionWaiting, Execution: e.ID, Stage: stage, Wait: &workflows.Wait{
		Stage: stage, For: obstacle, Since: d.in.At,
	}})
}

// takesSlot settles who stays in the slot before a stage, and says whether it is this one.
func (d *decision) takesSlot(e *workflows.Execution, stage string) bool {
	for _, other := range d.s.waiting(stage) {
		if other.Number > e.Number {
			d.supersede(e, other, stage)
			return false
		}
		if other.ID != e.ID {
			d.supersede(other, e, stage)
		}
	}
	return true
}

func (d *decision) supersede(old, by *workflows.Execution, stage string) {
	d.emit(event.Event{Kind: event.ExecutionSuperseded, Execution: old.ID, Reason: &workflows.Reason{
		Code: "Superseded", Message: "the newer " + by.Ref() + " took its place before " + stage,
	}})
}

// obstacle says what keeps an execution from entering a stage; empty: nothing.
func (d *decision) obstacle(e *workflows.Execution, stage string) string {
	door := d.s.peek(stage).Door
	switch {
	case !door.Enabled && door.Only != e.ID:
		return forTransition
	case !d.free(stage):
		return forStage
	}
	return ""
}

// free says whether nobody is inside a stage. After an edit a stage that is
// new to somebody still inside a vanished one is not free either: they may be
// the same place under another name.
func (d *decision) free(stage string) bool {
	for _, e := range d.s.Executions {
		st := inside(e)
		if st == nil {
			continue
		}
		if st.Name == stage {
			return false
		}
		if _, kept := d.s.definition().Stage(st.Name); !kept {
			if _, known := d.s.Definitions[e.Version].Stage(stage); !known {
				return false
			}
		}
	}
	return true
}

func (d *decision) enter(e *workflows.Execution, stage string) {
	d.emit(event.Event{Kind: event.StageEntered, Execution: e.ID, Stage: stage})
}

// doors lets those in who wait before a stage that has become free or open.
func (d *decision) doors() {
	for _, e := range slices.Clone(d.s.Executions) {
		if e.WaitsFor == nil {
			continue
		}
		switch obstacle := d.obstacle(e, e.WaitsFor.Stage); obstacle {
		case "":
			d.enter(e, e.WaitsFor.Stage)
		case e.WaitsFor.For:
		default:
			w := *e.WaitsFor
			w.For = obstacle
			d.emit(event.Event{Kind: event.ExecutionWaiting, Execution: e.ID, Stage: w.Stage, Wait: &w})
		}
	}
}

// advance takes an execution that is inside a stage one step on: the next group
// of actions starts, or the stage ends.
func (d *decision) advance(e *workflows.Execution) error {
	st := inside(e)
	if st == nil {
		return nil
	}
	open, failed := 0, false
	next := 0 // the lowest run order that is not done
	for _, a := range st.Actions {
		switch a.Status {
		case workflows.StatusInProgress:
			open++
		case workflows.StatusFailed, workflows.StatusAbandoned:
			failed = true
		}
		if done := a.Status == workflows.StatusSucceeded || a.Status == workflows.StatusSkipped; !done && (next == 0 || a.RunOrder < next) {
			next = a.RunOrder
		}
	}
	switch {
	case open > 0 && (e.Stop != nil || failed):
		return nil // what runs may finish; nothing new starts
	case e.Stop != nil:
		d.halt(e, st)
		return nil
	case failed:
		return d.fail(e, st)
	case next == 0:
		d.succeed(e, st)
		return nil
	}
	for i := range st.Actions {
		if a := &st.Actions[i]; a.RunOrder == next && a.Status == workflows.StatusNotStarted {
			d.startAction(e, st, a)
		}
	}
	return nil
}

func (d *decision) succeed(e *workflows.Execution, st *workflows.StageExecution) {
	d.emit(event.Event{Kind: event.StageSucceeded, Execution: e.ID, Stage: st.Name})
	if door := d.s.peek(st.Name).Door; !door.Enabled && door.Cause == causeRollback && door.Only == e.ID {
		d.unlock(st.Name, e.Ref()+" succeeded")
	}
	at := slices.IndexFunc(e.Stages, func(o workflows.StageExecution) bool { return o.Name == st.Name })
	if at+1 < len(e.Stages) {
		d.arrive(e, e.Stages[at+1].Name)
		return
	}
	d.emit(event.Event{Kind: event.ExecutionSucceeded, Execution: e.ID})
}

// fail ends the stage and the execution. An automatic rollback is part of the
// same step, so that nobody who waits can slip in between.
func (d *decision) fail(e *workflows.Execution, st *workflows.StageExecution) error {
	reason := failure(st)
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	d.emit(event.Event{Kind: event.StageFailed, Execution: e.ID, Stage: st.Name, Reason: reason})
	d.emit(event.Event{Kind: event.ExecutionFailed, Execution: e.ID, Reason: reason})
	if def.OnFailure == nil || def.OnFailure.Result != "ROLLBACK" || !worked(st) ||
		reason.Code == reasonNotApproved || reason.Code == reasonExpired {
		return nil
	}
	return d.rollbackAutomatically(e, st.Name)
}

// failure is why a stage failed: the first action that did, work before approvals.
func failure(st *workflows.StageExecution) *workflows.Reason {
	var first *workflows.ActionExecution
	for i := range st.Actions {
		a := &st.Actions[i]
		if a.Error == nil || a.Status != workflows.StatusFailed && a.Status != workflows.StatusAbandoned {
			continue
		}
		if first == nil || isGate(first) && !isGate(a) {
			first = a
		}
	}
	if first == nil {
		return &workflows.Reason{Code: reasonFailed, Message: st.Name + " failed"}
	}
	if isGate(first) {
		return first.Error
	}
	code := first.Error.Code
	switch code {
	case reasonTimedOut, reasonConfiguration, reasonArtifactMissing:
	default:
		code = reasonFailed // the action's own error keeps what its runner called it
	}
	return &workflows.Reason{Code: code, Message: first.Name + " in " + st.Name + ": " + first.Error.Message}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
