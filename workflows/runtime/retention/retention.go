package retention

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	between  = 10 * time.Second // passes; what comes due meanwhile shares one
	again    = 30 * time.Second // after an error
	timerKey = "retention"
)

// Retention removes what is old. Its methods may be called from any goroutine.
type Retention struct {
	o        Options
	wake     chan struct{} // has one when a pass is due
	reserved *reservations

	mu        sync.Mutex // guards what follows: when there is something to look at next
	pipelines map[string]look
	logs      look
	artifacts look
	next      time.Time // for which the timer is set; zero: it is not
	passing   bool      // a pass is being made; it sets the timer when it has ended
	earliest  time.Time // no pass before
}

// look is when something must be looked at; the zero time: not before something happens.
type look struct {
	at   time.Time
	kept bool // something is old and needed: it may go when something else happens
}

// New returns what removes nothing before Run.
func New(o Options) *Retention {
	return &Retention{o: o, wake: make(chan struct{}, 1), reserved: newReservations(), pipelines: map[string]look{}}
}

// Policy says how long things are kept.
func (r *Retention) Policy() Policy { return r.o.Policy }

// Run removes what is due until ctx ends; at once, when nothing ever is.
func (r *Retention) Run(ctx context.Context) {
	if !r.o.Policy.on() {
		return
	}
	for r.Reloaded(); ; {
		select {
		case <-r.wake:
			r.pass(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Reloaded has everything looked at: more may be durable than Committed was told.
func (r *Retention) Reloaded() {
	if !r.o.Policy.on() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	for _, name := range r.o.States.Names() {
		r.pipelines[name] = look{at: now, kept: true}
	}
	r.logs, r.artifacts = look{at: now}, look{at: now, kept: true}
	r.schedule(now)
}

// Committed takes note of what has ended, and of what is needed no longer. It only sets times.
func (r *Retention) Committed(frames []event.Frame) {
	if !r.o.Policy.on() {
		return
	}
	for _, f := range frames {
		for i := range f.Events {
			if ends, frees := follows(f.Events[i].Kind); ends || frees {
				r.note(f.Pipeline, f.Events[i].At, ends)
			}
		}
	}
}

// follows says what follows from an event: it leaves an ended execution behind,
// or something that had to stay may go now.
func follows(kind event.Kind) (ends, frees bool) {
	switch kind {
	case event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionStopped, event.ExecutionSuperseded, event.ExecutionCancelled, event.ExecutionNoted:
		return true, true
	case event.StageSucceeded, event.TransitionEnabled, event.TransitionDisabled, event.ReturnDropped, event.OrphanConfirmed:
		return false, true
	}
	return false, false
}

// note sets times by an event: when what has ended is due, and now where
// something is old and may be needed no longer.
func (r *Retention) note(pipeline string, at time.Time, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sooner := func(l look, age Age) look {
		switch {
		case age == 0:
		case l.kept:
			l.at = earlier(l.at, r.o.Now())
		case ended:
			l.at = earlier(l.at, age.After(at))
		}
		return l
	}
	l := sooner(r.pipelines[pipeline], r.o.Policy.Executions)
	r.pipelines[pipeline] = l
	r.logs, r.artifacts = sooner(r.logs, r.o.Policy.Logs), sooner(r.artifacts, r.o.Policy.Artifacts)
	r.schedule(earlier(l.at, earlier(r.logs.at, r.artifacts.at)))
}

// schedule has a pass made at that time, unless one is made before it. r.mu is locked.
func (r *Retention) schedule(at time.Time) {
	if at.IsZero() || r.passing {
		return
	}
	if at.Before(r.earliest) {
		at = r.earliest
	}
	if !r.next.IsZero() && !at.Before(r.next) {
		return
	}
	r.next = at
	r.o.Timers.Set(timerKey, at, func() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	})
}

// pass looks at all that is due.
func (r *Retention) pass(ctx context.Context) {
	now := r.o.Now()
	due, logs := r.begin(now)
	if r.o.Policy.Executions != 0 {
		r.removeRows(ctx, due, now)
	}
	if logs && r.o.Files != nil {
		r.done(ctx, &r.logs, "logs", func() (look, error) { return r.removeLogs(ctx, now) })
	}
	r.mu.Lock()
	artifacts := r.artifacts.take(now)
	r.mu.Unlock()
	if artifacts && r.o.Files != nil && r.o.Policy.Artifacts != 0 {
		r.done(ctx, &r.artifacts, "artifacts", func() (look, error) { return r.removeArtifacts(ctx, now) })
	}
	r.end()
}

// begin takes what is due.
func (r *Retention) begin(now time.Time) (pipelines []string, logs bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next, r.passing = time.Time{}, true
	for name, l := range r.pipelines {
		if l.take(now) {
			pipelines = append(pipelines, name)
			r.pipelines[name] = l
		}
	}
	slices.Sort(pipelines)
	return pipelines, r.logs.take(now)
}

// end sets the timer for what is due next.
func (r *Retention) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.earliest, r.passing = r.o.Now().Add(between), false
	at := earlier(r.logs.at, r.artifacts.at)
	for _, l := range r.pipelines {
		at = earlier(at, l.at)
	}
	r.schedule(at)
}

// take says whether it is time to look, and that somebody does.
func (l *look) take(now time.Time) bool {
	due := !l.at.IsZero() && !l.at.After(now)
	if due {
		l.at = time.Time{}
	}
	return due
}

// done has something looked at, and notes when to look again.
func (r *Retention) done(ctx context.Context, of *look, what string, do func() (look, error)) {
	next, err := do()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.o.Log.Warn("what is old could not be removed; it is tried again", "what", what, "err", err)
		next = look{at: r.o.Now().Add(again), kept: true}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of.at, of.kept = earlier(of.at, next.at), next.kept
}

// rest lets others write: most of the time nothing is removed.
func (r *Retention) rest(ctx context.Context, took time.Duration) {
	pause := time.NewTimer(max(4*took, 5*time.Millisecond))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}
