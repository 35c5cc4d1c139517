package diagnose

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	session  = "arn:aws:sts::444455556666:assumed-role/rollcall-bridge/rc-0193aa-SignOff"
	role     = "arn:aws:iam::444455556666:role/rollcall-bridge"
	pipeline = "arn:aws:codepipeline:eu-west-1:444455556666:webshop-pipeline"
	stage    = pipeline + "/Production"
)

// What AWS says, and what is made of it. says: parts of cause, title or fixes.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name         string
		f            Failure
		class, retry string
		says         []string
		statement    string
	}{
		{"the right on the stage is missing", Failure{Service: "CodePipeline", Operation: "RollbackStage", Code: "AccessDeniedException", Status: 400, RequestID: "7f",
			Message:  "User: " + session + " is not authorized to perform: codepipeline:RollbackStage on resource: " + stage + " because no identity-based policy allows the codepipeline:RollbackStage action",
			Resource: stage, Again: "rollcall rollback webshop Production --to webshop#41"}, accessDenied, afterFix,
			[]string{"AWS does not allow codepipeline:RollbackStage", role + " lacks codepipeline:RollbackStage on " + stage, "add the statement to the policy of " + role, "then: rollcall rollback webshop Production --to webshop#41"},
			`{"Effect":"Allow","Action":["codepipeline:RollbackStage"],"Resource":"` + stage + `"}`},
		{"AWS names the pipeline only, the caller the stage", Failure{Service: "CodePipeline", Operation: "RollbackStage", Code: "AccessDeniedException", Status: 400,
			Message: "User: " + session + " is not authorized to perform: codepipeline:RollbackStage on resource: " + pipeline, Resource: stage}, accessDenied, afterFix, []string{stage},
			`{"Effect":"Allow","Action":["codepipeline:RollbackStage"],"Resource":"` + stage + `"}`},
		{"nobody names the stage", Failure{Code: "AccessDenied", Message: "User: " + session + " is not authorized to perform: codepipeline:rollbackstage on resource: " + pipeline}, accessDenied, afterFix,
			[]string{"codepipeline:RollbackStage on " + pipeline + "/*"}, `{"Effect":"Allow","Action":["codepipeline:RollbackStage"],"Resource":"` + pipeline + `/*"}`},
		{"the message says nothing", Failure{Service: "CodePipeline", Operation: "PutApprovalResult", Code: "AccessDenied", Status: 403, Message: "Access denied", Caller: session, Resource: stage + "/SignOff"}, accessDenied, afterFix,
			[]string{role + " lacks codepipeline:PutApprovalResult on " + stage + "/SignOff"}, `{"Effect":"Allow","Action":["codepipeline:PutApprovalResult"],"Resource":"` + stage + `/SignOff"}`},
		{"an explicit deny", Failure{Code: "AccessDeniedException", Message: "User: " + session + " is not authorized to perform: codepipeline:PutApprovalResult on resource: " + stage + "/SignOff with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1"}, accessDenied, afterFix,
			[]string{"arn:aws:organizations::1:policy/o-1/service_control_policy/p-1 forbids codepipeline:PutApprovalResult", "deny in the service control policy"}, ""},
		{"an old explicit deny", Failure{Code: "AccessDenied", Message: "User: " + session + " is not authorized to perform: sqs:receivemessage on resource: arn:aws:sqs:eu-west-1:1:q with an explicit deny"}, accessDenied, afterFix, []string{"a policy forbids sqs:ReceiveMessage"}, ""},
		{"a boundary", Failure{Code: "AccessDenied", Message: "User: " + session + " is not authorized to perform: logs:GetLogEvents on resource: arn:aws:logs:eu-west-1:1:log-group:/aws/codebuild/x:log-stream:y because no permissions boundary allows the logs:GetLogEvents action"}, accessDenied, afterFix,
			[]string{"permissions boundary of " + role}, `{"Effect":"Allow","Action":["logs:GetLogEvents"],"Resource":"arn:aws:logs:eu-west-1:1:log-group:/aws/codebuild/x:log-stream:y"}`},
		{"a bucket's policy", Failure{Service: "S3", Operation: "GetObject", Code: "AccessDenied", Status: 403, Message: `User: ` + session + ` is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::art/a/b.zip" because no resource-based policy allows the s3:GetObject action`}, accessDenied, afterFix,
			[]string{"policy of arn:aws:s3:::art/a/b.zip"}, `{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::art/a/b.zip"}`},
		{"an action granted on everything only", Failure{Service: "CodePipeline", Operation: "ListPipelines", Code: "AccessDeniedException", Message: "User: " + session + " is not authorized to perform: codepipeline:ListPipelines on resource: arn:aws:codepipeline:eu-west-1:444455556666:* because no identity-based policy allows the codepipeline:ListPipelines action"}, accessDenied, afterFix, nil,
			`{"Effect":"Allow","Action":["codepipeline:ListPipelines"],"Resource":"*"}`},
		{"the role does not trust us", Failure{Service: "STS", Operation: "AssumeRole", Code: "AccessDenied", Status: 403, Message: "User: arn:aws:iam::111122223333:user/rollcall is not authorized to perform: sts:AssumeRole on resource: " + role}, trust, afterFix,
			[]string{"trust policy of " + role, "external ID"}, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/rollcall"},"Action":["sts:AssumeRole"]}`},
		{"the caller lacks AssumeRole", Failure{Service: "STS", Operation: "AssumeRole", Code: "AccessDenied", Message: "User: arn:aws:iam::444455556666:user/rollcall is not authorized to perform: sts:AssumeRole on resource: " + role + " because no identity-based policy allows the sts:AssumeRole action"}, trust, afterFix,
			[]string{"policy of arn:aws:iam::444455556666:user/rollcall"}, `{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":"` + role + `"}`},
		{"the source identity", Failure{Service: "STS", Operation: "AssumeRole", Code: "AccessDenied", Message: "User: arn:aws:iam::1:user/r is not authorized to perform: sts:SetSourceIdentity on resource: " + role}, trust, afterFix,
			[]string{"switch sourceIdentity off"}, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:user/r"},"Action":["sts:SetSourceIdentity"]}`},
		{"an error from an AssumeRole without words", Failure{Service: "STS", Operation: "AssumeRole", Code: "AccessDenied", Resource: role, Caller: "arn:aws:iam::1:user/r"}, trust, afterFix, []string{role}, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:user/r"},"Action":["sts:AssumeRole"]}`},
		{"a session that ended", Failure{Code: "ExpiredTokenException", Message: "The security token included in the request is expired", Status: 400}, credentials, afterFix, []string{"doctor"}, ""},
		{"the clock", Failure{Code: "InvalidSignatureException", Message: "Signature expired: 20261130T120000Z is now earlier than 20261130T121000Z"}, credentials, afterFix, []string{"NTP"}, ""},
		{"no credentials", Failure{Message: "operation error CodePipeline: GetPipeline, get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found"}, credentials, afterFix, []string{"there are no credentials", "AWS_PROFILE"}, ""},
		{"throttled", Failure{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400, Again: "rollcall retry webshop#42"}, throttled, now, []string{"rollcall retry webshop#42"}, ""},
		{"by status alone", Failure{Status: 429}, throttled, now, nil, ""},
		{"with a namespace", Failure{Code: "com.amazonaws.codepipeline#PipelineNotFoundException:http://x", Message: "Account '1' does not have a pipeline with name 'x'"}, notFound, afterFix, []string{"no such pipeline"}, ""},
		{"answered already", Failure{Code: "ApprovalAlreadyCompletedException"}, conflict, never, []string{"answered already"}, ""},
		{"a stale token", Failure{Code: "InvalidApprovalTokenException"}, conflict, never, nil, ""},
		{"an outdated target", Failure{Code: "PipelineExecutionOutdatedException"}, conflict, never, []string{"has changed since"}, ""},
		{"no rollback now", Failure{Code: "UnableToRollbackStageException", Message: "Stage is running"}, conflict, afterFix, []string{"Stage is running"}, ""},
		{"the queue is full", Failure{Code: "ConcurrentPipelineExecutionsLimitExceededException"}, quota, now, nil, ""},
		{"a quota", Failure{Code: "AccountLimitExceededException"}, quota, afterFix, nil, ""},
		{"a key", Failure{Code: "KMSDisabledException"}, kms, afterFix, nil, ""},
		{"an object", Failure{Code: "NoSuchKey", Status: 404}, missingArtifact, afterFix, nil, ""},
		{"a wrong value", Failure{Code: "ValidationException", Message: "1 validation error detected", Status: 400}, validation, never, []string{"1 validation error"}, ""},
		{"a fault", Failure{Code: "InternalFailure", Status: 500}, serviceFault, now, nil, ""},
		{"a page of a load balancer", Failure{Status: 503, Message: "<html>"}, serviceFault, now, nil, ""},
		{"no name server", Failure{Message: "dial tcp: lookup codepipeline.eu-west-1.amazonaws.com: no such host"}, network, now, nil, ""},
		{"a foreign certificate", Failure{Message: "tls: failed to verify certificate: x509: certificate signed by unknown authority"}, network, now, []string{"AWS_CA_BUNDLE"}, ""},
		{"late", Failure{Message: "context deadline exceeded"}, timeout, now, nil, ""},
		{"nothing known", Failure{}, network, now, nil, ""},
		{"not an action", Failure{Code: "AccessDenied", Message: "you are not authorized to perform: <script> on resource: x"}, accessDenied, afterFix, []string{"CloudTrail"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Explain(c.f)
			if got.Class != c.class || got.Retry != c.retry || string(got.Statement) != c.statement {
				t.Errorf("%s, retry %s, %s", got.Class, got.Retry, got.Statement)
			}
			all := strings.Join(append([]string{got.Title, got.Cause}, got.Fix...), "\n")
			for _, s := range c.says {
				if !strings.Contains(all, s) {
					t.Errorf("it does not say %q:\n%s", s, all)
				}
			}
			fit(t, got)
		})
	}
}

func TestDenied(t *testing.T) {
	for _, c := range []struct {
		message string
		want    Denial
		ok      bool
	}{
		{"User: a is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r", Denial{Who: "a", Action: "iam:PassRole", Resource: "arn:aws:iam::1:role/r"}, true},
		{"User: a is not authorized to perform: codepipeline:getpipelinestate", Denial{Who: "a", Action: "codepipeline:GetPipelineState"}, true},
		{"CodeBuild is not authorized to perform: sts:AssumeRole on service role. Please verify that: 1) …", Denial{Who: "CodeBuild", Action: "sts:AssumeRole"}, true},
		{"User: a is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\" because no VPC endpoint policy allows the s3:GetObject action", Denial{Who: "a", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Because: "VPC endpoint policy"}, true},
		{"user: a IS NOT AUTHORIZED TO PERFORM: s3:GetObject on resource: r with an explicit deny in an identity-based policy", Denial{Who: "a", Action: "s3:GetObject", Resource: "r", Because: "identity-based policy", Explicit: true}, true},
		{"User: a is not authorized to perform: sqs:ReceiveMessage on resource: " + strings.Repeat("x", 3000), Denial{Who: "a", Action: "sqs:ReceiveMessage"}, true},
		{"you are not authorized to perform this operation", Denial{}, false},
		{"not authorized to perform: ", Denial{}, false},
		{"", Denial{}, false},
	} {
		if got, ok := Denied(c.message); got != c.want || ok != c.ok {
			t.Errorf("%.80s: %+v, %v", c.message, got, ok)
		}
	}
}

// A failed action of a pipeline says its reason in words only.
func TestAction(t *testing.T) {
	for _, c := range []struct{ provider, code, message, class, retry, says string }{
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing command: npm test. Reason: exit status 1", commandFailed, afterFix, "npm test"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: DOWNLOAD_SOURCE, Code: YAML_FILE_ERROR, Message: stat /codebuild/buildspec.yml: no such file or directory", buildSpec, afterFix, "buildspec"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: DOWNLOAD_SOURCE, Code: CLIENT_ERROR, Message: AccessDenied: Access Denied status code: 403", accessDenied, afterFix, "may not read"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: DOWNLOAD_SOURCE, Code: CLIENT_ERROR, Message: NoSuchKey: The specified key does not exist. status code: 404", missingArtifact, afterFix, "gone"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: PROVISIONING, Code: ACCESS_DENIED, Message: CodeBuild is not authorized to perform: sts:AssumeRole on service role.", trust, afterFix, "codebuild.amazonaws.com"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: PROVISIONING, Code: BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE, Message: Unable to pull customer's container image", notFound, afterFix, "pulled"},
		{"CodeBuild", "JobFailed", "Build terminated with state: TIMED_OUT. Phase: BUILD, Code: BUILD_TIMED_OUT, Message: Build has timed out.", timeout, afterFix, "too long"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAULT. Phase: BUILD, Code: INTERNAL, Message: x", serviceFault, now, ""},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: QUEUED, Code: INSUFFICIENT_SUBNET, Message: x", quota, afterFix, "subnet"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: UPLOAD_ARTIFACTS, Code: CLIENT_ERROR, Message: no matching artifact paths found", validation, afterFix, "artifacts.files"},
		{"CodeBuild", "JobFailed", "Build terminated with state: FAILED. Phase: BUILD, Code: INTERNAL, Message: out of memory, ErrorCode: 500", quota, afterFix, "memory"},
		{"CodeDeploy", "JobFailed", "The overall deployment failed because too many individual instances failed deployment, too few healthy instances are available for deployment", healthCheck, afterFix, "healthy"},
		{"CloudFormation", "JobFailed", "Stack acme is in UPDATE_ROLLBACK_COMPLETE", externalRollback, afterFix, "events"},
		{"CloudFormation", "InvalidActionConfiguration", "Requires capabilities : [CAPABILITY_NAMED_IAM]", validation, afterFix, "capability"},
		{"ECS", "JobFailed", "ECS deployment circuit breaker: tasks failed to start.", externalRollback, afterFix, "stopped tasks"},
		{"S3", "PermissionError", "Unable to access the artifact with Amazon S3 object key 'shop/App/a1.zip' located in the Amazon S3 artifact bucket 'acme-art'. The provided role does not have sufficient permissions.", accessDenied, afterFix, "arn:aws:s3:::acme-art/shop/App/a1.zip"},
		{"Lambda", "PermissionError", "User: " + session + " is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:eu-west-1:1:function:f", accessDenied, afterFix, "lambda:InvokeFunction"},
		{"Lambda", "JobTimedOut", "The AWS Lambda function shop failed to return a result", timeout, afterFix, ""},
		{"GitHub", "SystemUnavailable", "try later", serviceFault, now, ""},
		{"Deploy", "ConfigurationError", "no such key in configuration", validation, afterFix, ""},
	} {
		got, ok := Action(c.provider, c.code, c.message)
		text := strings.Join(append([]string{got.Title, got.Cause, string(got.Statement)}, got.Fix...), "\n")
		if !ok || got.Class != c.class || got.Retry != c.retry || !strings.Contains(text, c.says) {
			t.Errorf("%s: %v %+v", c.message, ok, got)
		}
		fit(t, got)
	}
	for _, unknown := range []string{"", "the tests are red", "Approval rejected"} {
		if got, ok := Action("CodeBuild", "JobFailed", unknown); ok {
			t.Errorf("%q became %+v", unknown, got)
		}
	}
}

// Nothing of a signature error that could sign another request travels on.
func TestNoSecretIsRepeated(t *testing.T) {
	token := strings.Repeat("IQoJb3JpZ2luX2VjE", 20)
	got := Explain(Failure{Code: "SignatureDoesNotMatch", Message: "The request signature we calculated does not match. The Canonical String for this request should have been 'POST / x-amz-security-token:" + token +
		"' Credential=ASIAIOSFODNN7EXAMPLE/20261130 https://x/?X-Amz-Signature=abcdef0123&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"})
	all, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token[:30], "IOSFODNN7EXAMPLE", "abcdef0123"} {
		if strings.Contains(string(all), secret) {
			t.Errorf("it repeats %q: %s", secret, all)
		}
	}
}

// fit holds every finding to what surfaces rely on.
func fit(t *testing.T, f workflows.Finding) {
	t.Helper()
	classes := []string{accessDenied, credentials, trust, missingArtifact, kms, throttled, quota, conflict, notFound, validation, buildSpec, commandFailed, healthCheck, externalRollback, timeout, network, serviceFault}
	if !slices.Contains(classes, f.Class) || !slices.Contains([]string{now, afterFix, never}, f.Retry) || f.Title == "" || len(f.Fix) == 0 {
		t.Errorf("it is no finding: %+v", f)
	}
	texts := append([]string{f.Title, f.Cause}, f.Fix...)
	for _, e := range f.Evidence {
		texts = append(texts, e.From, e.Text)
	}
	for _, s := range texts {
		if utf8.RuneCountInString(s) > longest || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("the text is not fit to be read: %q", s)
		}
	}
	if f.Statement != nil && (!json.Valid(f.Statement) || len(f.Statement) > 8192) {
		t.Errorf("the statement is not JSON: %.200s", f.Statement)
	}
}

// FuzzExplain: whatever AWS, or somebody who pretends to be it, says.
func FuzzExplain(f *testing.F) {
	f.Add("CodePipeline", "RollbackStage", "AccessDeniedException", "User: "+session+" is not authorized to perform: codepipeline:RollbackStage on resource: "+stage+" because no identity-based policy allows it", 400)
	f.Add("STS", "AssumeRole", "AccessDenied", "not authorized to perform: sts:AssumeRole \x1b[31m on resource: \u202e", 403)
	f.Add("CodeBuild", "", "JobFailed", "Build terminated with state: FAILED. Phase: BUILD, Code: X, Message: y", 0)
	f.Add("S3", "", "", "artifact with Amazon S3 object key 'k' located in the bucket 'b'", 200)
	f.Fuzz(func(t *testing.T, service, operation, code, message string, status int) {
		fit(t, Explain(Failure{Service: service, Operation: operation, Code: code, Message: message, Status: status, RequestID: code, Caller: message, Resource: operation, Again: service}))
		if found, ok := Action(service, code, message); ok {
			fit(t, found)
		}
	})
}

// The key of an object is as long as a token, and no secret.
func TestKeysOfObjectsAreNamed(t *testing.T) {
	object := "arn:aws:s3:::acme-artifacts/rollcall/webshop/templates/" + strings.Repeat("0123456789abcdef", 4) + ".zip"
	f := Explain(Failure{Code: "AccessDenied", Message: "User: arn:aws:iam::111122223333:user/x is not authorized to perform: s3:GetObject on resource: " + object + " because no identity-based policy allows the s3:GetObject action"})
	if !strings.Contains(f.Cause, "lacks s3:GetObject on "+object) || !strings.Contains(f.Evidence[0].Text, object) {
		t.Errorf("%+v", f)
	}
	if f := Explain(Failure{Code: "X", Message: "the token " + strings.Repeat("ab/d", 40) + " is invalid"}); strings.Contains(f.Evidence[0].Text, "ab/d") {
		t.Errorf("%+v", f)
	}
}
