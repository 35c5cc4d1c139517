package runtime

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/machine"
)

const (
	replicasKept = 256         // as long as nobody has looked at more pipelines lately
	replicaIdle  = time.Minute // unread, before a replica goes
	framesAtOnce = 256         // read from the store in one go
)

// replicas are states for readers: folded from committed frames only, each
// behind its own lock, so that no reader ever waits for a decision. They are
// made when somebody looks, follow the log while somebody does, and then go.
type replicas struct {
	e *Engine

	mu  sync.Mutex
	all map[string]*replica
}

type replica struct {
	mu    sync.Mutex
	state *machine.State // nil: not folded yet
	seq   uint64
	used  time.Time // guarded by replicas.mu
}

func newReplicas(e *Engine) *replicas { return &replicas{e: e, all: map[string]*replica{}} }

// look calls f with a pipeline's committed state, at least as new as any commit
// that was answered before. f must not keep the state.
func (r *replicas) look(ctx context.Context, pipeline string, f func(s *machine.State) error) (err error) {
	one := r.get(pipeline)
	one.mu.Lock()
	defer one.mu.Unlock()
	defer func() {
		if fault := recover(); fault != nil {
			one.state = nil
			r.e.log.Error("reading a pipeline panicked", "pipeline", pipeline, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = broken(pipeline)
		}
	}()
	if err := r.renew(ctx, pipeline, one); err != nil {
		one.state = nil
		return r.e.unreadable(err, "the pipeline "+pipeline)
	}
	return f(one.state)
}

// renew brings a replica up to the last commit. Its lock is held.
func (r *replicas) renew(ctx context.Context, pipeline string, one *replica) error {
	last, _ := r.e.known.seq(pipeline)
	if one.state == nil {
		state, checkpoint, frames, err := fold(r.e.o.Store, pipeline)
		if err != nil {
			return err
		}
		one.state, one.seq = state, checkpoint.Seq
		if n := len(frames); n > 0 {
			one.seq = frames[n-1].Seq
		}
	}
	for one.seq < last {
		frames, err := r.e.o.History.Frames(ctx, pipeline, one.seq, framesAtOnce)
		if err != nil {
			return err
		}
		if len(frames) == 0 {
			return fmt.Errorf("the log of %s ends at %d, and not at %d as it did", pipeline, one.seq, last)
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

func (r *replicas) get(pipeline string) *replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.e.o.Now()
	one := r.all[pipeline]
	if one == nil {
		if len(r.all) == 0 {
			r.sweepLater(now)
		}
		if len(r.all) >= replicasKept {
			r.evict()
		}
		one = &replica{}
		r.all[pipeline] = one
	}
	one.used = now
	return one
}

// evict drops the replica that was read longest ago. r.mu is held.
func (r *replicas) evict() {
	oldest := ""
	for name, one := range r.all {
		if oldest == "" || one.used.Before(r.all[oldest].used) {
			oldest = name
		}
	}
	delete(r.all, oldest)
}

func (r *replicas) sweepLater(now time.Time) {
	r.e.timers.set("replicas", now.Add(replicaIdle), r.sweep)
}

// sweep drops what nobody has read for a while.
func (r *replicas) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.e.o.Now()
	for name, one := range r.all {
		if now.Sub(one.used) >= replicaIdle {
			delete(r.all, name)
		}
	}
	if len(r.all) > 0 {
		r.sweepLater(now)
	}
}
