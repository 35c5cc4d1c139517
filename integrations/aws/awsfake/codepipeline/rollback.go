package codepipeline

import (
	"encoding/json"
	"maps"
)

// rollback is RollbackStage. The rules are asked in the order in which the most specific refusal wins.
func (s *Service) rollback(p *pipeline, in *of, by string) (any, *Error) {
	i := p.now().stage(in.StageName)
	if i < 0 {
		return nil, noStage(p, in.StageName)
	}
	target := p.find(in.TargetPipelineExecutionID)
	if target == nil {
		return nil, noExecution(p, in.TargetPipelineExecutionID)
	}
	pl := p.place(in.StageName)
	switch r := target.run(in.StageName); {
	case i == 0:
		return nil, unableToRollback("The source stage %s cannot be rolled back", in.StageName)
	case p.now().PipelineType == "V1":
		return nil, unableToRollback("Rollback is not supported for pipelines of type V1")
	case p.now().ExecutionMode == parallel:
		return nil, unableToRollback("Rollback is not supported for pipelines in execution mode PARALLEL")
	case target.d != p.now():
		return nil, refuse("PipelineExecutionOutdatedException", "The pipeline execution %s is outdated: it ran version %d of the pipeline, and version %d is current", target.id, target.d.Version, p.now().Version)
	case target.kind != standard:
		return nil, unableToRollback("The pipeline execution %s is itself a rollback", target.id)
	case r == nil || r.status != succeeded:
		return nil, unableToRollback("The pipeline execution %s did not succeed in stage %s", target.id, in.StageName)
	case pl.latest != nil && pl.latest.status == skipped:
		return nil, unableToRollback("The stage %s was skipped", in.StageName)
	case pl.holder != nil:
		return nil, unableToRollback("The stage %s is currently running", in.StageName)
	}
	e := s.startRollback(p, i, target, manualRollback, by)
	return map[string]string{"pipelineExecutionId": e.id}, nil
}

// startRollback enters the stage at once, ahead of whoever waits.
func (s *Service) startRollback(p *pipeline, stage int, target *execution, why, detail string) *execution {
	e := &execution{
		p: p, d: p.now(), id: s.newID(), status: inProgress, kind: rollback, stage: stage, attempt: 1, started: s.at, updated: s.at,
		triggerType: why, triggerDetail: detail, target: target.id,
		variables: target.variables, revisions: target.revisions, artifacts: maps.Clone(target.artifacts), outputs: maps.Clone(target.outputs),
	}
	p.executions = append(p.executions, e)
	s.emitPipeline(e, "STARTED")
	s.enter(e)
	return e
}

// rollbackAfter ends a stage badly and, in the same moment, rolls it back to the newest success.
func (s *Service) rollbackAfter(r *stageRun) {
	e := r.e
	target := s.lastSuccess(e.p, r.name, e)
	if target == nil {
		s.leave(r, failed, failed)
		return
	}
	r.status = failed
	s.emitStage(r, "FAILED")
	s.end(e, failed, "")
	e.p.place(r.name).holder = nil
	detail, _ := json.Marshal(map[string]string{"FailedPipelineExecutionId": e.id}) // two strings always encode
	s.startRollback(e.p, e.stage, target, automatedRollback, string(detail))
}

// lastSuccess is the newest STANDARD execution of the version in force that succeeded in the stage.
func (s *Service) lastSuccess(p *pipeline, stage string, except *execution) *execution {
	for i := len(p.executions) - 1; i >= 0; i-- {
		e := p.executions[i]
		if r := e.run(stage); e != except && e.kind == standard && e.d == p.now() && r != nil && r.status == succeeded {
			return e
		}
	}
	return nil
}
