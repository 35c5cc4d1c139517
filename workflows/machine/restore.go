package machine

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// causeRestore is why a stage is locked (Transition.Cause) before which an execution waited for a freeze to end.
const causeRestore = "restore"

// restored takes up a state from a backup, in which nothing may go on by the
// passing of time alone: nobody knows what has happened outside since. What was
// under way outside is in doubt, what waited for a time waits for a person, and
// what time began by itself (gates, schedules, polling) begins anew, now.
func (d *decision) restored(r *event.Restored) error {
	if r.Epoch <= d.s.Epoch {
		return nil
	}
	d.emit(event.Event{Kind: event.BackupRestored, Restored: r})
	from := "rollcall was restored from a backup of " + words.Moment(r.Backup)
	if d.s.bridge() != nil {
		return d.inAWS().Drop(&workflows.Reason{Code: "Restored", Message: from + "; whether AWS was asked is not known"})
	}
	unknown := &workflows.Reason{Code: "Restored", Message: from + "; whether this ran is not known"}
	d.s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		if a.Needs == "" {
			d.emitAction(event.ActionInDoubt, e, st, a, unknown, nil)
		}
	})
	left := &workflows.Reason{Code: unknown.Code, Message: from + "; whether it was cancelled is not known"}
	for len(d.s.Orphans) > 0 {
		t := d.s.Orphans[0]
		d.emit(event.Event{Kind: event.OrphanLeft, Execution: t.Execution, Stage: t.Stage, Action: t.Action.Name, Attempt: t.Attempt, Text: t.ID, Reason: left})
	}
	for _, stage := range words.Keys(d.s.Stages) {
		if d.s.peek(stage).Planned != nil {
			d.dropPlan(stage, from)
		}
	}
	for _, e := range slices.Clone(d.s.Executions) {
		if e.WaitsFor != nil && e.WaitsFor.For == workflows.WaitsForFreeze {
			d.keepOut(e, e.WaitsFor.Stage, from)
		}
	}
	if d.s.Unpolled == nil && d.s.polls() {
		d.emit(event.Event{Kind: event.PollingEnabled}) // the first look only records
	}
	return d.runToFixpoint()
}

// keepOut keeps an execution from entering a stage when a freeze ends: the stage
// is locked, or, where no lock can be lifted, the execution ends.
func (d *decision) keepOut(e *workflows.Execution, stage, why string) {
	_, known := d.s.definition().Stage(stage)
	switch transition := d.s.peek(stage).Transition; {
	case !known || d.s.definition().IsSource(stage):
		d.emit(event.Event{Kind: event.ExecutionCancelled, Execution: e.ID, Reason: &workflows.Reason{Code: reasonCancelled, Message: why + "; start again with what is new"}})
	case transition.Enabled:
		d.setLock(stage, causeRestore, why, "", d.by, d.in.At)
	case transition.Only != "":
		d.admitNobody(stage, transition)
	}
}

// restore begins what depends on time anew: schedules have dealt with all that
// was due, and gates give people as long as when they opened.
func (s *State) restore(ev event.Event) {
	s.Epoch, s.Restored = ev.Restored.Epoch, ev.At
	fired := make(map[string]time.Time, len(s.Fired))
	for key := range s.Fired {
		fired[key] = ev.At
	}
	s.Fired = fired
	s.eachOpen(func(_ *workflows.Execution, _ *workflows.StageExecution, a *workflows.ActionExecution) {
		if a.Needs == workflows.NeedsApproval && s.bridge() == nil {
			a.Approval = gate.Anew(a.Approval, ev.Restored.At, ev.At)
			a.Deadline = &a.Approval.ExpiresAt
		}
	})
}
