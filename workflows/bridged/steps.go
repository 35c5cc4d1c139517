package bridged

import (
	"cmp"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// walk tells step by step what led from an unfinished execution as it is known to
// what is shown. Each event changes e.
func (d *Decision) walk(e, w *workflows.Execution) {
	d.brought = w.SourceRevisions
	if w.Status == workflows.StatusStopping && e.Stop == nil {
		d.stopping(e, w)
	}
	for i := range w.Stages {
		if st, ok := e.Stage(w.Stages[i].Name); ok {
			d.stage(e, st, &w.Stages[i])
		}
	}
	if waits := w.WaitsFor; waits != nil && e.Inside() == nil && (e.WaitsFor == nil || e.WaitsFor.Stage != waits.Stage || e.WaitsFor.For != waits.For) {
		now := *waits
		if e.WaitsFor != nil && e.WaitsFor.Stage == waits.Stage {
			now.Since = e.WaitsFor.Since
		}
		d.Emit(event.Event{Kind: event.ExecutionWaiting, Execution: e.ID, Stage: now.Stage, Wait: &now})
	}
	if w.Status.Final() {
		d.end(e, w)
	}
}

func (d *Decision) stopping(e, w *workflows.Execution) {
	stop := workflows.Stop{By: outside(), At: d.At}
	if w.Stop != nil {
		stop = *w.Stop
	}
	if r := d.Memory().asked(workflows.StopExecution, e.ExternalID, "", ""); r != nil {
		stop = workflows.Stop{By: r.By, At: r.At, Reason: r.Intent.Reason, Abandon: r.Intent.Abandon}
	}
	d.Emit(event.Event{Kind: event.ExecutionStopping, By: stop.By, Execution: e.ID, Stop: &stop})
}

// stage brings a stage of an execution to what is shown.
func (d *Decision) stage(e *workflows.Execution, st *workflows.StageExecution, w *workflows.StageExecution) {
	if w.Status == "" || w.Status == workflows.StatusNotStarted {
		return
	}
	switch over := ended(st.Status); {
	case st.Status == workflows.StatusNotStarted:
		d.Emit(event.Event{Kind: event.StageEntered, Execution: e.ID, Stage: st.Name, When: enteredAt(w)})
	case over && (!ended(w.Status) || again(st, w)):
		mode := "FAILED_ACTIONS"
		if allAgain(st, &workflows.Execution{Stages: []workflows.StageExecution{*w}}) {
			mode = "ALL_ACTIONS"
		}
		d.Emit(event.Event{Kind: event.StageResumed, Execution: e.ID, Stage: st.Name, Text: mode})
	case over:
		return
	}
	d.condition(e, st, w, workflows.BeforeEntry)
	for i := range w.Actions {
		if a, ok := st.Action(w.Actions[i].Name); ok {
			d.action(e, st, a, &w.Actions[i])
		}
	}
	d.condition(e, st, w, workflows.OnSuccess)
	d.condition(e, st, w, workflows.AfterFailed)
	if kind := map[workflows.Status]event.Kind{
		workflows.StatusSucceeded: event.StageSucceeded, workflows.StatusFailed: event.StageFailed, workflows.StatusStopped: event.StageStopped,
		workflows.StatusCancelled: event.StageCancelled, workflows.StatusSkipped: event.StageSkipped,
	}[w.Status]; kind != "" {
		ev := event.Event{Kind: kind, Execution: e.ID, Stage: st.Name, When: moment(when(w))}
		if kind == event.StageFailed {
			ev.Reason = st.Failure()
		}
		d.Emit(ev)
	}
}

// when is the time at which a stage took its status.
func when(w *workflows.StageExecution) (at time.Time) {
	if w.Since != nil {
		return *w.Since
	}
	for i := range w.Actions {
		if end := w.Actions[i].EndedAt; end != nil && end.After(at) {
			at = *end
		}
	}
	return at
}

// enteredAt is when the first action of a stage started; nil: that is not known.
func enteredAt(w *workflows.StageExecution) *time.Time {
	if w.Since != nil && !ended(w.Status) {
		return moment(*w.Since)
	}
	var first time.Time
	for i := range w.Actions {
		if begun := w.Actions[i].StartedAt; begun != nil && (first.IsZero() || begun.Before(first)) {
			first = *begun
		}
	}
	return moment(first)
}

// condition brings a condition of a stage, and its rules, to what is shown.
func (d *Decision) condition(e *workflows.Execution, st *workflows.StageExecution, w *workflows.StageExecution, kind string) {
	shown := w.Condition(kind)
	def, known := d.Definition.Stage(st.Name)
	if shown == nil || shown.Status == "" || shown.Status == workflows.StatusNotStarted || !known || def.Condition(kind) == nil {
		return
	}
	emit := func(k event.Kind, why *workflows.Reason, o *workflows.Overridden) {
		d.Emit(event.Event{Kind: k, Execution: e.ID, Stage: st.Name, Text: kind, Reason: why, Override: o})
	}
	if c := st.Condition(kind); c == nil || c.Status == workflows.StatusNotStarted {
		emit(event.ConditionStarted, nil, nil)
	} else if c.Status != workflows.StatusInProgress {
		return
	}
	for i := range shown.Rules {
		if a, ok := st.Action(shown.Rules[i].Name); ok {
			d.action(e, st, a, &shown.Rules[i])
		}
	}
	switch shown.Status {
	case workflows.StatusSucceeded:
		emit(event.ConditionSucceeded, nil, nil)
	case workflows.StatusFailed, workflows.StatusErrored:
		emit(event.ConditionFailed, cmp.Or(shown.Reason, &workflows.Reason{Code: "ConditionFailed", Message: "the condition does not hold"}), nil)
	case workflows.StatusOverridden:
		by := workflows.Overridden{By: outside(), At: d.At}
		if r := d.Memory().asked(workflows.Override, e.ExternalID, st.Name, ""); r != nil {
			by.By, by.Reason, by.At = r.By, r.Intent.Reason, r.At
		}
		emit(event.ConditionOverridden, nil, cmp.Or(shown.Override, &by))
	case workflows.StatusAbandoned, workflows.StatusCancelled:
		emit(event.ConditionAbandoned, nil, nil)
	}
}

// action brings an action, or a rule, to what is shown: another attempt opens, more
// is known of it, it ends.
func (d *Decision) action(e *workflows.Execution, st *workflows.StageExecution, a, w *workflows.ActionExecution) {
	if newer(a, w) {
		if a.Status == workflows.StatusInProgress {
			d.withdraw(e, st, a, "it was started again in AWS")
		}
		ev := event.Event{Kind: event.ActionStarted, Execution: e.ID, Stage: st.Name, Action: a.Name, Attempt: max(a.Attempt+1, w.Attempt), When: w.StartedAt, Start: &event.ActionStart{}}
		ev.Start.Task = e.ID + "/" + st.Name + "/" + a.Name + "/" + strconv.Itoa(ev.Attempt)
		ev.Outcome = found(a, w)
		d.Emit(ev)
	}
	switch {
	case w.Status == workflows.StatusNotStarted || a.Status != workflows.StatusInProgress:
	case a.IsGate():
		d.gate(e, st, a, w)
	case !ended(w.Status):
		if o := found(a, w); o.Summary != "" && o.Summary != a.Summary || o.ExternalID != "" && o.ExternalID != a.ExternalID || o.ExternalURL != "" && o.ExternalURL != a.ExternalURL {
			d.Emit(event.Event{Kind: event.ActionTracked, Execution: e.ID, Stage: st.Name, Action: a.Name, Attempt: a.Attempt, Outcome: o})
		}
	default:
		d.ended(e, st, a, w)
	}
}

// ended tells how an action ended.
func (d *Decision) ended(e *workflows.Execution, st *workflows.StageExecution, a, w *workflows.ActionExecution) {
	ev := event.Event{Kind: event.ActionSucceeded, Execution: e.ID, Stage: st.Name, Action: a.Name, Attempt: a.Attempt, When: w.EndedAt, Outcome: found(a, w)}
	ev.Outcome.Outputs = w.OutputVariables
	for _, r := range d.brought {
		if r.ActionName == a.Name && w.Status == workflows.StatusSucceeded {
			ev.Outcome.Revision = &r
		}
	}
	switch w.Status {
	case workflows.StatusFailed:
		ev.Kind, ev.Reason = event.ActionFailed, cmp.Or(w.Error, &workflows.Reason{Code: "ActionFailed", Message: cmp.Or(w.Summary, "AWS does not say why")})
	case workflows.StatusAbandoned, workflows.StatusCancelled:
		ev.Kind, ev.Reason = event.ActionAbandoned, cmp.Or(w.Error, &workflows.Reason{Code: "Stopped", Message: "abandoned in AWS"})
	case workflows.StatusSkipped:
		ev.Kind = event.ActionSkipped
	}
	d.Emit(ev)
}

// found is what is known of an attempt.
func found(a, w *workflows.ActionExecution) *event.Outcome {
	o := &event.Outcome{ExternalID: w.ExternalID, ExternalURL: w.ExternalURL, Summary: w.Summary}
	if a.IsGate() {
		o.Summary = ""
		if !ended(w.Status) {
			o.Handle = w.Handle
		}
	}
	return o
}

// end tells how the execution ended.
func (d *Decision) end(e, w *workflows.Execution) {
	kind := map[workflows.Status]event.Kind{
		workflows.StatusSucceeded: event.ExecutionSucceeded, workflows.StatusFailed: event.ExecutionFailed, workflows.StatusStopped: event.ExecutionStopped,
		workflows.StatusSuperseded: event.ExecutionSuperseded, workflows.StatusCancelled: event.ExecutionCancelled,
	}[w.Status]
	ev := event.Event{Kind: kind, Execution: e.ID, Reason: w.StatusReason, When: w.EndedAt}
	if ev.When == nil {
		ev.When = moment(w.UpdatedAt)
	}
	if ev.Reason == nil && w.Status != workflows.StatusSucceeded {
		ev.Reason = why(e, w.Status)
	}
	d.Emit(ev)
}

// why says in our words why an execution ended, where AWS does not.
func why(e *workflows.Execution, status workflows.Status) *workflows.Reason {
	switch status {
	case workflows.StatusFailed:
		for i := range e.Stages {
			if st := &e.Stages[i]; st.Status == workflows.StatusFailed {
				return st.Failure()
			}
		}
		return &workflows.Reason{Code: "ActionFailed", Message: "it failed in AWS"}
	case workflows.StatusSuperseded:
		return &workflows.Reason{Code: "Superseded", Message: "a newer execution took its place in AWS"}
	case workflows.StatusStopped:
		if e.Stop != nil && e.Stop.By.Name != "" {
			return &workflows.Reason{Code: "Stopped", Message: "stopped by " + e.Stop.By.Called()}
		}
		return &workflows.Reason{Code: "Stopped", Message: "stopped in AWS"}
	}
	return &workflows.Reason{Code: "Cancelled", Message: "cancelled in AWS"}
}
