package config

import (
	"slices"
	"testing"
)

// What iam-policy knows of a bridge comes from the configuration alone.
func TestBridgePolicy(t *testing.T) {
	c := &Config{AWS: &AWS{RoleARN: "arn:aws:iam::111122223333:role/rollcall", Roles: map[string]AWSRole{"arn:aws-cn:iam::444455556666:role/b": {ExternalID: Secret{given: true}, SourceIdentity: true}},
		Events: AWSEvents{QueueURL: "https://sqs.eu-west-1.amazonaws.com/111122223333/rollcall"}}}
	b := Bridge{Name: "prod", Region: "cn-north-1", RoleARN: "arn:aws-cn:iam::444455556666:role/b", Mode: "act", Pipelines: []BridgedPipeline{{Name: "webshop-pipeline", As: "webshop"}}}
	got := c.BridgePolicy(b)
	if got.Account != "444455556666" || got.Partition != "aws-cn" || !got.Act || !got.ExternalID || !got.SourceIdentity || got.Caller != c.AWS.RoleARN ||
		got.Queue != "arn:aws:sqs:eu-west-1:111122223333:rollcall" || !slices.Equal(got.Pipelines, []string{"webshop-pipeline"}) {
		t.Errorf("%+v", got)
	}
	b.RoleARN = ""
	if got := c.BridgePolicy(b); got.Account != "111122223333" || got.ExternalID {
		t.Errorf("with the base role alone: %+v", got)
	}
	if got := (&Config{}).BridgePolicy(b); got.Account != "" || got.Partition != "aws-cn" {
		t.Errorf("with nothing known: %+v", got)
	}
}

// Pipelines that run here need the queue too, with or without a bridge.
func TestPipelinePolicyReadsTheQueue(t *testing.T) {
	c := &Config{AWS: &AWS{Region: "eu-west-1", Events: AWSEvents{QueueURL: "https://sqs.eu-west-1.amazonaws.com/111122223333/rollcall"}}}
	base := c.PipelinePolicy().Base
	if len(base) != 1 || !slices.Equal(base[0].Actions, []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}) || !slices.Equal(base[0].Resources, []string{"arn:aws:sqs:eu-west-1:111122223333:rollcall"}) {
		t.Errorf("%+v", base)
	}
	if base := (&Config{AWS: &AWS{Region: "eu-west-1"}}).PipelinePolicy().Base; len(base) != 0 {
		t.Errorf("without a queue: %+v", base)
	}
}

func TestQueueARN(t *testing.T) {
	for address, want := range map[string]string{
		"https://sqs.us-gov-west-1.amazonaws.com/111122223333/q": "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:q",
		"http://127.0.0.1:4566/111122223333/q":                   "arn:aws:sqs:*:111122223333:q",
		"https://sqs.eu-west-1.amazonaws.com/q":                  "", "": "", "://": "",
	} {
		if got := queueARN(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
