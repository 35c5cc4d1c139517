package bridged

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/identity"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// History is the Text of an executionObserved about what had ended before the first look.
const History = "history"

// removedAfter is how long ago an execution ended that is not known any more, rather than not yet.
const removedAfter = 10 * time.Minute

// Observe tells what a look saw that the state does not know yet. The error asks for a look-up first.
func (d *Decision) Observe(seen *work.Snapshot) error {
	m := d.Memory().all()
	if seen.Lost != nil {
		if m.Lost == nil {
			d.Emit(event.Event{Kind: event.BridgeLost, Reason: seen.Lost})
		}
		return nil
	}
	known, err := d.lookUp(seen)
	if err != nil {
		return err
	}
	if m.Lost != nil || !m.Looked {
		d.Emit(event.Event{Kind: event.BridgeSeen})
	}
	d.transitions(seen)
	for i := range seen.Executions {
		shown := d.shown(&seen.Executions[i], seen, known)
		d.execution(shown, known[shown.ExternalID], !m.Looked)
		if row := d.Row(idOf(shown)); row != nil {
			known[shown.ExternalID] = row // what is behind it in the list may be a rollback to it
		}
	}
	for _, e := range slices.Clone(d.Executions()) {
		listed := func(x workflows.Execution) bool { return x.ExternalID == e.ExternalID }
		if !slices.ContainsFunc(seen.Executions, listed) {
			d.GiveUp(e, "AWS does not list it any more")
		}
	}
	return nil
}

// GiveUp ends an execution of which nothing more will be seen.
func (d *Decision) GiveUp(e *workflows.Execution, why string) {
	if st := e.Inside(); st != nil {
		for _, a := range st.Open() {
			d.withdraw(e, st, a, why)
		}
		d.Emit(event.Event{Kind: event.StageCancelled, Execution: e.ID, Stage: st.Name})
	}
	d.Emit(event.Event{Kind: event.ExecutionCancelled, Execution: e.ID, Reason: &workflows.Reason{Code: "Cancelled", Message: why}})
}

// lookUp finds what is known of the executions that a look saw, and of what they were rolled back to.
func (d *Decision) lookUp(seen *work.Snapshot) (map[string]*workflows.Execution, error) {
	var externals []string
	for i := range seen.Executions {
		x := &seen.Executions[i]
		externals = append(externals, x.ExternalID)
		if x.Rollback != nil && x.Rollback.Target != "" {
			externals = append(externals, x.Rollback.Target)
		}
	}
	return d.Known(externals)
}

// Known finds executions by their IDs in AWS: among the unfinished ones, and among
// those that were looked up (which one has an ID, or empty: none; and their rows).
// What is missing was not looked up.
func Known(externals []string, unfinished []*workflows.Execution, ids map[string]string, rows map[string]*workflows.Execution) (found map[string]*workflows.Execution, missing []string) {
	found = map[string]*workflows.Execution{}
	for _, external := range externals {
		i := slices.IndexFunc(unfinished, func(e *workflows.Execution) bool { return e.ExternalID == external })
		id, looked := ids[external]
		switch {
		case i >= 0:
			found[external] = unfinished[i]
		case !looked:
			missing = append(missing, external)
		case id != "" && rows[id] != nil:
			found[external] = rows[id]
		}
	}
	return found, missing
}

// shown is an execution as the look shows it, in the terms of the state: where it
// waits, what it was rolled back to, and who asked for it here.
func (d *Decision) shown(x *workflows.Execution, seen *work.Snapshot, known map[string]*workflows.Execution) *workflows.Execution {
	w := *x
	w.WaitsFor = nil
	for _, st := range seen.Stages {
		if slices.Contains(st.Inbound, w.ExternalID) && !w.Status.Final() {
			w.WaitsFor = &workflows.Wait{Stage: st.Name, For: workflows.WaitsForStage, Since: d.At}
			if !st.Transition.Enabled {
				w.WaitsFor.For = workflows.WaitsForTransition
			}
		}
	}
	if w.Rollback != nil {
		back := *w.Rollback
		if target := known[back.Target]; target != nil {
			back.Target, back.TargetNumber = target.ID, target.Number
		}
		w.Rollback = &back
	}
	if r := d.Memory().began(w.ExternalID); r != nil {
		w.Trigger.By = r.By
		if w.Rollback != nil {
			w.Rollback.Reason = r.Intent.Reason
		}
	}
	return &w
}

// live finds an execution of the state, or one that this decision has ended, by its ID in AWS.
func (d *Decision) live(external string) *workflows.Execution {
	for _, e := range d.Executions() {
		if e.ExternalID == external {
			return e
		}
	}
	return nil
}

// execution tells the difference between what is known of an execution and what is shown.
func (d *Decision) execution(w, have *workflows.Execution, first bool) {
	switch {
	case have == nil && d.unusable(w, first):
	case have == nil && first:
		d.history(w)
	case have == nil:
		row := d.begin(w)
		d.Emit(event.Event{Kind: event.ExecutionStarted, Execution: row.ID, Started: &row, When: moment(row.StartedAt)})
		d.follow(row.ID, w)
	case !have.Status.Final():
		d.follow(have.ID, w)
	case alike(have, w):
	case retried(have, w):
		stage, all := resumedIn(have, w)
		d.Emit(event.Event{Kind: event.ExecutionResumed, Execution: have.ID, Stage: stage, Resumed: &event.Resumed{Execution: *have, All: all}})
		d.follow(have.ID, w)
	default:
		d.correct(have, w)
	}
}

// unusable says whether nothing can be made of an execution that is not known: a
// rollback of which no stage is known yet, or one that retention has removed.
func (d *Decision) unusable(w *workflows.Execution, first bool) bool {
	if w.ExternalID == "" || w.Type == workflows.TypeRollback && len(w.Stages) == 0 {
		return true
	}
	ended := w.UpdatedAt
	if w.EndedAt != nil {
		ended = *w.EndedAt
	}
	return !first && w.Status.Final() && !w.StartedAt.After(d.Memory().all().Newest) && ended.Before(d.Since.Add(-removedAfter))
}

// history takes over what there was before the first look. What has not ended is
// news as far as people wait in it.
func (d *Decision) history(w *workflows.Execution) {
	row := overlay(d.begin(w), w)
	ev := event.Event{Kind: event.ExecutionObserved, Execution: row.ID, Started: &row}
	if row.Status.Final() {
		ev.Text = History
	}
	d.Emit(ev)
	if e := d.live(row.ExternalID); e != nil {
		d.openGates(e, w)
	}
}

// follow brings an unfinished execution to what is shown, step by step, and by the
// whole row where the steps do not tell all.
func (d *Decision) follow(id string, w *workflows.Execution) {
	d.walk(d.Row(id), w)
	if e := d.Row(id); !alike(e, w) {
		d.correct(e, w)
	}
}

// correct tells the whole row, and asks at what waits in it.
func (d *Decision) correct(have, w *workflows.Execution) {
	row := overlay(*have, w)
	d.Emit(event.Event{Kind: event.ExecutionObserved, Execution: row.ID, Started: &row})
	if now := d.live(w.ExternalID); now != nil {
		d.openGates(now, w)
	}
}

// idOf is the ID here of an execution in AWS: the same whenever it is made.
func idOf(w *workflows.Execution) string {
	sum := sha256.Sum256([]byte(w.ExternalID))
	return identity.New(w.StartedAt, [16]byte(sum[:16]), 1)
}

// begin lays out an execution as it was when it began.
func (d *Decision) begin(w *workflows.Execution) workflows.Execution {
	e := workflows.Execution{
		ID: idOf(w), Number: d.Number(), Pipeline: d.Name, ExternalID: w.ExternalID,
		Version: w.Version, Mode: d.Definition.ExecutionMode, Type: w.Type, Status: workflows.StatusInProgress, Trigger: w.Trigger,
		SourceRevisions: slices.Clone(w.SourceRevisions), Variables: w.Variables, Rollback: w.Rollback,
		StartedAt: utc(w.StartedAt), UpdatedAt: utc(w.StartedAt), Attempt: 1, Stages: d.stages(w),
	}
	if e.Version == 0 {
		e.Version = d.Version
	}
	if e.Type == "" {
		e.Type = workflows.TypeStandard
	}
	if e.SourceRevisions == nil {
		e.SourceRevisions = []workflows.SourceRevision{}
	}
	if e.Variables == nil {
		e.Variables = map[string]string{}
	}
	if r := d.Memory().began(w.ExternalID); r != nil {
		e.Requests = []workflows.Request{r.Request.Request}
	}
	if e.Rollback != nil {
		back := *e.Rollback
		if runs := d.Runs(e.Stages[0].Name); runs != nil {
			back.LeftExecution = runs.Execution
		}
		e.Rollback = &back
	}
	return e
}

// stages are those that an execution has to do: of a rollback only what is shown of
// it; of others those of the definition, where that is the one it runs under.
func (d *Decision) stages(w *workflows.Execution) []workflows.StageExecution {
	var all []workflows.StageExecution
	if w.Type != workflows.TypeRollback && (w.Version == 0 || w.Version == d.Version) {
		for i := range d.Definition.Stages {
			all = append(all, d.Definition.Stages[i].Begin())
		}
	}
	for i := range w.Stages {
		if name := w.Stages[i].Name; !slices.ContainsFunc(all, func(st workflows.StageExecution) bool { return st.Name == name }) {
			all = append(all, d.begun(&w.Stages[i]))
		}
	}
	return all
}

// begun is a stage before it was entered.
func (d *Decision) begun(w *workflows.StageExecution) workflows.StageExecution {
	if def, ok := d.Definition.Stage(w.Name); ok {
		return def.Begin()
	}
	st := workflows.StageExecution{Name: w.Name, Status: workflows.StatusNotStarted, Actions: []workflows.ActionExecution{}}
	for _, a := range w.Actions {
		st.Actions = append(st.Actions, workflows.ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.Provider, Status: workflows.StatusNotStarted})
	}
	return st
}

// transitions tells which stages were locked or unlocked. One of which nothing is
// known, as in PARALLEL mode, is left as it is.
func (d *Decision) transitions(seen *work.Snapshot) {
	for _, st := range seen.Stages {
		shown, have := st.Transition, d.Transition(st.Name)
		unknown := !shown.Enabled && shown.Reason == "" && shown.At == nil && shown.By == nil
		if _, ok := d.Definition.Stage(st.Name); !ok || unknown || shown.Enabled == have.Enabled && (shown.Enabled || shown.Reason == have.Reason) {
			continue
		}
		verb, kind := workflows.Lock, event.TransitionDisabled
		if shown.Enabled {
			verb, kind = workflows.Unlock, event.TransitionEnabled
		}
		now := workflows.Transition{Enabled: shown.Enabled, Reason: shown.Reason, By: shown.By, At: shown.At}
		if !now.Enabled {
			now.Cause = "person"
		}
		if r := d.Memory().asked(verb, "", st.Name, ""); r != nil { // it is what was asked for here
			by := r.By
			now.By = &by
			if r.Intent.Target != "" && !now.Enabled {
				now.Cause = "rollback"
			}
		}
		ev := event.Event{Kind: kind, Stage: st.Name, Transition: &now, When: shown.At}
		if now.By != nil {
			ev.By = *now.By
		}
		d.Emit(ev)
	}
}

func utc(t time.Time) time.Time { return t.Round(0).UTC() }

// moment is a time for an event; nil: it is not known.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	at := utc(t)
	return &at
}
