package machine

import (
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// elapse lets the time up to the input's At pass: reminders, gates that expire,
// actions that took too long, cancels that nobody confirmed.
func (d *decision) elapse() {
	now := d.in.At
	for _, e := range d.s.Executions { // nobody leaves here: an ending is left to settle
		st := inside(e)
		if st == nil {
			continue
		}
		for i := range st.Actions {
			a := &st.Actions[i]
			if a.Status != workflows.StatusInProgress || a.Deadline == nil || a.Needs == workflows.NeedsResolve {
				continue
			}
			late := !a.Deadline.After(now)
			switch {
			case isGate(a) && late:
				d.closeGate(e, st, a, gateExpired, &workflows.Reason{Code: reasonExpired,
					Message: "nobody decided within " + span(a.Deadline.Sub(*a.StartedAt))})
			case isGate(a):
				d.remind(e, st, a)
			case late && a.Cancelling:
				d.cancelled(e, st, a, nil)
			case late:
				d.act(event.ActionCancelling, e, st, a, &workflows.Reason{Code: reasonTimedOut,
					Message: "it took longer than " + span(a.Deadline.Sub(*a.StartedAt))}, nil)
			}
		}
	}
}

func (d *decision) remind(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
	if due, _ := reminders(a.Approval, d.s.policy(e, st.Name, a.Name), d.in.At); due != "" {
		ev := of(event.GateReminded, e, st, a)
		ev.Text = due
		d.emit(ev)
	}
}

// span writes a duration as people say it.
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d < unit.of || d%unit.of != 0 {
			continue
		}
		if n := d / unit.of; n != 1 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
		return "1 " + unit.name
	}
	return d.Round(time.Second).String()
}

// Due is when Decide wants to be called with the passing of time; false: nothing is due.
func (s *State) Due() (time.Time, bool) {
	var due time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	for _, e := range s.Executions {
		st := inside(e)
		if st == nil {
			continue
		}
		for i := range st.Actions {
			a := &st.Actions[i]
			if a.Status != workflows.StatusInProgress || a.Deadline == nil || a.Needs == workflows.NeedsResolve {
				continue
			}
			sooner(*a.Deadline)
			if isGate(a) {
				pol := s.policy(e, st.Name, a.Name)
				now, next := reminders(a.Approval, pol, s.At)
				sooner(next)
				if now != "" {
					sooner(s.At)
				}
			}
		}
	}
	return due, !due.IsZero()
}
