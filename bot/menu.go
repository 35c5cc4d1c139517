package bot

import (
	"context"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
)

// chosen does what somebody chose from the menu of a card: a form asks before
// anything is stopped or rolled back.
func (b *Bot) chosen(ctx context.Context, r Request, value string) error {
	c, problem := card.ParseChosen(value)
	if problem != nil {
		return problem
	}
	e, err := b.engine.Execution(ctx, r.By, c.Execution)
	if err != nil {
		return err
	}
	about := card.Subject{Pipeline: e.Pipeline, Execution: e.ID}
	if c.Verb == workflows.RollBack {
		if c.Stage >= len(e.Stages) {
			return problemOr(nil, "this choice cannot be read")
		}
		about.Stage = e.Stages[c.Stage].Name
		return b.openRollback(ctx, r, form.Return{About: about})
	}
	if err := b.possible(ctx, r, workflows.Intent{Verb: workflows.StopExecution, Pipeline: e.Pipeline, Execution: e.ID}); err != nil {
		return err
	}
	return b.show(ctx, r.Reply, form.Stop(b.view(ctx, workflows.EnginePrincipal(), e), origin(about, r.Reply)))
}
