package codepipeline

import (
	"time"
)

// stop ends an execution: at once where it waits, else when its actions have ended or are given up.
func (s *Service) stop(p *pipeline, in *of, _ string) (any, *Error) {
	e := p.find(in.PipelineExecutionID)
	switch {
	case e == nil || e.ended():
		return nil, refuse("PipelineExecutionNotStoppableException", "Pipeline execution %s is not in progress and cannot be stopped", in.PipelineExecutionID)
	case e.wantsStop && (e.abandoning || !in.Abandon):
		return nil, refuse("DuplicatedStopRequestException", "Pipeline execution %s is already stopping", e.id)
	}
	e.wantsStop, e.abandoning, e.reason = true, in.Abandon, in.Reason
	e.status = stopping
	s.touch(e)
	s.emitPipeline(e, "STOPPING")
	r := e.here()
	if r == nil {
		s.end(e, stopped, e.reason)
		return map[string]string{"pipelineExecutionId": e.id}, nil
	}
	r.status = stopping
	s.emitStage(r, "STOPPING")
	s.dropRules(r, cancelled)
	if in.Abandon {
		for _, a := range r.latest() {
			if a.status == inProgress {
				a.status, a.updated, a.due = abandoned, s.at, time.Time{}
				s.emitAction(a, "ABANDONED")
			}
		}
	}
	s.proceed(r)
	return map[string]string{"pipelineExecutionId": e.id}, nil
}

// here is the stage that the execution is in; nil: it waits before one, or has ended.
func (e *execution) here() *stageRun {
	if r := e.run(e.d.Stages[e.stage].Name); r != nil && !e.ended() && (r.status == inProgress || r.status == stopping) {
		return r
	}
	return nil
}

func (p *pipeline) find(id string) *execution {
	for _, e := range p.executions {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (s *Service) retry(p *pipeline, in *of, _ string) (any, *Error) {
	if p.now().stage(in.StageName) < 0 {
		return nil, noStage(p, in.StageName)
	}
	e := p.find(in.PipelineExecutionID)
	pl := p.place(in.StageName)
	if e == nil || !e.parallel() && (pl.latest == nil || pl.latest.e != e) {
		return nil, refuse("NotLatestPipelineExecutionException", "The stage %s has been entered by a later execution than %s", in.StageName, in.PipelineExecutionID)
	}
	r := e.run(in.StageName)
	notRetryable := func(why string) (any, *Error) {
		return nil, refuse("StageNotRetryableException", "Unable to retry stage %s of execution %s: %s", in.StageName, e.id, why)
	}
	switch {
	case r == nil || r.status != failed && r.status != stopped || e.status != failed && e.status != stopped:
		return notRetryable("the stage has not failed")
	case e.d != p.now():
		return notRetryable("the pipeline structure has changed")
	case r.status == failed && !r.any(failed) && !r.any(abandoned):
		return notRetryable("the stage contains no failed actions")
	case !s.room(p):
		return nil, tooMany(p)
	}
	r.manual++
	r.latestRetry = "ManualStageRetry"
	s.resume(r)
	s.again(r, in.RetryMode)
	return map[string]string{"pipelineExecutionId": e.id}, nil
}

// resume makes a stage that has ended run again.
func (s *Service) resume(r *stageRun) {
	e := r.e
	e.status, e.summary, e.wantsStop, e.abandoning, e.reason = inProgress, "", false, false, ""
	e.attempt++
	r.status = inProgress
	if !e.parallel() {
		e.p.place(r.name).holder = e
	}
	s.touch(e)
	s.emitPipeline(e, "RESUMED")
	s.emitStage(r, "RESUMED")
}

// again runs the failed actions of a stage once more, or all.
func (s *Service) again(r *stageRun, mode string) {
	if mode == "ALL_ACTIONS" {
		r.from = len(r.actions)
	}
	delete(r.conditions, onSuccess)
	delete(r.conditions, onFailureKind)
	s.group(r)
}

func (s *Service) disable(p *pipeline, in *of, by string) (any, *Error) {
	return s.transit(p, in, by, &transition{reason: in.Reason, by: by, at: s.at})
}

func (s *Service) enable(p *pipeline, in *of, by string) (any, *Error) {
	return s.transit(p, in, by, nil)
}

func (s *Service) transit(p *pipeline, in *of, by string, disabled *transition) (any, *Error) {
	i := p.now().stage(in.StageName)
	if i < 0 {
		return nil, noStage(p, in.StageName)
	}
	if in.TransitionType == "Outbound" {
		i++
	}
	switch {
	case i == 0:
		return nil, invalid("The inbound transition of the first stage, %s, cannot be changed", in.StageName)
	case i == len(p.now().Stages):
		return nil, nil
	}
	name := p.now().Stages[i].Name
	pl := p.place(name)
	pl.disabled, pl.changed = disabled, &transition{by: by, at: s.at}
	s.admit(p, name)
	return nil, nil
}

// answer is PutApprovalResult: the first answer counts.
func (s *Service) answer(p *pipeline, in *of, by string) (any, *Error) {
	if p.now().stage(in.StageName) < 0 {
		return nil, noStage(p, in.StageName)
	}
	if p.now().action(in.StageName, in.ActionName) == nil {
		return nil, refuse("ActionNotFoundException", "Action '%s' of stage '%s' in pipeline '%s' was not found", in.ActionName, in.StageName, p.name)
	}
	a := p.approval(in.Token)
	switch {
	case a == nil || a.run.name != in.StageName || a.def.Name != in.ActionName:
		return nil, refuse("InvalidApprovalTokenException", "The approval token %s is not one of action %s", in.Token, in.ActionName)
	case a.status != inProgress && a.by != "":
		return nil, refuse("ApprovalAlreadyCompletedException", "The approval action %s has already been approved or rejected", in.ActionName)
	case a.status != inProgress:
		return nil, refuse("InvalidApprovalTokenException", "The approval request of action %s has expired", in.ActionName)
	}
	a.by = by
	how := Script{Summary: in.Result.Summary}
	if in.Result.Status == "Rejected" {
		how.Fail = &Failure{Code: "JobFailed", Message: "The approval was rejected"}
	}
	s.finish(a, how)
	return map[string]stamp{"approvedAt": stamp(s.at)}, nil
}

func (p *pipeline) approval(token string) *actionRun {
	for _, e := range p.executions {
		for _, r := range e.runs {
			for _, a := range r.actions {
				if a.token == token {
					return a
				}
			}
		}
	}
	return nil
}
