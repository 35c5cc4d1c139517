package decider

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// longestPause is for how long nothing is tried while commits fail: what was mended shows soon after.
const longestPause = 4 * time.Second

// commitApart commits what a store refused as a whole by its parts, so that a
// conflict in one pipeline refuses nothing of another. Nothing of it was written.
func (w *writer) commitApart(batch []*commitRequest, positions []record.Memo, onCommit func(err error)) {
	if len(positions) > 0 {
		err := w.write(&record.Commit{Memos: positions})
		onCommit(err)
		if err != nil {
			w.fail(batch, err)
			return
		}
	}
	parts := apart(batch)
	for i, part := range parts {
		var c record.Commit
		for _, r := range part {
			r.addTo(&c)
		}
		switch err := w.write(&c); {
		case err == nil:
			w.publish(c)
			w.answer(part)
		case errors.Is(err, record.ErrConflict):
			w.refuse(part, err)
		default:
			var rest []*commitRequest
			for _, p := range parts[i:] {
				rest = append(rest, p...)
			}
			w.fail(rest, err)
			return
		}
	}
}

// apart splits a batch: all of one unit together, in order, and each request
// without a loop by itself. Two frames of one pipeline stay together: the second
// could otherwise follow a frame that somebody else has written.
func apart(batch []*commitRequest) (parts [][]*commitRequest) {
	of := map[*unit]int{}
	for _, r := range batch {
		if r.loop == nil {
			parts = append(parts, []*commitRequest{r})
		}
		for _, f := range r.flushes {
			one := &commitRequest{loop: r.loop, flushes: []flush{f}}
			if i, ok := of[f.unit]; ok {
				parts[i] = append(parts[i], one)
				continue
			}
			of[f.unit] = len(parts)
			parts = append(parts, []*commitRequest{one})
		}
	}
	return parts
}

// refuse deals with a part that was not written because somebody else wrote. Its
// loop has dealt with it when refuse returns: nothing more is handed over that
// rests on what was refused.
func (w *writer) refuse(part []*commitRequest, cause error) {
	w.d.log.Warn("a commit was refused; nothing of it was written", "err", cause)
	l := part[0].loop
	if l == nil {
		part[0].onCommit(conflict(cause))
		return
	}
	var flushes []flush
	for _, r := range part {
		flushes = append(flushes, r.flushes...)
	}
	done := make(chan struct{})
	if l.box.post(func() { l.onConflict(flushes, cause); close(done) }) {
		<-done
	}
	if err := w.d.o.Observer.Reloaded(context.Background()); err != nil {
		w.d.log.Error("what others wrote could not be read", "err", err)
	}
}

// onConflict reads a unit anew of which nothing in flight was written. What is
// safe is decided again, on the state that somebody else has left.
func (l *loop) onConflict(flushes []flush, cause error) {
	u := flushes[0].unit
	l.inFlight -= len(flushes)
	var all []answered
	for _, f := range flushes {
		all = append(all, f.answers...)
	}
	all = append(all, l.drop(u)...)
	delete(l.units, u.name)
	again := u.waiting
	for _, a := range all {
		if !a.request.repeatable() {
			a.request.reply(refused(conflict(cause)))
			continue
		}
		a.request.retried = true
		again = append(again, a.request)
	}
	_, _ = l.unit(u.name) // also when nobody waits: its head moves, and its due time
	for _, r := range again {
		l.decide(r)
	}
}

// fail deals with a commit of unknown end, which may have been written, and with
// one that is fenced. The loops forget everything, and rest until the store is
// open again.
func (w *writer) fail(batch []*commitRequest, cause error) {
	isFenced := errors.Is(cause, record.ErrFenced)
	answer := error(unknown())
	if isFenced {
		answer = fenced(cause)
		w.fence(cause)
	} else {
		w.d.log.Error("a commit has an unknown end; everything is read anew", "err", cause)
		w.failed++
		w.d.down.Store(w.failed > 1) // before anybody is answered, and asks again
	}
	rest := make(chan struct{})
	defer close(rest)
	flushes := map[*loop][]flush{}
	for _, r := range batch {
		if r.loop == nil {
			r.onCommit(answer)
			continue
		}
		flushes[r.loop] = append(flushes[r.loop], r.flushes...)
	}
	var resting sync.WaitGroup
	for _, l := range w.d.loops {
		resting.Add(1)
		posted := l.box.post(func() {
			l.fail(flushes[l], answer)
			resting.Done()
			<-rest
		})
		if !posted { // it has ended, and has nothing
			resting.Done()
		}
	}
	resting.Wait()
	if !isFenced {
		w.pause()
		w.reopen()
	}
}

// pause waits before a store is tried again whose last commits have all failed,
// as on a full disk: what must be committed would else be tried without end.
// Meanwhile whoever asks is refused at once.
func (w *writer) pause() {
	if w.failed < 2 {
		return
	}
	select {
	case <-w.d.o.Stopping:
	case <-time.After(min(work.Backoff(w.failed-2), longestPause)):
	}
}

// fence notes, once, that another process has taken over.
func (w *writer) fence(cause error) {
	select {
	case <-w.d.fenced:
	default:
		w.d.log.Error("another process has taken over; this one ends", "err", cause)
		w.d.fencedErr = cause
		close(w.d.fenced)
	}
}

// fail answers everybody whose decision was in a commit that failed, or rests on
// one, and forgets everything.
func (l *loop) fail(flushes []flush, answer error) {
	for _, f := range flushes {
		l.d.o.Tasks.NotStarted(f.opened)
		for _, a := range f.answers {
			a.request.reply(refused(answer))
		}
	}
	for _, u := range l.units {
		if u.pending != nil {
			for _, a := range u.pending.answers {
				a.request.reply(refused(answer))
			}
		}
		for _, r := range u.waiting {
			r.reply(refused(answer))
		}
	}
	clear(l.units)
	l.dirty, l.inFlight = nil, 0
}

// reopen tries until the store answers again; meanwhile whoever asks is refused at
// once. While the service is stopping it does not try again: the next start does the same.
func (w *writer) reopen() {
	ctx := context.Background()
	defer w.d.down.Store(false)
	for failures := 0; ; failures++ {
		err := w.d.o.Heads.Reopen(ctx)
		if err == nil {
			var heads []record.Head
			if heads, err = w.d.Load(ctx); err == nil {
				w.d.Resume(heads)
				err = w.d.o.Observer.Reloaded(ctx)
			}
		}
		if err == nil {
			return
		}
		w.d.log.Error("the store cannot be opened again; it is tried until it can", "err", err)
		w.d.down.Store(true)
		select {
		case <-w.d.o.Stopping:
			return
		case <-time.After(work.Backoff(failures)):
		}
	}
}
