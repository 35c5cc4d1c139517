package runtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// disk is a store in memory that outlives engines, as a file outlives processes.
// Everything goes through JSON, so that nobody shares memory through it.
type disk struct {
	mu          sync.Mutex
	frames      []event.Frame // in feed order
	checkpoints map[string]runtime.Checkpoint
	rows        map[string][]byte
	successes   []runtime.Success
	receipts    map[string]work.Receipt
	memos       map[string][]byte    // owner NUL key
	removed     []string             // executions, in their order
	watch       func(*record.Commit) // told of every commit; nil: nobody is
	commits     int
	shapes      []shape // of the commits that were written
}

func newDisk() *disk {
	return &disk{checkpoints: map[string]runtime.Checkpoint{}, rows: map[string][]byte{}, receipts: map[string]work.Receipt{}, memos: map[string][]byte{}}
}

// shape is how much a commit held.
type shape struct{ frames, receipts int }

func (d *disk) made() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.commits
}

func (d *disk) memo(key string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.memos["runtime\x00"+key])
}

var errPower = errors.New("the power went out")

// plug is one engine's connection to a disk. It can be told to break.
type plug struct {
	*disk
	// fault is asked before each commit: "" all is well; "before": nothing is
	// written and an error comes back; "after": it is written and an error
	// comes back all the same; "fenced": another process has taken over.
	fault func(n int) string
	wrote func(n int)   // called after a commit was written, with disk.mu held; nil: nobody wants to know
	slow  time.Duration // what a commit takes
	late  time.Duration // how much later than it is durable it is answered
	pull  sync.Mutex
	dead  bool
	opens int
	loads int
}

// fail sets what happens to the commits from now on; n counts from 1.
func (p *plug) fail(fault func(n int) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.commits
	p.fault = func(n int) string { return fault(n - first) }
}

func (p *plug) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = nil
}

// slower sets what a commit takes from now on.
func (p *plug) slower(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

func (p *plug) kill() {
	p.pull.Lock()
	defer p.pull.Unlock()
	p.dead = true
}

func (p *plug) isDead() bool {
	p.pull.Lock()
	defer p.pull.Unlock()
	return p.dead
}

func (p *plug) Commit(_ context.Context, c *runtime.Commit) error {
	p.mu.Lock()
	slow := p.slow
	p.mu.Unlock()
	<-time.After(slow) // on the clock of the bubble that the world runs in
	err := p.commit(c)
	<-time.After(p.late)
	return err
}

func (p *plug) commit(c *runtime.Commit) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits++
	fault := ""
	if p.fault != nil {
		fault = p.fault(p.commits) // set with disk.mu held
	}
	if fault == "before" || fault == "" && p.isDead() {
		return errPower
	}
	if fault == "fenced" {
		return record.ErrFenced
	}
	if err := p.write(c); err != nil {
		return err
	}
	if p.wrote != nil {
		p.wrote(p.commits)
	}
	if fault == "after" {
		return errPower
	}
	return nil
}

func (d *disk) write(c *runtime.Commit) error {
	last := map[string]uint64{}
	for _, f := range d.frames {
		last[f.Pipeline] = f.Seq
	}
	for _, f := range c.Frames {
		if f.Seq != last[f.Pipeline]+1 {
			return fmt.Errorf("%s: frame %d after %d: %w", f.Pipeline, f.Seq, last[f.Pipeline], runtime.ErrConflict)
		}
		last[f.Pipeline] = f.Seq
	}
	claimed := map[string]bool{}
	for _, n := range c.Claims {
		if there, ok := d.receipts[n.Key]; claimed[n.Key] || ok && n.Taken(there) {
			return fmt.Errorf("the receipt %s is there: %w", n.Key, runtime.ErrConflict)
		}
		claimed[n.Key] = true
	}
	if d.watch != nil {
		d.watch(c)
	}
	for i := range c.Frames {
		c.Frames[i].Feed = uint64(len(d.frames) + 1)
		d.frames = append(d.frames, copied(c.Frames[i]))
	}
	d.shapes = append(d.shapes, shape{frames: len(c.Frames), receipts: len(c.Receipts) + len(c.Claims)})
	for _, cp := range c.Checkpoints {
		d.checkpoints[cp.Pipeline] = cp
	}
	for _, due := range c.Dues {
		cp := d.checkpoints[due.Pipeline]
		cp.Due = due.At
		d.checkpoints[due.Pipeline] = cp
	}
	for _, e := range c.Executions {
		d.rows[e.ID] = must(json.Marshal(e))
	}
	d.successes = append(d.successes, c.Successes...)
	for _, n := range c.Claims {
		d.receipts[n.Key] = n.Receipt
	}
	for _, r := range c.Receipts {
		d.receipts[r.Key] = r
	}
	for _, m := range c.Memos {
		if key := m.Owner + "\x00" + m.Key; len(m.Value) > 0 {
			d.memos[key] = m.Value
		} else {
			delete(d.memos, key)
		}
	}
	for _, id := range c.Removed {
		if e := copied(d.row(id)); e.Status.Final() {
			delete(d.rows, id)
			d.removed = append(d.removed, e.Ref())
		}
	}
	return nil
}

func encodeRow(e workflows.Execution) ([]byte, error) { return json.Marshal(e) }

func copied[T any](v T) (c T) {
	if err := json.Unmarshal(must(json.Marshal(v)), &c); err != nil {
		panic(err)
	}
	return c
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (p *plug) Load(_ context.Context, pipeline string) (runtime.Checkpoint, []event.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loads++
	cp := p.checkpoints[pipeline]
	return cp, p.after(pipeline, cp.Seq), nil
}

func (d *disk) after(pipeline string, seq uint64) (frames []event.Frame) {
	for _, f := range d.frames {
		if f.Pipeline == pipeline && f.Seq > seq {
			frames = append(frames, copied(f))
		}
	}
	return frames
}

func (p *plug) Pipelines(context.Context) ([]runtime.Head, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	heads := map[string]runtime.Head{}
	for _, f := range p.frames {
		heads[f.Pipeline] = runtime.Head{Pipeline: f.Pipeline, Last: f.Seq, Due: p.checkpoints[f.Pipeline].Due}
	}
	var all []runtime.Head
	for _, h := range heads {
		all = append(all, h)
	}
	return all, nil
}

func (p *plug) Reopen(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isDead() {
		return errPower
	}
	p.opens++
	return nil
}

func (p *plug) Close() error { return nil }

func (p *plug) Execution(_ context.Context, id string) (e workflows.Execution, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	row, ok := p.rows[id]
	if ok {
		err = json.Unmarshal(row, &e)
	}
	return e, ok, err
}

func (p *plug) Executions(_ context.Context, q record.Query) ([]workflows.Execution, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []workflows.Execution
	for _, row := range p.rows {
		var e workflows.Execution
		if err := json.Unmarshal(row, &e); err != nil {
			return nil, err
		}
		if e.Pipeline != q.Pipeline || q.Status != "" && e.Status != q.Status || q.Before > 0 && e.Number >= q.Before {
			continue
		}
		if q.SucceededInStage != "" && !slices.ContainsFunc(p.successes, func(s runtime.Success) bool { return s.Execution == e.ID && s.Stage == q.SucceededInStage }) {
			continue
		}
		all = append(all, e)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Number > all[j].Number })
	return all[:min(len(all), q.Limit)], nil
}

func (p *plug) Resolve(_ context.Context, ref string) (ids []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, row := range p.rows {
		var e workflows.Execution
		if err := json.Unmarshal(row, &e); err != nil {
			return nil, err
		}
		if e.Ref() == ref || id == ref || ref != "" && e.ExternalID == ref || len(ref) >= 6 && strings.HasSuffix(id, ref) {
			ids = append(ids, id)
		}
	}
	return ids[:min(len(ids), 2)], nil
}

func (p *plug) Frames(_ context.Context, pipeline string, after uint64, limit int) ([]event.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.after(pipeline, after)
	return frames[:min(len(frames), limit)], nil
}

func (p *plug) Feed(_ context.Context, after uint64, limit int) ([]event.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if after >= uint64(len(p.frames)) {
		return nil, nil
	}
	frames := p.frames[after:min(int(after)+limit, len(p.frames))]
	return copied(frames), nil
}

func (p *plug) Receipt(_ context.Context, key string) (work.Receipt, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.receipts[key]
	return r, ok, nil
}

func (p *plug) Pending(_ context.Context, source string) (all []work.Receipt, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.receipts {
		if (source == "" || r.Source == source) && !r.Done {
			all = append(all, r)
		}
	}
	return all, nil
}

func (p *plug) Forget(_ context.Context, before time.Time, limit int) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, r := range p.receipts {
		if r.Done && r.At.Before(before) && n < limit {
			delete(p.receipts, key)
			n++
		}
	}
	return n, nil
}

func (p *plug) Memo(_ context.Context, owner, key string) ([]byte, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.memos[owner+"\x00"+key]
	return v, ok, nil
}

func (p *plug) List(_ context.Context, owner, prefix string) (all []runtime.Memo, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for full, v := range p.memos {
		if key, ok := strings.CutPrefix(full, owner+"\x00"); ok && strings.HasPrefix(key, prefix) {
			all = append(all, runtime.Memo{Owner: owner, Key: key, Value: v})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Key < all[j].Key })
	return all, nil
}

func (p *plug) ListAfter(ctx context.Context, owner, prefix, after string, limit int) ([]runtime.Memo, error) {
	all, err := p.List(ctx, owner, prefix)
	return page(all, after, limit), err
}

// page is what comes after a key, at most limit.
func page(all []runtime.Memo, after string, limit int) []runtime.Memo {
	all = slices.DeleteFunc(all, func(m runtime.Memo) bool { return m.Key <= after })
	return all[:min(limit, len(all))]
}

// desk is Runs and Objects without files.
type desk struct {
	mu       sync.Mutex
	here     map[string]bool // run folders, by task ID
	released map[string]int  // by task ID
	logs     map[string]string
}

func newDesk() *desk {
	return &desk{here: map[string]bool{}, released: map[string]int{}, logs: map[string]string{}}
}

func (d *desk) Workspace(t work.Task) (work.Workspace, error) {
	return space{d, t.ID}, nil
}

func (d *desk) Left(context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.here)), nil
}

func (d *desk) Release(t work.Task) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.released[t.ID]++
	delete(d.here, t.ID)
	return nil
}

func (d *desk) OpenLog(execution, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	text := d.logs[fmt.Sprintf("%s/%s/%d", stage, action, attempt)]
	return struct {
		io.ReadSeeker
		io.Closer
	}{strings.NewReader(text), io.NopCloser(nil)}, nil
}

// space is a workspace that nobody works in.
type space struct {
	desk *desk
	task string
}

func (s space) Dir() string {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.here[s.task] = true
	return ""
}

func (space) LogFile() string                         { return "" }
func (space) Unpack(workflows.Artifact, string) error { return nil }
func (space) Pack(name, _ string, _ []string) (workflows.Artifact, error) {
	return workflows.Artifact{Name: name}, nil
}
func (space) Log() (io.WriteCloser, error) { return nil, errors.New("no log here") }
