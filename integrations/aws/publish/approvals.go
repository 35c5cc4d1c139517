package publish

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// approvals sends messages about approvals, in CodePipeline's shape, to the topics
// that they name.
type approvals struct{ o *Options }

// message is what is sent to a topic.
type message struct {
	Region   string   `json:"region"`
	Console  string   `json:"consoleLink"`
	Approval approval `json:"approval"`
	Own      *own     `json:"rollcall"`

	topic string
	role  string // the pipeline's

}

type approval struct {
	Pipeline   string `json:"pipelineName"`
	Stage      string `json:"stageName"`
	Action     string `json:"actionName"`
	Token      string `json:"token"`
	Expires    string `json:"expires"`
	Link       string `json:"externalEntityLink,omitempty"`
	Review     string `json:"approvalReviewLink"`
	CustomData string `json:"customData,omitempty"`
}

func (*approvals) most() int { return 1 }

func (*approvals) concerns(e *event.Event) bool {
	return e.Kind == event.GateOpened && e.Gate != nil && strings.HasPrefix(e.Gate.NotificationArn, "arn:")
}

// items is the message about a gate that is open still.
func (s *approvals) items(f *facts, e *event.Event) []any {
	x, g := f.execution(e.Execution), e.Gate
	if x == nil {
		return nil
	}
	if a := attemptOf(x, e); a == nil || a.Approval == nil || a.Approval.Closed != "" {
		return nil
	}
	page := s.o.page(x)
	m := message{Region: regionOf(g.NotificationArn), Console: page, topic: g.NotificationArn, Own: &own{Execution: x.Ref()},
		Approval: approval{Pipeline: x.Pipeline, Stage: e.Stage, Action: e.Action, Token: g.Token, Expires: g.ExpiresAt.UTC().Format("2006-01-02T15:04Z"), Link: g.Link, Review: page, CustomData: g.Text}}
	if p := f.definition(x); p != nil {
		m.role = p.RoleArn
	}
	return []any{m}
}

func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}

// send publishes one message. A topic that is not there, or takes no such message,
// gets none: the gate is asked about in chat as well.
func (s *approvals) send(ctx context.Context, _ *facts, all []item) (again []int, err error) {
	m := all[0].what.(message)
	m.Own.ID = all[0].ID
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	config, err := s.o.Accounts.Config(ctx, s.o.place(m.Region, m.role))
	if err != nil {
		return nil, err
	}
	in := &sns.PublishInput{TopicArn: &m.topic, Message: aws.String(string(text)), Subject: aws.String(subject(m.Approval.Pipeline, m.Approval.Action))}
	if strings.HasSuffix(m.topic, ".fifo") {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(m.Approval.Pipeline), aws.String(identity(m.Own.ID))
	}
	_, err = sns.NewFromConfig(config).Publish(ctx, in)
	if err != nil && accounts.Classify(err) == accounts.Refused {
		code, why := accounts.Words(err)
		s.o.Log.With(words.LogAttrs(m.Own.Execution, m.Approval.Stage, m.Approval.Action)...).Warn("an approval was not published to its topic", "topic", m.topic, "code", code, "error", why)
		return nil, nil
	}
	return nil, err
}

// subject is CodePipeline's, of at most 100 characters that SNS takes.
func subject(pipeline, action string) string {
	text := []byte("APPROVAL NEEDED: AWS CodePipeline " + pipeline + " for action " + action)
	return string(text[:min(len(text), 100)])
}
