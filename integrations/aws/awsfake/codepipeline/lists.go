package codepipeline

import (
	"encoding/base64"
	"slices"
)

// page answers with the part of a list that follows the token.
func page[T any](all []T, id func(T) string, most int, token, name string) (any, *Error) {
	from := 0
	if token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		at := slices.IndexFunc(all, func(x T) bool { return id(x) == string(raw) })
		if err != nil || at < 0 {
			return nil, refuse("InvalidNextTokenException", "The next token was not returned by a previous call")
		}
		from = at + 1
	}
	if most == 0 {
		most = 100
	}
	rest := all[from:]
	out := map[string]any{}
	if len(rest) > most {
		rest = rest[:most]
		out["nextToken"] = base64.RawURLEncoding.EncodeToString([]byte(id(rest[most-1])))
	}
	if rest == nil {
		rest = []T{}
	}
	out[name] = rest
	return out, nil
}

type triggerView struct {
	Type   string `json:"triggerType"`
	Detail string `json:"triggerDetail"`
}

type metadata struct {
	Target string `json:"rollbackTargetPipelineExecutionId"`
}

type executionSummary struct {
	ID              string           `json:"pipelineExecutionId"`
	Status          string           `json:"status"`
	StatusSummary   string           `json:"statusSummary,omitempty"`
	StartTime       stamp            `json:"startTime"`
	LastUpdateTime  stamp            `json:"lastUpdateTime"`
	SourceRevisions []sourceRevision `json:"sourceRevisions"`
	Trigger         triggerView      `json:"trigger"`
	StopTrigger     *stopTrigger     `json:"stopTrigger,omitempty"`
	ExecutionMode   string           `json:"executionMode"`
	ExecutionType   string           `json:"executionType"`
	Rollback        *metadata        `json:"rollbackMetadata,omitempty"`
}

type stopTrigger struct {
	Reason string `json:"reason"`
}

type sourceRevision struct {
	ActionName string `json:"actionName"`
	ID         string `json:"revisionId,omitempty"`
	Summary    string `json:"revisionSummary,omitempty"`
	URL        string `json:"revisionUrl,omitempty"`
}

func (e *execution) rollbackMetadata() *metadata {
	if e.target == "" {
		return nil
	}
	return &metadata{e.target}
}

func (e *execution) sourceRevisions() []sourceRevision {
	list := []sourceRevision{}
	for _, a := range e.d.Stages[0].Actions {
		if rev, ok := e.revisions[a.Name]; ok {
			list = append(list, sourceRevision{a.Name, rev.ID, rev.Summary, rev.URL})
		}
	}
	return list
}

func (s *Service) executions(p *pipeline, in *of, _ string) (any, *Error) {
	list := []executionSummary{}
	for i := len(p.executions) - 1; i >= 0; i-- {
		e := p.executions[i]
		if f := in.Filter.SucceededInStage; f != nil && f.StageName != "" {
			if r := e.run(f.StageName); r == nil || r.status != succeeded || e.d != p.now() {
				continue
			}
		}
		one := executionSummary{
			e.id, e.status, e.summary, stamp(e.started), stamp(e.updated), e.sourceRevisions(), triggerView{e.triggerType, e.triggerDetail},
			nil, e.d.ExecutionMode, e.kind, e.rollbackMetadata(),
		}
		if e.wantsStop {
			one.StopTrigger = &stopTrigger{e.reason}
		}
		list = append(list, one)
	}
	return page(list, func(x executionSummary) string { return x.ID }, in.MaxResults, in.NextToken, "pipelineExecutionSummaries")
}

func (s *Service) execution(p *pipeline, in *of, _ string) (any, *Error) {
	e := p.find(in.PipelineExecutionID)
	if e == nil {
		return nil, noExecution(p, in.PipelineExecutionID)
	}
	revisions, variables := []map[string]any{}, []map[string]string{}
	for _, a := range e.d.Stages[0].Actions {
		rev, ok := e.revisions[a.Name]
		if !ok || len(a.OutputArtifacts) == 0 {
			continue
		}
		one := map[string]any{"name": a.OutputArtifacts[0].Name, "revisionId": rev.ID, "created": stamp(e.started)}
		if rev.Summary != "" {
			one["revisionSummary"] = rev.Summary
		}
		if rev.URL != "" {
			one["revisionUrl"] = rev.URL
		}
		revisions = append(revisions, one)
	}
	for _, v := range e.d.Variables {
		variables = append(variables, map[string]string{"name": v.Name, "resolvedValue": e.variables[v.Name]})
	}
	out := map[string]any{
		"pipelineName": p.name, "pipelineVersion": e.d.Version, "pipelineExecutionId": e.id, "status": e.status, "artifactRevisions": revisions,
		"variables": variables, "trigger": triggerView{e.triggerType, e.triggerDetail}, "executionMode": e.d.ExecutionMode, "executionType": e.kind,
	}
	if e.summary != "" {
		out["statusSummary"] = e.summary
	}
	if m := e.rollbackMetadata(); m != nil {
		out["rollbackMetadata"] = m
	}
	return map[string]any{"pipelineExecution": out}, nil
}
