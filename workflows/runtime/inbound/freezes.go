package inbound

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// freezesAtOnce is for how many pipelines freezes are set side by side.
const freezesAtOnce = 64

// Freezes keeps the freezes in the pipelines' states equal to those of the
// configuration: at the start, before anything else is decided, and whenever a
// pipeline is defined. What it compares is durable on both sides.
type Freezes struct {
	o         *Options
	catalogue *Catalogue

	mu        sync.Mutex
	scheduled bool            // a comparison is in the heap of timers
	changed   map[string]bool // the pipelines that it is about; the empty name: all of them

	one      chan struct{} // a semaphore of one around a comparison, which waits for commits; guards the rest
	ctx      context.Context
	failures int
}

// NewFreezes returns the freezes of the pipelines in the catalogue.
func NewFreezes(o *Options, c *Catalogue) *Freezes {
	return &Freezes{o: o, catalogue: c, changed: map[string]bool{"": true}, ctx: context.Background(), one: make(chan struct{}, 1)}
}

// Start compares, and goes on until ctx ends.
func (f *Freezes) Start(ctx context.Context) {
	f.one <- struct{}{}
	f.ctx = ctx
	<-f.one
	f.catalogue.watch(func(pipeline string) { f.compareIn(0, pipeline) }) // once for many edits
	f.compare()
}

// compareIn has a pipeline compared after a pause; without a name all of them.
func (f *Freezes) compareIn(pause time.Duration, pipeline string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed[pipeline] = true
	if f.scheduled {
		return
	}
	f.scheduled = true
	f.o.Timers.Set("freezes", f.o.Now().Add(pause), func() { f.o.Go(f.compare) })
}

// due takes the pipelines that are to be compared.
func (f *Freezes) due() []*workflows.Pipeline {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := f.changed
	f.scheduled, f.changed = false, map[string]bool{}
	if changed[""] {
		return f.catalogue.Pipelines()
	}
	var due []*workflows.Pipeline
	for name := range changed {
		if p := f.catalogue.pipeline(name); p != nil {
			due = append(due, p)
		}
	}
	return due
}

// compare sets the freezes of every pipeline in which they differ.
func (f *Freezes) compare() {
	f.one <- struct{}{}
	defer func() { <-f.one }()
	now := f.o.Now()
	slots := make(chan struct{}, freezesAtOnce)
	errs := make(chan error, 1) // the first one
	var all sync.WaitGroup
	for _, p := range f.due() {
		wanted := f.wanted(p.Name, now)
		if equal(wanted, ahead(f.catalogue.frozen(p.Name), now)) {
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
		pause := work.Backoff(f.failures)
		f.failures++
		f.o.Log.Error("the freezes of the configuration could not be set; it is tried again", "tries", f.failures, "again_in", pause, "err", err)
		f.compareIn(pause, "")
	default:
		f.failures = 0
	}
}

// set sets the freezes of one pipeline. A refusal is final until something changes.
func (f *Freezes) set(pipeline string, wanted []workflows.Freeze) error {
	in := workflows.Intent{Verb: workflows.ReplaceFreezes, Pipeline: pipeline, Freezes: wanted}
	_, _, err := f.o.Decider.Submit(f.ctx, in, record.Attachment{})
	return err
}

// wanted are the freezes of the configuration that name a pipeline and are not over.
func (f *Freezes) wanted(pipeline string, now time.Time) []workflows.Freeze {
	if p := f.catalogue.pipeline(pipeline); p != nil && p.Protects.PastFreezes {
		return nil
	}
	return slices.DeleteFunc(ahead(f.o.Freezes, now), func(one workflows.Freeze) bool { return !scope.Touches(one.On, pipeline) })
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
