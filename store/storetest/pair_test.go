package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// shared is a store of several members in memory, as a database would be.
type shared struct {
	mu     sync.Mutex
	rows   plainStore
	hashes map[string]string // of the last frame, by pipeline
	fenced map[string]bool   // members that were given up
}

// faults are what a store can do wrong that one member alone never notices.
type faults struct {
	trustsMemory  bool // frames are checked against what the handle remembers
	trustsClaims  bool // claims are checked against what the handle has seen
	halves        bool // rows are written before it is known whether all can be
	ignoresFence  bool
	forgetsFence  bool // a handle that is opened again is another member
	asksFirst     bool // a conflict is found before the fence
	doubleNumbers bool // the feed is counted by every handle
}

// handle is a member's.
type handle struct {
	*shared
	faults
	Retention // nil: the stories of two members do not ask
	member    string
	last      map[string]uint64 // as remembered
	seen      map[string]work.Receipt
	feed      uint64
}

func (h *handle) Commit(_ context.Context, c *record.Commit) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.halves {
		h.rows.commit(&record.Commit{Memos: c.Memos})
	}
	taken := h.conflict(c)
	switch {
	case h.asksFirst && taken != nil:
		return taken
	case h.shared.fenced[h.member] && !h.ignoresFence:
		return fmt.Errorf("member %s: %w", h.member, record.ErrFenced)
	case taken != nil:
		return taken
	}
	if !h.doubleNumbers {
		h.feed = uint64(len(h.rows.feed))
	}
	for i := range c.Frames {
		f := &c.Frames[i]
		h.feed++
		sum := sha256.Sum256(fmt.Append(nil, f.Pipeline, f.Seq, h.feed))
		f.Feed, f.Prev, f.Hash = h.feed, h.hashes[f.Pipeline], hex.EncodeToString(sum[:])
		h.hashes[f.Pipeline], h.last[f.Pipeline] = f.Hash, f.Seq
	}
	for _, n := range c.Claims {
		h.seen[n.Key] = n.Receipt
	}
	h.rows.commit(c)
	return nil
}

func (h *handle) conflict(c *record.Commit) error {
	last, there := maps.Clone(h.rows.last), maps.Clone(h.rows.receipts)
	if h.trustsMemory {
		last = maps.Clone(h.last)
	}
	if h.trustsClaims {
		there = maps.Clone(h.seen)
	}
	for _, f := range c.Frames {
		if last[f.Pipeline]++; f.Seq != last[f.Pipeline] {
			return &record.Conflict{Pipeline: f.Pipeline}
		}
	}
	for _, n := range c.Claims {
		if r, ok := there[n.Key]; ok && n.Taken(r) {
			return &record.Conflict{Claim: n.Key}
		}
		there[n.Key] = n.Receipt
	}
	return nil
}

func (h *handle) Fence(_ context.Context, member string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shared.fenced[member] = true
	return nil
}

func (h *handle) Reopen(context.Context) error {
	if h.forgetsFence {
		h.member += ", again"
	}
	return nil
}

func (h *handle) Load(_ context.Context, pipeline string) (record.Checkpoint, []event.Frame, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[pipeline] = h.rows.last[pipeline]
	return h.rows.checkpoints[pipeline], h.rows.frames(pipeline, 0), nil
}

func (h *handle) Feed(context.Context, uint64, int) ([]event.Frame, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.rows.feed), nil
}

func (h *handle) Execution(_ context.Context, id string) (workflows.Execution, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.rows.executions[id]
	return e, ok, nil
}

func (h *handle) Receipt(_ context.Context, key string) (work.Receipt, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.rows.receipts[key]
	return r, ok, nil
}

func (h *handle) Pending(_ context.Context, source string) (all []work.Receipt, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range h.rows.waiting(source) {
		all = append(all, h.rows.receipts[key])
	}
	return all, nil
}

func (h *handle) Forget(_ context.Context, before time.Time, _ int) (n int, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, r := range h.rows.receipts {
		if r.Done && r.At.Before(before) {
			delete(h.rows.receipts, key)
			n++
		}
	}
	return n, nil
}

func (h *handle) Memo(_ context.Context, owner, key string) ([]byte, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.rows.memos[[2]string{owner, key}]
	if !ok {
		return nil, false, nil
	}
	return []byte(v), true, nil
}

// What the stories of two members do not ask.

func (h *handle) Pipelines(context.Context) ([]record.Head, error)            { return nil, nil }
func (h *handle) Close() error                                                { return nil }
func (h *handle) Resolve(context.Context, string) ([]string, error)           { return nil, nil }
func (h *handle) List(context.Context, string, string) ([]record.Memo, error) { return nil, nil }
func (h *handle) ListAfter(context.Context, string, string, string, int) ([]record.Memo, error) {
	return nil, nil
}
func (h *handle) Executions(context.Context, record.Query) ([]workflows.Execution, error) {
	return nil, nil
}
func (h *handle) Frames(context.Context, string, uint64, int) ([]event.Frame, error) { return nil, nil }

// jury is a judge that keeps to itself what it finds.
type jury struct{ found []string }

func (*jury) Helper()                          {}
func (j *jury) Error(a ...any)                 { j.found = append(j.found, fmt.Sprint(a...)) }
func (j *jury) Errorf(format string, a ...any) { j.found = append(j.found, fmt.Sprintf(format, a...)) }
func (j *jury) Fatal(a ...any)                 { j.Error(a...); runtime.Goexit() }
func (j *jury) Fatalf(format string, a ...any) { j.Errorf(format, a...); runtime.Goexit() }

// playIn plays a story about two members of a store with faults, and returns what it found.
func playIn(wrong faults, story func(*pair)) []string {
	s := &shared{hashes: map[string]string{}, fenced: map[string]bool{}, rows: plainStore{last: map[string]uint64{}, checkpoints: map[string]record.Checkpoint{},
		executions: map[string]workflows.Execution{}, successes: map[record.Success]bool{}, receipts: map[string]work.Receipt{}, memos: map[[2]string]string{}}}
	verdict := &jury{}
	p := &pair{judge: verdict, together: true, stores: map[string]Store{}, open: func(member string) Store {
		return &handle{shared: s, faults: wrong, member: member, last: map[string]uint64{}, seen: map[string]work.Receipt{}}
	}}
	var told sync.WaitGroup
	told.Go(func() { story(p) })
	told.Wait()
	return verdict.found
}

// The stories about two members find what one member's memory would hide, and
// nothing where there is nothing to be found.
func TestPairStories(t *testing.T) {
	for name, c := range map[string]struct {
		wrong faults
		found []func(*pair) // the stories that must find it
	}{
		"nothing wrong":                    {},
		"frames are checked from memory":   {faults{trustsMemory: true}, []func(*pair){moved}},
		"claims are checked from memory":   {faults{trustsClaims: true}, []func(*pair){claimed, meeting}},
		"a refused commit leaves its half": {faults{halves: true}, []func(*pair){moved, claimed, fenced}},
		"no fence":                         {faults{ignoresFence: true}, []func(*pair){fenced}},
		"a fence that reopening opens":     {faults{forgetsFence: true}, []func(*pair){fenced}},
		"the fence comes after the log":    {faults{asksFirst: true}, []func(*pair){fenced}},
		"every member counts for itself":   {faults{doubleNumbers: true}, []func(*pair){moved}},
	} {
		for _, s := range pairStories {
			must := slices.ContainsFunc(c.found, func(f func(*pair)) bool { return fmt.Sprintf("%p", f) == fmt.Sprintf("%p", s.play) })
			found := playIn(c.wrong, s.play)
			if must && len(found) == 0 {
				t.Errorf("%s: the story %q does not notice", name, s.name)
			}
			if c.found == nil && len(found) > 0 {
				t.Errorf("%s: the story %q complains: %q", name, s.name, found)
			}
		}
	}
}
