package codepipeline

import "time"

// Event is a change of state in the form in which EventBridge tells it.
type Event struct {
	ID         string    `json:"id"`
	Version    string    `json:"version"`
	DetailType string    `json:"detail-type"`
	Source     string    `json:"source"`
	Account    string    `json:"account"`
	Time       time.Time `json:"time"`
	Region     string    `json:"region"`
	Resources  []string  `json:"resources"`
	Detail     any       `json:"detail"`
}

func eventState(status string) string {
	return map[string]string{
		succeeded: "SUCCEEDED", failed: "FAILED", stopped: "STOPPED", stopping: "STOPPING", cancelled: "CANCELED", overtaken: "SUPERSEDED",
	}[status]
}

func (s *Service) emit(e *execution, kind, state string, detail map[string]any) {
	if s.options.Event == nil {
		return
	}
	detail["pipeline"], detail["execution-id"], detail["state"] = e.p.name, e.id, state
	detail["version"], detail["pipeline-execution-attempt"] = e.d.Version, e.attempt
	id := s.newID()
	if s.replaying {
		return
	}
	s.options.Event(Event{
		ID: id, Version: "0", DetailType: "CodePipeline " + kind + " Execution State Change", Source: "aws.codepipeline",
		Account: s.options.Account, Region: s.options.Region, Time: s.at.UTC().Truncate(time.Second), Resources: []string{s.arn(e.p.name)}, Detail: detail,
	})
}

func (s *Service) emitPipeline(e *execution, state string) {
	detail := map[string]any{"start-time": e.started.UTC().Format(time.RFC3339), "execution-trigger": map[string]string{"trigger-type": e.triggerType, "trigger-detail": e.triggerDetail}}
	if state == "STOPPING" {
		detail["stop-execution-comments"] = e.reason
	}
	s.emit(e, "Pipeline", state, detail)
}

func (s *Service) emitStage(r *stageRun, state string) {
	s.emit(r.e, "Stage", state, map[string]any{"stage": r.name})
}

func (s *Service) emitAction(a *actionRun, state string) {
	t := a.def.ActionTypeID
	detail := map[string]any{
		"stage": a.run.name, "action": a.def.Name, "action-execution-id": a.id, "region": s.options.Region,
		"type": map[string]string{"owner": t.Owner, "category": t.Category, "provider": t.Provider, "version": t.Version},
	}
	if state == "FAILED" {
		detail["execution-result"] = map[string]string{"external-execution-id": a.externalID, "external-execution-summary": a.summary, "error-code": a.fault.Code}
	}
	s.emit(a.e, "Action", state, detail)
}
