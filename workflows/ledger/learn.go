package ledger

import (
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Learn records what an execution has done in the stage, of which is heard in
// whatever order: in the order of time, and once.
func (st *Stage) Learn(e *workflows.Execution, in *workflows.StageExecution) {
	at := e.UpdatedAt
	if in.Since != nil {
		at = *in.Since
	}
	if in.Status == workflows.StatusSucceeded {
		st.succeeded(e, in, at)
	} else if in.Worked() && (st.Runs == nil || at.After(st.Runs.Since)) {
		st.Touch(e)
		if in.Status.Final() {
			st.Doubt()
		}
	}
}

// succeeded records a success at its place in time.
func (st *Stage) succeeded(e *workflows.Execution, in *workflows.StageExecution, at time.Time) {
	id := e.ID
	if e.Rollback != nil {
		id = e.Rollback.Target
	}
	switch was := st.Success(id); {
	case was != nil && slices.ContainsFunc(was.Ran, func(s Span) bool { return s.From.Equal(at) }):
	case st.Runs == nil || !at.Before(st.Runs.Since):
		st.Succeed(e, in, at)
	case was == nil && e.Rollback == nil && st.Successes.Len() < successesKept:
		all := slices.Clone(st.Successes.Newest(successesKept))
		before := slices.IndexFunc(all, func(s *Success) bool { return s.Ran[len(s.Ran)-1].From.Before(at) })
		if before < 0 {
			before = len(all)
		}
		until := after(all, st.Runs.Since, at)
		first := &Success{Execution: e.ID, Number: e.Number, Version: e.Version, Digest: in.Digest, Without: in.Without(), Revisions: slim(e.SourceRevisions), Ran: []Span{{From: at, To: &until}}}
		st.Successes = Successes{read: slices.Insert(all, before, first)}
	}
}

// after is when, after a time, something else began to run, at the latest what runs since then.
func after(all []*Success, since, at time.Time) time.Time {
	for _, s := range all {
		for _, span := range s.Ran {
			if span.From.After(at) && span.From.Before(since) {
				since = span.From
			}
		}
	}
	return since
}
