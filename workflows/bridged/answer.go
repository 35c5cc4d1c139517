package bridged

import (
	"errors"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Answer closes a request with what AWS said. An answer to none that is open, or one
// that decides nothing, makes no event.
func (d *Decision) Answer(o *work.Outcome) error {
	for _, r := range d.Memory().all().Open {
		if r.ID != o.Task {
			continue
		}
		switch o.State {
		case work.Succeeded:
			return d.done(r, o)
		case work.Failed, work.Cancelled, work.InDoubt:
			why := &workflows.Reason{Code: "Refused", Message: "AWS did not say why"}
			if o.Error != nil {
				why = o.Error
			}
			return d.Close(r, workflows.RequestRefused, why, "")
		}
	}
	return nil
}

// Close ends a request.
func (d *Decision) Close(r event.Request, state string, why *workflows.Reason, began string) error {
	ev := event.Event{Kind: event.RequestClosed, Execution: r.Intent.Execution, Stage: r.Stage, Action: r.Action, Request: &r, Reason: why}
	if ev.Execution != "" {
		about, err := d.Find("execution", ev.Execution)
		if err != nil && !gone(err) {
			return err
		}
		if err == nil && about.Status.Final() {
			row := *about
			ev.Started = &row
		}
	}
	if began != "" {
		ev.Outcome = &event.Outcome{ExternalID: began}
	}
	at := d.At
	r.State, r.Error, r.EndedAt = state, why, &at
	d.Emit(ev)
	return nil
}

// gone says whether there is no such execution any more, rather than that it must be looked up.
func gone(err error) bool {
	refused, is := errors.AsType[*workflows.Problem](err)
	return is && refused.NotFound()
}

// done closes a request that AWS has carried out. A rollback locks its stage
// then, as the stage's policy says: else the next change would walk back in.
func (d *Decision) done(r event.Request, o *work.Outcome) error {
	if err := d.Close(r, workflows.RequestDone, nil, o.ExternalID); err != nil || r.Verb != workflows.RollBack {
		return err
	}
	st, ok := d.Definition.Stage(r.Stage)
	wanted := ok && st.Rollback.Lock != "never"
	if r.Intent.LockAfter != nil {
		wanted = ok && *r.Intent.LockAfter
	}
	if !wanted || !d.Transition(r.Stage).Enabled {
		return nil
	}
	target, err := d.Find("target", r.Intent.Target)
	if err != nil {
		return err
	}
	d.By = r.By
	d.lock(r.Stage, target.ID, say.LockReason(target.Ref(), r.Intent.Reason))
	return nil
}

// lock asks AWS to disable the transition into a stage, after a rollback to target or, without, for another reason.
func (d *Decision) lock(stage, target, reason string) {
	// Where AWS cannot be asked, or is being asked, nothing more can be done here.
	_ = d.Ask(workflows.Intent{Verb: workflows.Lock, Pipeline: d.Name, Stage: stage, Target: target, Reason: reason}, nil, "", reason)
}

// Leave ends what is known of a pipeline that is followed no more.
func (d *Decision) Leave(why string) error {
	if err := d.Drop(&workflows.Reason{Code: "Cancelled", Message: why}); err != nil {
		return err
	}
	for _, e := range slices.Clone(d.Executions()) {
		d.GiveUp(e, why)
	}
	return nil
}

// Drop closes what AWS was still to be asked for.
func (d *Decision) Drop(why *workflows.Reason) error {
	for _, r := range d.Memory().all().Open {
		if err := d.Close(r, workflows.RequestRefused, why, ""); err != nil {
			return err
		}
	}
	return nil
}

// Note notes a request on the execution that it is about (nil: none), and, once that
// is known, on the one of all that it began, which is its asker's then. It returns
// that one's ID; empty: it is not known.
func Note(about *workflows.Execution, all []*workflows.Execution, ev event.Event) (begun string) {
	r := ev.Request.Request
	if about != nil {
		about.Requests = noted(about.Requests, r)
	}
	for _, e := range all {
		if ev.Outcome != nil && e.ExternalID == ev.Outcome.ExternalID {
			e.Trigger.By, e.Requests, begun = r.By, noted(e.Requests, r), e.ID
		}
	}
	return begun
}

func noted(all []workflows.Request, r workflows.Request) []workflows.Request {
	all = slices.DeleteFunc(slices.Clone(all), func(o workflows.Request) bool { return o.ID == r.ID })
	return append(all, r)
}
