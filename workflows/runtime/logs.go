package runtime

import (
	"context"
	"errors"
	"io"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
)

// Log opens the log of an action; attempt 0 is the latest. Without a stage the
// action is searched in all of them; without an action it is the one that
// failed, runs, or ran last. The viewer needs the right logs. An action without
// a log has an empty one. The caller closes it.
func (e *Engine) Log(ctx context.Context, viewer workflows.Principal, ref, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	j := e.judge(viewer)
	x, err := e.find(ctx, j, ref)
	if err != nil {
		return nil, err
	}
	at, err := acting.FindLog(&x, stage, action, attempt)
	if err != nil {
		return nil, err
	}
	verdict, err := j.may(ctx, workflows.Logs, access.Resource{Pipeline: x.Pipeline, Stage: at.Stage})
	if err != nil {
		return nil, err
	}
	if !verdict.Allowed {
		return nil, verdict.Refusal()
	}
	if x.ExternalID != "" {
		return e.openOutsideLog(ctx, &x, at)
	}
	log, err := e.o.Objects.OpenLog(x.ID, at.Stage, at.Action, at.Attempt)
	if err != nil {
		return nil, err
	}
	size, err := log.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = log.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = e.logRemoved(&x, at.Action, size)
	}
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return log, nil
}

// Tail returns the last lines of an action's log, at most so many, for those
// who report a failure. It checks no rights.
func (e *Engine) Tail(ctx context.Context, ref, stage, action string, attempt, lines int) ([]string, error) {
	log, err := e.Log(ctx, workflows.EnginePrincipal(), ref, stage, action, attempt)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return acting.LastLines(log, lines)
}
