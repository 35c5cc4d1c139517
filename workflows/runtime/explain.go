package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Explain says whether somebody may do something, and why. About oneself
// everybody may ask; about others it takes the right audit. The error is a
// *workflows.Problem: a question that makes no sense, a pipeline that the viewer
// does not see, or somebody who could not be looked up.
func (e *Engine) Explain(ctx context.Context, viewer workflows.Principal, q say.AccessQuestion) (a say.AccessAnswer, err error) {
	if err := e.checkQuestion(ctx, viewer, q); err != nil {
		return a, err
	}
	who := workflows.Principal{ID: q.Who, Name: strings.TrimPrefix(q.Who, "token:"), Via: "api"}
	if _, machine := who.Machine(); !machine {
		who = workflows.Principal{ID: "mail:" + q.Who, Name: q.Who, Email: q.Who, Via: "slack"}
	}
	if who, err = e.now(ctx, who); err != nil {
		return a, err
	}
	j := e.judge(who)
	verdict, err := j.may(ctx, q.Verb, access.Resource{Pipeline: q.Pipeline, Stage: q.Stage})
	a = say.AccessAnswer{AccessQuestion: q, Name: who.Called(), Allowed: verdict.Allowed, Reason: verdict.Reason, Holders: verdict.Holders}
	if err == nil && q.Verb.Right() == workflows.Approve {
		err = e.explainGates(ctx, j, &a)
	}
	return a, err
}

// checkQuestion says whether a question can be asked by the viewer.
func (e *Engine) checkQuestion(ctx context.Context, viewer workflows.Principal, q say.AccessQuestion) error {
	name, machine := workflows.Principal{ID: q.Who}.Machine()
	_, known := e.o.Policy.Tokens[name]
	switch {
	case !machine && !strings.Contains(q.Who, "@"):
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "who", Message: fmt.Sprintf("%q is neither an e-mail address nor a token", clean.Cut(q.Who)), Hint: "use ana@acme.example or token:ci"}
	case machine && !known:
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "who", Message: fmt.Sprintf("there is no API token %q", clean.Cut(name)), Hint: "see api.tokens in the configuration"}
	case !slices.Contains(access.Rights(), q.Verb.Right()):
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "verb", Message: fmt.Sprintf("%q is not a right", clean.Cut(string(q.Verb))), Hint: "use view, logs, start, stop, retry, approve, rollback, override, lock, unlock, resolve, edit, audit or start-any-revision"}
	}
	j, err := e.checkViewer(ctx, viewer, q.Pipeline)
	if err != nil {
		return err
	}
	if err := e.checkStage(ctx, &workflows.Intent{Pipeline: q.Pipeline, Stage: q.Stage}); err != nil {
		return err
	}
	if viewer.ID == q.Who || viewer.HasMail(q.Who) {
		return nil
	}
	verdict, err := j.may(ctx, workflows.Audit, access.Resource{})
	if err == nil && !verdict.Allowed {
		return verdict.Refusal()
	}
	return err
}

// explainGates answers for the approval actions of the stage, or of all stages.
// Where each of them names who may answer, the right does not matter.
func (e *Engine) explainGates(ctx context.Context, j *judge, a *say.AccessAnswer) error {
	view, err := e.Pipeline(ctx, workflows.EnginePrincipal(), a.Pipeline, 0)
	if err != nil || view.Definition == nil {
		return err
	}
	byRight := false // there is a gate that asks for the right
	for i := range view.Definition.Stages {
		st := &view.Definition.Stages[i]
		if a.Stage != "" && a.Stage != st.Name {
			continue
		}
		for _, action := range st.Actions {
			if !action.IsApproval() {
				continue
			}
			gate := action.Approval
			if gate == nil || len(gate.From) == 0 {
				byRight = true
				continue
			}
			fits, err := j.count(ctx, &machine.NeedFacts{Who: gate.From, Gate: gate}, []string{j.who.Key()})
			if err != nil {
				return err
			}
			may := slices.ContainsFunc(gate.From, func(from string) bool { return fits[from] })
			a.Gates = append(a.Gates, say.GateAccess{Action: st.Name + "/" + action.Name, Allowed: may, From: gate.From})
		}
	}
	if len(a.Gates) > 0 && !byRight {
		a.Holders = nil
		a.Allowed, a.Reason = false, a.Name+" is not among those who may answer there"
		for _, g := range a.Gates {
			a.Holders = append(a.Holders, g.From...)
			if g.Allowed && !a.Allowed {
				a.Allowed, a.Reason = true, g.Action+" names "+a.Name+" or a group of theirs"
			}
		}
	}
	return nil
}
