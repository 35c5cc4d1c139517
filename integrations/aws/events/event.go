// Package events reads what EventBridge puts into a queue of SQS, and hands each
// event to those whom it concerns.
//
// An event is a hint: it may come twice, late, out of order, or from somebody who
// may write to the queue. Whoever handles one looks for itself. A message is deleted
// once everybody whom it concerns is done with it; until then it comes again.
package events

import (
	"context"
	"encoding/json"
	"time"
)

// Event is an event in EventBridge's shape.
type Event struct {
	ID         string          `json:"id"` // the same when it comes again
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Time       time.Time       `json:"time"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"` // an object
	Body       []byte          `json:"-"`      // the whole event, as it came
}

// Handler handles events.
type Handler struct {
	DetailTypes []string // of the events that it handles; none: all
	// Handle says whether an event concerns the handler, and does not wait. If it does,
	// done is called once the message is of no more use: now, or from any goroutine
	// later. Without that the message comes again. ctx ends with the reader.
	Handle func(ctx context.Context, e Event, done func()) bool
}

// Parse reads a message; false: it is no event of EventBridge.
func Parse(body string) (e Event, ok bool) {
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return Event{}, false
	}
	e.Body = []byte(body)
	return e, e.Source != "" && e.DetailType != "" && len(e.Detail) > 0 && e.Detail[0] == '{'
}

// Read reads the detail into a value; false: it has another shape.
func (e *Event) Read(detail any) bool { return json.Unmarshal(e.Detail, detail) == nil }
