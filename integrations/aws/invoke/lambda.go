package invoke

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// longestRun is how long AWS lets a function run, with room for the call.
const longestRun = 15*time.Minute + 30*time.Second

// function is a kind that calls a Lambda function and waits for its answer. Nothing
// can find out whether a call whose answer was lost has run.
func function(category, provider string) runner.Kind {
	return runner.Kind{Category: category, Provider: provider, Start: call, Poll: adopt, Unrepeatable: true, Needs: functionNeeds, Check: checkFunction, Optional: seeFunction,
		Subject: runner.Subject{Setting: "FunctionName", Deleted: "DeleteFunction20150331"}}
}

// who says for whom a call is made: part of what functions, topics and buses are sent.
type who struct {
	Token       string `json:"token"` // the same for the same attempt and no other
	Pipeline    string `json:"pipeline"`
	Execution   string `json:"execution"` // webshop#42
	ExecutionID string `json:"executionId"`
	Stage       string `json:"stage"`
	Action      string `json:"action"`
	Attempt     int    `json:"attempt"`
}

func whoIs(a *runner.Attempt) who {
	t := a.Task
	return who{a.Token, t.Pipeline, (&workflows.Execution{Pipeline: t.Pipeline, Number: t.Number}).Ref(), t.Execution, t.Stage, t.Action.Name, t.Attempt}
}

// event is what a function is called with.
type event struct {
	Rollcall        who    `json:"rollcall"`
	UserParameters  string `json:"userParameters,omitempty"`
	InputArtifacts  []file `json:"inputArtifacts,omitempty"`
	OutputArtifacts []file `json:"outputArtifacts,omitempty"` // where it is to write them, as zips
}

// file is an artifact in S3.
type file struct {
	Name    string `json:"name"`
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"versionId,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // in hex
}

func fileOf(name string, o artifacts.Object) file {
	return file{name, o.Bucket, o.Key, o.Version, o.Digest}
}

// answer is what a function says. One that says nothing has succeeded.
type answer struct {
	Status          string         `json:"status"` // Succeeded (or none) or Failed
	Message         string         `json:"message"`
	OutputVariables map[string]any `json:"outputVariables"`

	ErrorType    string `json:"errorType"` // of Lambda's own answer when the function broke
	ErrorMessage string `json:"errorMessage"`
}

// call runs the function.
func call(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	name := a.Setting("FunctionName")
	payload, err := eventOf(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	api := lambda.NewFromConfig(patient(a.Config, longestRun))
	out, err := api.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, InvocationType: types.InvocationTypeRequestResponse, LogType: types.LogTypeTail, Payload: payload})
	if err != nil {
		return work.Outcome{}, err
	}
	logTail(a, aws.ToString(out.LogResult))
	var said answer
	if text := bytes.TrimSpace(out.Payload); len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &said); err != nil {
			return failed(a, "AnswerInvalid", "the function "+name+" answers what is no {status, message, outputVariables}: "+err.Error(), nil), nil
		}
	}
	if out.FunctionError != nil {
		text := strings.TrimSuffix(cmp.Or(said.ErrorType, *out.FunctionError)+": "+said.ErrorMessage, ": ")
		f := diagnose.Invoked(functionName(name), cmp.Or(said.ErrorType, *out.FunctionError), said.ErrorMessage, a.Again())
		return failed(a, "FunctionError", "the function "+name+" failed with "+text, &f), nil
	}
	return ended(a, said), nil
}

// ended is the outcome of a function that answered.
func ended(a *runner.Attempt, said answer) work.Outcome {
	name := a.Setting("FunctionName")
	switch strings.ToLower(said.Status) {
	case "", "succeeded", "success":
	case "failed", "failure":
		f := diagnose.Invoked(functionName(name), "", said.Message, a.Again())
		return failed(a, "FunctionFailed", strings.TrimSuffix("the function "+name+" says that it failed: "+said.Message, ": "), &f)
	default:
		return failed(a, "AnswerInvalid", "the function "+name+" answers the status "+said.Status+"; it is Succeeded or Failed", nil)
	}
	o := work.Outcome{State: work.Succeeded, Summary: said.Message, Outputs: map[string]string{}, ExternalID: functionName(name), ExternalURL: functionPage(a), EndedAt: a.Now()}
	for key, value := range said.OutputVariables {
		text, ok := asText(value)
		if !ok {
			return failed(a, "AnswerInvalid", "the output variable "+key+" of the function "+name+" is no text, number or truth value", nil)
		}
		o.Outputs[key] = text
	}
	if len(a.Task.Action.OutputArtifacts) == 0 {
		return o
	}
	handle, err := json.Marshal(done{o.Summary, o.Outputs, o.EndedAt})
	if err != nil {
		panic(err) // it is made of plain values
	}
	o.State, o.Handle, o.PollAfter, o.Outputs, o.EndedAt = work.Running, string(handle), time.Millisecond, nil, time.Time{}
	return o
}

// done is what a function has answered, as a handle: what it wrote is taken over
// by a poll, because a start that fails after the call would call it again.
type done struct {
	Summary string            `json:"summary,omitempty"`
	Outputs map[string]string `json:"outputs,omitempty"`
	At      time.Time         `json:"at"`
}

// adopt takes over the artifacts that a function has written.
func adopt(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	var d done
	if err := json.Unmarshal([]byte(a.Handle()), &d); err != nil {
		return work.Outcome{}, fmt.Errorf("the handle of the call cannot be read: %w", err)
	}
	o := work.Outcome{State: work.Succeeded, Summary: d.Summary, Outputs: d.Outputs, EndedAt: d.At, ExternalID: functionName(a.Setting("FunctionName")), ExternalURL: functionPage(a)}
	for _, out := range a.Task.Action.OutputArtifacts {
		at, err := a.Output(out.Name)
		if err != nil {
			return work.Outcome{}, err
		}
		one, err := a.Adopt(ctx, out.Name, at, "")
		if err != nil {
			return work.Outcome{}, err
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, nil
}

// asText is a value of JSON that is no list and no object.
func asText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool, float64:
		text, err := json.Marshal(v)
		return string(text), err == nil
	}
	return "", false
}

func failed(a *runner.Attempt, code, text string, f *workflows.Finding) work.Outcome {
	o := runner.Fail(code, text, f)
	o.ExternalID, o.ExternalURL, o.EndedAt = functionName(a.Setting("FunctionName")), functionPage(a), a.Now()
	return o
}

// eventOf is what the function is called with.
func eventOf(ctx context.Context, a *runner.Attempt) ([]byte, error) {
	e := event{Rollcall: whoIs(a), UserParameters: a.Setting("UserParameters")}
	for _, name := range a.Task.Action.InputArtifacts {
		o, err := a.Input(ctx, name)
		if err != nil {
			return nil, err
		}
		e.InputArtifacts = append(e.InputArtifacts, fileOf(name, o))
	}
	for _, out := range a.Task.Action.OutputArtifacts {
		o, err := a.Output(out.Name)
		if err != nil {
			return nil, err
		}
		e.OutputArtifacts = append(e.OutputArtifacts, fileOf(out.Name, o))
	}
	return json.Marshal(e)
}

// logTail adds the end of the function's log to the action's. What the function
// answered is not lost because a line cannot be written.
func logTail(a *runner.Attempt, tail string) {
	text, err := base64.StdEncoding.DecodeString(tail)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && a.Logf("%s", line) != nil {
			return
		}
	}
}

// patient is a configuration whose calls may take that long.
func patient(c aws.Config, most time.Duration) aws.Config {
	c = c.Copy()
	if client, ok := c.HTTPClient.(*http.Client); ok {
		waiting := *client
		waiting.Timeout = most
		c.HTTPClient = &waiting
	}
	return c
}

// functionName is the name of a function that is named by its ARN, or by its name.
func functionName(name string) string {
	if _, after, ok := strings.Cut(name, ":function:"); ok {
		name = after
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

func functionPage(a *runner.Attempt) string {
	return a.URL("lambda/home", "/functions/"+functionName(a.Setting("FunctionName")))
}

// functionNeeds is the permission of the call above.
func functionNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	name := action.Configuration["FunctionName"]
	if !strings.HasPrefix(name, "arn:") {
		name = at.ARN("lambda", "function:"+name)
	}
	return []policy.Statement{{Sid: "CallFunction", Comment: "call the function", Actions: []string{"lambda:InvokeFunction"}, Resources: []string{name}}}
}
