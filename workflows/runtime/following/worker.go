package following

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	callsAtOnce = 8                // pipelines that one follower is called for side by side
	readAhead   = 1024             // frames in memory before reading on waits
	longestWait = 30 * time.Second // before a follower that failed is called again: what was mended shows within a minute
)

// worker takes one follower along the feed. Frames are spread over lanes, one
// per pipeline; a lane calls the follower with all it has, one call at a time.
// A lane whose call failed goes behind: it drops its frames, notes in a durable
// retry row from where it must read the log again, and the position moves on
// without it. A follower that took what it was given and has not brought all of
// it about is called again, and its lane goes on.
type worker struct {
	o    Options
	feed *Feed
	f    Follower
	name string

	mu       sync.Mutex
	read     uint64 // feed position of the last frame put into a lane
	lanes    map[string]*lane
	buffered int           // frames in lanes
	calls    int           // under way
	queue    []*lane       // lanes that wait for a call
	room     chan struct{} // has one when there may be room to read on
	rows     map[string]*retryRow
	changed  map[string]bool // rows that differ from what is durable
	saved    uint64          // durable position
	savedAt  time.Time
	waiting  bool // a timer for a commit of its own is set
	ctx      context.Context
}

// lane is one pipeline on its way to one follower.
type lane struct {
	pipeline   string
	frames     []event.Frame // not accepted yet, in order
	seen       uint64        // Seq of the newest frame that the feed has brought
	accepted   uint64        // Seq of the newest frame accepted; frames up to it are skipped
	queued     bool          // it waits for a call, is being called, or waits for its timer
	behind     bool          // reads from the log, not from frames
	unfinished bool          // the follower is called again although there is no frame
}

func newWorker(o Options, feed *Feed, f Follower) *worker {
	return &worker{
		o: o, feed: feed, f: f, name: f.Name(), lanes: map[string]*lane{}, room: make(chan struct{}, 1),
		rows: map[string]*retryRow{}, changed: map[string]bool{},
	}
}

// run reads along until ctx ends.
func (w *worker) run(ctx context.Context) {
	w.mu.Lock()
	w.ctx = ctx
	for _, l := range w.lanes {
		w.enqueue(l)
	}
	w.mu.Unlock()
	for failures := 0; ctx.Err() == nil; {
		w.mu.Lock()
		after, full := w.read, w.buffered >= readAhead
		w.mu.Unlock()
		if full {
			wait(ctx, w.room)
			continue
		}
		frames, more, err := w.feed.Read(ctx, after, framesAtOnce)
		switch {
		case err != nil && ctx.Err() == nil:
			w.o.Logger.Error("the feed could not be read; it is tried again", "follower", w.name, "err", err)
			wait(ctx, time.After(work.Backoff(failures)))
			failures++
		case len(frames) == 0:
			wait(ctx, more)
		default:
			failures = 0
			w.take(frames)
		}
	}
}

// wait waits for a signal or ctx's end.
func wait[T any](ctx context.Context, signal <-chan T) {
	select {
	case <-signal:
	case <-ctx.Done():
	}
}

// take spreads frames over the lanes.
func (w *worker) take(frames []event.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	only, selects := w.f.(Selective)
	concerned := false
	for _, f := range frames {
		w.read = f.Feed
		l := w.lanes[f.Pipeline]
		if selects && !only.Concerns(f) && l == nil {
			continue
		}
		concerned = true
		if l == nil {
			l = &lane{pipeline: f.Pipeline, accepted: f.Seq - 1}
			w.lanes[f.Pipeline] = l
		}
		if !l.behind && len(l.frames) == 0 {
			l.accepted = max(l.accepted, f.Seq-1)
		}
		l.seen = max(l.seen, f.Seq)
		if l.behind || f.Seq <= l.accepted {
			continue
		}
		l.frames = append(l.frames, f)
		w.buffered++
		w.enqueue(l)
	}
	if concerned {
		w.saveLater()
	}
}

// enqueue has a lane called when there is a free call. w.mu is locked.
func (w *worker) enqueue(l *lane) {
	if l.queued {
		return
	}
	l.queued = true
	if w.calls >= callsAtOnce {
		w.queue = append(w.queue, l)
		return
	}
	w.calls++
	w.o.Go(func() { w.work(l) })
}

// work calls for lanes until none is queued.
func (w *worker) work(l *lane) {
	for l != nil {
		w.serve(l)
		w.mu.Lock()
		w.next(l)
		l = nil
		if len(w.queue) > 0 && w.ctx.Err() == nil {
			l, w.queue = w.queue[0], w.queue[1:]
		} else {
			w.calls--
		}
		w.mu.Unlock()
	}
}

// serve gives the follower what a lane has, once.
func (w *worker) serve(l *lane) {
	w.mu.Lock()
	frames := l.frames[:min(len(l.frames), framesAtOnce)]
	behind, after, seen := l.behind, l.accepted, l.seen
	w.mu.Unlock()
	var err error
	if behind {
		frames, err = w.o.Log.Frames(w.ctx, l.pipeline, after, framesAtOnce)
		frames = slices.DeleteFunc(frames, func(f event.Frame) bool { return f.Seq > seen }) // the feed brings them
	}
	if err == nil && (len(frames) > 0 || l.unfinished) {
		err = w.call(event.Batch{Pipeline: l.pipeline, Frames: frames})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var more *event.Unfinished
	switch {
	case err == nil:
		w.accepted(l, frames, seen, nil)
	case w.ctx.Err() == nil && errors.As(err, &more):
		w.accepted(l, frames, seen, more)
	case w.ctx.Err() == nil:
		w.failed(l, err)
	default: // the engine ends; the same frames come again
		l.queued = true
	}
}

// call calls the follower and contains it.
func (w *worker) call(b event.Batch) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			w.o.Logger.Error("a follower panicked", "follower", w.name, "pipeline", b.Pipeline, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("it panicked: %v", fault)
		}
	}()
	return w.f.Follow(w.ctx, b)
}

// accepted moves a lane on. The log was read up to seen: what has come while the
// follower worked was not put into a lane that is behind, and must be read from
// there as well. more says that the follower is to be called again nevertheless.
// w.mu is locked.
func (w *worker) accepted(l *lane, frames []event.Frame, seen uint64, more *event.Unfinished) {
	if n := len(frames); n > 0 {
		l.accepted = frames[n-1].Seq
	}
	if !l.behind {
		l.frames = l.frames[len(frames):]
		w.buffered -= len(frames)
	} else if l.accepted < l.seen && (len(frames) > 0 || l.seen > seen) {
		w.rows[l.pipeline] = &retryRow{After: l.accepted}
		w.changed[l.pipeline] = true
		return
	}
	l.behind, l.unfinished = false, more != nil
	if more != nil {
		w.again(l, more.After, more.Err, more.Expected)
	} else if w.rows[l.pipeline] != nil {
		delete(w.rows, l.pipeline)
		w.changed[l.pipeline] = true
	}
}

// failed puts a lane behind, to be tried again later. w.mu is locked.
func (w *worker) failed(l *lane, err error) {
	w.buffered -= len(l.frames)
	l.frames, l.behind = nil, true
	w.again(l, 0, err, false)
}

// again has a lane called later: after so long, or 0 in growing steps. w.mu is locked.
func (w *worker) again(l *lane, pause time.Duration, err error, expected bool) {
	row := w.rows[l.pipeline]
	if row == nil {
		row = &retryRow{}
		w.rows[l.pipeline] = row
		w.changed[l.pipeline] = true
	}
	was := *row
	if pause == 0 {
		pause = min(work.Backoff(row.Failures), longestWait)
	}
	row.After, row.Taken = l.accepted, !l.behind
	level := slog.LevelWarn
	if expected || row.Taken && row.Failures > 0 {
		level = slog.LevelDebug // the follower tells people itself
	}
	if expected {
		row.Failures = 0
	} else {
		row.Failures++
	}
	if *row != was {
		w.changed[l.pipeline] = true
	}
	w.o.Logger.Log(w.ctx, level, "a follower failed; it is called again", "follower", w.name, "pipeline", l.pipeline, "tries", row.Failures, "again_in", pause, "err", err)
	w.o.Timers.Set("follow/"+w.name+"/"+l.pipeline, w.o.Now().Add(pause), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lanes[l.pipeline] != l {
			return // all was done meanwhile
		}
		if l.behind {
			l.queued = false
		}
		w.enqueue(l)
	})
}

// next says what comes next for a lane that was served. w.mu is locked.
func (w *worker) next(l *lane) {
	select {
	case w.room <- struct{}{}:
	default:
	}
	w.saveLater()
	row := w.rows[l.pipeline]
	if w.ctx.Err() != nil || l.behind && row != nil && row.Failures > 0 {
		return // it stays queued: its timer, or the next run, goes on
	}
	l.queued = false
	switch {
	case l.behind || len(l.frames) > 0:
		w.enqueueAgain(l)
	case !l.unfinished:
		delete(w.lanes, l.pipeline)
	}
}

// enqueueAgain puts a lane with more to do behind those that wait. w.mu is
// locked, and the caller is a call that goes on with the first of the queue.
func (w *worker) enqueueAgain(l *lane) {
	l.queued = true
	w.queue = append(w.queue, l)
}
