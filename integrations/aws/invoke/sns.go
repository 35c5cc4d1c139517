package invoke

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// topics publish a message. After a lost answer it is published once more: it has
// the token by which a reader tells, and a FIFO topic drops it by itself.
func topics() []runner.Kind {
	return []runner.Kind{{Category: "Invoke", Provider: "SNS", Start: publish, Poll: nothingToPoll, Needs: topicNeeds, Check: checkTopic, Optional: seeTopic, Subject: runner.Subject{Setting: "TopicArn", Deleted: "DeleteTopic"}}}
}

func publish(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	topic, me := a.Setting("TopicArn"), whoIs(a)
	in := &sns.PublishInput{TopicArn: &topic, Message: aws.String(a.Setting("Message")), MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range map[string]string{"rollcall.token": a.Token, "rollcall.pipeline": me.Pipeline, "rollcall.execution": me.Execution, "rollcall.stage": me.Stage, "rollcall.action": me.Action} {
		if value != "" {
			in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	if subject := a.Setting("Subject"); subject != "" {
		in.Subject = &subject
	}
	if strings.HasSuffix(topic, ".fifo") {
		in.MessageDeduplicationId, in.MessageGroupId = &a.Token, aws.String(me.Pipeline)
		if group := a.Setting("MessageGroupId"); group != "" {
			in.MessageGroupId = &group
		}
	}
	out, err := sns.NewFromConfig(a.Config).Publish(ctx, in)
	if err != nil {
		return work.Outcome{}, err
	}
	id := aws.ToString(out.MessageId)
	o := work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: a.URL("sns/v3/home", "/topic/"+topic), EndedAt: a.Now(), Outputs: map[string]string{"MessageId": id}}
	if out.SequenceNumber != nil {
		o.Outputs["SequenceNumber"] = *out.SequenceNumber
	}
	return o, nil
}

// topicNeeds is the permission of the call above.
func topicNeeds(action *workflows.Action, _ policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "PublishToTopic", Comment: "publish to the topic; an encrypted one also needs kms:GenerateDataKey and kms:Decrypt on its key", Actions: []string{"sns:Publish"}, Resources: []string{action.Configuration["TopicArn"]}}}
}
