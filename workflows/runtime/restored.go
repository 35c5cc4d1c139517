package runtime

import (
	"context"
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// restoredKey is the engine's memo with the token of the newest restore that was taken up.
const restoredKey = "restored"

// takeUpRestore lets nothing go on by itself that a backup says was under way:
// first every pipeline decides about the restore, then, in one commit, followers
// are put at the head, open receipts are closed, and the restore counts as taken
// up. Killed in between, the next start does what is missing. It comes before
// anything else is decided, carried out or told, and returns the heads of then.
func (e *Engine) takeUpRestore(ctx context.Context, heads []Head) ([]Head, error) {
	r := e.o.Restored
	if r.Epoch == 0 {
		return heads, nil
	}
	token, _, err := e.o.Memos.Memo(ctx, owner, restoredKey)
	if err != nil || string(token) == r.Token {
		return heads, err
	}
	if err := e.decider.TakeUp(ctx, r, heads); err != nil {
		return nil, err
	}
	from := "rollcall was restored from a backup of " + words.Moment(r.Backup)
	if err := e.forget(ctx, from); err != nil {
		return nil, err
	}
	if err := e.sayInDoubt(ctx, from, heads); err != nil {
		return nil, err
	}
	return e.decider.Load(ctx)
}

// forget puts followers at the head and closes open receipts; with that the
// restore is taken up.
func (e *Engine) forget(ctx context.Context, why string) error {
	open, err := e.o.Inbox.Pending(ctx, "")
	if err != nil {
		return fmt.Errorf("look for open receipts: %w", err)
	}
	rows, err := inbound.Void(ctx, e.o.Memos, open, why)
	if err != nil {
		return err
	}
	head, err := e.feed.Head(ctx)
	if err != nil {
		return err
	}
	followers, err := following.AtHead(ctx, e.o.Memos, head)
	if err != nil {
		return err
	}
	rows.Memos = append(append(rows.Memos, followers...), Memo{Owner: owner, Key: restoredKey, Value: []byte(e.o.Restored.Token)})
	if err := e.decider.Persist(ctx, rows); err != nil {
		return err
	}
	for _, one := range open {
		e.log.Warn("a request that was open in the backup is closed without effect", "source", one.Source, "receipt", one.Key, "at", one.At)
	}
	return nil
}

// sayInDoubt names what a person has to look at after a restore.
func (e *Engine) sayInDoubt(ctx context.Context, from string, heads []Head) error {
	inDoubt := 0
	for _, h := range heads {
		s, _, err := e.decider.Fold(ctx, h.Pipeline)
		if err != nil {
			return err
		}
		for _, x := range s.Unfinished() {
			inDoubt += e.sayOpen(&x)
		}
	}
	e.log.Warn(from+"; nothing goes on by itself that was under way then", "pipelines", len(heads), "in_doubt", inDoubt)
	return nil
}

// sayOpen names what is in doubt in an execution, and says how much that is.
func (e *Engine) sayOpen(x *workflows.Execution) (inDoubt int) {
	for _, st := range x.Stages {
		for _, a := range st.AllActions() {
			if a.Needs == workflows.NeedsResolve {
				inDoubt++
				e.log.With(words.LogAttrs(x.Ref(), st.Name, a.Name)...).Warn("whether this ran is not known; resolve it")
			}
		}
	}
	return inDoubt
}
