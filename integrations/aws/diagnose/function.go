package diagnose

import (
	"cmp"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Function explains why a Lambda function cannot run code that it was given, from
// the code and words of its LastUpdateStatus or State.
func Function(code, message, again string) workflows.Finding {
	f := Failure{Service: "Lambda function", Code: code, Message: message}
	found := workflows.Finding{Class: validation, Retry: afterFix, Title: "the function does not take the new code", Fix: []string{"look at AWS's words, and at the function in the console"}}
	switch {
	case code == "ImageAccessDenied", code == "InsufficientRolePermissions":
		found.Class, found.Title, found.Fix = accessDenied, "the function's role lacks a permission", []string{"give the function's role what the message names"}
	case strings.HasPrefix(code, "KMSKey"), code == "DisabledKMSKey", code == "InvalidStateKMSKey":
		found.Class, found.Title, found.Fix = kms, "the function's KMS key may not be used", []string{"enable the key, and allow kms:Decrypt on it to the function's role"}
	case strings.HasPrefix(code, "InvalidRuntime"), code == "InvalidZipFileException", code == "InvalidImage", strings.HasPrefix(code, "FunctionError"):
		found.Title, found.Fix = "the new code cannot be run", []string{"check that the artifact is a zip with the function's handler at its root, built for its runtime and architecture"}
	case strings.HasPrefix(code, "ENILimit"), strings.HasPrefix(code, "SubnetOutOfIP"), strings.HasPrefix(code, "CapacityProvider"):
		found.Class, found.Title, found.Fix = quota, "the function's network has no room", []string{"give the function's subnets more addresses, or the account more network interfaces"}
	case code == "InternalError", code == "EniLimitExceededInternal":
		found.Class, found.Retry, found.Title, found.Fix = serviceFault, now, "Lambda had a fault", nil
	}
	return finish(f, thenAgain(found, again))
}

// Invoked explains how the run of a Lambda function ended with an error: errorType
// and errorMessage are those of its answer.
func Invoked(function, errorType, message, again string) workflows.Finding {
	f := Failure{Service: "Lambda function " + function, Code: errorType, Message: message}
	found := workflows.Finding{Class: commandFailed, Retry: afterFix, Title: "the function " + function + " failed", Fix: []string{"look at the last lines of its log, which are in this action's log"}}
	says := func(parts ...string) bool {
		for _, part := range parts {
			if _, _, ok := cutFold(errorType+" "+message, part); ok {
				return true
			}
		}
		return false
	}
	d, denied := Denied(message)
	switch {
	case denied:
		found = access(f, d)
	case says("Sandbox.Timedout", "Task timed out"):
		found.Class, found.Title, found.Fix = timeout, "the function "+function+" took too long", []string{"raise the function's time limit, or make it do less in one call"}
	case says("Runtime.OutOfMemory", "signal: killed"):
		found.Class, found.Title, found.Fix = quota, "the function "+function+" ran out of memory", []string{"give the function more memory"}
	case says("Runtime.ImportModuleError", "Runtime.HandlerNotFound", "Runtime.InvalidEntrypoint", "Runtime.UserCodeSyntaxError"):
		found.Class, found.Title, found.Fix = validation, "the function "+function+" cannot be loaded", []string{"check its handler and that its code has everything it imports"}
	}
	return finish(f, thenAgain(found, again))
}

// Alarm explains that an alarm ended a deployment. how says what became of it.
func Alarm(name, why, how, again string) workflows.Finding {
	found := workflows.Finding{Class: healthCheck, Retry: afterFix, Title: "the alarm " + name + " stopped the deployment", Cause: clean.Line(why) + "; " + how,
		Fix: []string{"look at what the alarm measures, and at the log of the new version"}}
	return finish(Failure{Service: "CloudWatch alarm " + name, Message: why}, thenAgain(found, again))
}

// Rule explains that the alarm of a rule is not in a state that the rule wants.
func Rule(name, state, why, again string) workflows.Finding {
	found := workflows.Finding{Class: healthCheck, Retry: afterFix, Title: "the alarm " + name + " is in state " + state, Cause: clean.Line(why),
		Fix: []string{"look at what the alarm measures, and at the log of what was deployed"}}
	if state == "INSUFFICIENT_DATA" {
		found.Fix = []string{"look whether the metric of the alarm has data: WaitTime gives it minutes to arrive, AlarmStates says which states are enough"}
	}
	return finish(Failure{Service: "CloudWatch alarm " + name, Message: why}, thenAgain(found, again))
}

// Displaced explains that somebody else changed what a deployment was changing.
func Displaced(what, again string) workflows.Finding {
	found := workflows.Finding{Class: conflict, Retry: afterFix, Title: "somebody else changed it meanwhile", Cause: clean.Line(what),
		Fix: []string{askTrail + ", and decide which version is to run"}}
	return finish(Failure{}, thenAgain(found, again))
}

// Gone explains that what an action names is not there.
func Gone(what, fix, again string) workflows.Finding {
	found := workflows.Finding{Class: notFound, Retry: afterFix, Title: "what the action names is not there", Cause: clean.Line(what),
		Fix: []string{cmp.Or(fix, "check its name, Region and account, or create it: it was removed, renamed, or is elsewhere")}}
	return finish(Failure{}, thenAgain(found, again))
}

// StateMachine explains how an execution of Step Functions failed. state is the
// last one that failed, or empty; its fault is the execution's.
func StateMachine(status, state, code, message, again string) workflows.Finding {
	f := Failure{Service: cmp.Or(strings.TrimSuffix("Step Functions state "+state, " state "), "Step Functions"), Code: code, Message: message}
	found := workflows.Finding{Class: commandFailed, Retry: afterFix, Title: "the state machine failed", Fix: []string{"look at the failed state in the execution, and at what it calls"}}
	if state != "" {
		found.Title = "the state " + state + " failed"
	}
	d, denied := Denied(message)
	switch {
	case denied:
		title := found.Title
		found = access(f, d)
		found.Title = title + ": " + found.Title
	case status == "TIMED_OUT", code == "States.Timeout", code == "States.HeartbeatTimeout":
		found.Class, found.Fix = timeout, []string{"raise TimeoutSeconds of the state or of the state machine, or find out what it waited for"}
	case code == "States.Permissions":
		found.Class, found.Fix = accessDenied, []string{"give the state machine's role what the message names"}
	case code == "States.Runtime", code == "States.NoChoiceMatched", strings.HasPrefix(code, "States.Param"), strings.HasPrefix(code, "States.Query"), strings.HasPrefix(code, "States.Result"):
		found.Class, found.Fix = validation, []string{"check the state's paths and parameters against what it got as input"}
	}
	return finish(f, thenAgain(found, again))
}

// thenAgain adds the command that tries again.
func thenAgain(found workflows.Finding, again string) workflows.Finding {
	if again != "" && found.Retry == afterFix {
		found.Fix = append(found.Fix, "then: "+again)
	} else if again != "" && found.Retry == now {
		found.Fix = append(found.Fix, again)
	}
	return found
}
