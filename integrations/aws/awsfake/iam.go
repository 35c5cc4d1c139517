package awsfake

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// policy is an identity policy: what a user or a role may.
type policy struct {
	Version, ID string
	Statement   statements
}

type statement struct {
	Sid, Effect      string
	Principal        struct{ AWS texts } // of a policy of a resource or of trust
	Action, Resource texts
	Condition        map[string]map[string]texts // by operator, then by key
}

// statements and texts are one or several in JSON.
type (
	statements []statement
	texts      []string
)

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(t))
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *statements) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '{' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	return dec.Decode((*[]statement)(t))
}

// Policies says what a user or role may, by ARN, in place of what was said before. One without policies may everything.
// Only Effect, Action, Resource and conditions that texts are equal are understood: another element is an error, so that
// nothing is believed to be checked.
func (s *Server) Policies(arn string, documents ...string) error {
	all, err := parsed(arn, documents)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.policies, arn)
	if len(documents) > 0 {
		s.policies[arn] = all
	}
	return nil
}

func parsed(arn string, documents []string) (all []policy, err error) {
	for _, d := range documents {
		var p policy
		if err := json.Unmarshal([]byte(d), &p); err != nil {
			return nil, fmt.Errorf("the policy of %s: %w", arn, err)
		}
		for _, st := range p.Statement {
			for operator := range st.Condition {
				if operator != "StringEquals" && operator != "ForAnyValue:StringEquals" {
					return nil, fmt.Errorf("the policy of %s: conditions %s are not understood", arn, operator)
				}
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// authorize refuses what the caller's policies do not allow.
func (s *Server) authorize(q *request) *api.Error {
	if q.call.Operation == "GetCallerIdentity" {
		return nil
	}
	status, code := http.StatusBadRequest, "AccessDeniedException"
	if q.Service == "s3" || q.wire != nil && q.wire.Query() {
		status, code = http.StatusForbidden, "AccessDenied"
	}
	for _, right := range s.rights(q) {
		if why := s.denied(q.who, right); why != "" {
			return refuse(status, code, fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", q.who.arn, right.Action, right.Resource, why))
		}
	}
	return nil
}

// denied says why somebody does not have a right; empty: they do. In their own account
// their own policies are enough, elsewhere the resource's must allow it too.
func (s *Server) denied(who *principal, right api.Right) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if policies, limited := s.policies[who.identity()]; limited {
		if why := denied(policies, right); why != "" {
			return why
		}
	}
	arn := right.Resource
	if rest, isS3 := strings.CutPrefix(arn, "arn:aws:s3:::"); isS3 {
		bucket, _, _ := strings.Cut(rest, "/")
		arn = "arn:aws:s3:::" + bucket
	}
	if r, has := s.resources[arn]; has && r.owner != who.account && !r.allows(who, right) {
		return "because no resource-based policy allows the " + right.Action + " action"
	}
	return ""
}

// denied says why a right is not there; empty: it is.
func denied(policies []policy, right api.Right) string {
	action, resource := right.Action, right.Resource
	allowed := false
	for _, p := range policies {
		for _, st := range p.Statement {
			if !slices.ContainsFunc(st.Action, func(a string) bool { return glob(strings.ToLower(a), strings.ToLower(action)) }) ||
				!slices.ContainsFunc(st.Resource, func(r string) bool { return glob(r, resource) }) || !st.applies(right) {
				continue
			}
			if st.Effect == "Deny" {
				return "with an explicit deny in an identity-based policy"
			}
			allowed = allowed || st.Effect == "Allow"
		}
	}
	if allowed {
		return ""
	}
	return "because no identity-based policy allows the " + action + " action"
}

// applies says whether a statement's conditions hold. A key that the call does not have is equal to nothing.
func (st statement) applies(right api.Right) bool {
	for _, keys := range st.Condition {
		for key, values := range keys {
			if value, has := right.Context[key]; !has || !slices.Contains(values, value) {
				return false
			}
		}
	}
	return true
}

// glob matches * and ?.
func glob(pattern, text string) bool {
	for pattern != "" {
		if pattern[0] == '*' {
			for i := 0; i <= len(text); i++ {
				if glob(pattern[1:], text[i:]) {
					return true
				}
			}
			return false
		}
		if text == "" || pattern[0] != '?' && pattern[0] != text[0] {
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// rights are what a call needs.
func (s *Server) rights(q *request) (all []api.Right) {
	if a, ok := s.opened(q.Service, q.at()).(api.Authorizer); ok {
		return a.Rights(q.Request)
	}
	for _, r := range resources(q) {
		all = append(all, api.Right{Action: q.call.Name(), Resource: r})
	}
	if q.call.Name() == "sts:AssumeRole" && q.Input.Text("SourceIdentity") != "" {
		all = append(all, api.Right{Action: "sts:SetSourceIdentity", Resource: q.Input.Text("RoleArn")})
	}
	return all
}

// resources are what a call acts on, at the level that IAM wants.
func resources(q *request) []string {
	arn := func(parts ...string) string {
		return "arn:aws:" + q.call.Service + ":" + q.call.Region + ":" + q.call.Account + ":" + strings.Join(parts, "/")
	}
	name := q.Input.Text("pipelineName")
	switch q.call.Name() {
	case "iam:SimulatePrincipalPolicy":
		return []string{q.Input.Text("PolicySourceArn")}
	case "iam:GetRole":
		return []string{roleARN(q)}
	case "sts:AssumeRole":
		return []string{q.Input.Text("RoleArn")}
	case "codepipeline:ListPipelines":
		return []string{"*"}
	case "codepipeline:RollbackStage", "codepipeline:OverrideStageCondition", "codepipeline:RetryStageExecution", "codepipeline:EnableStageTransition", "codepipeline:DisableStageTransition":
		return []string{arn(name, q.Input.Text("stageName"))}
	case "codepipeline:PutApprovalResult":
		return []string{arn(name, q.Input.Text("stageName"), q.Input.Text("actionName"))}
	case "codepipeline:CreatePipeline", "codepipeline:UpdatePipeline":
		return []string{arn(q.Input.In("pipeline").Text("name"))}
	}
	switch q.call.Service {
	case "codepipeline":
		return []string{arn(q.Input.Text("name") + name)}
	case "logs":
		return []string{arn("log-group:" + q.Input.Text("logGroupName") + ":log-stream:" + q.Input.Text("logStreamName"))}
	}
	if q.call.Service != "sqs" {
		return []string{"*"}
	}
	url := q.Input.Text("QueueUrl")
	return []string{arn(url[strings.LastIndex(url, "/")+1:] + q.Input.Text("QueueName"))}
}

// fingerprint is the unique part of an ID of IAM: 17 letters and digits.
func fingerprint(arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return base32.StdEncoding.EncodeToString(sum[:])[:17]
}
