package diagnose

import (
	"encoding/json"
	"strings"
	"testing"
)

// What CloudFormation says of a resource, and what follows from it.
func TestStack(t *testing.T) {
	const exec = "arn:aws:iam::444455556666:role/cfn-exec"
	denied := "User: arn:aws:sts::444455556666:assumed-role/cfn-exec/AWSCloudFormation is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:eu-west-1:444455556666:jobs because no identity-based policy allows the sqs:createqueue action"
	for name, c := range map[string]struct {
		r                   Resource
		class, retry, title string
		says                string // in cause, fix or statement
	}{
		"a permission of the execution role": {Resource{Name: "Queue", Reason: denied, Role: exec, Status: "UPDATE_ROLLBACK_COMPLETE"}, accessDenied, afterFix, "the execution role may not change Queue", exec + " lacks sqs:createqueue"},
		"a permission of the action's role":  {Resource{Name: "Queue", Reason: denied}, accessDenied, afterFix, "the role of the action may not change Queue", "or set RoleArn"},
		"a permission that is not named":     {Resource{Name: "Queue", Reason: "Access Denied (Service: S3, HandlerErrorCode: AccessDenied)"}, accessDenied, afterFix, "the execution role may not change Queue", "not to the role of the action"},
		"a forbidden one":                    {Resource{Name: "Queue", Role: exec, Reason: strings.Replace(denied, "because no identity-based policy allows the sqs:createqueue action", "with an explicit deny in a service control policy", 1)}, accessDenied, afterFix, "the execution role may not change Queue", "allowing it elsewhere does not help"},
		"a role that cannot be assumed":      {Resource{Name: "Queue", Reason: "User: cloudformation.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: " + exec}, trust, afterFix, "CloudFormation cannot assume the execution role", "trust policy"},
		"it exists":                          {Resource{Name: "Bucket", Reason: "acme-shop already exists in stack arn:…"}, conflict, afterFix, "Bucket is there already, outside of the stack", "import it"},
		"a fixed name":                       {Resource{Name: "Table", Reason: "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename shop and update the stack again."}, conflict, afterFix, "Table must be replaced and has a fixed name", "another name"},
		"a quota":                            {Resource{Name: "Eip", Reason: "The maximum number of addresses has been reached (HandlerErrorCode: ServiceLimitExceeded)"}, quota, afterFix, "a limit of the account is reached", "Service Quotas"},
		"not healthy":                        {Resource{Name: "Service", Type: "AWS::ECS::Service", Reason: "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'. (HandlerErrorCode: GeneralServiceException)"}, healthCheck, afterFix, "Service did not become healthy", "events and logs"},
		"in use":                             {Resource{Name: "Bucket", Status: "DELETE_FAILED", Stack: "shop", Reason: "The bucket you tried to delete is not empty"}, conflict, afterFix, "Bucket is still in use", "then delete the stack shop"},
		"throttled":                          {Resource{Name: "Role", Reason: "Rate exceeded (HandlerErrorCode: Throttling)"}, throttled, now, "AWS asked CloudFormation for fewer calls", "try again"},
		"a fault":                            {Resource{Name: "Role", Reason: "Internal Failure (HandlerErrorCode: ServiceInternalError)"}, serviceFault, now, "a service of AWS had a fault at Role", "try again"},
		"a hook":                             {Resource{Name: "Bucket", Reason: "The following hook(s) failed: [Acme::Encryption::Hook]"}, validation, afterFix, "a hook of the account refuses Bucket", "organization"},
		"not there":                          {Resource{Name: "Rule", Reason: "The subnet ID 'subnet-1' does not exist"}, notFound, afterFix, "Rule needs something that is not there", "Region"},
		"a property":                         {Resource{Name: "Rule", Reason: "Encountered unsupported property Nmae"}, validation, afterFix, "the template asks for something that AWS refuses at Rule", "cfn-lint"},
		"other words":                        {Resource{Name: "Rule", Stack: "shop", Status: "ROLLBACK_COMPLETE", Reason: "Out of capacity"}, externalRollback, afterFix, "CloudFormation rolled the stack shop back", "REPLACE_ON_FAILURE"},
		"no words":                           {Resource{Stack: "shop", Status: "CREATE_FAILED"}, validation, afterFix, "the stack shop failed", "the first that failed"},
		"stuck":                              {Resource{Name: "Rule", Stack: "shop", Status: "UPDATE_ROLLBACK_FAILED", Reason: "Out of capacity"}, externalRollback, afterFix, "CloudFormation rolled the stack shop back", "aws cloudformation continue-update-rollback --stack-name shop"},
	} {
		c.r.Again = "rollcall retry webshop#42"
		f := Stack(c.r)
		all, err := json.Marshal(f)
		if err != nil || f.Class != c.class || f.Retry != c.retry || f.Title != c.title || !strings.Contains(string(all), c.says) {
			t.Errorf("%s: %v %s", name, err, all)
		}
		if got := strings.Contains(string(all), c.r.Again); got != (c.retry == afterFix) {
			t.Errorf("%s: the command that tries again is named: %v", name, got)
		}
	}
	for status, fix := range map[string]string{"ROLLBACK_COMPLETE": "REPLACE_ON_FAILURE", "UPDATE_FAILED": "rollback-stack", "UPDATE_ROLLBACK_FAILED": "--resources-to-skip", "DELETE_FAILED": "delete the stack shop"} {
		if f := StuckStack("shop", status); f == nil || !strings.Contains(strings.Join(f.Fix, "\n"), fix) {
			t.Errorf("%s: %+v", status, f)
		}
	}
	for _, status := range []string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", ""} {
		if f := StuckStack("shop", status); f != nil {
			t.Errorf("a stack in %q takes updates, and it says %+v", status, f)
		}
	}
}
