package following

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	followPrefix = "follow/" // NAME: the feed position up to which everything is done or in a retry row
	retryPrefix  = "retry/"  // NAME/PIPELINE: a pipeline that is behind

	saveEvery  = time.Second     // at most so often a position goes with somebody else's commit
	saveWithin = 3 * time.Second // and after so long it makes a commit of its own
)

// retryRow is what a restart must know of a pipeline that is behind, or that
// the follower has not finished with.
type retryRow struct {
	After    uint64 `json:"after"` // Seq of the last frame that was accepted
	Failures int    `json:"failures"`
	Taken    bool   `json:"taken,omitempty"` // it is not behind: the follower has notes of its own
}

// load reads how far the follower has come. A new one starts at the head: what
// happened before it came is not its business.
func (w *worker) load(ctx context.Context) error {
	value, ok, err := w.o.Memos.Memo(ctx, record.RuntimeOwner, followPrefix+w.name)
	if err != nil {
		return err
	}
	var at uint64
	if ok {
		if at, err = strconv.ParseUint(string(value), 10, 64); err != nil {
			return fmt.Errorf("read its position: %w", err)
		}
	} else {
		if at, err = w.feed.Head(ctx); err != nil {
			return err
		}
		if err := w.o.Commits.Persist(ctx, record.Commit{Memos: []record.Memo{w.positionMemo(at)}}); err != nil {
			return err
		}
	}
	memos, err := w.o.Memos.List(ctx, record.RuntimeOwner, retryPrefix+w.name+"/")
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read, w.saved = at, at
	for _, m := range memos {
		row := &retryRow{}
		if err := json.Unmarshal(m.Value, row); err != nil {
			return fmt.Errorf("read %s: %w", m.Key, err)
		}
		pipeline := strings.TrimPrefix(m.Key, retryPrefix+w.name+"/")
		w.rows[pipeline] = row
		seen, _ := w.o.States.Last(pipeline)
		w.lanes[pipeline] = &lane{pipeline: pipeline, seen: seen, accepted: row.After, behind: !row.Taken, unfinished: true}
	}
	return nil
}

// position returns the memos that say how far the follower is, and what to call
// with the end of the commit that holds them; nil when they are not worth a
// place in it. The position never passes a frame that is still in a lane. A lane
// that is behind does not stop it: its retry row becomes durable in the same
// commit as the position that passes it, or earlier.
func (w *worker) position(last bool) (memos []record.Memo, onCommit func(err error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	moment := w.o.Now()
	if !last && moment.Sub(w.savedAt) < saveEvery {
		return nil, nil
	}
	at := w.done()
	if at == w.saved && len(w.changed) == 0 {
		return nil, nil
	}
	rows := w.changed
	w.changed = map[string]bool{}
	memos = append(memos, w.positionMemo(at))
	for pipeline := range rows {
		var value any // none: the row goes
		if row := w.rows[pipeline]; row != nil {
			value = row
		}
		memos = append(memos, record.NewMemo(record.RuntimeOwner, retryPrefix+w.name+"/"+pipeline, value))
	}
	w.savedAt = moment
	return memos, func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil {
			w.saved = at
			return
		}
		for pipeline := range rows {
			w.changed[pipeline] = true
		}
	}
}

func (w *worker) positionMemo(at uint64) record.Memo {
	return record.Memo{Owner: record.RuntimeOwner, Key: followPrefix + w.name, Value: strconv.AppendUint(nil, at, 10)}
}

// done is the feed position up to which nothing is left in a lane. w.mu is locked.
func (w *worker) done() uint64 {
	at := w.read
	for _, l := range w.lanes {
		if len(l.frames) > 0 {
			at = min(at, l.frames[0].Feed-1)
		}
	}
	return at
}

// saveLater has the position saved by a commit of its own, should nobody else commit. w.mu is locked.
func (w *worker) saveLater() {
	if w.waiting || w.ctx.Err() != nil {
		return
	}
	w.waiting = true
	w.o.Timers.Set("save/"+w.name, w.o.Now().Add(saveWithin), func() {
		w.mu.Lock()
		w.waiting = false
		due := w.done() != w.saved || len(w.changed) > 0
		w.mu.Unlock()
		if due {
			w.o.Commits.RequestCommit()
		}
	})
}
