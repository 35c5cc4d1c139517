package diagnose

import (
	"cmp"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Resource is a resource of a stack that failed, and so its stack.
type Resource struct {
	Stack, Status string // the stack's name, and how it ended: UPDATE_ROLLBACK_COMPLETE
	Name, Type    string // of the resource, in the template: Queue, AWS::SQS::Queue
	Reason        string // CloudFormation's words
	Role          string // ARN of the execution role; empty: CloudFormation works as the action's role
	Again         string // the command that tries again; empty: none is named
}

// Stack explains why a stack failed, from the first resource that did.
func Stack(r Resource) workflows.Finding {
	f := Failure{Service: "CloudFormation", Operation: r.Name, Code: handlerCode(r.Reason), Message: r.Reason, Caller: r.Role, Again: r.Again}
	found := explainResource(f, r)
	if stuck := StuckStack(r.Stack, r.Status); stuck != nil {
		found.Fix = append(found.Fix, stuck.Fix...)
	}
	if r.Again != "" && found.Retry == afterFix {
		found.Fix = append(found.Fix, "then: "+r.Again)
	}
	return finish(f, found)
}

func explainResource(f Failure, r Resource) workflows.Finding {
	d, denied := Denied(r.Reason)
	switch {
	case denied && trusts(d.Action):
		return workflows.Finding{Class: trust, Retry: afterFix, Title: "CloudFormation cannot assume the execution role", Fix: []string{"let cloudformation.amazonaws.com assume the role, in its trust policy"}}
	case denied:
		found := access(f, d)
		found.Title = "the execution role may not change " + cmp.Or(r.Name, "the resource")
		if r.Role == "" {
			found.Title = "the role of the action may not change " + cmp.Or(r.Name, "the resource")
			found.Fix = append(found.Fix, "or set RoleArn: without it CloudFormation works as the role that calls it")
		}
		return found
	}
	for _, c := range resourceCauses() {
		for part := range strings.SplitSeq(c.texts, "|") {
			if _, _, ok := cutFold(f.Code+": "+clean.Line(bounded(r.Reason)), part); ok {
				return workflows.Finding{Class: c.class, Retry: c.retry, Title: strings.ReplaceAll(c.title, "%", cmp.Or(r.Name, "the resource")), Fix: []string{c.fix}}
			}
		}
	}
	found := workflows.Finding{Class: validation, Retry: afterFix, Title: "the stack " + r.Stack + " failed", Fix: []string{"look at the stack's events: the first that failed is the cause"}}
	if strings.Contains(r.Status, "ROLLBACK") {
		found.Class, found.Title = externalRollback, "CloudFormation rolled the stack "+r.Stack+" back"
	}
	if r.Name != "" {
		found.Fix = []string{"look at CloudFormation's words about " + r.Name + ", and correct it in the template or where it lives"}
	}
	return found
}

// resourceCauses are texts of stack events by which their cause is known; % stands
// for the resource. The codes are those that resource handlers answer.
func resourceCauses() []struct{ texts, class, retry, title, fix string } {
	return []struct{ texts, class, retry, title, fix string }{
		{"AccessDenied|not authorized|UnauthorizedTaggingOperation", accessDenied, afterFix, "the execution role may not change %", "look at the message: it names the permission; give it to the execution role, not to the role of the action"},
		{"AlreadyExists|already exists", conflict, afterFix, "% is there already, outside of the stack", "give it another name in the template, delete the old one, or import it into the stack"},
		{"custom-named resource requires replacing", conflict, afterFix, "% must be replaced and has a fixed name", "give it another name in the template, or none: the old one is deleted only after the new one is there"},
		{"ServiceLimitExceeded|LimitExceeded|quota", quota, afterFix, "a limit of the account is reached", "ask AWS for more under Service Quotas, or remove what is not used"},
		{"Throttling|Rate exceeded", throttled, now, "AWS asked CloudFormation for fewer calls", "try again"},
		{"ServiceInternalError|InternalFailure|NetworkFailure", serviceFault, now, "a service of AWS had a fault at %", "try again"},
		{"did not stabilize|NotStabilized|circuit breaker|Exceeded attempts to wait|failed to stabilize", healthCheck, afterFix, "% did not become healthy", "look at what runs there: its own events and logs say why it did not start"},
		{"not empty|DependencyViolation|has a dependent object|in use by", conflict, afterFix, "% is still in use", "empty it, or take away what uses it"},
		{"Hook", validation, afterFix, "a hook of the account refuses %", "look at the hook's words: they name the rule of the organization"},
		{"ResourceConflict|OperationAborted", conflict, now, "something else changes %", "wait until it has ended"},
		{"Transform|Template format error|Template error|Unresolved resource dependencies|InvalidRequest|Invalid request|Encountered unsupported property|ValidationError", validation, afterFix, "the template asks for something that AWS refuses at %", "correct the template at what the message names; cfn-lint finds most of it beforehand"},
		{"NotFound|does not exist", notFound, afterFix, "% needs something that is not there", "check the name, Region and account of what the message names"},
	}
}

// handlerCode reads the code that a resource handler answered: "(RequestToken: …,
// HandlerErrorCode: AlreadyExists)".
func handlerCode(reason string) string {
	_, rest, ok := cutFold(bounded(reason), "HandlerErrorCode: ")
	if !ok {
		return ""
	}
	return strings.TrimRight(first(clean.Line(rest)), "),.")
}

// StuckStack says what to do about a stack that takes no update in its state; nil: it takes one.
func StuckStack(stack, status string) *workflows.Finding {
	found := &workflows.Finding{Class: conflict, Retry: afterFix, Title: "the stack " + stack + " is stuck in " + status}
	switch status {
	case "ROLLBACK_COMPLETE":
		found.Cause = "its creation failed, and such a stack can only be deleted"
		found.Fix = []string{"delete the stack " + stack + ", or set ActionMode REPLACE_ON_FAILURE"}
	case "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED":
		found.Cause = "CloudFormation could not undo or delete what it had made"
		found.Fix = []string{"remove what keeps its resources (the stack's events name it), then delete the stack " + stack + "; REPLACE_ON_FAILURE does it too"}
	case "UPDATE_ROLLBACK_FAILED":
		found.Cause = "CloudFormation could not go back to what was before"
		found.Fix = []string{"mend what the stack's events name, then continue the rollback: aws cloudformation continue-update-rollback --stack-name " + stack, "a resource that cannot be mended: add --resources-to-skip NAME"}
	case "UPDATE_FAILED":
		found.Cause = "an update failed and was not rolled back"
		found.Fix = []string{"roll it back: aws cloudformation rollback-stack --stack-name " + stack}
	default:
		return nil
	}
	return found
}
