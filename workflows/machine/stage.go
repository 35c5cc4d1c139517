package machine

import (
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// parallelActions is how many actions of one execution run at once in PARALLEL mode.
const parallelActions = 5

// arrive brings an execution to a stage: in, when the stage is free and its
// door open, else into the line before it. In SUPERSEDED mode the line has one
// place: of two that meet at a door the newer one stays; the other is
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

// takesSlot settles who stays in the slot before a stage, and says whether it is this one.
func (d *decision) takesSlot(e *workflows.Execution, stage string) bool {
	if mode(e) != workflows.ModeSuperseded {
		return true
	}
	for _, other := range d.s.waiting(stage) {
		if mode(other) != workflows.ModeSuperseded {
			continue
		}
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

// obstacle says what keeps an execution from entering a stage, beginning now; nil: nothing.
func (d *decision) obstacle(e *workflows.Execution, stage string) *workflows.Wait {
	st := d.s.peek(stage)
	w := &workflows.Wait{Stage: stage, Since: d.in.At, Warning: st.Warning(e)}
	if e.WaitsFor != nil && e.WaitsFor.Stage == stage {
		w.Since = e.WaitsFor.Since
	}
	freeze := d.s.frozen(stage, d.in.At)
	switch {
	case !st.Door.Enabled && st.Door.Only != e.ID:
		w.For = workflows.WaitsForTransition
	case freeze != nil && (st.Door.Only != e.ID || !st.Door.PastFreeze):
		w.For, w.Freeze = workflows.WaitsForFreeze, freeze.Name
	case !d.free(e, stage), d.behind(e, stage):
		w.For = workflows.WaitsForStage
	default:
		return nil
	}
	return w
}

// behind says whether, in QUEUED mode, somebody who started earlier waits
// before the stage too. One that was let in goes past.
func (d *decision) behind(e *workflows.Execution, stage string) bool {
	if mode(e) != workflows.ModeQueued || d.s.peek(stage).Door.Only == e.ID {
		return false
	}
	line := d.s.waiting(stage)
	return len(line) > 0 && line[0].Number < e.Number
}

// free says whether an execution may enter a stage beside those who are there.
func (d *decision) free(e *workflows.Execution, stage string) bool {
	return len(d.s.holders(e, stage)) == 0 && !(parallel(e) && d.s.peek(stage).Planned != nil)
}

// parallel says whether an execution shares stages with others like it; nil
// stands for a rollback, which does not.
func parallel(e *workflows.Execution) bool {
	return e != nil && e.Type == workflows.TypeStandard && mode(e) == workflows.ModeParallel
}

// holders returns those who keep an execution out of a stage by being inside:
// one has the stage's lock, or, in PARALLEL mode, any number share it. After an
// edit a stage is also held by those inside a vanished one who do not know it:
// they may be the same place under another name.
func (s *State) holders(e *workflows.Execution, stage string) (held []*workflows.Execution) {
	for _, other := range s.Executions {
		st := other.Inside()
		if st == nil || parallel(e) && parallel(other) {
			continue
		}
		_, kept := s.definition().Stage(st.Name)
		_, known := s.Definitions[other.Version].Stage(stage)
		if st.Name == stage || !kept && !known {
			held = append(held, other)
		}
	}
	return held
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
		d.quitConditions(e, st, stopText(e.Stop))
		if len(st.Open()) == 0 {
			d.halt(e, st)
		}
		return nil // what runs may finish; nothing new starts
	}
	next, failed := st.Next()
	if next != 0 && !failed {
		entry, answered := d.held(e, st, workflows.BeforeEntry)
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
	after, answered := d.held(e, st, workflows.OnSuccess)
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
	older := func(o *workflows.Execution) bool { return o.Number < e.Number } // was passed, and must not come in after it unasked
	if door := d.s.peek(st.Name).Door; !door.Enabled && door.Cause == causeRollback && door.Only == e.ID && !slices.ContainsFunc(d.s.waiting(st.Name), older) {
		d.unlock(st.Name, e.Ref()+" succeeded")
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

// failed deals with a stage of which an action has failed and nothing runs any
// more. What people decided or let pass is no failure: nothing follows from it.
func (d *decision) failed(e *workflows.Execution, st *workflows.StageExecution) error {
	reason, follows := st.Failure(), ""
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	if def.OnFailure == nil || reason.Code == reasonNotApproved || reason.Code == reasonExpired {
		return d.fail(e, st, reason, "")
	}
	c, answered := d.held(e, st, workflows.AfterFailed)
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
	d.emit(event.Event{Kind: event.StageFailed, Execution: e.ID, Stage: st.Name, Reason: reason})
	def, _ := d.s.Definitions[e.Version].Stage(st.Name)
	if follows == workflows.ResultRetry && d.retryAutomatically(e, st, def.OnFailure.RetryMode) {
		return nil
	}
	d.emit(event.Event{Kind: event.ExecutionFailed, Execution: e.ID, Reason: reason})
	if follows != workflows.ResultRollback || !st.Worked() {
		return nil
	}
	return d.rollbackAutomatically(e, st.Name)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
