package bridged

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Decision is one decision about a pipeline in AWS, with what package machine gives it
// to read the state and to emit events: what Emit is given has happened when it returns.
type Decision struct {
	Name       string
	Definition *workflows.Pipeline // in force
	Version    int
	At         time.Time // of the decision
	Since      time.Time // of the newest event before it
	By         workflows.Principal
	Dry        bool // only whether it would be accepted

	Emit       func(event.Event)                    // one without By is by By
	ID         func() string                        // a new ID
	Number     func() int                           // of the next execution
	Memory     func() *Memory                       // nil: there was no look yet
	Executions func() []*workflows.Execution        // the unfinished ones, oldest first, as they are now
	Row        func(id string) *workflows.Execution // also one that ended in this decision; nil: neither
	// Known finds executions by their IDs in AWS, unfinished or not; what is not in
	// the answer is not known. The error asks for a look-up first.
	Known      func(external []string) (map[string]*workflows.Execution, error)
	Find       func(field, id string) (*workflows.Execution, error)
	Transition func(stage string) workflows.Transition
	Runs       func(stage string) *workflows.Running
	// Gate is an approval as the definition has it; nil: it does not.
	Gate func(e *workflows.Execution, stage, action string) *workflows.Action
	// OpenGate asks people; asks holds the texts and when it expires, found the token in AWS.
	OpenGate func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, asks workflows.Approval, found *event.Outcome)

	brought []workflows.SourceRevision // what is shown of the execution that is told of
}

// bridge is where the pipeline is.
func (d *Decision) bridge() *workflows.Bridge { return d.Definition.Bridge }

// outside is who did something in AWS of whom nothing more is known.
func outside() workflows.Principal {
	return workflows.Principal{ID: "aws", Name: "somebody in AWS", Via: workflows.ViaOutside}
}
