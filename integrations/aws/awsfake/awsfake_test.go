package awsfake_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

const (
	pipelineTarget = "CodePipeline_20150709."
	bridgeRole     = "arn:aws:iam::444455556666:role/rollcall-bridge"
)

// session assumes a role over the wire and returns the headers of its calls.
func session(t *testing.T, url string, form url.Values) (headers []string, status int, body string) {
	t.Helper()
	form.Set("Action", "AssumeRole")
	form.Set("Version", "2011-06-15")
	status, body = wire(t, url, "sts", "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	part := func(name string) string {
		m := regexp.MustCompile("<" + name + ">(.*)</" + name + ">").FindStringSubmatch(body)
		if m == nil {
			return ""
		}
		return m[1]
	}
	auth := "AWS4-HMAC-SHA256 Credential=" + part("AccessKeyId") + "/20260302/" + region + "/codepipeline/aws4_request, SignedHeaders=host, Signature=00"
	return []string{"Authorization", auth, "X-Amz-Security-Token", part("SessionToken")}, status, body
}

func TestAssumedRoleActsInItsAccount(t *testing.T) {
	a := newAWS(t)
	u := serve(t, a)
	a.Roles(awsfake.Role{ARN: bridgeRole, ExternalID: "acme", SourceIdentity: true})
	form := url.Values{"RoleArn": {bridgeRole}, "RoleSessionName": {"rollcall"}, "SourceIdentity": {"ana@acme.example"}}
	if _, status, body := session(t, u, form); status != http.StatusForbidden || !strings.Contains(body, "<Code>AccessDenied</Code>") ||
		!strings.Contains(body, "User: arn:aws:iam::111122223333:user/rollcall is not authorized to perform: sts:AssumeRole on resource: "+bridgeRole) {
		t.Errorf("without an external ID: %d %s", status, body)
	}
	form.Set("ExternalId", "acme")
	headers, status, body := session(t, u, form)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if err := a.Console("arn:aws:iam::444455556666:user/eve", region).Do("CreatePipeline", map[string]any{"pipeline": decl("shop", nil)}, nil); err != nil {
		t.Fatal(err)
	}
	if status, body := wire(t, u, "codepipeline", pipelineTarget+"GetPipelineState", `{"name":"shop"}`, headers...); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	call := a.Calls()[len(a.Calls())-1]
	want := "codepipeline:GetPipelineState arn:aws:sts::444455556666:assumed-role/rollcall-bridge/rollcall 444455556666 eu-west-1 acme ana@acme.example"
	if got := strings.Join([]string{call.Name(), call.Principal, call.Account, call.Region, call.ExternalID, call.SourceIdentity}, " "); got != want {
		t.Errorf("the journal says %s\nwant %s", got, want)
	}
	if status, body := wire(t, u, "codepipeline", pipelineTarget+"GetPipelineState", `{"name":"shop"}`); status != http.StatusBadRequest || !strings.Contains(body, "PipelineNotFoundException") {
		t.Errorf("another account sees the pipeline: %d %s", status, body)
	}
	a.Advance(time.Hour)
	if status, body := wire(t, u, "codepipeline", pipelineTarget+"GetPipelineState", `{"name":"shop"}`, headers...); status != http.StatusBadRequest || !strings.Contains(body, `"__type":"ExpiredTokenException"`) {
		t.Errorf("after an hour: %d %s", status, body)
	}
	if status, body := wire(t, u, "codepipeline", pipelineTarget+"ListPipelines", `{}`, headers[0], headers[1], "X-Amz-Security-Token", "forged"); status != http.StatusBadRequest || !strings.Contains(body, "UnrecognizedClientException") {
		t.Errorf("with another token: %d %s", status, body)
	}
}

func TestCallerIdentity(t *testing.T) {
	a := newAWS(t)
	a.User("AKIDEXAMPLE", bob)
	status, body := wire(t, serve(t, a), "sts", "", "Action=GetCallerIdentity&Version=2011-06-15")
	if status != http.StatusOK || !strings.Contains(body, "<Arn>"+bob+"</Arn>") || !strings.Contains(body, "<Account>111122223333</Account>") {
		t.Errorf("%d %s", status, body)
	}
}

func TestPoliciesAreAskedAtTheLevelThatIAMWants(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", nil))
	a.approve("shop")
	roll := map[string]any{"pipelineName": "shop", "stageName": "Production", "targetPipelineExecutionId": a.id("shop", 1)}
	allow := func(effect, action, resource string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"` + action + `","Resource":["` + resource + `"]}}`
	}
	pipeline := "arn:aws:codepipeline:eu-west-1:111122223333:shop"
	for name, c := range map[string]struct {
		documents []string
		want      string
	}{
		"pipeline level": {[]string{allow("Allow", "codepipeline:RollbackStage", pipeline)},
			"User: " + bob + " is not authorized to perform: codepipeline:RollbackStage on resource: " + pipeline + "/Production because no identity-based policy allows the codepipeline:RollbackStage action"},
		"explicit deny": {[]string{allow("Allow", "*", "*"), allow("Deny", "codepipeline:Roll*", pipeline+"/Prod?ction")}, "with an explicit deny in an identity-based policy"},
		"stage level":   {[]string{allow("Allow", "codepipeline:rollbackstage", pipeline+"/*")}, ""},
		"no policies":   {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := a.Policies(bob, c.documents...); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := a.Policies(bob); err != nil {
					t.Error(err)
				}
			})
			err := a.Console(bob, region).Do("RollbackStage", roll, nil)
			switch {
			case c.want == "" && err != nil && !strings.Contains(err.Error(), "is currently running"):
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), "AccessDeniedException: ") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	if err := a.Policies(bob, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`); err == nil {
		t.Error("a condition that is not understood was not refused")
	}
}

func TestFaults(t *testing.T) {
	start := pipelineTarget + "StartPipelineExecution"
	for name, c := range map[string]struct {
		trouble awsfake.Trouble
		status  int
		body    string
		started int
	}{
		"throttle":   {awsfake.Throttle, http.StatusBadRequest, "ThrottlingException", 0},
		"500":        {awsfake.ServerError, http.StatusInternalServerError, "InternalFailure", 0},
		"cut before": {awsfake.CutBefore, 0, "EOF", 0},
		"cut after":  {awsfake.CutAfter, 0, "EOF", 1},
		"expired":    {awsfake.ExpiredToken, http.StatusBadRequest, "ExpiredTokenException", 0},
		"declared":   {awsfake.Refuse, http.StatusBadRequest, "ConflictException", 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAWS(t)
			a.create(decl("shop", nil))
			u := serve(t, a)
			a.Faults(awsfake.Fault{Operation: "codepipeline:Start*", Trouble: c.trouble, Times: 1, Code: "ConflictException", Message: "busy"})
			if status, body := wire(t, u, "codepipeline", start, `{"name":"shop"}`); status != c.status || !strings.Contains(body, c.body) {
				t.Errorf("%d %s", status, body)
			}
			calls := a.Calls()
			if last := calls[len(calls)-1]; last.Operation != "StartPipelineExecution" || last.Trouble != c.trouble {
				t.Errorf("the journal says %s, %s", last.Operation, last.Trouble)
			}
			if n := len(a.executions("shop")) - 1; n != c.started {
				t.Errorf("%d were started, want %d", n, c.started)
			}
			if status, body := wire(t, u, "codepipeline", start, `{"name":"shop"}`); status != http.StatusOK {
				t.Errorf("then %d %s", status, body)
			}
		})
	}
}

func TestShareOfCallsIsThrottledEvenly(t *testing.T) {
	a := newAWS(t)
	u := serve(t, a)
	a.Faults(awsfake.Fault{Trouble: awsfake.Throttle, Share: 0.3})
	bad := 0
	for range 10 {
		if status, _ := wire(t, u, "codepipeline", pipelineTarget+"ListPipelines", `{}`); status != http.StatusOK {
			bad++
		}
	}
	if bad != 3 {
		t.Errorf("%d of 10 were throttled, want 3", bad)
	}
}

func TestSlowCallHasItsEffectWhenItIsLetGo(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", nil))
	u := serve(t, a)
	a.Faults(awsfake.Fault{Operation: "codepipeline:StartPipelineExecution", Trouble: awsfake.Slow})
	done := make(chan int)
	go func() {
		status, _ := wire(t, u, "codepipeline", pipelineTarget+"StartPipelineExecution", `{"name":"shop"}`)
		done <- status
	}()
	err := a.Wait(t.Context(), func(calls []awsfake.Call) bool {
		return slices.ContainsFunc(calls, func(c awsfake.Call) bool { return c.Trouble == awsfake.Slow })
	})
	if err != nil {
		t.Fatal(err)
	}
	a.wantHistory("shop", "InProgress")
	a.Faults()
	if status := <-done; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	a.wantHistory("shop", "InProgress InProgress")
}

func TestEventsComeThroughTheQueue(t *testing.T) {
	a := newAWS(t)
	u := serve(t, a)
	queue := a.Queue(account, region, "rollcall")
	a.Forward(account, region, queue)
	a.pipelines().Play("shop", "Build", "Compile", codepipeline.Script{Fail: &codepipeline.Failure{}})
	received := make(chan string)
	go func() { // waits before there is anything
		_, body := wire(t, u, "sqs", "AmazonSQS.ReceiveMessage", `{"QueueUrl":"`+queue+`","MaxNumberOfMessages":10,"WaitTimeSeconds":20}`)
		received <- body
	}()
	err := a.Wait(t.Context(), func(calls []awsfake.Call) bool { return len(calls) == 1 })
	if err != nil {
		t.Fatal(err)
	}
	a.create(decl("shop", nil))
	if body := <-received; !strings.Contains(body, `\"detail-type\":\"CodePipeline Pipeline Execution State Change\"`) || !strings.Contains(body, `"MD5OfBody":"`) {
		t.Errorf("received %s", body)
	}
	var told []string
	for _, e := range a.Events(account, region) {
		d := e.Detail.(map[string]any)
		told = append(told, strings.Fields(e.DetailType)[1]+" "+d["state"].(string))
	}
	want := "Pipeline STARTED, Stage STARTED, Action STARTED, Action SUCCEEDED, Stage SUCCEEDED, Stage STARTED, Action STARTED, Action FAILED, Stage FAILED, Pipeline FAILED"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("told  %s\nwant %s", got, want)
	}
}

func TestQueueHidesWhatWasReceived(t *testing.T) {
	a := newAWS(t)
	u := serve(t, a)
	queue := a.Queue(account, region, "rollcall")
	a.Send(queue, "one")
	do := func(op, more string) (int, map[string]any) {
		t.Helper()
		status, body := wire(t, u, "sqs", "AmazonSQS."+op, `{"QueueUrl":"`+queue+`"`+more+`}`)
		var out map[string]any
		if body != "" && json.Unmarshal([]byte(body), &out) != nil {
			t.Fatalf("%s answered %s", op, body)
		}
		return status, out
	}
	receive := func() []any {
		t.Helper()
		_, out := do("ReceiveMessage", `,"VisibilityTimeout":30`)
		list, _ := out["Messages"].([]any)
		return list
	}
	if n := len(receive()); n != 1 {
		t.Fatalf("%d messages, want 1", n)
	}
	if n := len(receive()); n != 0 {
		t.Errorf("%d messages while it is hidden, want 0", n)
	}
	a.Advance(31 * time.Second)
	again := receive()
	if len(again) != 1 {
		t.Fatalf("%d messages after its time, want 1", len(again))
	}
	handle := again[0].(map[string]any)["ReceiptHandle"].(string)
	if status, _ := do("ChangeMessageVisibility", `,"ReceiptHandle":"`+handle+`","VisibilityTimeout":0`); status != http.StatusOK || len(receive()) != 1 {
		t.Errorf("it is still hidden (%d)", status)
	}
	if status, _ := do("DeleteMessage", `,"ReceiptHandle":"`+handle+`"`); status != http.StatusOK {
		t.Errorf("deleting: %d", status)
	}
	a.Advance(time.Minute)
	if n := len(receive()); n != 0 {
		t.Errorf("%d messages after it was deleted", n)
	}
	if status, body := wire(t, u, "sqs", "AmazonSQS.ReceiveMessage", `{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/other"}`); status != http.StatusBadRequest || !strings.Contains(body, "QueueDoesNotExist") {
		t.Errorf("an unknown queue: %d %s", status, body)
	}
}

func TestLogEventsArePaged(t *testing.T) {
	a := newAWS(t)
	u := serve(t, a)
	a.Log(account, region, "/aws/codebuild/webshop", "one", "1", "2", "3", "4", "5")
	get := func(more string) (lines, next string) {
		t.Helper()
		_, body := wire(t, u, "logs", "Logs_20140328.GetLogEvents", `{"logGroupName":"/aws/codebuild/webshop","logStreamName":"one"`+more+`}`)
		var out struct {
			Events           []struct{ Message string }
			NextForwardToken string
		}
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		for _, e := range out.Events {
			lines += e.Message
		}
		return lines, out.NextForwardToken
	}
	if lines, _ := get(`,"limit":2`); lines != "45" {
		t.Errorf("the tail is %s", lines)
	}
	lines, next := get(`,"limit":3,"startFromHead":true`)
	more, end := get(`,"startFromHead":true,"nextToken":"` + next + `"`)
	none, same := get(`,"startFromHead":true,"nextToken":"` + end + `"`)
	if lines+more != "12345" || none != "" || same != end {
		t.Errorf("the pages are %q %q %q, the last token is %q after %q", lines, more, none, same, end)
	}
	if status, body := wire(t, u, "logs", "Logs_20140328.GetLogEvents", `{"logGroupName":"other","logStreamName":"one"}`); status != http.StatusBadRequest || !strings.Contains(body, "ResourceNotFoundException") {
		t.Errorf("an unknown stream: %d %s", status, body)
	}
}

func TestBuildsSayInWhichPhaseTheyFailed(t *testing.T) {
	a := newAWS(t)
	a.CodeBuild(account, region).Add(codebuild.Build{ID: "webshop:1", Status: "FAILED", LogGroup: "/aws/codebuild/webshop", LogStream: "one",
		Phases: []codebuild.Phase{{Type: "BUILD", Status: "FAILED", Code: "COMMAND_EXECUTION_ERROR", Message: "exit status 1"}}})
	status, body := wire(t, serve(t, a), "codebuild", "CodeBuild_20161006.BatchGetBuilds", `{"ids":["webshop:1","webshop:2"]}`)
	want := `{"builds":[{"arn":"arn:aws:codebuild:eu-west-1:111122223333:build/webshop:1","buildComplete":true,"buildStatus":"FAILED","id":"webshop:1",` +
		`"logs":{"groupName":"/aws/codebuild/webshop","streamName":"one"},"phases":[{"contexts":[{"message":"exit status 1","statusCode":"COMMAND_EXECUTION_ERROR"}],"phaseStatus":"FAILED","phaseType":"BUILD"}],` +
		`"projectName":"webshop"}],"buildsNotFound":["webshop:2"]}`
	if status != http.StatusOK || body != want {
		t.Errorf("%d %s\nwant %s", status, body, want)
	}
}

func TestUnsignedAndUnknownCalls(t *testing.T) {
	a := newAWS(t)
	u := serve(t, a)
	if status, body := wire(t, u, "codepipeline", pipelineTarget+"ListPipelines", `{}`, "Authorization", ""); status != http.StatusForbidden || !strings.Contains(body, "MissingAuthenticationToken") {
		t.Errorf("unsigned: %d %s", status, body)
	}
	for _, c := range [][2]string{{pipelineTarget + "PollForJobs", "UnknownOperationException"}, {"Elsewhere.Do", "UnknownOperationException"}, {"", "UnknownOperationException"}} {
		if status, body := wire(t, u, "codepipeline", c[0], `{}`); status != http.StatusBadRequest || !strings.Contains(body, c[1]) {
			t.Errorf("%q: %d %s", c[0], status, body)
		}
	}
	if status, body := wire(t, u, "codepipeline", pipelineTarget+"GetPipelineState", `{"name":7}`); status != http.StatusBadRequest || !strings.Contains(body, `"__type":"ValidationException"`) {
		t.Errorf("a number for a name: %d %s", status, body)
	}
}

func TestSnapshotKeepsPipelines(t *testing.T) {
	a := newAWS(t)
	a.create(decl("shop", nil))
	a.start("shop")
	raw, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other := newAWS(t)
	if err := other.Restore(raw); err != nil {
		t.Fatal(err)
	}
	if other.state("shop") != a.state("shop") || other.token("shop") != a.token("shop") || other.Version() != a.Version() {
		t.Errorf("restored it is\n%s", other.state("shop"))
	}
}

func TestJournalKeepsTheNewest(t *testing.T) {
	s := awsfake.New(awsfake.Options{Keep: 10})
	for range 100 {
		if err := s.Console(bob, region).Do("ListPipelines", map[string]any{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Calls()); n < 10 || n > 20 {
		t.Errorf("%d calls are remembered, want 10 to 20", n)
	}
}

func TestTheSimulatorSaysWhatPoliciesAllow(t *testing.T) {
	a := newAWS(t)
	if err := a.Policies(bob, `{"Statement":[{"Effect":"Allow","Action":["codepipeline:*","iam:*"],"Resource":"*"},{"Effect":"Deny","Action":"codepipeline:RollbackStage","Resource":"arn:x/Production"}]}`); err != nil {
		t.Fatal(err)
	}
	ask := "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=" + url.QueryEscape(bob) + "&ResourceArns.member.1=arn%3Ax%2FBuild&ResourceArns.member.2=arn%3Ax%2FProduction&ActionNames.member.1="
	for action, want := range map[string]string{
		"codepipeline%3ARollbackStage": "<EvalDecision>explicitDeny</EvalDecision><EvalResourceName>arn:x/Build</EvalResourceName><ResourceSpecificResults><member><EvalResourceDecision>allowed</EvalResourceDecision><EvalResourceName>arn:x/Build</EvalResourceName></member><member><EvalResourceDecision>explicitDeny</EvalResourceDecision><EvalResourceName>arn:x/Production<",
		"codepipeline%3AGetPipeline":   "<EvalDecision>allowed</EvalDecision>",
		"sqs%3AReceiveMessage":         "<EvalDecision>implicitDeny</EvalDecision>",
	} {
		if status, body := wire(t, serve(t, a), "iam", "", ask+action); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s\nwant %s", action, status, body, want)
		}
	}
}
