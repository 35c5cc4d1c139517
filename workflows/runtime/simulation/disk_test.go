package simulation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// disk is what outlives processes: the real store, or one in memory.
type disk interface {
	runtime.Store
	runtime.History
	runtime.Inbox
	runtime.Memos
	retention.Rows
	// Check says what is wrong with what is stored.
	Check(ctx context.Context) ([]string, error)
}

// boltEvery is which share of the seeds runs on the real store.
const boltEvery = 16

func newDisk(t *testing.T, seed uint64) (d disk, kind string) {
	if seed%boltEvery != 0 {
		return newMemory(), "memory"
	}
	db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{NoSync: true, MapSize: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return db, "bbolt"
}

// memory is a store without a file. Everything in it is bytes, so that nobody
// shares memory through it. world.mu guards it.
type memory struct {
	frames      []row
	of          map[string][]int // the frames of a pipeline
	checkpoints map[string]runtime.Checkpoint
	executions  map[string]*sheet
	numbers     map[string][]string // IDs of a pipeline, by number from 1
	successes   map[string][]string // IDs by pipeline and stage, oldest first
	receipts    map[string]work.Receipt
	memos       map[string]map[string][]byte
}

// row is a frame as stored.
type row struct {
	pipeline string
	seq      uint64
	prev     string
	hash     string
	events   []byte
	decoded  []event.Event // of events, once somebody has read them: nobody may write to what is read
}

// sheet is an execution's row as stored, and as read: nobody may write to that.
type sheet struct {
	raw     []byte
	decoded *workflows.Execution
}

func (s *sheet) read() workflows.Execution {
	if s.decoded == nil {
		e := parsed[workflows.Execution](s.raw)
		s.decoded = &e
	}
	return *s.decoded
}

func newMemory() *memory {
	return &memory{
		of: map[string][]int{}, checkpoints: map[string]runtime.Checkpoint{}, executions: map[string]*sheet{}, numbers: map[string][]string{},
		successes: map[string][]string{}, receipts: map[string]work.Receipt{}, memos: map[string]map[string][]byte{},
	}
}

func (m *memory) Commit(_ context.Context, c *runtime.Commit) error {
	last := map[string]uint64{}
	for _, f := range c.Frames {
		if _, known := last[f.Pipeline]; !known {
			last[f.Pipeline] = uint64(len(m.of[f.Pipeline]))
		}
		if f.Seq != last[f.Pipeline]+1 {
			return fmt.Errorf("%s: frame %d after %d: %w", f.Pipeline, f.Seq, last[f.Pipeline], runtime.ErrConflict)
		}
		last[f.Pipeline]++
	}
	claimed := map[string]bool{}
	for _, n := range c.Claims {
		if there, ok := m.receipts[n.Key]; claimed[n.Key] || ok && n.Taken(there) {
			return fmt.Errorf("the receipt %s is there: %w", n.Key, runtime.ErrConflict)
		}
		claimed[n.Key] = true
	}
	for i := range c.Frames {
		f := &c.Frames[i]
		r := row{pipeline: f.Pipeline, seq: f.Seq, events: bytesOf(f.Events)}
		if n := len(m.of[f.Pipeline]); n > 0 {
			r.prev = m.frames[m.of[f.Pipeline][n-1]].hash
		}
		sum := sha256.Sum256(append([]byte(fmt.Sprintf("%s %d %s ", r.pipeline, r.seq, r.prev)), r.events...))
		r.hash = hex.EncodeToString(sum[:])
		m.of[f.Pipeline] = append(m.of[f.Pipeline], len(m.frames))
		m.frames = append(m.frames, r)
		f.Feed, f.Prev, f.Hash = uint64(len(m.frames)), r.prev, r.hash
	}
	for _, cp := range c.Checkpoints {
		m.checkpoints[cp.Pipeline] = cp
	}
	for _, due := range c.Dues {
		cp := m.checkpoints[due.Pipeline]
		cp.Due = due.At
		m.checkpoints[due.Pipeline] = cp
	}
	for i := range c.Executions {
		m.keep(&c.Executions[i])
	}
	for _, s := range c.Successes {
		key := s.Pipeline + "/" + s.Stage
		m.successes[key] = append(slices.DeleteFunc(m.successes[key], func(id string) bool { return id == s.Execution }), s.Execution)
	}
	for _, n := range c.Claims {
		m.receipts[n.Key] = n.Receipt
	}
	for _, r := range c.Receipts {
		m.receipts[r.Key] = r
	}
	for _, n := range c.Memos {
		if m.memos[n.Owner] == nil {
			m.memos[n.Owner] = map[string][]byte{}
		}
		if m.memos[n.Owner][n.Key] = slices.Clone(n.Value); len(n.Value) == 0 {
			delete(m.memos[n.Owner], n.Key)
		}
	}
	for _, id := range c.Removed {
		m.remove(id)
	}
	return nil
}

func (m *memory) keep(e *workflows.Execution) {
	m.executions[e.ID] = &sheet{raw: bytesOf(e)}
	for len(m.numbers[e.Pipeline]) < e.Number {
		m.numbers[e.Pipeline] = append(m.numbers[e.Pipeline], "")
	}
	m.numbers[e.Pipeline][e.Number-1] = e.ID
}

func bytesOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// written is a state as its checkpoint is.
func written(s *machine.State) []byte {
	b, err := checkpoint.Encode(s)
	if err != nil {
		panic(err)
	}
	return b
}

func parsed[T any](b []byte) (v T) {
	if err := json.Unmarshal(b, &v); err != nil {
		panic(err)
	}
	return v
}

func (m *memory) frame(i int) event.Frame {
	r := &m.frames[i]
	if r.decoded == nil {
		r.decoded = parsed[[]event.Event](r.events)
	}
	return event.Frame{Pipeline: r.pipeline, Seq: r.seq, Feed: uint64(i + 1), Events: slices.Clip(r.decoded), Prev: r.prev, Hash: r.hash}
}

func (m *memory) Load(ctx context.Context, pipeline string) (runtime.Checkpoint, []event.Frame, error) {
	cp := m.checkpoints[pipeline]
	frames, err := m.Frames(ctx, pipeline, cp.Seq, len(m.frames))
	return cp, frames, err
}

func (m *memory) Pipelines(context.Context) (heads []runtime.Head, err error) {
	for _, name := range slices.Sorted(maps.Keys(m.of)) {
		heads = append(heads, runtime.Head{Pipeline: name, Last: uint64(len(m.of[name])), Due: m.checkpoints[name].Due})
	}
	return heads, nil
}

func (m *memory) Reopen(context.Context) error { return nil }
func (m *memory) Close() error                 { return nil }

// Check finds out whether somebody has written to what they had read.
func (m *memory) Check(context.Context) (wrong []string, _ error) {
	for _, r := range m.frames {
		if r.decoded != nil && !bytes.Equal(bytesOf(r.decoded), r.events) {
			wrong = append(wrong, fmt.Sprintf("somebody has changed %s/%d after reading it", r.pipeline, r.seq))
		}
	}
	for id, row := range m.executions {
		if row.decoded != nil && !bytes.Equal(bytesOf(row.decoded), row.raw) {
			wrong = append(wrong, "somebody has changed the execution "+id+" after reading it")
		}
	}
	return wrong, nil
}

func (m *memory) Execution(_ context.Context, id string) (e workflows.Execution, ok bool, err error) {
	row, ok := m.executions[id]
	if ok {
		e = row.read()
	}
	return e, ok, nil
}

func (m *memory) Executions(_ context.Context, q record.Query) (all []workflows.Execution, err error) {
	ids := m.numbers[q.Pipeline]
	for i := len(ids) - 1; i >= 0 && len(all) < q.Limit; i-- {
		if ids[i] == "" || q.Before > 0 && i+1 >= q.Before {
			continue
		}
		if q.SucceededInStage != "" && !slices.Contains(m.successes[q.Pipeline+"/"+q.SucceededInStage], ids[i]) {
			continue
		}
		if e := m.executions[ids[i]].read(); q.Status == "" || e.Status == q.Status {
			all = append(all, e)
		}
	}
	return all, nil
}

func (m *memory) Resolve(_ context.Context, ref string) (ids []string, err error) {
	if _, ok := m.executions[ref]; ok {
		return []string{ref}, nil
	}
	if pipeline, number, ok := strings.Cut(ref, "#"); ok {
		n := 0
		if _, err := fmt.Sscan(number, &n); err == nil && n > 0 && n <= len(m.numbers[pipeline]) && m.numbers[pipeline][n-1] != "" {
			ids = append(ids, m.numbers[pipeline][n-1])
		}
	}
	return ids, nil
}

func (m *memory) Frames(_ context.Context, pipeline string, after uint64, limit int) (frames []event.Frame, err error) {
	of := m.of[pipeline]
	for i := after; i < uint64(len(of)) && len(frames) < limit; i++ {
		frames = append(frames, m.frame(of[i]))
	}
	return frames, nil
}

func (m *memory) Feed(_ context.Context, after uint64, limit int) (frames []event.Frame, err error) {
	for i := after; i < uint64(len(m.frames)) && len(frames) < limit; i++ {
		frames = append(frames, m.frame(int(i)))
	}
	return frames, nil
}

func (m *memory) Receipt(_ context.Context, key string) (work.Receipt, bool, error) {
	r, ok := m.receipts[key]
	return r, ok, nil
}

func (m *memory) Pending(_ context.Context, source string) (all []work.Receipt, err error) {
	for _, key := range slices.Sorted(maps.Keys(m.receipts)) {
		if r := m.receipts[key]; (source == "" || r.Source == source) && !r.Done {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b work.Receipt) int { return a.At.Compare(b.At) })
	return all, nil
}

func (m *memory) Forget(_ context.Context, before time.Time, limit int) (n int, err error) {
	for _, key := range slices.Sorted(maps.Keys(m.receipts)) {
		if r := m.receipts[key]; r.Done && r.At.Before(before) && n < limit {
			delete(m.receipts, key)
			n++
		}
	}
	return n, nil
}

func (m *memory) Memo(_ context.Context, owner, key string) ([]byte, bool, error) {
	v, ok := m.memos[owner][key]
	return v, ok, nil
}

func (m *memory) List(_ context.Context, owner, prefix string) (all []runtime.Memo, err error) {
	for _, key := range slices.Sorted(maps.Keys(m.memos[owner])) {
		if strings.HasPrefix(key, prefix) {
			all = append(all, runtime.Memo{Owner: owner, Key: key, Value: m.memos[owner][key]})
		}
	}
	return all, nil
}

func (m *memory) ListAfter(ctx context.Context, owner, prefix, after string, limit int) ([]runtime.Memo, error) {
	all, err := m.List(ctx, owner, prefix)
	return page(all, after, limit), err
}

// page is what comes after a key, at most limit.
func page(all []runtime.Memo, after string, limit int) []runtime.Memo {
	all = slices.DeleteFunc(all, func(m runtime.Memo) bool { return m.Key <= after })
	return all[:min(limit, len(all))]
}
