package runtime

import (
	"encoding/json"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// checkpointEvery is after how many events a pipeline's state is written whole:
// so many are folded at most when it is read.
const checkpointEvery = 32

// seal turns the drafts into a parcel: a frame per pipeline, and the rows that go with it.
func (l *loop) seal() *parcel {
	p := &parcel{loop: l}
	drafts := l.drafts
	l.drafts = nil
	for _, u := range drafts {
		var c work.Commit
		var s sealed
		if !l.contained(u.name, func() { s = l.sealUnit(u, &c) }) {
			l.drafts = append(l.drafts, u)
			l.crash(u)
			continue
		}
		u.draft = nil
		u.inflight++
		p.sealed = append(p.sealed, s)
		merge(&p.commit, c)
	}
	l.sealed++
	return p
}

func (l *loop) sealUnit(u *unit, c *work.Commit) sealed {
	d := u.draft
	s := sealed{unit: u, opened: d.opened, settled: d.settled}
	c.Receipts, c.Memos = d.receipts, d.memos
	if len(d.events) > 0 {
		s.decided = true
		s.tasks = u.state.Tasks()
		u.busy = len(s.tasks) > 0
		u.seq++
		u.since += len(d.events)
		c.Frames = []event.Frame{{Pipeline: u.name, Seq: u.seq, Events: d.events}}
		c.Memos = append(c.Memos, index(u.name, d.events)...)
	}
	rows := l.rows(u, d)
	c.Successes = successes(u, d, rows)
	due := u.dueNow()
	if d.checkpoint || u.seq == 1 || len(rows) > 0 || u.since >= checkpointEvery || sooner(due, u.due) {
		if u.since >= checkpointEvery || d.checkpoint {
			rows = append(rows, u.others(rows)...)
		}
		c.Checkpoints = []Checkpoint{u.checkpoint(due)}
	}
	c.Executions = rows
	return s
}

// rows are the executions whose row must change: those that began, went on
// after their end, or ended. Others are found in the state.
func (l *loop) rows(u *unit, d *draft) []workflows.Execution {
	var rows []workflows.Execution
	has := map[string]bool{}
	for _, ev := range d.events {
		if ev.Kind != event.ExecutionStarted && ev.Kind != event.ExecutionResumed || has[ev.Execution] {
			continue
		}
		if e, ok := u.state.Execution(ev.Execution); ok {
			has[ev.Execution] = true
			rows = append(rows, e)
		}
	}
	for i := len(d.departed) - 1; i >= 0; i-- { // the last state of each
		if e := d.departed[i]; !has[e.ID] {
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
func successes(u *unit, d *draft, rows []workflows.Execution) []Success {
	var all []Success
	for _, ev := range d.events {
		if ev.Kind != event.StageSucceeded {
			continue
		}
		e, ok := u.state.Execution(ev.Execution)
		for i := 0; !ok && i < len(rows); i++ {
			if rows[i].ID == ev.Execution {
				e, ok = rows[i], true
			}
		}
		if ok && e.Type == workflows.TypeStandard {
			all = append(all, Success{Pipeline: u.name, Stage: ev.Stage, Execution: e.ID, Number: e.Number})
		}
	}
	return all
}

// dueNow is when the pipeline must be looked at after a restart: at once while
// work is under way outside. The zero time: never.
func (u *unit) dueNow() time.Time {
	if u.busy {
		return u.at
	}
	due, _ := u.state.Due()
	return due
}

// sooner says whether a checkpoint's due time would come too late.
func sooner(due, durable time.Time) bool {
	return !due.IsZero() && (durable.IsZero() || due.Before(durable))
}

func (u *unit) checkpoint(due time.Time) Checkpoint {
	state, err := json.Marshal(u.state)
	if err != nil {
		panic("runtime: a state always marshals: " + err.Error())
	}
	u.since, u.due = 0, due
	return Checkpoint{Pipeline: u.name, Seq: u.seq, State: state, Due: due}
}
