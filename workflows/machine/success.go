package machine

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	successesKept = 20
	recent        = 5 // successes back from now whose approval a rollback need not repeat
)

// success is an execution that succeeded in a stage, and when its content ran there.
type success struct {
	Execution string           `json:"execution"`
	Number    int              `json:"number"`
	Version   int              `json:"version"`
	Digest    string           `json:"digest"` // of the stage as it ran
	Ran       []workflows.Span `json:"ran"`    // newest first
	// LeftBy is the ROLLBACK execution by which people went away from it. It is
	// never chosen automatically again, until people go back to it.
	LeftBy string `json:"leftBy,omitempty"`
}

// succeed records that the execution succeeded in the stage: its content (of a
// rollback: the target's) runs there now.
func (st *stage) succeed(e *workflows.Execution, digest string, at time.Time) {
	st.closeSpan(at)
	runs := workflows.Running{Execution: e.ID, Number: e.Number, Since: at, Certain: true}
	if e.Rollback != nil {
		runs = workflows.Running{Execution: e.Rollback.Target, Number: e.Rollback.TargetNumber, Since: at, Certain: true, By: e.ID}
	}
	st.Runs = &runs
	i := st.find(runs.Execution)
	if i < 0 {
		st.Successes = slices.Insert(slices.Clone(st.Successes), 0, success{
			Execution: runs.Execution, Number: runs.Number, Version: e.Version, Digest: digest,
		})
		i = 0
	} else {
		st.Successes = slices.Clone(st.Successes)
	}
	s := &st.Successes[i]
	s.LeftBy = ""
	s.Ran = slices.Insert(slices.Clone(s.Ran), 0, workflows.Span{From: at})
	if n := len(st.Successes); n > successesKept {
		st.Successes = slices.Delete(st.Successes, n-1, n)
	}
}

func (st *stage) find(execution string) int {
	return slices.IndexFunc(st.Successes, func(s success) bool { return s.Execution == execution })
}

// closeSpan ends the stretch of time in which the present content ran.
func (st *stage) closeSpan(at time.Time) {
	if st.Runs == nil {
		return
	}
	i := st.find(st.Runs.Execution)
	if i < 0 || len(st.Successes[i].Ran) == 0 || st.Successes[i].Ran[0].To != nil {
		return
	}
	st.Successes = slices.Clone(st.Successes)
	ran := slices.Clone(st.Successes[i].Ran)
	ran[0].To = &at
	st.Successes[i].Ran = ran
}

// leave marks that people went away from what ran, to the target.
func (st *stage) leave(left, target, by string) {
	i := st.find(left)
	if i < 0 || left == target {
		return
	}
	st.Successes = slices.Clone(st.Successes)
	st.Successes[i].LeftBy = by
}

// doubt marks that nobody can be sure what the stage runs, until something succeeds there.
func (st *stage) doubt() {
	if st.Runs != nil && st.Runs.Certain {
		r := *st.Runs
		r.Certain = false
		st.Runs = &r
	}
}

// lastGood is where to go back to: what ran before whatever is wrong now. That
// is what the stage ran, when that has become uncertain; else the newest
// success before it. What people rolled back from is passed over.
func (s *State) lastGood(name string) (success, bool) {
	st := s.peek(name)
	if st.Runs == nil {
		return success{}, false
	}
	if i := st.find(st.Runs.Execution); i >= 0 && !st.Runs.Certain && st.Successes[i].LeftBy == "" {
		return st.Successes[i], true
	}
	sameVersion := false
	if p := s.definition(); p != nil {
		def, ok := p.Stage(name)
		sameVersion = ok && def.Rollback.Eligible == "sameVersion"
	}
	for _, good := range st.Successes {
		if good.Execution == st.Runs.Execution || good.LeftBy != "" || sameVersion && good.Version != s.Version {
			continue
		}
		return good, true
	}
	return success{}, false
}

// isRecent says whether the execution is among the stage's newest successes.
func (st *stage) isRecent(execution string) bool {
	i := st.find(execution)
	return i >= 0 && i < recent
}
