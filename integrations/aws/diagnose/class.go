package diagnose

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// codes are the codes of each class, without "Exception"; * stands for any text
// at an end. The first class that has a code wins.
func codes() []struct{ class, codes string } {
	return []struct{ class, codes string }{
		{throttled, "Throttling ThrottlingException Throttled ThrottledException RequestThrottled TooManyRequests RequestLimitExceeded ProvisionedThroughputExceeded SlowDown BandwidthLimitExceeded PriorRequestNotComplete"},
		{accessDenied, "AccessDenied UnauthorizedOperation AuthorizationError NotAuthorized UnauthorizedAccess Forbidden OptInRequired"},
		{credentials, "ExpiredToken* UnrecognizedClient* InvalidClientTokenId SignatureDoesNotMatch InvalidSignature IncompleteSignature MissingAuthenticationToken InvalidAccessKeyId RequestExpired RequestTimeTooSkewed InvalidToken NoCredentials"},
		{kms, "KMS* DecryptionFailure EncryptionKeyAccessDenied EncryptionKeyUnavailable"},
		{missingArtifact, "NoSuchKey NoSuchVersion NoSuchBucket"},
		{conflict, "Conflict ResourceConflict* OperationInProgress* ConcurrentModification DeploymentLimitExceeded ResourceInUse ApprovalAlreadyCompleted InvalidApprovalToken PipelineExecutionOutdated UnableToRollbackStage StageNotRetryable NotLatestPipelineExecution PipelineExecutionNotStoppable DuplicatedStopRequest ConditionNotOverridable"},
		{quota, "*LimitExceeded* *QuotaExceeded*"},
		{notFound, "*NotFound *DoesNotExist AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist NoSuchEntity"},
		{validation, "Validation* Invalid* *Malformed* MissingParameter SerializationException Serialization UnknownOperation"},
		{serviceFault, "InternalFailure InternalError InternalServiceError InternalService ServiceUnavailable ServiceFailure InternalServerError"},
	}
}

func classOf(f Failure, code string) string {
	if f.Operation == "AssumeRole" && fits(code, "AccessDenied") {
		return trust
	}
	for _, c := range codes() {
		for pattern := range strings.FieldsSeq(c.codes) {
			if fits(code, pattern) {
				return c.class
			}
		}
	}
	if class := classOfText(f.Message); class != "" {
		return class
	}
	switch {
	case f.Status == 0:
		return network
	case f.Status >= 500:
		return serviceFault
	case f.Status == 429:
		return throttled
	case f.Status == 403:
		return accessDenied
	case f.Status == 404:
		return notFound
	case f.Status == 408:
		return timeout
	}
	return validation
}

// fits says whether a code matches a pattern with * at its ends.
func fits(code, pattern string) bool {
	middle := strings.Trim(pattern, "*")
	switch {
	case strings.HasPrefix(pattern, "*") && strings.HasSuffix(pattern, "*"):
		return strings.Contains(code, middle)
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(code, middle)
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(code, middle)
	}
	return code == pattern
}

// classOfText knows errors without a code: those of the SDK and of the network.
func classOfText(message string) string {
	message = strings.ToLower(message)
	for _, t := range []struct{ class, texts string }{
		{credentials, "failed to refresh cached credentials|no ec2 imds role found|get credentials|static credentials are empty|failed to get shared config profile|failed to sign request|token is expired|sso session has expired"},
		{timeout, "deadline exceeded|timeout|timed out"},
		{network, "no such host|connection refused|connection reset|broken pipe|unexpected eof|: eof|x509|tls: |proxyconnect|network is unreachable|no route to host|request send failed"},
	} {
		for part := range strings.SplitSeq(t.texts, "|") {
			if strings.Contains(message, part) {
				return t.class
			}
		}
	}
	return ""
}

func aboutTime(code, message string) bool {
	return code == "RequestExpired" || code == "RequestTimeTooSkewed" || strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current")
}

// noneFound says whether the SDK came to the end of its chain without credentials:
// the role of the machine is what it asks last.
func noneFound(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "no ec2 imds role found") || strings.Contains(message, "static credentials are empty")
}

// generic is what is true of every fault of a class.
func generic(class string) workflows.Finding {
	f := workflows.Finding{Class: class, Retry: afterFix}
	switch class {
	case credentials:
		f.Title, f.Fix = "AWS does not take the credentials", []string{"check where rollcall's credentials come from (environment, profile, role of the machine) and that they have not expired", "rollcall doctor says which account and role they belong to"}
	case kms:
		f.Title, f.Fix = "a KMS key may not be used", []string{"grant kms:Decrypt (reading) or kms:GenerateDataKey (writing) on the key, in the key's policy as well as in the role's", "check that the key is enabled and in the same region"}
	case missingArtifact:
		f.Title, f.Fix = "the artifact is gone", []string{"check whether a lifecycle rule of the bucket has removed it", "run the source again"}
	case throttled:
		f.Title, f.Fix, f.Retry = "AWS asks for fewer calls", []string{"nothing to do: rollcall slows down and asks again"}, now
	case quota:
		f.Title, f.Fix = "a limit of the account is reached", []string{"wait until something ends, or ask AWS for more under Service Quotas"}
	case conflict:
		f.Title, f.Fix, f.Retry = "something else is under way there", []string{"wait until it has ended"}, now
	case notFound:
		f.Title, f.Fix = "AWS has no such thing", []string{"check name, region and account: it was removed, renamed, or is elsewhere"}
	case timeout:
		f.Title, f.Fix, f.Retry = "AWS did not answer in time", []string{"try again; when it stays so, check the way to AWS (proxy, firewall, VPC endpoint)"}, now
	case network:
		f.Title, f.Fix, f.Retry = "AWS cannot be reached", []string{"check DNS, proxy and firewall, and endpointURL or AWS_ENDPOINT_URL where one is set", "a certificate error: AWS_CA_BUNDLE names the CA file"}, now
	case serviceFault:
		f.Title, f.Fix, f.Retry = "AWS has a fault", []string{"try again in a minute; https://health.aws.amazon.com says whether the service is disturbed"}, now
	default:
		f.Title, f.Fix, f.Retry = "AWS does not accept the request", []string{"look at AWS's words: they name the value; the same request is refused again"}, never
	}
	return f
}

// known are codes that say more than their class.
func known() []struct{ code, class, retry, title, fix string } {
	return []struct{ code, class, retry, title, fix string }{
		{"ApprovalAlreadyCompleted", conflict, never, "the approval has been answered already", "look at the execution: it shows who answered"},
		{"InvalidApprovalToken", conflict, never, "the approval is no longer open", "look at the pipeline again: another execution or a later attempt waits there now, or none"},
		{"PipelineExecutionOutdated", conflict, never, "the pipeline has changed since that execution", "choose an execution of the pipeline's current version, or run its revisions through the pipeline again"},
		{"UnableToRollbackStage", conflict, afterFix, "AWS cannot roll the stage back to that execution", "wait until nothing runs in the stage, and choose a success of the pipeline's current version that is not a rollback itself"},
		{"StageNotRetryable", conflict, never, "there is nothing to retry in the stage", "start the pipeline, or roll the stage back"},
		{"NotLatestPipelineExecution", conflict, never, "a newer execution has entered the stage", "retry that one, or roll the stage back"},
		{"PipelineExecutionNotStoppable", conflict, never, "the execution has ended", "nothing is left to stop"},
		{"DuplicatedStopRequest", conflict, never, "the execution is already being stopped", "wait until its running actions have ended, or stop it with abandon"},
		{"ConditionNotOverridable", conflict, never, "the condition cannot be overridden", "AWS overrides conditions before entry and on success, while the stage is failed by them"},
		{"ConcurrentPipelineExecutionsLimitExceeded", quota, now, "the pipeline has as many executions as AWS allows", "wait until one has ended, or stop one"},
		{"PipelineNotFound", notFound, afterFix, "there is no such pipeline in that account and region", "check name, region and role of the bridge in the configuration"},
		{"StageNotFound", notFound, afterFix, "the pipeline has no such stage", "look at the pipeline again: it was changed in AWS"},
		{"ActionNotFound", notFound, afterFix, "the stage has no such action", "look at the pipeline again: it was changed in AWS"},
		{"PipelineExecutionNotFound", notFound, never, "AWS no longer knows the execution", "AWS keeps executions for a year; choose a newer one"},
		{"InsufficientCapabilities", validation, afterFix, "the stack needs a capability", "add what the message names to Capabilities of the action, if the template may do that: rollcall never adds it by itself"},
		{"InvalidChangeSetStatus", conflict, afterFix, "the change set cannot be executed as it is", "make it again: the stack was changed since"},
		{"ChangeSetNotFound", notFound, afterFix, "the change set is gone", "run the action that makes it: it was executed or deleted"},
		{"NoSuchBucket", missingArtifact, afterFix, "the bucket is gone", "check its name and Region, or create it again"},
	}
}
