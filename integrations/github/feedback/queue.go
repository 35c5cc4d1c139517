package feedback

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	statusPause = 30 * time.Second // at most, between tries: whoever mends something sees it work
	mostWaiting = 100              // executions of a pipeline; the oldest gives way
)

// keeper keeps something on GitHub in step with executions: it renders the
// newest of each. What GitHub does not take now is noted, and tried again by the
// clock; it delays nothing else.
type keeper struct {
	what  string // for people: "commit statuses"
	notes api.Notes
	now   func() time.Time
	log   *slog.Logger
	pause time.Duration // longest between tries
	most  int           // executions of a pipeline that may wait
	// ordered: an older execution comes first, so nothing new is done while one waits.
	ordered bool
	// update brings one execution up to date; waits says that it was tried
	// before. left says why it must be tried again; the error is trouble of our own.
	update func(ctx context.Context, id string, waits bool, blocked blocks) (left, err error)
	// keep says of an execution that waits that it must not be given up; nil: of none.
	keep func(ctx context.Context, id string) (bool, error)
}

// blocks are the repositories that somebody must mend first; "" is all of
// GitHub, which is away or asks to wait.
type blocks map[string]bool

// note notes what a refusal of one repository means for further calls.
func (b blocks) note(repository string, err error) {
	kind := api.Kind(err)
	b[repository] = b[repository] || kind == wire.Fixable
	b[""] = b[""] || kind == wire.Transient && api.Status(err) < 500 // away, or a limit
}

// follow brings the executions of a batch, and those that wait, up to date.
func (m *keeper) follow(ctx context.Context, b event.Batch) error {
	q, err := m.load(ctx, b.Pipeline)
	if err != nil {
		return err
	}
	due := !m.now().Before(q.Again)
	var cause error
	var left []string
	blocked := blocks{}
	order := q.order(b.Executions())
	behind := m.ordered && len(q.Waiting) > 0
	if m.ordered {
		slices.Sort(order) // IDs are ordered by time
	}
	for _, id := range order {
		waits := behind || slices.Contains(q.Waiting, id)
		one := errors.New("GitHub was asked a moment ago")
		if !blocked[""] && (due || !waits) {
			if one, err = m.update(ctx, id, waits, blocked); err != nil {
				return err
			}
		}
		if one != nil {
			cause, left = cmp.Or(cause, one), append(left, id)
		}
	}
	return m.save(ctx, q, left, due, cause)
}

// queue is the memo of the executions of which GitHub has not taken everything
// yet, oldest first.
type queue struct {
	Waiting []string  `json:"waiting"`
	Rounds  int       `json:"rounds,omitempty"` // by the clock, in which nothing was taken
	Again   time.Time `json:"again,omitzero"`

	key    string
	stored bool
}

func (m *keeper) load(ctx context.Context, pipeline string) (*queue, error) {
	q := &queue{key: "queue/" + url.PathEscape(pipeline)}
	raw, ok, err := m.notes.Memo(ctx, q.key)
	if err == nil && ok {
		q.stored, err = true, json.Unmarshal(raw, q)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which %s wait: %w", m.what, err)
	}
	return q, nil
}

// order is what waits and what has happened, each once; what is new comes first.
func (q *queue) order(happened []string) []string {
	happened = slices.DeleteFunc(happened, func(id string) bool { return slices.Contains(q.Waiting, id) })
	return append(happened, q.Waiting...)
}

// save notes what is left, and asks to be called again while anything is.
func (m *keeper) save(ctx context.Context, q *queue, left []string, due bool, cause error) error {
	if len(left) == 0 && !q.stored {
		return nil
	}
	if due {
		if q.Rounds++; len(left) < len(q.Waiting) {
			q.Rounds = 1
		}
		q.Again = m.now().Add(min(time.Second<<min(q.Rounds-1, 5), m.pause, wantedWait(cause)))
	}
	slices.Sort(left) // IDs are ordered by time
	left, err := m.trim(ctx, q, left)
	if err != nil {
		return err
	}
	q.Waiting = left
	var raw []byte // none deletes
	if len(left) > 0 {
		raw, err = json.Marshal(q)
	}
	if err == nil {
		err = m.notes.Note(ctx, q.key, raw)
	}
	if err != nil {
		return fmt.Errorf("noting which %s wait: %w", m.what, err)
	}
	if len(left) == 0 {
		return nil
	}
	return &event.Unfinished{Err: cause, After: max(q.Again.Sub(m.now()), time.Second)}
}

// wantedWait is how long GitHub still wants to be left alone; very long: it does not say.
func wantedWait(err error) time.Duration {
	var later *wire.Later
	if errors.As(err, &later) && later.After > 0 {
		return max(later.After, time.Second)
	}
	return time.Hour
}

// trim gives up the oldest where too many wait, except those that must not be.
func (m *keeper) trim(ctx context.Context, q *queue, left []string) (kept []string, err error) {
	n := len(left) - m.most
	var dropped []string
	for _, id := range left {
		must := len(dropped) >= n
		if !must && m.keep != nil {
			if must, err = m.keep(ctx, id); err != nil {
				return nil, err
			}
		}
		if must {
			kept = append(kept, id)
		} else {
			dropped = append(dropped, id)
		}
	}
	if len(dropped) > 0 {
		m.log.Warn("too many "+m.what+" wait for GitHub; the oldest are given up", "pipeline", q.key, "executions", dropped)
	}
	return kept, nil
}
