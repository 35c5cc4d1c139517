package codepipeline

import (
	"slices"
	"time"
)

// The modes and states, as AWS writes them.
const (
	superseded, queued, parallel = "SUPERSEDED", "QUEUED", "PARALLEL"

	inProgress, succeeded, failed     = "InProgress", "Succeeded", "Failed"
	stopping, stopped, cancelled      = "Stopping", "Stopped", "Cancelled"
	overtaken, abandoned, skipped     = "Superseded", "Abandoned", "Skipped"
	overridden, errored               = "Overridden", "Errored"
	standard, rollback                = "STANDARD", "ROLLBACK"
	manualRollback, automatedRollback = "ManualRollback", "AutomatedRollback"
)

// pipeline is a pipeline with all that ran in it.
type pipeline struct {
	s                *Service
	name             string
	versions         []*declaration
	created, updated time.Time
	executions       []*execution // oldest first
	stages           map[string]*place
}

func (p *pipeline) now() *declaration { return p.versions[len(p.versions)-1] }

// place is what is known of a stage across executions.
type place struct {
	holder   *execution   // who is in the stage; nil: nobody. Not used in PARALLEL
	latest   *stageRun    // the last that entered
	inbound  []*execution // who waits to enter, first in line first
	disabled *transition  // nil: enabled
	changed  *transition  // the last change, enabled or disabled
	actions  map[string]*actionRun
}

type transition struct {
	reason, by string
	at         time.Time
}

func (p *pipeline) place(stage string) *place {
	if p.stages[stage] == nil {
		p.stages[stage] = &place{actions: map[string]*actionRun{}}
	}
	return p.stages[stage]
}

// execution is one run of a pipeline.
type execution struct {
	p                                  *pipeline
	d                                  *declaration // the version it started with
	id, status, summary, kind, token   string
	started, updated                   time.Time
	triggerType, triggerDetail, reason string
	target                             string // of a rollback
	wantsStop, cancelling              bool
	abandoning                         bool
	stage                              int // where it is, or before which it waits
	attempt                            int
	variables                          map[string]string
	overrides                          []override
	revisions                          map[string]Revision          // by source action
	outputs                            map[string]map[string]string // by namespace
	artifacts                          map[string]string            // keys in the store, by name
	runs                               []*stageRun
}

func (e *execution) run(stage string) *stageRun {
	for _, r := range e.runs {
		if r.name == stage {
			return r
		}
	}
	return nil
}

func (e *execution) ended() bool {
	return e.status != inProgress && e.status != stopping
}

func (e *execution) parallel() bool { return e.d.ExecutionMode == parallel }

// stageRun is an execution in a stage.
type stageRun struct {
	e            *execution
	name, status string
	def          *stage
	actions      []*actionRun // every attempt, oldest first
	order        int          // the run order under way
	conditions   map[string]*conditionRun
	auto, manual int // retries
	latestRetry  string
	rules        []*ruleRun // every one that was asked, oldest first
	from         int        // attempts before this one do not count any more
}

// actionRun is one attempt of an action.
type actionRun struct {
	e                 *execution
	run               *stageRun
	def               *action
	id, status, token string
	started, updated  time.Time
	due               time.Time // when it ends by itself; zero: never
	script            Script
	by                string // who updated it last
	externalID, url   string
	summary, log      string
	fault             *Failure
	resolved          map[string]string
	outputs           map[string]string
	percent           int
}

// latest returns the last attempt of each action, in the order of the definition.
func (r *stageRun) latest() []*actionRun {
	var list []*actionRun
	for i := range r.def.Actions {
		if a := r.last(r.def.Actions[i].Name); a != nil {
			list = append(list, a)
		}
	}
	return list
}

func (r *stageRun) last(action string) *actionRun {
	for i := len(r.actions) - 1; i >= r.from; i-- {
		if r.actions[i].def.Name == action {
			return r.actions[i]
		}
	}
	return nil
}

func (r *stageRun) any(status string) bool {
	return slices.ContainsFunc(r.latest(), func(a *actionRun) bool { return a.status == status })
}

// arrive puts an execution before its next stage.
func (s *Service) arrive(e *execution) {
	pl := e.p.place(e.d.Stages[e.stage].Name)
	pl.inbound = slices.DeleteFunc(pl.inbound, func(o *execution) bool { return o.ended() })
	if e.d.ExecutionMode == superseded {
		for _, old := range pl.inbound {
			s.end(old, overtaken, "")
		}
		pl.inbound = nil
	}
	pl.inbound = append(pl.inbound, e)
	s.admit(e.p, e.d.Stages[e.stage].Name)
}

// admit takes into the stage who may enter it now.
func (s *Service) admit(p *pipeline, stage string) {
	pl := p.place(stage)
	if pl.disabled != nil {
		return
	}
	for _, e := range slices.Clone(pl.inbound) {
		if e.ended() || !e.parallel() && pl.holder != nil {
			continue
		}
		pl.inbound = slices.DeleteFunc(pl.inbound, func(o *execution) bool { return o == e })
		s.enter(e)
	}
}

// enter takes the stage's lock and begins with its entry condition.
func (s *Service) enter(e *execution) {
	def := &e.d.Stages[e.stage]
	r := &stageRun{e: e, name: def.Name, def: def, status: inProgress, conditions: map[string]*conditionRun{}}
	e.runs = append(e.runs, r)
	pl := e.p.place(def.Name)
	if !e.parallel() {
		pl.holder = e
	}
	pl.latest = r
	s.touch(e)
	s.emitStage(r, "STARTED")
	if def.BeforeEntry != nil && e.kind == standard {
		s.ask(r, beforeEntry, def.BeforeEntry.Conditions)
		return
	}
	s.group(r)
}

func (s *Service) touch(e *execution) { e.updated = s.at }

// group starts the next actions: those of the smallest run order that are not done.
func (s *Service) group(r *stageRun) {
	r.order = 0
	for i := range r.def.Actions {
		a := &r.def.Actions[i]
		last := r.last(a.Name)
		if done := last != nil && last.status == succeeded; !done && (r.order == 0 || a.RunOrder < r.order) {
			r.order = a.RunOrder
		}
	}
	if r.order == 0 {
		s.allSucceeded(r)
		return
	}
	for i := range r.def.Actions {
		a := &r.def.Actions[i]
		last := r.last(a.Name)
		if a.RunOrder == r.order && (last == nil || last.status != succeeded && last.status != inProgress) {
			s.begin(r, a)
		}
	}
}

// proceed decides what follows when an action of the stage has ended.
func (s *Service) proceed(r *stageRun) {
	if r.any(inProgress) {
		return
	}
	switch e := r.e; {
	case e.wantsStop:
		s.leave(r, stopped, stopped)
	case e.cancelling:
		s.leave(r, cancelled, cancelled)
	case r.any(failed) || r.any(abandoned):
		s.someFailed(r)
	default:
		s.group(r)
	}
}

func (s *Service) allSucceeded(r *stageRun) {
	if r.def.OnSuccess != nil && r.e.kind == standard {
		s.ask(r, onSuccess, r.def.OnSuccess.Conditions)
		return
	}
	s.passed(r)
}

// passed ends a stage well, and goes on.
func (s *Service) passed(r *stageRun) {
	r.status = succeeded
	s.emitStage(r, "SUCCEEDED")
	s.onward(r)
}

// onward frees the stage and goes to the next one.
func (s *Service) onward(r *stageRun) {
	e := r.e
	s.touch(e)
	switch last := e.stage == len(e.d.Stages)-1; {
	case last || e.kind == rollback:
		s.end(e, succeeded, "")
		s.free(r)
	case e.wantsStop:
		s.end(e, stopped, e.reason)
		s.free(r)
	default:
		e.stage++
		s.free(r)
		s.arrive(e)
	}
}

// leave ends stage and execution.
func (s *Service) leave(r *stageRun, stageStatus, status string) {
	r.status = stageStatus
	s.emitStage(r, eventState(stageStatus))
	summary := ""
	if status == stopped {
		summary = r.e.reason
	}
	s.end(r.e, status, summary)
	s.free(r)
}

// free releases the lock and lets the next one in.
func (s *Service) free(r *stageRun) {
	pl := r.e.p.place(r.name)
	if pl.holder == r.e {
		pl.holder = nil
	}
	s.admit(r.e.p, r.name)
}

func (s *Service) end(e *execution, status, summary string) {
	e.status, e.summary = status, summary
	s.touch(e)
	s.emitPipeline(e, eventState(status))
}
