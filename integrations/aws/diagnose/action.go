package diagnose

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Action explains how an action of CodePipeline ended, from its provider and the
// code and message of its error details. False: no more is known than they say.
func Action(provider, code, message string) (workflows.Finding, bool) {
	message = bounded(message)
	if phase, ok := buildPhase(message); ok {
		return Build(phase)
	}
	f := Failure{Service: provider, Code: code, Message: message}
	if _, denied := Denied(message); denied {
		return Explain(f), true
	}
	if bucket, key, ok := artifact(message); ok {
		found := access(f, Denial{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + bucket + "/" + key})
		found.Title = provider + " may not read the artifact"
		return finish(f, found), true
	}
	for _, c := range causes() {
		if c.provider != "" && !strings.HasPrefix(provider, c.provider) {
			continue
		}
		for part := range strings.SplitSeq(c.texts, "|") {
			if _, _, ok := cutFold(code+": "+message, part); ok {
				return finish(f, workflows.Finding{Class: c.class, Retry: c.retry, Title: c.title, Fix: []string{c.fix}}), true
			}
		}
	}
	return workflows.Finding{}, false
}

// causes are texts of actions' errors by which their cause is known.
func causes() []struct{ provider, texts, class, retry, title, fix string } {
	return []struct{ provider, texts, class, retry, title, fix string }{
		{"CodeDeploy", "too few healthy instances|HEALTH_CONSTRAINTS|too many individual instances failed", healthCheck, afterFix, "too few healthy instances", "look at the first failed lifecycle event of the deployment; check the minimum of healthy hosts"},
		{"CodeDeploy", "ALARM_ACTIVE|alarms are in ALARM|alarm is active", healthCheck, afterFix, "an alarm stopped the deployment", "look at the alarm that the message names"},
		{"CodeDeploy", "rolled back|rolling back", externalRollback, afterFix, "CodeDeploy has rolled the deployment back", "look at the deployment; what ran before runs again"},
		{"CloudFormation", "Requires capabilities|InsufficientCapabilities", validation, afterFix, "the stack needs a capability", "add the capability that the message names to the action"},
		{"CloudFormation", "ROLLBACK_COMPLETE|ROLLBACK_IN_PROGRESS|rolled back", externalRollback, afterFix, "CloudFormation has rolled the stack back", "look at the stack's events: the first that failed is the cause"},
		{"ECS", "circuit breaker|rolled back|rollback", externalRollback, afterFix, "ECS has rolled the service back", "look at the stopped tasks of the service: their reason is the cause"},
		{"ECS", "failed ELB health checks|unhealthy|health check", healthCheck, afterFix, "the new tasks are not healthy", "look at the target group's health and at the grace period of the service"},
		{"", "NoSuchKey|NoSuchVersion|RevisionUnavailable|does not exist in the artifact bucket", missingArtifact, afterFix, "the artifact is gone", "check whether a lifecycle rule of the bucket has removed it, and run the source again"},
		{"", "kms:|KMS.", kms, afterFix, "a KMS key may not be used", "grant kms:Decrypt and kms:GenerateDataKey on the key, in its policy as well as in the role's"},
		{"", "PermissionError|permissions required|Insufficient permissions|AccessDenied", accessDenied, afterFix, "the role of the action lacks a permission", "look at the message: it names the permission or the resource"},
		{"", "Throttling|Rate exceeded|TooManyRequests", throttled, now, "AWS asked for fewer calls", "try again"},
		{"", "SystemUnavailable|InternalError|internal error", serviceFault, now, "AWS had a fault", "try again"},
		{"", "JobTimedOut|ActionTimedOut|timed out|exceeded the timeout|TIMED_OUT", timeout, afterFix, "the action took too long", "look at what it waited for; raise its time limit where it has one"},
		{"", "ConfigurationError|InvalidActionConfiguration", validation, afterFix, "the configuration of the action cannot be used", "correct it in the pipeline in AWS"},
		{"", "LimitExceeded|QuotaExceeded|AccountLimitExceeded", quota, afterFix, "a limit of the account is reached", "wait until something ends, or ask AWS for more under Service Quotas"},
	}
}

// artifact reads CodePipeline's sentence about an artifact that a role cannot read.
func artifact(message string) (bucket, key string, ok bool) {
	_, rest, found := cutFold(clean.Line(message), "artifact with Amazon S3 object key '")
	if !found {
		return "", "", false
	}
	key, rest, _ = strings.Cut(rest, "'")
	_, rest, found = cutFold(rest, "bucket '")
	bucket, _, closed := strings.Cut(rest, "'")
	return bucket, key, found && closed && key != "" && !strings.ContainsAny(bucket+key, " *") && len(key) <= 1024
}

// finish adds what AWS said, and holds every text to its length.
func finish(f Failure, found workflows.Finding) workflows.Finding {
	found.Title, found.Cause = text(found.Title), text(found.Cause)
	for i, step := range found.Fix {
		found.Fix[i] = text(step)
	}
	if found.Cause == "" {
		found.Cause = text(f.Message)
	}
	if said := text(strings.TrimPrefix(Code(f.Code)+": "+f.Message, ": ")); said != "" {
		found.Evidence = append(found.Evidence, evidence{text(f.source()), said})
	}
	return found
}

// Phase is how a phase of a build ended.
type Phase struct {
	Name    string // DOWNLOAD_SOURCE
	Status  string // FAILED, FAULT, TIMED_OUT …
	Code    string // of its first context: YAML_FILE_ERROR
	Message string
}

// buildPhase reads the phase out of what CodePipeline says of a build that
// failed: "Build terminated with state: FAILED. Phase: BUILD, Code:
// COMMAND_EXECUTION_ERROR, Message: …".
func buildPhase(message string) (Phase, bool) {
	message = clean.Line(message)
	_, rest, ok := strings.Cut(message, "Phase: ")
	if !ok {
		return Phase{}, false
	}
	p := Phase{Status: "FAILED"}
	if _, state, ok := strings.Cut(message, "terminated with state: "); ok {
		p.Status = strings.Trim(first(state), ".,")
	}
	p.Name, rest, _ = strings.Cut(rest, ",")
	if _, code, ok := strings.Cut(rest, "Code: "); ok {
		p.Code, _, _ = strings.Cut(code, ",")
	}
	_, p.Message, _ = strings.Cut(rest, "Message: ")
	return p, true
}

// Build explains how a build failed, from the first phase that did not succeed.
// False: no more is known than that.
func Build(p Phase) (workflows.Finding, bool) {
	f := Failure{Service: "CodeBuild phase", Operation: p.Name, Code: p.Code, Message: p.Message}
	d, denied := Denied(p.Message)
	says := func(parts ...string) bool {
		for _, part := range parts {
			if _, _, ok := cutFold(p.Code+" "+p.Message, part); ok {
				return true
			}
		}
		return false
	}
	be := func(class, retry, title string, fix ...string) (workflows.Finding, bool) {
		return finish(f, workflows.Finding{Class: class, Retry: retry, Title: title, Fix: fix}), true
	}
	switch {
	case p.Code == "YAML_FILE_ERROR":
		return be(buildSpec, afterFix, "the buildspec cannot be used", "correct the buildspec at the line that the message names")
	case denied && trusts(d.Action):
		return finish(f, roleTrust()), true
	case denied:
		return finish(f, access(f, d)), true
	case p.Name == "DOWNLOAD_SOURCE" && says("NoSuchKey", "404", "not found"):
		return be(missingArtifact, afterFix, "the artifact is gone", "check whether a lifecycle rule of the bucket has removed it, and run the source again")
	case p.Name == "DOWNLOAD_SOURCE" && says("AccessDenied", "access denied", "403"):
		return be(accessDenied, afterFix, "CodeBuild may not read the artifact", "give the project's role s3:GetObject and s3:GetObjectVersion on the artifact and kms:Decrypt on its key", "in another account: the bucket's policy must allow it too")
	}
	return p.ran(be, says)
}

// ran explains the phases in which the container starts and the commands run.
func (p Phase) ran(be func(class, retry, title string, fix ...string) (workflows.Finding, bool), says func(...string) bool) (workflows.Finding, bool) {
	switch {
	case says("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"):
		return be(notFound, afterFix, "the image of the build cannot be pulled", "check its name, region and repository policy, and whether the project pulls with its own role")
	case says("out of memory", "ErrorCode: 500"):
		return be(quota, afterFix, "the build ran out of memory", "give the project the next larger compute type")
	case p.Status == "FAULT":
		return be(serviceFault, now, "CodeBuild had a fault", "try again")
	case p.Name == "QUEUED":
		return be(quota, afterFix, "the build never started", "check the quota of concurrent builds, and the subnet where the project has a VPC")
	case p.Status == "TIMED_OUT":
		return be(timeout, afterFix, "the build took too long", "raise the time limit or the compute type of the project")
	case p.Name == "UPLOAD_ARTIFACTS":
		return be(validation, afterFix, "the build's artifacts were not stored", "check that artifacts.files of the buildspec matches something, and that the project's role has s3:PutObject and kms:GenerateDataKey")
	case says("COMMAND_EXECUTION_ERROR"):
		return be(commandFailed, afterFix, "a command of the build failed in "+p.Name, "look at the last lines of the log")
	}
	return workflows.Finding{}, false
}

// roleTrust is that CodeBuild cannot assume the role of a project.
func roleTrust() workflows.Finding {
	return workflows.Finding{Class: trust, Retry: afterFix, Title: "CodeBuild cannot assume the project's role",
		Fix:       []string{"add the statement to the role's trust policy"},
		Statement: []byte(`{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":["sts:AssumeRole"]}`)}
}
