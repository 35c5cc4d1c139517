package machine

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// live refuses what an archived pipeline no longer does.
func (d *decision) live() error {
	if d.s.Archived {
		return refuse(workflows.CodePipelineNotFound, "define it again first", "%s is archived", d.s.Name)
	}
	return nil
}

// startable says why no execution can start, if it cannot.
func (d *decision) startable(in *workflows.Intent) error {
	if err := d.live(); err != nil {
		return err
	}
	if err := d.room(); err != nil {
		return err
	}
	_, err := d.variables(d.s.definition(), in.Variables)
	return err
}

// start begins a new execution at the first stage.
func (d *decision) start(in *workflows.Intent) error {
	if err := d.startable(in); err != nil {
		return err
	}
	d.wake()
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

// room refuses one more execution where a pipeline in QUEUED or PARALLEL mode
// has as many as it may (engine.md 4). A rollback always has room.
func (d *decision) room() error {
	const most = 50
	if p := d.s.definition(); p.ExecutionMode == workflows.ModeSuperseded || len(d.s.Executions) < most {
		return nil
	}
	return refuse(workflows.CodeConcurrencyLimit, "wait until some have ended, or stop what is no longer wanted",
		"%s has %d unfinished executions, the most that are possible in %s mode", d.s.Name, len(d.s.Executions), d.s.definition().ExecutionMode)
}

// begin lays out a new execution of these stages; nothing has happened yet.
func (d *decision) begin(kind workflows.ExecutionType, version int, stages []workflows.Stage) workflows.Execution {
	e := workflows.Execution{
		ID: d.id(), Number: d.s.Count + 1, Pipeline: d.s.Name, Version: version, Mode: d.s.definition().ExecutionMode,
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
				problem.Hint = "it has " + words.List(declared, "and")
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
			revisions = workflows.WithRevision(revisions, r)
		}
	}
	for _, o := range in.Revisions {
		a, ok := p.Stages[0].Action(o.ActionName)
		if !ok || !a.IsSource() {
			return nil, invalid("sourceRevisions", "%s has no source action %q", p.Name, o.ActionName)
		}
		if err := overridable(a, o); err != nil {
			return nil, err
		}
		r := workflows.SourceRevision{ActionName: o.ActionName, RevisionID: o.RevisionValue, AnyBranch: in.AnyRevision}
		if o.RevisionType != "COMMIT_ID" {
			r.Type = o.RevisionType
		}
		revisions = workflows.WithRevision(revisions, r)
	}
	return revisions, nil
}

// overridable judges the revision that was asked for instead of the newest
// (engine.md 2.5): each provider has its own kinds.
func overridable(a *workflows.Action, o workflows.RevisionOverride) error {
	kinds := map[string][]string{"S3": {"S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"}, "ECR": {"IMAGE_DIGEST"}}[a.ActionType.Provider]
	if kinds == nil {
		kinds = []string{"COMMIT_ID"}
	}
	switch {
	case !slices.Contains(kinds, o.RevisionType):
		return invalid("sourceRevisions", "the revision of %s must be of type %s, not %q", o.ActionName, words.List(kinds, "or"), o.RevisionType)
	case o.RevisionValue == "":
		return invalid("sourceRevisions", "the revision of %s must not be empty", o.ActionName)
	case o.RevisionType == "S3_OBJECT_KEY" && !strings.EqualFold(a.Configuration["AllowOverrideForS3ObjectKey"], "true"):
		return invalid("sourceRevisions", "%s does not let its object key be chosen: AllowOverrideForS3ObjectKey is not true", o.ActionName)
	}
	return nil
}
