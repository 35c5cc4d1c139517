package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	statusPause = 30 * time.Second // at most, between tries: whoever mends something sees it work
	mostWaiting = 100              // executions of a pipeline; the oldest gives way
)

// queue is the memo of the executions whose statuses GitHub has not taken yet,
// oldest first.
type queue struct {
	Waiting []string  `json:"waiting"`
	Rounds  int       `json:"rounds,omitempty"` // by the clock, in which nothing was taken
	Again   time.Time `json:"again,omitzero"`

	key    string
	stored bool
}

func (s *Statuses) loadQueue(ctx context.Context, pipeline string) (*queue, error) {
	q := &queue{key: "queue/" + url.PathEscape(pipeline)}
	raw, ok, err := s.Notes.Memo(ctx, q.key)
	if err == nil && ok {
		q.stored, err = true, json.Unmarshal(raw, q)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which commit statuses wait: %w", err)
	}
	return q, nil
}

// order is what waits and what has happened, each once; what is new comes first.
func (q *queue) order(happened []string) []string {
	happened = slices.DeleteFunc(happened, func(id string) bool { return slices.Contains(q.Waiting, id) })
	return append(happened, q.Waiting...)
}

// saveQueue notes what is left, and asks to be called again while anything is.
func (s *Statuses) saveQueue(ctx context.Context, q *queue, left []string, due bool, cause error) error {
	if len(left) == 0 && !q.stored {
		return nil
	}
	if due {
		if q.Rounds++; len(left) < len(q.Waiting) {
			q.Rounds = 1
		}
		q.Again = s.Now().Add(min(time.Second<<min(q.Rounds-1, 5), statusPause))
	}
	slices.Sort(left) // IDs are ordered by time
	if n := len(left) - mostWaiting; n > 0 {
		s.Log.Warn("too many commit statuses wait for GitHub; the oldest are given up", "pipeline", q.key, "executions", left[:n])
		left = left[n:]
	}
	q.Waiting = left
	var raw []byte // none deletes
	var err error
	if len(left) > 0 {
		raw, err = json.Marshal(q)
	}
	if err == nil {
		err = s.Notes.Note(ctx, q.key, raw)
	}
	if err != nil {
		return fmt.Errorf("noting which commit statuses wait: %w", err)
	}
	if len(left) == 0 {
		return nil
	}
	return &event.Unfinished{Err: cause, After: max(q.Again.Sub(s.Now()), time.Second)}
}
