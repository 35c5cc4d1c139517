package deploy

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

// mostGroups is how many target groups of a service are looked at.
const mostGroups = 3

// unhealthyTargets are the targets of a service that its load balancers do not find
// healthy, and how they look. It is a hint: what cannot be asked is not said.
func unhealthyTargets(ctx context.Context, a *runner.Attempt, s types.Service) (all []diagnose.Target) {
	var groups []string
	for _, b := range s.LoadBalancers {
		if arn := aws.ToString(b.TargetGroupArn); arn != "" && len(groups) < mostGroups {
			groups = append(groups, arn)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	api := elb.NewFromConfig(a.Config)
	looks, err := api.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: groups})
	if err != nil {
		_ = a.Unread(err, "which targets are not healthy") // a hint is not worth an action
		return nil
	}
	for _, g := range looks.TargetGroups {
		out, err := api.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
		if err != nil {
			_ = a.Unread(err, "which targets are not healthy")
			continue
		}
		for _, t := range out.TargetHealthDescriptions {
			if t.TargetHealth != nil && t.Target != nil && isUnhealthy(t.TargetHealth.State) {
				all = append(all, targetOf(g, t))
			}
		}
	}
	return all
}

// isUnhealthy leaves out targets that are healthy, and those that nobody asks any more.
func isUnhealthy(s elbtypes.TargetHealthStateEnum) bool {
	return s == elbtypes.TargetHealthStateEnumUnhealthy || s == elbtypes.TargetHealthStateEnumUnhealthyDraining || s == elbtypes.TargetHealthStateEnumInitial || s == elbtypes.TargetHealthStateEnumUnavailable
}

func targetOf(g elbtypes.TargetGroup, t elbtypes.TargetHealthDescription) diagnose.Target {
	one := diagnose.Target{Group: aws.ToString(g.TargetGroupName), ID: aws.ToString(t.Target.Id), State: string(t.TargetHealth.State), Reason: string(t.TargetHealth.Reason), Said: aws.ToString(t.TargetHealth.Description),
		Check: diagnose.HealthCheck{Protocol: string(g.HealthCheckProtocol), Path: aws.ToString(g.HealthCheckPath), Port: aws.ToString(g.HealthCheckPort), Within: int(aws.ToInt32(g.HealthCheckTimeoutSeconds))}}
	if t.Target.Port != nil {
		one.ID += ":" + strconv.Itoa(int(*t.Target.Port))
	}
	if port := aws.ToString(t.HealthCheckPort); port != "" {
		one.Check.Port = port // traffic-port has become one
	}
	if g.Matcher != nil {
		one.Check.Wants = aws.ToString(g.Matcher.HttpCode)
	}
	return one
}

// unhealthySaid is the newest event in which ECS says that a target is not healthy,
// since the attempt began; empty: there is none.
func unhealthySaid(a *runner.Attempt, s types.Service) string {
	for _, e := range s.Events {
		if e.CreatedAt != nil && e.CreatedAt.After(a.Began().Add(-clocksDiffer)) && strings.Contains(aws.ToString(e.Message), "is unhealthy in") {
			return aws.ToString(e.Message)
		}
	}
	return ""
}

// readForService are the permissions to look at the hooks and the targets of a service.
func readForService(action *workflows.Action, at policy.Place) []policy.Statement {
	return append(readHooks(action, at), policy.Statement{Sid: "ReadTargetHealth", Comment: "a finding names the targets of the service that are not healthy; AWS grants it on all or none",
		Actions: []string{"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"}, Resources: []string{"*"}})
}
