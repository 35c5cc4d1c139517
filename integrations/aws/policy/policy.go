// Package policy makes the IAM policies that rollcall needs and prints them as
// JSON, Terraform and CloudFormation. What a failed call lacked is told with the
// same statements. Pure: it asks nobody.
package policy

import (
	"encoding/json"
	"strings"
)

// Statement is one statement of a policy.
type Statement struct {
	Sid        string
	Comment    string // what it is for, in one sentence without a full stop; printed where the format has comments
	Deny       bool
	Actions    []string
	Resources  []string // empty in a trust policy
	Principals []string // ARNs; of trust, bucket and key policies only
	Conditions []Condition
}

// Condition is one condition of a statement.
type Condition struct {
	Operator, Key string
	Values        []string
}

// MarshalJSON writes the statement as IAM reads it.
func (s Statement) MarshalJSON() ([]byte, error) {
	out := struct {
		Sid       string                    `json:",omitempty"`
		Effect    string                    `json:""`
		Principal map[string]any            `json:",omitempty"`
		Action    []string                  `json:""`
		Resource  any                       `json:",omitempty"`
		Condition map[string]map[string]any `json:",omitempty"`
	}{Sid: s.Sid, Effect: s.effect(), Action: s.Actions}
	if len(s.Principals) > 0 {
		out.Principal = map[string]any{"AWS": oneOrMany(s.Principals)}
	}
	if len(s.Resources) > 0 {
		out.Resource = oneOrMany(s.Resources)
	}
	for _, c := range s.Conditions {
		if out.Condition == nil {
			out.Condition = map[string]map[string]any{}
		}
		if out.Condition[c.Operator] == nil {
			out.Condition[c.Operator] = map[string]any{}
		}
		out.Condition[c.Operator][c.Key] = oneOrMany(c.Values)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(out)
	return []byte(b.String()), err
}

func (s Statement) effect() string {
	if s.Deny {
		return "Deny"
	}
	return "Allow"
}

func oneOrMany(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

// What policies are for.
const (
	base  = "base"  // of the credentials that rollcall starts with
	read  = "read"  // of the bridge's role: looking
	act   = "act"   // of the bridge's role: what people ask for
	trust = "trust" // who may assume the bridge's role
	deny  = "deny"  // of everybody else: only rollcall approves

	optional = "optional" // of the role that makes the calls: what it also works without

	service = "service" // of a role that a service of AWS's acts as
	bucket  = "bucket"  // statements for the policy of a bucket
	key     = "key"     // statements for the policy of a key
)

// Document is one policy.
type Document struct {
	Kind       string // base, read, act, trust, deny, optional, service, bucket or key
	Name       string // letters, digits and hyphens; unique in a set
	Role       string // ARN of the role that has it; empty: it is attached by hand
	Comment    string // sentences: who gets it, and what it is for
	Statements []Statement
}

// MarshalJSON writes the policy as IAM reads it: without name and comment.
func (d Document) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Version   string
		Statement []Statement
	}{version, d.Statements})
}

const version = "2012-10-17"

// isPolicy says whether the document is a policy of its own in IAM.
func (d Document) isPolicy() bool { return d.Role == "" && d.Kind != bucket && d.Kind != key }

// Set are policies that belong together, with what the reader must know.
type Set struct {
	Comment   string // what was asked for
	Documents []Document
	Warnings  []string // sentences: what to put in or to look at
}

// Placeholders stand for what the configuration does not tell; Terraform and
// CloudFormation get a variable for each.
const (
	externalID = "EXTERNAL_ID"
	anyCaller  = "arn:aws:iam::ACCOUNT_ID:role/ROLLCALL" // whose credentials rollcall starts with
)
