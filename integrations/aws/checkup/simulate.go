package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	answering  = "codepipeline:PutApprovalResult"
	simulating = "iam:SimulatePrincipalPolicy"
)

// wanted are actions with the resources that they are granted on.
type wanted struct{ actions, resources []string }

// acts are what mode act asks AWS to do, with the ARNs of every pipeline, stage and approval.
func (l *looking) acts() []wanted {
	var pipelines, stages, approvals []string
	for _, d := range l.pipelines {
		name := aws.ToString(d.Name)
		pipelines = append(pipelines, arn(l.who, l.b, name))
		for _, s := range d.Stages {
			stage := name + "/" + aws.ToString(s.Name)
			stages = append(stages, arn(l.who, l.b, stage))
			for _, a := range s.Actions {
				if a.ActionTypeId != nil && a.ActionTypeId.Category == types.ActionCategoryApproval {
					approvals = append(approvals, arn(l.who, l.b, stage+"/"+aws.ToString(a.Name)))
				}
			}
		}
	}
	return []wanted{
		{[]string{"codepipeline:StartPipelineExecution", "codepipeline:StopPipelineExecution"}, pipelines},
		{[]string{"codepipeline:RollbackStage", "codepipeline:RetryStageExecution", "codepipeline:OverrideStageCondition", "codepipeline:EnableStageTransition", "codepipeline:DisableStageTransition"}, stages},
		{[]string{answering}, approvals},
	}
}

// acting asks IAM whether the role may do what people ask for: trying it would do it.
func (l *looking) acting(ctx context.Context) {
	if len(l.pipelines) == 0 {
		l.add(selftest.Result{About: l.about, Status: selftest.Skipped, Message: "whether the role may act was not looked at", Fix: []string{"make the pipelines readable first"}})
		return
	}
	missing := 0
	for _, w := range l.acts() {
		if len(w.resources) == 0 {
			continue
		}
		results, err := l.simulate(ctx, policy.RoleOf(l.who), w)
		if err != nil {
			l.listPermissions(err)
			return
		}
		for _, r := range results {
			if r.allowed {
				continue
			}
			missing++
			found := lacks(l.who, r.action, r.resource)
			if r.explicit {
				found.Statement, found.Fix = nil, []string{"a policy forbids it: take " + policy.RoleOf(l.who) + " out of that deny"}
			}
			l.add(selftest.Result{About: l.about, Status: selftest.Failed, Message: policy.RoleOf(l.who) + " likely may not " + r.action + " on " + r.resource, Fix: found.Fix, Finding: found})
		}
	}
	if missing == 0 {
		l.ok(l.about, "may start, stop, retry, roll back, override, lock and approve (as IAM's simulator says)")
	}
}

func (l *looking) unknown(what, role string, err error) {
	check := selftest.Result{About: l.about, Status: selftest.Unknown, Message: what}
	if denied(err) {
		check.Finding = lacks(l.who, simulating, role)
		check.Fix = []string{"to know it beforehand, allow " + simulating + " on " + role}
	} else {
		_, why := accounts.Words(err)
		check.Fix = []string{"IAM's simulator could not be asked: " + why}
	}
	l.add(check)
}

// mostARNs are named in one line.
const mostARNs = 10

// listPermissions names every permission that acting needs, with the ARNs that AWS looks for.
func (l *looking) listPermissions(err error) {
	role := policy.RoleOf(l.who)
	for _, w := range l.acts() {
		if len(w.resources) == 0 {
			continue
		}
		arns := strings.Join(w.resources[:min(len(w.resources), mostARNs)], ", ")
		if more := len(w.resources) - mostARNs; more > 0 {
			arns += fmt.Sprintf(" and %d more", more)
		}
		l.unknown("whether "+role+" may "+words.List(w.actions, "and")+" on "+arns+" is not known before somebody asks for it", role, err)
	}
}

// others asks IAM whether those who should not can answer approvals.
func (l *looking) others(ctx context.Context) {
	approvals := l.acts()[2]
	if len(approvals.resources) == 0 {
		return
	}
	for _, who := range l.o.Principals {
		results, err := l.simulate(ctx, who, approvals)
		if err != nil {
			l.unknown("whether "+who+" can answer approvals is not known", who, err)
			continue
		}
		var can []string
		for _, r := range results {
			if r.allowed {
				can = append(can, r.resource)
			}
		}
		if len(can) == 0 {
			l.ok(l.about, "%s cannot answer approvals outside rollcall", who)
			continue
		}
		l.add(selftest.Result{About: l.about, Status: selftest.Warning, Message: who + " can answer " + words.Count(len(can), "approval") + " outside rollcall: " + strings.Join(can, ", "),
			Fix: []string{"add the deny statement that rollcall iam-policy --bridge " + l.b.Name + " prints to a service control policy or a permissions boundary"}})
	}
}

// result is what IAM's simulator says of an action on a resource.
type result struct {
	action, resource  string
	allowed, explicit bool
}

// atOnce is how many resources are simulated in one call.
const atOnce = 50

// simulate asks as the bridge's role, and where that may not ask, as the base credentials.
func (l *looking) simulate(ctx context.Context, who string, w wanted) (all []result, err error) {
	base, err := l.checker.all.Config(ctx, accounts.Place{Region: l.b.Region, Session: "doctor"})
	if err != nil {
		return nil, err //nolint:wrapcheck // explained by the caller
	}
	for _, config := range []aws.Config{l.config, base} {
		all = nil
		for some := range slices.Chunk(w.resources, atOnce) {
			var got []result
			if got, err = simulated(ctx, iam.NewFromConfig(config), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &who, ActionNames: w.actions, ResourceArns: some}); err != nil {
				break
			}
			all = append(all, got...)
		}
		if err == nil || !denied(err) {
			return all, err
		}
	}
	return nil, err
}

func simulated(ctx context.Context, api *iam.Client, in *iam.SimulatePrincipalPolicyInput) (all []result, err error) {
	for {
		out, err := api.SimulatePrincipalPolicy(ctx, in)
		if err != nil {
			return nil, err //nolint:wrapcheck // explained by the caller
		}
		for _, e := range out.EvaluationResults {
			name := aws.ToString(e.EvalActionName)
			if len(e.ResourceSpecificResults) == 0 {
				all = append(all, judged(name, aws.ToString(e.EvalResourceName), e.EvalDecision))
			}
			for _, r := range e.ResourceSpecificResults {
				all = append(all, judged(name, aws.ToString(r.EvalResourceName), r.EvalResourceDecision))
			}
		}
		if !out.IsTruncated || out.Marker == nil {
			return all, nil
		}
		in.Marker = out.Marker
	}
}

func judged(action, resource string, d iamtypes.PolicyEvaluationDecisionType) result {
	return result{policy.Spelling(action), resource, d == iamtypes.PolicyEvaluationDecisionTypeAllowed, d == iamtypes.PolicyEvaluationDecisionTypeExplicitDeny}
}
