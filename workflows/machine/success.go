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

// success is the record of an execution that succeeded in a stage, and of when its content ran there.
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
	if st.find(runs.Execution) < 0 {
		first := &success{Execution: runs.Execution, Number: runs.Number, Version: e.Version, Digest: digest}
		kept := st.Successes[:min(len(st.Successes), successesKept-1)]
		st.Successes = append([]*success{first}, kept...)
	}
	st.rewrite(runs.Execution, func(s *success) {
		s.LeftBy = ""
		s.Ran = append([]workflows.Span{{From: at}}, s.Ran...)
	})
}

// rewrite replaces the record of an execution's success, if there is one.
func (st *stage) rewrite(execution string, change func(*success)) {
	i := st.find(execution)
	if i < 0 {
		return
	}
	s := *st.Successes[i]
	change(&s)
	st.Successes = slices.Clone(st.Successes)
	st.Successes[i] = &s
}

func (st *stage) find(execution string) int {
	return slices.IndexFunc(st.Successes, func(s *success) bool { return s.Execution == execution })
}

// closeSpan ends the stretch of time in which the present content ran.
func (st *stage) closeSpan(at time.Time) {
	if st.Runs == nil {
		return
	}
	st.rewrite(st.Runs.Execution, func(s *success) {
		s.Ran = slices.Clone(s.Ran)
		s.Ran[0].To = &at
	})
}

// leave marks that people went away from what ran, to the target.
func (st *stage) leave(left, target, by string) {
	if left != target {
		st.rewrite(left, func(s *success) { s.LeftBy = by })
	}
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
// success before it. What people rolled back from is passed over. nil: nothing.
func (s *State) lastGood(name string) *success {
	st := s.peek(name)
	if st.Runs == nil {
		return nil
	}
	if i := st.find(st.Runs.Execution); i >= 0 && !st.Runs.Certain && st.Successes[i].LeftBy == "" {
		return st.Successes[i]
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
		return good
	}
	return nil
}
