package runtime

import (
	"context"
	"errors"

	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
)

// withFollowing makes what follows the commits.
func (e *Engine) withFollowing() {
	o := following.Options{
		Log: e.o.History, States: durable{e}, Memos: e.o.Memos, Commits: durable{e}, Timers: e.timers,
		Go: e.group.Go, Now: e.o.Now, Logger: e.log,
	}
	e.feed = following.NewFeed(o)
	e.models = following.NewReadModels(o, e.feed)
	e.followers = following.NewFollowers(o, e.feed)
}

// durable says what is durable and makes it so, by the decider, which is made
// after what follows it.
type durable struct{ e *Engine }

// Fold is for package following.
func (d durable) Fold(ctx context.Context, pipeline string) (*machine.State, uint64, error) {
	return d.e.decider.Fold(ctx, pipeline)
}

// Last is for package following.
func (d durable) Last(pipeline string) (uint64, bool) { return d.e.decider.Last(pipeline) }

// Persist is for package following.
func (d durable) Persist(ctx context.Context, c Commit) error { return d.e.decider.Persist(ctx, c) }

// RequestCommit is for package following.
func (d durable) RequestCommit() { d.e.decider.RequestCommit() }

// read calls f with a pipeline's committed state, at least as new as any commit
// that was answered before. f must not keep the state.
func (e *Engine) read(ctx context.Context, pipeline string, f func(s *machine.State) error) error {
	return e.readable(e.models.Read(ctx, pipeline, f), pipeline)
}

// scan is read for those who read all pipelines: they are not kept in memory for it.
func (e *Engine) scan(ctx context.Context, pipeline string, f func(s *machine.State) error) error {
	return e.readable(e.models.Scan(ctx, pipeline, f), pipeline)
}

func (e *Engine) readable(err error, pipeline string) error {
	if _, refused := asProblem(err); err == nil || refused {
		return err
	}
	if errors.Is(err, following.ErrPanicked) {
		return decider.Failed(pipeline)
	}
	return e.unreadable(err, "the pipeline "+pipeline)
}
