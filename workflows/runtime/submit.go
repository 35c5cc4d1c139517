package runtime

import (
	"context"
	"errors"
	"strconv"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
)

// Submit carries an intent out: it finds the pipeline, checks the right,
// decides, and answers once the decision is durable. Executions may be named as
// people do ("webshop#42", the end of an ID). The error is a
// *workflows.Problem, whose ID is in the log and, for a known pipeline, in its
// record; or ctx's, and then the intent may still be carried out.
func (e *Engine) Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	if err := e.wait(ctx); err != nil {
		return event.Result{}, err
	}
	r, err := e.submit(ctx, in, by)
	if p, ok := asProblem(err); ok && p.ID == "" { // one that has no record has an ID all the same
		named := *p
		named.ID = strconv.FormatInt(e.o.Now().UnixNano(), 36)
		e.log.Info("refused", "id", named.ID, "pipeline", clean.Cut(in.Pipeline), "by", by.ID, "verb", in.Verb, "code", named.Code, "problem", named.Message)
		err = &named
	}
	return r, err
}

// Try says what Submit would answer now: nil when it would carry the intent out,
// else the refusal. Nothing happens and nothing is recorded. A surface asks it
// before it lets somebody fill in a form; what the form will hold must stand in
// the intent already, as a placeholder.
func (e *Engine) Try(ctx context.Context, in workflows.Intent, by workflows.Principal) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	a, release, err := e.request(ctx, in, by)
	if err == nil {
		defer release()
	}
	if err == nil && a.Refusal != nil {
		err = a.Refusal
	}
	if err != nil {
		return err
	}
	a.DryRun = true
	return e.decider.Submit(ctx, a).Err
}

func (e *Engine) submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	a, release, err := e.request(ctx, in, by)
	if err != nil {
		return event.Result{}, err
	}
	got := e.decider.Submit(ctx, a)
	if decided(got.Err) {
		release()
	}
	if got.Err != nil {
		return event.Result{}, got.Err
	}
	r, err := e.withExecution(ctx, got.Result)
	if err == nil && r.Request != nil && r.Request.State == workflows.RequestOpen {
		return e.answered(ctx, a.Intent, r)
	}
	return r, err
}

// request is what is to be decided about an intent: with the names in it
// found, and refused where the right is missing.
// The request is released once it is known what became of it.
func (e *Engine) request(ctx context.Context, in workflows.Intent, by workflows.Principal) (r decider.Request, release func(), err error) {
	if !by.IsEngine() { // only the engine speaks for files, for triggers and for the configuration
		in.ManagedBy, in.Trigger, in.Change, in.Freezes, in.AnyRevision, in.Version = "api", nil, nil, nil, false, 0
	}
	if by, err = e.now(ctx, by); err != nil {
		return r, nil, err
	}
	j := e.judge(by)
	if err := e.resolveNames(ctx, j, &in); err != nil {
		return r, nil, err
	}
	refusal, err := j.authorize(ctx, &in)
	release = func() {}
	if err == nil && refusal == nil {
		refusal, release, err = e.reserve(ctx, &in)
	}
	return decider.Request{Pipeline: in.Pipeline, By: by, Intent: &in, Refusal: refusal}, release, err
}

// withExecution fills in an execution that had left the state.
func (e *Engine) withExecution(ctx context.Context, r event.Result) (event.Result, error) {
	if r.Execution == nil {
		return r, nil
	}
	if r.Execution.Number == 0 {
		row, ok, err := e.o.History.Execution(ctx, r.Execution.ID)
		if err == nil && !ok && e.retention.Policy().Executions != 0 {
			return r, e.removed("what was asked for")
		}
		if err == nil && !ok {
			err = errors.New("an execution that ended has no row")
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return r, err
		}
		if err != nil {
			e.log.Error("what was decided cannot be read", "executionId", r.Execution.ID, "err", err)
			return r, workflows.Refuse(workflows.CodeUnavailable, "look how it stands before you ask again", "it is decided and written, but execution %s could not be read", r.Execution.ID)
		}
		r.Execution = &row
	}
	if r.Execution.Offers == nil {
		r.Execution.Offers = []workflows.Offer{}
	}
	return r, nil
}

// authorize asks whether somebody may do what an intent asks for, and leaves of
// the intent what was judged. The refusal is for the record; err is a look-up
// that failed.
func (j *judge) authorize(ctx context.Context, in *workflows.Intent) (refusal *workflows.Problem, err error) {
	q, err := j.about(ctx, *in)
	if err != nil {
		return nil, err
	}
	*in = q.Intent
	if q.AtGate {
		return nil, nil
	}
	a, err := j.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.Beyond != "" {
		in.AnyRevision = a.Beyond
	}
	return a.Refusal(), nil
}

// about asks about an intent as things stand now.
func (j *judge) about(ctx context.Context, in workflows.Intent) (access.Question, error) {
	x, view, err := j.subject(ctx, &in)
	return access.About(in, j.who, x, view, j.e.o.Now()), err
}

// subject finds the execution that an intent is about, where the question depends
// on it, and, for an unlock, the state of its pipeline: unlocking for one
// execution depends on both.
func (j *judge) subject(ctx context.Context, in *workflows.Intent) (x *workflows.Execution, view *workflows.PipelineView, err error) {
	e, id := j.e, in.Execution
	if !access.NeedsExecution(*in, j.who) {
		return nil, nil, nil
	}
	if id == "" && in.Gate != "" {
		g, _, err := j.gate(ctx, in.Gate)
		if err != nil {
			return nil, nil, err
		}
		id = g.Execution
	}
	if id == "" {
		return nil, nil, nil
	}
	if in.Verb == workflows.Unlock {
		err = e.read(ctx, in.Pipeline, func(s *machine.State) error {
			now := s.View()
			view, x = &now, inState(s, id)
			return nil
		})
	} else {
		x, err = e.toDecide(ctx, in.Pipeline, id)
	}
	if err != nil || x != nil {
		return x, view, err
	}
	row, ok, err := e.o.History.Execution(ctx, id)
	if err != nil {
		return nil, nil, e.unreadable(err, "execution "+id)
	}
	if ok {
		x = &row
	}
	return x, view, nil
}

// toDecide returns an execution that is going to be decided about, as committed:
// from where its pipeline has to be loaded for that, so that it is read once. nil:
// it has ended, or there is none.
func (e *Engine) toDecide(ctx context.Context, pipeline, id string) (x *workflows.Execution, err error) {
	var loaded *workflows.Execution // only to be read when Peek says so: it may run later
	if e.decider.Peek(ctx, pipeline, func(s *machine.State) { loaded = inState(s, id) }) {
		return loaded, nil
	}
	err = e.read(ctx, pipeline, func(s *machine.State) error {
		x = inState(s, id)
		return nil
	})
	return x, err
}

// inState returns an execution of a state; nil: it is not in there.
func inState(s *machine.State, id string) *workflows.Execution {
	if x, ok := s.Execution(id); ok {
		return &x
	}
	return nil
}
