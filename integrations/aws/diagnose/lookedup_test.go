package diagnose

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What AWS says when a limit is reached, and which quota it is.
func TestWhichQuotaWasReached(t *testing.T) {
	for said, want := range map[string]Quota{
		"CodeStorageExceeded: Code storage limit exceeded.":                                                                          {Service: "lambda", Code: "L-2ACBD22F"},
		"You've reached the limit on the number of vCPUs you can run concurrently":                                                   {Service: "fargate", Code: "L-3032A538"},
		"The maximum number of addresses has been reached. (HandlerErrorCode: ServiceLimitExceeded)":                                 {Service: "ec2", Code: "L-0263D0A3"},
		"The maximum number of VPCs has been reached.":                                                                               {Service: "vpc", Code: "L-F678F1CE"},
		"TooManyBuckets: You have attempted to create more buckets than allowed":                                                     {Service: "s3", Code: "L-DC2B2D3D"},
		"Cannot exceed quota for RolesPerAccount: 1000":                                                                              {Service: "iam", Code: "L-FE177D64"},
		"AccountLimitExceeded: Cannot have more than 1 builds in queue for the account":                                              {Service: "codebuild", Words: "Concurrently running builds"},
		"LimitExceeded: Limit for stack has been exceeded":                                                                           {Service: "cloudformation", Code: "L-0485CB21"},
		"You have requested more vCPU capacity than your current vCPU limit of 5 allows for the instance bucket (VcpuLimitExceeded)": {Service: "ec2", Code: "L-1216C47A"},
		"LimitExceeded: something else":                                                                                              {Service: "cloudformation"},
	} {
		if got, ok := QuotaOf(&workflows.Finding{Class: quota}, "CloudFormation", said); !ok || got != want {
			t.Errorf("%s: %+v %v", said, got, ok)
		}
	}
	if q, ok := QuotaOf(&workflows.Finding{Class: throttled}, "Lambda", "CodeStorageExceeded"); ok {
		t.Errorf("too many calls are about the quota %+v", q)
	}
	if q, ok := QuotaOf(&workflows.Finding{Class: quota}, "Manual", "too many"); ok {
		t.Errorf("nobody knows the service, and it is %+v", q)
	}
}

// An event counts when its call was about the thing that is meant, whatever way it was named.
func TestWhichEventItIs(t *testing.T) {
	deleted := func(parameters string) string {
		return `{"eventTime":"2026-12-01T14:02:10Z","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket","userIdentity":{"arn":"arn:aws:iam::1:user/bob"},"requestParameters":` + parameters + `}`
	}
	trail, ok := TrailOf(&workflows.Finding{Class: notFound}, Subject{Names: []string{"shop"}, Deleted: "DeleteBucket"}, time.Time{})
	if !ok || trail.Attribute != "EventName" || trail.Value != "DeleteBucket" || !trail.Since.IsZero() {
		t.Fatalf("%+v %v", trail, ok)
	}
	for raw, want := range map[string]bool{
		deleted(`{"bucketName":"shop"}`):                                  true,
		deleted(`{"all":[{"arn":"arn:aws:s3:::shop"}]}`):                  true,
		deleted(`{"stack":"arn:aws:cloudformation:x:1:stack/shop/0aeb"}`): true,
		deleted(`{"bucketName":"shop-logs"}`):                             false,
		deleted(`{"bucketName":"a-shop"}`):                                false,
		deleted(`null`):                                                   false,
		"no JSON":                                                         false,
		`{"eventName":"DeleteBucket","requestParameters":{"b":"shop"}}`:   false, // it does not say who
	} {
		if _, got := trail.Find([]string{raw}); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
	e, _ := trail.Find([]string{deleted(`{"bucketName":"shop"}`)})
	f := WithEvent(Displaced("it was changed", ""), e)
	if got := f.Evidence[len(f.Evidence)-1]; got.From != "CloudTrail, 2026-12-01 14:02:10 UTC" || got.Text != "arn:aws:iam::1:user/bob called s3 DeleteBucket" || f.Fix[0] != "ask arn:aws:iam::1:user/bob, who did it, and decide which version is to run" {
		t.Errorf("%+v", f)
	}
	for name, of := range map[string]*workflows.Finding{"nothing": nil, "a fault of its own": {Class: commandFailed}, "a service was denied": {Class: accessDenied, Evidence: []evidence{{"x", "User: cloudformation.amazonaws.com is not authorized to perform: sts:AssumeRole"}}}} {
		if trail, ok := TrailOf(of, Subject{Names: []string{"shop"}, Deleted: "DeleteBucket"}, time.Time{}); ok {
			t.Errorf("%s: it looks for %+v", name, trail)
		}
	}
	if !strings.Contains(strings.Join(Gone("there is no service", "", "rollcall retry x#1").Fix, ";"), "then: rollcall retry x#1") {
		t.Error("what is gone does not say how it goes on")
	}
}
