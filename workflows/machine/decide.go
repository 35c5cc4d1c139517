package machine

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/identity"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// decision is one run of Decide: what it was asked, and what it has found so far.
type decision struct {
	s      *State // a scratch copy; every event is applied to it at once
	in     Input
	by     workflows.Principal
	token  string // of the intent, until the event that answers it is emitted
	ids    uint64
	since  time.Time // of the newest event before
	dry    bool      // to find offers: facts are assumed, forms are not filled in yet
	events []event.Event
	list   [8]*workflows.Execution // where executions are listed
}

// Decide answers an input with the events that it leads to; none when it
// changes nothing. The error is a *workflows.Problem (refused, nothing
// happened) or a *NeedFacts (look these up and decide again). State is not changed.
func (s *State) Decide(in Input) ([]event.Event, error) { return s.decide(in, false) }

func (s *State) decide(in Input, dry bool) ([]event.Event, error) {
	in.At = in.At.Round(0).UTC()
	if in.At.Before(s.At) {
		in.At = s.At
	}
	if in.Intent != nil {
		if _, known := s.answered(in.Intent.Token, in.At); known {
			return nil, nil
		}
	}
	d := &decision{s: s.scratch(), in: in, since: s.At, by: workflows.EnginePrincipal(), dry: dry, events: s.buffer[:0]}
	err := d.run()
	events := slices.Clone(d.events)
	clear(d.events) // the buffer is kept, what was in it is not
	if s.buffer = d.events[:0]; err != nil {
		return nil, err
	}
	return events, nil
}

// answered looks up what a client request token led to within the last day.
func (s *State) answered(token string, at time.Time) (answer, bool) {
	if token == "" {
		return answer{}, false
	}
	a, ok := s.Answers[token]
	return a, ok && at.Sub(a.At) < answersKept
}

// run first lets time pass, so that what was in time and what too late never
// depends on whether a tick came; then it deals with the input, then with what follows from it.
func (d *decision) run() error {
	if r := d.in.Restored; r != nil {
		return d.restored(r)
	}
	if err := d.runToFixpoint(); err != nil {
		return err
	}
	if in := d.in.Intent; in != nil {
		d.by, d.token = d.in.By, in.Token
		if err := d.intent(in); err != nil {
			return err
		}
		d.by, d.token = workflows.EnginePrincipal(), ""
	}
	if o := d.in.Outcome; o != nil {
		if err := d.outcome(o); err != nil {
			return err
		}
	}
	if seen := d.in.Snapshot; seen != nil && d.s.bridge() != nil && !d.s.Archived {
		return d.inAWS().Observe(seen)
	}
	return d.runToFixpoint()
}

func (d *decision) intent(in *workflows.Intent) error {
	if in.Verb == workflows.Edit {
		return d.edit(in)
	}
	if d.s.Version == 0 {
		return workflows.Refuse(workflows.CodePipelineNotFound, "see the names with: pipelines", "there is no pipeline %s", d.s.Name)
	}
	if err := in.Fits(); err != nil {
		return err
	}
	if d.s.bridge() != nil && !slices.Contains(ofEngine[:], in.Verb) {
		if err := d.inAWS().Refusal(); err != nil {
			return err
		}
	}
	for i := range verbs {
		if verbs[i].verb == in.Verb {
			return verbs[i].decide(d, in)
		}
	}
	return workflows.Refuse(workflows.CodeValidation, "see what there is with: help", "%q is not something that can be asked of a pipeline", in.Verb).In("verb")
}

// verbs are what can be asked of a pipeline that there is.
var verbs = [...]struct {
	verb   workflows.Verb
	decide func(*decision, *workflows.Intent) error
}{
	{workflows.Start, (*decision).start}, {workflows.StopExecution, (*decision).stop}, {workflows.Retry, (*decision).retry}, {workflows.RollBack, (*decision).rollback},
	{workflows.Approve, (*decision).vote}, {workflows.Reject, (*decision).vote}, {workflows.Resolve, (*decision).resolve}, {workflows.Override, (*decision).override},
	{workflows.Lock, (*decision).lock}, {workflows.Unlock, (*decision).unlock}, {workflows.ReplaceFreezes, (*decision).setFreezes},
	{workflows.Archive, (*decision).archive}, {workflows.Annotate, (*decision).annotate},
}

// runToFixpoint decides what follows by itself, until nothing more does.
func (d *decision) runToFixpoint() error {
	for before := -1; before != len(d.events); {
		before = len(d.events)
		if err := d.passDeadlines(); err != nil {
			return err
		}
		if d.s.bridge() != nil {
			continue // what follows AWS decides
		}
		for _, e := range d.executions() {
			if err := d.advance(e); err != nil {
				return err
			}
		}
		if err := d.startPlanned(); err != nil {
			return err
		}
		d.admitWaiting()
	}
	return nil
}

// executions are those that are unfinished now, whatever becomes of them while they are gone through.
func (d *decision) executions() []*workflows.Execution { return append(d.list[:0], d.s.Executions...) }

// emit adds an event and makes it true in the scratch state.
func (d *decision) emit(e event.Event) {
	if e.At = d.in.At; e.By.ID == "" {
		e.By = d.by
	}
	if d.token != "" && d.in.Intent != nil && event.Answers(d.in.Intent.Verb, e.Kind) {
		e.Token, d.token = d.token, ""
	}
	d.events = append(d.events, e)
	d.s.Evolve(e)
}

// id makes a new ID; the same input gives the same ones.
func (d *decision) id() string {
	d.ids++
	return identity.New(d.in.At, d.in.Seed, d.ids)
}

// find returns an execution of this pipeline, unfinished or archived. The
// error is a *NeedFacts while an archived one has not been looked up.
func (d *decision) find(field, id string) (*workflows.Execution, error) {
	if !identity.Valid(id) {
		return nil, workflows.Refuse(workflows.CodeValidation, "see what there is with: executions "+d.s.Name, "%q is not the ID of an execution", id).In(field)
	}
	if e := d.s.execution(id); e != nil {
		return e, nil
	}
	if e := d.row(id); e != nil { // it has ended in this very decision: no row knows that yet
		return clone(e), nil
	}
	e, ok := d.in.Facts.Executions[id]
	if !ok {
		return nil, &NeedFacts{Executions: []string{id}}
	}
	if e == nil || e.Pipeline != d.s.Name {
		return nil, workflows.Refuse(workflows.CodeExecutionNotFound, "see what there is with: executions "+d.s.Name,
			"there is no execution %s in %s", id, d.s.Name)
	}
	return e, nil
}

// version returns a definition, and whether it must be carried by an event
// because it has left the state.
func (d *decision) version(v int) (p *workflows.Pipeline, carried bool, err error) {
	if p := d.s.Definitions[v]; p != nil {
		return p, false, nil
	}
	if p := d.in.Facts.Versions[v]; p != nil {
		return p, true, nil
	}
	return nil, false, &NeedFacts{Versions: []int{v}}
}

// stageNamed returns the stage of the definition in force.
func (d *decision) stageNamed(name string) (*workflows.Stage, error) {
	if name == "" {
		return nil, workflows.Refuse(workflows.CodeValidation, "it has "+words.List(d.s.definition().StageNames(), "and"), "which stage of %s is meant?", d.s.Name).In("stage")
	}
	if st, ok := d.s.definition().Stage(name); ok {
		return st, nil
	}
	return nil, workflows.Refuse(workflows.CodeStageNotFound, "it has "+words.List(d.s.definition().StageNames(), "and"), "%s has no stage %s", d.s.Name, name)
}
