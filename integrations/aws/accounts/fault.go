package accounts

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Class is what kind of error a call ended with.
type Class string

// The classes. The comments say whether AWS may have done what it was asked.
const (
	Refused     Class = "refused"     // it did not: it says why
	Denied      Class = "denied"      // it did not: whoever asks may not
	Throttled   Class = "throttled"   // it did not: too many calls
	Credentials Class = "credentials" // it did not: it does not know who asks
	NotSent     Class = "notSent"     // it did not: the request did not leave
	Unknown     Class = "unknown"     // nobody can know: no answer, or a fault of AWS's
)

// Classify says what an error of a call means.
func Classify(err error) Class {
	var role *AssumeError
	var notSent *NotSentError
	var api smithy.APIError
	var op *net.OpError
	switch {
	case errors.As(err, &notSent):
		return NotSent
	case errors.As(err, &role), strings.Contains(err.Error(), "get credentials"), strings.Contains(err.Error(), "failed to refresh cached credentials"):
		return Credentials
	case errors.As(err, &op) && op.Op == "dial":
		return NotSent
	case errors.As(err, &api):
		return classify(api.ErrorCode(), status(err))
	}
	return Unknown
}

func classify(code string, status int) Class {
	code = Code(code)
	switch {
	case isThrottle(code) || status == 429:
		return Throttled
	case slices.Contains([]string{"ExpiredToken", "ExpiredTokenException", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "SignatureDoesNotMatch", "MissingAuthenticationToken", "IncompleteSignature", "RequestExpired"}, code):
		return Credentials
	case slices.Contains([]string{"AccessDenied", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}, code):
		return Denied
	case status >= 500 || status == 0 || code == "InternalFailure" || code == "ServiceUnavailable":
		return Unknown
	}
	return Refused
}

func isThrottle(code string) bool {
	if code == "LimitExceeded" || strings.HasPrefix(code, "Concurrent") { // a limit of pipelines, not of calls
		return false
	}
	for _, c := range []string{code, code + "Exception"} {
		if _, ok := retry.DefaultThrottleErrorCodes[c]; ok {
			return true
		}
	}
	return false
}

func status(err error) int {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
}

// Code is a code of AWS's as problems have it: without Exception at its end.
func Code(code string) string { return strings.TrimSuffix(code, "Exception") }

// Words are the code and the message of what AWS answered. Of an error that is no
// answer the code is empty, and the message says what happened in a sentence.
func Words(err error) (code, message string) {
	var role *AssumeError
	var api smithy.APIError
	switch {
	case errors.As(err, &role):
		_, why := Words(role.Err)
		return "", "the role " + role.Role + " cannot be assumed: " + why
	case errors.As(err, &api):
		message = api.ErrorMessage()
		if message == "" {
			message = api.ErrorCode()
		}
		return Code(api.ErrorCode()), message
	case errors.Is(err, context.DeadlineExceeded):
		return "", "AWS did not answer in time"
	case strings.Contains(err.Error(), "get credentials"):
		return "", "no AWS credentials were found"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "", "AWS cannot be reached: " + op.Err.Error()
	}
	var unread *smithy.DeserializationError
	if errors.As(err, &unread) && status(err) > 0 {
		return "", "what answers at AWS's address does not answer as AWS does"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "", "AWS cannot be reached: there is no address of " + dns.Name
	}
	return "", "the connection to AWS broke"
}
