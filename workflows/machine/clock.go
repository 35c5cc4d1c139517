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
	d.s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		late := timed(a) && !a.Deadline.After(d.in.At)
		switch {
		case isGate(a) && late:
			d.closeGate(e, st, a, gateExpired, &workflows.Reason{Code: reasonExpired,
				Message: "nobody decided within " + span(a.Deadline.Sub(*a.StartedAt))})
		case isGate(a):
			if due, _ := reminders(a.Approval, d.s.policy(e, st.Name, a.Name), d.in.At); due != "" {
				ev := of(event.GateReminded, e, st, a)
				ev.Text = due
				d.emit(ev)
			}
		case late && a.Cancelling:
			d.cancelled(e, st, a, nil)
		case late:
			d.act(event.ActionCancelling, e, st, a, &workflows.Reason{Code: reasonTimedOut,
				Message: "it took longer than " + span(a.Deadline.Sub(*a.StartedAt))}, nil)
		}
	})
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
	s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		if timed(a) {
			sooner(*a.Deadline)
		}
		if isGate(a) {
			now, next := reminders(a.Approval, s.policy(e, st.Name, a.Name), s.At)
			sooner(next)
			if now != "" {
				sooner(s.At)
			}
		}
	})
	return due, !due.IsZero()
}
