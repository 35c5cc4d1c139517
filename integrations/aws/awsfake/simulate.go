package awsfake

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// iam carries out what there is of IAM.
func (s *Server) iam(q *request) (any, *api.Error) {
	if q.Operation == "GetRole" {
		return s.getRole(q)
	}
	return s.simulate(q)
}

// getRole tells of a role whose name it is, and who may assume it.
func (s *Server) getRole(q *request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, known := s.roles[roleARN(q)]
	if !known {
		return nil, refuse(http.StatusNotFound, "NoSuchEntity", "The role with name "+q.Input.Text("RoleName")+" cannot be found.")
	}
	trust, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": role.Services}}}})
	if err != nil {
		panic(err) // it is made of texts
	}
	return map[string]any{"Role": map[string]any{"Path": "/", "RoleName": q.Input.Text("RoleName"), "RoleId": "AROAFAKEFAKEFAKEFAKE", "Arn": role.ARN, "CreateDate": s.options.Now(), "AssumeRolePolicyDocument": url.QueryEscape(string(trust))}}, nil
}

func roleARN(q *request) string {
	return "arn:aws:iam::" + q.call.Account + ":role/" + q.Input.Text("RoleName")
}

// simulate says what the policies of a user or role allow: of all resources the
// strictest answer, as IAM does.
func (s *Server) simulate(q *request) (any, *api.Error) {
	arn := q.Input.Text("PolicySourceArn")
	s.mu.Lock()
	policies, limited := s.policies[arn]
	s.mu.Unlock()
	resources := q.Input.Texts("ResourceArns")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	said := map[string]string{} // of the call, by key
	for _, one := range q.Input.List("ContextEntries") {
		for _, value := range one.Texts("ContextKeyValues") {
			said[one.Text("ContextKeyName")] = value
		}
	}
	results := []map[string]any{}
	for _, action := range q.Input.Texts("ActionNames") {
		whole, each := "allowed", []map[string]any{}
		for _, r := range resources {
			decision := "allowed"
			if why := denied(policies, api.Right{Action: action, Resource: r, Context: said}); limited && strings.HasPrefix(why, "with an explicit deny") {
				decision = "explicitDeny"
			} else if limited && why != "" {
				decision = "implicitDeny"
			}
			if decision == "explicitDeny" || decision == "implicitDeny" && whole == "allowed" {
				whole = decision
			}
			each = append(each, map[string]any{"EvalResourceName": r, "EvalResourceDecision": decision})
		}
		results = append(results, map[string]any{"EvalActionName": action, "EvalResourceName": resources[0], "EvalDecision": whole, "ResourceSpecificResults": each})
	}
	return map[string]any{"IsTruncated": false, "EvaluationResults": results}, nil
}
