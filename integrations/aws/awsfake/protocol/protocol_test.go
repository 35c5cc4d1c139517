package protocol_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
)

// read reads a request that is signed for a service.
func read(t *testing.T, signs, method, url, body string, headers ...string) (*protocol.Call, *api.Error) {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return protocol.Read(r, []byte(body), signs)
}

func TestRequestsAreReadByTheModel(t *testing.T) {
	alarms := string(cbor.Encode(cbor.Map{"AlarmNames": cbor.List{cbor.String("errors")}, "MaxRecords": cbor.Uint(7)}))
	for name, c := range map[string]struct {
		signs, method, url, body string
		headers                  []string
		want                     string
	}{
		"json": {"ecs", "POST", "/", `{"cluster":"shop"}`, []string{"X-Amz-Target", "AmazonEC2ContainerServiceV20141113.DescribeServices"}, `ecs:DescribeServices {"cluster":"shop"}`},
		"json, target with dots": {"cloudtrail", "POST", "/", `{"MaxResults":1}`, []string{"X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"},
			`cloudtrail:LookupEvents {"MaxResults":1}`},
		"query": {"cloudformation", "POST", "/", "Action=CreateChangeSet&Version=2010-05-15&StackName=shop&Capabilities.member.1=CAPABILITY_IAM&IncludeNestedStacks=true" +
			"&Parameters.member.1.ParameterKey=Image&Parameters.member.1.ParameterValue=shop%3A1&Parameters.member.2.ParameterKey=Size&Parameters.member.2.UsePreviousValue=true&Tags=", nil,
			`cloudformation:CreateChangeSet {"Capabilities":["CAPABILITY_IAM"],"IncludeNestedStacks":true,"Parameters":[{"ParameterKey":"Image","ParameterValue":"shop:1"},{"ParameterKey":"Size","UsePreviousValue":true}],"StackName":"shop","Tags":[]}`},
		"query, map": {"sns", "POST", "/", "Action=Publish&Message=hi&Colour=red&MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String", nil,
			`sns:Publish {"Colour":"red","Message":"hi","MessageAttributes":{"kind":{"DataType":"String"}}}`},
		"cbor": {"monitoring", "POST", "/service/GraniteServiceVersion20100801/operation/DescribeAlarms", alarms, []string{"Smithy-Protocol", "rpc-v2-cbor"},
			`cloudwatch:DescribeAlarms {"AlarmNames":["errors"],"MaxRecords":7}`},
		"rest-json": {"lambda", "PUT", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Ashop/aliases/live", `{"FunctionVersion":"7","RoutingConfig":{"AdditionalVersionWeights":{"8":0.1}}}`, nil,
			`lambda:UpdateAlias {"FunctionName":"arn:aws:lambda:eu-west-1:1:function:shop","FunctionVersion":"7","Name":"live","RoutingConfig":{"AdditionalVersionWeights":{"8":0.1}}}`},
		"rest-json, blob": {"lambda", "POST", "/2015-03-31/functions/shop/invocations?Qualifier=live", `{"a":1}`, []string{"X-Amz-Log-Type", "Tail"},
			`lambda:Invoke {"FunctionName":"shop","LogType":"Tail","Qualifier":"live"} {"a":1}`},
		"rest-xml": {"cloudfront", "POST", "/2020-05-31/distribution/E1/invalidation", `<InvalidationBatch xmlns="x"><CallerReference>r</CallerReference><Paths><Items><Path>/*</Path></Items><Quantity>1</Quantity></Paths></InvalidationBatch>`, nil,
			`cloudfront:CreateInvalidation {"DistributionId":"E1","InvalidationBatch":{"CallerReference":"r","Paths":{"Items":["/*"],"Quantity":1}}}`},
		"get":                {"s3", "GET", "/art/a/b%20c.zip?versionId=v1&x-id=GetObject", "", []string{"Range", "bytes=0-9"}, `s3:GetObject {"Bucket":"art","Key":"a/b c.zip","Range":"bytes=0-9","VersionId":"v1"}`},
		"head":               {"s3", "HEAD", "/art/a/", "", nil, `s3:HeadObject {"Bucket":"art","Key":"a/"}`},
		"bucket in the host": {"s3", "GET", "http://art.s3.eu-west-1.amazonaws.com/a", "", nil, `s3:GetObject {"Bucket":"art","Key":"a"}`},
		"list":               {"s3", "GET", "/art?list-type=2&prefix=a%2F&max-keys=5", "", nil, `s3:ListObjectsV2 {"Bucket":"art","MaxKeys":5,"Prefix":"a/"}`},
		"subresource":        {"s3", "GET", "/art?versioning", "", nil, `s3:GetBucketVersioning {"Bucket":"art"}`},
		"put":                {"s3", "PUT", "/art/a", "bytes", []string{"X-Amz-Meta-By", "rollcall", "If-None-Match", "*"}, `s3:PutObject {"Bucket":"art","IfNoneMatch":"*","Key":"a","Metadata":{"by":"rollcall"}} bytes`},
		"copy":               {"s3", "PUT", "/art/a", "", []string{"X-Amz-Copy-Source", "other/b"}, `s3:CopyObject {"Bucket":"art","CopySource":"other/b","Key":"a"}`},
		"part":               {"s3", "PUT", "/art/a?partNumber=1&uploadId=u", "bytes", nil, `s3:UploadPart {"Bucket":"art","Key":"a","PartNumber":1,"UploadId":"u"} bytes`},
		"delete many": {"s3", "POST", "/art?delete", `<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>1</VersionId></Object><Quiet>true</Quiet></Delete>`, nil,
			`s3:DeleteObjects {"Bucket":"art","Delete":{"Objects":[{"Key":"a"},{"Key":"b","VersionId":"1"}],"Quiet":true}}`},
		"chunks": {"s3", "PUT", "/art/a", "3;chunk-signature=00\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n",
			[]string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "5"},
			`s3:PutObject {"Bucket":"art","ChecksumCRC32":"hYfYZQ==","Key":"a"} abcde`},
	} {
		t.Run(name, func(t *testing.T) {
			call, bad := read(t, c.signs, c.method, c.url, c.body, c.headers...)
			if bad != nil {
				t.Fatal(bad)
			}
			input, err := json.Marshal(call.Input)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(fmt.Sprintf("%s:%s %s %s", call.Service, call.Operation, input, call.Body)); got != c.want {
				t.Errorf("read  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestABodyThatIsNotWholeIsRefused(t *testing.T) {
	chunked := []string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "5"}
	for body, want := range map[string]string{
		"5\r\nabc":          "IncompleteBody",
		"3\r\nabc\r\n":      "IncompleteBody",
		"3\r\nabc\r\n0\r\n": "IncompleteBody",
		"5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n": "BadDigest",
	} {
		if _, bad := read(t, "s3", http.MethodPut, "/art/a", body, chunked...); bad == nil || bad.Code != want {
			t.Errorf("%q: %v, want %s", body, bad, want)
		}
	}
}

func TestAnswersAreWrittenByTheModel(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		service, operation string
		out                any
		status             int
		want               string
	}{
		"json": {"codebuild", "BatchGetBuilds", map[string]any{"builds": []map[string]any{{"id": "shop:1", "startTime": at, "timeoutInMinutes": 5, "endTime": time.Time{}}}}, 200,
			`{"builds":[{"id":"shop:1","startTime":1772442000,"timeoutInMinutes":5}]}`},
		"query": {"cloudformation", "DescribeStacks", map[string]any{"Stacks": []any{map[string]any{"StackName": "shop", "CreationTime": at, "Outputs": []any{}, "DisableRollback": false}}}, 200,
			`<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><CreationTime>2026-03-02T09:00:00.000Z</CreationTime>` +
				`<DisableRollback>false</DisableRollback><Outputs></Outputs><StackName>shop</StackName></member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DescribeStacksResponse>`},
		"query, nothing": {"cloudformation", "CancelUpdateStack", nil, 200, `<CancelUpdateStackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></CancelUpdateStackResponse>`},
		"query, map": {"sns", "GetTopicAttributes", map[string]any{"Attributes": map[string]string{"Owner": "1"}}, 200,
			`<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult><Attributes><entry><key>Owner</key><value>1</value></entry></Attributes></GetTopicAttributesResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetTopicAttributesResponse>`},
		"rest-json, blob": {"lambda", "Invoke", map[string]any{"StatusCode": 202, "ExecutedVersion": "7", "Payload": []byte("{}")}, 202, "{}"},
		"rest-xml": {"s3", "ListObjectsV2", map[string]any{"KeyCount": 2, "Contents": []map[string]any{{"Key": "a&b"}, {"Key": "c", "LastModified": at}}}, 200,
			`<ListObjectsV2Output><Contents><Key>a&amp;b</Key></Contents><Contents><Key>c</Key><LastModified>2026-03-02T09:00:00.000Z</LastModified></Contents><KeyCount>2</KeyCount></ListObjectsV2Output>`},
		"rest-xml, status":  {"cloudfront", "CreateInvalidation", map[string]any{"Location": "x", "Invalidation": map[string]any{"Id": "I1"}}, 201, `<Invalidation><Id>I1</Id></Invalidation>`},
		"rest-xml, nothing": {"s3", "DeleteObject", map[string]any{"VersionId": "v"}, 204, ""},
		"object":            {"s3", "GetObject", map[string]any{"Body": []byte("bytes"), "VersionId": "v1"}, 200, "bytes"},
		"range":             {"s3", "GetObject", map[string]any{"Body": []byte("yt"), "ContentRange": "bytes 1-2/5"}, 206, "yt"},
		"root is the value": {"s3", "GetBucketLocation", map[string]any{"LocationConstraint": "eu-west-1"}, 200, "<LocationConstraint>eu-west-1</LocationConstraint>"},
	} {
		t.Run(name, func(t *testing.T) {
			a := protocol.New(c.service, c.operation).Answer(c.out, "id")
			if a.Status != c.status || string(a.Body) != c.want {
				t.Errorf("%d %s\nwant %d %s", a.Status, a.Body, c.status, c.want)
			}
		})
	}
	a := protocol.New("s3", "GetObject").Answer(map[string]any{"Body": []byte("x"), "LastModified": at, "Metadata": map[string]string{"by": "me"}, "ContentType": "text/plain"}, "id")
	if got := fmt.Sprint(a.Header.Get("Last-Modified"), map[string][]string(a.Header)["x-amz-meta-by"], a.Header["Content-Type"], a.Header["Content-Length"]); got != "Mon, 02 Mar 2026 09:00:00 GMT[me] [text/plain] [1]" {
		t.Errorf("the headers say %s", got)
	}
	answer, err := cbor.Decode(protocol.New("cloudwatch", "DescribeAlarms").Answer(map[string]any{"MetricAlarms": []any{map[string]any{"AlarmName": "errors", "Threshold": 1, "StateUpdatedTimestamp": at}}}, "id").Body)
	if err != nil {
		t.Fatal(err)
	}
	alarm := answer.(cbor.Map)["MetricAlarms"].(cbor.List)[0].(cbor.Map)
	if when, err := cbor.AsTime(alarm["StateUpdatedTimestamp"]); err != nil || !when.Equal(at) || alarm["AlarmName"] != cbor.String("errors") || alarm["Threshold"] != cbor.Float64(1) {
		t.Errorf("the alarm is %v (%v)", alarm, err)
	}
}

func TestRefusalsHaveTheFormOfTheProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		service, operation string
		bad                *api.Error
		status             int
		header, want       string
	}{
		"json":      {"ecs", "UpdateService", api.Refuse("ServiceNotActiveException", "no %s", "shop"), 400, "", `{"__type":"ServiceNotActiveException","message":"no shop"}`},
		"query":     {"sns", "Publish", api.Refuse("NotFoundException", "no topic"), 404, "", `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>NotFound</Code><Message>no topic</Message></Error><RequestId>id</RequestId></ErrorResponse>`},
		"rest-json": {"lambda", "Invoke", api.Refuse("ResourceNotFoundException", "no function"), 404, "", `{"Type":"User","message":"no function"}`},
		"s3":        {"s3", "GetObject", api.Refuse("NoSuchKey", "no key"), 404, "", `<Error><Code>NoSuchKey</Code><Message>no key</Message><RequestId>id</RequestId></Error>`},
		"sqs":       {"sqs", "SendMessage", api.Refuse("QueueDoesNotExist", "no queue"), 400, "AWS.SimpleQueueService.NonExistentQueue;Sender", `{"__type":"QueueDoesNotExist","message":"no queue"}`},
		"fields": {"codepipeline", "StartPipelineExecution", &api.Error{Status: 409, Code: "ConflictException", Message: "busy", Fields: map[string]any{"retry": true}}, 409, "",
			`{"__type":"ConflictException","message":"busy","retry":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := protocol.New(c.service, c.operation).Refusal(c.bad, "id")
			if a.Status != c.status || string(a.Body) != c.want || a.Header.Get("X-Amzn-Query-Error") != c.header {
				t.Errorf("%d %s %v\nwant %d %s", a.Status, a.Body, a.Header, c.status, c.want)
			}
		})
	}
	a := protocol.New("cloudwatch", "DescribeAlarms").Refusal(api.Refuse("InvalidNextToken", "which?"), "id")
	if body, err := cbor.Decode(a.Body); err != nil || body.(cbor.Map)["__type"] != cbor.String("com.amazonaws.cloudwatch#InvalidNextToken") {
		t.Errorf("%v (%v)", body, err)
	}
	if call, _ := read(t, "s3", http.MethodHead, "/art/a", ""); call.Refusal(api.Refuse("NoSuchKey", "no key"), "id").Body != nil {
		t.Error("an answer to HEAD has a body")
	}
}

func TestAnAnswerThatTheModelDoesNotHavePanics(t *testing.T) {
	for want, out := range map[string]any{
		"AWS's model has no such member": map[string]any{"bilds": []any{}},
		"AWS's model wants a list":       map[string]any{"builds": "shop:1"},
		"wants a string":                 map[string]any{"builds": []any{map[string]any{"id": 7}}},
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.Contains(r, want) {
					t.Errorf("%v: %s, want %s", out, r, want)
				}
			}()
			protocol.New("codebuild", "BatchGetBuilds").Answer(out, "id")
		}()
	}
}
