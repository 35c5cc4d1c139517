package workflows

import (
	"strings"
	"time"
)

// Polls says whether a source action's branch or object is looked at every now
// and then: CodePipeline's S3 and CodeCommit and our Git unless that is turned
// off, GitHub only when asked for, because its webhooks are faster.
func (a *Action) Polls() bool {
	poll := a.Configuration["PollForSourceChanges"]
	switch {
	case !a.IsSource():
		return false
	case a.ActionType.Provider == "Git":
		return !strings.EqualFold(poll, "false") && !strings.EqualFold(a.Configuration["DetectChanges"], "false")
	case a.ActionType.Provider == "S3", a.ActionType.Provider == "CodeCommit":
		return !strings.EqualFold(poll, "false")
	}
	return strings.EqualFold(poll, "true")
}

// TimeLimit is how long the action may take: what the definition says, else
// what its category and provider have with CodePipeline.
func (a *Action) TimeLimit() time.Duration {
	if a.TimeoutMinutes > 0 {
		return time.Duration(a.TimeoutMinutes) * time.Minute
	}
	const day = 24 * time.Hour
	switch a.ActionType.Provider {
	case "Manual", "StepFunctions":
		return 7 * day
	case "CodeDeploy", "CodeDeployToECS":
		return 5 * day
	case "CloudFormation", "CloudFormationStackSet", "CloudFormationStackInstances":
		return 3 * day
	case "CodeBuild":
		return 36 * time.Hour
	case "Lambda":
		if a.ActionType.Category == "Deploy" { // shifts its traffic step by step
			return 2 * day
		}
		return day
	case "LambdaInvoke", "CodePipeline", "GitHubWorkflow":
		return day
	case "S3":
		if a.ActionType.Category == "Source" {
			return time.Hour
		}
		return 90 * time.Minute
	case "Commands":
		return 55 * time.Minute
	case "DeploymentWindow":
		return 7 * day
	}
	switch {
	case a.ActionType.Owner == "Custom":
		return day
	case a.ActionType.Category == "Test":
		return 8 * time.Hour
	}
	return time.Hour
}
