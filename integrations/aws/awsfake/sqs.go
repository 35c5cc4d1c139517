package awsfake

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS's checksum of a body, no secret
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

const visibility = 30 * time.Second

// queue is a standard queue of SQS.
type queue struct {
	name     string
	at       place
	policy   string
	messages []*message
}

type message struct {
	id, body, handle string
	received         int
	visible          time.Time // not before
}

func (s *Server) queueURL(at place, name string) string {
	return "https://sqs." + at.region + ".amazonaws.com/" + at.account + "/" + name
}

// Queue makes a queue, if there is none of this name, and returns its URL.
func (s *Server) Queue(account, region, name string) string {
	at := place{account, region}
	url := s.queueURL(at, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[url] == nil {
		s.queues[url] = &queue{name: name, at: at, policy: `{"Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage"}]}`}
	}
	return url
}

// QueuePolicy gives a queue another policy; empty: none, as a queue has that is made without one.
func (s *Server) QueuePolicy(url, policy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[url].policy = policy
}

// Forward lets the events of CodePipeline in a region go to a queue, as a rule of EventBridge does.
func (s *Server) Forward(account, region, queueURL string) {
	r := s.region(account, region)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.forward = append(r.forward, queueURL)
}

// Events are those of CodePipeline in a region, oldest first.
func (s *Server) Events(account, region string) []codepipeline.Event {
	r := s.region(account, region)
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]codepipeline.Event(nil), r.events...)
}

// publish runs under the lock of the pipelines.
func (s *Server) publish(at place, e codepipeline.Event) {
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // events are made of plain values
	}
	s.mu.Lock()
	r := s.regions[at]
	r.events = newest(append(r.events, e), s.options.Keep)
	for _, url := range r.forward {
		s.put(url, string(body))
	}
	s.mu.Unlock()
	s.changes.Notify()
}

// put needs the lock.
func (s *Server) put(url, body string) *message {
	m := &message{id: s.newID(), body: body}
	if q := s.queues[url]; q != nil {
		q.messages = append(q.messages, m)
	}
	return m
}

// Send puts a message into a queue, for instance an event once more.
func (s *Server) Send(queueURL, body string) {
	s.mu.Lock()
	s.put(queueURL, body)
	s.mu.Unlock()
	s.changes.Notify()
}

// Messages is how many messages a queue has, those that somebody has received included.
func (s *Server) Messages(queueURL string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[queueURL]; q != nil {
		return len(q.messages)
	}
	return 0
}

func noQueue() *api.Error {
	return refuse(http.StatusBadRequest, "QueueDoesNotExist", "The specified queue does not exist.")
}

func (s *Server) sqs(ctx context.Context, q *request) (any, *api.Error) {
	at := place{q.call.Account, q.call.Region}
	switch q.call.Operation {
	case "CreateQueue":
		return map[string]any{"QueueUrl": s.Queue(at.account, at.region, q.Input.Text("QueueName"))}, nil
	case "GetQueueUrl":
		url := s.queueURL(at, q.Input.Text("QueueName"))
		if !s.hasQueue(url) {
			return nil, noQueue()
		}
		return map[string]any{"QueueUrl": url}, nil
	}
	url := q.Input.Text("QueueUrl")
	if !s.hasQueue(url) {
		return nil, noQueue()
	}
	switch q.call.Operation {
	case "SendMessage":
		s.mu.Lock()
		m := s.put(url, q.Input.Text("MessageBody"))
		s.mu.Unlock()
		s.changes.Notify()
		return map[string]any{"MessageId": m.id, "MD5OfMessageBody": sum(m.body)}, nil
	case "ReceiveMessage":
		return s.receive(ctx, url, q.Input), nil
	case "GetQueueAttributes":
		return s.attributes(url), nil
	case "DeleteMessageBatch":
		return s.deleteBatch(url, q.Input), nil
	}
	return s.handle(url, q)
}

func (s *Server) hasQueue(url string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[url] != nil
}

func sum(body string) string {
	m := md5.Sum([]byte(body)) //nolint:gosec // see above
	return hex.EncodeToString(m[:])
}

type received struct {
	MessageID     string            `json:"MessageId"`
	ReceiptHandle string            `json:"ReceiptHandle"`
	Body          string            `json:"Body"`
	MD5           string            `json:"MD5OfBody"`
	Attributes    map[string]string `json:"Attributes,omitempty"`
}

// receive waits for a message as long as it is asked to: by a timer, since nobody else says that time has passed.
func (s *Server) receive(ctx context.Context, url string, in api.Input) any {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.Whole("WaitTimeSeconds", 0))*time.Second)
	defer cancel()
	var got []received
	take := func() bool {
		got = s.takeMessages(url, in.Whole("MaxNumberOfMessages", 1), time.Duration(in.Whole("VisibilityTimeout", int(visibility.Seconds())))*time.Second)
		return len(got) > 0
	}
	if !take() {
		_ = s.changes.Wait(ctx, take) // at the end of the wait the answer is empty
	}
	if got == nil {
		return struct{}{}
	}
	return map[string]any{"Messages": got}
}

func (s *Server) takeMessages(url string, most int, hidden time.Duration) []received {
	now := s.options.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []received
	for _, m := range s.queues[url].messages {
		if len(got) == most || m.visible.After(now) {
			continue
		}
		m.received++
		m.handle, m.visible = m.id+"#"+strconv.Itoa(m.received), now.Add(hidden)
		got = append(got, received{m.id, m.handle, m.body, sum(m.body), map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.received)}})
	}
	return got
}

func (s *Server) attributes(url string) any {
	now := s.options.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	q, there, hidden := s.queues[url], 0, 0
	for _, m := range q.messages {
		if m.visible.After(now) {
			hidden++
		} else {
			there++
		}
	}
	all := map[string]string{
		"QueueArn": "arn:aws:sqs:" + q.at.region + ":" + q.at.account + ":" + q.name, "VisibilityTimeout": "30",
		"ApproximateNumberOfMessages": strconv.Itoa(there), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
	}
	if q.policy != "" {
		all["Policy"] = q.policy
	}
	return map[string]any{"Attributes": all}
}

// drop deletes the message of a handle; one that is gone is fine, as in SQS.
func (s *Server) drop(url, handle string) bool {
	id, _, ok := strings.Cut(handle, "#")
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[url]
	for i, m := range q.messages {
		if m.id == id {
			q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
			break
		}
	}
	return ok
}

func (s *Server) handle(url string, q *request) (any, *api.Error) {
	handle := q.Input.Text("ReceiptHandle")
	if q.call.Operation == "DeleteMessage" {
		if !s.drop(url, handle) {
			return nil, refuse(http.StatusBadRequest, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
		}
		return nil, nil
	}
	until := s.options.Now().Add(time.Duration(q.Input.Whole("VisibilityTimeout", 0)) * time.Second)
	s.mu.Lock()
	found := false
	for _, m := range s.queues[url].messages {
		if m.handle == handle {
			m.visible, found = until, true
		}
	}
	s.mu.Unlock()
	s.changes.Notify()
	if !found {
		return nil, refuse(http.StatusBadRequest, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	return nil, nil
}

func (s *Server) deleteBatch(url string, in api.Input) any {
	done, bad := []map[string]any{}, []map[string]any{}
	for _, entry := range in.List("Entries") {
		if s.drop(url, entry.Text("ReceiptHandle")) {
			done = append(done, map[string]any{"Id": entry["Id"]})
		} else {
			bad = append(bad, map[string]any{"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": true, "Message": "The input receipt handle is invalid."})
		}
	}
	return map[string]any{"Successful": done, "Failed": bad}
}
