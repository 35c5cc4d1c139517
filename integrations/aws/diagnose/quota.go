package diagnose

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Quota is a quota of an account. Service and Code, or Words, say which one; the rest
// is what Service Quotas says of it.
type Quota struct {
	Service string // as Service Quotas names it: lambda
	Code    string // L-2ACBD22F; empty: Words are in its name
	Words   string // empty, as Code: nobody knows which of the service's it is
	Name    string // empty: it was not looked up
	Value   float64
	Unit    string // None, Gigabytes
	Fixed   bool   // AWS raises it for nobody
}

// IsKnown says whether it can be looked up.
func (q Quota) IsKnown() bool { return q.Code != "" || q.Words != "" }

// Fits says whether it is the quota of that code and name.
func (q Quota) Fits(code, name string) bool {
	if q.Code != "" {
		return q.Code == code
	}
	_, _, ok := cutFold(name, q.Words)
	return ok && q.Words != ""
}

// QuotaOf says which quota was reached, by what AWS said and by the provider of the
// action. False: the finding is about none.
func QuotaOf(f *workflows.Finding, provider string, said ...string) (Quota, bool) {
	if f == nil || f.Class != quota {
		return Quota{}, false
	}
	for _, e := range f.Evidence {
		said = append(said, e.Text)
	}
	for _, row := range quotas() {
		for part := range strings.SplitSeq(row.texts, "|") {
			for _, text := range said {
				if _, _, ok := cutFold(bounded(text), part); ok {
					return Quota{Service: row.service, Code: row.code, Words: row.words}, true
				}
			}
		}
	}
	if service := quotaServices()[provider]; service != "" {
		return Quota{Service: service}, true
	}
	return Quota{}, false
}

// quotas are texts by which a quota is known, and its code, or words of its name.
func quotas() []struct{ texts, service, code, words string } {
	return []struct{ texts, service, code, words string }{
		{"CodeStorageExceeded|Code storage limit exceeded", "lambda", "L-2ACBD22F", ""},
		{"ENILimit", "lambda", "L-9FEE3D26", ""},
		{"number of vCPUs you can run concurrently", "fargate", "L-3032A538", ""},
		{"maximum number of addresses|AddressLimitExceeded", "ec2", "L-0263D0A3", ""},
		{"maximum number of VPCs|VpcLimitExceeded", "vpc", "L-F678F1CE", ""},
		{"VcpuLimitExceeded|more vCPU capacity than your current vCPU limit", "ec2", "L-1216C47A", ""},
		{"TooManyBuckets|more buckets than allowed", "s3", "L-DC2B2D3D", ""},
		{"quota for RolesPerAccount", "iam", "L-FE177D64", ""},
		{"quota for PoliciesPerRole", "iam", "L-0DA4ABF3", ""},
		{"Limit for stack has been exceeded|number of stacks", "cloudformation", "L-0485CB21", ""},
		{"builds in queue for the account|active builds for the account", "codebuild", "", "Concurrently running builds"},
		{"ExecutionLimitExceeded", "states", "", "Open executions"},
		{"TopicLimitExceeded", "sns", "", "Topics per account"},
	}
}

// quotaServices are the services behind the providers of actions, as Service Quotas
// names them.
func quotaServices() map[string]string {
	return map[string]string{"CodeBuild": "codebuild", "Commands": "codebuild", "ECRBuildAndPublish": "codebuild", "ECS": "ecs", "CodeDeploy": "codedeploy", "CodeDeployToECS": "codedeploy",
		"CloudFormation": "cloudformation", "Lambda": "lambda", "LambdaInvoke": "lambda", "StepFunctions": "states", "SNS": "sns", "EventBridge": "events", "S3": "s3", "ECR": "ecr", "CodeCommit": "codecommit"}
}

// WithQuota adds what Service Quotas says of the quota that was reached, and where it
// can be raised.
func WithQuota(f workflows.Finding, q Quota, page string) workflows.Finding {
	title := "Service Quotas"
	raise := "ask AWS for more at " + page + ": small increases are granted within minutes, others take days"
	if q.Name != "" {
		title = "the quota " + q.Name
		f.Cause = text("the quota “" + q.Name + "” is " + q.amount())
		if q.Fixed {
			raise = "AWS raises this quota for nobody: use less, or another account"
		}
	}
	steps := []string{text(raise)}
	for _, step := range f.Fix {
		if !strings.Contains(step, "under Service Quotas") {
			steps = append(steps, step)
		}
	}
	f.Fix = steps
	f.Links = append(f.Links, struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	}{text(title), page})
	return f
}

// amount is the quota's value with its unit.
func (q Quota) amount() string {
	n := strconv.FormatFloat(q.Value, 'f', -1, 64)
	if unit := cmp.Or(q.Unit, "None"); unit != "None" {
		return n + " " + unit
	}
	return n
}

// WithPermission adds which permission would have said more. The action does not need it.
func WithPermission(f workflows.Finding, action, what string) workflows.Finding {
	f.Fix = append(f.Fix[:len(f.Fix):len(f.Fix)], "optional: with "+action+" allowed to the action's role, the next finding says "+what)
	return f
}
