package invoke

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostInput     = 262_144 // bytes that Step Functions takes
	mostOutput    = 100_000 // bytes that are kept as a variable; all of an action's together are 122,880
	longestPrefix = 28      // with a hyphen and the token that makes 80, the longest name
	// expressRun is how long a synchronous express execution takes at most, with room for the call.
	expressRun = 5*time.Minute + 30*time.Second
)

// stepFunctions run a state machine. The execution has the attempt's token in its
// name: a standard one is found again by it. An express one is not.
func stepFunctions() []runner.Kind {
	return []runner.Kind{{Category: "Invoke", Provider: "StepFunctions", Start: startMachine, Find: findExecution, Poll: pollExecution, Cancel: stopExecution, Needs: machineNeeds, Check: checkMachine,
		Subject: runner.Subject{Setting: "StateMachineArn", Deleted: "DeleteStateMachine"}}}
}

// executionName is what the execution is called.
func executionName(a *runner.Attempt) string {
	prefix := a.Setting("ExecutionNamePrefix")
	if prefix == "" {
		return a.Token
	}
	return prefix[:min(len(prefix), longestPrefix)] + "-" + a.Token
}

// executionARN is the ARN of the execution of the action's name.
func executionARN(a *runner.Attempt) (string, error) {
	parts := strings.Split(a.Setting("StateMachineArn"), ":")
	if len(parts) < 7 || parts[5] != "stateMachine" {
		return "", &runner.SettingsError{Text: "StateMachineArn is no ARN of a state machine: " + a.Setting("StateMachineArn")}
	}
	return strings.Join(parts[:5], ":") + ":execution:" + parts[6] + ":" + executionName(a), nil
}

// input is what the execution is given.
func input(ctx context.Context, a *runner.Attempt) (string, error) {
	text, from := a.Setting("Input"), "Input"
	switch kind := a.Setting("InputType"); kind {
	case "", "Literal":
	case "FilePath":
		if len(a.Task.Action.InputArtifacts) == 0 || text == "" {
			return "", &runner.SettingsError{Text: "InputType FilePath needs an input artifact, and the path of a file in it as Input"}
		}
		from = "the file " + text + " of " + a.Task.Action.InputArtifacts[0]
		data, err := a.ReadFile(ctx, a.Task.Action.InputArtifacts[0], text, mostInput)
		if runner.IsMissing(err) {
			return "", &runner.SettingsError{Text: "the artifact " + a.Task.Action.InputArtifacts[0] + " has no file " + text}
		}
		if err != nil {
			return "", err
		}
		text = string(data)
	default:
		return "", &runner.SettingsError{Text: "InputType is Literal or FilePath, not " + kind}
	}
	text = cmp.Or(text, "{}")
	if !json.Valid([]byte(text)) {
		return "", &runner.SettingsError{Text: from + " is no JSON, and that is what a state machine takes as its input"}
	}
	return text, nil
}

// isExpress asks what kind of state machine it is.
func isExpress(ctx context.Context, a *runner.Attempt) (bool, error) {
	out, err := sfn.NewFromConfig(a.Config).DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(a.Setting("StateMachineArn"))})
	return err == nil && out.Type == types.StateMachineTypeExpress, err
}

func startMachine(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	arn, err := executionARN(a)
	if err != nil {
		return work.Outcome{}, err
	}
	text, err := input(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	express, err := isExpress(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	machine := a.Setting("StateMachineArn")
	if express {
		return runExpress(ctx, a, machine, text)
	}
	out, err := sfn.NewFromConfig(a.Config).StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Name: aws.String(executionName(a)), Input: &text})
	switch runner.Code(err) {
	case "ExecutionAlreadyExists": // the name is this attempt's: an earlier start of it, which has ended
		return runningExecution(a, arn), nil
	case "ExecutionLimitExceeded":
		return work.Outcome{}, runner.Later("Step Functions runs as many executions as the account's quota allows")
	}
	if err != nil {
		return work.Outcome{}, err
	}
	return runningExecution(a, aws.ToString(out.ExecutionArn)), a.Logf("Step Functions began the execution %s", aws.ToString(out.ExecutionArn))
}

// runExpress runs an express state machine to its end. Nothing remembers it
// afterwards, so that no try is repeated of which the end is not known.
func runExpress(ctx context.Context, a *runner.Attempt, machine, text string) (work.Outcome, error) {
	if len(a.Task.Action.OutputArtifacts) > 0 {
		return work.Outcome{}, &runner.SettingsError{Text: "an express state machine has no output artifact; use a standard one, or the variable Output"}
	}
	api := sfn.NewFromConfig(patient(a.Config, expressRun))
	out, err := api.StartSyncExecution(ctx, &sfn.StartSyncExecutionInput{StateMachineArn: &machine, Name: aws.String(executionName(a)), Input: &text})
	if err != nil {
		return work.Outcome{}, err
	}
	x := execution{arn: aws.ToString(out.ExecutionArn), status: string(out.Status), code: aws.ToString(out.Error), cause: aws.ToString(out.Cause), output: aws.ToString(out.Output), ended: aws.ToTime(out.StopDate)}
	if out.Status != types.SyncExecutionStatusSucceeded {
		return x.failed(a, ""), nil
	}
	return x.succeeded(a), nil
}

// findExecution looks the execution up by its name.
func findExecution(ctx context.Context, a *runner.Attempt) (work.Outcome, bool, error) {
	arn, err := executionARN(a)
	if err != nil {
		return work.Outcome{}, false, err
	}
	express, err := isExpress(ctx, a)
	switch {
	case err != nil:
		return work.Outcome{}, false, err
	case express && a.Task.Restartable:
		return work.Outcome{}, false, nil
	case express:
		return work.Outcome{State: work.InDoubt, Error: &workflows.Reason{Code: "InDoubt",
			Message: "AWS's answer to the start of this action was lost, and nothing remembers whether an express state machine has run"}}, true, nil
	}
	_, err = sfn.NewFromConfig(a.Config).DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if runner.IsMissing(err) {
		return work.Outcome{}, false, nil
	}
	return runningExecution(a, arn), err == nil, err
}

func runningExecution(a *runner.Attempt, arn string) work.Outcome {
	return work.Outcome{State: work.Running, Handle: arn, ExternalID: arn, ExternalURL: executionPage(a, arn)}
}

func executionPage(a *runner.Attempt, arn string) string {
	return a.URL("states/home", "/v2/executions/details/"+arn)
}

func pollExecution(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	arn := a.Handle()
	out, err := sfn.NewFromConfig(a.Config).DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return work.Outcome{}, err
	}
	x := execution{arn: arn, status: string(out.Status), code: aws.ToString(out.Error), cause: aws.ToString(out.Cause), output: aws.ToString(out.Output), ended: aws.ToTime(out.StopDate)}
	switch out.Status {
	case types.ExecutionStatusSucceeded:
		return x.packed(a)
	case types.ExecutionStatusFailed, types.ExecutionStatusTimedOut:
		state, err := lastFailed(ctx, a, arn)
		return x.failed(a, state), err
	case types.ExecutionStatusAborted:
		o := x.failed(a, "")
		o.Error = &workflows.Reason{Code: "ExternallyStopped", Message: strings.TrimSuffix("somebody stopped the execution in Step Functions: "+x.cause, ": ")}
		return o, nil
	}
	return runningExecution(a, arn), nil
}

func stopExecution(ctx context.Context, a *runner.Attempt) error {
	_, err := sfn.NewFromConfig(a.Config).StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: aws.String(a.Handle()), Error: aws.String("Stopped"), Cause: aws.String("rollcall stopped " + whoIs(a).Execution)})
	return err
}

// execution is how an execution ended.
type execution struct {
	arn, status, code, cause, output string
	ended                            time.Time
}

func (x execution) outcome(a *runner.Attempt, o work.Outcome) work.Outcome {
	o.ExternalID, o.ExternalURL, o.EndedAt = x.arn, executionPage(a, x.arn), x.ended
	return o
}

func (x execution) succeeded(a *runner.Attempt) work.Outcome {
	o := work.Outcome{State: work.Succeeded, Outputs: map[string]string{"StateMachineArn": a.Setting("StateMachineArn"), "ExecutionArn": x.arn}}
	if len(x.output) <= mostOutput {
		o.Outputs["Output"] = x.output
	} else {
		o.Summary = fmt.Sprintf("the execution's output has %d bytes, too many for the variable Output", len(x.output))
	}
	return x.outcome(a, o)
}

// packed is the outcome of a success, with its output as the action's artifact.
func (x execution) packed(a *runner.Attempt) (work.Outcome, error) {
	o := x.succeeded(a)
	for _, out := range a.Task.Action.OutputArtifacts {
		dir := filepath.Join(a.Dir(), "output")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return work.Outcome{}, err
		}
		if err := os.WriteFile(filepath.Join(dir, "output.json"), []byte(x.output), 0o600); err != nil {
			return work.Outcome{}, err
		}
		one, err := a.Pack(out.Name, dir)
		if err != nil {
			return work.Outcome{}, err
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, nil
}

func (x execution) failed(a *runner.Attempt, state string) work.Outcome {
	text := "the execution ended " + x.status
	if state != "" {
		text += " in the state " + state
	}
	if why := strings.Trim(x.code+": "+x.cause, ": "); why != "" {
		text += ": " + why
	}
	f := diagnose.StateMachine(x.status, state, x.code, x.cause, a.Again())
	return x.outcome(a, runner.Fail("ExecutionFailed", text, &f))
}

// machineNeeds are the permissions of the calls here.
func machineNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	machine := action.Configuration["StateMachineArn"]
	executions := at.ARN("states", "execution:*:*")
	if parts := strings.Split(machine, ":"); len(parts) >= 7 {
		executions = strings.Join(parts[:5], ":") + ":execution:" + parts[6] + ":*"
	}
	return []policy.Statement{
		{Sid: "RunStateMachine", Comment: "run the state machine", Actions: []string{"states:StartExecution", "states:StartSyncExecution", "states:DescribeStateMachine"}, Resources: []string{machine}},
		{Sid: "WatchExecutions", Comment: "watch and stop its executions", Actions: []string{"states:DescribeExecution", "states:StopExecution", "states:GetExecutionHistory"}, Resources: []string{executions}},
	}
}
