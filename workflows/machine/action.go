package machine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/alarm"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Codes of workflows.Reason.
const (
	reasonFailed          = "ActionFailed"
	reasonTimedOut        = "ActionTimedOut"
	reasonNotApproved     = "NotApproved"
	reasonExpired         = "ApprovalExpired"
	reasonStopped         = "Stopped"
	reasonCancelled       = "Cancelled"
	reasonConfiguration   = "ConfigurationInvalid"
	reasonArtifactMissing = "ArtifactMissing"
)

// of addresses an event to an attempt of an action.
func of(kind event.Kind, e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) event.Event {
	return event.Event{Kind: kind, Execution: e.ID, Stage: st.Name, Action: a.Name, Attempt: a.Attempt}
}

// emitAction emits what happened to an attempt of an action, why, and what is known of it.
func (d *decision) emitAction(kind event.Kind, e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, why *workflows.Reason, found *event.Outcome) {
	ev := of(kind, e, st, a)
	ev.Reason, ev.Outcome = why, found
	d.emit(ev)
}

// startAction opens the action's next attempt. What can be known to fail
// (a variable without a value, an artifact that is not there) fails before it starts.
func (d *decision) startAction(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
	if a.IsGate() && e.Rollback != nil && e.Rollback.SkipApprovals {
		d.emitAction(event.ActionSkipped, e, st, a, nil, nil)
		return
	}
	next := *a
	next.Attempt++
	task, fault := d.s.task(e, st, &next)
	if fault != nil {
		d.emitAction(event.ActionFailed, e, st, &next, fault, nil)
		return
	}
	limit, host := task.Action.TimeLimit(), d.in.Host
	if a.IsGate() {
		limit, host = d.s.policyAction(e, st.Name, a.Name).TimeLimit(), ""
	}
	ev, begins := of(event.ActionStarted, e, st, &next), d.in.At
	ev.Start = &event.ActionStart{Task: task.ID, Host: host}
	if a.Needs == workflows.NeedsResolve { // in doubt, and nobody has said again
		begins, _ = a.Restart(d.in.At)
		ev.Start.Restart, ev.Start.After = a.Restarts+1, &begins
		ev.Outcome = &event.Outcome{Summary: words.Because(fmt.Sprintf("restart %d", a.Restarts+1), a.Error.Message)}
	}
	ev.Start.Deadline = begins.Add(limit)
	if !maps.Equal(task.Configuration, task.Action.Configuration) {
		ev.Start.Configuration = task.Configuration // for the record
	}
	d.emit(ev)
	if a.IsGate() {
		texts := task.Configuration
		d.openGate(e, st, a, workflows.Approval{Text: texts["CustomData"], Link: texts["ExternalEntityLink"], NotificationArn: texts["NotificationArn"], Jira: task.Action.InJira(), ExpiresAt: *a.Deadline}, nil)
		return
	}
	d.evalRule(e, st, a, task.Configuration)
}

// outcome takes the answer of a runner. One that is not about an open attempt,
// or says nothing new, makes no event.
func (d *decision) outcome(o *work.Outcome) error {
	if d.s.bridge() != nil {
		return d.inAWS().Answer(o)
	}
	for stage, st := range d.s.Stages {
		if alarm.Asks(o.Task, stage, st.Runs) {
			return d.watched(stage, st.Runs, o)
		}
	}
	e, st, a := d.s.attempt(o.Task)
	if a == nil {
		return d.orphanOutcome(o)
	}
	found := event.Outcome{Handle: o.Handle, ExternalID: o.ExternalID, ExternalURL: o.ExternalURL, Summary: o.Summary,
		Outputs: o.Outputs, Artifacts: o.Artifacts, Revision: o.Revision}.Bounded()
	switch {
	case o.State == work.Running:
		d.tracked(e, st, a, found)
	case o.State == work.Retrying:
		if why := a.Retry(o.Error.Message, d.in.At); why != nil {
			d.emitAction(event.ActionRetrying, e, st, a, why, nil)
		}
	case a.Cancelling && o.State == work.InDoubt:
		d.cancelled(e, st, a, nil)
	case o.State == work.Succeeded && !o.EndedAt.IsZero() && !o.EndedAt.After(cmp.Or(a.After, a.StartedAt).Add(d.s.actionOf(e, st.Name, a.Name).TimeLimit())): // in time, however late it is heard
		d.emitAction(event.ActionSucceeded, e, st, a, nil, found)
	case a.Cancelling && (a.Error.Code == reasonTimedOut || o.State == work.Cancelled):
		d.cancelled(e, st, a, found)
	case o.State == work.Succeeded:
		d.emitAction(event.ActionSucceeded, e, st, a, nil, found)
	case o.State == work.Failed:
		d.emitAction(event.ActionFailed, e, st, a, o.Why(reasonFailed, "it failed without saying why"), found)
	case o.State == work.Cancelled:
		d.emitAction(event.ActionFailed, e, st, a, o.Why(reasonFailed, "it was cancelled outside of rollcall"), found)
	case o.State == work.InDoubt && a.Needs == "":
		d.inDoubt(e, st, a, o)
	}
	return nil
}

// tracked notes how to find running work again. A runner without a handle of
// its own finds it by the task.
func (d *decision) tracked(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, found *event.Outcome) {
	found.Outputs, found.Artifacts, found.Revision = nil, nil, nil
	if a.Handle == "" && found.Handle == "" {
		found.Handle = TaskID(e.ID, st.Name, a.Name, a.Attempt)
	}
	after := *a
	found.Track(&after)
	if after.Handle == a.Handle && after.ExternalID == a.ExternalID && after.ExternalURL == a.ExternalURL && after.Summary == a.Summary && a.Needs == "" && !a.Retrying() {
		return
	}
	d.emitAction(event.ActionTracked, e, st, a, nil, found)
}

// cancelled ends an action that was to be cancelled. Without an answer from
// the outside it no longer holds its stage, and the cancel goes on as an orphan.
func (d *decision) cancelled(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, found *event.Outcome) {
	if found != nil {
		found.Outputs, found.Artifacts, found.Revision = nil, nil, nil
	}
	kind := event.ActionAbandoned
	if a.Error.Code == reasonTimedOut {
		kind = event.ActionFailed
	}
	d.emitAction(kind, e, st, a, a.Error, found)
}

// inDoubt is for work that may or may not have run. What may be repeated is
// started again, a few times; for the rest a person must say.
func (d *decision) inDoubt(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, o *work.Outcome) {
	d.emitAction(event.ActionInDoubt, e, st, a, o.Why("InDoubt", "nobody can know whether it ran"), nil)
	if _, more := a.Restart(d.in.At); more && e.Stop == nil && d.s.actionOf(e, st.Name, a.Name).Restartable {
		d.startAction(e, st, a)
	}
}

// orphanOutcome takes what became of a cancel after its action had ended.
func (d *decision) orphanOutcome(o *work.Outcome) error {
	i := slices.IndexFunc(d.s.Orphans, func(t work.Task) bool { return t.ID == o.Task })
	if i < 0 {
		return nil
	}
	t := d.s.Orphans[i]
	ev := event.Event{Execution: t.Execution, Stage: t.Stage, Action: t.Action.Name, Attempt: t.Attempt}
	switch o.State {
	case work.Running, work.Retrying:
		if o.Handle == "" || o.Handle == t.Handle {
			return nil
		}
		ev.Kind, ev.Outcome = event.ActionTracked, &event.Outcome{Handle: o.Handle}
	case work.InDoubt:
		ev.Kind, ev.Text, ev.Reason = event.OrphanLeft, t.ID, o.Why("NotCancelled", "the outside does not let it be cancelled")
	default:
		ev.Kind, ev.Text = event.OrphanConfirmed, t.ID
		if d.s.execution(t.Execution) == nil {
			e, err := d.find("execution", t.Execution)
			if err != nil {
				return err
			}
			ev.Started = e
		}
	}
	d.emit(ev)
	return nil
}

// resolve ends the doubt about an action by a person's word.
func (d *decision) resolve(in *workflows.Intent) error {
	e, err := d.find("execution", in.Execution)
	if err != nil {
		return err
	}
	st, a, err := e.Pick(in, "in doubt", func(a *workflows.ActionExecution) bool { return a.Needs == workflows.NeedsResolve })
	if err != nil {
		return err
	}
	ev := of(event.ActionResolved, e, st, a)
	ev.Text = in.As
	switch in.As {
	case "succeeded":
		d.emit(ev)
		d.emitAction(event.ActionSucceeded, e, st, a, nil, &event.Outcome{Summary: words.Because(d.by.Called()+" says it succeeded", in.Reason)})
	case "failed":
		d.emit(ev)
		d.emitAction(event.ActionFailed, e, st, a, &workflows.Reason{Code: reasonFailed, Message: words.Because(d.by.Called()+" says it failed", in.Reason)}, &event.Outcome{})
	case "again":
		if e.Stop != nil {
			return workflows.Refuse(workflows.CodeConflict, "say succeeded or failed, or stop it with abandon", "%s is being stopped, so %s does not start again", e.Ref(), a.Name)
		}
		d.emit(ev)
		d.startAction(e, st, a)
	default:
		return workflows.Refuse(workflows.CodeValidation, "say succeeded, failed or again", "%q is not how a doubt ends", in.As).In("as")
	}
	return nil
}
