package runtime

import (
	"context"
	"math"
	"slices"
	"sort"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// ringSize is how many of the newest frames are kept in memory for those who read along.
const ringSize = 1024

// feed is the log of all pipelines in commit order. The newest frames are in
// memory, the others are read from the store. Frames are never written again.
type feed struct {
	history History

	mu    sync.Mutex
	ring  []event.Frame // the newest, without a gap
	after uint64        // everything after this position is in ring; only when ring is not empty
	more  chan struct{} // closed, and replaced, when there is more
}

func newFeed(h History) *feed { return &feed{history: h, more: make(chan struct{})} }

// publish adds what was committed and wakes everybody who waits.
func (f *feed) publish(frames []event.Frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ring) == 0 {
		f.after = frames[0].Feed - 1
	}
	f.ring = append(f.ring, frames...)
	if over := len(f.ring) - ringSize; over > 0 {
		f.after = f.ring[over-1].Feed
		f.ring = slices.Clone(f.ring[over:])
	}
	close(f.more)
	f.more = make(chan struct{})
}

// forget empties the memory after a commit of unknown end, and has everybody look again.
func (f *feed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = nil
	close(f.more)
	f.more = make(chan struct{})
}

// read returns frames after a position, or, when there are none, a channel that
// is closed when there is more.
func (f *feed) read(ctx context.Context, after uint64, limit int) ([]event.Frame, <-chan struct{}, error) {
	f.mu.Lock()
	more := f.more
	if len(f.ring) > 0 && after >= f.after {
		i := sort.Search(len(f.ring), func(i int) bool { return f.ring[i].Feed > after })
		frames := f.ring[i:min(len(f.ring), i+limit)]
		f.mu.Unlock()
		return slices.Clip(frames), more, nil
	}
	f.mu.Unlock()
	frames, err := f.history.Feed(ctx, after, limit)
	return frames, more, err
}

// newest is the position of the newest frame, when it is in memory.
func (f *feed) newest() (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ring) == 0 {
		return 0, false
	}
	return f.ring[len(f.ring)-1].Feed, true
}

// head returns the position of the newest frame, found by halving: the store
// only reads forward.
func (f *feed) head(ctx context.Context) (uint64, error) {
	low, high := uint64(0), uint64(1)
	isPast := func(at uint64) (bool, error) {
		frames, err := f.history.Feed(ctx, at, 1)
		return len(frames) == 0, err
	}
	for high < math.MaxInt64 {
		past, err := isPast(high)
		if err != nil {
			return 0, err
		}
		if past {
			break
		}
		low, high = high, high*2
	}
	if past, err := isPast(0); err != nil || past {
		return 0, err
	}
	for high-low > 1 { // something follows low, nothing follows high
		middle := low + (high-low)/2
		past, err := isPast(middle)
		if err != nil {
			return 0, err
		}
		if past {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

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
		frames, more, err := e.feed.read(ctx, after, limit)
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
			return nil, stopped()
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
	if newest, ok := e.feed.newest(); ok {
		return newest, nil
	}
	at, err := e.feed.head(ctx)
	if err != nil {
		return 0, e.unreadable(err, "the feed")
	}
	return at, nil
}

// filter leaves out what somebody may not see.
func (j *judge) filter(ctx context.Context, frames []event.Frame) ([]event.Frame, error) {
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
