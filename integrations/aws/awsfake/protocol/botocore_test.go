package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
)

// exchange is a call by botocore's client and the answer to it, both by the names of the model.
type exchange struct {
	service, operation string
	params, answer     map[string]any
	refuse             string // the code that it gets instead; the client reads wantCode
	wantCode           string
}

type object = map[string]any

func exchanges() []exchange {
	const at = "2026-03-02T09:00:00Z"
	return []exchange{
		{service: "s3", operation: "PutObject", params: object{"Bucket": "art", "Key": "a/b c+d.zip", "Body": strings.Repeat("0123456789", 3000), "Metadata": object{"by": "rollcall"}, "IfNoneMatch": "*", "ServerSideEncryption": "aws:kms"},
			answer: object{"VersionId": "v1", "ETag": `"e"`}},
		{service: "s3", operation: "GetObject", params: object{"Bucket": "art", "Key": "a/ü", "VersionId": "v1", "Range": "bytes=0-3"},
			answer: object{"Body": "abcd", "ContentRange": "bytes 0-3/9", "LastModified": at, "Metadata": object{"by": "rollcall"}, "ContentType": "application/zip"}},
		{service: "s3", operation: "HeadObject", params: object{"Bucket": "art", "Key": "a"}, answer: object{"ContentLength": 7.0, "ETag": `"e"`, "LastModified": at, "ContentType": "text/plain"}},
		{service: "s3", operation: "HeadObject", params: object{"Bucket": "art", "Key": "b"}, refuse: "NoSuchKey", wantCode: "404"},
		{service: "s3", operation: "GetObject", params: object{"Bucket": "art", "Key": "b"}, refuse: "NoSuchKey", wantCode: "NoSuchKey"},
		{service: "s3", operation: "CopyObject", params: object{"Bucket": "art", "Key": "c", "CopySource": "other/d?versionId=1"}, answer: object{"CopyObjectResult": object{"ETag": `"e"`, "LastModified": at}, "VersionId": "2"}},
		{service: "s3", operation: "ListObjectsV2", params: object{"Bucket": "art", "Prefix": "a/", "MaxKeys": 2.0}, answer: object{"IsTruncated": true, "KeyCount": 2.0, "NextContinuationToken": "t",
			"Contents": []any{object{"Key": "a/<1>", "Size": 3.0}, object{"Key": "a/2", "LastModified": at}}}},
		{service: "s3", operation: "DeleteObjects", params: object{"Bucket": "art", "Delete": object{"Objects": []any{object{"Key": "a"}, object{"Key": "b&c", "VersionId": "1"}}, "Quiet": true}},
			answer: object{"Deleted": []any{object{"Key": "a"}}, "Errors": []any{object{"Key": "b&c", "Code": "AccessDenied"}}}},
		{service: "s3", operation: "GetBucketVersioning", params: object{"Bucket": "art"}, answer: object{"Status": "Enabled"}},
		{service: "s3", operation: "GetBucketLocation", params: object{"Bucket": "art"}, answer: object{"LocationConstraint": "eu-west-1"}},
		{service: "s3", operation: "GetBucketPolicy", params: object{"Bucket": "art"}, answer: object{"Policy": `{"Version":"2012-10-17"}`}},
		{service: "s3", operation: "PutBucketVersioning", params: object{"Bucket": "art", "VersioningConfiguration": object{"Status": "Enabled"}}},
		{service: "s3", operation: "ListObjectVersions", params: object{"Bucket": "art", "Prefix": "a"}, answer: object{"Versions": []any{object{"Key": "a", "VersionId": "v2", "IsLatest": true}}, "DeleteMarkers": []any{object{"Key": "a", "VersionId": "v3"}}}},
		{service: "s3", operation: "UploadPart", params: object{"Bucket": "art", "Key": "a", "PartNumber": 1.0, "UploadId": "u", "Body": "part"}, answer: object{"ETag": `"e"`}},
		{service: "s3", operation: "CompleteMultipartUpload", params: object{"Bucket": "art", "Key": "a", "UploadId": "u", "MultipartUpload": object{"Parts": []any{object{"ETag": `"e"`, "PartNumber": 1.0}}}}, answer: object{"Bucket": "art", "VersionId": "v1"}},
		{service: "cloudfront", operation: "CreateInvalidation", params: object{"DistributionId": "E1", "InvalidationBatch": object{"CallerReference": "r", "Paths": object{"Quantity": 2.0, "Items": []any{"/*", "/a b"}}}},
			answer: object{"Location": "https://x/1", "Invalidation": object{"Id": "I1", "Status": "InProgress", "CreateTime": at, "InvalidationBatch": object{"CallerReference": "r", "Paths": object{"Quantity": 1.0, "Items": []any{"/*"}}}}}},
		{service: "cloudfront", operation: "GetInvalidation", params: object{"DistributionId": "E1", "Id": "I1"}, refuse: "NoSuchInvalidation", wantCode: "NoSuchInvalidation"},
		{service: "cloudformation", operation: "CreateChangeSet", params: object{"StackName": "shop", "ChangeSetName": "rc-1", "Capabilities": []any{"CAPABILITY_IAM"}, "Tags": []any{}, "IncludeNestedStacks": false,
			"Parameters": []any{object{"ParameterKey": "Image", "ParameterValue": "shop:1 & more"}, object{"ParameterKey": "Size", "UsePreviousValue": true}}},
			answer: object{"Id": "arn:x", "StackId": "arn:y"}},
		{service: "cloudformation", operation: "DescribeStacks", params: object{"StackName": "shop"}, answer: object{"Stacks": []any{object{"StackName": "shop", "CreationTime": at, "StackStatus": "CREATE_COMPLETE", "Outputs": []any{object{"OutputKey": "URL", "OutputValue": "https://x"}}, "Tags": []any{}}}}},
		{service: "cloudformation", operation: "DescribeStacks", params: object{"StackName": "gone"}, refuse: "ValidationError", wantCode: "ValidationError"},
		{service: "cloudformation", operation: "CancelUpdateStack", params: object{"StackName": "shop"}},
		{service: "sns", operation: "Publish", params: object{"TopicArn": "arn:t", "Message": "ü", "MessageAttributes": object{"kind": object{"DataType": "String", "StringValue": "x"}}}, answer: object{"MessageId": "m"}},
		{service: "sns", operation: "GetTopicAttributes", params: object{"TopicArn": "arn:t"}, answer: object{"Attributes": object{"Owner": "1", "Policy": "{}"}}},
		{service: "sns", operation: "Publish", params: object{"TopicArn": "arn:gone", "Message": "m"}, refuse: "NotFoundException", wantCode: "NotFound"},
		{service: "elbv2", operation: "DescribeTargetHealth", params: object{"TargetGroupArn": "arn:g", "Targets": []any{object{"Id": "i-1", "Port": 80.0}}},
			answer: object{"TargetHealthDescriptions": []any{object{"Target": object{"Id": "i-1"}, "TargetHealth": object{"State": "unhealthy", "Reason": "Target.Timeout"}}}}},
		{service: "lambda", operation: "Invoke", params: object{"FunctionName": "shop", "InvocationType": "RequestResponse", "LogType": "Tail", "Payload": `{"a":1}`}, answer: object{"StatusCode": 200.0, "ExecutedVersion": "7", "LogResult": "bG9n", "Payload": `{"ok":true}`}},
		{service: "lambda", operation: "UpdateAlias", params: object{"FunctionName": "shop", "Name": "live", "FunctionVersion": "7", "RoutingConfig": object{"AdditionalVersionWeights": object{"8": 0.25}}},
			answer: object{"AliasArn": "arn:a", "RoutingConfig": object{"AdditionalVersionWeights": object{"8": 0.25}}}},
		{service: "lambda", operation: "GetFunctionConfiguration", params: object{"FunctionName": "gone", "Qualifier": "live"}, refuse: "ResourceNotFoundException", wantCode: "ResourceNotFoundException"},
		{service: "cloudwatch", operation: "DescribeAlarms", params: object{"AlarmNames": []any{"errors"}, "MaxRecords": 3.0}, answer: object{"MetricAlarms": []any{object{"AlarmName": "errors", "StateValue": "ALARM", "Threshold": 1.5, "Period": 60.0, "StateUpdatedTimestamp": at}}}},
		{service: "cloudwatch", operation: "DescribeAlarms", params: object{"NextToken": "x"}, refuse: "InvalidNextToken", wantCode: "InvalidNextToken"},
		{service: "stepfunctions", operation: "DescribeExecution", params: object{"executionArn": "arn:e"}, answer: object{"executionArn": "arn:e", "status": "RUNNING", "startDate": at, "stateMachineArn": "arn:m"}},
		{service: "ecs", operation: "UpdateService", params: object{"service": "shop"}, refuse: "ServiceNotActiveException", wantCode: "ServiceNotActiveException"},
		{service: "cloudtrail", operation: "LookupEvents", params: object{"MaxResults": 5.0}, answer: object{"Events": []any{object{"EventName": "UpdateService", "EventTime": at}}}},
	}
}

// play answers the calls in their order, and keeps how they were read.
type play struct {
	list []exchange
	read []*protocol.Call
}

func (p *play) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	signs := ""
	if m := regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/]+)/`).FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		signs = m[1]
	}
	call, bad := protocol.Read(r, body, signs)
	x := p.list[len(p.read)]
	p.read = append(p.read, call)
	var a protocol.Answer
	switch {
	case bad != nil:
		a = call.Refusal(bad, "id")
	case x.refuse != "":
		a = call.Refusal(api.Refuse(x.refuse, "because"), "id")
	default:
		out := maps.Clone(x.answer)
		for _, name := range []string{"Body", "Payload"} {
			if text, ok := out[name].(string); ok {
				out[name] = []byte(text)
			}
		}
		a = call.Answer(out, "id")
	}
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client is in this test
}

// What botocore's clients send is read as they were told, and they read what was answered.
func TestBotocoreSpeaksEveryProtocol(t *testing.T) {
	p := &play{list: exchanges()}
	srv := httptest.NewServer(p)
	defer srv.Close()
	type step struct {
		Service   string `json:"service"`
		Operation string `json:"operation"`
		Params    object `json:"params"`
	}
	var steps []step
	for _, x := range p.list {
		steps = append(steps, step{x.service, x.operation, x.params})
	}
	var answers []object
	boto(t, srv.URL, steps, &answers)
	if len(answers) != len(p.list) || len(p.read) != len(p.list) {
		t.Fatalf("of %d calls %d came and %d were answered", len(p.list), len(p.read), len(answers))
	}
	for i, x := range p.list {
		call, params := p.read[i], maps.Clone(x.params)
		if text, ok := params["Body"].(string); ok && string(call.Body) != text {
			t.Errorf("%s: the body has %d bytes, not %d", x.operation, len(call.Body), len(text))
		}
		if text, ok := params["Payload"].(string); ok && string(call.Body) != text {
			t.Errorf("%s: the payload is %q", x.operation, call.Body)
		}
		delete(params, "Body")
		delete(params, "Payload")
		for name := range call.Input { // what the client adds of its own
			if strings.HasPrefix(name, "Checksum") || params[name] == nil && strings.Contains("ContentType ContentLength ContentMD5 ContentEncoding EncodingType ClientToken", name) {
				delete(call.Input, name)
			}
		}
		if call.Operation != x.operation || !reflect.DeepEqual(call.Input, params) {
			t.Errorf("%s was read as %s %v\nwant %v", x.operation, call.Operation, call.Input, params)
		}
		want := x.answer
		if x.refuse != "" {
			want = object{"error": x.wantCode}
		}
		for name, v := range want {
			if !reflect.DeepEqual(answers[i][name], v) {
				t.Errorf("%s: the client reads %s as %v\nwant %v", x.operation, name, answers[i][name], v)
			}
		}
	}
}

// boto makes calls with botocore's clients. Without botocore the test is skipped.
func boto(t *testing.T, url string, calls, answers any) {
	t.Helper()
	raw, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/boto.py", url)
	cmd.Stdin = bytes.NewReader(raw)
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); errors.Is(err, exec.ErrNotFound) || strings.Contains(trouble.String(), "No module named 'botocore'") {
		t.Skip("python3 with botocore is not here: ", err)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, trouble.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), answers); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
}
