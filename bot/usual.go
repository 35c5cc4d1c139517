package bot

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	usualOf    = 9 // newest successes of a stage of which the median is what it usually takes
	usualLeast = 3 // with fewer nothing is said
	usualKept  = 2000
)

// usual remembers how long the work in stages usually takes, so that drawing a card
// asks the store once per success of a stage and not once per edit.
type usual struct {
	mu    sync.Mutex
	known map[stageKey]time.Duration // zero: too few have succeeded
}

type stageKey struct{ pipeline, stage string }

// forget drops what a success in a stage has changed.
func (u *usual) forget(b event.Batch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, frame := range b.Frames {
		for _, e := range frame.Events {
			if e.Kind == event.StageSucceeded {
				delete(u.known, stageKey{b.Pipeline, e.Stage})
			}
		}
	}
}

// usually is how long the work takes in the stage that an execution is in, by its
// name; empty where that is not known, or nothing runs.
func (b *Bot) usually(ctx context.Context, e *workflows.Execution) map[string]time.Duration {
	all := map[string]time.Duration{}
	for i := range e.Stages {
		s := &e.Stages[i]
		if began, _, _ := card.Worked(s); s.Status != workflows.StatusInProgress || began.IsZero() {
			continue
		}
		if d := b.usualIn(ctx, stageKey{e.Pipeline, s.Name}); d > 0 {
			all[s.Name] = d
		}
	}
	return all
}

func (b *Bot) usualIn(ctx context.Context, at stageKey) time.Duration {
	b.usual.mu.Lock()
	d, known := b.usual.known[at]
	b.usual.mu.Unlock()
	if known {
		return d
	}
	some, err := b.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: at.pipeline, SucceededInStage: at.stage, Limit: usualOf})
	if err != nil {
		return 0 // a card says so much without it
	}
	d = median(some, at.stage)
	b.usual.mu.Lock()
	defer b.usual.mu.Unlock()
	if len(b.usual.known) >= usualKept {
		clear(b.usual.known)
	}
	b.usual.known[at] = d
	return d
}

// median is that of the work of executions in a stage, in whole seconds; zero: they are too few.
func median(some []workflows.Execution, stage string) time.Duration {
	var all []time.Duration
	for i := range some {
		s, ok := some[i].Stage(stage)
		if !ok || s.Status != workflows.StatusSucceeded {
			continue
		}
		if _, took, ended := card.Worked(s); ended && took > 0 {
			all = append(all, took)
		}
	}
	if len(all) < usualLeast {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2].Round(time.Second)
}
