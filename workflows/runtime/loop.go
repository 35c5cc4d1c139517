package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"runtime/debug"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	atOnce    = 512              // messages handled before the writer is offered what was decided
	parkAfter = 10 * time.Second // without anything happening, before a pipeline leaves memory
)

// loop decides for the pipelines that are hashed onto it. Its fields and its
// units belong to its goroutine; everybody else posts to the box.
type loop struct {
	e   *Engine
	box *mailbox

	units    map[string]*unit
	drafts   []*unit // those with a draft, in order of first decision
	sealed   int     // parcels handed over and not yet settled
	patience map[string]*patience
	sweeping bool // a sweep for idle units is in the heap
	ending   bool
}

// unit is a loaded pipeline.
type unit struct {
	name     string
	state    *machine.State
	seq      uint64    // of the last frame sealed
	since    int       // events since the last checkpoint sealed
	due      time.Time // of the last checkpoint sealed: never later than what is due in truth
	at       time.Time // of the last decision: time never goes back
	used     time.Time
	busy     bool              // has tasks
	inflight int               // drafts sealed and not yet settled
	left     map[string]uint64 // archived executions: the frame by which their row was last changed, of those after leftFrom
	leftFrom uint64
	draft    *draft

	broken  bool   // a decision panicked: to be read anew once nothing is in flight
	waiting []*ask // for that
}

// draft is what was decided since the last seal: one frame, once it is sealed.
type draft struct {
	events     []event.Event
	opened     []string // task IDs of the attempts that began
	departed   []workflows.Execution
	receipts   []work.Receipt
	memos      []Memo
	settled    []func(err error) // called on the loop's goroutine after the commit
	checkpoint bool              // wanted although nothing calls for one
}

// patience keeps a pipeline whose ticks panic from being tried without pause.
type patience struct {
	tries int
	until time.Time
}

func newLoop(e *Engine) *loop {
	return &loop{e: e, box: newMailbox(), units: map[string]*unit{}, patience: map[string]*patience{}}
}

// loopOf returns the loop that decides for a pipeline.
func (e *Engine) loopOf(pipeline string) *loop {
	h := fnv.New32a()
	h.Write([]byte(pipeline))
	return e.loops[int(h.Sum32()%uint32(len(e.loops)))]
}

// run handles messages, and offers the writer what was decided whenever it is free.
func (l *loop) run() {
	for {
		for _, f := range l.box.take(atOnce) {
			f()
		}
		var turn chan<- *loop
		switch {
		case len(l.drafts) > 0:
			turn = l.e.writer.turn
		case l.ending && l.sealed == 0:
			if l.box.close() {
				return
			}
			continue
		}
		select {
		case turn <- l: // a writer that is free comes first, so that a long queue does not keep it waiting
			l.e.writer.parcels <- l.seal()
			continue
		default:
		}
		select {
		case <-l.box.signal:
		case turn <- l:
			l.e.writer.parcels <- l.seal()
		}
	}
}

// unit returns a pipeline, loaded if need be.
func (l *loop) unit(name string) (*unit, error) {
	now := l.e.o.Now()
	if u := l.units[name]; u != nil {
		u.used = now
		return u, nil
	}
	u := &unit{name: name, used: now}
	var err error
	if !l.contained(name, func() { err = l.load(u) }) {
		return nil, broken(name)
	}
	if err != nil {
		l.e.log.Error("a pipeline could not be read", "pipeline", name, "err", err)
		return nil, &workflows.Problem{Code: workflows.CodeUnavailable, Message: "the pipeline " + name + " could not be read; nothing was changed", Hint: "the log of the service says why"}
	}
	l.units[name] = u
	l.sweepLater()
	return u, nil
}

// load folds a pipeline from what is durable, and takes its work up.
func (l *loop) load(u *unit) error {
	state, checkpoint, frames, err := fold(l.e.o.Store, u.name)
	if err != nil {
		return err
	}
	u.state, u.seq, u.due, u.at = state, checkpoint.Seq, checkpoint.Due, state.At
	for _, f := range frames {
		u.seq = f.Seq
		u.since += len(f.Events)
	}
	u.left, u.leftFrom = map[string]uint64{}, u.seq
	if known, _ := l.e.known.seq(u.name); known < u.seq { // an unknown commit was written after all, and the store not opened again yet
		l.e.known.set(u.name, u.seq)
	}
	tasks := u.state.Tasks()
	u.busy = len(tasks) > 0
	if u.busy {
		l.e.tasks.sync(u.name, tasks, nil)
	}
	l.arm(u)
	return nil
}

// fold returns a pipeline's state as committed: the newest checkpoint and the frames after it.
func fold(s Store, pipeline string) (*machine.State, Checkpoint, []event.Frame, error) {
	checkpoint, frames, err := s.Load(context.Background(), pipeline)
	if err != nil {
		return nil, checkpoint, nil, err
	}
	state := machine.New(pipeline)
	if len(checkpoint.State) > 0 {
		if err := json.Unmarshal(checkpoint.State, state); err != nil {
			return nil, checkpoint, nil, fmt.Errorf("read the checkpoint of %s at %d: %w", pipeline, checkpoint.Seq, err)
		}
	}
	for _, f := range frames {
		for _, ev := range f.Events {
			state.Evolve(ev)
		}
	}
	state.Departed() // their rows were written with the frames
	return state, checkpoint, frames, nil
}

// contained runs f and turns a panic into false: a fault in one pipeline must not end the service.
func (l *loop) contained(pipeline string, f func()) (ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			ok = false
			l.e.log.Error("a decision panicked; the pipeline is read anew", "pipeline", pipeline, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}

func broken(pipeline string) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: "rollcall failed while it decided about " + pipeline + "; nothing was changed", Hint: "the log of the service says why; please report it"}
}

// crash gives a unit up after a panic. What was decided before and is being
// committed stands; what was not yet handed over is answered as failed.
func (l *loop) crash(u *unit) {
	u.broken = true
	if u.draft != nil {
		for _, settled := range u.draft.settled {
			settled(broken(u.name))
		}
		u.draft = nil
		l.drafts = without(l.drafts, u)
	}
	if u.inflight == 0 {
		l.reread(u)
	}
}

// reread drops a broken unit, and decides what has waited on a fresh one.
func (l *loop) reread(u *unit) {
	delete(l.units, u.name)
	for _, a := range u.waiting {
		l.decide(a)
	}
}

// wakeAt has the pipeline ticked at a time. Safe from any goroutine.
func (l *loop) wakeAt(pipeline string, at time.Time) {
	l.e.timers.set("due/"+pipeline, at, func() {
		l.box.post(func() { l.tick(pipeline) })
	})
}

// arm puts the unit's due time into the heap.
func (l *loop) arm(u *unit) {
	due, ok := u.state.Due()
	if !ok {
		l.e.timers.drop("due/" + u.name)
		return
	}
	if p := l.patience[u.name]; p != nil {
		due = later(due, p.until)
	}
	l.wakeAt(u.name, due)
}

// tick decides about the passing of time.
func (l *loop) tick(pipeline string) {
	l.decide(l.e.chased(&ask{pipeline: pipeline, by: workflows.EnginePrincipal(), tick: true, reply: func(got answer) {
		if got.err != nil {
			l.e.log.Warn("the passing of time could not be decided about; it is tried again", "pipeline", pipeline, "err", got.err)
			l.box.post(func() { l.tryLater(pipeline) })
			return
		}
		l.box.post(func() { delete(l.patience, pipeline) })
	}}))
}

// tryLater has a failed tick repeated after 1 s, doubling to 60 s.
func (l *loop) tryLater(pipeline string) {
	p := l.patience[pipeline]
	if p == nil {
		p = &patience{}
		l.patience[pipeline] = p
	}
	p.until = l.e.o.Now().Add(backoff(p.tries))
	p.tries++
	l.wakeAt(pipeline, p.until)
}

// backoff is the pause after so many failures: 1 s, doubling to 60 s.
func backoff(failures int) time.Duration {
	return min(time.Second<<min(failures, 6), time.Minute)
}

// sweepLater puts one look for idle units into the heap.
func (l *loop) sweepLater() {
	if l.sweeping || l.ending {
		return
	}
	l.sweeping = true
	l.e.timers.set(fmt.Sprintf("sweep/%p", l), l.e.o.Now().Add(parkAfter), func() { l.box.post(l.sweep) })
}

// sweep parks the units in which nothing has happened for a while.
func (l *loop) sweep() {
	l.sweeping = false
	limit := l.e.o.Now().Add(-parkAfter)
	for _, u := range l.units {
		if u.idle() && !u.used.After(limit) {
			l.park(u)
		}
	}
	if len(l.units) > 0 {
		l.sweepLater()
	}
}

func (u *unit) idle() bool { return !u.busy && u.draft == nil && u.inflight == 0 && !u.broken }

// park drops a unit from memory; its due time stays in the heap. One whose
// checkpoint is behind is written down first, and goes with the next sweep.
func (l *loop) park(u *unit) {
	if u.since == 0 {
		delete(l.units, u.name)
		return
	}
	l.draft(u).checkpoint = true
}

// finish writes every unit down; the loop ends when that is durable.
func (l *loop) finish() {
	l.ending = true
	for _, u := range l.units {
		if u.since > 0 && !u.broken {
			l.draft(u).checkpoint = true
		}
	}
}

// reset forgets everything after a commit of unknown end.
func (l *loop) reset() {
	for _, u := range l.units {
		if u.draft != nil {
			for _, settled := range u.draft.settled {
				settled(unknown())
			}
		}
		for _, a := range u.waiting {
			a.reply(answer{err: unknown()})
		}
	}
	clear(l.units)
	l.drafts, l.sealed = nil, 0
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func without[T comparable](all []T, one T) []T {
	var rest []T
	for _, x := range all {
		if x != one {
			rest = append(rest, x)
		}
	}
	return rest
}
