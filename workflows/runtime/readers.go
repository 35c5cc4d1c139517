package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// Execution returns an execution as committed, with what the viewer may do with
// it now. ref is its ID, "webshop#42", or the end of its ID, at least 6
// characters. Who may not see the pipeline hears that there is none.
func (e *Engine) Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error) {
	j := e.judge(viewer)
	x, err := e.find(ctx, j, ref)
	if err == nil {
		x.Offers, err = j.keep(ctx, x.Pipeline, &x, x.Offers)
	}
	return x, err
}

// find returns an execution that the viewer may see, with what somebody who may
// everything could do with it.
func (e *Engine) find(ctx context.Context, j *judge, ref string) (x workflows.Execution, err error) {
	if err := e.wait(ctx); err != nil {
		return x, err
	}
	pipeline, id, err := e.resolve(ctx, "", ref)
	if err != nil {
		return x, err
	}
	if verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: pipeline}); err != nil {
		return x, err
	} else if !verdict.Allowed {
		return x, noExecution(ref)
	}
	x, ok, err := e.current(ctx, pipeline, id)
	if err == nil && !ok {
		err = noExecution(ref)
	}
	return x, err
}

// current returns an execution as of the last commit, with its offers: from the
// state while it is in there, else its row. It may move from one to the other,
// in either direction, between two looks; then it is looked at again.
func (e *Engine) current(ctx context.Context, pipeline, id string) (x workflows.Execution, ok bool, err error) {
	for range 8 {
		err = e.replicas.look(ctx, pipeline, func(s *machine.State) error {
			if x, ok = s.Execution(id); ok {
				x.Offers = s.Offers(id, machine.Facts{})
			}
			return nil
		})
		if err != nil || ok {
			return x, ok, err
		}
		x, ok, err = e.o.History.Execution(ctx, id)
		if err != nil {
			return x, false, e.unreadable(err, "execution "+id)
		}
		if !ok {
			return x, false, nil
		}
		if !x.Status.Final() {
			continue
		}
		if still, err := e.offerEnded(ctx, &x); err != nil || still {
			return x, true, err
		}
	}
	return x, false, e.unreadable(errors.New("its row and its state do not agree"), "execution "+id)
}

// offerEnded fills in what can be done with an execution that has ended; false: it has been taken up again.
func (e *Engine) offerEnded(ctx context.Context, x *workflows.Execution) (still bool, err error) {
	facts := machine.Facts{Executions: map[string]*workflows.Execution{x.ID: x}}
	p, err := e.definition(ctx, x.Pipeline, x.Version)
	if err != nil {
		return false, e.unreadable(err, fmt.Sprintf("version %d of %s", x.Version, x.Pipeline))
	}
	if p != nil {
		facts.Versions = map[int]*workflows.Pipeline{x.Version: p}
	}
	err = e.replicas.look(ctx, x.Pipeline, func(s *machine.State) error {
		if _, back := s.Execution(x.ID); !back {
			still, x.Offers = true, s.Offers(x.ID, facts)
		}
		return nil
	})
	return still, err
}

// keep returns the offers that the principal has the right to take up. x is the
// execution they are about; nil: a pipeline's stages.
func (j *judge) keep(ctx context.Context, pipeline string, x *workflows.Execution, all []workflows.Offer) ([]workflows.Offer, error) {
	kept := []workflows.Offer{}
	for _, o := range all {
		allowed, err := j.mayTake(ctx, pipeline, x, o)
		if err != nil {
			return nil, err
		}
		if allowed {
			kept = append(kept, o)
		}
	}
	return kept, nil
}

func (j *judge) mayTake(ctx context.Context, pipeline string, x *workflows.Execution, o workflows.Offer) (bool, error) {
	if x != nil && o.Verb.Right() == workflows.Approve {
		if gate := gateOf(x, o); gate != nil && len(gate.From) > 0 {
			return j.isOneOf(ctx, gate.From)
		}
	}
	stage := o.Stage
	if x != nil && stage == "" && o.Verb != workflows.Start {
		stage = present(*x)
	}
	verdict, err := j.may(ctx, o.Verb, access.Resource{Pipeline: pipeline, Stage: stage})
	return verdict.Allowed, err
}

func gateOf(x *workflows.Execution, o workflows.Offer) *workflows.Approval {
	st, ok := x.Stage(o.Stage)
	if !ok {
		return nil
	}
	a, ok := st.Action(o.Action)
	if !ok {
		return nil
	}
	return a.Approval
}

// isOneOf says whether any of the who-expressions means the principal. The
// engine sees everything, so that it can draw for others.
func (j *judge) isOneOf(ctx context.Context, from []string) (bool, error) {
	if j.who.IsEngine() {
		return true, nil
	}
	member, err := j.e.memberships(ctx, j.who, j.e.groupsOf(from))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(from, func(who string) bool { return j.e.o.Policy.Matches(j.who, who, member) }), nil
}

// Executions lists executions of a pipeline as committed, newest first, without
// offers. No limit means 20; more than 100 are never returned.
func (e *Engine) Executions(ctx context.Context, viewer workflows.Principal, q workflows.ExecutionQuery) ([]workflows.Execution, error) {
	if _, err := e.seen(ctx, viewer, q.Pipeline); err != nil {
		return nil, err
	}
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit = min(q.Limit, 100)
	live := map[string]workflows.Execution{}
	var unfinished []workflows.Execution
	err := e.replicas.look(ctx, q.Pipeline, func(s *machine.State) error {
		unfinished = s.Unfinished()
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, x := range unfinished {
		live[x.ID] = x
	}
	var rows []workflows.Execution
	if q.Status == "" || q.Status.Final() || q.SucceededInStage != "" {
		if rows, err = e.o.History.Executions(ctx, q); err != nil {
			return nil, e.unreadable(err, "the executions of "+q.Pipeline)
		}
	} else {
		slices.Reverse(unfinished) // what has not ended is in the state, and only there as it is now
		rows = unfinished
	}
	found := []workflows.Execution{}
	for _, x := range rows {
		if now, ok := live[x.ID]; ok {
			x = now
		}
		if len(found) == q.Limit || q.Before > 0 && x.Number >= q.Before || q.Status != "" && x.Status != q.Status {
			continue
		}
		x.Offers = []workflows.Offer{}
		found = append(found, x)
	}
	return found, nil
}

// seen checks that there is a pipeline of that name and that the viewer may see it.
func (e *Engine) seen(ctx context.Context, viewer workflows.Principal, pipeline string) (*judge, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	j := e.judge(viewer)
	if _, known := e.known.seq(pipeline); !known {
		return nil, e.noPipeline(ctx, j, pipeline)
	}
	return j, e.visible(ctx, j, pipeline, "")
}

// Pipeline returns a pipeline as it stands, with what the viewer may do at its
// stages. Version 0 is the definition in force; another one only changes the
// Definition and Version that are returned.
func (e *Engine) Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	j, err := e.seen(ctx, viewer, name)
	if err != nil {
		return workflows.PipelineView{}, err
	}
	view, err := e.view(ctx, j, name)
	if err != nil || version == 0 || version == view.Version {
		return view, err
	}
	p, err := e.definition(ctx, name, version)
	if err != nil {
		return view, e.unreadable(err, fmt.Sprintf("version %d of %s", version, name))
	}
	if p == nil {
		return view, &workflows.Problem{Code: workflows.CodeVersionNotFound, Field: "version", Message: fmt.Sprintf("%s has no version %d", name, version), Hint: fmt.Sprintf("the newest one is %d", view.Version)}
	}
	view.Definition, view.Version = p, version
	return view, nil
}

func (e *Engine) view(ctx context.Context, j *judge, name string) (view workflows.PipelineView, err error) {
	err = e.replicas.look(ctx, name, func(s *machine.State) error {
		view = s.View()
		return nil
	})
	for i := range view.Stages {
		if err == nil {
			view.Stages[i].Offers, err = j.keep(ctx, name, nil, view.Stages[i].Offers)
		}
	}
	return view, err
}

// Pipelines returns every pipeline that the viewer may see, by name; archived ones are left out.
func (e *Engine) Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	j := e.judge(viewer)
	names := e.known.names()
	sort.Strings(names)
	views := []workflows.PipelineView{}
	for _, name := range names {
		verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: name})
		if err != nil {
			return nil, err
		}
		if !verdict.Allowed {
			continue
		}
		view, err := e.view(ctx, j, name)
		if err != nil {
			return nil, err
		}
		if !view.Archived {
			views = append(views, view)
		}
	}
	return views, nil
}

// Targets returns the executions that a stage could be rolled back to, and why
// not where it could not, newest first.
func (e *Engine) Targets(ctx context.Context, viewer workflows.Principal, pipeline, stage string) ([]workflows.Target, error) {
	if _, err := e.seen(ctx, viewer, pipeline); err != nil {
		return nil, err
	}
	rows, err := e.o.History.Executions(ctx, workflows.ExecutionQuery{Pipeline: pipeline, SucceededInStage: stage, Limit: 20})
	if err != nil {
		return nil, e.unreadable(err, "what succeeded in "+stage)
	}
	var targets []workflows.Target
	err = e.replicas.look(ctx, pipeline, func(s *machine.State) error {
		if view := s.View(); !hasStage(view, stage) {
			return &workflows.Problem{Code: workflows.CodeStageNotFound, Message: fmt.Sprintf("%s has no stage %q", pipeline, cut(stage)), Hint: nearestStage(view, stage)}
		}
		for i := range rows {
			if x, ok := s.Execution(rows[i].ID); ok {
				rows[i] = x
			}
		}
		targets = s.Targets(stage, rows)
		return nil
	})
	if targets == nil {
		targets = []workflows.Target{}
	}
	return targets, err
}

func hasStage(view workflows.PipelineView, stage string) bool {
	_, ok := view.Stage(stage)
	return ok
}

func nearestStage(view workflows.PipelineView, stage string) string {
	var names []string
	for _, s := range view.Stages {
		names = append(names, s.Name)
	}
	if near, ok := workflows.Nearest(stage, names); ok {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "see the stages of the pipeline"
}

// Approvals returns every open gate that the viewer may see, the one that has waited longest first.
func (e *Engine) Approvals(ctx context.Context, viewer workflows.Principal) ([]workflows.OpenApproval, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	memos, err := e.o.Memos.List(ctx, owner, openGatePrefix)
	if err != nil {
		return nil, e.unreadable(err, "the open approvals")
	}
	j := e.judge(viewer)
	open := []workflows.OpenApproval{}
	for _, m := range memos {
		var g gateNote
		if err := json.Unmarshal(m.Value, &g); err != nil {
			return nil, e.unreadable(fmt.Errorf("read %s: %w", m.Key, err), "the open approvals")
		}
		verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: g.Pipeline})
		if err != nil {
			return nil, err
		}
		if !verdict.Allowed {
			continue
		}
		var x workflows.Execution
		err = e.replicas.look(ctx, g.Pipeline, func(s *machine.State) error {
			x, _ = s.Execution(g.Execution) // an ended one has no open gate
			return nil
		})
		if err != nil {
			return nil, err
		}
		if gate := gateOf(&x, workflows.Offer{Stage: g.Stage, Action: g.Action}); gate != nil && gate.Closed == "" {
			open = append(open, workflows.OpenApproval{
				Pipeline: g.Pipeline, Execution: x.ID, Number: x.Number, Stage: g.Stage, Action: g.Action,
				Approval: *gate, SourceRevisions: x.SourceRevisions, StartedBy: x.Trigger,
			})
		}
	}
	sort.SliceStable(open, func(i, k int) bool { return open[i].Approval.OpenedAt.Before(open[k].Approval.OpenedAt) })
	return open, nil
}
