package machine

import (
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Input is one thing to decide about: an intent, an outcome, that a backup was
// restored, or, with none of them, that time has passed.
type Input struct {
	// At is when it arrived; it never goes back within a pipeline.
	At time.Time
	// By is who asks; the engine itself for outcomes and the passing of time.
	By   workflows.Principal
	Host string // where the run folders are of actions that start now; empty: anywhere
	// Seed is where new IDs come from; a fresh one for every input.
	Seed [16]byte

	Intent   *workflows.Intent
	Outcome  *work.Outcome
	Snapshot *work.Snapshot // of a pipeline that stays in AWS
	// Restored says that the state is from a backup. It is decided about before
	// time passes, once; a state that knows of it decides nothing.
	Restored *event.Restored

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
	// Gone says of a person who is no active full member any more what they are
	// instead: "deactivated", "a guest". They match nothing and may nothing.
	Gone map[string]string
	// Executions are archived ones by ID; a nil value: there is none.
	Executions map[string]*workflows.Execution
	// External says which execution AWS knows by an ID; empty: none that is known here.
	External map[string]string
	// Versions are definitions that have left the state, by version.
	Versions map[int]*workflows.Pipeline
	// Changes say what lies between what runs and what is to run, by range.
	Changes map[work.Range]work.Changes
}

// NeedFacts is the error by which Decide asks. The runtime looks the facts up
// and decides again, with a fresh At; nothing has happened meanwhile.
type NeedFacts struct {
	People     []workflows.Principal     // whose memberships
	Who        []string                  // in which who-expressions
	Gate       *workflows.ApprovalPolicy // whose From and AtLeast are among Who
	MayApprove string                    // set: the stage in which the People's right to approve is wanted
	Executions []string
	External   []string // by their IDs in AWS
	Versions   []int
	Changes    []work.Range
}

// Error names what is missing.
func (n *NeedFacts) Error() string {
	return fmt.Sprintf("facts are needed: %d people in %v, executions %v %v, versions %v, changes %v", len(n.People), n.Who, n.Executions, n.External, n.Versions, n.Changes)
}
