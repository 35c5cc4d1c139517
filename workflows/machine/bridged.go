package machine

import (
	"cmp"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// ofEngine are the verbs by which rollcall keeps itself: they ask AWS for nothing.
var ofEngine = [...]workflows.Verb{workflows.Edit, workflows.Archive, workflows.Annotate, workflows.ReplaceFreezes}

// bridge is where the pipeline is, when it stays in AWS; nil: it runs here.
func (s *State) bridge() *workflows.Bridge {
	if p := s.definition(); p != nil {
		return p.Bridge
	}
	return nil
}

// inAWS is what package bridged decides with.
func (d *decision) inAWS() *bridged.Decision {
	return &bridged.Decision{
		Name: d.s.Name, Definition: d.s.definition(), Version: d.s.Version, At: d.in.At, Since: d.since, By: d.by, Dry: d.dry,
		Emit: d.emit, ID: d.id, Number: func() int { return d.s.Count + 1 }, Memory: func() *bridged.Memory { return d.s.Bridge },
		Executions: d.executions, Row: d.row, Known: d.known, Find: d.find, OpenGate: d.openGate, Gate: d.s.policyAction,
		Transition: func(stage string) workflows.Transition { return d.s.peek(stage).Transition },
		Runs:       func(stage string) *workflows.Running { return d.s.peek(stage).Runs },
	}
}

// row is an execution as it is in the state, or as it has left it in this decision.
func (d *decision) row(id string) *workflows.Execution {
	if e := d.s.execution(id); e != nil {
		return e
	}
	for i := len(d.s.departed) - 1; i >= 0; i-- {
		if d.s.departed[i].ID == id {
			return &d.s.departed[i]
		}
	}
	return nil
}

// known finds executions by their IDs in AWS. The error is a *NeedFacts.
func (d *decision) known(externals []string) (map[string]*workflows.Execution, error) {
	found, missing := bridged.Known(externals, d.s.Executions, d.in.Facts.External, d.in.Facts.Executions)
	if len(missing) > 0 {
		return nil, &NeedFacts{External: missing}
	}
	return found, nil
}

// askBack has AWS roll a stage back.
func (d *decision) askBack(in *workflows.Intent, o *order, inside []*workflows.Execution) error {
	if len(inside) > 0 && !d.dry {
		return workflows.Refuse(workflows.CodeUnableToRollback, "wait until it has left the stage, or stop it first", "%s is in %s, and AWS rolls back no stage that is in use", inside[0].Ref(), in.Stage)
	}
	return d.inAWS().AskBack(*in, o.target, d.s.peek(in.Stage).Latest)
}

// observe takes over an execution as AWS shows it.
func (s *State) observe(ev event.Event) {
	e := clone(ev.Started)
	s.Count = max(s.Count, e.Number)
	for i := range e.Stages {
		s.learn(e, &e.Stages[i])
	}
	s.Executions = slices.DeleteFunc(s.Executions, func(o *workflows.Execution) bool { return o.ID == e.ID && e.Status.Final() })
	if !e.Status.Final() {
		s.insert(e)
		return
	}
	s.departed = append(s.departed, *e)
	s.dropVersions()
}

// learn takes over what an execution has done in a stage.
func (s *State) learn(e *workflows.Execution, st *workflows.StageExecution) {
	if st.Status == workflows.StatusNotStarted {
		return
	}
	st.Digest = cmp.Or(st.Digest, s.digest(e.Version, st.Name))
	now := s.stage(st.Name)
	now.Learn(e, st)
	if now.Latest == nil || now.Latest.Number <= e.Number {
		now.Latest = &workflows.LatestIn{Execution: e.ID, Number: e.Number, Type: e.Type, Status: st.Status}
	}
}

// ask notes a request on the execution that it is about, and, once that is known, on the one that it began.
func (s *State) ask(ev event.Event) {
	e := s.execution(ev.Execution)
	if e == nil && ev.Started != nil {
		e = clone(ev.Started)
		defer func() { s.departed = append(s.departed, *e) }()
	}
	if begun := bridged.Note(e, s.Executions, ev); begun != "" {
		s.answer(ev.Request.Intent.Token, answer{At: ev.At, Execution: begun, Stage: ev.Stage})
	}
}

// remember has the memory of a pipeline in AWS follow, and what client request tokens led to.
func (s *State) remember(ev event.Event) {
	s.Bridge = s.Bridge.Evolve(ev)
	if x := ev.Started; x != nil && x.ExternalID != "" && (ev.Kind == event.ExecutionStarted || ev.Kind == event.ExecutionObserved) {
		s.answer(s.Bridge.Token(x.ExternalID), answer{At: ev.At, Execution: x.ID})
	}
}
