package machine

import (
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// State is everything that is undecided about one pipeline, and what is needed
// to decide it. It marshals to JSON: that is the checkpoint.
//
// A State belongs to one goroutine. What it hands out is copied.
type State struct {
	Name string `json:"name"`
}

// New returns the state of a pipeline that nobody has defined yet.
func New(pipeline string) *State { return &State{Name: pipeline} }

// TaskID names one attempt of an action: the idempotency token outside.
func TaskID(execution, stage, action string, attempt int) string {
	return fmt.Sprintf("%s/%s/%s/%d", execution, stage, action, attempt)
}

// Decide answers an input with the events that it leads to; none when it
// changes nothing. The error is a *workflows.Problem (refused, nothing
// happened) or a *NeedFacts (look these up and decide again). State is not changed.
func (s *State) Decide(in Input) ([]event.Event, error) { return nil, nil }

// Evolve applies one event.
func (s *State) Evolve(e event.Event) {}

// Result says what an intent led to: to be called after the events that
// Decide answered were applied. The execution is whole when it is in the state;
// when it has left the state only its ID is set.
func (s *State) Result(in workflows.Intent, events []event.Event) workflows.Result {
	return workflows.Result{}
}

// Tasks says what the outside must do now: start, poll or cancel.
func (s *State) Tasks() []work.Task { return nil }

// Due is when Decide wants to be called with the passing of time; false: nothing is due.
func (s *State) Due() (time.Time, bool) { return time.Time{}, false }

// Departed returns the executions that ended, or were annotated after their
// end, since the last call, as their rows must now be.
func (s *State) Departed() []workflows.Execution { return nil }

// Execution returns a copy of an unfinished execution.
func (s *State) Execution(id string) (workflows.Execution, bool) { return workflows.Execution{}, false }

// Unfinished returns copies of the unfinished executions, oldest first.
func (s *State) Unfinished() []workflows.Execution { return nil }

// View is the pipeline as it stands now. Offers are what somebody who may
// everything could do; a surface keeps those its viewer has the right to.
func (s *State) View() workflows.PipelineView { return workflows.PipelineView{} }

// Offers says what could be done with an execution now by somebody who may
// everything. For one that has ended, facts must hold it (and may hold its version).
func (s *State) Offers(execution string, facts Facts) []workflows.Offer { return nil }

// Targets judges rows, executions that succeeded in the stage, newest first, as rollback targets.
func (s *State) Targets(stage string, rows []workflows.Execution) []workflows.Target { return nil }
