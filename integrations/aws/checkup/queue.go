package checkup

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// queue looks at the queue of events, with the base credentials, as it is
// read: whether it is there, and whether EventBridge may send to it.
func (c *checker) queue(ctx context.Context) {
	config, err := c.all.Config(ctx, accounts.Place{Region: queueRegion(c.o.QueueURL), Session: "doctor"})
	if err != nil {
		c.add(selftest.Result{About: "queue", Status: selftest.Failed, Message: err.Error()})
		return
	}
	out, err := sqs.NewFromConfig(config).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &c.o.QueueURL,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn, types.QueueAttributeNamePolicy}})
	if err != nil && denied(err) {
		c.add(selftest.Result{About: "queue", Status: selftest.Unknown, Message: "whether the queue works is not known: events that do not arrive cost time, and start nothing that is not polled",
			Fix: []string{"to know it beforehand, allow sqs:GetQueueAttributes on the queue; rollcall iam-policy has it"}})
		return
	}
	if err != nil {
		c.failed("queue", "aws.events.queueURL cannot be read", err, "")
		return
	}
	if !strings.Contains(out.Attributes["Policy"], "events.amazonaws.com") { // one that is not there lets nobody send
		c.add(selftest.Result{About: "queue", Status: selftest.Warning, Message: "the queue's policy does not let EventBridge (events.amazonaws.com) send to it",
			Fix: []string{"allow sqs:SendMessage on " + out.Attributes["QueueArn"] + " to events.amazonaws.com in the queue's policy"}})
		return
	}
	c.ok("queue", "%s", aws.ToString(&c.o.QueueURL))
}

// queueRegion is the Region that a queue's address names; empty: none.
func queueRegion(address string) string {
	_, host, _ := strings.Cut(address, "://")
	if parts := strings.Split(host, "."); len(parts) > 2 && parts[0] == "sqs" {
		return parts[1]
	}
	return ""
}
