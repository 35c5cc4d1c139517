package diagnose

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// CodeDeployment is how a deployment of CodeDeploy ended.
type CodeDeployment struct {
	ID, Code, Message string // d-1A2B3C4D5, HEALTH_CONSTRAINTS, what it says
	// Back is the deployment by which CodeDeploy has rolled it back; empty: it has not.
	Back string
	Hook Hook // the first lifecycle event that failed; zero: none is known
}

// Hook is a lifecycle event that failed on a target.
type Hook struct {
	Target, Event               string // an instance, ValidateService
	Code, Script, Message, Tail string // ScriptFailed, its path, and the last lines it wrote
}

// CodeDeploy explains how a deployment failed: by the hook that failed, else by
// CodeDeploy's own code.
func CodeDeploy(d CodeDeployment) workflows.Finding {
	f := Failure{Service: "CodeDeploy deployment " + d.ID, Code: d.Code, Message: d.Message}
	if denial, ok := Denied(d.Message); ok && d.Hook.Event == "" {
		return finish(f, access(f, denial))
	}
	found := workflows.Finding{Class: healthCheck, Retry: afterFix, Title: "CodeDeploy's deployment failed", Fix: []string{"look at the deployment " + d.ID + ": the first event that failed is the cause"}}
	for _, c := range deployCodes() {
		for code := range strings.FieldsSeq(c.codes) {
			if code == d.Code {
				found.Class, found.Title, found.Fix, found.Retry = c.class, c.title, []string{c.fix}, c.retry
			}
		}
	}
	if h := d.Hook; h.Event != "" {
		found.Class = commandFailed
		found.Title, found.Fix = h.explain()
		found.Cause = h.Event + " failed on " + h.Target + ": " + strings.TrimPrefix(h.Code+": "+h.Message, ": ")
	}
	found = finish(f, found)
	if h := d.Hook; h.Tail != "" {
		found.Evidence = append(found.Evidence, evidence{text(h.Event + " on " + h.Target), text(lastOf(h.Tail))})
	}
	if d.Back != "" {
		found.Evidence = append(found.Evidence, evidence{"CodeDeploy", text("it has rolled back to what ran before: " + d.Back)})
	}
	return found
}

// explain says what the code of a hook means.
func (h Hook) explain() (title string, fix []string) {
	script := "the script " + h.Script
	if h.Script == "" {
		script = "the hook"
	}
	switch h.Code {
	case "ScriptMissing":
		return script + " of " + h.Event + " is not in the revision", []string{"correct its path in hooks." + h.Event + " of the appspec file"}
	case "ScriptNotExecutable":
		return script + " of " + h.Event + " cannot be executed", []string{"chmod +x it in the repository; check its first line (#!)"}
	case "ScriptTimedOut":
		return script + " of " + h.Event + " took too long", []string{"raise its timeout in the appspec file, or see what it waits for"}
	}
	return script + " of " + h.Event + " failed", []string{"look at the last lines that it wrote"}
}

// lastOf is the end of what a script has written, where the fault is.
func lastOf(tail string) string {
	lines := strings.Split(strings.TrimSpace(tail), "\n")
	return strings.Join(lines[max(0, len(lines)-mostSaid):], " | ")
}

// deployCodes are the codes of a deployment's error.
func deployCodes() []struct{ codes, class, retry, title, fix string } {
	return []struct{ codes, class, retry, title, fix string }{
		{"HEALTH_CONSTRAINTS", healthCheck, afterFix, "too few healthy instances", "look at the first failed lifecycle event; check the minimum of healthy hosts of the deployment configuration"},
		{"HEALTH_CONSTRAINTS_INVALID", validation, afterFix, "the deployment configuration asks for more healthy hosts than there are", "lower its minimum of healthy hosts, or add instances"},
		{"ALARM_ACTIVE", healthCheck, afterFix, "an alarm stopped the deployment", "look at the alarm that the message names"},
		{"IAM_ROLE_MISSING IAM_ROLE_PERMISSIONS", accessDenied, afterFix, "CodeDeploy's service role lacks a permission", "give the role of the deployment group the policy AWSCodeDeployRole of its platform, and trust for codedeploy.amazonaws.com"},
		{"AUTO_SCALING_IAM_ROLE_PERMISSIONS AUTO_SCALING_CONFIGURATION AUTOSCALING_VALIDATION_ERROR", validation, afterFix, "the Auto Scaling group cannot be used", "check its launch template and lifecycle hooks, and CodeDeploy's service role"},
		{"NO_INSTANCES", notFound, afterFix, "no instance matches the deployment group", "check its tags and its Auto Scaling group"},
		{"REVISION_MISSING", missingArtifact, afterFix, "the revision is gone", "check whether a lifecycle rule of the bucket has removed it, and run the source again"},
		{"INVALID_REVISION", validation, afterFix, "the revision has no usable appspec file", "put a valid appspec.yml at the root of the artifact"},
		{"AGENT_ISSUE", healthCheck, afterFix, "the CodeDeploy agent does not answer", "check that the agent runs on the instances, and that their profile may read the artifact bucket"},
		{"TIMEOUT", timeout, afterFix, "the deployment took too long", "look at the event that is still pending; check that the CodeDeploy agent runs on the instances"},
		{"ELB_INVALID_INSTANCE ELASTIC_LOAD_BALANCING_INVALID MISSING_ELB_INFORMATION", validation, afterFix, "the load balancer of the deployment group cannot be used", "check the target group in the deployment group, and the health of its targets"},
		{"HOOK_EXECUTION_FAILURE", commandFailed, afterFix, "a hook's function failed, or did not answer", "look at its log; it must call PutLifecycleEventHookExecutionStatus"},
		{"ECS_UPDATE_ERROR INVALID_ECS_SERVICE", validation, afterFix, "the ECS service cannot be deployed", "check that the service has the deployment controller CODE_DEPLOY, and that CodeDeploy's role may pass the task's roles"},
		{"INVALID_LAMBDA_CONFIGURATION INVALID_LAMBDA_FUNCTION", validation, afterFix, "the Lambda function cannot be deployed", "check function, alias and versions in the appspec file"},
		{"APPLICATION_MISSING DEPLOYMENT_GROUP_MISSING CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", notFound, afterFix, "the application or its deployment group is gone", "check ApplicationName and DeploymentGroupName of the action"},
		{"CLOUDFORMATION_STACK_FAILURE", validation, afterFix, "the stack update failed", "look at the stack's events: the first that failed is the cause"},
		{"RESOURCE_LIMIT_EXCEEDED OVER_MAX_INSTANCES", quota, afterFix, "a limit of the account is reached", "wait until something ends, or ask AWS for more under Service Quotas"},
		{"THROTTLED", throttled, now, "AWS asked for fewer calls", "try again"},
		{"INTERNAL_ERROR", serviceFault, now, "CodeDeploy had a fault", "try again"},
		{"CUSTOMER_APPLICATION_UNHEALTHY", healthCheck, afterFix, "the application is not healthy after the deployment", "look at the health of the targets"},
	}
}
