package machine

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Departed returns the executions that ended, or were annotated after their
// end, since the last call, as their rows must now be.
func (s *State) Departed() []workflows.Execution {
	gone := s.departed
	s.departed = nil
	return gone
}

// Execution returns a copy of an unfinished execution.
func (s *State) Execution(id string) (workflows.Execution, bool) {
	if e := s.execution(id); e != nil {
		return *clone(e), true
	}
	return workflows.Execution{}, false
}

// Unfinished returns copies of the unfinished executions, oldest first.
func (s *State) Unfinished() []workflows.Execution {
	all := make([]workflows.Execution, len(s.Executions))
	for i, e := range s.Executions {
		all[i] = *clone(e)
	}
	return all
}

// View is the pipeline as it stands now. Offers are what somebody who may
// everything could do; a surface keeps those its viewer has the right to.
func (s *State) View() workflows.PipelineView {
	v := workflows.PipelineView{Name: s.Name, Version: s.Version, Archived: s.Archived, Stages: []workflows.StageView{}}
	v.ManagedBy, v.File = bridged.Keeper(s.ManagedBy)
	p := s.definition()
	if p == nil {
		return v
	}
	if p.Bridge != nil {
		v.Bridge, v.Requests = s.Bridge.View(p.Bridge)
	}
	v.Definition, v.ExecutionMode, v.PollingDisabledAt = p, p.ExecutionMode, s.Unpolled
	for _, f := range s.Freezes {
		if f.To.After(s.At) {
			v.Freezes = append(v.Freezes, f)
		}
	}
	for _, def := range p.Stages {
		v.Stages = append(v.Stages, s.viewStage(def))
	}
	return v
}

func (s *State) viewStage(def workflows.Stage) workflows.StageView {
	st := s.peek(def.Name)
	v := workflows.StageView{
		Name: def.Name, Environment: def.Environment, Status: workflows.StatusNotStarted,
		LatestExecution: st.Latest, Running: st.Runs, Inbound: []string{}, Transition: st.Transition, Planned: st.Planned,
		Offers: s.stageOffers(def.Name),
	}
	if st.Latest != nil {
		v.Status = st.Latest.Status
	}
	for _, e := range s.waiting(def.Name) {
		v.Inbound = append(v.Inbound, e.ID)
	}
	return v
}

// Result says what an intent led to: to be called after the events that
// Decide answered were applied. The execution is whole when it is in the state;
// when it has left the state only its ID is set.
func (s *State) Result(in workflows.Intent, events []event.Event) event.Result {
	r := event.Result{Pipeline: s.Name}
	id, stage := in.Execution, in.Stage
	if a, known := s.answered(in.Token, s.At); known {
		id, stage = a.Execution, a.Stage
		r.Request = s.Bridge.ByToken(in.Token)
	}
	for _, e := range events {
		if !event.Answers(in.Verb, e.Kind) || e.Token != in.Token || e.Kind == event.ExecutionStarted && (in.Verb == workflows.RollBack) != (e.Started.Type == workflows.TypeRollback) {
			continue
		}
		r.Changed, id, stage = true, e.Led(), e.Stage
		if e.Defined != nil {
			r.Weakened, r.Cancels = e.Defined.Weakened, e.Defined.Cancels
		}
		if e.Request != nil {
			r.Request = &e.Request.Request
		}
	}
	switch in.Verb {
	case workflows.Edit:
		r.Version = s.Version
		return r
	case workflows.Archive:
		return r
	case workflows.Lock, workflows.Unlock:
		transition := s.peek(stage).Transition
		r.Transition = &transition
		if in.Verb == workflows.Lock {
			return r
		}
	case workflows.RollBack:
		if st := s.peek(stage); id == "" && st.PlanToken == in.Token {
			r.Planned = st.Planned
		}
	}
	if id == "" {
		return r
	}
	e, ok := s.Execution(id)
	if !ok {
		e = workflows.Execution{ID: id, Pipeline: s.Name}
	}
	r.Execution = &e
	return r
}
