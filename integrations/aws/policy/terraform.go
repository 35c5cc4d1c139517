package policy

import (
	"slices"
	"strings"
)

// Terraform prints the set as HCL for the aws provider.
func (s Set) Terraform() []byte {
	p := &printer{}
	p.heading(s)
	if s.uses(externalID) {
		p.line(0, "\nvariable \"rollcall_external_id\" {\n  type      = string\n  sensitive = true\n}")
	}
	if s.uses(anyCaller) {
		p.line(0, "\nvariable \"rollcall_caller_arn\" {\n  type = string\n}")
	}
	for _, d := range s.Documents {
		p.terraformDocument(d)
	}
	for _, role := range s.roles() {
		p.terraformRole(s, role)
	}
	for _, d := range s.Documents {
		if d.isPolicy() {
			p.line(0, "\nresource \"aws_iam_policy\" %s {", hcl(identifier(d.Name, "_")))
			p.line(1, "name   = %s", hcl(d.Name))
			p.line(1, "policy = data.aws_iam_policy_document.%s.json", identifier(d.Name, "_"))
			p.line(0, "}")
		}
	}
	return p.b.Bytes()
}

func (p *printer) terraformDocument(d Document) {
	p.line(0, "")
	p.comment(0, d.Comment)
	p.line(0, "data \"aws_iam_policy_document\" %s {", hcl(identifier(d.Name, "_")))
	for i, s := range d.Statements {
		if i > 0 {
			p.line(0, "")
		}
		p.comment(1, s.Comment)
		p.line(1, "statement {")
		p.line(2, "sid    = %s", hcl(s.Sid))
		p.line(2, "effect = %s", hcl(s.effect()))
		p.list("actions", s.Actions)
		if len(s.Resources) > 0 {
			p.list("resources", s.Resources)
		}
		if len(s.Principals) > 0 {
			p.line(0, "")
			p.line(2, "principals {")
			p.line(3, "type        = \"AWS\"")
			p.line(3, "identifiers = %s", hclList(s.Principals, 3))
			p.line(2, "}")
		}
		for _, c := range s.Conditions {
			p.line(0, "")
			p.line(2, "condition {")
			p.line(3, "test     = %s", hcl(c.Operator))
			p.line(3, "variable = %s", hcl(c.Key))
			p.line(3, "values   = %s", hclList(c.Values, 3))
			p.line(2, "}")
		}
		p.line(1, "}")
	}
	p.line(0, "}")
}

func (p *printer) terraformRole(s Set, role string) {
	name, path := nameAndPath(role)
	id := identifier(name, "_")
	trusts := s.of(trust, role)
	if len(trusts) == 0 {
		return
	}
	p.line(0, "\nresource \"aws_iam_role\" %s {", hcl(id))
	p.line(1, "name               = %s", hcl(name))
	p.line(1, "path               = %s", hcl(path))
	p.line(1, "assume_role_policy = data.aws_iam_policy_document.%s.json", identifier(trusts[0].Name, "_"))
	p.line(0, "}")
	for _, d := range slices.Concat(s.of(read, role), s.of(act, role), s.of(optional, role)) {
		p.line(0, "\nresource \"aws_iam_role_policy\" %s {", hcl(identifier(d.Name, "_")))
		p.line(1, "name   = %s", hcl(d.Name))
		p.line(1, "role   = aws_iam_role.%s.id", id)
		p.line(1, "policy = data.aws_iam_policy_document.%s.json", identifier(d.Name, "_"))
		p.line(0, "}")
	}
}

// hcl quotes a text as HCL does, in which ${ and %{ begin templates.
func hcl(s string) string {
	switch s {
	case externalID:
		return "var.rollcall_external_id"
	case anyCaller:
		return "var.rollcall_caller_arn"
	}
	return strings.NewReplacer("${", "$${", "%{", "%%{", `\b`, `\u0008`, `\f`, `\u000c`).Replace(quoted(s))
}

func (p *printer) list(key string, values []string) {
	p.line(0, "")
	p.line(2, "%s = %s", key, hclList(values, 2))
}

func hclList(values []string, depth int) string {
	if len(values) == 1 {
		return "[" + hcl(values[0]) + "]"
	}
	indent := strings.Repeat("  ", depth)
	var b strings.Builder
	b.WriteString("[\n")
	for _, v := range values {
		b.WriteString(indent + "  " + hcl(v) + ",\n")
	}
	return b.String() + indent + "]"
}
