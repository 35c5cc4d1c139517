package machine

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// cancelPatience is how long an action that is being cancelled may hold its
// stage without the outside confirming it.
const cancelPatience = 60 * time.Second

// Evolve applies one event. It must have come from Decide on this state, or
// from the log that this state was folded from.
func (s *State) Evolve(ev event.Event) {
	if ev.At.After(s.At) {
		s.At = ev.At
	}
	switch ev.Kind {
	case event.IntentRefused:
		return
	case event.PipelineDefined:
		s.define(ev)
	case event.PipelineArchived:
		s.Archived = true
	case event.FreezesSet:
		s.Freezes = ev.Freezes
	case event.ScheduleFired:
		s.fire(ev.Schedule)
	case event.PollingDisabled, event.PollingEnabled:
		s.poll(ev)
	case event.TransitionDisabled, event.TransitionEnabled:
		s.stage(ev.Stage).Door = *ev.Transition
	case event.ReturnPlanned:
		st := s.stage(ev.Stage)
		st.Planned, st.PlanToken = ev.Planned, ev.Token
	case event.ReturnDropped:
		st := s.stage(ev.Stage)
		st.Planned, st.PlanToken = nil, ""
	case event.ExecutionStarted:
		s.begin(ev)
	case event.ExecutionResumed:
		s.resume(ev)
	case event.ExecutionNoted:
		s.note(ev)
	case event.OrphanConfirmed, event.OrphanLeft:
		s.settleOrphan(ev)
	case event.ActionTracked:
		s.track(ev)
	default:
		if e := s.execution(ev.Execution); e != nil {
			s.evolveExecution(e, ev)
		}
	}
	s.remember(ev)
}

// remember keeps what a client request token led to. A decision's scratch copy has no answers.
func (s *State) remember(ev event.Event) {
	if ev.Token == "" || s.Answers == nil {
		return
	}
	s.Answers[ev.Token] = answer{At: ev.At, Execution: ev.Execution, Stage: ev.Stage}
	if ev.At.Sub(s.Swept) < time.Hour {
		return
	}
	s.Swept = ev.At
	maps.DeleteFunc(s.Answers, func(_ string, a answer) bool { return ev.At.Sub(a.At) >= answersKept })
}

func (s *State) define(ev event.Event) {
	d := ev.Defined
	definition := d.Definition
	s.Version, s.ManagedBy, s.Archived = d.Version, d.ManagedBy, false
	s.Definitions[d.Version] = &definition
	s.arm(&definition, ev.At)
	s.Busy = ev.At
	clear(s.digests)
	for i := range definition.Stages {
		s.stage(definition.Stages[i].Name)
	}
	s.eachOpen(s.refreshGate) // who may and who hears follows the definition in force
	s.dropVersions()
}

// dropVersions forgets definitions that nothing unfinished runs under.
func (s *State) dropVersions() {
	for v := range s.Definitions {
		if v != s.Version && !slices.ContainsFunc(s.Executions, func(e *workflows.Execution) bool { return e.Version == v }) {
			delete(s.Definitions, v)
		}
	}
}

func (s *State) begin(ev event.Event) {
	e := clone(ev.Started)
	if ev.Under != nil {
		s.Definitions[e.Version] = ev.Under
	}
	s.Count, s.Busy = max(s.Count, e.Number), ev.At
	s.insert(e)
	if e.Rollback == nil {
		return
	}
	st := s.stage(e.Stages[0].Name)
	if e.Trigger.Type == workflows.TriggerRollback {
		st.Leave(e, st.Latest)
		if st.Planned != nil && st.PlanToken != "" && s.Answers != nil {
			s.Answers[st.PlanToken] = answer{At: ev.At, Execution: e.ID, Stage: ev.Stage}
		}
		st.Planned, st.PlanToken = nil, ""
	}
}

func (s *State) insert(e *workflows.Execution) {
	at := sort.Search(len(s.Executions), func(i int) bool { return s.Executions[i].Number >= e.Number })
	if at < len(s.Executions) && s.Executions[at].ID == e.ID {
		s.Executions[at] = e
		return
	}
	s.Executions = slices.Insert(s.Executions, at, e)
}

// resume takes a failed or stopped execution up again in the stage where it ended.
func (s *State) resume(ev event.Event) {
	e := clone(&ev.Resumed.Execution)
	if ev.Under != nil {
		s.Definitions[e.Version] = ev.Under
	}
	e.Status, e.StatusReason, e.Stop, e.EndedAt = workflows.StatusInProgress, nil, nil, nil
	e.Attempt++
	e.UpdatedAt = ev.At
	st, _ := e.Stage(ev.Stage)
	if ev.Resumed.Override == "" {
		st.Again(ev.Resumed.All)
		st.CountRetry(false)
	}
	s.insert(e)
	s.setStage(e, st, workflows.StatusInProgress, ev.At)
}

func (s *State) note(ev event.Event) {
	e := s.execution(ev.Execution)
	if e == nil {
		e = clone(ev.Started)
		defer func() { s.departed = append(s.departed, *e) }()
	}
	e.Note(*ev.Note)
	e.UpdatedAt = ev.At
}

func (s *State) evolveExecution(e *workflows.Execution, ev event.Event) {
	e.UpdatedAt = ev.At
	st, ok := e.Stage(ev.Stage)
	if !ok {
		st = e.Inside()
	}
	switch ev.Kind {
	case event.ExecutionWaiting:
		e.WaitsFor = ev.Wait
	case event.ExecutionSteppedBack:
		s.stepOut(e, st, ev)
	case event.ExecutionStopping:
		e.Status, e.Stop = workflows.StatusStopping, ev.Stop
		if st != nil {
			s.setStage(e, st, workflows.StatusStopping, ev.At)
		}
	case event.ExecutionSuperseded:
		s.depart(e, workflows.StatusSuperseded, ev)
	case event.ExecutionStopped:
		s.depart(e, workflows.StatusStopped, ev)
	case event.ExecutionSucceeded:
		s.depart(e, workflows.StatusSucceeded, ev)
	case event.ExecutionFailed:
		s.depart(e, workflows.StatusFailed, ev)
	case event.ExecutionCancelled:
		s.depart(e, workflows.StatusCancelled, ev)
	case event.StageEntered:
		s.enter(e, st, ev)
	case event.StageResumed:
		e.Attempt++
		st.Again(ev.Text == "ALL_ACTIONS")
		st.CountRetry(true)
		s.setStage(e, st, workflows.StatusInProgress, ev.At)
	case event.StageSkipped:
		s.setStage(e, st, workflows.StatusSkipped, ev.At)
	case event.ConditionStarted, event.ConditionSucceeded, event.ConditionFailed, event.ConditionOverridden, event.ConditionAbandoned:
		s.evolveCondition(e, st, ev)
	case event.StageSucceeded:
		s.setStage(e, st, workflows.StatusSucceeded, ev.At)
		s.stage(ev.Stage).Succeed(e, st.Digest, ev.At)
	case event.StageFailed:
		s.endStage(e, st, workflows.StatusFailed, ev.At)
	case event.StageStopped:
		s.endStage(e, st, workflows.StatusStopped, ev.At)
	case event.StageCancelled:
		s.endStage(e, st, workflows.StatusCancelled, ev.At)
	default:
		if st == nil {
			return
		}
		if a, ok := st.Action(ev.Action); ok {
			s.evolveAction(e, st, a, ev)
		}
	}
}

// depart ends an execution: it leaves the state for its row.
func (s *State) depart(e *workflows.Execution, status workflows.Status, ev event.Event) {
	at := ev.At
	e.Status, e.StatusReason, e.EndedAt, e.WaitsFor = status, ev.Reason, &at, nil
	s.Executions = slices.DeleteFunc(s.Executions, func(o *workflows.Execution) bool { return o.ID == e.ID })
	s.departed = append(s.departed, *clone(e))
	s.dropVersions()
}

func (s *State) enter(e *workflows.Execution, st *workflows.StageExecution, ev event.Event) {
	e.WaitsFor = nil
	st.Attempt++
	st.Digest = s.digest(e.Version, st.Name)
	st.Forget(true)
	s.stage(st.Name).Latest = &workflows.LatestIn{Execution: e.ID, Number: e.Number, Type: e.Type}
	s.setStage(e, st, workflows.StatusInProgress, ev.At)
}

// setStage gives the execution's stage a status; the pipeline's stage follows while it is the latest there.
func (s *State) setStage(e *workflows.Execution, st *workflows.StageExecution, status workflows.Status, at time.Time) {
	st.Status, st.Since = status, &at
	if latest := s.stage(st.Name).Latest; latest != nil && latest.Execution == e.ID {
		l := *latest
		l.Status = status
		s.stage(st.Name).Latest = &l
	}
}

func (s *State) endStage(e *workflows.Execution, st *workflows.StageExecution, status workflows.Status, at time.Time) {
	s.setStage(e, st, status, at)
	if st.Worked() {
		s.stage(st.Name).Doubt()
	}
}

// stepOut puts an execution that was inside a stage back before its door.
func (s *State) stepOut(e *workflows.Execution, st *workflows.StageExecution, ev event.Event) {
	if st.Worked() {
		s.stage(st.Name).Doubt()
	}
	for i := range st.Actions {
		st.Actions[i].Reset()
	}
	s.setStage(e, st, workflows.StatusNotStarted, ev.At)
	e.WaitsFor = ev.Wait
}
