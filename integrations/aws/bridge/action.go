package bridge

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// actionsOf are the actions of an execution in a stage: those that ran in their
// latest attempt, and those that are still to come.
func (w *watched) actionsOf(e *workflows.Execution, x *seen, declared *workflows.Stage, stage string, now *types.StageState, latest bool) (all []workflows.ActionExecution) {
	if declared != nil {
		for i := range declared.Actions {
			a := &declared.Actions[i]
			all = append(all, workflows.ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.ActionType.Provider, Status: workflows.StatusNotStarted})
		}
	}
	for _, d := range x.all() {
		if aws.ToString(d.StageName) != stage {
			continue
		}
		name := aws.ToString(d.ActionName)
		i := slices.IndexFunc(all, func(a workflows.ActionExecution) bool { return a.Name == name })
		if i < 0 { // an older version had it
			i = len(all)
			all = append(all, workflows.ActionExecution{Name: name, RunOrder: 1})
		}
		all[i] = attempt(all[i], &d)
		if in := d.Input; in != nil && in.Namespace != nil && len(all[i].OutputVariables) > 0 {
			e.Outputs[*in.Namespace] = all[i].OutputVariables
		}
	}
	for i := range all {
		a := &all[i]
		var policy *workflows.Action
		if declared != nil {
			policy, _ = declared.Action(a.Name)
		}
		current := stateOfAction(now, a.Name, latest)
		live(a, current)
		if a.Provider == "Manual" {
			approval(a, policy, current, e.Mode == workflows.ModeParallel, x, stage)
		}
	}
	slices.SortStableFunc(all, func(a, b workflows.ActionExecution) int { return cmp.Compare(a.RunOrder, b.RunOrder) })
	return all
}

// attempt is the next attempt of an action, as the list of actions has it.
func attempt(was workflows.ActionExecution, d *types.ActionExecutionDetail) workflows.ActionExecution {
	a := workflows.ActionExecution{Name: was.Name, RunOrder: was.RunOrder, Provider: was.Provider, Status: workflows.Status(d.Status), Attempt: was.Attempt + 1, StartedAt: d.StartTime}
	if in := d.Input; in != nil && in.ActionTypeId != nil {
		a.Provider = cmp.Or(a.Provider, aws.ToString(in.ActionTypeId.Provider))
	}
	if a.Status != workflows.StatusInProgress {
		a.EndedAt = d.LastUpdateTime
	}
	if out := d.Output; out != nil {
		a.OutputVariables = out.OutputVariables
		if r := out.ExecutionResult; r != nil {
			a.ExternalID, a.ExternalURL, a.Summary = aws.ToString(r.ExternalExecutionId), aws.ToString(r.ExternalExecutionUrl), clean.Line(aws.ToString(r.ExternalExecutionSummary))
			a.Error = known(a.Provider, fault(r.ErrorDetails, a.Summary, a.Status))
		}
	}
	if a.Status == workflows.StatusFailed && a.Error == nil {
		a.Error = &workflows.Reason{Code: "ActionFailed", Message: cmp.Or(a.Summary, "AWS says no more")}
	}
	if by := aws.ToString(d.UpdatedBy); by != "" && a.Provider == "Manual" && a.EndedAt != nil {
		a.Approval = answered(by, a.Status, a.Summary, d)
	}
	return a
}

// answered is the one answer that AWS knows of an approval.
func answered(by string, status workflows.Status, comment string, d *types.ActionExecutionDetail) *workflows.Approval {
	answer := map[workflows.Status]string{workflows.StatusSucceeded: "approve", workflows.StatusFailed: "reject"}[status]
	if answer == "" {
		return nil
	}
	return &workflows.Approval{Required: 1, Comment: "optional", Missing: []string{}, OpenedAt: startOf(*d),
		Votes: []workflows.Vote{{By: outsider(by), Answer: answer, Comment: comment, At: aws.ToTime(d.LastUpdateTime), Via: workflows.ViaOutside}}}
}

// fault is the error of an action in AWS's words.
func fault(d *types.ErrorDetails, summary string, status workflows.Status) *workflows.Reason {
	if status != workflows.StatusFailed || d == nil {
		return nil
	}
	return &workflows.Reason{Code: cmp.Or(aws.ToString(d.Code), "ActionFailed"), Message: clean.Text(cmp.Or(aws.ToString(d.Message), summary, "AWS says no more"))}
}

// stateOfAction is what the pipeline's state says of an action while its stage is about this execution.
func stateOfAction(now *types.StageState, name string, latest bool) *types.ActionExecution {
	if now == nil || !latest {
		return nil
	}
	for i := range now.ActionStates {
		if s := &now.ActionStates[i]; aws.ToString(s.ActionName) == name {
			return s.LatestExecution
		}
	}
	return nil
}

// live fills in what the state says of an action that runs, and the list of actions does not.
func live(a *workflows.ActionExecution, s *types.ActionExecution) {
	if s == nil || a.Attempt == 0 || a.Status != workflows.Status(s.Status) {
		return
	}
	a.Summary = cmp.Or(a.Summary, clean.Line(aws.ToString(s.Summary)))
	a.ExternalID = cmp.Or(a.ExternalID, aws.ToString(s.ExternalExecutionId))
	a.ExternalURL = cmp.Or(a.ExternalURL, aws.ToString(s.ExternalExecutionUrl))
	if d := s.ErrorDetails; d != nil && a.Status == workflows.StatusFailed && (a.Error == nil || a.Error.Code == "ActionFailed") {
		a.Error = known(a.Provider, fault(d, a.Summary, a.Status))
	}
}

// approval fills in what an approval that waits is answered with, and until when.
// In PARALLEL mode the pipeline's state has no token: the action's external ID is it.
func approval(a *workflows.ActionExecution, declared *workflows.Action, s *types.ActionExecution, parallel bool, x *seen, stage string) {
	if a.Status != workflows.StatusInProgress {
		return
	}
	a.Needs = workflows.NeedsApproval
	if s != nil && s.Status == types.ActionExecutionStatusInProgress {
		a.Handle = aws.ToString(s.Token)
	}
	if parallel {
		a.Handle = cmp.Or(a.Handle, a.ExternalID)
	}
	a.Approval = &workflows.Approval{Required: 1, Comment: "optional", Votes: []workflows.Vote{}, Missing: []string{}, OpenedAt: aws.ToTime(a.StartedAt)}
	if declared != nil && a.StartedAt != nil {
		at := a.StartedAt.Add(declared.TimeLimit())
		a.Deadline, a.Approval.ExpiresAt = &at, at
	}
	for _, d := range x.all() { // the newest attempt is the last one
		if in := d.Input; in != nil && aws.ToString(d.StageName) == stage && aws.ToString(d.ActionName) == a.Name {
			config := in.ResolvedConfiguration
			if len(config) == 0 {
				config = in.Configuration
			}
			a.Approval.Text, a.Approval.Link = clean.Text(config["CustomData"]), config["ExternalEntityLink"]
		}
	}
}

// conditionsOf are the conditions of a stage as they were evaluated for the execution.
func conditionsOf(declared *workflows.Stage, x *seen, now *types.StageState, current bool) (all []workflows.ConditionExecution) {
	add := func(kind string, c *workflows.Condition, state *types.StageConditionState) {
		if c == nil {
			return
		}
		out := workflows.ConditionExecution{Kind: kind, Result: c.Result, Status: workflows.StatusNotStarted}
		for i := range c.Rules {
			rule := ruleOf(&c.Rules[i], declared.Name, x)
			rule.Name = kind + ":" + rule.Name
			out.Rules = append(out.Rules, rule)
		}
		if current && state != nil && state.LatestExecution != nil {
			out.Status = workflows.Status(state.LatestExecution.Status)
			if text := clean.Line(aws.ToString(state.LatestExecution.Summary)); text != "" {
				out.Reason = &workflows.Reason{Code: "ConditionFailed", Message: text}
			}
		} else {
			out.Status, _, _ = derive(out.Rules)
		}
		if out.Status != workflows.StatusNotStarted {
			all = append(all, out)
		}
	}
	var before, success, failed *types.StageConditionState
	if now != nil {
		before, success, failed = now.BeforeEntryConditionState, now.OnSuccessConditionState, now.OnFailureConditionState
	}
	add(workflows.BeforeEntry, declared.BeforeEntry, before)
	add(workflows.OnSuccess, declared.OnSuccess, success)
	if f := declared.OnFailure; f != nil {
		add(workflows.AfterFailed, f.Condition, failed)
	}
	return all
}

// ruleOf is the latest run of a rule for the execution.
func ruleOf(declared *workflows.Rule, stage string, x *seen) workflows.ActionExecution {
	a := workflows.ActionExecution{Name: declared.Name, RunOrder: 1, Provider: declared.RuleType.Provider, Status: workflows.StatusNotStarted}
	for _, d := range slices.Backward(x.rules) { // AWS lists the newest first
		if aws.ToString(d.RuleName) != declared.Name || aws.ToString(d.StageName) != stage {
			continue
		}
		a.Status, a.StartedAt, a.EndedAt, a.Error = workflows.Status(d.Status), d.StartTime, nil, nil
		a.Attempt++
		if a.Status != workflows.StatusInProgress {
			a.EndedAt = d.LastUpdateTime
		}
		if d.Output != nil && d.Output.ExecutionResult != nil {
			r := d.Output.ExecutionResult
			a.ExternalID, a.ExternalURL, a.Summary = aws.ToString(r.ExternalExecutionId), aws.ToString(r.ExternalExecutionUrl), clean.Line(aws.ToString(r.ExternalExecutionSummary))
			a.Error = fault(r.ErrorDetails, a.Summary, a.Status)
		}
	}
	return a
}
