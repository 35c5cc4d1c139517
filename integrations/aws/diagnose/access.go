package diagnose

import (
	"cmp"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Denial is what AWS says of an access that it denied.
type Denial struct {
	Who      string // ARN of the principal, or a service's name
	Action   string // codepipeline:RollbackStage
	Resource string // ARN; empty: not said
	// Because is the kind of policy that allows it not, or forbids it: identity-based
	// policy, resource-based policy, session policy, permissions boundary, service
	// control policy, resource control policy, VPC endpoint policy; empty: not said.
	Because  string
	Explicit bool   // a policy forbids it; otherwise none allows it
	Policy   string // ARN of that policy, where AWS names it
}

// Denied reads the sentence of AWS's services: "User: ARN is not authorized to
// perform: ACTION on resource: ARN because no identity-based policy allows …".
func Denied(message string) (Denial, bool) {
	before, rest, ok := cutFold(clean.Line(bounded(message)), "not authorized to perform")
	if !ok {
		return Denial{}, false
	}
	rest = strings.TrimLeft(rest, ": ")
	d := Denial{Who: who(before), Action: strings.Trim(first(rest), `".,;`)}
	service, name, ok := strings.Cut(d.Action, ":")
	if !ok || service == "" || name == "" || strings.ContainsFunc(d.Action, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == ':')
	}) {
		return Denial{}, false
	}
	d.Action = policy.Spelling(d.Action)
	if _, after, ok := cutFold(rest, "on resource: "); ok {
		d.Resource = strings.Trim(first(after), `".,;`)
	}
	if len(d.Resource) > longestARN {
		d.Resource = ""
	}
	d.because(rest)
	return d, true
}

// longestARN is how long AWS's ARNs are at most.
const longestARN = 2048

// who is the principal, which stands last before "is not authorized".
func who(before string) string {
	before = strings.TrimSuffix(strings.TrimSpace(before), " is")
	if _, after, ok := cutFold(before, "User: "); ok {
		return first(after)
	}
	return strings.Trim(before[strings.LastIndexByte(before, ' ')+1:], `":`)
}

// because reads which kind of policy decided.
func (d *Denial) because(rest string) {
	said := ""
	if _, after, ok := cutFold(rest, "explicit deny in a"); ok {
		said, d.Explicit = strings.TrimPrefix(after, "n"), true
	} else if _, after, ok := cutFold(rest, "explicit deny"); ok {
		said, d.Explicit = after, true
	} else if _, after, ok := cutFold(rest, "because no "); ok {
		said, _, _ = cutFold(after, " allows")
	}
	for _, kind := range []string{"identity-based policy", "resource-based policy", "session policy", "permissions boundary", "service control policy", "resource control policy", "VPC endpoint policy"} {
		if _, after, ok := cutFold(said, kind); ok {
			d.Because = kind
			if arn := strings.Trim(first(strings.TrimLeft(after, ": ")), `".,;`); strings.HasPrefix(arn, "arn:") {
				d.Policy = arn
			}
			return
		}
	}
}

// first is the first word.
func first(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// cutFold is strings.Cut without regard to upper and lower case of ASCII.
func cutFold(s, sep string) (before, after string, found bool) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

func trusts(action string) bool {
	return action == "sts:AssumeRole" || action == "sts:SetSourceIdentity" || action == "sts:TagSession"
}

// access explains that somebody may not do something.
func access(f Failure, d Denial) workflows.Finding {
	d.Who = cmp.Or(d.Who, f.Caller)
	if d.Action == "" {
		d.Action = policy.Spelling(permission(f.Service, f.Operation))
		if f.Service == "" || f.Operation == "" {
			d.Action = ""
		}
	}
	if d.Resource == "" || d.Resource == "*" || strings.HasPrefix(f.Resource, d.Resource+"/") {
		d.Resource = cmp.Or(f.Resource, d.Resource)
	}
	found := workflows.Finding{Class: accessDenied, Retry: afterFix, Title: "AWS does not allow " + cmp.Or(d.Action, f.call())}
	holder := cmp.Or(policy.RoleOf(d.Who), "the role of the call")
	if d.Action == "" {
		found.Fix = []string{"look up in CloudTrail what was denied, and allow it to " + holder}
		return found
	}
	missing := policy.Missing(d.Action, d.Resource)
	found.Cause = holder + " lacks " + d.Action + " on " + strings.Join(missing.Resources, ", ")
	if d.Explicit {
		found.Cause = cmp.Or(d.Policy, "a "+cmp.Or(d.Because, "policy")) + " forbids " + d.Action + " on " + strings.Join(missing.Resources, ", ") + " to " + holder
		found.Fix = []string{"take " + holder + " out of the deny in the " + cmp.Or(d.Because, "policy") + "; allowing it elsewhere does not help"}
		return found
	}
	found.Fix = []string{place(d.Because, holder, d.Resource)}
	if d.Because == "resource-based policy" && strings.HasPrefix(holder, "arn:") {
		missing.Principals = []string{holder}
	}
	found.Statement = statement(missing)
	return found
}

// place says where the missing statement belongs.
func place(because, holder, resource string) string {
	switch because {
	case "resource-based policy":
		return "add the statement to the policy of " + cmp.Or(resource, "the resource")
	case "session policy":
		return "the session was given a narrower policy than the role has: add the statement where the role is assumed"
	case "permissions boundary":
		return "add the statement to the permissions boundary of " + holder
	case "service control policy", "resource control policy":
		return "ask who manages the AWS organization to allow it: a " + because + " must contain the statement"
	case "VPC endpoint policy":
		return "add the statement to the policy of the VPC endpoint"
	}
	return "add the statement to the policy of " + holder + "; rollcall iam-policy prints all that it needs"
}

// untrusted explains that a role cannot be assumed.
func untrusted(f Failure, d Denial) workflows.Finding {
	d.Who, d.Resource = policy.RoleOf(cmp.Or(d.Who, f.Caller)), cmp.Or(d.Resource, f.Resource)
	d.Action = cmp.Or(d.Action, "sts:AssumeRole")
	role := cmp.Or(d.Resource, "the role")
	found := workflows.Finding{Class: trust, Retry: afterFix, Title: "the role cannot be assumed"}
	found.Cause = cmp.Or(d.Who, "the caller") + " may not " + strings.TrimPrefix(d.Action, "sts:") + " " + role
	switch {
	case d.Explicit:
		found.Fix = []string{"remove the deny in the " + cmp.Or(d.Because, "policy")}
		return found
	case d.Because == "identity-based policy":
		found.Fix = []string{"add the statement to the policy of " + cmp.Or(d.Who, "the caller")}
		found.Statement = statement(policy.Missing(d.Action, d.Resource))
		return found
	}
	found.Fix = []string{"add the statement to the trust policy of " + role, "allow " + d.Action + " on " + role + " to " + cmp.Or(d.Who, "the caller"),
		"when the trust policy asks for an external ID: aws.roles must have the same one"}
	if d.Action == "sts:SetSourceIdentity" {
		found.Fix[2] = "or switch sourceIdentity off for that role in aws.roles"
	}
	if strings.HasPrefix(d.Who, "arn:") {
		found.Statement = statement(policy.Statement{Actions: []string{d.Action}, Principals: []string{d.Who}})
	}
	return found
}

// permission is what a policy must allow for a call, which mostly has its name.
func permission(service, operation string) string {
	name := prefix(service) + ":" + operation
	switch name {
	case "s3:HeadBucket", "s3:ListObjectsV2":
		return "s3:ListBucket"
	case "s3:HeadObject":
		return "s3:GetObject"
	case "s3:CopyObject":
		return "s3:PutObject"
	case "s3:ListObjectVersions":
		return "s3:ListBucketVersions"
	case "s3:DeleteObjects":
		return "s3:DeleteObject"
	case "lambda:Invoke":
		return "lambda:InvokeFunction"
	}
	return name
}

// prefix is how policies name a service of the SDK.
func prefix(service string) string {
	switch service {
	case "CloudWatch Logs":
		return "logs"
	case "CloudWatch":
		return "cloudwatch"
	case "EventBridge":
		return "events"
	case "SFN":
		return "states"
	case "Elastic Load Balancing v2":
		return "elasticloadbalancing"
	}
	return strings.ToLower(strings.ReplaceAll(service, " ", ""))
}
