package bot

import (
	"context"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// drawFailure is what the channel sees of a failure. Of a rollback that has left
// nobody knowing what its stage runs, those who answer for the pipeline are mentioned.
func (f *following) drawFailure(ctx context.Context, v card.View, stage string) (card.Message, error) {
	if !leavesUnknown(&v, stage) {
		return card.Failure(v), nil
	}
	who, err := f.ownersOrAdmins(ctx)
	if err != nil {
		return card.Message{}, err
	}
	var mentions []string
	if len(who) > 0 {
		if mentions, err = f.chat.People(ctx, f.expand(who)); err != nil {
			return card.Message{}, err
		}
	}
	return v.Uncertain(stage, mentions), nil
}

// leavesUnknown says whether it is unknown what a stage runs since this execution, a
// rollback, failed there. What failed before anything was deployed leaves it known.
func leavesUnknown(v *card.View, stage string) bool {
	s, ok := v.Pipeline.Stage(stage)
	return ok && v.Execution.Rollback != nil && s.Running != nil && !s.Running.Certain &&
		s.LatestExecution != nil && s.LatestExecution.Execution == v.Execution.ID
}

// ownersOrAdmins are the owners of a pipeline, as its current definition names them; without
// any, the admins, unless that is everybody.
func (f *following) ownersOrAdmins(ctx context.Context) ([]string, error) {
	if d := f.pipeline.Definition; d != nil && len(d.Owners) > 0 {
		return d.Owners, nil
	}
	_, admins, err := f.engine.Verdict(ctx, workflows.EnginePrincipal(), workflows.Audit, f.pipeline.Name, "")
	return mentionable(admins), err
}
