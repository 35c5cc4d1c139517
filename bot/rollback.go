package bot

import (
	"context"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// What an automatic rollback answers is said by its card: the failure itself is not
// seen in the channel then.

// failedBefore is the execution whose failure an automatic rollback answers, without the
// end of its log; nil: there is none, it is not kept, or it was taken up again.
func (b *Bot) failedBefore(ctx context.Context, e *workflows.Execution, p workflows.PipelineView) (*card.View, error) {
	if e.Rollback == nil || e.Rollback.FailedExecution == "" {
		return nil, nil
	}
	failed, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), e.Rollback.FailedExecution)
	if notFound(err) || err == nil && failed.Status != workflows.StatusFailed {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &card.View{Execution: failed, Pipeline: p, URL: b.url}, nil
}

// answersTo are the rollbacks of executions of which something became known, like their
// ticket: their cards say it too.
func (f *following) answersTo(ctx context.Context) (ids []string, err error) {
	for _, frame := range f.batch.Frames {
		for _, e := range frame.Events {
			if e.Kind != event.ExecutionNoted {
				continue
			}
			mem, _, err := f.loadMemory(ctx, e.Execution)
			if err != nil {
				return nil, err
			}
			if mem.LeftBy != "" {
				ids = append(ids, mem.LeftBy)
			}
		}
	}
	return ids, nil
}
