// Package sns is Amazon SNS as far as topics take messages.
package sns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// repeats is for how long a FIFO topic knows a message's deduplication ID.
const repeats = 5 * time.Minute

// Message is what a topic was given.
type Message struct {
	ID, Topic, Subject, Message string
	Group, Deduplication        string            // of a FIFO topic
	Attributes                  map[string]string // those that are texts
	At                          time.Time
}

// Service is SNS of an account and region.
type Service struct {
	w *api.World

	mu       sync.Mutex
	topics   []string // ARNs
	messages []Message
}

// New returns an SNS without topics.
func New(w *api.World) *Service { return &Service{w: w} }

// Topic makes a topic and returns its ARN; one whose name ends in .fifo is a FIFO topic.
func (s *Service) Topic(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := "arn:aws:sns:" + s.w.Region + ":" + s.w.Account + ":" + name
	if !slices.Contains(s.topics, arn) {
		s.topics = append(s.topics, arn)
	}
	return arn
}

// Messages are all messages, oldest first; a repeat to a FIFO topic is not among them.
func (s *Service) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Rights says that the topic's ARN is what a call is about.
func (s *Service) Rights(q *api.Request) []api.Right {
	return []api.Right{{Action: "sns:" + q.Operation, Resource: q.Input.Text("TopicArn")}}
}

// Do carries an operation out.
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	topic := q.Input.Text("TopicArn")
	if !slices.Contains(s.topics, topic) {
		return nil, api.Refuse("NotFoundException", "Topic does not exist")
	}
	if q.Operation == "GetTopicAttributes" {
		return map[string]any{"Attributes": map[string]any{"TopicArn": topic, "Owner": s.w.Account}}, nil
	}
	return s.publish(topic, q.Input)
}

func (s *Service) publish(topic string, in api.Input) (any, *api.Error) {
	m := Message{ID: s.w.NewID(), Topic: topic, Subject: in.Text("Subject"), Message: in.Text("Message"), Group: in.Text("MessageGroupId"),
		Deduplication: in.Text("MessageDeduplicationId"), Attributes: map[string]string{}, At: s.w.Now()}
	if fault := m.fault(); fault != "" {
		return nil, api.Refuse("InvalidParameterException", "Invalid parameter: %s", fault)
	}
	for name := range in.In("MessageAttributes") {
		m.Attributes[name] = in.In("MessageAttributes").In(name).Text("StringValue")
	}
	if m.Deduplication != "" {
		for i, earlier := range s.messages {
			if earlier.Topic == topic && earlier.Deduplication == m.Deduplication && m.At.Sub(earlier.At) < repeats {
				return earlier.taken(i), nil
			}
		}
	}
	s.messages = append(s.messages, m)
	return m.taken(len(s.messages) - 1), nil
}

// taken is the answer for the i-th message; one of a FIFO topic has a number.
func (m *Message) taken(i int) map[string]any {
	out := map[string]any{"MessageId": m.ID}
	if strings.HasSuffix(m.Topic, ".fifo") {
		out["SequenceNumber"] = fmt.Sprintf("%020d", 10_000_000_000_000_000+i)
	}
	return out
}

// fault is what SNS does not take of a message.
func (m *Message) fault() string {
	fifo := strings.HasSuffix(m.Topic, ".fifo")
	switch {
	case m.Message == "":
		return "Empty message"
	case len(m.Message) > 256<<10:
		return "Message too long"
	case len(m.Subject) > 100 || strings.ContainsFunc(m.Subject, func(r rune) bool { return r < ' ' || r > '~' }):
		return "Subject"
	case fifo && m.Group == "":
		return "The MessageGroupId parameter is required for FIFO topics"
	case !fifo && m.Deduplication != "":
		return "MessageDeduplicationId: The request includes MessageDeduplicationId parameter that is not valid for this topic type"
	}
	return ""
}
