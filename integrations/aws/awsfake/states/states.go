// Package states is as much of Step Functions as rollcall calls: state machines whose executions end by the clock, as a
// Go function of the test says.
package states

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Machine is a state machine.
type Machine struct {
	Name    string
	Express bool
	Run     func(input string) Result // nil: it gives back its input at once
}

// Result is how an execution goes.
type Result struct {
	Takes        time.Duration
	Status       string   // FAILED or TIMED_OUT; empty: SUCCEEDED
	Error, Cause string   // of a failure
	Output       string   // of a success
	States       []string // that were entered, in their order; of a failure the last one failed
	FailState    bool     // the last one is a state of type Fail
}

// Service is Step Functions of an account in a region.
type Service struct {
	world *api.World

	mu         sync.Mutex
	machines   map[string]Machine // by ARN
	executions map[string]*execution
}

type execution struct {
	arn, machine, name, input string
	result                    Result
	began, ended              time.Time
	status                    string
}

// New returns a Step Functions without state machines.
func New(w *api.World) *Service {
	return &Service{world: w, machines: map[string]Machine{}, executions: map[string]*execution{}}
}

// Create makes a state machine, and returns its ARN.
func (s *Service) Create(m Machine) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := "arn:aws:states:" + s.world.Region + ":" + s.world.Account + ":stateMachine:" + m.Name
	s.machines[arn] = m
	return arn
}

// Abort ends all executions that run, as somebody in the console does.
func (s *Service) Abort(cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.executions {
		x.catchUp(s.world.Now())
		if x.status == "RUNNING" {
			x.abort(s.world.Now(), "", cause)
		}
	}
}

// Inputs are those of the executions so far, sorted.
func (s *Service) Inputs() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.executions {
		all = append(all, x.input)
	}
	slices.Sort(all)
	return all
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	resource := q.Input.Text("stateMachineArn")
	if resource == "" {
		resource = q.Input.Text("executionArn")
	}
	return []api.Right{{Action: "states:" + q.Operation, Resource: resource}}
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.world.Now()
	switch q.Operation {
	case "DescribeStateMachine", "StartExecution", "StartSyncExecution":
		arn := q.Input.Text("stateMachineArn")
		m, ok := s.machines[arn]
		switch {
		case !ok:
			return nil, api.Refuse("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
		case q.Operation == "DescribeStateMachine":
			return map[string]any{"stateMachineArn": arn, "name": m.Name, "type": kind(m), "status": "ACTIVE", "definition": "{}", "roleArn": "arn:aws:iam::" + q.Account + ":role/states", "creationDate": now}, nil
		case q.Operation == "StartSyncExecution":
			return s.runSync(q, arn, m)
		}
		return s.start(q, arn, m)
	}
	x := s.executions[q.Input.Text("executionArn")]
	if x == nil {
		return nil, api.Refuse("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", q.Input.Text("executionArn"))
	}
	switch x.catchUp(now); q.Operation {
	case "DescribeExecution":
		return x.describe(), nil
	case "StopExecution":
		if x.status == "RUNNING" {
			x.abort(now, q.Input.Text("error"), q.Input.Text("cause"))
		}
		return map[string]any{"stopDate": x.ended}, nil
	case "GetExecutionHistory":
		events := x.history()
		if q.Input.Bool("reverseOrder") {
			slices.Reverse(events)
		}
		return map[string]any{"events": events}, nil
	}
	return nil, api.Refuse("UnknownOperationException", "The fake of Step Functions has no %s", q.Operation)
}

func kind(m Machine) string {
	if m.Express {
		return "EXPRESS"
	}
	return "STANDARD"
}

func (s *Service) begin(q *api.Request, arn string, m Machine) *execution {
	x := &execution{machine: arn, name: q.Input.Text("name"), input: q.Input.Text("input"), status: "RUNNING", began: s.world.Now()}
	x.arn = strings.Replace(arn, ":stateMachine:", ":execution:", 1) + ":" + x.name
	if x.result = (Result{Output: x.input}); m.Run != nil {
		x.result = m.Run(x.input)
	}
	s.executions[x.arn] = x
	return x
}

// start begins an execution. The same name and input as one that runs gives that one.
func (s *Service) start(q *api.Request, arn string, m Machine) (any, *api.Error) {
	old := s.executions[strings.Replace(arn, ":stateMachine:", ":execution:", 1)+":"+q.Input.Text("name")]
	if old == nil {
		x := s.begin(q, arn, m)
		return map[string]any{"executionArn": x.arn, "startDate": x.began}, nil
	}
	if old.catchUp(s.world.Now()); old.status != "RUNNING" || old.input != q.Input.Text("input") {
		return nil, api.Refuse("ExecutionAlreadyExists", "Execution Already Exists: '%s'", old.arn)
	}
	return map[string]any{"executionArn": old.arn, "startDate": old.began}, nil
}

// runSync runs an express execution to its end; the clock stands still meanwhile.
func (s *Service) runSync(q *api.Request, arn string, m Machine) (any, *api.Error) {
	if !m.Express {
		return nil, api.Refuse("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
	}
	x := s.begin(q, arn, m)
	x.catchUp(x.began.Add(x.result.Takes))
	out := x.describe()
	delete(s.executions, x.arn) // nothing remembers it
	s.executions["express "+s.world.NewID()] = x
	return out, nil
}

func (x *execution) catchUp(now time.Time) {
	if end := x.began.Add(x.result.Takes); x.status == "RUNNING" && !now.Before(end) {
		x.status, x.ended = "SUCCEEDED", end
		if x.result.Status != "" {
			x.status = x.result.Status
		}
	}
}

func (x *execution) abort(now time.Time, code, cause string) {
	x.status, x.ended, x.result.Error, x.result.Cause = "ABORTED", now, code, cause
}

func (x *execution) describe() map[string]any {
	out := map[string]any{"executionArn": x.arn, "stateMachineArn": x.machine, "name": x.name, "status": x.status, "startDate": x.began, "input": x.input}
	if x.status == "RUNNING" {
		return out
	}
	if out["stopDate"] = x.ended; x.status == "SUCCEEDED" {
		out["output"] = x.result.Output
		return out
	}
	for name, value := range map[string]string{"error": x.result.Error, "cause": x.result.Cause} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// history is what happened, oldest first.
func (x *execution) history() (events []any) {
	add := func(kind string, more map[string]any) {
		e := map[string]any{"id": float64(len(events) + 1), "previousEventId": float64(len(events)), "timestamp": x.began, "type": kind}
		for name, value := range more {
			e[name] = value
		}
		events = append(events, e)
	}
	why := map[string]any{"error": x.result.Error, "cause": x.result.Cause}
	add("ExecutionStarted", nil)
	for i, name := range x.result.States {
		last := i == len(x.result.States)-1 && x.status != "SUCCEEDED"
		entered := map[string]any{"stateEnteredEventDetails": map[string]any{"name": name}}
		if last && x.result.FailState {
			add("FailStateEntered", entered)
			continue
		}
		add("TaskStateEntered", entered)
		if last {
			add("TaskFailed", map[string]any{"taskFailedEventDetails": map[string]any{"resourceType": "lambda", "resource": "invoke", "error": x.result.Error, "cause": x.result.Cause}})
			continue
		}
		add("TaskSucceeded", nil)
		add("TaskStateExited", map[string]any{"stateExitedEventDetails": map[string]any{"name": name}})
	}
	if x.status == "FAILED" {
		add("ExecutionFailed", map[string]any{"executionFailedEventDetails": why})
	}
	return events
}
