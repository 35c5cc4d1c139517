package awsfake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

// hold holds a journal against botocore's models and returns what does not fit.
func hold(t *testing.T, calls []awsfake.Call) string {
	t.Helper()
	type row struct {
		Service   string            `json:"service"`
		Operation string            `json:"operation"`
		Input     json.RawMessage   `json:"input"`
		Output    []byte            `json:"output"`
		Status    int               `json:"status"`
		Header    map[string]string `json:"header"`
	}
	var rows []row
	for _, c := range calls {
		header := map[string]string{}
		for name := range c.Header {
			header[name] = c.Header.Get(name)
		}
		rows = append(rows, row{c.Service, c.Operation, c.Input, c.Output, c.Status, header})
	}
	cmd := exec.Command("python3", "testdata/check.py")
	cmd.Stdin = strings.NewReader(asJSON(t, rows))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) || strings.Contains(out.String(), "No module named 'botocore'") {
		t.Skip("python3 with botocore is not here: ", err)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	return out.String()
}

// everything plays a run in which each operation is called, and most refusals are met.
func everything(t *testing.T) account1 {
	t.Helper()
	a := newAWS(t)
	u := serve(t, a)
	queue := a.Queue(account, region, "rollcall")
	a.Forward(account, region, queue)
	condition := func(name, result string) map[string]any {
		return map[string]any{"conditions": []any{map[string]any{"result": result, "rules": []any{map[string]any{
			"name": name, "ruleTypeId": map[string]any{"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}, "configuration": map[string]any{"FunctionName": "f"}}}}}}
	}
	d := decl("shop", map[string]any{"variables": []any{map[string]any{"name": "Color", "defaultValue": "blue"}}})
	stageOf(d, 1)["beforeEntry"], stageOf(d, 1)["onSuccess"] = condition("Entry", "FAIL"), condition("Exit", "FAIL")
	stageOf(d, 2)["onFailure"] = map[string]any{"result": "RETRY"}
	no := codepipeline.Script{Fail: &codepipeline.Failure{Message: "exit status 1"}, Summary: "Build failed", ExternalURL: "https://example.com/1", LogStreamARN: a.Log(account, region, "/aws/codebuild/webshop", "one", "boom")}
	a.pipelines().Play("shop", "Build", "Entry", codepipeline.Script{}, no, codepipeline.Script{})
	a.pipelines().Play("shop", "Build", "Compile", codepipeline.Script{ExternalID: "webshop:1", Outputs: map[string]string{"Image": "shop:1"}})
	a.pipelines().Play("shop", "Production", "Deploy", codepipeline.Script{}, no, no, no, codepipeline.Script{})
	a.create(d)
	a.must("GetPipelineState", map[string]any{"name": "shop"})
	a.approve("shop")
	second := a.start("shop")
	a.must("GetPipelineState", map[string]any{"name": "shop"})
	a.must("OverrideStageCondition", map[string]any{"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": second, "conditionType": "BEFORE_ENTRY"})
	a.refused("OverrideStageCondition", map[string]any{"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": second, "conditionType": "BEFORE_ENTRY"}, "ConditionNotOverridableException")
	a.approve("shop")
	a.must("DisableStageTransition", map[string]any{"pipelineName": "shop", "stageName": "Production", "transitionType": "Inbound", "reason": "shop 2 failed"})
	a.must("RetryStageExecution", map[string]any{"pipelineName": "shop", "stageName": "Production", "pipelineExecutionId": second, "retryMode": "FAILED_ACTIONS"})
	third := a.start("shop")
	a.must("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)})
	a.must("GetPipelineState", map[string]any{"name": "shop"})
	a.refused("PutApprovalResult", vote("shop", third, "Approved", ""), "InvalidApprovalTokenException")
	a.approve("shop")
	a.must("StopPipelineExecution", map[string]any{"pipelineName": "shop", "pipelineExecutionId": third, "reason": "wrong branch"})
	a.refused("StopPipelineExecution", map[string]any{"pipelineName": "shop", "pipelineExecutionId": third}, "PipelineExecutionNotStoppableException")
	a.must("EnableStageTransition", map[string]any{"pipelineName": "shop", "stageName": "Production", "transitionType": "Inbound"})
	a.must("UpdatePipeline", map[string]any{"pipeline": d})
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)}, "PipelineExecutionOutdatedException")
	a.create(decl("lanes", map[string]any{"executionMode": "PARALLEL"}))
	for _, name := range []string{"shop", "lanes"} {
		a.must("GetPipeline", map[string]any{"name": name})
		a.must("GetPipelineState", map[string]any{"name": name})
		a.must("ListActionExecutions", map[string]any{"pipelineName": name})
		a.must("ListRuleExecutions", map[string]any{"pipelineName": name})
		a.must("GetPipelineExecution", map[string]any{"pipelineName": name, "pipelineExecutionId": a.id(name, 1)})
	}
	a.must("GetPipelineExecution", map[string]any{"pipelineName": "shop", "pipelineExecutionId": a.id("shop", 4)})
	a.must("ListPipelines", map[string]any{})
	a.must("ListPipelineExecutions", map[string]any{"pipelineName": "shop", "filter": map[string]any{"succeededInStage": map[string]any{"stageName": "Source"}}})
	a.must("DeletePipeline", map[string]any{"name": "lanes"})
	a.refused("GetPipelineState", map[string]any{"name": "lanes"}, "PipelineNotFoundException")

	form := url.Values{"RoleArn": {bridgeRole}, "RoleSessionName": {"rollcall"}, "SourceIdentity": {"ana@acme.example"}, "ExternalId": {"acme"}, "DurationSeconds": {"900"}}
	session(t, u, form)
	wire(t, u, "sts", "", "Action=GetCallerIdentity&Version=2011-06-15")
	wire(t, u, "iam", "", "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn="+url.QueryEscape(bob)+"&ActionNames.member.1=codepipeline%3ARollbackStage&ResourceArns.member.1=a%3Ab&ResourceArns.member.2=c")
	a.CodeBuild(account, region).Add(codebuild.Build{ID: "webshop:1", Status: "FAILED", LogGroup: "/aws/codebuild/webshop", LogStream: "one", Phases: []codebuild.Phase{{Type: "BUILD", Status: "FAILED", Code: "COMMAND_EXECUTION_ERROR", Message: "exit status 1"}}})
	wire(t, u, "codebuild", "CodeBuild_20161006.BatchGetBuilds", `{"ids":["webshop:1","webshop:2"]}`)
	wire(t, u, "logs", "Logs_20140328.GetLogEvents", `{"logGroupName":"/aws/codebuild/webshop","logStreamName":"one"}`)
	wire(t, u, "logs", "Logs_20140328.GetLogEvents", `{"logGroupName":"/aws/codebuild/webshop","logStreamName":"two"}`)
	sqs := func(op, more string) {
		wire(t, u, "sqs", "AmazonSQS."+op, `{`+strings.TrimPrefix(fmt.Sprintf(`,"QueueUrl":%q`, queue)+more, ",")+`}`)
	}
	sqs("SendMessage", `,"MessageBody":"hello"`)
	sqs("ReceiveMessage", `,"MaxNumberOfMessages":10`)
	sqs("GetQueueAttributes", `,"AttributeNames":["All"]`)
	sqs("ChangeMessageVisibility", `,"ReceiptHandle":"x#1","VisibilityTimeout":0`)
	sqs("DeleteMessage", `,"ReceiptHandle":"x#1"`)
	sqs("DeleteMessageBatch", `,"Entries":[{"Id":"1","ReceiptHandle":"x#1"}]`)
	wire(t, u, "sqs", "AmazonSQS.GetQueueUrl", `{"QueueName":"rollcall"}`)
	wire(t, u, "sqs", "AmazonSQS.CreateQueue", `{"QueueName":"other"}`)
	return a
}

func TestBotocoreAcceptsEveryRequestAndAnswer(t *testing.T) {
	a := everything(t)
	calls := a.Calls()
	seen := map[string]bool{}
	for _, c := range calls {
		seen[c.Name()] = true
	}
	if len(seen) != 31 {
		t.Errorf("%d operations were called, not all 31", len(seen))
	}
	if got := hold(t, calls); !strings.HasSuffix(got, fmt.Sprintf("\n%d calls checked, 0 faults\n", len(calls))) && got != fmt.Sprintf("%d calls checked, 0 faults\n", len(calls)) {
		t.Error(got)
	}
}

// The second opinion notices what is wrong.
func TestBotocoreRefusesWhatIsWrong(t *testing.T) {
	var calls []awsfake.Call
	inJSON := http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	wrong := []struct{ output, want string }{
		{`{"pipelineName":"shop","stageStates":[{"latestExecution":{"pipelineExecutionId":"01234567-89ab-cdef-0123-456789abcdef","status":"Running"}}]}`, "none of ["},
		{`{"pipelineName":"web shop"}`, "not [A-Za-z0-9"},
		{`{"stageStates":[{"latestExecution":{"status":"Failed"}}]}`, "lacks pipelineExecutionId"},
		{`{"stages":[]}`, "unknown member stages"},
		{`{"pipelineVersion":"1"}`, "no whole number"},
		{`{"stageStates":[{"actionStates":[{"latestExecution":{"summary":""}}]}]}`, "not between 1 and 2048"},
		{`{"created":"2026-03-02"}`, "no time in seconds"},
	}
	for _, w := range wrong {
		calls = append(calls, awsfake.Call{Service: "codepipeline", Operation: "GetPipelineState", Input: []byte(`{"name":"shop"}`), Status: 200, Output: []byte(w.output), Header: inJSON})
	}
	calls = append(calls, awsfake.Call{Service: "codepipeline", Operation: "GetPipelineState", Input: []byte(`{}`), Status: 200, Output: []byte(`{}`), Header: inJSON},
		awsfake.Call{Service: "codepipeline", Operation: "GetPipelineState", Input: []byte(`{"name":"shop"}`), Status: 400, Output: []byte(`{"__type":"StageNotFoundException"}`), Header: inJSON})
	lines := strings.Split(hold(t, calls), "\n")
	for i, w := range wrong {
		if i >= len(lines) || !strings.Contains(lines[i], w.want) {
			t.Errorf("%s: want %q in %q", w.output, w.want, lines)
		}
	}
	if rest := strings.Join(lines[len(wrong):], "\n"); !strings.Contains(rest, `Missing required parameter in input: "name"`) || !strings.Contains(rest, "StageNotFoundException is not among its errors") {
		t.Errorf("of a bad request and an error it says %q", rest)
	}
}
