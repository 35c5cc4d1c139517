package bot

import (
	"context"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
)

// openOverride asks for the reason. What stands in the way is shown as it is now.
func (b *Bot) openOverride(ctx context.Context, r Request, about card.Subject) error {
	in := answerOf(workflows.Override, about)
	in.Condition = about.As
	if err := b.possible(ctx, r, in); err != nil {
		return err
	}
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), about.Execution)
	if err != nil {
		return err
	}
	r = inModal(r)
	return b.show(ctx, r.Reply, form.Reason(b.view(ctx, workflows.EnginePrincipal(), e), workflows.Override, origin(about, r.Reply)))
}

// setAside is how things stand after an override, in one sentence.
func setAside(in workflows.Intent, e *workflows.Execution) string {
	if e == nil {
		return "Overridden: " + in.Stage + "."
	}
	text := "Overridden: " + e.Ref() + " goes on in " + in.Stage
	s, ok := e.Stage(in.Stage)
	if !ok {
		return text + "."
	}
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil && g.Override != nil && g.Override.Reason == in.Reason && g.Override.Without != "" {
			return text + " without " + g.Override.Without + "."
		}
	}
	return text + "."
}

// executionStage is the stage of an execution as its pipeline writes it,
// whatever the case it was typed in; what is unknown stays, for the engine to refuse.
func executionStage(e *workflows.Execution, typed string) string {
	var p workflows.PipelineView
	for _, s := range e.Stages {
		p.Stages = append(p.Stages, workflows.StageView{Name: s.Name})
	}
	return stageName(p, typed)
}
