// Package spec reads, checks and prints pipeline files.
//
// A file is YAML or JSON and holds one pipeline: CodePipeline's declaration,
// with or without its {"pipeline": …} wrapper, or our shorter form of it, with
// keys of our own beside it (docs/pipelines.md). Reading goes in
// steps, each in its own file: parse (text to a tree with places), shorthand
// (short forms to long ones), read (tree to Pipeline), check (the rules), and
// complete (defaults). All steps report to one list, so that a person sees
// every fault at once, each with its place and what to do about it.
package spec

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Parse reads a pipeline file, YAML or JSON, and reports all of its faults at
// once, in the order of the file. The pipeline has every default filled in; it
// is nil when a fault is not a warning. The file's name is for the faults only.
func Parse(file string, data []byte) (*workflows.Pipeline, []Diagnostic) {
	return ParseWith(file, data, nil)
}

// ParseWith is Parse for a file that may extend templates: open reads one of
// them, by its path as seen from where file is seen from. Only paths inside the
// file's own folder are asked for; what symbolic links lead to is open's affair.
// A template is no pipeline and is refused: see [IsTemplate].
func ParseWith(file string, data []byte, open func(path string) ([]byte, error)) (*workflows.Pipeline, []Diagnostic) {
	d := &diagnostics{file: file}
	r := reader{d, shapes{}}
	root := tree("", data, d)
	if root == nil {
		return nil, d.sorted()
	}
	if cloudFormation(root, d) {
		return nil, d.sorted()
	}
	root, home := unwrap(root, r)
	if root = (templates{r, open}).assemble(root); root == nil {
		return nil, d.sorted()
	}
	root.withoutNulls()
	lengthen(root)
	p := r.pipeline(root)
	if root.kind == mapping {
		check(p, root, home, d)
	}
	if d.failed() {
		return nil, d.sorted()
	}
	complete(p)
	return p, d.sorted()
}

// unwrap opens the {"pipeline": …, "metadata": …} that AWS puts around a
// declaration. Metadata says when and where it was read; of use is the Region.
func unwrap(root *node, r reader) (declaration *node, region string) {
	inner := root.get("pipeline")
	if inner == nil {
		return root, ""
	}
	o := r.object(root, "file")
	if arn := o.get("metadata").get("pipelineArn"); arn != nil {
		if parts := strings.Split(arn.text, ":"); len(parts) > 4 {
			region = parts[3]
		}
	}
	return inner, region
}

// cloudFormation reports a template of CloudFormation, or a pipeline in its
// spelling: everything else in it would be a fault that says nothing.
func cloudFormation(root *node, d *diagnostics) bool {
	hint := "rollcall import FILE makes a pipeline file of it"
	for _, e := range root.entries {
		switch e.key {
		case "AWSTemplateFormatVersion", "Resources", "Transform":
			d.add(e.pos, "the file is a CloudFormation template, not a pipeline", hint)
			return true
		case "Stages", "Name", "RoleArn", "Properties":
			if root.get("stages") == nil && root.get("name") == nil {
				d.add(e.pos, words.Quoted(e.key)+" is CloudFormation's spelling: the keys of a pipeline file begin with small letters", hint)
				return true
			}
		}
	}
	return false
}

// complete fills in the defaults that follow from other parts of the definition.
func complete(p *workflows.Pipeline) {
	for i := range p.Stages {
		for j := range p.Stages[i].Actions {
			a := &p.Stages[i].Actions[j]
			if a.ActionType.Provider == "GitHub" {
				delete(a.Configuration, "OAuthToken") // a secret has no place in a definition, which everybody may read
			}
			if a.TimeoutMinutes == 0 {
				a.TimeoutMinutes = timeLimit(a)
			}
			if a.IsApproval() && a.Approval == nil {
				a.Approval = &workflows.ApprovalPolicy{Required: 1, Comment: "optional"}
			}
			if a.Approval != nil && a.Approval.Ask == nil {
				a.Approval.Ask = slices.Clone(a.Approval.From)
			}
		}
	}
}

// timeLimit is how long the action may take, in minutes, when the file does not
// say: the provider's own limit, or 0 where only the provider knows.
func timeLimit(a *workflows.Action) int {
	unset := *a
	unset.TimeoutMinutes = 0
	switch {
	case !Runs(a.ActionType):
		return 0
	case a.ActionType.Provider == "Wait":
		return 60 + int(waitSeconds(a)/60)
	}
	return int(unset.TimeLimit().Minutes())
}
