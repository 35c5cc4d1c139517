package audit

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/history"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Assembler reads the trail of one execution from the records of its pipeline,
// in order, from the one in which it started on.
type Assembler struct {
	definition func(version int) *workflows.Pipeline
	id         string
	trail      Trail
	inForce    int                 // version of the definition
	defined    *workflows.Pipeline // that version, where the records hold it
	names      map[string]string   // "#42" by ID, of the executions that were seen
}

// NewAssembler returns what assembles the trail of the execution with that ID.
// inForce is the version of the pipeline's definition when it started;
// definition returns a version, nil: it is not known.
func NewAssembler(id string, inForce int, definition func(version int) *workflows.Pipeline) *Assembler {
	return &Assembler{id: id, inForce: inForce, definition: definition, names: map[string]string{}, trail: Trail{
		SourceRevisions: []workflows.SourceRevision{}, Artifacts: []workflows.Artifact{}, Gates: []Gate{}, Votes: []Vote{},
		Refusals: []Refusal{}, Overrides: []Override{}, Locks: []Lock{}, History: []Entry{},
	}}
}

// Add takes the next record.
func (a *Assembler) Add(f *event.Frame) {
	concerns := slices.ContainsFunc(f.Events, a.concerns)
	for i := range f.Events {
		e := &f.Events[i]
		if e.Started != nil && (e.Kind == event.ExecutionStarted || e.Kind == event.ExecutionObserved) {
			a.names[e.Started.ID] = strings.TrimPrefix(e.Started.Ref(), e.Started.Pipeline)
			a.left(f.Seq, e)
		}
		if e.Defined != nil {
			a.inForce, a.defined = e.Defined.Version, &e.Defined.Definition
		}
		switch {
		case a.concerns(*e):
			a.take(f.Seq, e)
		case concerns && e.Transition != nil:
			a.lock(f.Seq, e)
		}
	}
	if !concerns {
		return
	}
	t := &a.trail
	t.FirstRecord, t.Record, t.Hash = cmp.Or(t.FirstRecord, f.Seq), f.Seq, f.Hash
}

// Trail is what was read. ok is false when the execution's start was not among the records.
func (a *Assembler) Trail() (t Trail, ok bool) {
	t = a.trail
	slices.SortFunc(t.Artifacts, func(x, y workflows.Artifact) int { return strings.Compare(x.Name, y.Name) })
	return t, t.ID != ""
}

// concerns says whether an event is about the execution.
func (a *Assembler) concerns(e event.Event) bool {
	switch {
	case e.Execution == a.id:
		return true
	case e.Refused != nil:
		return e.Refused.Intent.Execution == a.id || e.Refused.Intent.Target == a.id
	case e.Planned != nil:
		return e.Planned.Target == a.id
	case e.Transition != nil:
		return e.Transition.Only == a.id
	}
	return false
}

// take adds one event about the execution.
func (a *Assembler) take(seq uint64, e *event.Event) {
	t := &a.trail
	t.History = append(t.History, a.entry(seq, e))
	switch {
	case e.Kind == event.ExecutionStarted && e.Started != nil:
		a.start(e.Started)
	case e.Kind == event.ExecutionObserved && e.Started != nil:
		a.observed(seq, e.Started)
	case e.Request != nil:
		a.request(seq, &e.Request.Request)
	case e.Outcome != nil:
		a.outcome(e.Outcome)
	case strings.HasPrefix(string(e.Kind), "gate"):
		a.gate(seq, e)
	case e.Override != nil:
		t.Overrides = append(t.Overrides, Override{By: e.Override.By, At: e.Override.At, What: e.Text, Reason: e.Override.Reason, Place: placeOf(e), Record: seq})
	case e.Transition != nil:
		a.lock(seq, e)
	case e.Refused != nil:
		t.Refusals = append(t.Refusals, Refusal{By: e.By, At: e.At.UTC(), Verb: e.Refused.Intent.Verb, Code: e.Refused.Problem.Code, Message: e.Refused.Problem.Message,
			Place: Place{Stage: cmp.Or(e.Stage, e.Refused.Intent.Stage), Action: cmp.Or(e.Action, e.Refused.Intent.Action)}, Record: seq})
	case e.Note != nil:
		a.note(*e.Note)
	default:
		a.status(e)
	}
}

func (a *Assembler) entry(seq uint64, e *event.Event) Entry {
	f := say.Format{Ref: func(id string) string { return a.names[id] }}
	return Entry{Record: seq, At: e.At.UTC(), By: e.By, What: history.Line(&f, e)}
}

func (a *Assembler) start(x *workflows.Execution) {
	t := &a.trail
	t.Execution, t.ID, t.Pipeline, t.Number, t.Version, t.Type = x.Ref(), x.ID, x.Pipeline, x.Number, x.Version, x.Type
	t.Trigger, t.StartedAt, t.Variables, t.Rollback = x.Trigger, x.StartedAt.UTC(), x.Variables, x.Rollback
	t.Status, t.ExternalID = workflows.StatusInProgress, x.ExternalID
	t.SourceRevisions = append(t.SourceRevisions, x.SourceRevisions...)
	for _, one := range x.Artifacts {
		t.Artifacts = append(t.Artifacts, one)
	}
}

// outcome adds what an action brought in and left.
func (a *Assembler) outcome(o *event.Outcome) {
	t := &a.trail
	if r := o.Revision; r != nil {
		i := slices.IndexFunc(t.SourceRevisions, func(s workflows.SourceRevision) bool { return s.ActionName == r.ActionName })
		if i < 0 {
			t.SourceRevisions = append(t.SourceRevisions, *r)
		} else {
			t.SourceRevisions[i] = *r
		}
	}
	for _, one := range o.Artifacts {
		i := slices.IndexFunc(t.Artifacts, func(s workflows.Artifact) bool { return s.Name == one.Name })
		if i < 0 {
			t.Artifacts = append(t.Artifacts, one)
		} else {
			t.Artifacts[i] = one
		}
	}
}

// gate adds what happened at an approval.
func (a *Assembler) gate(seq uint64, e *event.Event) {
	t, at := &a.trail, placeOf(e)
	if e.Kind == event.GateOpened && e.Gate != nil {
		t.Gates = append(t.Gates, Gate{Place: at, OpenedAt: e.At.UTC(), Result: "open", Rule: a.rule(at, e.Gate), Record: seq})
		return
	}
	switch e.Kind {
	case event.GateVoted:
		if v := e.Vote; v != nil {
			a.vote(Vote{By: v.By, At: v.At.UTC(), Answer: v.Answer, Comment: v.Comment, Via: v.Via, Groups: v.In, Judged: v.Judged, Place: at, Record: seq})
		}
	case event.GateVoteDropped:
		for i := range t.Votes {
			if e.Vote != nil && t.Votes[i].Place == at && t.Votes[i].By.Is(e.Vote.By) && e.Reason != nil {
				t.Votes[i].Dropped = e.Reason.Message
			}
		}
	case event.GateOverridden:
		if o := e.Override; o != nil {
			t.Overrides = append(t.Overrides, Override{By: o.By, At: o.At.UTC(), What: "approval", Without: o.Without, Reason: o.Reason, Place: at, Record: seq})
		}
	case event.GateClosed:
		a.close(seq, e)
	}
}

// vote adds an answer, unless it is one that was given already: with a quorum,
// who had answered is judged once more by the facts of that time.
func (a *Assembler) vote(v Vote) {
	for i := range a.trail.Votes {
		if old := &a.trail.Votes[i]; old.Place == v.Place && old.By.Is(v.By) && old.Answer == v.Answer {
			old.Groups, old.Judged = v.Groups, v.Judged
			return
		}
	}
	a.trail.Votes = append(a.trail.Votes, v)
}

func (a *Assembler) close(seq uint64, e *event.Event) {
	for i := range a.trail.Gates {
		g := &a.trail.Gates[i]
		if g.Place != placeOf(e) || g.Result != "open" {
			continue
		}
		at := e.At.UTC()
		g.ClosedAt, g.Result, g.Closed = &at, e.Text, seq
		if e.Reason != nil {
			g.Reason = e.Reason.Message
		}
		if now := a.rule(g.Place, nil); now.Policy != nil && now.Text != g.Rule.Text {
			g.Decided = &now
		}
	}
}

// rule is what the definition in force asks of a gate; where that is not known,
// what the gate itself says that it asked.
func (a *Assembler) rule(at Place, g *workflows.Approval) Rule {
	if a.defined == nil && a.inForce > 0 && a.definition != nil {
		a.defined = a.definition(a.inForce)
	}
	if a.defined != nil {
		if st, ok := a.defined.Stage(at.Stage); ok {
			if act, ok := st.Action(at.Action); ok && act.Approval != nil {
				return Rule{Version: a.inForce, Text: act.Approval.String(), Policy: act.Approval}
			}
		}
	}
	if g == nil {
		return Rule{}
	}
	asked := &workflows.ApprovalPolicy{From: g.From, Ask: g.Ask, Required: g.Required, Comment: g.Comment}
	return Rule{Version: a.inForce, Text: asked.String(), Policy: asked}
}

func (a *Assembler) lock(seq uint64, e *event.Event) {
	l := e.Transition
	a.trail.Locks = append(a.trail.Locks, Lock{By: e.By, At: e.At.UTC(), Stage: e.Stage, Locked: !l.Enabled && l.Only == "", Cause: l.Cause, Reason: l.Reason, Only: l.Only == a.id, Record: seq})
}

// left adds a rollback by which the execution's content was taken out of a stage.
func (a *Assembler) left(seq uint64, e *event.Event) {
	if r := e.Started.Rollback; r != nil && (r.LeftExecution == a.id || r.FailedExecution == a.id) && r.Target != a.id {
		one := a.entry(seq, e)
		one.What = e.Started.Ref() + " " + one.What
		a.trail.Left = append(a.trail.Left, one)
	}
}

func (a *Assembler) note(n workflows.Note) {
	x := workflows.Execution{Notes: a.trail.Notes}
	x.Note(n)
	a.trail.Notes = x.Notes
}

// status follows how the execution stands.
func (a *Assembler) status(e *event.Event) {
	t := &a.trail
	now, ok := map[event.Kind]workflows.Status{
		event.ExecutionStopping: workflows.StatusStopping, event.ExecutionStopped: workflows.StatusStopped, event.ExecutionSucceeded: workflows.StatusSucceeded,
		event.ExecutionFailed: workflows.StatusFailed, event.ExecutionSuperseded: workflows.StatusSuperseded, event.ExecutionCancelled: workflows.StatusCancelled,
		event.ExecutionResumed: workflows.StatusInProgress,
	}[e.Kind]
	if !ok {
		return
	}
	t.Status, t.StatusReason, t.EndedAt = now, e.Reason, nil
	if now.Final() {
		at := e.At.UTC()
		t.EndedAt = &at
	}
}

func placeOf(e *event.Event) Place {
	return Place{Stage: e.Stage, Action: e.Action, Attempt: e.Attempt}
}

// Moment is when a trail is asked for by a time: what ran then, stage by stage.
type Moment struct {
	At  time.Time `json:"at"`
	Ran []Ran     `json:"ran"`
}

// Ran is whose content ran in a stage with an environment.
type Ran struct {
	Stage       string    `json:"stage"`
	Environment string    `json:"environment"`
	Execution   string    `json:"execution"` // "webshop#41"
	ID          string    `json:"id"`
	Since       time.Time `json:"since"`
	Certain     bool      `json:"certain"` // false after a failed deployment, until something succeeds there
}

// Answer is what `audit show` answers: the trail of the execution that is meant.
type Answer struct {
	Trail
	Moment *Moment `json:"moment,omitempty"` // asked for by a time
	// Also are other executions that what was asked for names, newest first, "webshop#41".
	Also []string `json:"also,omitempty"`
}
