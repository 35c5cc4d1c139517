package machine

import (
	"cmp"
	"maps"
	"slices"
	"time"

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
		deadline := ev.Start.Deadline
		a.Status, a.Attempt, a.StartedAt, a.Deadline = workflows.StatusInProgress, ev.Attempt, &at, &deadline
		if !a.IsGate() && !a.IsRule() {
			s.stage(st.Name).Touch(e)
		}
	case event.ActionSucceeded:
		endAction(a, workflows.StatusSucceeded, at, nil, ev.Outcome)
		s.collect(e, st, a, ev.Outcome)
	case event.ActionFailed:
		if ev.Outcome == nil {
			s.orphan(e, st, a)
		}
		a.Attempt = ev.Attempt
		endAction(a, workflows.StatusFailed, at, ev.Reason, ev.Outcome)
	case event.ActionAbandoned:
		if ev.Outcome == nil {
			s.orphan(e, st, a)
		}
		endAction(a, workflows.StatusAbandoned, at, ev.Reason, ev.Outcome)
	case event.ActionSkipped:
		endAction(a, workflows.StatusSkipped, at, nil, nil)
	case event.ActionCancelling:
		deadline := at.Add(cancelPatience)
		a.Cancelling, a.Error, a.Deadline = true, ev.Reason, &deadline
	case event.ActionInDoubt:
		a.Needs, a.Error = workflows.NeedsResolve, ev.Reason
		if !a.IsRule() { // a rule only looks
			s.stage(st.Name).Doubt()
		}
	case event.ActionResolved:
		a.Needs, a.Error = "", nil
	default:
		s.evolveGate(e, st, a, ev)
	}
}

// collect records what a successful action left for later ones.
func (s *State) collect(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, o *event.Outcome) {
	if o == nil {
		return
	}
	if ns := s.actionOf(e, st.Name, a.Name).Namespace; ns != "" {
		e.Outputs = maps.Clone(e.Outputs)
		if e.Outputs == nil {
			e.Outputs = map[string]map[string]string{}
		}
		e.Outputs[ns] = o.Outputs
	}
	if len(o.Artifacts) > 0 {
		e.Artifacts = maps.Clone(e.Artifacts)
		if e.Artifacts == nil {
			e.Artifacts = map[string]workflows.Artifact{}
		}
		for _, f := range o.Artifacts {
			e.Artifacts[f.Name] = f
		}
	}
	if o.Revision != nil {
		r := *o.Revision
		r.ActionName = a.Name
		e.Bring(r)
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

func (s *State) settleOrphan(ev event.Event) {
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
	if len(e.Orphans) == 0 {
		e.Orphans = nil
	}
	if ev.Started != nil {
		s.departed = append(s.departed, *e)
	}
}

// track records how a runner finds its work again; of an orphan too, so that it can be cancelled.
func (s *State) track(ev event.Event) {
	id, o := TaskID(ev.Execution, ev.Stage, ev.Action, ev.Attempt), ev.Outcome
	if e, _, a := s.attempt(id); a != nil {
		e.UpdatedAt = ev.At
		trackAction(a, o)
		if a.Needs == workflows.NeedsResolve {
			a.Needs, a.Error = "", nil
		}
		return
	}
	for i := range s.Orphans {
		if s.Orphans[i].ID == id {
			s.Orphans[i].Handle = o.Handle
		}
	}
}

func trackAction(a *workflows.ActionExecution, o *event.Outcome) {
	if o == nil {
		return
	}
	a.Handle, a.Summary = cmp.Or(o.Handle, a.Handle), cmp.Or(o.Summary, a.Summary)
	a.ExternalID, a.ExternalURL = cmp.Or(o.ExternalID, a.ExternalID), cmp.Or(o.ExternalURL, a.ExternalURL)
}

func endAction(a *workflows.ActionExecution, status workflows.Status, at time.Time, why *workflows.Reason, o *event.Outcome) {
	a.Status, a.EndedAt, a.Error = status, &at, why
	a.Needs, a.Cancelling, a.Deadline = "", false, nil
	trackAction(a, o)
	if o != nil {
		a.OutputVariables = o.Outputs
	}
}
