package bot

import (
	"context"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	logLines    = 30 // of a log that are shown to one person
	defaultTail = 10 // that a failure shows without the pipeline's logTail
)

// tail adds the end of the log of what failed to a view. It checks no right:
// either the pipeline's channel is shown it, as its logTail says, or somebody
// who may read logs.
func (b *Bot) tail(ctx context.Context, v *card.View) {
	lines := defaultTail
	if d := v.Pipeline.Definition; d != nil && d.LogTail != nil {
		lines = *d.LogTail
	}
	at := loggedAction(&v.Execution, workflows.StatusFailed)
	if at.name == "" || lines == 0 || v.Execution.Status != workflows.StatusFailed {
		return
	}
	v.Tail.Stage, v.Tail.Action = at.stage, at.name
	var err error
	if v.Tail.Lines, err = b.engine.Tail(ctx, v.Execution.ID, at.stage, at.name, 0, lines); err != nil {
		b.log.With(words.LogAttrs(v.Execution.Ref(), at.stage, at.name)...).Warn("a failure is reported without its log", "error", err)
	}
}

// viewFor is a view for one person: with what their rights let them do and read.
func (b *Bot) viewFor(ctx context.Context, by workflows.Principal, e workflows.Execution) card.View {
	v := b.view(ctx, by, e)
	if at := loggedAction(&e, workflows.StatusFailed); at.name != "" && b.may(ctx, by, workflows.Logs, e.Pipeline, at.stage) == nil {
		b.tail(ctx, &v)
	}
	if v.Failed != nil {
		if at := loggedAction(&v.Failed.Execution, workflows.StatusFailed); at.name != "" && b.may(ctx, by, workflows.Logs, e.Pipeline, at.stage) == nil {
			b.tail(ctx, v.Failed)
		}
	}
	return v
}

// typedLogs shows the log of the action that was named, else of what failed,
// runs, or ran last.
func (b *Bot) typedLogs(ctx context.Context, by workflows.Principal, c command.Command) (card.Message, error) {
	e, err := b.engine.Execution(ctx, by, c.Execution)
	if err != nil {
		return card.Message{}, err
	}
	at := loggedAction(&e, "")
	if c.Action != "" {
		at = actionOf(&e, c.Action, func(*workflows.ActionExecution) bool { return true })
	}
	if at.name == "" {
		p := &workflows.Problem{Code: workflows.CodeActionNotFound, Message: e.Ref() + " has no action " + c.Action, Hint: "it has " + strings.Join(actionNames(&e), ", ")}
		if c.Action == "" {
			p.Message, p.Hint = "nothing of "+e.Ref()+" has run yet, so there is no log", ""
		}
		return card.Message{}, p
	}
	return b.logs(ctx, by, &e, at)
}

// pressedLogs is the button of a failure.
func (b *Bot) pressedLogs(ctx context.Context, r Request, about card.Subject) error {
	e, err := b.engine.Execution(ctx, r.By, about.Execution)
	if err != nil {
		return err
	}
	m, err := b.logs(ctx, r.By, &e, actionRef{about.Stage, about.Action})
	if err != nil {
		return err
	}
	return b.answerLong(ctx, r, m, e.Ref(), about)
}

// logs shows the end of an action's log to who has the right.
func (b *Bot) logs(ctx context.Context, by workflows.Principal, e *workflows.Execution, at actionRef) (card.Message, error) {
	if err := b.may(ctx, by, workflows.Logs, e.Pipeline, at.stage); err != nil {
		return card.Message{}, err
	}
	lines, err := b.engine.Tail(ctx, e.ID, at.stage, at.name, 0, logLines)
	if err != nil {
		return card.Message{}, err
	}
	return card.Log(e, at.stage, at.name, lines), nil
}

// loggedAction is the action whose log says most: the first that failed, else what
// ran last; with a status only the first of that status. Gates have no log.
func loggedAction(e *workflows.Execution, only workflows.Status) actionRef {
	var last actionRef
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range s.AllActions() {
			if a.StartedAt == nil || a.Approval != nil || only != "" && (s.Status != only || a.Status != only) {
				continue
			}
			last = actionRef{s.Name, a.Name}
			if a.Status == workflows.StatusFailed {
				return last
			}
		}
	}
	return last
}
