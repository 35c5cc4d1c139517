package awsfake_test

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
)

// deploymentsOf prepares what deployTour calls: a service of ECS whose next
// deployment falls back and whose one after that waits at a hook, and a group of
// CodeDeploy whose next deployment fails.
func deploymentsOf(a *awsfake.Server) {
	e := awsfake.At[*ecs.Service](a, account, region)
	e.Create("shop", "web", e.Define(map[string]any{"family": "web", "containerDefinitions": []any{params{"name": "web", "image": "shop:1"}}}))
	e.Next("shop", "web", ecs.Plan{Breaks: true, Stopped: ecs.Stop{Container: "web", ExitCode: 137, ContainerReason: "OutOfMemoryError"}}, ecs.Plan{Pauses: []ecs.Pause{{Stage: "POST_SCALE_UP"}}})
	c := awsfake.At[*codedeploy.Service](a, account, region)
	c.Create(codedeploy.Group{Application: "shop", Name: "prod", RollsBack: true, Targets: []string{"i-0123456789abcdef0"}})
	c.Next("shop", "prod", codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Message: "too few", Hook: codedeploy.Hook{Event: "Install", Code: "ScriptFailed", Script: "install.sh", Message: "exit 1", Log: "no"}})
}

// deployTour calls ECS and CodeDeploy, behind that many other calls.
func deployTour(before int) []called {
	of := func(call int, path string) string { return fmt.Sprintf("$%d.%s", before+call, path) }
	web := params{"cluster": "shop", "service": "web"}
	update := func(definition string) params {
		return params{"cluster": "shop", "service": "web", "taskDefinition": definition}
	}
	return []called{
		{"ecs", "DescribeServices", params{"cluster": "shop", "services": []any{"web", "gone"}}, ""},
		{"ecs", "DescribeTaskDefinition", params{"taskDefinition": "web", "include": []any{"TAGS"}}, ""},
		{"ecs", "RegisterTaskDefinition", params{"family": "web", "containerDefinitions": []any{params{"name": "web", "image": "shop:2"}}, "tags": []any{params{"key": "rollcall:task", "value": "rc-1"}}}, ""},
		{"ecs", "UpdateService", update(of(2, "taskDefinition.taskDefinitionArn")), ""},
		{"ecs", "ListServiceDeployments", web, ""},
		{"ecs", "DescribeServiceDeployments", params{"serviceDeploymentArns": []any{of(4, "serviceDeployments.0.serviceDeploymentArn")}}, ""},
		{"ecs", "DescribeServiceRevisions", params{"serviceRevisionArns": []any{of(4, "serviceDeployments.0.targetServiceRevisionArn")}}, ""},
		{"ecs", "ListTasks", params{"cluster": "shop", "serviceName": "web", "desiredStatus": "STOPPED"}, ""},
		{"ecs", "DescribeTasks", params{"cluster": "shop", "tasks": []any{of(7, "taskArns.0")}}, ""},
		{"ecs", "StopServiceDeployment", params{"serviceDeploymentArn": of(4, "serviceDeployments.0.serviceDeploymentArn"), "stopType": "ROLLBACK"}, "ConflictException"},
		{"ecs", "UpdateService", update(of(2, "taskDefinition.taskDefinitionArn")), ""},
		{"ecs", "ListServiceDeployments", web, ""},
		{"ecs", "DescribeServiceDeployments", params{"serviceDeploymentArns": []any{of(11, "serviceDeployments.0.serviceDeploymentArn")}}, ""},
		{"ecs", "ContinueServiceDeployment", params{"serviceDeploymentArn": of(11, "serviceDeployments.0.serviceDeploymentArn"), "hookId": of(12, "serviceDeployments.0.lifecycleHookDetails.0.hookId"), "action": "CONTINUE"}, ""},
		{"ecs", "UpdateService", update("gone"), "ClientException"},
		{"ecs", "DescribeServices", params{"cluster": "gone", "services": []any{"web"}}, "ClusterNotFoundException"},
		{"codedeploy", "CreateDeployment", params{"applicationName": "shop", "deploymentGroupName": "prod", "description": "rollcall webshop#42 rc-1",
			"revision": params{"revisionType": "S3", "s3Location": params{"bucket": "art", "key": "in.zip", "bundleType": "zip"}}}, ""},
		{"codedeploy", "ListDeployments", params{"applicationName": "shop", "deploymentGroupName": "prod"}, ""},
		{"codedeploy", "BatchGetDeployments", params{"deploymentIds": []any{of(16, "deploymentId"), "d-GONE"}}, ""},
		{"codedeploy", "ListDeploymentTargets", params{"deploymentId": of(16, "deploymentId"), "targetFilters": params{"TargetStatus": []any{"Failed"}}}, ""},
		{"codedeploy", "BatchGetDeploymentTargets", params{"deploymentId": of(16, "deploymentId"), "targetIds": []any{of(19, "targetIds.0")}}, ""},
		{"codedeploy", "StopDeployment", params{"deploymentId": of(16, "deploymentId")}, "DeploymentAlreadyCompletedException"},
		{"codedeploy", "CreateDeployment", params{"applicationName": "gone", "deploymentGroupName": "prod"}, "ApplicationDoesNotExistException"},
		{"ecs", "ListClusters", params{}, ""},
		{"ecs", "ListServices", params{"cluster": "shop"}, ""},
	}
}
