package runtime

import (
	"context"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
)

// framesAtOnce is how many frames are returned in one go.
const framesAtOnce = 256

// Feed returns frames after a feed position that the viewer may see, in commit
// order; it blocks until there is one, or ctx ends. The Feed of the last frame
// is the position to go on from; 0 is the beginning. Refused intents are only
// shown to those with the right audit.
func (e *Engine) Feed(ctx context.Context, viewer workflows.Principal, after uint64, limit int) ([]event.Frame, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	if limit <= 0 || limit > framesAtOnce {
		limit = framesAtOnce
	}
	for {
		frames, more, err := e.feed.Read(ctx, after, limit)
		if err != nil {
			return nil, e.unreadable(err, "the feed")
		}
		seen, err := e.judge(viewer).filter(ctx, frames)
		if err != nil || len(seen) > 0 {
			return seen, err
		}
		if len(frames) > 0 {
			after = frames[len(frames)-1].Feed
			continue
		}
		select {
		case <-more:
		case <-e.stopping:
			return nil, decider.Stopped()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Head returns the feed position of the newest frame: Feed after it waits for what is yet to come.
func (e *Engine) Head(ctx context.Context) (uint64, error) {
	if err := e.wait(ctx); err != nil {
		return 0, err
	}
	if newest, ok := e.feed.Newest(); ok {
		return newest, nil
	}
	at, err := e.feed.Head(ctx)
	if err != nil {
		return 0, e.unreadable(err, "the feed")
	}
	return at, nil
}

// filter leaves out what somebody may not see.
func (j *judge) filter(ctx context.Context, frames []event.Frame) ([]event.Frame, error) {
	if j.who.IsEngine() { // sees everything
		return frames, nil
	}
	if j.who.IsEngine() {
		return frames, nil // nothing is kept from it
	}
	var seen []event.Frame
	for _, f := range frames {
		view, err := j.may(ctx, workflows.View, access.Resource{Pipeline: f.Pipeline})
		if err != nil {
			return nil, err
		}
		if !view.Allowed {
			continue
		}
		if slices.ContainsFunc(f.Events, isRefusal) {
			audit, err := j.may(ctx, workflows.Audit, access.Resource{Pipeline: f.Pipeline})
			if err != nil {
				return nil, err
			}
			if !audit.Allowed {
				f.Events = slices.DeleteFunc(slices.Clone(f.Events), isRefusal)
			}
		}
		if len(f.Events) > 0 {
			seen = append(seen, f)
		}
	}
	return seen, nil
}

func isRefusal(e event.Event) bool { return e.Kind == event.IntentRefused }
