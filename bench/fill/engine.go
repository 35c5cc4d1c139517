package fill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// me is the principal of the API token that the benchmarks use.
func me() workflows.Principal { return workflows.Principal{ID: "token:me", Name: "me", Via: "api"} }

// engine is the real engine over a folder; nothing is synced.
type engine struct {
	*runtime.Engine
	db   *store.DB
	stop func() error
}

// start opens the folder and runs an engine on it, whose clock is behind by so much.
func start(ctx context.Context, dir string, behind time.Duration) (*engine, error) {
	disk, err := files.Open(dir, files.Options{})
	if err != nil {
		return nil, err
	}
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	src := &source{}
	e, err := runtime.New(runtime.Options{Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Host: disk.Host(),
		Runners: map[string]runtime.Runner{"Git": src, "Wait": ended{}},
		Policy:  &access.Policy{Tokens: map[string][]workflows.Verb{"me": {workflows.View, workflows.Start, workflows.Approve}}},
		Log:     slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(-behind) }})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	run := &engine{Engine: e, db: db, stop: func() error { cancel(); return errors.Join(<-done, db.Close()) }}
	select {
	case <-e.Ready():
		return run, nil
	case err := <-done:
		done <- nil
		return nil, errors.Join(err, run.stop())
	}
}

// define applies a pipeline file, as a service that finds it at path does.
func (e *engine) define(ctx context.Context, path, text string) error {
	p, faults := spec.Parse(path, []byte(text))
	if p == nil {
		return fmt.Errorf("%s: %v", path, faults)
	}
	_, err := e.Submit(ctx, workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "file:" + path}, workflows.EnginePrincipal())
	return err
}

// park starts one execution of each pipeline, and returns once all wait at their gate.
func (e *engine) park(ctx context.Context, names []string) error {
	err := each(names, func(name string) error {
		_, err := e.Submit(ctx, workflows.Intent{Verb: workflows.Start, Pipeline: name}, me())
		return err
	})
	if err != nil {
		return err
	}
	return e.until(ctx, names, func(x *workflows.Execution) bool { _, _, open := gate(x); return open })
}

// finish approves the newest execution of each pipeline, and returns once all have ended.
func (e *engine) finish(ctx context.Context, names []string) error {
	err := each(names, func(name string) error {
		x, err := e.newest(ctx, name)
		if err != nil {
			return err
		}
		stage, token, _ := gate(&x)
		_, err = e.Submit(ctx, workflows.Intent{Verb: workflows.Approve, Pipeline: name, Execution: x.ID, Stage: stage, Gate: token}, me())
		return err
	})
	if err != nil {
		return err
	}
	return e.until(ctx, names, func(x *workflows.Execution) bool { return x.Status.Final() })
}

// until waits for the newest execution of each pipeline to be so: it looks
// again whenever something has been committed.
func (e *engine) until(ctx context.Context, names []string, so func(*workflows.Execution) bool) error {
	for _, name := range names {
		for {
			head, err := e.Head(ctx)
			if err != nil {
				return err
			}
			x, err := e.newest(ctx, name)
			if err != nil {
				return err
			}
			if so(&x) {
				break
			}
			if x.Status.Final() {
				return fmt.Errorf("%s ended as %s", x.Ref(), x.Status)
			}
			if _, err := e.Feed(ctx, workflows.EnginePrincipal(), head, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *engine) newest(ctx context.Context, name string) (workflows.Execution, error) {
	all, err := e.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: name, Limit: 1})
	if err != nil || len(all) == 0 {
		return workflows.Execution{}, errors.Join(err, fmt.Errorf("%s has no execution", name))
	}
	return all[0], nil
}

// gate is the open gate of an execution.
func gate(x *workflows.Execution) (stage, token string, open bool) {
	for _, s := range x.Stages {
		for _, a := range s.Actions {
			if a.Approval != nil && a.Approval.Closed == "" {
				return s.Name, a.Approval.Token, true
			}
		}
	}
	return "", "", false
}

// each does something for every name, some at a time, and returns the first error.
func each(names []string, do func(name string) error) error {
	work := make(chan string)
	failed := make(chan error, 1)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for name := range work {
				if err := do(name); err != nil {
					select {
					case failed <- fmt.Errorf("%s: %w", name, err):
					default:
					}
				}
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
