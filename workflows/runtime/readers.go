package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
)

// Execution returns an execution as committed, with what the viewer may do with
// it now. ref is its ID, "webshop#42", or the end of its ID, at least 6
// characters. Who may not see the pipeline hears that there is none.
func (e *Engine) Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error) {
	j := e.judge(viewer)
	x, err := e.find(ctx, j, ref)
	if err == nil {
		x.Offers, err = j.permitted(ctx, x.Pipeline, &x, x.Offers)
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
		return x, e.explainMissing(ctx, j, "", ref, err)
	}
	if verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: pipeline}); err != nil {
		return x, err
	} else if !verdict.Allowed {
		return x, noExecution(ref)
	}
	x, ok, err := e.current(ctx, pipeline, id, true)
	if err == nil && !ok {
		err = e.explainMissing(ctx, j, pipeline, ref, noExecution(ref))
	}
	return x, err
}

// publishedWithin is how long a commit that is in the store already takes, at most, until readers see it.
const publishedWithin = 5 * time.Second

// current returns an execution as of the last commit, with its offers if they
// are wanted: from the state while it is in there, else its row. It may move from one to the other,
// in either direction, between two looks, and the store has a row a moment before
// readers have the state of its commit; then it is looked at again once there is a newer state.
func (e *Engine) current(ctx context.Context, pipeline, id string, offers bool) (x workflows.Execution, ok bool, err error) {
	var limit <-chan time.Time
	for {
		more := e.feed.More() // before the look: what is committed after it is not missed
		err = e.read(ctx, pipeline, func(s *machine.State) error {
			if x, ok = s.Execution(id); ok && offers {
				x.Offers = s.Offers(id, machine.Facts{})
			}
			return nil
		})
		if err != nil || ok {
			return x, ok, err
		}
		x, ok, err = e.o.History.Execution(ctx, id)
		switch {
		case err != nil:
			return x, false, e.unreadable(err, "execution "+id)
		case !ok || x.Status.Final() && !offers:
			return x, ok, nil
		case x.Status.Final():
			if still, err := e.offerEnded(ctx, &x); err != nil || still {
				return x, true, err
			}
			continue // it has been taken up again, and is in the state
		case limit == nil:
			limit = time.After(publishedWithin)
		}
		if err := e.newer(ctx, id, more, limit); err != nil {
			return x, false, err
		}
	}
}

// newer waits, for somebody who looks at an execution, until readers see what was
// committed after more was taken; at most until limit.
func (e *Engine) newer(ctx context.Context, id string, more <-chan struct{}, limit <-chan time.Time) error {
	select {
	case <-more:
		return nil
	case <-limit:
		return e.unreadable(errors.New("its row and its state do not agree"), "execution "+id)
	case <-e.stopping:
		return decider.Stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
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
	err = e.read(ctx, x.Pipeline, func(s *machine.State) error {
		if _, back := s.Execution(x.ID); !back {
			still, x.Offers = true, s.Offers(x.ID, facts)
		}
		return nil
	})
	return still, err
}

// permitted returns the offers that the principal may take up: by the question
// that Submit asks. x is the execution they are about; nil: a pipeline's stages.
// What cannot be checked now is not offered; everything else is shown all the same.
func (j *judge) permitted(ctx context.Context, pipeline string, x *workflows.Execution, all []workflows.Offer) ([]workflows.Offer, error) {
	kept := []workflows.Offer{}
	for _, o := range all {
		a, err := j.mayTake(ctx, pipeline, x, o)
		if _, unchecked := asProblem(err); err != nil && !unchecked {
			return nil, err
		}
		if err == nil && a.Allowed && !a.Frozen {
			kept = append(kept, o)
		}
	}
	return kept, ctx.Err()
}

// mayTake asks whether somebody may take up an offer.
func (j *judge) mayTake(ctx context.Context, pipeline string, x *workflows.Execution, o workflows.Offer) (access.Answer, error) {
	in := workflows.Intent{Verb: o.Verb, Pipeline: pipeline, Stage: o.Stage, Action: o.Action}
	if o.Verb == workflows.Unlock && o.Target != "" {
		in.Execution = o.Target
		q, err := j.about(ctx, in)
		if err != nil {
			return access.Answer{}, err
		}
		return j.ask(ctx, q)
	}
	if x != nil {
		in.Execution = x.ID
	}
	return j.ask(ctx, access.About(in, j.who, x, nil, j.e.o.Now()))
}

// Executions lists executions of a pipeline as committed, newest first, without
// offers. No limit means 20; more than 100 are never returned.
func (e *Engine) Executions(ctx context.Context, viewer workflows.Principal, q record.Query) ([]workflows.Execution, error) {
	if _, err := e.checkViewer(ctx, viewer, q.Pipeline); err != nil {
		return nil, err
	}
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit = min(q.Limit, 100)
	live := map[string]workflows.Execution{}
	var unfinished []workflows.Execution
	err := e.read(ctx, q.Pipeline, func(s *machine.State) error {
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

// checkViewer checks that there is a pipeline of that name and that the viewer may see it.
func (e *Engine) checkViewer(ctx context.Context, viewer workflows.Principal, pipeline string) (*judge, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	j := e.judge(viewer)
	if _, known := e.decider.Last(pipeline); !known {
		return nil, e.noPipeline(ctx, j, pipeline)
	}
	return j, e.checkVisible(ctx, j, pipeline, "")
}

// Pipeline returns a pipeline as it stands, with what the viewer may do at its
// stages. Version 0 is the definition in force; another one only changes the
// Definition and Version that are returned.
func (e *Engine) Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	j, err := e.checkViewer(ctx, viewer, name)
	if err != nil {
		return workflows.PipelineView{}, err
	}
	view, err := e.view(ctx, j, name, e.read)
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

// view reads a pipeline in one of two ways: read or scan.
func (e *Engine) view(ctx context.Context, j *judge, name string, read func(context.Context, string, func(*machine.State) error) error) (view workflows.PipelineView, err error) {
	err = read(ctx, name, func(s *machine.State) error {
		view = s.View()
		e.addLook(&view)
		return nil
	})
	for i := range view.Stages {
		if err == nil {
			view.Stages[i].Offers, err = j.permitted(ctx, name, nil, view.Stages[i].Offers)
		}
	}
	return view, err
}

// Names returns the names of the pipelines that the viewer may see, in order,
// archived ones too. No state is read for it.
func (e *Engine) Names(ctx context.Context, viewer workflows.Principal) ([]string, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	return e.visible(ctx, e.judge(viewer))
}

func (e *Engine) visible(ctx context.Context, j *judge) ([]string, error) {
	names := []string{}
	for _, name := range e.decider.Pipelines() {
		verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: name})
		if err != nil {
			return nil, err
		}
		if verdict.Allowed {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// Pipelines returns every pipeline that the viewer may see, by name; archived ones are left out.
func (e *Engine) Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	j := e.judge(viewer)
	names, err := e.visible(ctx, j)
	if err != nil {
		return nil, err
	}
	views := []workflows.PipelineView{}
	for _, name := range names {
		view, err := e.view(ctx, j, name, e.scan)
		if err != nil {
			return nil, err
		}
		if !view.Archived {
			views = append(views, view)
		}
	}
	return views, nil
}
