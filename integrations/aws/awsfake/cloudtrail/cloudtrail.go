// Package cloudtrail is the event history of AWS CloudTrail in the fake of AWS: what a
// test says that has happened.
package cloudtrail

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Event is a call that somebody made.
type Event struct {
	At            time.Time // zero: now
	Who           string    // ARN of a user or of a session
	Source, Name  string    // s3.amazonaws.com, DeleteBucket
	Code, Message string    // of the refusal; empty: it was carried out
	Parameters    map[string]any
}

// Service is CloudTrail of an account and Region.
type Service struct {
	w *api.World

	mu     sync.Mutex
	events []Event // oldest first
}

// New is a CloudTrail in which nothing has happened.
func New(w *api.World) *Service { return &Service{w: w} }

// Record adds an event. AWS shows one some minutes after it happened, the fake at once.
func (s *Service) Record(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.At.IsZero() {
		e.At = s.w.Now()
	}
	s.events = append(s.events, e)
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	attributes, since := q.Input.List("LookupAttributes"), time.Time{}
	if len(attributes) > 1 {
		return nil, api.Refuse("InvalidLookupAttributesException", "You can only specify one lookup attribute.")
	}
	if at, given := q.Input["StartTime"].(float64); given {
		since = time.UnixMilli(int64(at * 1000))
	}
	found := []any{}
	for _, e := range slices.Backward(s.events) {
		if len(found) < q.Input.Whole("MaxResults", 50) && !e.At.Before(since) && (len(attributes) == 0 || e.has(attributes[0].Text("AttributeKey"), attributes[0].Text("AttributeValue"))) {
			found = append(found, e.shown())
		}
	}
	return map[string]any{"Events": found}, nil
}

func (e Event) user() string { return e.Who[strings.LastIndexByte(e.Who, '/')+1:] }

func (e Event) has(key, value string) bool {
	return value == map[string]string{"EventName": e.Name, "EventSource": e.Source, "Username": e.user()}[key]
}

// shown is an event as CloudTrail answers it: its JSON is a text in it.
func (e Event) shown() map[string]any {
	record := map[string]any{"eventVersion": "1.11", "eventTime": e.At.UTC().Format(time.RFC3339), "eventSource": e.Source, "eventName": e.Name,
		"userIdentity": map[string]any{"type": "AssumedRole", "arn": e.Who}, "requestParameters": e.Parameters}
	if e.Code != "" {
		record["errorCode"], record["errorMessage"] = e.Code, e.Message
	}
	text, err := json.Marshal(record)
	if err != nil {
		panic(err) // parameters are what JSON has
	}
	return map[string]any{"EventName": e.Name, "EventSource": e.Source, "EventTime": e.At, "Username": e.user(), "CloudTrailEvent": string(text)}
}
