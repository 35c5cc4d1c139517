package invoke

import (
	"cmp"
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

// looks is one statement about what doctor looks at.
func looks(sid, what, call, resource string) []policy.Statement {
	return []policy.Statement{{Sid: sid, Comment: "doctor looks whether the " + what + " is there", Actions: []string{call}, Resources: []string{resource}}}
}

// checkFunction asks for the function.
func checkFunction(ctx context.Context, c aws.Config, action *workflows.Action) error {
	name := action.Configuration["FunctionName"]
	_, err := lambda.NewFromConfig(c).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	return runner.Absent(err, "there is no function %s in %s", functionName(name), c.Region)
}

func seeFunction(action *workflows.Action, at policy.Place) []policy.Statement {
	name := action.Configuration["FunctionName"]
	if !strings.HasPrefix(name, "arn:") {
		name = at.ARN("lambda", "function:"+name)
	}
	return looks("SeeFunction", "function", "lambda:GetFunctionConfiguration", name)
}

// checkMachine asks for the state machine.
func checkMachine(ctx context.Context, c aws.Config, action *workflows.Action) error {
	machine := action.Configuration["StateMachineArn"]
	_, err := sfn.NewFromConfig(c).DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &machine})
	return runner.Absent(err, "there is no state machine %s", machine)
}

// checkTopic asks for the topic.
func checkTopic(ctx context.Context, c aws.Config, action *workflows.Action) error {
	topic := action.Configuration["TopicArn"]
	_, err := sns.NewFromConfig(c).GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
	return runner.Absent(err, "there is no topic %s", topic)
}

func seeTopic(action *workflows.Action, _ policy.Place) []policy.Statement {
	return looks("SeeTopic", "topic", "sns:GetTopicAttributes", action.Configuration["TopicArn"])
}

// checkBus asks for the bus. The default one is always there.
func checkBus(ctx context.Context, c aws.Config, action *workflows.Action) error {
	bus := cmp.Or(action.Configuration["EventBusName"], "default")
	if bus == "default" {
		return nil
	}
	_, err := eventbridge.NewFromConfig(c).DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String(bus)})
	return runner.Absent(err, "there is no event bus %s in %s", bus, c.Region)
}

func seeBus(action *workflows.Action, at policy.Place) []policy.Statement {
	bus := cmp.Or(action.Configuration["EventBusName"], "default")
	if bus == "default" {
		return nil
	}
	if !strings.HasPrefix(bus, "arn:") {
		bus = at.ARN("events", "event-bus/"+bus)
	}
	return looks("SeeBus", "event bus", "events:DescribeEventBus", bus)
}
