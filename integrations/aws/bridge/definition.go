package bridge

import (
	"cmp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/rollcall-bot/rollcall/workflows"
)

// definition is the pipeline as AWS has it, with what the row adds, and every
// default filled in. AWS has checked it: whatever it allows is taken.
func (w *watched) definition(got *codepipeline.GetPipelineOutput) *workflows.Pipeline {
	d := got.Pipeline
	p := &workflows.Pipeline{
		Name: w.row.Name, ExecutionMode: cmp.Or(string(d.ExecutionMode), workflows.ModeSuperseded), Channel: w.row.Channel, Owners: w.row.Owners, Ticket: w.row.Ticket,
		Bridge: &workflows.Bridge{Name: w.bridge.Name, Region: w.bridge.Region, Mode: w.bridge.Mode, Type: cmp.Or(string(d.PipelineType), string(types.PipelineTypeV1)), Outside: w.bridge.Outside},
	}
	if got.Metadata != nil {
		p.Bridge.ARN = aws.ToString(got.Metadata.PipelineArn)
		if parts := strings.SplitN(p.Bridge.ARN, ":", 6); len(parts) == 6 {
			p.Bridge.Region, p.Bridge.Account = parts[3], parts[4]
		}
	}
	if w.row.External != w.row.Name {
		p.Bridge.External = w.row.External
	}
	for _, v := range d.Variables {
		p.Variables = append(p.Variables, workflows.Variable{Name: aws.ToString(v.Name), DefaultValue: v.DefaultValue, Description: aws.ToString(v.Description)})
	}
	for i := range d.Stages {
		p.Stages = append(p.Stages, w.stage(&d.Stages[i]))
	}
	return p
}

func (w *watched) stage(d *types.StageDeclaration) workflows.Stage {
	s := workflows.Stage{Name: aws.ToString(d.Name), Environment: w.row.Environments[aws.ToString(d.Name)], Announce: "never",
		Rollback: workflows.RollbackPolicy{Lock: w.row.Lock, Eligible: "sameVersion", Approval: "require"}}
	if s.Environment != "" {
		s.Announce = "success"
	}
	if d.BeforeEntry != nil {
		s.BeforeEntry = condition(d.BeforeEntry.Conditions)
	}
	if d.OnSuccess != nil {
		s.OnSuccess = condition(d.OnSuccess.Conditions)
	}
	if f := d.OnFailure; f != nil {
		s.OnFailure = &workflows.OnFailure{Result: string(f.Result), Condition: condition(f.Conditions)}
		if f.RetryConfiguration != nil {
			s.OnFailure.RetryMode = string(f.RetryConfiguration.RetryMode)
		}
	}
	for i := range d.Actions {
		s.Actions = append(s.Actions, w.action(s.Name, &d.Actions[i]))
	}
	return s
}

func (w *watched) action(stage string, d *types.ActionDeclaration) workflows.Action {
	a := workflows.Action{Name: aws.ToString(d.Name), RunOrder: int(max(aws.ToInt32(d.RunOrder), 1)), Namespace: aws.ToString(d.Namespace), Configuration: d.Configuration,
		Commands: d.Commands, OutputVariables: d.OutputVariables, TimeoutMinutes: int(aws.ToInt32(d.TimeoutInMinutes)), Region: aws.ToString(d.Region), RoleArn: aws.ToString(d.RoleArn)}
	if t := d.ActionTypeId; t != nil {
		a.ActionType = workflows.ActionType{Category: string(t.Category), Owner: string(t.Owner), Provider: aws.ToString(t.Provider), Version: aws.ToString(t.Version)}
	}
	for _, in := range d.InputArtifacts {
		a.InputArtifacts = append(a.InputArtifacts, aws.ToString(in.Name))
	}
	for _, out := range d.OutputArtifacts {
		a.OutputArtifacts = append(a.OutputArtifacts, workflows.OutputArtifact{Name: aws.ToString(out.Name), Files: out.Files})
	}
	if a.IsApproval() {
		a.Approval = cmp.Or(w.row.Approvals[stage+"/"+a.Name], &workflows.ApprovalPolicy{Required: 1, Comment: "optional"})
	}
	return a
}

// condition is the first of them: AWS allows one.
func condition(all []types.Condition) *workflows.Condition {
	if len(all) == 0 {
		return nil
	}
	c := &workflows.Condition{Result: string(all[0].Result)}
	for _, d := range all[0].Rules {
		r := workflows.Rule{Name: aws.ToString(d.Name), Configuration: d.Configuration, Commands: d.Commands, TimeoutMinutes: int(aws.ToInt32(d.TimeoutInMinutes)), Region: aws.ToString(d.Region), RoleArn: aws.ToString(d.RoleArn)}
		if t := d.RuleTypeId; t != nil {
			r.RuleType = workflows.ActionType{Category: string(t.Category), Owner: string(t.Owner), Provider: aws.ToString(t.Provider), Version: aws.ToString(t.Version)}
		}
		for _, in := range d.InputArtifacts {
			r.InputArtifacts = append(r.InputArtifacts, aws.ToString(in.Name))
		}
		c.Rules = append(c.Rules, r)
	}
	return c
}

// hasConditions says whether a stage has any: else nothing need be asked about their rules.
func hasConditions(p *workflows.Pipeline) bool {
	for i := range p.Stages {
		if s := &p.Stages[i]; s.BeforeEntry != nil || s.OnSuccess != nil || s.OnFailure != nil && s.OnFailure.Condition != nil {
			return true
		}
	}
	return false
}
