package runtime

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// freezesAtOnce is for how many pipelines freezes are set side by side.
const freezesAtOnce = 64

// freezes keeps the freezes in the pipelines' states equal to those of the
// configuration: at the start, before anything else is decided, and whenever a
// pipeline is defined. What it compares is durable on both sides.
type freezes struct {
	e *Engine

	mu       sync.Mutex
	restless bool // a comparison is in the heap

	one      chan struct{} // holds one while comparing, which waits for commits; guards the rest
	ctx      context.Context
	failures int
}

func newFreezes(e *Engine) *freezes {
	return &freezes{e: e, ctx: context.Background(), one: make(chan struct{}, 1)}
}

// begin compares, and goes on until ctx ends.
func (f *freezes) begin(ctx context.Context) {
	f.one <- struct{}{}
	f.ctx = ctx
	<-f.one
	f.e.catalog.watch(f.changed)
	f.renew()
}

// changed has the pipelines compared anew, soon: once for many edits.
func (f *freezes) changed() { f.later(0) }

func (f *freezes) later(pause time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.restless {
		return
	}
	f.restless = true
	f.e.timers.set("freezes", f.e.o.Now().Add(pause), func() { f.e.crew.do(f.renew) })
}

// renew sets the freezes of every pipeline in which they differ.
func (f *freezes) renew() {
	f.mu.Lock()
	f.restless = false
	f.mu.Unlock()
	f.one <- struct{}{}
	defer func() { <-f.one }()
	now := f.e.o.Now()
	slots := make(chan struct{}, freezesAtOnce)
	errs := make(chan error, 1) // the first one
	var all sync.WaitGroup
	for _, p := range f.e.catalog.all() {
		wanted := f.wanted(p.Name, now)
		if equal(wanted, ahead(f.e.catalog.frozen(p.Name), now)) {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := f.set(p.Name, wanted); err != nil {
				select {
				case errs <- err:
				default:
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		if f.ctx.Err() != nil {
			return
		}
		pause := backoff(f.failures)
		f.failures++
		f.e.log.Error("the freezes of the configuration could not be set; it is tried again", "tries", f.failures, "again_in", pause, "err", err)
		f.later(pause)
	default:
		f.failures = 0
	}
}

// set sets the freezes of one pipeline. A refusal is final until something changes.
func (f *freezes) set(pipeline string, wanted []workflows.Freeze) error {
	in := workflows.Intent{Verb: workflows.SetFreezes, Pipeline: pipeline, Freezes: wanted}
	got := f.e.ask(f.ctx, ask{pipeline: pipeline, by: workflows.EnginePrincipal(), intent: &in})
	return undecided(got.err)
}

// wanted are the freezes of the configuration that name a pipeline and are not over.
func (f *freezes) wanted(pipeline string, now time.Time) []workflows.Freeze {
	return slices.DeleteFunc(ahead(f.e.o.Freezes, now), func(one workflows.Freeze) bool { return !one.On.Touches(pipeline) })
}

// ahead are the freezes that are not over, by their beginning.
func ahead(all []workflows.Freeze, now time.Time) []workflows.Freeze {
	left := slices.DeleteFunc(slices.Clone(all), func(f workflows.Freeze) bool { return !f.To.After(now) })
	for i, f := range left {
		left[i].From, left[i].To = f.From.UTC(), f.To.UTC()
	}
	slices.SortStableFunc(left, func(a, b workflows.Freeze) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Name, b.Name)) })
	return left
}

func equal(a, b []workflows.Freeze) bool {
	return slices.EqualFunc(a, b, func(a, b workflows.Freeze) bool {
		return a.Name == b.Name && a.From.Equal(b.From) && a.To.Equal(b.To) && slices.Equal(a.On, b.On) && slices.Equal(a.MayPass, b.MayPass)
	})
}
