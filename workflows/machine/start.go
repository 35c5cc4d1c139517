package machine

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// checkActive refuses what an archived pipeline no longer does, and what some never do.
func (d *decision) checkActive() error {
	if d.s.Archived {
		return workflows.Refuse(workflows.CodePipelineNotFound, "define it again first", "%s is archived", d.s.Name)
	}
	return bridged.OnlyAnswered(d.s.definition(), d.in.Intent)
}

// startable says why no execution can start, if it cannot.
func (d *decision) startable(in *workflows.Intent) error {
	if err := d.checkActive(); err != nil {
		return err
	}
	if err := d.checkLimits(workflows.TypeStandard); err != nil {
		return err
	}
	_, err := d.s.definition().Values(in.Variables, d.dry)
	return err
}

// start begins a new execution at the first stage.
func (d *decision) start(in *workflows.Intent) error {
	if err := d.startable(in); err != nil {
		return err
	}
	d.resumePolling()
	p := d.s.definition()
	variables, err := p.Values(in.Variables, d.dry)
	if err != nil {
		return err
	}
	revisions, err := p.Pinned(in)
	if err != nil {
		return err
	}
	if d.s.bridge() != nil {
		return d.inAWS().Ask(*in, nil, "", in.Reason)
	}
	trigger := workflows.StartedBy{Type: workflows.TriggerStart, Detail: d.by.Name, By: d.by}
	if in.Trigger != nil {
		trigger = *in.Trigger
	}
	e := d.newExecution(workflows.TypeStandard, d.s.Version, p.Stages)
	e.Trigger, e.Variables, e.SourceRevisions = trigger, variables, revisions
	d.emit(event.Event{Kind: event.ExecutionStarted, Execution: e.ID, Started: &e})
	d.arrive(d.s.execution(e.ID), p.Stages[0].Name)
	return nil
}

// checkLimits refuses one more execution where a pipeline in QUEUED or PARALLEL mode
// has as many as it may. A rollback always has room.
func (d *decision) checkLimits(kind string) error {
	const most = 50
	if p := d.s.definition(); p.ExecutionMode == workflows.ModeSuperseded || p.Bridge != nil || p.IsProtection() || kind == workflows.TypeRollback || len(d.s.Executions) < most {
		return nil
	}
	return workflows.Refuse(workflows.CodeConcurrencyLimit, "wait until some have ended, or stop what is no longer wanted",
		"%s has %d unfinished executions, the most that are possible in %s mode", d.s.Name, len(d.s.Executions), d.s.definition().ExecutionMode)
}

// newExecution lays out a new execution of these stages; nothing has happened yet.
func (d *decision) newExecution(kind string, version int, stages []workflows.Stage) workflows.Execution {
	e := workflows.Execution{
		ID: d.id(), Number: d.s.Count + 1, Pipeline: d.s.Name, Version: version, Mode: d.s.definition().ExecutionMode,
		Type: kind, Status: workflows.StatusInProgress, StartedAt: d.in.At, UpdatedAt: d.in.At, Attempt: 1,
		SourceRevisions: []workflows.SourceRevision{}, Variables: map[string]string{},
		Stages: make([]workflows.StageExecution, len(stages)),
	}
	for i := range stages {
		e.Stages[i] = stages[i].Begin()
	}
	return e
}
