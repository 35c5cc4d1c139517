package awsfake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

func TestApprovalAndRollback(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", nil))
	a.wantState("shop", `
Source: #1 Succeeded Checkout=Succeeded
Build: #1 Succeeded Compile=Succeeded
Production: #1 InProgress SignOff=InProgress`)
	first := a.token("shop")
	a.approve("shop")
	a.refused("PutApprovalResult", vote("shop", first, "Rejected", "no"), "ApprovalAlreadyCompletedException")
	a.refused("PutApprovalResult", vote("shop", strings.Repeat("0", 8)+first[8:], "Approved", ""), "InvalidApprovalTokenException")
	a.wantHistory("shop", "Succeeded")
	state := a.must("GetPipelineState", map[string]any{"name": "shop"})
	signOff := state["stageStates"].([]any)[2].(map[string]any)["actionStates"].([]any)[0].(map[string]any)["latestExecution"].(map[string]any)
	if signOff["lastUpdatedBy"] != bob || signOff["summary"] != "lgtm" || signOff["token"] != nil {
		t.Errorf("the approval says %v", signOff)
	}

	a.pipelines().Play("shop", "Production", "Deploy", codepipeline.Script{Fail: &codepipeline.Failure{Message: "host web-2 is unhealthy"}, ExternalID: "d-1"}, codepipeline.Script{})
	bad := a.start("shop")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)}, "UnableToRollbackStageException")
	a.approve("shop")
	a.wantHistory("shop", "Succeeded Failed")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": bad}, "UnableToRollbackStageException")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Source", "targetPipelineExecutionId": a.id("shop", 1)}, "UnableToRollbackStageException")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Nowhere", "targetPipelineExecutionId": a.id("shop", 1)}, "StageNotFoundException")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": first}, "PipelineExecutionNotFoundException")
	a.must("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)})
	a.approve("shop") // a rolled-back stage asks again
	a.wantHistory("shop", "Succeeded Failed Succeeded(to #1)")
	a.wantState("shop", `
Source: #2 Succeeded Checkout=Succeeded
Build: #2 Succeeded Compile=Succeeded
Production: #3 ROLLBACK Succeeded SignOff=Succeeded Deploy=Succeeded`)
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 3)}, "UnableToRollbackStageException")
	a.refused("RetryStageExecution", map[string]any{"pipelineName": "shop", "stageName": "Production", "pipelineExecutionId": bad, "retryMode": "FAILED_ACTIONS"}, "NotLatestPipelineExecutionException")

	a.must("UpdatePipeline", map[string]any{"pipeline": decl("shop", nil)})
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)}, "PipelineExecutionOutdatedException")
	one := a.executions("shop")[0]
	if tr := one["trigger"].(map[string]any); tr["triggerType"] != "ManualRollback" || tr["triggerDetail"] != bob {
		t.Errorf("the rollback was started by %v", tr)
	}
}

func TestSupersededKeepsTheNewestWaiting(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", nil))
	a.start("shop")
	a.wantState("shop", `
Source: #2 Succeeded Checkout=Succeeded
Build: #2 Succeeded Compile=Succeeded
Production: #1 InProgress SignOff=InProgress <#2 InProgress`)
	a.start("shop")
	a.wantHistory("shop", "InProgress Superseded InProgress")
	a.approve("shop")
	a.wantState("shop", `
Source: #3 Succeeded Checkout=Succeeded
Build: #3 Succeeded Compile=Succeeded
Production: #3 InProgress SignOff=InProgress Deploy=Succeeded`)
}

func TestQueuedKeepsTheLine(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", map[string]any{"executionMode": "QUEUED"}))
	a.start("shop")
	a.start("shop")
	a.wantState("shop", `
Source: #3 Succeeded Checkout=Succeeded
Build: #3 Succeeded Compile=Succeeded
Production: #1 InProgress SignOff=InProgress <#2 InProgress <#3 InProgress`)
	a.approve("shop")
	a.wantHistory("shop", "Succeeded InProgress InProgress")
	for range 48 {
		a.start("shop")
	}
	a.refused("StartPipelineExecution", map[string]any{"name": "shop"}, "ConcurrentPipelineExecutionsLimitExceededException")
}

func TestParallelShowsNoTokensInTheState(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", map[string]any{"executionMode": "PARALLEL"}))
	second := a.start("shop")
	a.wantState("shop", "Source:\nBuild:\nProduction:")
	details := a.list("ListActionExecutions", "actionExecutionDetails", map[string]any{"pipelineName": "shop", "filter": map[string]any{"pipelineExecutionId": second}})
	token := details[0]["output"].(map[string]any)["executionResult"].(map[string]any)["externalExecutionId"].(string)
	a.must("PutApprovalResult", vote("shop", token, "Rejected", "not today"))
	a.wantHistory("shop", "InProgress Failed")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": second}, "UnableToRollbackStageException")
}

func TestV1HasNoRollback(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", map[string]any{"pipelineType": "V1"}))
	a.approve("shop")
	a.refused("RollbackStage", map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)}, "UnableToRollbackStageException")
	a.refused("CreatePipeline", map[string]any{"pipeline": decl("other", map[string]any{"pipelineType": "V1", "executionMode": "QUEUED"})}, "InvalidStructureException")
}

func TestTransitions(t *testing.T) {
	a := newAWS(t)
	stage := func(name, kind string) map[string]any {
		return map[string]any{"pipelineName": "shop", "stageName": name, "transitionType": kind}
	}
	lock := func(name, kind string) map[string]any {
		in := stage(name, kind)
		in["reason"] = "shop 1 rolled back by Ana Ruiz"
		return in
	}
	a.create(decl("shop", nil))
	a.approve("shop")
	a.must("DisableStageTransition", lock("Build", "Outbound"))
	a.start("shop")
	a.start("shop")
	a.wantState("shop", `
Source: #3 Succeeded Checkout=Succeeded
Build: #3 Succeeded Compile=Succeeded
Production: #1 Succeeded SignOff=Succeeded Deploy=Succeeded <#3 InProgress locked(shop 1 rolled back by Ana Ruiz)`)
	a.must("EnableStageTransition", stage("Production", "Inbound"))
	a.wantHistory("shop", "Succeeded Superseded InProgress")
	a.refused("DisableStageTransition", lock("Source", "Inbound"), "ValidationException")
	a.refused("DisableStageTransition", lock("Nowhere", "Inbound"), "StageNotFoundException")
	bad := lock("Production", "Inbound")
	bad["reason"] = "shop#1"
	a.refused("DisableStageTransition", bad, "ValidationException")
}

func TestStop(t *testing.T) {
	a := newAWS(t)
	a.pipelines().Play("shop", "Build", "Compile", codepipeline.Script{Hold: true})
	a.create(decl("shop", nil))
	first := a.id("shop", 1)
	second := a.start("shop")
	stop := func(id string, abandon bool) map[string]any {
		return map[string]any{"pipelineName": "shop", "pipelineExecutionId": id, "abandon": abandon, "reason": "wrong branch"}
	}
	a.must("StopPipelineExecution", stop(second, false))
	a.wantHistory("shop", "InProgress Stopped")
	a.must("StopPipelineExecution", stop(first, false))
	a.refused("StopPipelineExecution", stop(first, false), "DuplicatedStopRequestException")
	a.wantHistory("shop", "Stopping Stopped")
	a.must("StopPipelineExecution", stop(first, true))
	a.wantState("shop", `
Source: #2 Succeeded Checkout=Succeeded
Build: #1 Stopped Compile=Abandoned <#2 Stopped
Production:`)
	a.refused("StopPipelineExecution", stop(first, true), "PipelineExecutionNotStoppableException")
	if got := a.executions("shop")[1]["stopTrigger"].(map[string]any)["reason"]; got != "wrong branch" {
		t.Errorf("the reason is %v", got)
	}
	a.pipelines().Play("shop", "Build", "Compile", codepipeline.Script{})
	a.must("RetryStageExecution", map[string]any{"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": first, "retryMode": "FAILED_ACTIONS"})
	a.wantHistory("shop", "InProgress Stopped")
}

func TestRetry(t *testing.T) {
	a := newAWS(t)
	d := decl("shop", nil)
	stageOf(d, 2)["onFailure"] = map[string]any{"result": "RETRY", "retryConfiguration": map[string]any{"retryMode": "ALL_ACTIONS"}}
	fail := codepipeline.Script{Fail: &codepipeline.Failure{Message: "no"}}
	a.pipelines().Play("shop", "Production", "Deploy", fail, fail, fail, codepipeline.Script{})
	a.create(d)
	first := a.token("shop")
	a.approve("shop")
	if second := a.token("shop"); second == first { // all actions again: a new approval
		t.Error("the retried approval has the old token")
	}
	a.approve("shop")
	a.wantHistory("shop", "Failed")
	retry := map[string]any{"pipelineName": "shop", "stageName": "Production", "pipelineExecutionId": a.id("shop", 1), "retryMode": "FAILED_ACTIONS"}
	a.must("RetryStageExecution", retry)
	a.must("RetryStageExecution", retry)
	a.wantHistory("shop", "Succeeded")
	a.refused("RetryStageExecution", retry, "StageNotRetryableException")
	stages := a.must("GetPipelineState", map[string]any{"name": "shop"})["stageStates"].([]any)
	if got := asJSON(t, stages[2].(map[string]any)["retryStageMetadata"]); got != `{"autoStageRetryAttempt":1,"latestRetryTrigger":"ManualStageRetry","manualStageRetryAttempt":2}` {
		t.Errorf("retries: %s", got)
	}
	filter := func(all string) map[string]any {
		return map[string]any{"pipelineName": "shop", "filter": map[string]any{"latestInPipelineExecution": map[string]any{"pipelineExecutionId": a.id("shop", 1), "startTimeRange": all}}}
	}
	all, latest := a.list("ListActionExecutions", "actionExecutionDetails", filter("All")), a.list("ListActionExecutions", "actionExecutionDetails", filter("Latest"))
	if len(all) != 8 || len(latest) != 4 {
		t.Errorf("%d attempts, %d of them the latest; want 8 and 4", len(all), len(latest))
	}
}

func TestAutomaticRollbackGoesAheadOfWhoWaits(t *testing.T) {
	a := newAWS(t)
	d := decl("shop", nil)
	stageOf(d, 2)["onFailure"] = map[string]any{"result": "ROLLBACK"}
	a.create(d)
	a.approve("shop")
	bad := a.start("shop")
	a.start("shop") // waits before Production
	a.pipelines().Play("shop", "Production", "Deploy", codepipeline.Script{Fail: &codepipeline.Failure{}}, codepipeline.Script{})
	a.approve("shop")
	a.wantHistory("shop", "Succeeded Failed InProgress InProgress(to #1)")
	a.wantState("shop", `
Source: #3 Succeeded Checkout=Succeeded
Build: #3 Succeeded Compile=Succeeded
Production: #4 ROLLBACK InProgress SignOff=InProgress Deploy=Failed <#3 InProgress`)
	if tr := a.executions("shop")[0]["trigger"].(map[string]any); tr["triggerType"] != "AutomatedRollback" || tr["triggerDetail"] != `{"FailedPipelineExecutionId":"`+bad+`"}` {
		t.Errorf("the rollback was started by %v", tr)
	}
	a.approve("shop")
	a.wantHistory("shop", "Succeeded Failed InProgress Succeeded(to #1)")
}

func TestApprovalTimesOut(t *testing.T) {
	a := newAWS(t)
	d := decl("shop", nil)
	stageOf(d, 2)["actions"].([]any)[0].(map[string]any)["timeoutInMinutes"] = 30
	a.create(d)
	token := a.token("shop")
	a.Advance(30*time.Minute - time.Second)
	a.wantHistory("shop", "InProgress")
	a.Advance(time.Hour)
	a.wantHistory("shop", "Failed")
	a.refused("PutApprovalResult", vote("shop", token, "Approved", ""), "InvalidApprovalTokenException")
	details := a.list("ListActionExecutions", "actionExecutionDetails", map[string]any{"pipelineName": "shop"})
	if got := details[0]["lastUpdateTime"].(float64) - details[0]["startTime"].(float64); got != 1800 {
		t.Errorf("it ended after %v s, want 1800", got)
	}
}

func TestConditions(t *testing.T) {
	with := func(kind, result string) map[string]any {
		d := decl("shop", nil)
		provider := "LambdaInvoke"
		stageOf(d, 1)[kind] = map[string]any{"conditions": []any{map[string]any{"result": result, "rules": []any{map[string]any{
			"name": "Check", "ruleTypeId": map[string]any{"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}, "configuration": map[string]any{"FunctionName": "f"}}}}}}
		return d
	}
	override := func(a account1, kind string) map[string]any {
		return map[string]any{"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": a.id("shop", 1), "conditionType": kind}
	}
	no := codepipeline.Script{Fail: &codepipeline.Failure{Message: "outside the window"}}
	for name, c := range map[string]struct{ kind, result, build, override, after string }{
		"entry fails":   {"beforeEntry", "FAIL", "Build: #1 Failed", "", "Build: #1 Succeeded Compile=Succeeded"},
		"entry skips":   {"beforeEntry", "SKIP", "Build: #1 Skipped", "ConditionNotOverridableException", "Build: #1 Skipped"},
		"success fails": {"onSuccess", "FAIL", "Build: #1 Failed Compile=Succeeded", "", "Build: #1 Succeeded Compile=Succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAWS(t)
			a.pipelines().Play("shop", "Build", "Check", no)
			a.create(with(c.kind, c.result))
			line := func() string { return strings.Split(a.state("shop"), "\n")[1] }
			if got := line(); got != c.build {
				t.Errorf("%s, want %s", got, c.build)
			}
			in := override(a, map[string]string{"beforeEntry": "BEFORE_ENTRY", "onSuccess": "ON_SUCCESS"}[c.kind])
			if c.override == "" {
				a.must("OverrideStageCondition", in)
				if n := len(a.list("ListRuleExecutions", "ruleExecutionDetails", map[string]any{"pipelineName": "shop"})); n != 1 {
					t.Errorf("%d rule executions, want 1", n)
				}
			} else {
				a.refused("OverrideStageCondition", in, c.override)
			}
			if got := line(); got != c.after {
				t.Errorf("then %s, want %s", got, c.after)
			}
		})
	}
}

func TestUpdateCancelsWhatRuns(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", nil))
	a.start("shop") // waits
	a.must("UpdatePipeline", map[string]any{"pipeline": decl("shop", nil)})
	a.wantHistory("shop", "InProgress Cancelled")
	a.approve("shop") // its action ends, nothing more begins
	a.wantHistory("shop", "Cancelled Cancelled")
	if got := a.must("GetPipeline", map[string]any{"name": "shop"})["pipeline"].(map[string]any)["version"]; got != 2.0 {
		t.Errorf("version %v, want 2", got)
	}
	a.refused("GetPipeline", map[string]any{"name": "shop", "version": 3}, "PipelineVersionNotFoundException")
	a.refused("GetPipeline", map[string]any{"name": "other"}, "PipelineNotFoundException")
	a.refused("CreatePipeline", map[string]any{"pipeline": decl("shop", nil)}, "PipelineNameInUseException")
}

func TestStart(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", map[string]any{"variables": []any{map[string]any{"name": "Color", "defaultValue": "blue"}}}))
	with := func(more map[string]any) map[string]any {
		in := map[string]any{"name": "shop", "clientRequestToken": "rc-1"}
		for k, v := range more {
			in[k] = v
		}
		return in
	}
	variable := func(name string) []any { return []any{map[string]any{"name": name, "value": "red"}} }
	a.refused("StartPipelineExecution", with(map[string]any{"variables": variable("Size")}), "ValidationException")
	a.refused("StartPipelineExecution", with(map[string]any{"sourceRevisions": []any{map[string]any{"actionName": "Checkout", "revisionType": "IMAGE_DIGEST", "revisionValue": "x"}}}), "ValidationException")
	in := with(map[string]any{"variables": variable("Color"), "sourceRevisions": []any{map[string]any{"actionName": "Checkout", "revisionType": "COMMIT_ID", "revisionValue": "abc123"}}})
	one, two := a.must("StartPipelineExecution", in), a.must("StartPipelineExecution", in)
	if one["pipelineExecutionId"] != two["pipelineExecutionId"] || len(a.executions("shop")) != 2 {
		t.Errorf("the same token started %v and %v", one, two)
	}
	got := a.must("GetPipelineExecution", map[string]any{"pipelineName": "shop", "pipelineExecutionId": one["pipelineExecutionId"]})["pipelineExecution"].(map[string]any)
	if v := asJSON(t, got["variables"]); v != `[{"name":"Color","resolvedValue":"red"}]` {
		t.Errorf("variables %s", v)
	}
	if r := got["artifactRevisions"].([]any)[0].(map[string]any)["revisionId"]; r != "abc123" {
		t.Errorf("revision %v", r)
	}
}

func TestPaging(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", map[string]any{"executionMode": "PARALLEL"}))
	for range 4 {
		a.start("shop")
	}
	var seen []string
	for token := any(nil); ; {
		in := map[string]any{"pipelineName": "shop", "maxResults": 2}
		if token != nil {
			in["nextToken"] = token
		}
		out := a.must("ListPipelineExecutions", in)
		for _, e := range out["pipelineExecutionSummaries"].([]any) {
			seen = append(seen, a.number("shop", e.(map[string]any)["pipelineExecutionId"]))
		}
		if token = out["nextToken"]; token == nil {
			break
		}
	}
	if got := strings.Join(seen, ""); got != "#5#4#3#2#1" {
		t.Errorf("the pages held %s", got)
	}
	a.refused("ListPipelineExecutions", map[string]any{"pipelineName": "shop", "nextToken": "x"}, "InvalidNextTokenException")
	a.refused("ListActionExecutions", map[string]any{"pipelineName": "shop", "filter": map[string]any{"pipelineExecutionId": "01234567-89ab-cdef-0123-456789abcdef"}}, "PipelineExecutionNotFoundException")
}

func TestActionsTellWhyTheyFailed(t *testing.T) {
	a := newAWS(t)
	stream := a.Log(account, region, "/aws/codebuild/webshop", "one", "npm test", "1 failed")
	a.pipelines().Push("shop", "Checkout", codepipeline.Revision{ID: "0d1c", Summary: "Coupons", URL: "https://git.example/0d1c"})
	a.pipelines().Play("shop", "Build", "Compile", codepipeline.Script{
		Takes: 2 * time.Minute, ExternalID: "webshop:1", ExternalURL: "https://console.aws.amazon.com/b", LogStreamARN: stream, Fail: &codepipeline.Failure{Message: "exit status 1"},
	})
	a.create(decl("shop", nil))
	a.wantHistory("shop", "InProgress")
	a.Advance(2 * time.Minute)
	a.wantHistory("shop", "Failed")
	d := a.list("ListActionExecutions", "actionExecutionDetails", map[string]any{"pipelineName": "shop"})[0]
	if got := asJSON(t, d["output"]); got != `{"executionResult":{"errorDetails":{"code":"JobFailed","message":"exit status 1"},"externalExecutionId":"webshop:1","externalExecutionUrl":"https://console.aws.amazon.com/b","logStreamARN":"`+stream+`"}}` {
		t.Errorf("it says %s", got)
	}
	if got := asJSON(t, d["input"].(map[string]any)["resolvedConfiguration"]); got != `{"EnvironmentVariables":"0d1c","ProjectName":"webshop"}` {
		t.Errorf("its configuration is %s", got)
	}
}
