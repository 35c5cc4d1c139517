// Package api is what a service of the fake of AWS is asked and answers, whatever the protocol of its calls.
package api

import (
	"context"
	"fmt"
	"time"
)

// Service is a service of one account and region, or of all of them.
type Service interface {
	// Do carries out an operation. The input satisfies AWS's model; the answer is a map by the model's member names, with
	// time.Time for times and []byte for blobs, or a struct with JSON tags, or nil.
	Do(ctx context.Context, q *Request) (any, *Error)
}

// Clocked is a service in which things happen by the clock. CatchUp brings it up to now; it is called before every call
// to the account and region, and may call other services.
type Clocked interface{ CatchUp() }

// Authorizer is a service that says what rights a call needs. Without it a call needs SERVICE:OPERATION on *.
type Authorizer interface{ Rights(q *Request) []Right }

// Right is what a caller must be allowed.
type Right struct {
	Action, Resource string
	// Context are the keys that conditions of policies may ask for: "iam:PassedToService".
	Context map[string]string
}

// PassRole is the right to give a role to a service.
func PassRole(role, service string) Right {
	return Right{Action: "iam:PassRole", Resource: role, Context: map[string]string{"iam:PassedToService": service}}
}

// Request is a call.
type Request struct {
	Service   string // as IAM writes it: "s3", "states" …
	Operation string
	Account   string
	Region    string
	Principal string // the ARN of the user or of the session
	Input     Input
	Body      []byte // the blob that is the whole body, as it was sent: an object of S3, the payload of a Lambda function
}

// ARN is an ARN of the service in the account and region of the call.
func (q *Request) ARN(resource string) string {
	return "arn:aws:" + q.Service + ":" + q.Region + ":" + q.Account + ":" + resource
}

// Error is a refusal, an exception of AWS's model.
type Error struct {
	Status  int               // of HTTP; 0: as the model says
	Code    string            // the name in the model
	Message string            // what people read
	Fields  map[string]any    // its other members
	Header  map[string]string // of the answer
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Refuse is a refusal with the status of the model.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// World is what a service of the fake stands on.
type World struct {
	Account, Region string // empty for a service that is not of one region
	Now             func() time.Time
	NewID           func() string // a lower-case UUID
	// Call calls another service of the fake in the same account and region, past journal, faults and IAM. The answer is
	// what its Do returns.
	Call func(service, operation string, input Input, body []byte) (any, *Error)
	// CallAs is Call as a role that the service acts as, which IAM must allow it.
	CallAs func(role, service, operation string, input Input, body []byte) (any, *Error)
	// May says what a role lacks of some rights; nil: nothing.
	May func(role string, rights []Right) *Error
	// Reads are the rights on the key of KMS of an object that a call has the service read in the caller's name.
	Reads func(bucket, key, version string) []Right
	// Log writes lines into a stream of CloudWatch Logs, now or at another time.
	Log   func(group, stream string, lines ...string)
	LogAt func(at time.Time, group, stream string, lines ...string)
}

// Input is the input of a call by the names of AWS's model: string, float64, bool, []any and map[string]any.
// Times are seconds since 1970, blobs base64. The methods take what is absent for empty.
type Input map[string]any

// Text is a text.
func (in Input) Text(name string) string {
	t, _ := in[name].(string)
	return t
}

// Whole is a whole number, or what it is otherwise.
func (in Input) Whole(name string, otherwise int) int {
	if n, ok := in[name].(float64); ok {
		return int(n)
	}
	return otherwise
}

// Bool is a truth value.
func (in Input) Bool(name string) bool {
	b, _ := in[name].(bool)
	return b
}

// Has says whether a member is given.
func (in Input) Has(name string) bool { return in[name] != nil }

// Texts is a list of texts.
func (in Input) Texts(name string) (all []string) {
	list, _ := in[name].([]any)
	for _, v := range list {
		if t, ok := v.(string); ok {
			all = append(all, t)
		}
	}
	return all
}

// In is a structure or a map.
func (in Input) In(name string) Input {
	m, _ := in[name].(map[string]any)
	return m
}

// List is a list of structures.
func (in Input) List(name string) (all []Input) {
	list, _ := in[name].([]any)
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
