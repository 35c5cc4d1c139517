package decider

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// tickBackoff keeps a pipeline whose ticks panic from being tried without pause.
type tickBackoff struct {
	tries int
	until time.Time
}

// wakeAt has the pipeline ticked at a time. Safe from any goroutine.
func (l *loop) wakeAt(pipeline string, at time.Time) {
	l.d.o.Timers.Set("due/"+pipeline, at, func() {
		l.box.post(func() { l.tick(pipeline) })
	})
}

// arm puts the unit's due time into the heap.
func (l *loop) arm(u *unit) {
	due, ok := u.state.Due()
	if !ok {
		l.d.o.Timers.Drop("due/" + u.name)
		u.armed = time.Time{}
		return
	}
	if b := l.backoffs[u.name]; b != nil {
		due = later(due, b.until)
	}
	if due.Equal(u.armed) || u.busy && !u.armed.IsZero() && due.After(u.armed) {
		return // a timer that fires early finds nothing, and sets the next
	}
	l.wakeAt(u.name, due)
	u.armed = due
}

// tick decides about the passing of time.
func (l *loop) tick(pipeline string) {
	if u := l.units[pipeline]; u != nil {
		u.armed = time.Time{}
	}
	r := &request{Request: Request{Pipeline: pipeline, By: workflows.EnginePrincipal()}, tick: true}
	r.reply = func(got decision) {
		if got.Err != nil {
			l.d.log.Warn("the passing of time could not be decided about; it is tried again", "pipeline", pipeline, "err", got.Err)
			l.box.post(func() { l.tickLater(pipeline) })
			return
		}
		l.box.post(func() { delete(l.backoffs, pipeline) })
	}
	l.decide(l.d.withFacts(r))
}

// tickLater has a failed tick repeated after 1 s, doubling to 60 s.
func (l *loop) tickLater(pipeline string) {
	b := l.backoffs[pipeline]
	if b == nil {
		b = &tickBackoff{}
		l.backoffs[pipeline] = b
	}
	b.until = l.d.o.Now().Add(work.Backoff(b.tries))
	b.tries++
	l.wakeAt(pipeline, b.until)
}
