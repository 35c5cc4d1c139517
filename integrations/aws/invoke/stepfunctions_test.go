package invoke

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const machines = "arn:aws:states:eu-west-1:111122223333:stateMachine:"

// machine makes the state machine "release", and returns a task that runs it.
func machine(w *runnertest.World, express bool, r states.Result) (*states.Service, work.Task) {
	s := awsfake.At[*states.Service](w.AWS, runnertest.Account, runnertest.Region)
	arn := s.Create(states.Machine{Name: "release", Express: express, Run: func(string) states.Result { return r }})
	return s, w.Task(map[string]string{"StateMachineArn": arn, "Input": `{"tag": "v7"}`})
}

func TestAStateMachineRunsToItsEnd(t *testing.T) {
	for _, express := range []bool{false, true} {
		runnertest.In(t, kind("Invoke/StepFunctions")(), func(w *runnertest.World) {
			s, task := machine(w, express, states.Result{Takes: 4 * time.Minute, Output: `{"ok": true}`})
			task.Configuration["ExecutionNamePrefix"] = "shop"
			o := w.Run(task)
			execution := strings.Replace(machines, ":stateMachine:", ":execution:", 1) + "release:shop-" + runner.TokenOf(task.ID)
			if o.State != work.Succeeded || o.Outputs["StateMachineArn"] != machines+"release" || o.Outputs["ExecutionArn"] != execution || o.Outputs["Output"] != `{"ok": true}` {
				t.Errorf("express %v: %+v %+v", express, o, o.Error)
			}
			if got := s.Inputs(); len(got) != 1 || got[0] != `{"tag": "v7"}` {
				t.Errorf("the inputs were %q", got)
			}
		})
	}
}

func TestAStateMachineReadsAFileAndWritesAnArtifact(t *testing.T) {
	runnertest.In(t, kind("Invoke/StepFunctions")(), func(w *runnertest.World) {
		s, task := machine(w, false, states.Result{Output: `{"ok": true}`})
		w.Files["app"] = map[string]string{"release/input.json": `{"from": "a file"}`}
		task.Configuration["InputType"], task.Configuration["Input"] = "FilePath", "release/input.json"
		task.Action.InputArtifacts, task.Inputs = []string{"app"}, []workflows.Artifact{{Name: "app"}}
		task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "result"}}
		o := w.Run(task)
		if o.State != work.Succeeded || len(o.Artifacts) != 1 || w.Workspace.Packed["result"]["output.json"] != `{"ok": true}` {
			t.Errorf("%+v %+v, packed %q", o, o.Error, w.Workspace.Packed)
		}
		if got := s.Inputs(); len(got) != 1 || got[0] != `{"from": "a file"}` {
			t.Errorf("the inputs were %q", got)
		}
	})
}

func TestWhyAStateMachineFails(t *testing.T) {
	type settings map[string]string
	denied := "User: arn:aws:sts::111122223333:assumed-role/states/x is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:eu-west-1:111122223333:task-definition/m because no identity-based policy allows the ecs:RunTask action"
	for name, c := range map[string]struct {
		result            states.Result
		express           bool
		settings          settings
		code, says, class string
	}{
		"a task fails": {result: states.Result{Takes: time.Minute, Status: "FAILED", Error: "MigrationError", Cause: "schema 8 is there", States: []string{"Prepare", "Migrate"}},
			code: "ExecutionFailed", says: "the execution ended FAILED in the state Migrate: MigrationError: schema 8 is there", class: "CommandFailed"},
		"a state of type Fail": {result: states.Result{Status: "FAILED", Error: "Refused", States: []string{"Check", "NotToday"}, FailState: true}, code: "ExecutionFailed", says: "in the state NotToday: Refused", class: "CommandFailed"},
		"a task may not":       {result: states.Result{Status: "FAILED", Error: "States.TaskFailed", Cause: denied, States: []string{"Run"}}, code: "ExecutionFailed", says: "ecs:RunTask", class: "AccessDenied"},
		"it takes too long":    {result: states.Result{Status: "TIMED_OUT", Error: "States.Timeout"}, code: "ExecutionFailed", says: "the execution ended TIMED_OUT", class: "Timeout"},
		"an express one fails": {express: true, result: states.Result{Status: "FAILED", Error: "MigrationError", Cause: "schema 8"}, code: "ExecutionFailed", says: "the execution ended FAILED: MigrationError: schema 8", class: "CommandFailed"},
		"there is none":        {settings: settings{"StateMachineArn": machines + "nothing"}, code: "StateMachineDoesNotExist", says: "nothing", class: "NotFound"},
		"no ARN":               {settings: settings{"StateMachineArn": "release"}, code: "ConfigurationInvalid", says: "no ARN of a state machine"},
		"the input is no JSON": {settings: settings{"Input": "tag: v7"}, code: "ConfigurationInvalid", says: "Input is no JSON"},
		"no artifact to read":  {settings: settings{"InputType": "FilePath"}, code: "ConfigurationInvalid", says: "needs an input artifact"},
		"another type":         {settings: settings{"InputType": "Yaml"}, code: "ConfigurationInvalid", says: "InputType is Literal or FilePath"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kind("Invoke/StepFunctions")(), func(w *runnertest.World) {
				_, task := machine(w, c.express, c.result)
				for key, value := range c.settings {
					task.Configuration[key] = value
				}
				fails(t, w.Run(task), c.code, c.says, c.class)
			})
		})
	}
}

// Somebody who stops the execution in AWS fails the action; who stops the action stops the execution.
func TestAStoppedExecution(t *testing.T) {
	runnertest.In(t, kind("Invoke/StepFunctions")(), func(w *runnertest.World) {
		s, task := machine(w, false, states.Result{Takes: time.Hour})
		time.AfterFunc(time.Minute, func() { s.Abort("no need any more") })
		fails(t, w.Run(task), "ExternallyStopped", "no need any more", "")
	})
	for _, trouble := range []awsfake.Trouble{"", awsfake.CutBefore, awsfake.CutAfter, awsfake.Throttle} {
		runnertest.In(t, kind("Invoke/StepFunctions")(), func(w *runnertest.World) {
			_, task := machine(w, false, states.Result{Takes: time.Hour})
			w.AWS.Faults(awsfake.Fault{Operation: "states:StopExecution", Trouble: trouble, Times: 1})
			if o := w.Stop(task, time.Minute); o.State != work.Cancelled || w.Called("states:StopExecution") == 0 {
				t.Errorf("%s: %+v", trouble, o)
			}
		})
	}
}

// A standard execution is found again by its name, also after it has ended. Of an
// express one nobody knows whether it ran.
func TestALostAnswerOfAStateMachine(t *testing.T) {
	for _, c := range []struct {
		express, restartable bool
		trouble              awsfake.Trouble
		takes                time.Duration
		state                string
		runs                 int
	}{
		{false, false, awsfake.CutAfter, time.Hour, work.Succeeded, 1},
		{false, false, awsfake.CutAfter, 0, work.Succeeded, 1},
		{false, false, awsfake.CutBefore, time.Minute, work.Succeeded, 1},
		{true, false, awsfake.CutAfter, 0, work.InDoubt, 1},
		{true, false, awsfake.CutBefore, 0, work.InDoubt, 0},
		{true, true, awsfake.CutAfter, 0, work.Succeeded, 2},
		{true, false, awsfake.Throttle, 0, work.Succeeded, 1},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			runnertest.In(t, kind("Invoke/StepFunctions")(), func(w *runnertest.World) {
				s, task := machine(w, c.express, states.Result{Takes: c.takes})
				task.Restartable, w.Restart = c.restartable, c.trouble != awsfake.Throttle
				fault := awsfake.Fault{Operation: "states:StartExecution", Trouble: c.trouble, Times: 3} // all tries of the SDK
				if c.express {
					fault.Operation, fault.Times = "states:StartSyncExecution", 1
				}
				w.AWS.Faults(fault)
				if o := w.Run(task); o.State != c.state || len(s.Inputs()) != c.runs {
					t.Errorf("it ended %s %+v, and ran %d times", o.State, o.Error, len(s.Inputs()))
				}
			})
		})
	}
}

func TestStateMachineMatrix(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: kind("Invoke/StepFunctions"), Given: func(w *runnertest.World) work.Task {
		s, task := machine(w, false, states.Result{Takes: time.Minute, Output: "{}"})
		w.T.Cleanup(func() {
			if n := len(s.Inputs()); n > 1 {
				w.T.Errorf("the state machine ran %d times", n)
			}
		})
		return task
	}})
}
