package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// looks says when pipelines in AWS were last seen. It is in memory only: a look that
// sees nothing new is not recorded, and every process looks for itself.
type looks struct {
	mu  sync.Mutex
	all map[string]*look
}

// look is what is known of the looks at one pipeline.
type look struct {
	taking sync.Mutex // one look at a time is taken in

	mu   sync.Mutex
	at   time.Time // when the newest look began
	seen time.Time // when the newest that saw something did
}

func (l *looks) of(pipeline string) *look {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]*look{}
	}
	if l.all[pipeline] == nil {
		l.all[pipeline] = &look{}
	}
	return l.all[pipeline]
}

// older says whether a look began before one that was taken in already.
func (k *look) older(at time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return at.Before(k.at)
}

func (k *look) taken(seen *work.Snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at = seen.At; seen.Lost == nil {
		k.seen = seen.At
	}
}

// since is when the pipeline was last seen; nil: not yet by this process.
func (k *look) since() *time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen.IsZero() {
		return nil
	}
	at := k.seen
	return &at
}

// Observe takes in what a bridge saw of a pipeline that stays in AWS CodePipeline,
// whose definition an edit has put in force before. It answers once what follows is
// durable. A look that began before one that was taken in changes nothing. After an
// error the same look may be given again.
func (e *Engine) Observe(ctx context.Context, seen work.Snapshot) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	l := e.looks.of(seen.Pipeline)
	l.taking.Lock()
	defer l.taking.Unlock()
	if l.older(seen.At) {
		return nil
	}
	if err := e.read(ctx, seen.Pipeline, func(s *machine.State) error { return isBridged(s) }); err != nil {
		return err
	}
	got := e.decider.Submit(ctx, decider.Request{Pipeline: seen.Pipeline, By: workflows.EnginePrincipal(), Snapshot: &seen})
	if got.Err == nil {
		l.taken(&seen)
	}
	return got.Err
}

// isBridged refuses a pipeline that is not known to be in AWS.
func isBridged(s *machine.State) error {
	if p := s.Definitions[s.Version]; p != nil && p.Bridge != nil && !s.Archived {
		return nil
	}
	return workflows.Refuse(workflows.CodePipelineNotFound, "its definition is applied first", "there is no bridged pipeline %s", s.Name)
}

// addLook says in a view when the pipeline was last seen.
func (e *Engine) addLook(v *workflows.PipelineView) {
	if v.Bridge == nil || v.Bridge.Error != nil {
		return
	}
	if at := e.looks.of(v.Name).since(); at != nil {
		b := *v.Bridge
		b.SeenAt, v.Bridge = at, &b
	}
}
