package machine

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/alarm"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/schedule"
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
	s.remember(ev)
	if ev.When != nil {
		ev.At = *ev.When // rows keep the time of what happened outside
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
	case event.BackupRestored:
		s.restore(ev)
	case event.ScheduleFired:
		s.fire(ev.Schedule)
	case event.PollingDisabled, event.PollingEnabled:
		s.poll(ev)
	case event.TransitionDisabled, event.TransitionEnabled:
		s.stage(ev.Stage).Transition = *ev.Transition
	case event.ReturnPlanned:
		st := s.stage(ev.Stage)
		st.Planned, st.PlanToken = ev.Planned, ev.Token
	case event.ReturnDropped:
		st := s.stage(ev.Stage)
		st.Planned, st.PlanToken = nil, ""
	case event.ExecutionStarted:
		s.addExecution(ev)
	case event.ExecutionResumed:
		s.resume(ev)
	case event.ExecutionNoted:
		s.note(ev)
	case event.OrphanConfirmed, event.OrphanLeft:
		s.closeOrphan(ev)
	case event.ActionTracked:
		s.track(ev)
	case event.ExecutionObserved:
		s.observe(ev)
	case event.RequestOpened, event.RequestClosed:
		s.ask(ev)
	default:
		if e := s.execution(ev.Execution); e != nil {
			s.evolveExecution(e, ev)
		}
	}
	if alarm.Concerns(ev) {
		alarm.Evolve(&s.stage(ev.Stage).Stage, s.definition(), s.execution(ev.Execution), ev)
	}
	s.rememberToken(ev)
}

// rememberToken keeps what a client request token led to.
func (s *State) rememberToken(ev event.Event) {
	s.answer(ev.Token, answer{At: ev.At, Execution: ev.Led(), Stage: ev.Stage})
}

// answer keeps what a token led to. A decision's scratch copy has no answers.
func (s *State) answer(token string, led answer) {
	if token == "" || s.Answers == nil {
		return
	}
	s.Answers[token] = led
	if led.At.Sub(s.Swept) < time.Hour {
		return
	}
	s.Swept = led.At
	maps.DeleteFunc(s.Answers, func(_ string, a answer) bool { return led.At.Sub(a.At) >= answersKept })
}

func (s *State) define(ev event.Event) {
	d := ev.Defined
	definition := d.Definition
	s.Version, s.ManagedBy, s.Archived = d.Version, d.ManagedBy, false
	s.addDefinition(d.Version, &definition)
	s.Fired = schedule.Armed(&definition, s.Fired, ev.At)
	s.Busy = ev.At
	clear(s.digests)
	for i := range definition.Stages {
		s.stage(definition.Stages[i].Name)
	}
	s.eachOpen(s.refreshGate) // who may and who hears follows the definition in force
	s.dropVersions()
}

// addDefinition adds a definition; nil: there is none to add.
func (s *State) addDefinition(version int, p *workflows.Pipeline) {
	if p != nil {
		s.Definitions = event.With(s.Definitions, version, p)
	}
}

// dropVersions forgets definitions that nothing unfinished runs under.
func (s *State) dropVersions() {
	if len(s.Definitions) == 1 {
		return
	}
	s.Definitions = maps.Clone(s.Definitions)
	maps.DeleteFunc(s.Definitions, func(v int, _ *workflows.Pipeline) bool {
		return v != s.Version && !slices.ContainsFunc(s.Executions, func(e *workflows.Execution) bool { return e.Version == v })
	})
}

func (s *State) addExecution(ev event.Event) {
	e := clone(ev.Started)
	s.addDefinition(e.Version, ev.Under)
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
	s.addDefinition(e.Version, ev.Under)
	e.Status, e.StatusReason, e.Stop, e.EndedAt = workflows.StatusInProgress, nil, nil, nil
	e.Attempt++
	e.UpdatedAt = ev.At
	st, _ := e.Stage(ev.Stage)
	st.Unshare()
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
		s.leave(e, st, ev)
	case event.ExecutionStopping:
		e.Status, e.Stop = workflows.StatusStopping, ev.Stop
		if st != nil {
			s.setStage(e, st, workflows.StatusStopping, ev.At)
		}
	case event.ExecutionSuperseded, event.ExecutionStopped, event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionCancelled:
		s.endExecution(e, ev)
	case event.StageEntered:
		s.enter(e, st, ev)
	case event.StageResumed:
		st.Unshare()
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
		s.stage(ev.Stage).Succeed(e, st, ev.At)
	case event.StageFailed, event.StageStopped, event.StageCancelled:
		s.setStage(e, st, workflows.Status(ev.Kind[len("stage"):]), ev.At)
		if st.Worked() {
			s.stage(st.Name).Doubt()
		}
	default:
		if st == nil {
			return
		}
		if a, ok := st.Action(ev.Action); ok {
			s.evolveAction(e, st, a, ev)
		}
	}
}

// endExecution ends an execution: it leaves the state for its row. The kind is named after the status.
func (s *State) endExecution(e *workflows.Execution, ev event.Event) {
	at := ev.At
	e.Status, e.StatusReason, e.EndedAt, e.WaitsFor = workflows.Status(ev.Kind[len("execution"):]), ev.Reason, &at, nil
	s.Executions = slices.DeleteFunc(s.Executions, func(o *workflows.Execution) bool { return o.ID == e.ID })
	s.departed = append(s.departed, *e)
	s.dropVersions()
}

func (s *State) enter(e *workflows.Execution, st *workflows.StageExecution, ev event.Event) {
	st.Unshare()
	e.WaitsFor = nil
	st.Attempt++
	st.Digest, st.From = s.digest(e.Version, st.Name), ""
	if runs := s.stage(st.Name).Runs; runs != nil {
		st.From = runs.Execution
	}
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

// leave puts an execution that was inside a stage back before it.
func (s *State) leave(e *workflows.Execution, st *workflows.StageExecution, ev event.Event) {
	if st.Worked() {
		s.stage(st.Name).Doubt()
	}
	for i := range st.Actions {
		st.Actions[i].Reset()
	}
	s.setStage(e, st, workflows.StatusNotStarted, ev.At)
	e.WaitsFor = ev.Wait
}
