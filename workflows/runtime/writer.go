package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// parcel is what is handed over for one commit: by a loop, or by somebody who
// only writes receipts and memos.
type parcel struct {
	commit work.Commit
	loop   *loop           // nil: from nobody's loop
	sealed []sealed        // the units in it
	done   func(err error) // without a loop: called on the writer's goroutine, must not block
}

// sealed is what the loop must know about a unit once its draft is durable.
type sealed struct {
	unit    *unit
	decided bool // it has a frame
	tasks   []work.Task
	opened  []string // of those, the attempts that this commit began
	settled []func(err error)
}

// settle acts on a commit: tasks are started, whoever waits is answered.
func (l *loop) settle(p *parcel) {
	l.sealed--
	for _, s := range p.sealed {
		s.unit.inflight--
		if s.decided {
			l.e.tasks.sync(s.unit.name, s.tasks, s.opened)
			l.contained(s.unit.name, func() { l.arm(s.unit) })
		}
		for _, settled := range s.settled {
			settled(nil)
		}
		if s.unit.broken && s.unit.inflight == 0 {
			l.reread(s.unit)
		}
	}
	if len(l.units) > 0 {
		l.sweepLater()
	}
}

// fail answers everybody whose decision was in a commit of unknown end.
func (l *loop) fail(p *parcel) {
	for _, s := range p.sealed {
		l.e.tasks.notBegun(s.opened)
		for _, settled := range s.settled {
			settled(unknown())
		}
	}
}

// writer makes commits: one at a time, of everything that is ready when the
// last one is done.
type writer struct {
	e       *Engine
	turn    chan *loop   // a loop that has something to hand over
	parcels chan *parcel // what it hands over
	loose   chan *parcel // from those without a loop
	closing chan struct{}
	ended   chan struct{}
}

func newWriter(e *Engine) *writer {
	return &writer{e: e, turn: make(chan *loop), parcels: make(chan *parcel), loose: make(chan *parcel, 256), closing: make(chan struct{}), ended: make(chan struct{})}
}

func (w *writer) run() {
	defer close(w.ended)
	for {
		batch := w.gather(nil)
		if len(batch) == 0 {
			select {
			case <-w.turn:
				batch = append(batch, <-w.parcels)
			case p := <-w.loose:
				batch = append(batch, p)
			case <-w.closing:
				w.last()
				return
			}
			batch = w.gather(batch)
		}
		w.commit(batch, false)
	}
}

// gather takes what is ready now, what loops have first: the order does not
// depend on luck, so that a simulation can tell the same story twice.
func (w *writer) gather(batch []*parcel) []*parcel {
	for {
		select {
		case <-w.turn:
			batch = append(batch, <-w.parcels)
			continue
		default:
		}
		select {
		case p := <-w.loose:
			batch = append(batch, p)
		default:
			return batch
		}
	}
}

// nudge has a commit made soon, for what rides along with commits.
func (w *writer) nudge() {
	select {
	case w.loose <- &parcel{done: func(error) {}}:
	default: // one is coming anyway
	}
}

// finish ends the writer after what is queued and the followers' positions are durable.
func (w *writer) finish() { close(w.closing) }

func (w *writer) last() {
	batch := w.gather(nil)
	w.commit(batch, true)
}

// commit makes a batch durable and acts on it. What followers have done rides
// along: now and then, and with the last commit in any case.
func (w *writer) commit(batch []*parcel, last bool) {
	var c work.Commit
	for _, p := range batch {
		merge(&c, p.commit)
	}
	var told []func(err error)
	for _, f := range w.e.followers {
		memos, saved := f.position(last)
		c.Memos = append(c.Memos, memos...)
		told = append(told, saved)
	}
	if !empty(c) {
		err := w.e.o.Store.Commit(context.Background(), &c)
		for _, saved := range told {
			saved(err)
		}
		if err != nil {
			w.recover(batch, err)
			return
		}
	}
	w.publish(c)
	for _, p := range batch {
		if p.loop == nil {
			p.done(nil)
			continue
		}
		p.loop.box.post(func() { p.loop.settle(p) })
	}
}

// publish lets readers and followers see what is durable now.
func (w *writer) publish(c work.Commit) {
	for _, f := range c.Frames {
		w.e.known.set(f.Pipeline, f.Seq)
		w.e.catalog.learn(f)
		w.e.invoker.learn(f)
	}
	if len(c.Frames) > 0 {
		w.e.feed.publish(c.Frames)
	}
}

// recover deals with a commit of unknown end: it may have been published. The
// loops forget everything and rest until the file is open again.
func (w *writer) recover(batch []*parcel, cause error) {
	w.e.log.Error("a commit has an unknown end; everything is read anew", "err", cause)
	rest := make(chan struct{})
	defer close(rest)
	mine := map[*loop][]*parcel{}
	for _, p := range batch {
		if p.loop == nil {
			p.done(unknown())
			continue
		}
		mine[p.loop] = append(mine[p.loop], p)
	}
	var resting sync.WaitGroup
	for _, l := range w.e.loops {
		resting.Add(1)
		posted := l.box.post(func() {
			for _, p := range mine[l] {
				l.fail(p)
			}
			l.reset()
			resting.Done()
			<-rest
		})
		if !posted { // it has ended, and holds nothing
			resting.Done()
		}
	}
	resting.Wait()
	w.reopen()
}

// reopen tries until the store answers again. While the engine is stopping it
// tries a few times only: the next start does the same.
func (w *writer) reopen() {
	ctx := context.Background()
	for failures := 0; ; failures++ {
		err := w.e.o.Store.Reopen(ctx)
		if err == nil {
			var heads []Head
			if heads, err = w.e.o.Store.Pipelines(ctx); err == nil {
				w.e.known.reset(heads)
				w.e.takeUp(heads)
				w.e.feed.forget()
				err = w.e.catalog.load(ctx)
				w.e.sources.changed()
				w.e.freezes.changed()
			}
		}
		if err == nil {
			return
		}
		w.e.log.Error("the store cannot be opened again; it is tried until it can", "err", err)
		select {
		case <-w.e.stopping:
			return
		case <-time.After(backoff(failures)):
		}
	}
}

// persist makes receipts and memos durable that no decision carries.
func (e *Engine) persist(ctx context.Context, receipts []work.Receipt, memos []Memo) error {
	done := make(chan error, 1)
	p := &parcel{commit: work.Commit{Receipts: receipts, Memos: memos}, done: func(err error) { done <- err }}
	select {
	case e.writer.loose <- p:
	case <-e.writer.ended:
		return stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-e.writer.ended: // too late: the last commit was made
		return stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func merge(into *work.Commit, c work.Commit) {
	into.Frames = append(into.Frames, c.Frames...)
	into.Checkpoints = append(into.Checkpoints, c.Checkpoints...)
	into.Executions = append(into.Executions, c.Executions...)
	into.Successes = append(into.Successes, c.Successes...)
	into.Receipts = append(into.Receipts, c.Receipts...)
	into.Memos = append(into.Memos, c.Memos...)
}

func empty(c work.Commit) bool {
	return len(c.Frames)+len(c.Checkpoints)+len(c.Executions)+len(c.Receipts)+len(c.Memos)+len(c.Successes) == 0
}
