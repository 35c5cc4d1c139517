package retention

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// successesKept is how many successes of a stage stay, however old: as many as
// a rollback may choose from.
const successesKept = 20

// Needed are the IDs of the executions of a pipeline that must stay, with their
// artifacts, however long ago they ended: what has not ended, and what that goes
// back to; of every stage what it runs, the rollback that brought it, and its last
// successes; what people rolled back from; the target of a planned rollback, who
// alone may enter a locked stage, and whose work outside is not known to have
// been cancelled. A source stage needs nothing: it cannot be rolled back. Of
// the ledger's successes so many are, newest first by when they came; the newest
// by number are in the index of the store.
func Needed(s *machine.State, successes int) map[string]bool {
	needed := map[string]bool{}
	for _, e := range s.Executions {
		needed[e.ID] = true
		if r := e.Rollback; r != nil {
			needed[r.Target], needed[r.LeftExecution], needed[r.FailedExecution] = true, true, true
		}
	}
	for name, st := range s.Stages {
		needed[st.Transition.Only] = true
		if isSource(s, name) {
			continue
		}
		if st.Runs != nil {
			needed[st.Runs.Execution], needed[st.Runs.By] = true, true
		}
		for _, one := range st.Successes.Newest(successes) {
			needed[one.Execution] = true
		}
		for _, one := range st.Left {
			needed[one.Execution] = true
		}
		if st.Planned != nil {
			needed[st.Planned.Target] = true
		}
	}
	for _, t := range s.Orphans {
		id, _, _ := strings.Cut(t.ID, "/")
		needed[id] = true
	}
	delete(needed, "")
	return needed
}

// isSource says whether a stage is the source stage of the definition in force.
func isSource(s *machine.State, stage string) bool {
	p := s.Definitions[s.Version]
	return p != nil && p.IsSource(stage)
}

// refersTo says whether an execution refers to one of the artifacts, by their digests and places.
func refersTo(x *workflows.Execution, names map[string]bool) bool {
	for _, a := range x.Artifacts {
		if names[a.Digest] || names[a.Place()] {
			return true
		}
	}
	return false
}
