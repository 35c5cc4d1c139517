package deploy

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
)

// checkService looks at the service of an action, at who deploys it, and whether the
// functions are there that ECS calls while it is deployed.
func checkService(ctx context.Context, c aws.Config, action *workflows.Action) error {
	_, cluster, _ := cutLast(action.Configuration["ClusterName"])
	_, name, _ := cutLast(action.Configuration["ServiceName"])
	s, err := serviceIn(ctx, c, cluster, name)
	if err == nil {
		err = isOfECS(s)
	}
	if err != nil {
		return runner.Absent(err, "there is no cluster %s in %s", cluster, c.Region)
	}
	if s.DeploymentConfiguration == nil {
		return nil
	}
	for _, hook := range s.DeploymentConfiguration.LifecycleHooks {
		if err := checkHook(ctx, c, name, hook); err != nil {
			return err
		}
	}
	return nil
}

// checkHook looks whether the function of a hook is there. Where the role may not
// look, nothing is said: ECS calls it with a role of its own.
func checkHook(ctx context.Context, c aws.Config, service string, hook ecstypes.DeploymentLifecycleHook) error {
	function := aws.ToString(hook.HookTargetArn)
	if !strings.Contains(function, ":function:") {
		return nil
	}
	_, err := lambda.NewFromConfig(c).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if runner.IsMissing(err) {
		return &runner.SettingsError{Text: "the service " + service + " calls the function " + function + " while it is deployed, and there is no such function",
			Fix: "create the function, or take the lifecycle hook out of the service: without an answer ECS rolls every deployment back"}
	}
	return nil
}

// readHooks is the permission to look whether the hooks of a service are there.
func readHooks(_ *workflows.Action, at policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "ReadHooks", Comment: "doctor looks whether the functions are there that ECS calls while a service is deployed", Actions: []string{"lambda:GetFunctionConfiguration"}, Resources: []string{at.ARN("lambda", "function:*")}}}
}

// checkGroup looks at the deployment group of an action, and whether the provider
// deploys to what it is for.
func checkGroup(ctx context.Context, c aws.Config, action *workflows.Action) error {
	application, group := action.Configuration["ApplicationName"], action.Configuration["DeploymentGroupName"]
	out, err := codedeploy.NewFromConfig(c).GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &application, DeploymentGroupName: &group})
	switch {
	case runner.Code(err) == "ApplicationDoesNotExist":
		return &runner.SettingsError{Text: "there is no CodeDeploy application " + application + " in " + c.Region}
	case err != nil:
		return runner.Absent(err, "the CodeDeploy application %s has no deployment group %s", application, group)
	}
	isECS, wantsECS := out.DeploymentGroupInfo.ComputePlatform == types.ComputePlatformEcs, action.ActionType.Provider == "CodeDeployToECS"
	if isECS != wantsECS {
		return &runner.SettingsError{Text: "the deployment group " + group + " is for the compute platform " + string(out.DeploymentGroupInfo.ComputePlatform) + ", and the provider " + action.ActionType.Provider + " does not deploy to it",
			Fix: "CodeDeployToECS deploys to groups for ECS, CodeDeploy to all others: change the provider or the group"}
	}
	return nil
}

// readGroup is the permission to look at a deployment group.
func readGroup(action *workflows.Action, at policy.Place) []policy.Statement {
	name := action.Configuration["ApplicationName"] + "/" + action.Configuration["DeploymentGroupName"]
	return []policy.Statement{{Sid: "ReadDeploymentGroup", Comment: "doctor looks whether the deployment group is there", Actions: []string{"codedeploy:GetDeploymentGroup"}, Resources: []string{at.ARN("codedeploy", "deploymentgroup:"+name)}}}
}

// checkBucket looks whether the bucket of an action is there, in the action's Region.
func checkBucket(ctx context.Context, c aws.Config, action *workflows.Action) error {
	bucket := action.Configuration["BucketName"]
	_, err := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) { // HEAD has no words: the status says it
		return err
	}
	switch answer.HTTPStatusCode() {
	case http.StatusNotFound:
		return &runner.SettingsError{Text: "there is no bucket " + bucket}
	case http.StatusMovedPermanently, http.StatusBadRequest:
		return &runner.SettingsError{Text: "the bucket " + bucket + " is not in " + c.Region, Fix: "set region of the action to the bucket's"}
	}
	return err
}

// seeBucket is the permission to look whether a bucket is there.
func seeBucket(action *workflows.Action, at policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "SeeBucket", Comment: "doctor looks whether the bucket is there", Actions: []string{"s3:ListBucket"}, Resources: []string{at.Bucket(action.Configuration["BucketName"], "")}}}
}

// checkFunction asks for the function, or for its alias where the action moves one.
func checkFunction(ctx context.Context, c aws.Config, action *workflows.Action) error {
	api, name := lambda.NewFromConfig(c), action.Configuration["FunctionName"]
	if alias := action.Configuration["FunctionAlias"]; alias != "" {
		_, err := api.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &name, Name: &alias})
		return runner.Absent(err, "there is no function %s with an alias %s in %s", functionName(name), alias, c.Region)
	}
	_, err := api.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	return runner.Absent(err, "there is no function %s in %s", functionName(name), c.Region)
}
