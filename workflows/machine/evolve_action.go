package machine

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// evolveAction applies the events of one attempt of an action.
func (s *State) evolveAction(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, ev event.Event) {
	at := ev.At
	switch ev.Kind {
	case event.ActionStarted:
		a.Reset()
		a.Status, a.Attempt, a.StartedAt = workflows.StatusInProgress, ev.Attempt, &at
		if deadline := ev.Start.Deadline; !deadline.IsZero() { // in AWS time limits are AWS's
			a.Deadline = &deadline
		}
		a.After, a.Restarts, a.Host = ev.Start.After, max(a.Restarts, ev.Start.Restart), ev.Start.Host
		ev.Outcome.Track(a)
		if !a.IsGate() && !a.IsRule() {
			s.stage(st.Name).Touch(e)
		}
	case event.ActionSucceeded:
		ev.Outcome.End(a, workflows.StatusSucceeded, at, nil)
		s.collect(e, st, a, ev.Outcome)
	case event.ActionFailed:
		if ev.Outcome == nil {
			s.orphan(e, st, a)
		}
		a.Attempt = ev.Attempt
		ev.Outcome.End(a, workflows.StatusFailed, at, ev.Reason)
	case event.ActionAbandoned:
		if ev.Outcome == nil {
			s.orphan(e, st, a)
		}
		ev.Outcome.End(a, workflows.StatusAbandoned, at, ev.Reason)
	case event.ActionSkipped:
		(*event.Outcome)(nil).End(a, workflows.StatusSkipped, at, nil)
	case event.ActionCancelling:
		deadline := at.Add(cancelPatience)
		a.Cancelling, a.Error, a.Deadline = true, ev.Reason, &deadline
	case event.ActionInDoubt:
		a.Needs, a.Error = workflows.NeedsResolve, ev.Reason
		if !a.IsRule() { // a rule only looks
			s.stage(st.Name).Doubt()
		}
	case event.ActionResolved, event.ActionRetrying: // only the latter has a reason
		a.Needs, a.Error = "", ev.Reason
	default:
		s.evolveGate(e, st, a, ev)
	}
}

// collect records what a successful action left for later ones.
func (s *State) collect(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, o *event.Outcome) {
	if def := s.actionOf(e, st.Name, a.Name); def != nil {
		o.Leave(e, a.Name, def.Namespace)
	}
}

// orphan keeps the cancel of an attempt that ends without the outside's answer.
func (s *State) orphan(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
	if a.Waits() || a.Status != workflows.StatusInProgress {
		return
	}
	task, _ := s.task(e, st, a)
	task.Kind = work.Cancel
	s.Orphans = append(s.Orphans, task)
	e.Orphans = append(slices.Clone(e.Orphans), task.ID)
}

func (s *State) closeOrphan(ev event.Event) {
	s.Orphans = slices.DeleteFunc(s.Orphans, func(t work.Task) bool { return t.ID == ev.Text })
	if ev.Kind == event.OrphanLeft {
		return // it stays named on the execution
	}
	e := s.execution(ev.Execution)
	if e == nil {
		if ev.Started == nil {
			return
		}
		e = clone(ev.Started)
	}
	e.UpdatedAt = ev.At
	e.Orphans = slices.DeleteFunc(slices.Clone(e.Orphans), func(id string) bool { return id == ev.Text })
	if ev.Started != nil {
		s.departed = append(s.departed, *e)
	}
}

// track records how a runner finds its work again; of an orphan too, so that it can be cancelled.
func (s *State) track(ev event.Event) {
	id, o := TaskID(ev.Execution, ev.Stage, ev.Action, ev.Attempt), ev.Outcome
	if e, _, a := s.attempt(id); a != nil {
		e.UpdatedAt = ev.At
		o.Track(a)
		if a.Needs == workflows.NeedsResolve || a.Retrying() {
			if a.Needs = ""; !a.Cancelling { // that has its reason
				a.Error = nil
			}
		}
		return
	}
	for i := range s.Orphans {
		if s.Orphans[i].ID == id {
			s.Orphans[i].Handle = o.Handle
		}
	}
}
