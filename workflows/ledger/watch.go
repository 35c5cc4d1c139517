package ledger

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Watch begins to watch the alarms of what runs. before is the execution whose
// content ran when that came here.
func (st *Stage) Watch(until time.Time, before string) {
	st.amend(func(r *workflows.Running) { r.WatchedUntil, r.Alarm, r.Before = &until, nil, before })
}

// Alarm notes what of the alarms of what runs is not well; nil: nothing.
func (st *Stage) Alarm(why *workflows.Reason) {
	st.amend(func(r *workflows.Running) { r.Alarm = why })
}

// Unwatch ends the watch of what runs, if there is one.
func (st *Stage) Unwatch() {
	if st.Runs != nil && st.Runs.WatchedUntil != nil {
		st.amend(func(r *workflows.Running) { r.WatchedUntil, r.Alarm, r.Before = nil, nil, "" })
	}
}

// amend replaces what is known of what runs.
func (st *Stage) amend(change func(*workflows.Running)) {
	if st.Runs != nil {
		r := *st.Runs
		change(&r)
		st.Runs = &r
	}
}

// Before is where an alarm leads back to: what ran right before what runs. As with
// [Stage.LastGood] what people rolled back from is passed over, and version, when
// not 0, is the only one that counts: then it is the newest success that is left. nil: nothing.
func (st *Stage) Before(version int) *Success {
	if st.Runs != nil && st.Runs.Before != "" && st.Runs.Before != st.Runs.Execution {
		if s := st.Success(st.Runs.Before); s != nil && s.LeftBy == "" && (version == 0 || s.Version == version) {
			return s
		}
	}
	return st.LastGood(version)
}
