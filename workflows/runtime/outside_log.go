package runtime

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
)

// OutsideLogs reads logs of actions that ran in AWS, from where they are kept.
type OutsideLogs interface {
	// ActionLog returns the log of an action's latest attempt as it is now, at most
	// 1 MiB of its end; nil: there is none. A *workflows.Problem says in words why it
	// cannot be read.
	ActionLog(ctx context.Context, at workflows.Bridge, x *workflows.Execution, stage string, a *workflows.ActionExecution) ([]byte, error)
}

const (
	outsideLogWithin = 10 * time.Second // that a log may take to be read
	runningLogFresh  = 2 * time.Second  // that the log of a running action is not asked for again
	endedLogFresh    = time.Minute      // the same of one that has ended, or cannot be read
	outsideLogsKept  = 8
)

// outsideLogs are the logs that were read last: a card that is drawn again, or
// somebody who reads along, asks AWS for nothing new.
type outsideLogs struct {
	mu   sync.Mutex
	kept map[outsideLogKey]outsideLog
}

type outsideLogKey struct {
	execution string
	at        acting.Attempt
	ended     bool
}

type outsideLog struct {
	text  []byte
	err   error
	until time.Time
}

// get returns a log that is fresh at a time.
func (l *outsideLogs) get(key outsideLogKey, now time.Time) (outsideLog, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.kept[key]
	return one, ok && now.Before(one.until)
}

// put keeps a log; of too many the one goes that would be stale first.
func (l *outsideLogs) put(key outsideLogKey, one outsideLog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil {
		l.kept = map[outsideLogKey]outsideLog{}
	}
	l.kept[key] = one
	for len(l.kept) > outsideLogsKept {
		oldest := key
		for k, o := range l.kept {
			if o.until.Before(l.kept[oldest].until) {
				oldest = k
			}
		}
		delete(l.kept, oldest)
	}
}

// openOutsideLog reads the log of an action of an execution in AWS.
func (e *Engine) openOutsideLog(ctx context.Context, x *workflows.Execution, at acting.Attempt) (io.ReadSeekCloser, error) {
	a, err := latestAttempt(x, at)
	if err != nil {
		return nil, err
	}
	key := outsideLogKey{execution: x.ID, at: at, ended: a.EndedAt != nil}
	log, ok := e.outsideLogs.get(key, e.o.Now())
	if !ok {
		if log, err = e.readOutsideLog(ctx, x, at.Stage, a); err != nil {
			return nil, err
		}
		e.outsideLogs.put(key, log)
	}
	if log.err != nil {
		return nil, log.err
	}
	return memoryLog{bytes.NewReader(log.text)}, nil
}

// readOutsideLog asks for a log. The error is ctx's; any other is kept with it.
func (e *Engine) readOutsideLog(ctx context.Context, x *workflows.Execution, stage string, a *workflows.ActionExecution) (log outsideLog, err error) {
	view, err := e.Pipeline(ctx, workflows.EnginePrincipal(), x.Pipeline, 0)
	if err != nil {
		return log, err
	}
	if e.o.OutsideLogs == nil || view.Bridge == nil {
		return log, workflows.Refuse(workflows.CodeLogNotFound, "look at it there", "the log of %s in %s is in AWS, and this service does not read there", a.Name, x.Ref())
	}
	within, cancel := context.WithTimeout(ctx, outsideLogWithin)
	defer cancel()
	log.text, log.err = e.o.OutsideLogs.ActionLog(within, *view.Bridge, x, stage, a)
	if ctx.Err() != nil {
		return log, ctx.Err()
	}
	var p *workflows.Problem
	if log.err != nil && !errors.As(log.err, &p) {
		log.err = workflows.Refuse(workflows.CodeAWSUnavailable, "try again in a moment", "the log of %s in %s could not be read from AWS: %v", a.Name, x.Ref(), log.err)
	}
	fresh := runningLogFresh
	if a.EndedAt != nil || log.err != nil {
		fresh = endedLogFresh
	}
	log.until = e.o.Now().Add(fresh)
	return log, nil
}

// latestAttempt is the action whose log is meant: of earlier attempts it is not known where it is.
func latestAttempt(x *workflows.Execution, at acting.Attempt) (*workflows.ActionExecution, error) {
	if st, ok := x.Stage(at.Stage); ok {
		if a, ok := st.Action(at.Action); ok && (at.Attempt == a.Attempt || a.Attempt == 0) {
			return a, nil
		}
	}
	return nil, workflows.Refuse(workflows.CodeLogNotFound, "look at it in AWS", "of %s in %s only the log of the latest attempt can be read", at.Action, x.Ref())
}

// memoryLog is a log that was read whole.
type memoryLog struct{ *bytes.Reader }

// Close has nothing to do.
func (memoryLog) Close() error { return nil }
