package bridge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// stages are the stages of the pipeline itself.
func stages(p *workflows.Pipeline, state *codepipeline.GetPipelineStateOutput) (all []work.SnapshotStage) {
	for i := range state.StageStates {
		s := &state.StageStates[i]
		out := work.SnapshotStage{Name: aws.ToString(s.StageName), Transition: workflows.Transition{Enabled: true}}
		if t := s.InboundTransitionState; t != nil && !t.Enabled {
			out.Transition = workflows.Transition{Cause: "person", Reason: clean.Line(aws.ToString(t.DisabledReason)), At: t.LastChangedAt}
			if by := aws.ToString(t.LastChangedBy); by != "" {
				who := outsider(by)
				out.Transition.By = &who
			}
		}
		for _, in := range inbound(s) {
			out.Inbound = append(out.Inbound, aws.ToString(in.PipelineExecutionId))
		}
		all = append(all, out)
	}
	return all
}

// inbound are the executions that wait before a stage, as both of AWS's fields have them.
func inbound(s *types.StageState) []types.StageExecution {
	if len(s.InboundExecutions) > 0 || s.InboundExecution == nil {
		return s.InboundExecutions
	}
	return []types.StageExecution{*s.InboundExecution}
}

// outsider is somebody whom AWS names by an ARN, or by a word.
func outsider(arn string) workflows.Principal {
	return workflows.Principal{ID: "aws:" + arn, Name: arn, Via: workflows.ViaOutside}
}

// execution is an execution as AWS shows it.
func (w *watched) execution(id string, x *seen, state *codepipeline.GetPipelineStateOutput) workflows.Execution {
	s := &x.summary
	e := workflows.Execution{
		ExternalID: id, Pipeline: w.row.Name, Version: int(aws.ToInt32(state.PipelineVersion)), Mode: cmp.Or(string(s.ExecutionMode), w.inForce.ExecutionMode),
		Type: cmp.Or(string(s.ExecutionType), workflows.TypeStandard), Status: workflows.Status(cmp.Or(string(s.Status), string(workflows.StatusInProgress))),
		Variables: x.vars, StartedAt: aws.ToTime(s.StartTime), UpdatedAt: aws.ToTime(s.LastUpdateTime), Attempt: 1, Outputs: map[string]map[string]string{},
	}
	if e.Variables == nil {
		e.Variables = map[string]string{}
	}
	if e.UpdatedAt.IsZero() {
		e.UpdatedAt = e.StartedAt
	}
	if x.final {
		at := e.UpdatedAt
		e.EndedAt = &at
	}
	if t := s.Trigger; t != nil {
		e.Trigger = workflows.StartedBy{Type: string(t.TriggerType), Detail: clean.Line(aws.ToString(t.TriggerDetail))}
		if strings.HasPrefix(e.Trigger.Detail, "arn:") {
			e.Trigger.By = outsider(e.Trigger.Detail)
		}
	}
	for _, r := range s.SourceRevisions {
		e.SourceRevisions = append(e.SourceRevisions, workflows.SourceRevision{ActionName: aws.ToString(r.ActionName), RevisionID: aws.ToString(r.RevisionId),
			RevisionSummary: summaryLine(aws.ToString(r.RevisionSummary)), RevisionURL: aws.ToString(r.RevisionUrl)})
	}
	if m := s.RollbackMetadata; m != nil && m.RollbackTargetPipelineExecutionId != nil {
		e.Rollback = &workflows.Rollback{Target: *m.RollbackTargetPipelineExecutionId, Definition: "original"}
	}
	if s.StopTrigger != nil {
		e.Stop = &workflows.Stop{Reason: clean.Line(aws.ToString(s.StopTrigger.Reason)), At: e.UpdatedAt}
	}
	for _, a := range x.actions {
		if v := int(aws.ToInt32(a.PipelineVersion)); v > 0 && v < e.Version {
			e.Version = v
		}
	}
	w.stagesOf(&e, x, state)
	e.StatusReason = why(&e, clean.Line(aws.ToString(s.StatusSummary)))
	return e
}

// summaryLine is the first line of a commit's text. GitHub's connections wrap it in JSON.
func summaryLine(text string) string {
	if _, rest, ok := strings.Cut(text, `"CommitMessage":"`); ok {
		text, _, _ = strings.Cut(strings.ReplaceAll(rest, `\n`, "\n"), `"}`)
	}
	line, _, _ := strings.Cut(text, "\n")
	return clean.Line(line)
}

// why says in a code and a sentence why an execution ended as it did.
func why(e *workflows.Execution, told string) *workflows.Reason {
	reason := func(code, otherwise string) *workflows.Reason {
		return &workflows.Reason{Code: code, Message: cmp.Or(told, otherwise)}
	}
	switch e.Status {
	case workflows.StatusSuperseded:
		return reason("Superseded", "a newer execution went past it")
	case workflows.StatusCancelled:
		return reason("Cancelled", "the pipeline was changed in AWS while it ran")
	case workflows.StatusStopped:
		if e.Stop != nil && e.Stop.Reason != "" {
			told = e.Stop.Reason
		}
		return reason("Stopped", "it was stopped in AWS")
	case workflows.StatusFailed:
		return failure(e, told)
	}
	return nil
}

// failure is the error of the action that failed last, or that of a condition.
func failure(e *workflows.Execution, told string) *workflows.Reason {
	for i := range slices.Backward(e.Stages) {
		s := &e.Stages[i]
		for k := range slices.Backward(s.Actions) {
			a := &s.Actions[k]
			if a.Status != workflows.StatusFailed {
				continue
			}
			if a.Provider == "Manual" {
				if a.Approval != nil && len(a.Approval.Votes) > 0 {
					return &workflows.Reason{Code: "NotApproved", Message: cmp.Or(a.Approval.Votes[0].Comment, "it was rejected")}
				}
				return &workflows.Reason{Code: "ApprovalExpired", Message: "nobody answered in time"}
			}
			message := told
			if a.Error != nil {
				message = a.Error.Message
			}
			return &workflows.Reason{Code: "ActionFailed", Message: s.Name + "/" + a.Name + " failed: " + cmp.Or(message, "AWS says no more")}
		}
		for k := range s.Conditions {
			if c := &s.Conditions[k]; c.Status == workflows.StatusFailed || c.Status == workflows.StatusErrored {
				return &workflows.Reason{Code: "ConditionFailed", Message: cmp.Or(told, "the condition "+c.Kind+" of "+s.Name+" was not met")}
			}
		}
	}
	return &workflows.Reason{Code: "ActionFailed", Message: cmp.Or(told, "AWS says no more")}
}

// stateOf is what the pipeline's state says of a stage while it is about this execution.
func stateOf(state *codepipeline.GetPipelineStateOutput, stage, id string) (of *types.StageState, latest, waits bool) {
	for i := range state.StageStates {
		s := &state.StageStates[i]
		if aws.ToString(s.StageName) != stage {
			continue
		}
		latest = s.LatestExecution != nil && aws.ToString(s.LatestExecution.PipelineExecutionId) == id
		waits = slices.ContainsFunc(inbound(s), func(in types.StageExecution) bool { return aws.ToString(in.PipelineExecutionId) == id })
		return s, latest, waits
	}
	return nil, false, false
}

// stagesOf fills in what the execution has done in each stage and has still to do.
func (w *watched) stagesOf(e *workflows.Execution, x *seen, state *codepipeline.GetPipelineStateOutput) {
	names := stageNames(w.inForce, x)
	last := -1 // the last stage that it came to
	for i, name := range names {
		if _, latest, waits := stateOf(state, name, e.ExternalID); latest || waits || slices.ContainsFunc(x.all(), func(a types.ActionExecutionDetail) bool { return aws.ToString(a.StageName) == name }) {
			last = i
		}
	}
	for i, name := range names {
		s, came := w.stageOf(e, x, state, name)
		if e.Type == workflows.TypeRollback && !came {
			continue // it has that one stage
		}
		if !came && i < last {
			s.Status = workflows.StatusSkipped
		}
		e.Stages = append(e.Stages, s)
	}
}

// all are the actions, oldest first.
func (x *seen) all() []types.ActionExecutionDetail {
	all := make([]types.ActionExecutionDetail, 0, len(x.actions))
	for _, a := range x.actions {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b types.ActionExecutionDetail) int {
		return cmp.Or(startOf(a).Compare(startOf(b)), cmp.Compare(aws.ToString(a.ActionExecutionId), aws.ToString(b.ActionExecutionId)))
	})
	return all
}

// stageNames are those of the definition, and those that an older version had, in
// their place.
func stageNames(p *workflows.Pipeline, x *seen) (names []string) {
	for i := range p.Stages {
		names = append(names, p.Stages[i].Name)
	}
	before := ""
	for _, a := range x.all() {
		name := aws.ToString(a.StageName)
		if !slices.Contains(names, name) {
			names = slices.Insert(names, slices.Index(names, before)+1, name)
		}
		before = name
	}
	return names
}

// stageOf is the execution in one stage; came says whether it came there, or waits before it.
func (w *watched) stageOf(e *workflows.Execution, x *seen, state *codepipeline.GetPipelineStateOutput, name string) (s workflows.StageExecution, came bool) {
	now, latest, waits := stateOf(state, name, e.ExternalID)
	s = workflows.StageExecution{Name: name, Status: workflows.StatusNotStarted}
	declared, _ := w.inForce.Stage(name)
	s.Actions = w.actionsOf(e, x, declared, name, now, latest)
	status, since, touched := derive(s.Actions)
	if touched {
		s.Status, s.Since, s.Attempt = status, since, 1
	}
	if latest {
		s.Status = workflows.Status(now.LatestExecution.Status)
		s.Attempt = max(s.Attempt, 1)
		if m := now.RetryStageMetadata; m != nil {
			s.Retries = &workflows.Retries{Automatic: int(aws.ToInt32(m.AutoStageRetryAttempt)), Manual: int(aws.ToInt32(m.ManualStageRetryAttempt)), Latest: string(m.LatestRetryTrigger)}
			s.Attempt = 1 + s.Retries.Automatic + s.Retries.Manual
		}
	}
	if e.Status.Final() && s.Status == workflows.StatusInProgress {
		s.Status = e.Status // the stage was looked at before the execution had ended
	}
	if declared != nil && (touched || latest || waits) {
		s.Conditions = conditionsOf(declared, x, now, latest || waits)
	}
	if waits && !e.Status.Final() {
		e.WaitsFor = &workflows.Wait{Stage: name, For: workflows.WaitsForStage, Since: e.UpdatedAt}
		if t := now.InboundTransitionState; t != nil && !t.Enabled {
			e.WaitsFor.For = workflows.WaitsForTransition
		}
	}
	return s, touched || latest || waits
}

// derive is the status of a stage as its actions have it.
func derive(actions []workflows.ActionExecution) (status workflows.Status, since *time.Time, touched bool) {
	count := map[workflows.Status]int{}
	for i := range actions {
		a := &actions[i]
		count[a.Status]++
		for _, at := range []*time.Time{a.StartedAt, a.EndedAt} {
			if at != nil && (since == nil || at.After(*since)) {
				since = at
			}
		}
	}
	switch touched = count[workflows.StatusNotStarted] < len(actions); {
	case !touched:
		return workflows.StatusNotStarted, nil, false
	case count[workflows.StatusInProgress] > 0:
		status = workflows.StatusInProgress
	case count[workflows.StatusFailed] > 0:
		status = workflows.StatusFailed
	case count[workflows.StatusAbandoned] > 0:
		status = workflows.StatusStopped
	case count[workflows.StatusNotStarted] > 0:
		status = workflows.StatusInProgress // between two actions
	default:
		status = workflows.StatusSucceeded
	}
	return status, since, true
}
