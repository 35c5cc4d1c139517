package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// resolveNames turns the names in an intent into a pipeline and IDs. What the
// principal may not see is answered as if it were not there.
func (e *Engine) resolveNames(ctx context.Context, j *judge, in *workflows.Intent) error {
	answers := in.Verb == workflows.Approve || in.Verb == workflows.Reject
	if answers && in.Gate != "" && in.Pipeline == "" && in.Execution == "" {
		g, ok, err := j.gate(ctx, in.Gate)
		if err != nil {
			return err
		}
		if !ok {
			return invalidToken()
		}
		in.Pipeline = g.Pipeline
		if in.Stage == "" && in.Action == "" { // so that a refusal says on record what it was about
			defer func() { in.Execution, in.Stage, in.Action = g.Execution, g.Stage, g.Action }()
		}
	}
	named := in.Pipeline != ""
	if named {
		if err := e.checkExists(ctx, j, in); err != nil {
			return err
		}
	}
	for _, ref := range []*string{&in.Execution, &in.Target, &in.IfCurrent} {
		if *ref == "" || ref == &in.IfCurrent && !strings.Contains(*ref, "#") {
			continue // what somebody saw may be gone: that is for the decision to say
		}
		pipeline, id, err := e.resolve(ctx, in.Pipeline, *ref)
		if err != nil {
			return cmp.Or(e.checkStage(ctx, in), e.explainMissing(ctx, j, in.Pipeline, *ref, err))
		}
		in.Pipeline, *ref = pipeline, id
	}
	if in.Verb == workflows.Edit && in.Pipeline == "" && in.NewDefinition != nil {
		in.Pipeline = in.NewDefinition.Name
	}
	if in.Pipeline == "" {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "pipeline", Message: "no pipeline was named", Hint: "name one, or an execution such as webshop#42"}
	}
	if named {
		return nil
	}
	return e.checkExists(ctx, j, in)
}

// checkExists refuses a pipeline that does not exist, or not for this principal.
func (e *Engine) checkExists(ctx context.Context, j *judge, in *workflows.Intent) error {
	_, known := e.decider.Last(in.Pipeline)
	switch {
	case !known && in.Verb == workflows.Edit:
		return nil
	case !known:
		return e.noPipeline(ctx, j, in.Pipeline)
	case in.Verb == workflows.Approve, in.Verb == workflows.Reject:
		return nil // who is asked may answer, whatever else they may see
	}
	return e.checkVisible(ctx, j, in.Pipeline, in.Execution)
}

// checkStage refuses a stage that the pipeline lacks, where an execution in it is
// not known either: of several unknown things the outermost is named.
func (e *Engine) checkStage(ctx context.Context, in *workflows.Intent) error {
	if in.Pipeline == "" || in.Stage == "" {
		return nil
	}
	return e.read(ctx, in.Pipeline, func(s *machine.State) error { return hasStage(s, in.Stage) })
}

// checkVisible refuses what somebody may not see, in the words for what is not there.
func (e *Engine) checkVisible(ctx context.Context, j *judge, pipeline, execution string) error {
	verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: pipeline})
	if err != nil || verdict.Allowed {
		return err
	}
	if execution != "" {
		return noExecution(execution)
	}
	return e.noPipeline(ctx, j, pipeline)
}

// noPipeline says that there is none of that name, and which one may be meant.
func (e *Engine) noPipeline(ctx context.Context, j *judge, name string) error {
	p := &workflows.Problem{Code: workflows.CodePipelineNotFound, Message: fmt.Sprintf("there is no pipeline %q", clean.Cut(name)), Hint: "see the list of pipelines"}
	near, ok := words.Nearest(name, slices.DeleteFunc(e.decider.Pipelines(), func(one string) bool { return one == name }))
	if !ok {
		return p
	}
	if verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: near}); err == nil && verdict.Allowed {
		p.Hint = fmt.Sprintf("did you mean %s?", near)
	}
	return p
}

// nearExecution is what somebody may have meant by an execution that there is
// not: one of a pipeline of almost that name, or of the newest ones; empty: nothing
// that this person may see is near.
func (e *Engine) nearExecution(ctx context.Context, j *judge, pipeline, ref string) (hint string, err error) {
	of, number, numbered := strings.Cut(strings.TrimSpace(ref), "#")
	if of = cmp.Or(of, pipeline); !numbered && pipeline != "" {
		of = pipeline
	}
	if _, known := e.decider.Last(of); !known {
		near, ok := words.Nearest(of, e.decider.Pipelines())
		if !ok || !numbered {
			return "", nil
		}
		of, hint = near, "did you mean "+clean.Cut(near+"#"+number)+"?"
	}
	if verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: of}); err != nil || !verdict.Allowed {
		return "", err
	}
	if hint != "" {
		return hint, nil
	}
	err = e.read(ctx, of, func(s *machine.State) error {
		hint = "start the first one with: start " + of
		if s.Count > 0 {
			hint = fmt.Sprintf("the newest one is %s#%d", of, s.Count)
		}
		return nil
	})
	return hint, err
}

func noExecution(ref string) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: fmt.Sprintf("there is no execution %q", clean.Cut(ref)), Hint: "name it as webshop#42, by its ID, or by the last 6 characters of its ID or more"}
}

func invalidToken() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeInvalidApprovalToken, Message: "no approval has this token", Hint: "look at the open approvals"}
}

// resolve finds the execution that ref names. Within a pipeline its number is
// enough; an execution of another one is not found.
func (e *Engine) resolve(ctx context.Context, pipeline, ref string) (of, id string, err error) {
	full := strings.TrimSpace(ref)
	if !strings.Contains(full, "#") {
		full = strings.ToLower(full)
	}
	if number := strings.TrimPrefix(ref, "#"); pipeline != "" && number != "" && len(number) < 6 && strings.Trim(number, "0123456789") == "" {
		full = pipeline + "#" + number
	}
	ids, err := e.o.History.Resolve(ctx, full)
	switch {
	case err != nil:
		return "", "", e.unreadable(err, "execution "+clean.Cut(ref))
	case len(ids) == 0:
		return "", "", noExecution(ref)
	case len(ids) > 1:
		return "", "", &workflows.Problem{Code: workflows.CodeValidation, Field: "execution", Message: fmt.Sprintf("several executions end with %q", clean.Cut(ref)), Hint: "give more characters of the ID, or the number as in webshop#42"}
	}
	row, ok, err := e.o.History.Execution(ctx, ids[0])
	if err != nil {
		return "", "", e.unreadable(err, "execution "+clean.Cut(ref))
	}
	if !ok || pipeline != "" && row.Pipeline != pipeline {
		return "", "", noExecution(ref)
	}
	return row.Pipeline, row.ID, nil
}

// gate finds the gate of a token, open or not, once.
func (j *judge) gate(ctx context.Context, token string) (g gateMemo, ok bool, err error) {
	if j.answered.Token == token {
		return j.answered, true, nil
	}
	value, ok, err := j.e.o.Memos.Memo(ctx, owner, tokenPrefix+token)
	if err == nil && ok {
		err = json.Unmarshal(value, &g)
	}
	if err != nil {
		return g, false, j.e.unreadable(err, "the approval")
	}
	j.answered = g
	return g, ok, nil
}

// hasStage refuses a stage that the pipeline lacks.
func hasStage(s *machine.State, stage string) error {
	view := s.View()
	if _, ok := view.Stage(stage); ok {
		return nil
	}
	return &workflows.Problem{Code: workflows.CodeStageNotFound, Message: fmt.Sprintf("%s has no stage %q", s.Name, clean.Cut(stage)), Hint: nearestStage(view, stage)}
}

func nearestStage(view workflows.PipelineView, stage string) string {
	var names []string
	for _, s := range view.Stages {
		names = append(names, s.Name)
	}
	if near, ok := words.Nearest(stage, names); ok {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "see the stages of the pipeline"
}
