package machine

import (
	"cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// stop ends an execution: what runs may finish, or, with abandon, is left at
// once and cancelled behind its back.
func (d *decision) stop(in *workflows.Intent) error {
	e, err := d.find("execution", in.Execution)
	if err != nil {
		return err
	}
	switch {
	case e.Status.Final():
		return workflows.Refuse(workflows.CodeNotStoppable, "start a new execution, or roll back what it left", "%s has ended already: it is %s", e.Ref(), e.Status)
	case e.Stop != nil && !in.Abandon:
		return workflows.Refuse(workflows.CodeDuplicatedStop, "what runs may finish; to end it at once, stop it with abandon",
			"%s is being stopped already, by %s", e.Ref(), e.Stop.By.Called())
	}
	st := e.Inside()
	if err := gate.StillNext(in, e, st, d.s.waiting(in.Stage)); err != nil {
		return err
	}
	if d.s.bridge() != nil {
		return d.inAWS().Ask(*in, e, "", in.Reason)
	}
	switch d.stopping(e, bridged.Stop(in, e)); {
	case st == nil:
		d.end(e)
	case in.Abandon, in.IfCurrent != "": // then only gates are open
		d.abandon(e, st, &workflows.Reason{Code: reasonStopped, Message: say.StoppedBy(e.Stop)})
	}
	return nil
}

func (d *decision) stopping(e *workflows.Execution, stop workflows.Stop) {
	stop.By, stop.At = cmp.Or(stop.By, d.by), d.in.At
	d.emit(event.Event{Kind: event.ExecutionStopping, By: stop.By, Execution: e.ID, Stop: &stop})
}

// abandon ends every open action of a stage without waiting for the outside.
func (d *decision) abandon(e *workflows.Execution, st *workflows.StageExecution, why *workflows.Reason) {
	for _, a := range st.Open() {
		if a.IsGate() {
			d.closeGate(e, st, a, gateWithdrawn, why)
		} else {
			d.emitAction(event.ActionAbandoned, e, st, a, why, nil)
		}
	}
	d.abandonConditions(e, st, why.Message)
}

// endStopped ends an execution that was being stopped and has nothing left to do in its stage.
func (d *decision) endStopped(e *workflows.Execution, st *workflows.StageExecution) {
	kind := event.StageStopped
	if e.Stop.Cancel {
		kind = event.StageCancelled
	}
	d.emit(event.Event{Kind: kind, Execution: e.ID, Stage: st.Name})
	d.end(e)
}

// end is the last event of an execution that is being stopped.
func (d *decision) end(e *workflows.Execution) {
	kind, code := event.ExecutionStopped, reasonStopped
	if e.Stop.Cancel {
		kind, code = event.ExecutionCancelled, reasonCancelled
	}
	d.emit(event.Event{Kind: kind, Execution: e.ID, Reason: &workflows.Reason{Code: cmp.Or(e.Stop.Code, code), Message: say.StoppedBy(e.Stop)}})
}
