package policy

import "strings"

// PublishEvents is what publishing to a bus of EventBridge takes, by its name or ARN.
func (p Place) PublishEvents(bus string) Statement {
	if !strings.HasPrefix(bus, "arn:") {
		bus = p.ARN("events", "event-bus/"+bus)
	}
	return Statement{Sid: "PublishEvents", Comment: "publish what happens in pipelines to EventBridge", Actions: []string{"events:PutEvents"}, Resources: []string{bus}}
}

// PublishMetrics is what publishing metrics in a namespace of CloudWatch takes.
func PublishMetrics(namespace string) Statement {
	return Statement{Sid: "PublishMetrics", Comment: "publish how executions go to CloudWatch", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []string{"*"},
		Conditions: []Condition{{"StringEquals", "cloudwatch:namespace", []string{namespace}}}}
}

// PublishToTopic is what publishing to a topic of SNS takes, by its ARN.
func PublishToTopic(topic string) Statement {
	return Statement{Sid: "PublishApprovals", Comment: "publish to the topic that an approval waits; an encrypted one also needs kms:GenerateDataKey and kms:Decrypt on its key", Actions: []string{"sns:Publish"}, Resources: []string{topic}}
}
