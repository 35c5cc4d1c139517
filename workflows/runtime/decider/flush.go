package decider

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// checkpointEvery is after how many events a pipeline's state is written whole:
// about so many are folded at most when it is read. To fold them takes as long
// as to read a state.
const checkpointEvery = 64

// flushAtOnce is how many pipelines a loop hands over for one commit. The rest
// follow with the next: whoever waits for a commit, as acknowledgements of what
// comes from outside do, never waits until all that a busy service has decided
// is written down.
const flushAtOnce = 16

// flush is what of one unit is in flight, and what the loop must know once it is durable.
type flush struct {
	unit    *unit
	commit  record.Commit
	decided bool // it has a frame
	tasks   []work.Task
	opened  []string // of those, the attempts that this commit began
	answers []answered
}

// flush turns what is pending into a commit request: a frame per pipeline, and the rows that go with it.
func (l *loop) flush() *commitRequest {
	r := &commitRequest{loop: l}
	n := min(len(l.dirty), flushAtOnce)
	dirty := l.dirty[:n]
	l.dirty = slices.Clone(l.dirty[n:]) // flushing may add to it
	for _, u := range dirty {
		var f flush
		if !l.contained(u.name, func() { f = l.flushUnit(u) }) {
			l.dirty = append(l.dirty, u)
			l.crash(u)
			continue
		}
		u.pending = nil
		u.inFlight++
		r.flushes = append(r.flushes, f)
	}
	l.inFlight += len(r.flushes)
	return r
}

func (l *loop) flushUnit(u *unit) flush {
	p := u.pending
	f := flush{unit: u, commit: p.extra, opened: p.opened, answers: p.answers}
	if len(p.events) > 0 {
		f.decided = true
		f.tasks = u.state.Tasks()
		u.busy = len(f.tasks) > 0
		u.seq++
		u.since += len(p.events)
		f.commit.Frames = []event.Frame{{Pipeline: u.name, Seq: u.seq, Events: p.events}}
		f.commit.Memos = append(f.commit.Memos, l.d.o.Index(u.state, p.events)...)
	}
	rows := l.rows(u, p)
	f.commit.Successes = successes(u, p, rows)
	if due := u.dueNow(); !due.Equal(u.due) {
		f.commit.Dues = append(f.commit.Dues, record.Due{Pipeline: u.name, At: due})
		u.due = due
	}
	if u.since >= checkpointEvery {
		rows = append(rows, u.others(rows)...)
		f.commit.Checkpoints = []record.Checkpoint{l.checkpoint(u)}
	}
	f.commit.Executions = rows
	if l.d.encode != nil {
		l.d.encode(&f.commit)
	}
	return f
}

// rows are the executions whose row must change: those that began, went on
// after their end, or ended. Others are found in the state.
func (l *loop) rows(u *unit, p *pending) []workflows.Execution {
	var rows []workflows.Execution
	has := map[string]bool{}
	for _, ev := range p.events {
		began := ev.Kind == event.ExecutionStarted || ev.Kind == event.ExecutionResumed || ev.Kind == event.ExecutionObserved
		if !began || has[ev.Execution] {
			continue
		}
		if e, ok := u.state.Execution(ev.Execution); ok {
			has[ev.Execution] = true
			rows = append(rows, e)
		}
	}
	for i := len(p.departed) - 1; i >= 0; i-- { // the last state of each
		if e := p.departed[i]; !has[e.ID] {
			has[e.ID] = true
			rows = append(rows, e)
		}
	}
	return rows
}

// others are the unfinished executions that are not among rows.
func (u *unit) others(rows []workflows.Execution) []workflows.Execution {
	has := map[string]bool{}
	for _, e := range rows {
		has[e.ID] = true
	}
	var others []workflows.Execution
	for _, e := range u.state.Unfinished() {
		if !has[e.ID] {
			others = append(others, e)
		}
	}
	return others
}

// successes is the index of what a stage could be rolled back to: rollbacks bring nothing new.
func successes(u *unit, p *pending, rows []workflows.Execution) []record.Success {
	var all []record.Success
	add := func(e *workflows.Execution, stage string) {
		if e.Type == workflows.TypeStandard {
			all = append(all, record.Success{Pipeline: u.name, Stage: stage, Execution: e.ID, Number: e.Number})
		}
	}
	for _, ev := range p.events {
		if ev.Kind == event.ExecutionObserved {
			for _, st := range ev.Started.Stages {
				if st.Status == workflows.StatusSucceeded {
					add(ev.Started, st.Name)
				}
			}
		}
		if ev.Kind != event.StageSucceeded {
			continue
		}
		e, ok := u.state.Execution(ev.Execution)
		for i := 0; !ok && i < len(rows); i++ {
			if rows[i].ID == ev.Execution {
				e, ok = rows[i], true
			}
		}
		if ok {
			add(&e, ev.Stage)
		}
	}
	return all
}

// dueNow is when the pipeline must be looked at after a restart: at once while
// work is under way outside. The zero time: never.
func (u *unit) dueNow() time.Time {
	switch {
	case u.busy && !u.due.IsZero() && !u.due.After(u.at): // that is written down already
		return u.due
	case u.busy:
		return u.at
	}
	due, _ := u.state.Due()
	return due
}

func (l *loop) checkpoint(u *unit) record.Checkpoint {
	state, err := l.d.o.Encode(u.state)
	if err != nil {
		panic("decider: a state can always be written: " + err.Error())
	}
	u.since = 0
	return record.Checkpoint{Pipeline: u.name, Seq: u.seq, State: state, Due: u.due}
}
