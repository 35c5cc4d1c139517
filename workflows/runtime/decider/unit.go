package decider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// unit is a loaded pipeline.
type unit struct {
	name     string
	state    *machine.State
	seq      uint64    // of the last frame flushed
	since    int       // events since the last checkpoint flushed
	due      time.Time // when it must be looked at again, as last flushed
	armed    time.Time // what its timer is set to; zero: that is not known
	at       time.Time // of the last decision: time never goes back
	used     time.Time
	busy     bool              // has tasks
	inFlight int               // flushes whose commit has not ended
	left     map[string]uint64 // archived executions: the frame by which their row was last changed, of those after leftFrom
	leftFrom uint64
	pending  *pending // nil: nothing

	broken  bool       // a decision panicked: to be read anew once nothing is in flight
	waiting []*request // for that
}

// pending is what was decided about a unit since its last flush: one frame, once it is flushed.
type pending struct {
	events   []event.Event
	opened   []string // task IDs of the attempts that began
	departed []workflows.Execution
	extra    record.Commit // claims, receipts and memos
	answers  []answered    // given after the commit
}

// answered is a request that is decided, and replied to once that is durable.
type answered struct {
	request *request
	got     decision
}

// unit returns a pipeline, loaded if need be.
func (l *loop) unit(name string) (*unit, error) {
	now := l.d.o.Now()
	if u := l.units[name]; u != nil {
		u.used = now
		return u, nil
	}
	u := &unit{name: name, used: now}
	var err error
	if !l.contained(name, func() { err = l.load(u) }) {
		return nil, Failed(name)
	}
	if err != nil {
		l.d.log.Error("a pipeline could not be read", "pipeline", name, "err", err)
		return nil, &workflows.Problem{Code: workflows.CodeUnavailable, Message: "the pipeline " + name + " could not be read; nothing was changed", Hint: "the log of the service says why"}
	}
	l.units[name] = u
	l.sweepLater()
	return u, nil
}

// load folds a pipeline from what is durable, and takes its work up.
func (l *loop) load(u *unit) error {
	state, saved, frames, err := l.d.fold(context.Background(), u.name)
	if err != nil {
		return err
	}
	u.state, u.seq, u.due, u.at = state, saved.Seq, saved.Due, state.At
	for _, f := range frames {
		u.seq = f.Seq
		u.since += len(f.Events)
	}
	u.left, u.leftFrom = map[string]uint64{}, u.seq
	if known, _ := l.d.heads.seq(u.name); known < u.seq { // written by a commit of unknown end before the store was opened again, or by somebody else
		l.d.heads.set(u.name, u.seq)
	}
	if l.behind(u) {
		return nil
	}
	tasks := u.state.Tasks()
	u.busy = len(tasks) > 0
	if u.busy {
		l.d.o.Tasks.Reconcile(u.name, tasks, nil)
	}
	l.arm(u)
	return nil
}

// fold returns a pipeline's state as committed: the newest checkpoint and the frames after it.
func (d *Decider) fold(ctx context.Context, pipeline string) (*machine.State, record.Checkpoint, []event.Frame, error) {
	saved, frames, err := d.o.Log.Load(ctx, pipeline)
	if err != nil {
		return nil, saved, nil, err
	}
	state := machine.New(pipeline)
	if len(saved.State) > 0 {
		if state, err = d.o.Decode(saved.State); err != nil {
			return nil, saved, nil, fmt.Errorf("read the checkpoint of %s at %d: %w", pipeline, saved.Seq, err)
		}
	}
	for _, f := range frames {
		for _, ev := range f.Events {
			state.Evolve(ev)
		}
	}
	state.Departed() // their rows were written with the frames
	return state, saved, frames, nil
}

// crash gives a unit up after a panic. What was decided before and is being
// committed stands; what was not yet handed over is answered as failed.
func (l *loop) crash(u *unit) {
	u.broken = true
	for _, a := range l.drop(u) {
		a.request.reply(refused(Failed(u.name)))
	}
	if u.inFlight == 0 {
		l.reload(u)
	}
}

// drop forgets what is pending in a unit, and returns who waits for it.
func (l *loop) drop(u *unit) []answered {
	if u.pending == nil {
		return nil
	}
	answers := u.pending.answers
	u.pending = nil
	l.dirty = slices.DeleteFunc(l.dirty, func(one *unit) bool { return one == u })
	return answers
}

// reload drops a broken unit, and decides what has waited on a fresh one.
func (l *loop) reload(u *unit) {
	delete(l.units, u.name)
	for _, r := range u.waiting {
		l.decide(r)
	}
}

func (u *unit) idle() bool { return !u.busy && u.pending == nil && u.inFlight == 0 && !u.broken }
