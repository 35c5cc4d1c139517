package machine

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/rule"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// passDeadlines lets the time up to the input's At pass: schedules, reminders, gates
// that expire, windows that open, actions that took too long, cancels that nobody confirmed.
func (d *decision) passDeadlines() error {
	d.stopPolling()
	d.endWatches()
	if err := d.fireSchedules(); err != nil {
		return err
	}
	d.s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		late := timed(a) && !a.Deadline.After(d.in.At)
		switch {
		case a.Status != workflows.StatusInProgress, a.Needs == workflows.NeedsResolve: // another one of its stage has just ended it; or a person must
		case a.IsGate() && late:
			d.closeGate(e, st, a, gateExpired, &workflows.Reason{Code: reasonExpired,
				Message: "nobody decided within " + words.Span(a.Deadline.Sub(*a.StartedAt))})
		case a.Needs == workflows.NeedsApproval:
			if due, _ := gate.Reminders(a.Approval, d.s.Policy(e, st.Name, a.Name), d.in.At); due != "" {
				ev := of(event.GateReminded, e, st, a)
				ev.Text = due
				d.emit(ev)
			}
		case late && a.Cancelling:
			d.cancelled(e, st, a, nil)
		case late && a.Waits():
			d.emitAction(event.ActionFailed, e, st, a, &workflows.Reason{Code: reasonTimedOut, Message: say.TooLong(a)}, &event.Outcome{})
		case late:
			d.emitAction(event.ActionCancelling, e, st, a, &workflows.Reason{Code: reasonTimedOut, Message: say.TooLong(a)}, nil)
		case e.Stop != nil && a.Retrying(): // it might never finish
			d.emitAction(event.ActionCancelling, e, st, a, &workflows.Reason{Code: reasonStopped, Message: say.StoppedBy(e.Stop)}, nil)
		case a.Waits() && d.s.bridge() == nil:
			task, _ := d.s.task(e, st, a)
			d.evalRule(e, st, a, task.Configuration)
		}
	})
	return nil
}

// opens is when, from a moment on, a DeploymentWindow lets the execution go on: it
// is open, and no freeze of the stage keeps it, or it was let past that.
func (s *State) opens(e *workflows.Execution, stage string, configuration map[string]string, at time.Time) (opens time.Time, ever bool, err error) {
	transition := s.peek(stage).Transition
	for f := (&workflows.Freeze{To: at}); f != nil; f = s.frozen(stage, opens) {
		opens, ever, err = rule.Opens(configuration, f.To)
		if err != nil || !ever || transition.Only == e.ID && transition.PastFreeze {
			break
		}
	}
	return opens, ever, err
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
		if a.Waits() && a.Needs == "" && s.bridge() == nil {
			task, _ := s.task(e, st, a)
			if opens, ever, err := s.opens(e, st.Name, task.Configuration, s.At); err == nil && ever {
				sooner(opens)
			}
		}
		if a.Needs == workflows.NeedsApproval {
			now, next := gate.Reminders(a.Approval, s.Policy(e, st.Name, a.Name), s.At)
			sooner(next)
			if now != "" {
				sooner(s.At)
			}
		}
	})
	for _, e := range s.Executions {
		if w := e.WaitsFor; w != nil && w.For == workflows.WaitsForFreeze {
			if f := s.frozen(w.Stage, s.At); f != nil {
				sooner(f.To)
			} else {
				sooner(s.At)
			}
		}
	}
	s.eachWatched(func(_ string, _ *workflows.Stage, runs *workflows.Running) { sooner(*runs.WatchedUntil) })
	s.makeCaches()
	sooner(s.timings.Next(s.scheduled(), s.Fired))
	if s.Unpolled == nil && s.polls() && !s.Busy.IsZero() {
		sooner(s.Busy.Add(idlePolling))
	}
	return due, !due.IsZero()
}
