package inbound

import (
	"context"
	"slices"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// pipelinesCached is of how many pipelines reviewedStages are remembered.
const pipelinesCached = 4096

// reviewedStages are the stages of pipelines in which people review what comes
// in: those of any version under which an execution may run. The catalogue knows
// them; of pipelines of which it does not, as in rows from before it did, they are
// cached here.
type reviewedStages struct {
	catalogue *Catalogue

	mu     sync.Mutex
	stages map[string][]string // by pipeline; no entry: not known
}

// learn takes in the definitions that a frame brings. What is known of a
// pipeline covers every version that was in use when it was found out; later
// ones come with a frame.
func (r *reviewedStages) learn(f event.Frame) {
	for _, ev := range f.Events {
		switch {
		case ev.Defined != nil:
			r.add(f.Pipeline, &ev.Defined.Definition, ev.Defined.Version == 1)
		case ev.Under != nil:
			r.add(f.Pipeline, ev.Under, false)
		}
	}
}

// add adds the stages of a definition to what is known; first: there was none before.
func (r *reviewedStages) add(pipeline string, p *workflows.Pipeline, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.stages[pipeline]
	if !ok && !first {
		return
	}
	r.set(pipeline, reviewedIn(known, p))
}

// reviewedIn adds the stages of a definition in which people review what comes in.
func reviewedIn(known []string, p *workflows.Pipeline) []string {
	for i := range p.Stages {
		if st := &p.Stages[i]; isReviewed(st) {
			known = joined(known, []string{st.Name})
		}
	}
	return known
}

// joined adds what is new; it writes nothing of what is known.
func joined(known, more []string) []string {
	for _, name := range more {
		if !slices.Contains(known, name) {
			known = append(slices.Clip(known), name)
		}
	}
	return known
}

// set notes what is known. r.mu is locked.
func (r *reviewedStages) set(pipeline string, stages []string) {
	if len(r.stages) >= pipelinesCached {
		clear(r.stages)
	}
	r.stages[pipeline] = stages
}

// may says whether people may review what comes into a stage, as far as that is known.
func (r *reviewedStages) may(pipeline, stage string) bool {
	stages, known := r.of(pipeline)
	return !known || slices.Contains(stages, stage)
}

// of returns what is known of a pipeline.
func (r *reviewedStages) of(pipeline string) (stages []string, known bool) {
	if stages, known = r.catalogue.reviewed(pipeline); known {
		return stages, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	stages, known = r.stages[pipeline]
	return stages, known
}

// load reads the definitions of a pipeline of which nothing is known yet.
func (r *reviewedStages) load(ctx context.Context, from Definitions, pipeline string) error {
	if _, known := r.of(pipeline); known {
		return nil
	}
	all, err := from.InUse(ctx, pipeline)
	if err != nil {
		return err
	}
	var stages []string
	for _, p := range all {
		stages = reviewedIn(stages, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(pipeline, stages)
	return nil
}
