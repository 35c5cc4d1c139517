package policy

import "strings"

// level is the kind of resource on which AWS grants an action. A statement that
// names a resource above it grants nothing.
type level string

// The levels of the actions that rollcall uses.
const (
	onAny       level = "*"
	onPipeline  level = "pipeline"
	onStage     level = "stage"
	onAction    level = "action"
	onQueue     level = "queue"
	onLogStream level = "log-stream"
	onLogGroup  level = "log-group"
	onProject   level = "project"
	onRole      level = "role"

	onService    level = "service" // of ECS
	onDeployment level = "service-deployment"
	onRevision   level = "service-revision"
)

// levels are the actions that are used or named, as AWS's service authorization
// reference has them.
func levels() map[string]level {
	return map[string]level{
		"codepipeline:ListPipelines":          onAny,
		"codepipeline:GetPipeline":            onPipeline,
		"codepipeline:GetPipelineState":       onPipeline,
		"codepipeline:GetPipelineExecution":   onPipeline,
		"codepipeline:ListPipelineExecutions": onPipeline,
		"codepipeline:ListActionExecutions":   onPipeline,
		"codepipeline:ListRuleExecutions":     onPipeline,
		"codepipeline:StartPipelineExecution": onPipeline,
		"codepipeline:StopPipelineExecution":  onPipeline,
		"codepipeline:UpdatePipeline":         onPipeline,
		"codepipeline:RetryStageExecution":    onStage,
		"codepipeline:RollbackStage":          onStage,
		"codepipeline:OverrideStageCondition": onStage,
		"codepipeline:EnableStageTransition":  onStage,
		"codepipeline:DisableStageTransition": onStage,
		"codepipeline:PutApprovalResult":      onAction,
		"sqs:ReceiveMessage":                  onQueue,
		"sqs:DeleteMessage":                   onQueue,
		"sqs:GetQueueAttributes":              onQueue,
		"logs:GetLogEvents":                   onLogStream,
		"logs:FilterLogEvents":                onLogGroup,
		"codebuild:BatchGetBuilds":            onProject,
		"sts:GetCallerIdentity":               onAny,
		"sts:AssumeRole":                      onRole,
		"sts:SetSourceIdentity":               onRole,
		"iam:SimulatePrincipalPolicy":         onRole,
		"ecs:ListClusters":                    onAny,
		"ecs:ListServices":                    onAny,
		"ecs:ListServiceDeployments":          onService,
		"ecs:DescribeServices":                onService,
		"ecs:DescribeServiceDeployments":      onDeployment,
		"ecs:ContinueServiceDeployment":       onDeployment,
		"ecs:DescribeServiceRevisions":        onRevision,
	}
}

// Spelling is an action as AWS's reference writes it; services write it in errors as they like.
func Spelling(action string) string {
	name, _, _ := lookup(action)
	return name
}

// lookup returns an action in AWS's spelling and the level it is granted on.
// False: it is not known here.
func lookup(action string) (name string, on level, known bool) {
	all := levels()
	if l, ok := all[action]; ok {
		return action, l, true
	}
	for name, l := range all {
		if strings.EqualFold(name, action) {
			return name, l, true
		}
	}
	return action, "", false
}

// Missing is the statement that allows one action on one resource. A resource
// of CodePipeline that lies above the level of the action is made narrower, so
// that the statement grants something.
func Missing(action, resource string) Statement {
	name, on, known := lookup(action)
	if known && on == onAny || resource == "" {
		resource = "*"
	}
	return Statement{Actions: []string{name}, Resources: []string{atLevel(resource, on)}}
}

// atLevel appends what is missing to the ARN of a pipeline or stage.
func atLevel(arn string, on level) string {
	want := map[level]int{onStage: 1, onAction: 2}[on]
	if want == 0 || !isPipeline(arn) {
		return arn
	}
	return arn + strings.Repeat("/*", max(0, want-strings.Count(arn, "/")))
}

func isPipeline(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "codepipeline" && !strings.Contains(parts[5], ":")
}

// RoleOf is the ARN of the role behind the ARN of a session, which policies and
// the policy simulator want; any other ARN is returned as it is. The path of the
// role is not in a session's ARN.
func RoleOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "sts" {
		return arn
	}
	role, isSession := strings.CutPrefix(parts[5], "assumed-role/")
	role, _, _ = strings.Cut(role, "/")
	if !isSession || role == "" {
		return arn
	}
	return strings.Join([]string{"arn", parts[1], "iam", "", parts[4], "role/" + role}, ":")
}

// PipelineARN is the ARN of a pipeline, or of STAGE or STAGE/ACTION behind it, in
// the account and partition of who looks at it.
func PipelineARN(who, region, name string) string {
	parts := strings.SplitN(who, ":", 6)
	if len(parts) != 6 {
		parts = []string{"arn", "aws", "", "", "*", ""}
	}
	return strings.Join([]string{"arn", parts[1], "codepipeline", region, parts[4], name}, ":")
}
