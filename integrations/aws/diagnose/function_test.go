package diagnose

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What functions, alarms and state machines say, and what is made of it.
func TestFunctionsAndStateMachines(t *testing.T) {
	const again = "rollcall retry webshop#42"
	denied := "User: " + session + " is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:444455556666:key/1 because no identity-based policy allows the kms:Decrypt action"
	for name, c := range map[string]struct {
		f            workflows.Finding
		class, title string
		retry, fix   string
	}{
		"a role":               {Function("InsufficientRolePermissions", "no ec2:CreateNetworkInterface", again), accessDenied, "the function's role lacks a permission", afterFix, "then: " + again},
		"a key":                {Function("DisabledKMSKey", "", again), kms, "the function's KMS key may not be used", afterFix, "enable the key"},
		"a runtime":            {Function("InvalidRuntime", "", again), validation, "the new code cannot be run", afterFix, "handler"},
		"no addresses":         {Function("SubnetOutOfIPAddresses", "", again), quota, "the function's network has no room", afterFix, "subnets"},
		"Lambda's own fault":   {Function("InternalError", "", again), serviceFault, "Lambda had a fault", now, again},
		"an unknown code":      {Function("Surprise", "said", again), validation, "the function does not take the new code", afterFix, "console"},
		"an alarm":             {Alarm("errors", "the alarm errors rang: 12 errors", "the alias live is back on version 1", again), healthCheck, "the alarm errors stopped the deployment", afterFix, "log of the new version"},
		"somebody else":        {Displaced("somebody moved it", again), conflict, "somebody else changed it meanwhile", afterFix, "CloudTrail"},
		"a broken function":    {Invoked("migrate", "KeyError", "'schema'", again), commandFailed, "the function migrate failed", afterFix, "log"},
		"a function's right":   {Invoked("migrate", "ClientError", denied, again), accessDenied, "AWS does not allow kms:Decrypt", afterFix, role},
		"a failed state":       {StateMachine("FAILED", "Migrate", "Boom", "why", again), commandFailed, "the state Migrate failed", afterFix, "failed state"},
		"a state's right":      {StateMachine("FAILED", "Migrate", "States.TaskFailed", denied, again), accessDenied, "the state Migrate failed: AWS does not allow kms:Decrypt", afterFix, role},
		"a state's time":       {StateMachine("FAILED", "Migrate", "States.Timeout", "", again), timeout, "the state Migrate failed", afterFix, "TimeoutSeconds"},
		"a state's parameters": {StateMachine("FAILED", "", "States.ParameterPathFailure", "", again), validation, "the state machine failed", afterFix, "paths and parameters"},
	} {
		if c.f.Class != c.class || c.f.Title != c.title || c.f.Retry != c.retry || !strings.Contains(strings.Join(c.f.Fix, "\n"), c.fix) || !strings.Contains(strings.Join(c.f.Fix, "\n"), again) {
			t.Errorf("%s: %+v", name, c.f)
		}
	}
}
