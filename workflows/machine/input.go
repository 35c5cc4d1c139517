package machine

import (
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Input is one thing to decide about: an intent, an outcome, or, with neither,
// that time has passed.
type Input struct {
	// At is when it arrived; it never goes back within a pipeline.
	At time.Time
	// By is who asks; the engine itself for outcomes and the passing of time.
	By workflows.Principal
	// Seed is where new IDs come from; a fresh one for every input.
	Seed [16]byte

	Intent  *workflows.Intent
	Outcome *work.Outcome

	// Facts are what Decide asked for with NeedFacts; empty at first.
	Facts Facts
}

// Facts are answers about the world outside one pipeline's state.
type Facts struct {
	// Members says for a person (Principal.Key) which who-expressions match.
	Members map[string]map[string]bool
	// May says for a person whether the rules let them approve in the stage
	// concerned, for gates that name nobody.
	May map[string]bool
	// Executions are archived ones by ID; a nil value: there is none.
	Executions map[string]*workflows.Execution
	// Versions are definitions that have left the state, by version.
	Versions map[int]*workflows.Pipeline
}

// NeedFacts is the error by which Decide asks. The runtime looks the facts up
// and decides again, with a fresh At; nothing has happened meanwhile.
type NeedFacts struct {
	People     []workflows.Principal // whose memberships
	Who        []string              // in which who-expressions
	MayApprove string                // set: the stage in which the People's right to approve is wanted
	Executions []string
	Versions   []int
}

// Error names what is missing.
func (n *NeedFacts) Error() string {
	return fmt.Sprintf("facts are needed: %d people in %v, executions %v, versions %v", len(n.People), n.Who, n.Executions, n.Versions)
}
