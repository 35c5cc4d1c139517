package auditor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	anchorEvery  = time.Hour   // at most so long a pipeline has records that no anchor covers
	anchorFrames = 1000        // and at most so many
	firstLook    = time.Minute // after a start: what the last run left without an anchor

	sweptKey = "anchors" // memo: the feed position up to which every pipeline has an anchor
)

// Feed is what is committed, as it comes.
type Feed interface {
	// Feed returns committed frames after a position; it blocks until there is one, or ctx ends.
	Feed(ctx context.Context, viewer workflows.Principal, after uint64, limit int) ([]event.Frame, error)
	Head(ctx context.Context) (uint64, error)
}

// Newest finds the pipelines with something new.
type Newest interface {
	Newest(ctx context.Context, after uint64) ([]record.Stored, error)
}

// Notes keep how far the anchors have come.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error
}

// Anchors writes anchors into the service's log, where somebody else collects
// them: at once when an approval was decided or overridden, when a gate asks for
// less, and when an execution has ended; of everything else within an hour. An anchor covers all records before it.
type Anchors struct {
	feed   Feed
	newest Newest
	notes  Notes
	log    *slog.Logger

	open  map[string]*openChain // pipelines with records behind their last anchor
	due   time.Time             // of the next sweep; zero: nothing is new
	began uint64                // the head of the feed at the start
	since map[string]bool       // pipelines with an anchor since the start; nil after the first sweep
}

// openChain is the end of a chain behind its last anchor.
type openChain struct {
	number uint64
	hash   string
	at     time.Time
	frames int
	// matters: it waits for no sweep.
	matters bool
}

// NewAnchors returns what writes anchors; nothing happens before Run.
func NewAnchors(f Feed, n Newest, notes Notes, log *slog.Logger) *Anchors {
	return &Anchors{feed: f, newest: n, notes: notes, log: log, open: map[string]*openChain{}, since: map[string]bool{}}
}

// Run follows what is committed until ctx ends.
func (a *Anchors) Run(ctx context.Context) error {
	at, err := a.feed.Head(ctx)
	if err != nil {
		return ended(ctx, fmt.Errorf("begin to write anchors: %w", err))
	}
	a.began, a.due = at, time.Now().Add(firstLook)
	for failures := 0; ; {
		if at, err = a.follow(ctx, at); err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		a.log.Warn("anchors could not be written; it is tried again", "err", err)
		again := time.NewTimer(work.Backoff(failures))
		failures++
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil
		}
	}
}

// ended is nil when the service ends.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow takes what comes next, or sweeps when that is due, and returns how far it has come.
func (a *Anchors) follow(ctx context.Context, at uint64) (uint64, error) {
	wait := ctx
	if !a.due.IsZero() {
		until, cancel := context.WithDeadline(ctx, a.due)
		defer cancel()
		wait = until
	}
	frames, err := a.feed.Feed(wait, workflows.EnginePrincipal(), at, atOnce)
	if err != nil && !(errors.Is(err, context.DeadlineExceeded) && wait.Err() != nil && ctx.Err() == nil) {
		return at, err
	}
	for i := range frames {
		a.take(&frames[i])
		at = frames[i].Feed
	}
	for i := range frames { // of what came together, the newest of each pipeline covers the rest
		if c := a.open[frames[i].Pipeline]; c != nil && c.matters {
			a.write(frames[i].Pipeline, c)
		}
	}
	now := time.Now()
	switch {
	case a.due.IsZero() && len(a.open) > 0:
		a.due = now.Add(anchorEvery)
	case !a.due.IsZero() && !now.Before(a.due):
		return at, a.sweep(ctx, at)
	}
	return at, nil
}

// take looks at one frame.
func (a *Anchors) take(f *event.Frame) {
	c := a.open[f.Pipeline]
	if c == nil {
		c = &openChain{}
		a.open[f.Pipeline] = c
	}
	c.number, c.hash = f.Seq, f.Hash
	c.frames++
	if len(f.Events) > 0 {
		c.at = f.Events[0].At
	}
	c.matters = c.matters || c.frames >= anchorFrames || slices.ContainsFunc(f.Events, matters)
}

func (a *Anchors) write(pipeline string, c *openChain) {
	a.log.Info(audit.Word, "pipeline", pipeline, "record", c.number, "hash", c.hash, "at", c.at.UTC())
	delete(a.open, pipeline)
	if a.since != nil {
		a.since[pipeline] = true
	}
}

// matters says whether people will want to prove an event. It looks at nothing
// but the event: what each commit costs must not depend on definitions.
func matters(e event.Event) bool {
	switch e.Kind {
	case event.PipelineDefined:
		return e.Defined != nil && len(e.Defined.Weakened) > 0
	case event.GateClosed, event.GateOverridden, event.ConditionOverridden,
		event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionStopped, event.ExecutionCancelled, event.ExecutionSuperseded:
		return true
	}
	return false
}

// sweep writes an anchor for every pipeline that has something new, and notes
// how far that reaches. The first one also looks for what the run before left.
func (a *Anchors) sweep(ctx context.Context, at uint64) error {
	if a.since != nil {
		if err := a.catchUp(ctx); err != nil {
			return err
		}
		a.since = nil
	}
	for _, pipeline := range slices.Sorted(maps.Keys(a.open)) {
		a.write(pipeline, a.open[pipeline])
	}
	a.due = time.Time{}
	if err := a.notes.Note(ctx, sweptKey, strconv.AppendUint(nil, at, 10)); err != nil {
		return fmt.Errorf("note how far the anchors have come: %w", err)
	}
	return nil
}

// catchUp writes anchors for what was committed before the start and after the last sweep.
func (a *Anchors) catchUp(ctx context.Context) error {
	var swept uint64
	value, ok, err := a.notes.Memo(ctx, sweptKey)
	if err == nil && ok {
		swept, err = strconv.ParseUint(string(value), 10, 64)
	}
	if err != nil {
		return fmt.Errorf("read how far the anchors have come: %w", err)
	}
	if swept >= a.began {
		return nil
	}
	rs, err := a.newest.Newest(ctx, swept)
	if err != nil {
		return fmt.Errorf("find what has no anchor: %w", err)
	}
	for _, r := range rs {
		if r.Damage == nil && r.Feed <= a.began && !a.since[r.Pipeline] && a.open[r.Pipeline] == nil {
			a.write(r.Pipeline, &openChain{number: r.Number, hash: r.Hash, at: r.At})
		}
	}
	return nil
}
