package aws

import (
	"net/http/httptest"
	"testing"
)

// Whatever the protocol, the count of a call is named by a few words: never by what it is about.
func TestCallsAreNamedByWhatTheyDo(t *testing.T) {
	signed := func(service string) string {
		return "AWS4-HMAC-SHA256 Credential=AKIA/20261130/eu-west-1/" + service + "/aws4_request, SignedHeaders=host, Signature=00"
	}
	for _, c := range []struct{ want, path, header, value, service string }{
		{"PutEvents", "/", "X-Amz-Target", "AWSEvents.PutEvents", "events"},
		{"PutMetricData", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "Smithy-Protocol", "rpc-v2-cbor", "monitoring"},
		{"SNS", "/", "Content-Type", "application/x-www-form-urlencoded", "sns"},
		{"S3", "/bucket/operation/key", "X-Amz-Date", "20261130T000000Z", "s3"},
		{"STS", "/", "X-Amz-Date", "20261130T000000Z", "sts"},
	} {
		r := httptest.NewRequest("POST", "https://aws.example"+c.path, nil)
		r.Header.Set(c.header, c.value)
		r.Header.Set("Authorization", signed(c.service))
		if got := operation(r); got != c.want {
			t.Errorf("%s is counted as %q, want %q", c.path, got, c.want)
		}
	}
	if got := operation(httptest.NewRequest("GET", "https://aws.example/", nil)); got != "other" {
		t.Errorf("what is not signed is counted as %q", got)
	}
}
