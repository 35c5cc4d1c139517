package feedback

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/workflows"
)

// follower is what all that report to GitHub have in common.
type follower struct {
	Options
	client *github.Client
	name   string
}

// newFollower checks the options; its errors are *workflows.Problem.
func newFollower(name string, o Options) (follower, error) {
	c, err := o.complete()
	return follower{o, c, name}, err
}

// Name is the follower's name.
func (f *follower) Name() string { return f.name }

// keeper is one that lets as many executions wait, and as long, as is usual here.
func (f *follower) keeper(what string, update func(ctx context.Context, id string, waits bool, blocked blocks) (left, err error)) *keeper {
	return &keeper{what: what, notes: f.Notes, now: f.Now, log: f.Log, pause: statusPause, most: mostWaiting, update: update}
}

// read reads a memo; without one, into stays as it is.
func (f *follower) read(ctx context.Context, key string, into any) error {
	raw, ok, err := f.Notes.Memo(ctx, key)
	if err == nil && ok {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return fmt.Errorf("reading the memo %s of %s: %w", key, f.name, err)
	}
	return nil
}

// note writes a memo; nil deletes it.
func (f *follower) note(ctx context.Context, key string, value any) (err error) {
	var raw []byte
	if value != nil {
		raw, err = json.Marshal(value)
	}
	if err == nil {
		err = f.Notes.Note(ctx, key, raw)
	}
	if err != nil {
		return fmt.Errorf("noting %s of %s: %w", key, f.name, err)
	}
	return nil
}

// perExecution is a follower with one memo for each execution.
type perExecution struct{ follower }

// ExecutionMemos is the memo of an execution: it goes with it.
func (perExecution) ExecutionMemos(x *workflows.Execution) []string {
	return []string{executionKey(x.ID)}
}

func executionKey(execution string) string { return "execution/" + execution }
