package decider

import (
	"fmt"
	"runtime/debug"
	"time"
)

const (
	atOnce     = 512             // messages handled before the writer is offered what was decided
	parkAfter  = 5 * time.Second // without anything happening, before a pipeline leaves memory
	sweepEvery = time.Second     // at most so often those are looked for
)

// loop decides for the pipelines that are hashed onto it. Its fields and its
// units belong to its goroutine; everybody else posts to the box.
type loop struct {
	d     *Decider
	index int // among the loops
	box   *mailbox

	units    map[string]*unit
	dirty    []*unit // those with something pending, in order of first decision
	inFlight int     // flushes handed over whose commit has not ended
	backoffs map[string]*tickBackoff
	sweeping bool // a sweep for idle units is in the heap
	ending   bool
}

func newLoop(d *Decider, index int) *loop {
	return &loop{d: d, index: index, box: newMailbox(), units: map[string]*unit{}, backoffs: map[string]*tickBackoff{}}
}

// run handles messages, and offers the writer what was decided whenever it is free.
func (l *loop) run() {
	for {
		for _, f := range l.box.take(atOnce) {
			f()
		}
		var turn chan<- struct{}
		switch {
		case len(l.dirty) > 0:
			turn = l.d.writer.turn
		case l.ending && l.inFlight == 0:
			if l.box.closeIfEmpty() {
				return
			}
			continue
		}
		select {
		case turn <- struct{}{}: // a writer that is free comes first, so that a long queue does not keep it waiting
			l.d.writer.requests <- l.flush()
			continue
		default:
		}
		select {
		case <-l.box.signal:
		case turn <- struct{}{}:
			l.d.writer.requests <- l.flush()
		}
	}
}

// contained runs f and turns a panic into false: a fault in one pipeline must not end the service.
func (l *loop) contained(pipeline string, f func()) (ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			ok = false
			l.d.log.Error("a decision panicked; the pipeline is read anew", "pipeline", pipeline, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}

// sweepLater puts one look for idle units into the heap, unless one is there.
func (l *loop) sweepLater() {
	if !l.sweeping && !l.ending {
		l.sweepAt(l.d.o.Now().Add(parkAfter))
	}
}

func (l *loop) sweepAt(at time.Time) {
	l.sweeping = true
	l.d.o.Timers.Set(fmt.Sprintf("sweep/%p", l), at, func() { l.box.post(l.sweep) })
}

// sweep parks the units in which nothing has happened for a while, and looks
// again when the next one may go. Nothing wakes it when nothing can go.
func (l *loop) sweep() {
	l.sweeping = false
	now := l.d.o.Now()
	var next time.Time // when the first of the others may go
	for _, u := range l.units {
		switch goes := u.used.Add(parkAfter); {
		case !u.idle(): // its next commit looks again
		case !goes.After(now):
			l.park(u)
		case next.IsZero() || goes.Before(next):
			next = goes
		}
	}
	if !next.IsZero() && !l.ending {
		l.sweepAt(later(next, now.Add(sweepEvery)))
	}
}

// park drops a unit from memory; its due time stays in the heap. There is nothing
// to write: the log says all.
func (l *loop) park(u *unit) {
	delete(l.units, u.name)
	l.d.o.Unloaded()
}

// finish has the loop end when all that it decided is durable.
func (l *loop) finish() { l.ending = true }
