// Package events is Amazon EventBridge as far as buses take events.
package events

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Entry is an event that a bus was given.
type Entry struct {
	ID, Bus, Source, DetailType string
	Detail                      json.RawMessage
	Resources                   []string
	Time                        time.Time
}

// Service is EventBridge of an account and region. The bus "default" is there.
type Service struct {
	w *api.World

	mu      sync.Mutex
	buses   []string
	entries []Entry
	refuse  map[string]string // code of an entry's failure by what is in its detail, once
}

// New returns an EventBridge with the default bus.
func New(w *api.World) *Service { return &Service{w: w, buses: []string{"default"}} }

// Bus makes a bus and returns its ARN.
func (s *Service) Bus(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.buses, name) {
		s.buses = append(s.buses, name)
	}
	return s.arn(name)
}

func (s *Service) arn(bus string) string {
	return "arn:aws:events:" + s.w.Region + ":" + s.w.Account + ":event-bus/" + bus
}

// Fail has the next entry fail that has the text in its detail, in an answer of status 200, as EventBridge does.
func (s *Service) Fail(text, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = map[string]string{text: code}
}

// Entries are all events, oldest first.
func (s *Service) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Rights says that the bus is what a call is about.
func (s *Service) Rights(q *api.Request) (all []api.Right) {
	for _, e := range q.Input.List("Entries") {
		all = append(all, api.Right{Action: "events:PutEvents", Resource: s.arn(busOf(e.Text("EventBusName")))})
	}
	if name := q.Input.Text("Name"); name != "" || len(all) == 0 {
		all = append(all, api.Right{Action: "events:" + q.Operation, Resource: s.arn(busOf(name))})
	}
	return all
}

// busOf is the name of a bus that is given by name, by ARN, or not at all.
func busOf(given string) string {
	if given == "" {
		return "default"
	}
	return given[strings.LastIndexByte(given, '/')+1:]
}

// Do carries an operation out.
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.Operation == "DescribeEventBus" {
		name := busOf(q.Input.Text("Name"))
		if !slices.Contains(s.buses, name) {
			return nil, api.Refuse("ResourceNotFoundException", "Event bus %s does not exist.", name)
		}
		return map[string]any{"Name": name, "Arn": s.arn(name)}, nil
	}
	entries := q.Input.List("Entries")
	if len(entries) > 10 {
		return nil, &api.Error{Status: 400, Code: "ValidationException", Message: "Member must have length less than or equal to 10"}
	}
	answers, failed := []any{}, 0
	for _, in := range entries {
		id, code, message := s.put(in)
		if code != "" {
			failed++
			answers = append(answers, map[string]any{"ErrorCode": code, "ErrorMessage": message})
			continue
		}
		answers = append(answers, map[string]any{"EventId": id})
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": answers}, nil
}

// put takes one event, or says why not.
func (s *Service) put(in api.Input) (id, code, message string) {
	e := Entry{Bus: busOf(in.Text("EventBusName")), Source: in.Text("Source"), DetailType: in.Text("DetailType"), Detail: json.RawMessage(in.Text("Detail")), Resources: in.Texts("Resources"), Time: s.w.Now()}
	if at, given := in["Time"].(float64); given {
		e.Time = time.UnixMilli(int64(at * 1000)).UTC()
	}
	for text, code := range s.refuse {
		if strings.Contains(string(e.Detail), text) {
			delete(s.refuse, text)
			return "", code, "refused by the test"
		}
	}
	switch {
	case !slices.Contains(s.buses, e.Bus):
		return "", "ResourceNotFoundException", "Event bus " + e.Bus + " does not exist."
	case strings.HasPrefix(e.Source, "aws."):
		return "", "NotAuthorizedForSourceException", "Not authorized for the source."
	case e.Source == "" || e.DetailType == "":
		return "", "InvalidArgument", "Parameter Source and DetailType are required."
	case !json.Valid(e.Detail) || !strings.HasPrefix(strings.TrimSpace(string(e.Detail)), "{"):
		return "", "MalformedDetail", "Detail is malformed."
	}
	e.ID = s.w.NewID()
	s.entries = append(s.entries, e)
	return e.ID, "", ""
}
