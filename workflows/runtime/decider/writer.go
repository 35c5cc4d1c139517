package decider

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// commitRequest is what is to be made durable: of a loop, or of somebody who
// only writes receipts and memos.
type commitRequest struct {
	loop    *loop   // nil: it belongs to no decision
	flushes []flush // of the loop

	commit   record.Commit   // without a loop
	onCommit func(err error) // without a loop: called on the writer's goroutine, must not block
}

// addTo adds the request's rows to a commit.
func (r *commitRequest) addTo(c *record.Commit) {
	c.Add(r.commit)
	for i := range r.flushes {
		c.Add(r.flushes[i].commit)
	}
}

// writer makes commits: one at a time, of everything that is ready when the
// last one is done.
type writer struct {
	d        *Decider
	turn     chan struct{}       // a loop has something to hand over
	requests chan *commitRequest // what it hands over
	loose    chan *commitRequest // from those without a loop
	closing  chan struct{}
	ended    chan struct{}
	failed   int // commits of unknown end in a row
}

func newWriter(d *Decider) *writer {
	return &writer{
		d: d, turn: make(chan struct{}), requests: make(chan *commitRequest), loose: make(chan *commitRequest, 256),
		closing: make(chan struct{}), ended: make(chan struct{}),
	}
}

func (w *writer) run() {
	defer close(w.ended)
	for {
		batch := w.gather(nil, len(w.d.loops))
		if len(batch) == 0 {
			turns := len(w.d.loops)
			select {
			case <-w.turn:
				batch = w.receive(batch, 1)
				turns--
			case r := <-w.loose:
				batch = append(batch, r)
			case <-w.closing: // the loops have ended
				w.commit(w.gather(nil, 0), true)
				return
			}
			batch = w.gather(batch, turns)
		}
		w.commit(batch, false)
	}
}

// finish ends the writer after what is queued and every position are durable.
func (w *writer) finish() { close(w.closing) }

// gather takes what is ready now, that of loops first: the order does not depend
// on the scheduler, so that a simulation with the same seed runs the same way.
// The loops make their requests side by side. There are at most so many of them,
// about one of each loop: a commit begins however fast they go on deciding.
func (w *writer) gather(batch []*commitRequest, most int) []*commitRequest {
	ready := 0
	for more := most > 0; more; {
		select {
		case <-w.turn:
			ready++
			more = ready < most
		default:
			more = false
		}
	}
	batch = w.receive(batch, ready)
	for {
		select {
		case r := <-w.loose:
			batch = append(batch, r)
		default:
			return batch
		}
	}
}

// receive takes the requests of so many loops that were told that it is their turn.
func (w *writer) receive(batch []*commitRequest, n int) []*commitRequest {
	first := len(batch)
	for range n {
		batch = append(batch, <-w.requests)
	}
	slices.SortFunc(batch[first:], func(a, b *commitRequest) int { return a.loop.index - b.loop.index })
	return batch
}

// commit makes a batch durable and acts on it. Positions are saved with it: now
// and then, and with the last commit in any case.
func (w *writer) commit(batch []*commitRequest, last bool) {
	var c record.Commit
	for _, r := range batch {
		r.addTo(&c)
	}
	positions, onCommit := w.d.o.Positions.Positions(last)
	c.Memos = append(c.Memos, positions...)
	if !c.Empty() {
		err := w.write(&c)
		if errors.Is(err, record.ErrConflict) {
			w.commitApart(batch, positions, onCommit)
			return
		}
		onCommit(err)
		if err != nil {
			w.fail(batch, err)
			return
		}
	}
	w.publish(c)
	w.answer(batch)
}

// write makes a commit, unless another process has taken over.
func (w *writer) write(c *record.Commit) error {
	if err := w.d.Err(); err != nil {
		return err
	}
	err := w.d.o.Log.Commit(context.Background(), c)
	if err == nil {
		w.failed = 0
	}
	return err
}

// publish lets readers and followers see what is durable now.
func (w *writer) publish(c record.Commit) {
	for _, f := range c.Frames {
		w.d.heads.set(f.Pipeline, f.Seq)
	}
	if len(c.Frames) > 0 {
		w.d.o.Observer.Committed(c.Frames)
	}
}

// answer lets everybody go on whose request is durable: who waits for nothing
// else at once, before anything that follows from it.
func (w *writer) answer(batch []*commitRequest) {
	for _, r := range batch {
		if r.loop == nil {
			r.onCommit(nil)
			continue
		}
		for i := range r.flushes {
			r.flushes[i].answer(true)
		}
		r.loop.box.post(func() { r.loop.onCommit(r.flushes) })
	}
}

// answer replies to those who only wait, or to the others.
func (f *flush) answer(waiting bool) {
	for _, a := range f.answers {
		if a.request.waiting == waiting {
			a.request.reply(a.got)
		}
	}
}

// onCommit acts on a commit: tasks are started, whoever was not answered is.
func (l *loop) onCommit(flushes []flush) {
	l.inFlight -= len(flushes)
	for i := range flushes {
		f := &flushes[i]
		f.unit.inFlight--
		if f.decided {
			l.d.o.Tasks.Reconcile(f.unit.name, f.tasks, f.opened)
			l.contained(f.unit.name, func() { l.arm(f.unit) })
		}
		f.answer(false)
		if f.unit.broken && f.unit.inFlight == 0 {
			l.reload(f.unit)
		}
	}
	if len(l.units) > 0 {
		l.sweepLater()
	}
}
