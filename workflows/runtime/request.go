package runtime

import (
	"context"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// answerWithin is how long whoever asks AWS for something waits for what it
// answers; later they hear that it was asked.
const answerWithin = 5 * time.Second

// answered is a result with what AWS said to the request in it, if that comes
// soon: its refusal, or the execution that a start or a rollback made.
func (e *Engine) answered(ctx context.Context, in *workflows.Intent, r event.Result) (event.Result, error) {
	if in.Verb == workflows.Start || in.Verb == workflows.RollBack {
		r.Execution = nil // it is AWS that makes it
	}
	soon, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	made, frames := "", e.newest(soon, r.Pipeline)
	for len(frames) > 0 {
		for i := range frames {
			if frames[i].Pipeline == r.Pipeline {
				made = closing(&r, &frames[i], made)
			}
		}
		if done, err := e.finished(ctx, in, &r, made); done || err != nil {
			return r, err
		}
		var err error
		if frames, err = e.Feed(soon, workflows.EnginePrincipal(), frames[len(frames)-1].Feed, 0); err != nil {
			break // nothing more comes in time
		}
	}
	return r, nil // it stays asked for
}

// newest are the last frames of a pipeline, the one of a request that was just
// opened among them; none where they cannot be read.
func (e *Engine) newest(ctx context.Context, pipeline string) []event.Frame {
	last, _ := e.decider.Last(pipeline)
	frames, err := e.o.History.Frames(ctx, pipeline, last-min(last, framesAtOnce), framesAtOnce)
	if err != nil {
		return nil
	}
	return frames
}

// closing takes from a frame how the request was closed, and AWS's ID of what it made.
func closing(r *event.Result, f *event.Frame, made string) string {
	for i := range f.Events {
		ev := &f.Events[i]
		if ev.Kind != event.RequestClosed || ev.Request == nil || ev.Request.ID != r.Request.ID {
			continue
		}
		r.Request = &ev.Request.Request
		if ev.Outcome != nil {
			made = ev.Outcome.ExternalID
		}
	}
	return made
}

// finished says whether there is nothing more to wait for. What AWS has refused
// is an error in its words.
func (e *Engine) finished(ctx context.Context, in *workflows.Intent, r *event.Result, made string) (bool, error) {
	switch {
	case r.Request.State == workflows.RequestOpen:
		return false, nil
	case r.Request.State == workflows.RequestRefused:
		return true, refusedByAWS(r.Request)
	case in.Verb == workflows.Start || in.Verb == workflows.RollBack:
		x, err := e.madeInAWS(ctx, r.Pipeline, made)
		if err == nil && x != nil {
			r.Execution = x
			*r, err = e.withExecution(ctx, *r)
		}
		return x != nil, err
	case in.Verb == workflows.Lock || in.Verb == workflows.Unlock:
		view, err := e.Pipeline(ctx, workflows.EnginePrincipal(), r.Pipeline, 0)
		if s, ok := view.Stage(in.Stage); ok && err == nil {
			r.Transition = &s.Transition
		}
		return true, err
	case r.Execution != nil:
		x, ok, err := e.current(ctx, r.Pipeline, r.Execution.ID, true)
		if ok && err == nil {
			r.Execution = &x
		}
		return true, err
	}
	return true, nil
}

// madeInAWS is the execution with an ID of AWS's; nil: nobody has seen it yet.
func (e *Engine) madeInAWS(ctx context.Context, pipeline, external string) (*workflows.Execution, error) {
	if external == "" {
		return nil, nil
	}
	ids, err := e.o.History.Resolve(ctx, external)
	if err != nil {
		return nil, e.unreadable(err, "execution "+external)
	}
	for _, id := range ids {
		x, ok, err := e.current(ctx, pipeline, id, false)
		if err != nil {
			return nil, err
		}
		if ok && x.Pipeline == pipeline && x.ExternalID == external {
			return &x, nil
		}
	}
	return nil, nil
}

// refusedByAWS is a refusal of AWS's, with its own code.
func refusedByAWS(r *workflows.Request) *workflows.Problem {
	p := &workflows.Problem{Code: workflows.CodeConflict, Message: "AWS refused to " + (&say.Format{}).RequestVerb(r), Hint: "look how it stands in AWS, and ask again", ID: r.ID}
	if r.Error != nil {
		p.Code, p.Message = r.Error.Code, p.Message+": "+r.Error.Message
	}
	if p.Code == workflows.CodeAccessDenied {
		p.Hint = "add what is missing to the role of the bridge: `rollcall iam-policy --bridge NAME` prints it"
	}
	return p
}
