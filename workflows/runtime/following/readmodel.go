package following

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

const (
	modelsKept   = 512              // at most
	modelIdle    = 15 * time.Second // unread, before a read model goes
	framesAtOnce = 256              // read from the store in one go
)

// ErrPanicked says that reading a pipeline's state panicked.
var ErrPanicked = errors.New("reading the state panicked")

// ReadModels are states for readers: folded from committed frames only, each
// behind its own lock, so that no reader ever waits for a decision. They are
// made when somebody reads, follow the log while somebody does, by the frames
// that the feed has in memory where it has them, and then go.
type ReadModels struct {
	o    Options
	feed *Feed

	mu    sync.Mutex
	all   map[string]*list.Element // of order
	order *list.List               // of *readModel, the one read longest ago first
}

type readModel struct {
	pipeline string

	mu    sync.Mutex
	state *machine.State // nil: not folded yet
	seq   uint64         // of the last frame in it
	used  time.Time      // guarded by ReadModels.mu
}

// NewReadModels returns read models of every pipeline; none is loaded before it is read.
func NewReadModels(o Options, feed *Feed) *ReadModels {
	return &ReadModels{o: o, feed: feed, all: map[string]*list.Element{}, order: list.New()}
}

// Read calls f with a pipeline's committed state, at least as new as any commit
// that was answered before, and returns what f does. f must not keep the state.
// Other errors say that the state could not be read; one wraps [ErrPanicked].
func (r *ReadModels) Read(ctx context.Context, pipeline string, f func(s *machine.State) error) error {
	return r.read(ctx, r.model(pipeline), f)
}

// Scan is Read for those who read many pipelines in a row: a state that nobody
// else reads is not kept.
func (r *ReadModels) Scan(ctx context.Context, pipeline string, f func(s *machine.State) error) error {
	r.mu.Lock()
	known := r.all[pipeline]
	r.mu.Unlock()
	if known != nil {
		return r.read(ctx, known.Value.(*readModel), f)
	}
	return r.read(ctx, &readModel{pipeline: pipeline}, f)
}

func (r *ReadModels) read(ctx context.Context, one *readModel, f func(s *machine.State) error) (err error) {
	one.mu.Lock()
	defer one.mu.Unlock()
	defer func() {
		if fault := recover(); fault != nil {
			one.state = nil
			r.o.Logger.Error("reading a pipeline panicked", "pipeline", one.pipeline, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("read %s: %w", one.pipeline, ErrPanicked)
		}
	}()
	if err := r.update(ctx, one); err != nil {
		one.state = nil
		return err
	}
	return f(one.state)
}

// update brings a read model up to the last commit. one.mu is locked.
func (r *ReadModels) update(ctx context.Context, one *readModel) (err error) {
	last, _ := r.o.States.Last(one.pipeline)
	if one.state == nil {
		if one.state, one.seq, err = r.o.States.Fold(ctx, one.pipeline); err != nil {
			return err
		}
	}
	for one.seq < last {
		frames, err := r.after(ctx, one, last)
		if err != nil {
			return err
		}
		if len(frames) == 0 {
			return fmt.Errorf("the log of %s ends at %d, and not at %d as it did", one.pipeline, one.seq, last)
		}
		for _, f := range frames {
			for _, ev := range f.Events {
				one.state.Evolve(ev)
			}
			one.seq = f.Seq
		}
		one.state.Departed()
	}
	return nil
}

// after returns the next frames of a read model's pipeline: from memory when all
// up to last are there.
func (r *ReadModels) after(ctx context.Context, one *readModel, last uint64) ([]event.Frame, error) {
	if frames := r.feed.of(one.pipeline, one.seq, last); frames != nil {
		return frames, nil
	}
	return r.o.Log.Frames(ctx, one.pipeline, one.seq, framesAtOnce)
}

// model returns the read model of a pipeline, a new one in place of the one that
// was read longest ago when there are too many.
func (r *ReadModels) model(pipeline string) *readModel {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	at := r.all[pipeline]
	if at == nil {
		if r.order.Len() == 0 {
			r.sweepAt(now.Add(modelIdle))
		}
		if r.order.Len() >= modelsKept {
			r.drop(r.order.Front())
		}
		at = r.order.PushBack(&readModel{pipeline: pipeline})
		r.all[pipeline] = at
	}
	r.order.MoveToBack(at)
	one := at.Value.(*readModel)
	one.used = now
	return one
}

// drop forgets a read model. r.mu is locked.
func (r *ReadModels) drop(at *list.Element) {
	delete(r.all, at.Value.(*readModel).pipeline)
	r.order.Remove(at)
}

func (r *ReadModels) sweepAt(at time.Time) { r.o.Timers.Set("read models", at, r.sweep) }

// sweep drops what nobody has read for a while. Nothing wakes it when nothing is loaded.
func (r *ReadModels) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	for at := r.order.Front(); at != nil; at = r.order.Front() {
		if goes := at.Value.(*readModel).used.Add(modelIdle); goes.After(now) {
			r.sweepAt(goes)
			return
		}
		r.drop(at)
	}
}
