package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// parallelActions is how many actions of one execution run at once in PARALLEL mode.
const parallelActions = 5

// arrive brings an execution to a stage: in, when the stage is free and its
// unlocked, else into the line before it. In SUPERSEDED mode the line has one
// place: of two that meet there the newer one stays; the other is
// superseded, here and nowhere else.
func (d *decision) arrive(e *workflows.Execution, stage string) {
	if !d.takesSlot(e, stage) {
		return
	}
	wait := d.obstacle(e, stage)
	if wait == nil {
		d.enter(e, stage)
		return
	}
	d.emit(event.Event{Kind: event.ExecutionWaiting, Execution: e.ID, Stage: stage, Wait: wait})
}

// takesSlot decides who stays in the slot before a stage, and says whether it is this one.
func (d *decision) takesSlot(e *workflows.Execution, stage string) bool {
	if mode(e) != workflows.ModeSuperseded {
		return true
	}
	for _, other := range d.s.waiting(stage) {
		switch {
		case mode(other) != workflows.ModeSuperseded || other.ID == e.ID:
		case other.Number > e.Number:
			d.supersede(e, other, stage)
			return false
		default:
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

// obstacle says what keeps an execution from entering a stage, beginning now; nil: nothing.
func (d *decision) obstacle(e *workflows.Execution, stage string) *workflows.Wait {
	st := d.s.peek(stage)
	w := &workflows.Wait{Stage: stage, Since: d.in.At, Warning: st.Warning(e)}
	if e.WaitsFor != nil && e.WaitsFor.Stage == stage {
		w.Since = e.WaitsFor.Since
	}
	freeze := d.s.frozen(stage, d.in.At)
	switch {
	case !st.Transition.Enabled && st.Transition.Only != e.ID:
		w.For = workflows.WaitsForTransition
	case freeze != nil && (st.Transition.Only != e.ID || !st.Transition.PastFreeze):
		w.For, w.Freeze = workflows.WaitsForFreeze, freeze.Name
	case !d.free(e, stage), d.behind(e, stage):
		w.For = workflows.WaitsForStage
	default:
		return nil
	}
	return w
}

// behind says whether, in QUEUED mode, somebody who started earlier waits
// before the stage too. One that was admitted goes past.
func (d *decision) behind(e *workflows.Execution, stage string) bool {
	if mode(e) != workflows.ModeQueued || d.s.peek(stage).Transition.Only == e.ID {
		return false
	}
	line := d.s.waiting(stage)
	return len(line) > 0 && line[0].Number < e.Number
}

// free says whether an execution may enter a stage beside those who are there.
func (d *decision) free(e *workflows.Execution, stage string) bool {
	return len(d.s.occupants(e, stage)) == 0 && !(e.Shares() && d.s.peek(stage).Planned != nil)
}

// occupants returns those who keep an execution out of a stage by being inside:
// one occupies the stage, or, in PARALLEL mode, any number share it. After an
// edit a stage is also kept by those inside a vanished one who do not know it:
// they may be the same place under another name.
func (s *State) occupants(e *workflows.Execution, stage string) (inside []*workflows.Execution) {
	for _, other := range s.Executions {
		st := other.Inside()
		if st == nil || e.Shares() && other.Shares() {
			continue
		}
		_, kept := s.definition().Stage(st.Name)
		_, known := s.under(other).Stage(stage)
		if st.Name == stage || !kept && !known {
			inside = append(inside, other)
		}
	}
	return inside
}

func (d *decision) enter(e *workflows.Execution, stage string) {
	d.emit(event.Event{Kind: event.StageEntered, Execution: e.ID, Stage: stage})
}

// admitWaiting admits those who wait before a stage that has become free, or was unlocked.
func (d *decision) admitWaiting() {
	for _, e := range d.executions() {
		if e.WaitsFor == nil {
			continue
		}
		switch w := d.obstacle(e, e.WaitsFor.Stage); {
		case w == nil:
			d.enter(e, e.WaitsFor.Stage)
		case *w != *e.WaitsFor:
			d.emit(event.Event{Kind: event.ExecutionWaiting, Execution: e.ID, Stage: w.Stage, Wait: w})
		}
	}
}

// advance takes an execution that is inside a stage one step on: its entry
// condition is asked, the next group of actions starts, or the stage ends.
func (d *decision) advance(e *workflows.Execution) error {
	st := e.Inside()
	if st == nil {
		return nil
	}
	if e.Stop != nil {
		d.abandonConditions(e, st, say.StoppedBy(e.Stop))
		if len(st.Open()) == 0 {
			d.endStopped(e, st)
		}
		return nil // what runs may finish; nothing new starts
	}
	next, failed := st.Next()
	if next != 0 && !failed {
		entry, answered := d.evalCondition(e, st, workflows.BeforeEntry)
		switch {
		case !answered:
			return nil
		case !entry.Passed() && entry.Result == workflows.ResultSkip:
			d.emit(event.Event{Kind: event.StageSkipped, Execution: e.ID, Stage: st.Name, Reason: entry.Reason})
			d.moveOn(e, st)
			return nil
		case !entry.Passed():
			return d.fail(e, st, entry.Reason, "")
		}
		d.startGroup(e, st, next)
		return nil
	}
	switch {
	case failed && len(st.OpenActions()) > 0:
		return nil // its siblings may finish
	case failed:
		return d.failed(e, st)
	}
	after, answered := d.evalCondition(e, st, workflows.OnSuccess)
	switch {
	case !answered:
	case after.Passed():
		d.succeed(e, st)
	default:
		return d.fail(e, st, after.Reason, after.Result)
	}
	return nil
}

func (d *decision) startGroup(e *workflows.Execution, st *workflows.StageExecution, runOrder int) {
	for i := range st.Actions {
		full := mode(e) == workflows.ModeParallel && len(st.Open()) >= parallelActions
		if a := &st.Actions[i]; a.RunOrder == runOrder && a.Status == workflows.StatusNotStarted && !full {
			d.startAction(e, st, a)
		}
	}
}

func (d *decision) succeed(e *workflows.Execution, st *workflows.StageExecution) {
	d.emit(event.Event{Kind: event.StageSucceeded, Execution: e.ID, Stage: st.Name})
	older := func(o *workflows.Execution) bool { return o.Number < e.Number } // would enter next, once unlocked: then the lock stays
	if transition := d.s.peek(st.Name).Transition; !transition.Enabled && transition.Cause == causeRollback && transition.Only == e.ID && !slices.ContainsFunc(d.s.waiting(st.Name), older) {
		d.liftLock(st.Name, e.Ref()+" succeeded")
	}
	d.moveOn(e, st)
}

// moveOn takes an execution that is through with a stage to the next one, or to its end.
func (d *decision) moveOn(e *workflows.Execution, st *workflows.StageExecution) {
	at := slices.IndexFunc(e.Stages, func(o workflows.StageExecution) bool { return o.Name == st.Name })
	if at+1 < len(e.Stages) {
		d.arrive(e, e.Stages[at+1].Name)
		return
	}
	d.emit(event.Event{Kind: event.ExecutionSucceeded, Execution: e.ID})
}

// failed deals with a stage of which an action has failed and nothing runs any more.
func (d *decision) failed(e *workflows.Execution, st *workflows.StageExecution) error {
	reason, follows := st.Failure(), ""
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	if def.OnFailure == nil || !st.Broke() {
		return d.fail(e, st, reason, "")
	}
	c, answered := d.evalCondition(e, st, workflows.AfterFailed)
	switch {
	case !answered:
		return nil
	case c == nil && def.OnFailure.Condition == nil:
		follows = def.OnFailure.Result
	case c != nil && c.Passed():
		follows = c.Result
	}
	return d.fail(e, st, reason, follows)
}

// fail ends the stage and the execution, and does what follows from it in the
// same step, so that nobody who waits can slip in between.
func (d *decision) fail(e *workflows.Execution, st *workflows.StageExecution, reason *workflows.Reason, follows string) error {
	if st.Since != nil && !st.Since.After(d.s.Restored) {
		follows = "" // what runs in the stage by now is not known: a person decides
	}
	stage, whole := event.StageFailed, event.ExecutionFailed
	if reason.Code == "Superseded" { // what it came to fetch was replaced: nothing is broken
		stage, whole = event.StageCancelled, event.ExecutionSuperseded
	}
	d.emit(event.Event{Kind: stage, Execution: e.ID, Stage: st.Name, Reason: reason})
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	if follows == workflows.ResultRetry && d.retryAutomatically(e, st, def.OnFailure.RetryMode) {
		return nil
	}
	d.emit(event.Event{Kind: whole, Execution: e.ID, Reason: reason})
	if follows != workflows.ResultRollback || !st.Worked() {
		return nil
	}
	return d.rollbackAutomatically(e, st.Name)
}
