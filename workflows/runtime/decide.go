package runtime

import (
	"context"
	"runtime"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
)

// withDecider makes what decides and commits.
func (e *Engine) withDecider() {
	e.decider = decider.New(decider.Options{
		Log: e.o.Store, Heads: e.o.Store, Facts: facts{e}, Tasks: e.tasks, Observer: observer{e}, Positions: e.followers,
		Timers: e.timers, Index: index, Encode: checkpoint.Encode, Decode: checkpoint.Decode, Loops: min(runtime.GOMAXPROCS(0), runtime.NumCPU()), Host: e.o.Host, Seed: e.seed, Go: e.group.Go, Unloaded: e.releaseLater, Stopping: e.stopping,
		Now: e.o.Now, Logger: e.log,
	})
}

// observer passes commits on to those who follow from them.
type observer struct{ e *Engine }

// Committed is for package decider.
func (o observer) Committed(frames []event.Frame) {
	for _, f := range frames {
		o.e.catalogue.OnCommit(f)
		o.e.invoker.OnCommit(f)
	}
	o.e.retention.Committed(frames)
	o.e.feed.Publish(frames)
}

// Reloaded is for package decider.
func (o observer) Reloaded(ctx context.Context) error {
	o.e.feed.Forget()
	o.e.retention.Reloaded()
	return o.e.catalogue.Load(ctx)
}

// facts looks up what decisions need to know of the outside.
type facts struct{ e *Engine }

// LookUp is for package decider.
func (f facts) LookUp(ctx context.Context, pipeline string, have machine.Facts, need *machine.NeedFacts, people []workflows.Principal) (machine.Facts, error) {
	return f.e.lookUp(ctx, pipeline, have, need, people)
}
