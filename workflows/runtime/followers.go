package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	followPrefix = "follow/" // NAME: the feed position up to which everything is done or in a retry row
	retryPrefix  = "retry/"  // NAME/PIPELINE: a pipeline that is behind

	followAtOnce = 8               // pipelines that one follower is called for side by side
	followAhead  = 1024            // frames in memory before reading on waits
	saveEvery    = time.Second     // at most so often a position rides along with a commit
	saveWithin   = 3 * time.Second // and after so long it makes a commit of its own
)

// following takes one follower along the feed. Frames are spread over lanes,
// one per pipeline; a lane calls the follower with all it has, one call at a
// time. A lane whose call failed goes behind: it drops its frames, notes in a
// durable retry row from where it must read the log again, and the position
// moves on without it.
type following struct {
	e    *Engine
	f    Follower
	name string

	mu      sync.Mutex
	read    uint64 // feed position of the last frame put into a lane
	lanes   map[string]*followLane
	held    int           // frames in lanes
	calls   int           // under way
	queue   []*followLane // lanes that wait for a call
	room    chan struct{} // holds one when there may be room to read on
	rows    map[string]*retryRow
	changed map[string]bool // rows that differ from what is durable
	saved   uint64          // durable position
	savedAt time.Time
	waiting bool // a save of its own is in the heap
	ctx     context.Context
}

// followLane is one pipeline on its way to one follower.
type followLane struct {
	pipeline string
	frames   []event.Frame // not accepted yet, in order
	seen     uint64        // Seq of the newest frame that the feed has brought
	accepted uint64        // Seq of the newest frame accepted; frames up to it are skipped
	queued   bool
	behind   bool // reads from the log, not from frames
}

// retryRow is what a restart must know of a pipeline that is behind.
type retryRow struct {
	After    uint64 `json:"after"` // Seq of the last frame that was accepted
	Failures int    `json:"failures"`
}

func newFollowing(e *Engine, f Follower) *following {
	return &following{
		e: e, f: f, name: f.Name(), lanes: map[string]*followLane{}, room: make(chan struct{}, 1),
		rows: map[string]*retryRow{}, changed: map[string]bool{},
	}
}

// load reads how far the follower has come. A new one starts at the head: what
// happened before it came is not its business.
func (w *following) load(ctx context.Context) error {
	value, ok, err := w.e.o.Memos.Memo(ctx, owner, followPrefix+w.name)
	if err != nil {
		return err
	}
	var at uint64
	if ok {
		if at, err = strconv.ParseUint(string(value), 10, 64); err != nil {
			return fmt.Errorf("read its position: %w", err)
		}
	} else {
		if at, err = w.e.feed.head(ctx); err != nil {
			return err
		}
		if err := w.e.persist(ctx, nil, []Memo{w.positionMemo(at)}); err != nil {
			return err
		}
	}
	memos, err := w.e.o.Memos.List(ctx, owner, retryPrefix+w.name+"/")
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read, w.saved = at, at
	for _, m := range memos {
		row := &retryRow{}
		if err := json.Unmarshal(m.Value, row); err != nil {
			return fmt.Errorf("read %s: %w", m.Key, err)
		}
		pipeline := strings.TrimPrefix(m.Key, retryPrefix+w.name+"/")
		w.rows[pipeline] = row
		seen, _ := w.e.known.seq(pipeline)
		w.lanes[pipeline] = &followLane{pipeline: pipeline, seen: seen, accepted: row.After, behind: true}
	}
	return nil
}

// run reads along until ctx ends.
func (w *following) run(ctx context.Context) {
	w.mu.Lock()
	w.ctx = ctx
	for _, lane := range w.lanes {
		w.enqueue(lane)
	}
	w.mu.Unlock()
	for failures := 0; ctx.Err() == nil; {
		w.mu.Lock()
		after, full := w.read, w.held >= followAhead
		w.mu.Unlock()
		if full {
			wait(ctx, w.room)
			continue
		}
		frames, more, err := w.e.feed.read(ctx, after, framesAtOnce)
		switch {
		case err != nil && ctx.Err() == nil:
			w.e.log.Error("the feed could not be read; it is tried again", "follower", w.name, "err", err)
			wait(ctx, time.After(backoff(failures)))
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
func (w *following) take(frames []event.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range frames {
		w.read = f.Feed
		lane := w.lanes[f.Pipeline]
		if lane == nil {
			lane = &followLane{pipeline: f.Pipeline, accepted: f.Seq - 1}
			w.lanes[f.Pipeline] = lane
		}
		lane.seen = max(lane.seen, f.Seq)
		if lane.behind || f.Seq <= lane.accepted {
			continue
		}
		lane.frames = append(lane.frames, f)
		w.held++
		w.enqueue(lane)
	}
	w.saveLater()
}

// enqueue has a lane called when there is a free call. w.mu is held.
func (w *following) enqueue(lane *followLane) {
	if lane.queued {
		return
	}
	lane.queued = true
	if w.calls >= followAtOnce {
		w.queue = append(w.queue, lane)
		return
	}
	w.calls++
	w.e.crew.do(func() { w.work(lane) })
}

// work calls for lanes until none is queued.
func (w *following) work(lane *followLane) {
	for lane != nil {
		w.serve(lane)
		w.mu.Lock()
		w.settle(lane)
		lane = nil
		if len(w.queue) > 0 && w.ctx.Err() == nil {
			lane, w.queue = w.queue[0], w.queue[1:]
		} else {
			w.calls--
		}
		w.mu.Unlock()
	}
}

// serve gives the follower what a lane has, once.
func (w *following) serve(lane *followLane) {
	w.mu.Lock()
	frames := lane.frames[:min(len(lane.frames), framesAtOnce)]
	behind, after, seen := lane.behind, lane.accepted, lane.seen
	w.mu.Unlock()
	var err error
	if behind {
		frames, err = w.e.o.History.Frames(w.ctx, lane.pipeline, after, framesAtOnce)
		frames = slices.DeleteFunc(frames, func(f event.Frame) bool { return f.Seq > seen }) // the feed brings them
	}
	if err == nil && len(frames) > 0 {
		err = w.call(event.Batch{Pipeline: lane.pipeline, Frames: frames})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.accepted(lane, frames)
	case w.ctx.Err() == nil:
		w.failed(lane, err)
	default: // the engine ends; the same frames come again
		lane.queued = true
	}
}

// call calls the follower and contains it.
func (w *following) call(b event.Batch) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			w.e.log.Error("a follower panicked", "follower", w.name, "pipeline", b.Pipeline, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("it panicked: %v", fault)
		}
	}()
	return w.f.Follow(w.ctx, b)
}

// accepted moves a lane on. w.mu is held.
func (w *following) accepted(lane *followLane, frames []event.Frame) {
	if n := len(frames); n > 0 {
		lane.accepted = frames[n-1].Seq
	}
	if !lane.behind {
		lane.frames = lane.frames[len(frames):]
		w.held -= len(frames)
		return
	}
	w.changed[lane.pipeline] = true
	if lane.accepted < lane.seen && len(frames) > 0 {
		w.rows[lane.pipeline] = &retryRow{After: lane.accepted}
		return
	}
	lane.behind = false
	delete(w.rows, lane.pipeline)
}

// failed puts a lane behind, to be tried again later. w.mu is held.
func (w *following) failed(lane *followLane, err error) {
	row := w.rows[lane.pipeline]
	if row == nil {
		row = &retryRow{}
		w.rows[lane.pipeline] = row
	}
	w.held -= len(lane.frames)
	lane.frames, lane.behind = nil, true
	pause := backoff(row.Failures)
	row.After = lane.accepted
	row.Failures++
	w.changed[lane.pipeline] = true
	w.e.log.Warn("a follower failed; it is called again", "follower", w.name, "pipeline", lane.pipeline, "tries", row.Failures, "again_in", pause, "err", err)
	w.e.timers.set("follow/"+w.name+"/"+lane.pipeline, w.e.o.Now().Add(pause), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		lane.queued = false
		w.enqueue(lane)
	})
}

// settle says what comes next for a lane that was served. w.mu is held.
func (w *following) settle(lane *followLane) {
	select {
	case w.room <- struct{}{}:
	default:
	}
	w.saveLater()
	row := w.rows[lane.pipeline]
	if w.ctx.Err() != nil || lane.behind && row != nil && row.Failures > 0 {
		return // it stays queued: its timer, or the next run, goes on
	}
	lane.queued = false
	if lane.behind || len(lane.frames) > 0 {
		w.enqueueAgain(lane)
		return
	}
	delete(w.lanes, lane.pipeline)
}

// enqueueAgain puts a lane with more to do behind those that wait. w.mu is
// held, and the caller is a call that goes on with the first of the queue.
func (w *following) enqueueAgain(lane *followLane) {
	lane.queued = true
	w.queue = append(w.queue, lane)
}

// position returns the memos that say how far the follower is, if they are
// worth a place in the commit that is being made, and what to call with that
// commit's end. What is in lanes does not count as done; what is behind is in
// its row, which goes with the position or before it.
func (w *following) position(now bool) (memos []Memo, saved func(err error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	moment := w.e.o.Now()
	if !now && moment.Sub(w.savedAt) < saveEvery {
		return nil, func(error) {}
	}
	at := w.done()
	if at == w.saved && len(w.changed) == 0 {
		return nil, func(error) {}
	}
	rows := w.changed
	w.changed = map[string]bool{}
	memos = append(memos, w.positionMemo(at))
	for pipeline := range rows {
		m := Memo{Owner: owner, Key: retryPrefix + w.name + "/" + pipeline}
		if row := w.rows[pipeline]; row != nil {
			m.Value = encode(row)
		}
		memos = append(memos, m)
	}
	w.savedAt = moment
	return memos, func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil {
			w.saved = at
			return
		}
		for pipeline := range rows {
			w.changed[pipeline] = true
		}
	}
}

func (w *following) positionMemo(at uint64) Memo {
	return Memo{Owner: owner, Key: followPrefix + w.name, Value: strconv.AppendUint(nil, at, 10)}
}

// done is the feed position up to which nothing is left in a lane. w.mu is held.
func (w *following) done() uint64 {
	at := w.read
	for _, lane := range w.lanes {
		if len(lane.frames) > 0 {
			at = min(at, lane.frames[0].Feed-1)
		}
	}
	return at
}

// saveLater has the position saved by a commit of its own, should nobody else commit. w.mu is held.
func (w *following) saveLater() {
	if w.waiting || w.ctx.Err() != nil {
		return
	}
	w.waiting = true
	w.e.timers.set("save/"+w.name, w.e.o.Now().Add(saveWithin), func() {
		w.mu.Lock()
		w.waiting = false
		due := w.done() != w.saved || len(w.changed) > 0
		w.mu.Unlock()
		if due {
			w.e.writer.nudge()
		}
	})
}
