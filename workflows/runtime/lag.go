package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
)

// Lag is how far a follower is behind; see package following.
type Lag = following.Lag

// OpenGates counts the gates that are open; oldest is when the first of them
// opened, zero when there is none. It reads no state.
func (e *Engine) OpenGates(ctx context.Context) (n int, oldest time.Time, err error) {
	if err := e.wait(ctx); err != nil {
		return 0, oldest, err
	}
	memos, err := e.o.Memos.List(ctx, owner, openGatePrefix)
	if err != nil {
		return 0, oldest, e.unreadable(err, "the open approvals")
	}
	for _, m := range memos {
		var g struct {
			OpenedAt time.Time `json:"openedAt"`
		}
		if err := json.Unmarshal(m.Value, &g); err != nil {
			return 0, oldest, e.unreadable(fmt.Errorf("read %s: %w", m.Key, err), "the open approvals")
		}
		if oldest.IsZero() || g.OpenedAt.Before(oldest) {
			oldest = g.OpenedAt
		}
	}
	return len(memos), oldest, nil
}

// FollowerLag says by name how far the followers are behind what was committed.
func (e *Engine) FollowerLag(ctx context.Context) (map[string]Lag, error) {
	head, err := e.Head(ctx)
	if err != nil {
		return nil, err
	}
	return e.followers.Lags(head), nil
}
