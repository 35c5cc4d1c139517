package policy

import (
	"encoding/json"
	"slices"
)

// CloudFormation prints the set as a template in YAML.
func (s Set) CloudFormation() []byte {
	p := &printer{}
	p.heading(s)
	p.line(0, "AWSTemplateFormatVersion: \"2010-09-09\"")
	if s.uses(externalID) || s.uses(anyCaller) {
		p.line(0, "Parameters:")
	}
	if s.uses(externalID) {
		p.line(1, "RollcallExternalId:\n    Type: String\n    NoEcho: true")
	}
	if s.uses(anyCaller) {
		p.line(1, "RollcallCallerArn:\n    Type: String")
	}
	p.line(0, "Resources:")
	if len(s.Documents) == 0 { // a template must have one
		p.line(1, "Nothing:\n    Type: AWS::CloudFormation::WaitConditionHandle")
	}
	for _, role := range s.roles() {
		p.formationRole(s, role)
	}
	for _, d := range s.Documents {
		switch {
		case d.Kind == bucket || d.Kind == key: // they have one already, and a template can only replace it
			p.comment(1, d.Comment)
			text, _ := json.Marshal(d) // strings only
			p.line(1, "# %s", text)
		case d.Role == "":
			p.comment(1, d.Comment)
			p.line(1, "%s:", identifier(d.Name, ""))
			p.line(2, "Type: AWS::IAM::ManagedPolicy")
			p.line(2, "Properties:")
			p.line(3, "ManagedPolicyName: %s", quoted(d.Name))
			p.line(3, "PolicyDocument:")
			p.formationDocument(4, d)
		}
	}
	return p.b.Bytes()
}

func (p *printer) formationRole(s Set, role string) {
	trusts := s.of(trust, role)
	if len(trusts) == 0 {
		return
	}
	name, path := nameAndPath(role)
	p.comment(1, trusts[0].Comment)
	p.line(1, "%s:", identifier(name, ""))
	p.line(2, "Type: AWS::IAM::Role")
	p.line(2, "Properties:")
	p.line(3, "RoleName: %s", quoted(name))
	p.line(3, "Path: %s", quoted(path))
	p.line(3, "AssumeRolePolicyDocument:")
	p.formationDocument(4, trusts[0])
	p.line(3, "Policies:")
	for _, d := range slices.Concat(s.of(read, role), s.of(act, role), s.of(optional, role)) {
		p.comment(4, d.Comment)
		p.line(4, "- PolicyName: %s", quoted(d.Name))
		p.line(4, "  PolicyDocument:")
		p.formationDocument(6, d)
	}
}

func (p *printer) formationDocument(depth int, d Document) {
	p.line(depth, "Version: %s", quoted(version))
	p.line(depth, "Statement:")
	for _, s := range d.Statements {
		p.comment(depth+1, s.Comment)
		p.line(depth+1, "- Sid: %s", quoted(s.Sid))
		p.line(depth+2, "Effect: %s", s.effect())
		if len(s.Principals) > 0 {
			p.line(depth+2, "Principal:")
			p.formationList(depth+3, "AWS", s.Principals)
		}
		p.formationList(depth+2, "Action", s.Actions)
		if len(s.Resources) > 0 {
			p.formationList(depth+2, "Resource", s.Resources)
		}
		if len(s.Conditions) > 0 {
			p.line(depth+2, "Condition:")
		}
		for _, c := range s.Conditions {
			p.line(depth+3, "%s:", c.Operator)
			p.formationList(depth+4, c.Key, c.Values)
		}
	}
}

func (p *printer) formationList(depth int, key string, values []string) {
	p.line(depth, "%s:", quoted(key))
	for _, v := range values {
		p.line(depth+1, "- %s", formation(v))
	}
}

// formation is a value, or the parameter that stands for it.
func formation(s string) string {
	switch s {
	case externalID:
		return "!Ref RollcallExternalId"
	case anyCaller:
		return "!Ref RollcallCallerArn"
	}
	return quoted(s)
}
