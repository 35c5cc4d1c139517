package machine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/schedule"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// State is everything that is undecided about one pipeline, and what is needed
// to decide it. Package checkpoint writes it down and reads it. The fields are
// exported for that alone; only Evolve writes them.
//
// A State belongs to one goroutine. What it hands out are copies; the maps and
// the values behind pointers in them are never written again and must not be
// written by the receiver either.
type State struct {
	Name      string    `json:"name"`
	At        time.Time `json:"at"`      // of the newest event
	Version   int       `json:"version"` // in force; 0: never defined
	ManagedBy string    `json:"managedBy,omitempty"`
	Archived  bool      `json:"archived,omitempty"`
	// Definitions are the one in force and those that unfinished executions run under.
	Definitions map[int]*workflows.Pipeline `json:"definitions"`
	Count       int                         `json:"count"`  // executions started so far: the newest number
	Stages      map[string]*stage           `json:"stages"` // by name; of earlier definitions too
	Executions  []*workflows.Execution      `json:"executions"`
	Orphans     []work.Task                 `json:"orphans,omitempty"` // cancels that nobody has confirmed yet
	Answers     map[string]answer           `json:"answers"`           // by client request token
	Swept       time.Time                   `json:"swept"`             // when Answers was last rid of old ones
	Gates       gate.ClosedGates            `json:"gates,omitzero"`    // the newest closed ones, so that a late click hears what happened
	Freezes     []workflows.Freeze          `json:"freezes,omitempty"`
	Fired       map[string]time.Time        `json:"fired,omitempty"`    // by schedule: the newest nominal time that was dealt with
	Busy        time.Time                   `json:"busy,omitzero"`      // when the last execution started, or polling was last asked for
	Unpolled    *time.Time                  `json:"unpolled,omitempty"` // since when branches are no longer looked at
	Epoch       int                         `json:"epoch,omitempty"`    // of the newest restore that is known here
	Restored    time.Time                   `json:"restored,omitzero"`  // when that was decided about
	Bridge      *bridged.Memory             `json:"bridge,omitempty"`   // of a pipeline that stays in AWS

	departed []workflows.Execution
	buffer   []event.Event           // where the next decision collects its events
	base     map[string]*stage       // of a scratch copy: Stages of the state it was made from
	digests  map[versionStage]string // only a memory of what was computed
	timings  schedule.Timings        // likewise
}

// versionStage is a stage as a version defines it.
type versionStage struct {
	version int
	stage   string
}

// stage is what the pipeline knows of a stage beyond its definition.
type stage struct {
	ledger.Stage
	Transition workflows.Transition       `json:"transition"`
	Latest     *workflows.LatestIn        `json:"latest,omitempty"`
	Planned    *workflows.PlannedRollback `json:"planned,omitempty"`
	PlanToken  string                     `json:"planToken,omitempty"` // the client request token of Planned
	Door       *workflows.Transition      `json:"door,omitempty"`      // Transition, in checkpoints from before it was called that
}

// answer is what a client request token led to.
type answer struct {
	At        time.Time `json:"at"`
	Execution string    `json:"execution,omitempty"`
	Stage     string    `json:"stage,omitempty"`
}

const answersKept = 24 * time.Hour

// New returns the state of a pipeline that nobody has defined yet.
func New(pipeline string) *State {
	return &State{
		Name:        pipeline,
		Definitions: map[int]*workflows.Pipeline{},
		Stages:      map[string]*stage{},
		Executions:  []*workflows.Execution{},
		Answers:     map[string]answer{},
	}
}

// TaskID names one attempt of an action: the idempotency token outside.
func TaskID(execution, stage, action string, attempt int) string {
	return execution + "/" + stage + "/" + action + "/" + strconv.Itoa(attempt)
}

// scratch returns a copy that a decision may evolve without touching s. What it
// shares is replaced, never written: definitions, what has fired, and stages
// until they are first written, see [State.stage].
func (s *State) scratch() *State {
	s.makeCaches()
	c := *s
	c.departed, c.base = nil, s.Stages
	c.Executions = make([]*workflows.Execution, len(s.Executions))
	for i, e := range s.Executions {
		c.Executions[i] = clone(e)
	}
	c.Orphans = slices.Clone(s.Orphans)
	c.Answers = nil // decisions look tokens up in the real state, before they begin
	return &c
}

// makeCaches makes the maps of what was computed; a scratch copy shares them.
func (s *State) makeCaches() {
	if s.digests == nil {
		s.digests, s.timings = map[versionStage]string{}, schedule.Timings{}
	}
}

// clone copies an execution as far as Evolve writes in place: the rest of it
// (maps, notes, values behind pointers, and the actions of stages that it is not
// inside) is replaced, never written.
func clone(e *workflows.Execution) *workflows.Execution {
	c := *e
	c.Stages = slices.Clone(e.Stages)
	if st := c.Inside(); st != nil {
		st.Unshare()
	}
	return &c
}

// definition is the one in force, nil when there is none.
func (s *State) definition() *workflows.Pipeline { return s.Definitions[s.Version] }

// under is the definition that an execution runs under; of one in AWS, where that is not known, the one in force.
func (s *State) under(e *workflows.Execution) *workflows.Pipeline {
	return cmp.Or(s.Definitions[e.Version], s.definition())
}

// stage is for writers.
func (s *State) stage(name string) *stage {
	st, ok := s.Stages[name]
	if ok && (s.base == nil || st != s.base[name]) {
		return st
	}
	copied := s.peek(name)
	if len(s.Stages) == len(s.base) { // perhaps it is that
		s.Stages = maps.Clone(s.Stages)
	}
	s.Stages[name] = &copied
	return &copied
}

// peek is stage for readers: it adds nothing to the state.
func (s *State) peek(name string) stage {
	if st, ok := s.Stages[name]; ok {
		return *st
	}
	return stage{Transition: workflows.Transition{Enabled: true}}
}

func (s *State) execution(id string) *workflows.Execution {
	for _, e := range s.Executions {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// digest is Stage.Digest of a stage as a version defines it; empty when that is not known.
func (s *State) digest(version int, stage string) string {
	key := versionStage{version, stage}
	if d, ok := s.digests[key]; ok {
		return d
	}
	p := s.Definitions[version]
	if p == nil {
		return ""
	}
	st, ok := p.Stage(stage)
	if !ok {
		return ""
	}
	s.makeCaches()
	d := st.Digest()
	s.digests[key] = d
	return d
}

// mode is how the execution meets others.
func mode(e *workflows.Execution) string { return cmp.Or(e.Mode, workflows.ModeSuperseded) }

// eachOpen visits every action that is in progress, rules of conditions among them.
func (s *State) eachOpen(visit func(*workflows.Execution, *workflows.StageExecution, *workflows.ActionExecution)) {
	for _, e := range s.Executions {
		st := e.Inside()
		if st == nil {
			continue
		}
		each := func(in []workflows.ActionExecution) {
			for i := range in {
				if in[i].Status == workflows.StatusInProgress {
					visit(e, st, &in[i])
				}
			}
		}
		each(st.Actions)
		for i := range st.Conditions {
			each(st.Conditions[i].Rules)
		}
	}
}

// timed says whether an open action has a deadline that counts; what is in doubt waits for a person.
func timed(a *workflows.ActionExecution) bool {
	return a.Deadline != nil && a.Needs != workflows.NeedsResolve
}

// waiting returns the executions before a stage in the order in which they
// started, so that in QUEUED mode one that was retried or had to step back does
// not come after what is newer. SUPERSEDED mode has one place in this line.
func (s *State) waiting(stage string) []*workflows.Execution {
	var at []*workflows.Execution
	for _, e := range s.Executions {
		if e.WaitsFor != nil && e.WaitsFor.Stage == stage {
			at = append(at, e)
		}
	}
	return at
}

// actionOf returns the action as the execution's version defines it, or a
// condition's rule in the form of one. The definitions of unfinished
// executions are always in the state, but of those in AWS, which may have more
// than their definition; nil: that has none of that name.
func (s *State) actionOf(e *workflows.Execution, stage, action string) *workflows.Action {
	st, ok := s.under(e).Stage(stage)
	if !ok {
		return nil
	}
	if kind, name, isRule := strings.Cut(action, ":"); isRule {
		if st.Condition(kind) == nil {
			return nil
		}
		return st.Condition(kind).Action(kind, name)
	}
	a, _ := st.Action(action)
	return a
}

// attempt returns the open attempt that a task ID names; nils when it is not (or no longer) open.
func (s *State) attempt(task string) (*workflows.Execution, *workflows.StageExecution, *workflows.ActionExecution) {
	part := strings.Split(task, "/")
	if len(part) != 4 {
		return nil, nil, nil
	}
	e := s.execution(part[0])
	if e == nil {
		return nil, nil, nil
	}
	st := e.Inside()
	if st == nil || st.Name != part[1] {
		return nil, nil, nil
	}
	a, ok := st.Action(part[2])
	if !ok || a.Status != workflows.StatusInProgress || a.IsGate() || strconv.Itoa(a.Attempt) != part[3] {
		return nil, nil, nil
	}
	return e, st, a
}
