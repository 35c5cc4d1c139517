package awsfake_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudfront"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
)

// called is a call by a client of botocore. A text "$N.a.b" in params is what the answer to call N has there.
type called struct {
	Service   string `json:"service"` // by botocore's name
	Operation string `json:"operation"`
	Params    params `json:"params"`
	refused   string // the code that the client reads; empty: it succeeds
}

type params = map[string]any

const stackTemplate = `{"Parameters": {"Size": {"Type": "Number", "Default": 1}}, "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Size": {"Ref": "Size"}}}}, "Outputs": {"Size": {"Value": {"Ref": "Size"}}}}`

// A state machine of the tour and its execution.
const (
	stateMachine   = "arn:aws:states:eu-west-1:111122223333:stateMachine:release"
	stateExecution = "arn:aws:states:eu-west-1:111122223333:execution:release:rc-1"
)

// tour calls what is not CodePipeline. A minute passes between two calls.
func tour() []called {
	source := params{"projectName": "webshop", "sourceTypeOverride": "S3", "sourceLocationOverride": "art/in.zip", "idempotencyToken": "rc-1",
		"artifactsOverride": params{"type": "S3", "location": "art", "path": "out", "name": "Built", "packaging": "ZIP"}}
	gone := params{"projectName": "gone"}
	batch := params{"CallerReference": "rc-1", "Paths": params{"Quantity": 1, "Items": []any{"/*"}}}
	return []called{
		{"codebuild", "BatchGetProjects", params{"names": []any{"webshop", "gone"}}, ""},
		{"codebuild", "StartBuild", source, ""},
		{"codebuild", "BatchGetBuilds", params{"ids": []any{"$1.build.id", "webshop:gone"}}, ""},
		{"s3", "GetObject", params{"Bucket": "art", "Key": "out/Built"}, ""},
		{"codebuild", "ListBuildsForProject", params{"projectName": "webshop"}, ""},
		{"codebuild", "BatchGetReports", params{"reportArns": []any{"$2.builds.0.reportArns.0"}}, ""},
		{"codebuild", "DescribeTestCases", params{"reportArn": "$2.builds.0.reportArns.0"}, ""},
		{"codebuild", "RetryBuild", params{"id": "$1.build.id"}, ""},
		{"codebuild", "StopBuild", params{"id": "$7.build.id"}, ""},
		{"codebuild", "StartBuildBatch", params{"projectName": "webshop", "sourceTypeOverride": "NO_SOURCE", "artifactsOverride": params{"type": "NO_ARTIFACTS"}}, ""},
		{"codebuild", "BatchGetBuildBatches", params{"ids": []any{"$9.buildBatch.id"}}, ""},
		{"codebuild", "ListBuildBatchesForProject", params{"projectName": "webshop"}, ""},
		{"codebuild", "StopBuildBatch", params{"id": "$9.buildBatch.id"}, ""},
		{"codebuild", "StartBuild", gone, "ResourceNotFoundException"},
		{"codebuild", "StartBuild", params{"projectName": "webshop"}, "InvalidInputException"},
		{"logs", "GetLogEvents", params{"logGroupName": "$2.builds.0.logs.groupName", "logStreamName": "$2.builds.0.logs.streamName"}, ""},
		{"s3", "PutObject", params{"Bucket": "art", "Key": "site/index.html", "Body": "<html>", "ContentType": "text/html", "Metadata": params{"by": "rollcall"}}, ""},
		{"s3", "HeadObject", params{"Bucket": "art", "Key": "site/index.html"}, ""},
		{"s3", "HeadObject", params{"Bucket": "art", "Key": "gone"}, "404"},
		{"s3", "GetObject", params{"Bucket": "art", "Key": "gone"}, "NoSuchKey"},
		{"s3", "GetObject", params{"Bucket": "gone", "Key": "gone"}, "NoSuchBucket"},
		{"s3", "CopyObject", params{"Bucket": "art", "Key": "copy", "CopySource": "art/site/index.html"}, ""},
		{"s3", "ListObjectsV2", params{"Bucket": "art", "Prefix": "site/"}, ""},
		{"s3", "ListObjectVersions", params{"Bucket": "art"}, ""},
		{"s3", "GetBucketVersioning", params{"Bucket": "art"}, ""},
		{"s3", "GetBucketLocation", params{"Bucket": "art"}, ""},
		{"s3", "DeleteObjects", params{"Bucket": "art", "Delete": params{"Objects": []any{params{"Key": "copy"}}}}, ""},
		{"s3", "DeleteObject", params{"Bucket": "art", "Key": "site/index.html"}, ""},
		{"sns", "Publish", params{"TopicArn": "arn:aws:sns:eu-west-1:111122223333:releases", "Message": "shipped", "Subject": "webshop"}, ""},
		{"sns", "Publish", params{"TopicArn": "arn:aws:sns:eu-west-1:111122223333:gone", "Message": "shipped"}, "NotFound"},
		{"events", "PutEvents", params{"Entries": []any{params{"Source": "rollcall", "DetailType": "Release", "Detail": "{}"}, params{"Source": "rollcall"}}}, ""},
		{"cloudfront", "CreateInvalidation", params{"DistributionId": "E1", "InvalidationBatch": batch}, ""},
		{"cloudfront", "GetInvalidation", params{"DistributionId": "E1", "Id": "$31.Invalidation.Id"}, ""},
		{"cloudfront", "CreateInvalidation", params{"DistributionId": "E2", "InvalidationBatch": batch}, "NoSuchDistribution"},
		{"cloudformation", "CreateChangeSet", params{"StackName": "shop", "ChangeSetName": "release", "ChangeSetType": "CREATE", "ClientToken": "rc-1", "Parameters": []any{params{"ParameterKey": "Size", "ParameterValue": "2"}}, "TemplateBody": stackTemplate}, ""},
		{"cloudformation", "DescribeChangeSet", params{"StackName": "shop", "ChangeSetName": "release"}, ""},
		{"cloudformation", "ExecuteChangeSet", params{"StackName": "shop", "ChangeSetName": "release", "ClientRequestToken": "rc-2"}, ""},
		{"cloudformation", "DescribeStackEvents", params{"StackName": "shop"}, ""},
		{"cloudformation", "DescribeStacks", params{"StackName": "shop"}, ""},
		{"cloudformation", "SetStackPolicy", params{"StackName": "shop", "StackPolicyBody": "{}"}, ""},
		{"cloudformation", "CreateChangeSet", params{"StackName": "shop", "ChangeSetName": "rights", "TemplateBody": strings.Replace(stackTemplate, "AWS::SQS::Queue", "AWS::IAM::Role", 1)}, "InsufficientCapabilitiesException"},
		{"cloudformation", "DescribeChangeSet", params{"StackName": "shop", "ChangeSetName": "gone"}, "ChangeSetNotFound"},
		{"cloudformation", "CancelUpdateStack", params{"StackName": "shop"}, "ValidationError"},
		{"cloudformation", "DeleteStack", params{"StackName": "shop", "ClientRequestToken": "rc-3"}, ""},
		{"cloudformation", "DescribeStacks", params{"StackName": "shop"}, "ValidationError"},
		{"lambda", "GetFunctionConfiguration", params{"FunctionName": "shop"}, ""},
		{"lambda", "UpdateFunctionCode", params{"FunctionName": "shop", "S3Bucket": "art", "S3Key": "in.zip"}, ""},
		{"lambda", "PublishVersion", params{"FunctionName": "shop", "Description": "of the tour"}, ""},
		{"lambda", "GetFunctionConfiguration", params{"FunctionName": "shop", "Qualifier": "2"}, ""},
		{"lambda", "UpdateAlias", params{"FunctionName": "shop", "Name": "live", "RoutingConfig": params{"AdditionalVersionWeights": params{"2": 0.1}}}, ""},
		{"lambda", "GetAlias", params{"FunctionName": "shop", "Name": "live"}, ""},
		{"lambda", "UpdateAlias", params{"FunctionName": "shop", "Name": "live", "FunctionVersion": "2", "RevisionId": "stale"}, "PreconditionFailedException"},
		{"lambda", "Invoke", params{"FunctionName": "shop", "LogType": "Tail", "Payload": "{}"}, ""},
		{"lambda", "GetAlias", params{"FunctionName": "shop", "Name": "gone"}, "ResourceNotFoundException"},
		{"stepfunctions", "DescribeStateMachine", params{"stateMachineArn": stateMachine}, ""},
		{"stepfunctions", "StartExecution", params{"stateMachineArn": stateMachine, "name": "rc-1", "input": "{}"}, ""},
		{"stepfunctions", "DescribeExecution", params{"executionArn": stateExecution}, ""},
		{"stepfunctions", "GetExecutionHistory", params{"executionArn": stateExecution, "reverseOrder": true}, ""},
		{"stepfunctions", "StartExecution", params{"stateMachineArn": stateMachine, "name": "rc-1", "input": "{}"}, "ExecutionAlreadyExists"},
		{"stepfunctions", "StopExecution", params{"executionArn": stateExecution}, ""},
		{"stepfunctions", "DescribeExecution", params{"executionArn": stateExecution + "-gone"}, "ExecutionDoesNotExist"},
	}
}

// TestBotocoreCallsEveryService has AWS's own client for Python call the fake, and checks the journal with its models.
func TestBotocoreCallsEveryService(t *testing.T) {
	var minutes atomic.Int64
	began := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	a := awsfake.New(awsfake.Options{Now: func() time.Time { return began.Add(time.Duration(minutes.Load()) * time.Minute) }})
	awsfake.At[*s3.Service](a, account, region).Create(s3.Bucket{Name: "art", Owner: account, Region: region})
	var source bytes.Buffer
	if w := zip.NewWriter(&source); w.Close() != nil {
		t.Fatal("no zip")
	}
	awsfake.At[*s3.Service](a, account, region).Put("art", "in.zip", source.Bytes())
	awsfake.At[*sns.Service](a, account, region).Topic("releases")
	awsfake.At[*lambda.Service](a, account, region).Create(lambda.Function{Name: "shop", Aliases: []string{"live"}, Handler: func([]byte) lambda.Answer {
		return lambda.Answer{ErrorType: "KeyError", ErrorMessage: "'schema'", Log: []string{"START"}}
	}})
	awsfake.At[*states.Service](a, account, region).Create(states.Machine{Name: "release", Run: func(string) states.Result {
		return states.Result{Status: "FAILED", Cause: "schema 8", States: []string{"Prepare", "Migrate"}}
	}})
	awsfake.At[*cloudfront.Service](a, account, region).Distribution("E1", account)
	builds := a.CodeBuild(account, region)
	builds.Projects(codebuild.Project{Name: "webshop", BatchRole: "arn:aws:iam::111122223333:role/batch", Variables: map[string]string{"STAGE": "test"}})
	builds.Play("webshop", codebuild.Script{Lines: map[string][]string{"BUILD": {"make"}}, Exported: map[string]string{"IMAGE": "shop:1"},
		Files: map[string]map[string]string{"": {"app": "1"}}, Reports: []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "TestPay", Status: "FAILED", Message: "no"}, {Name: "TestCart"}}}}})
	u := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.ServeHTTP(w, r)
		minutes.Add(1)
	}))
	deploymentsOf(a)
	calls := tour()
	calls = append(calls, deployTour(len(calls))...)
	for i, answer := range boto(t, u, calls) {
		if code, _ := answer["error"].(string); code != calls[i].refused {
			t.Errorf("%s %v was answered %v, want %q", calls[i].Operation, calls[i].Params, answer, calls[i].refused)
		}
	}
	journal := a.Calls()
	if got := hold(t, journal); got != fmt.Sprintf("%d calls checked, 0 faults\n", len(journal)) {
		t.Error(got)
	}
}

// Another fake of AWS, moto, answers calls of S3 and STS alike: with the same refusals, and with the same members.
func TestMotoAnswersAlike(t *testing.T) {
	at := func(key string, more params) params {
		in := params{"Bucket": "art", "Key": key}
		for name, v := range more {
			in[name] = v
		}
		return in
	}
	calls := []called{
		{"s3", "CreateBucket", params{"Bucket": "art", "CreateBucketConfiguration": params{"LocationConstraint": region}}, ""},
		{"s3", "GetBucketVersioning", params{"Bucket": "art"}, ""},
		{"s3", "PutBucketVersioning", params{"Bucket": "art", "VersioningConfiguration": params{"Status": "Enabled"}}, ""},
		{"s3", "GetBucketVersioning", params{"Bucket": "art"}, ""},
		{"s3", "PutObject", at("a/1", params{"Body": "one", "ContentType": "text/plain", "Metadata": params{"by": "rollcall"}}), ""},
		{"s3", "PutObject", at("a/1", params{"Body": "two"}), ""},
		{"s3", "PutObject", at("a/1", params{"Body": "three", "IfNoneMatch": "*"}), "PreconditionFailed"},
		{"s3", "GetObject", at("a/1", nil), ""},
		{"s3", "GetObject", at("a/1", params{"VersionId": "$4.VersionId"}), ""},
		{"s3", "GetObject", at("a/1", params{"Range": "bytes=1-1"}), ""},
		{"s3", "GetObject", at("gone", nil), "NoSuchKey"},
		{"s3", "GetObject", params{"Bucket": "gone", "Key": "a"}, "NoSuchBucket"},
		{"s3", "HeadObject", at("a/1", nil), ""},
		{"s3", "HeadObject", at("gone", nil), "404"},
		{"s3", "CopyObject", at("b", params{"CopySource": "art/a/1"}), ""},
		{"s3", "ListObjectsV2", params{"Bucket": "art", "Prefix": "a/"}, ""},
		{"s3", "DeleteObject", at("b", nil), ""},
		{"s3", "GetObject", at("b", nil), "NoSuchKey"},
		{"s3", "GetBucketLocation", params{"Bucket": "art"}, ""},
		{"sts", "GetCallerIdentity", params{}, ""},
		{"sts", "AssumeRole", params{"RoleArn": "arn:aws:iam::111122223333:role/deploy", "RoleSessionName": "run"}, ""},
	}
	theirs := boto(t, "moto", calls)
	ours := boto(t, serve(t, newAWS(t)), calls)
	for i, c := range calls {
		if code, _ := ours[i]["error"].(string); code != c.refused {
			t.Errorf("%d. %s %v was answered %v, want %q", i, c.Operation, c.Params, ours[i], c.refused)
		}
		for name := range theirs[i] {
			if _, ok := ours[i][name]; !ok && !slices.Contains(elsewhere(), c.Operation+"."+name) {
				t.Errorf("%d. %s %v: moto says %s %v, the fake does not: %v", i, c.Operation, c.Params, name, theirs[i][name], ours[i])
			}
		}
		for _, name := range []string{"error", "Body", "ContentRange", "ETag", "Status", "KeyCount", "LocationConstraint", "Metadata"} {
			if !reflect.DeepEqual(ours[i][name], theirs[i][name]) && theirs[i][name] != nil {
				t.Errorf("%d. %s %v: %s is %v, at moto %v", i, c.Operation, c.Params, name, ours[i][name], theirs[i][name])
			}
		}
	}
}

// elsewhere are members that only moto has, and nobody here reads.
func elsewhere() []string {
	return []string{"PutObject.ChecksumCRC32", "GetObject.ChecksumCRC32", "ListObjectsV2.EncodingType", "AssumeRole.PackedPolicySize"}
}

// boto makes calls with botocore's clients. Without botocore the test is skipped.
func boto(t *testing.T, url string, calls []called) (answers []map[string]any) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "protocol/testdata/boto.py", url)
	cmd.Stdin = strings.NewReader(asJSON(t, calls))
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) || strings.Contains(trouble.String(), "No module named 'botocore'") || strings.Contains(trouble.String(), "No module named 'moto") {
		t.Skip("python3 with botocore, or with moto, is not here: ", err)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, trouble.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil || len(answers) != len(calls) {
		t.Fatalf("%d of %d answers (%v): %s", len(answers), len(calls), err, out.Bytes())
	}
	return answers
}
