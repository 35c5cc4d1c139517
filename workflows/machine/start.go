package machine

import (
	"regexp"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// live refuses what an archived pipeline no longer does.
func (d *decision) live() error {
	if d.s.Archived {
		return refuse(workflows.CodePipelineNotFound, "define it again first", "%s is archived", d.s.Name)
	}
	return nil
}

// start begins a new execution at the first stage.
func (d *decision) start(in *workflows.Intent) error {
	if err := d.live(); err != nil {
		return err
	}
	p := d.s.definition()
	variables, err := d.variables(p, in.Variables)
	if err != nil {
		return err
	}
	revisions, err := startRevisions(p, in)
	if err != nil {
		return err
	}
	trigger := workflows.StartedBy{Type: workflows.TriggerStart, Detail: d.by.Name, By: d.by}
	if in.Trigger != nil {
		trigger = *in.Trigger
	}
	e := d.begin(workflows.TypeStandard, d.s.Version, p.Stages)
	e.Trigger, e.Variables, e.SourceRevisions = trigger, variables, revisions
	d.emit(event.Event{Kind: event.ExecutionStarted, Execution: e.ID, Started: &e})
	d.arrive(d.s.execution(e.ID), p.Stages[0].Name)
	return nil
}

// begin lays out a new execution of these stages; nothing has happened yet.
func (d *decision) begin(kind workflows.ExecutionType, version int, stages []workflows.Stage) workflows.Execution {
	e := workflows.Execution{
		ID: d.id(), Number: d.s.Count + 1, Pipeline: d.s.Name, Version: version,
		Type: kind, Status: workflows.StatusInProgress, StartedAt: d.in.At, UpdatedAt: d.in.At, Attempt: 1,
		SourceRevisions: []workflows.SourceRevision{}, Variables: map[string]string{},
		Stages: make([]workflows.StageExecution, len(stages)),
	}
	for i, st := range stages {
		s := workflows.StageExecution{Name: st.Name, Status: workflows.StatusNotStarted, Actions: make([]workflows.ActionExecution, len(st.Actions))}
		for j, a := range st.Actions {
			s.Actions[j] = workflows.ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.ActionType.Provider, Status: workflows.StatusNotStarted}
		}
		e.Stages[i] = s
	}
	return e
}

// variables checks what was given against what the pipeline declares, and fills in the defaults.
func (d *decision) variables(p *workflows.Pipeline, given map[string]string) (map[string]string, error) {
	declared := make([]string, len(p.Variables))
	values := map[string]string{}
	for i, v := range p.Variables {
		declared[i] = v.Name
		value, ok := given[v.Name]
		switch {
		case ok && value == "":
			return nil, invalid(v.Name, "the variable %s must not be empty", v.Name)
		case !ok && v.DefaultValue != nil:
			values[v.Name] = *v.DefaultValue
			continue
		case !ok && d.dry:
			continue // a form will ask
		case !ok:
			return nil, invalid(v.Name, "%s cannot start without a value for the variable %s", p.Name, v.Name)
		}
		if v.Pattern != "" {
			whole, err := regexp.Compile("^(?:" + v.Pattern + ")$")
			if err != nil || !whole.MatchString(value) {
				return nil, invalid(v.Name, "the variable %s must match %s, and %q does not", v.Name, v.Pattern, value)
			}
		}
		values[v.Name] = value
	}
	for _, name := range sortedKeys(given) {
		if !slices.Contains(declared, name) {
			problem := invalid(name, "%s has no variable %s", p.Name, name)
			problem.Hint = "it has none"
			if len(declared) > 0 {
				problem.Hint = "it has " + list(declared, "and")
			}
			return nil, problem
		}
	}
	return values, nil
}

// startRevisions are the revisions that a start pins: what its trigger knows, and what was asked for instead.
func startRevisions(p *workflows.Pipeline, in *workflows.Intent) ([]workflows.SourceRevision, error) {
	revisions := []workflows.SourceRevision{}
	for _, r := range in.Change {
		if a, ok := p.Stages[0].Action(r.ActionName); ok && a.IsSource() {
			revisions = withRevision(revisions, r)
		}
	}
	for _, o := range in.Revisions {
		a, ok := p.Stages[0].Action(o.ActionName)
		switch {
		case !ok || !a.IsSource():
			return nil, invalid("sourceRevisions", "%s has no source action %q", p.Name, o.ActionName)
		case o.RevisionType != "COMMIT_ID":
			return nil, invalid("sourceRevisions", "the revision of %s must be of type COMMIT_ID, not %q", o.ActionName, o.RevisionType)
		case o.RevisionValue == "":
			return nil, invalid("sourceRevisions", "the revision of %s must not be empty", o.ActionName)
		}
		revisions = withRevision(revisions, workflows.SourceRevision{ActionName: o.ActionName, RevisionID: o.RevisionValue})
	}
	return revisions, nil
}
