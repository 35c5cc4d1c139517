package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// plainStore is what a store should be, said with maps.
type plainStore struct {
	feed        []event.Frame
	last        map[string]uint64
	checkpoints map[string]record.Checkpoint
	executions  map[string]workflows.Execution
	successes   map[record.Success]bool
	receipts    map[string]work.Receipt
	memos       map[[2]string]string
}

func (p *plainStore) commit(c *record.Commit) {
	for _, f := range c.Frames {
		p.feed = append(p.feed, f)
		p.last[f.Pipeline] = f.Seq
	}
	for _, s := range c.Checkpoints {
		p.checkpoints[s.Pipeline] = s
	}
	for _, d := range c.Dues {
		s := p.checkpoints[d.Pipeline]
		s.Due = d.At
		p.checkpoints[d.Pipeline] = s
	}
	for _, e := range c.Executions {
		p.executions[e.ID] = e
	}
	for _, s := range c.Successes {
		p.successes[s] = true
	}
	for _, n := range c.Claims {
		p.receipts[n.Key] = n.Receipt
	}
	for _, r := range c.Receipts {
		p.receipts[r.Key] = r
	}
	for _, m := range c.Memos {
		if len(m.Value) == 0 {
			delete(p.memos, [2]string{m.Owner, m.Key})
		} else {
			p.memos[[2]string{m.Owner, m.Key}] = string(m.Value)
		}
	}
	for _, id := range c.Removed {
		if p.executions[id].Status.Final() {
			delete(p.executions, id)
			maps.DeleteFunc(p.successes, func(s record.Success, _ bool) bool { return s.Execution == id })
		}
	}
}

func (p *plainStore) frames(pipeline string, after uint64) []event.Frame {
	out := []event.Frame{}
	for _, f := range p.feed {
		if f.Pipeline == pipeline && f.Seq > after {
			out = append(out, f)
		}
	}
	return out
}

func (p *plainStore) listed(q record.Query) []int {
	out := []int{}
	for _, e := range p.executions {
		s := record.Success{Pipeline: e.Pipeline, Stage: q.SucceededInStage, Execution: e.ID, Number: e.Number}
		if e.Pipeline == q.Pipeline && (q.Status == "" || e.Status == q.Status) && (q.Before == 0 || e.Number < q.Before) && (q.SucceededInStage == "" || p.successes[s]) {
			out = append(out, e.Number)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out[:min(len(out), q.Limit)]
}

func (p *plainStore) waiting(source string) []string {
	var rs []work.Receipt
	for _, r := range p.receipts {
		if r.Source == source && !r.Done {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b work.Receipt) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	keys := []string{}
	for _, r := range rs {
		keys = append(keys, r.Key)
	}
	return keys
}

func model(t *testing.T, open Factory) {
	parent := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(parent, "model")
		if err != nil {
			r.Fatal(err)
		}
		b := &book{judge: r, ctx: context.Background(), open: lives(t, dir, open)}
		b.Store = b.open()
		defer func() { _ = b.Store.Close() }()
		p := &plainStore{last: map[string]uint64{}, checkpoints: map[string]record.Checkpoint{}, executions: map[string]workflows.Execution{},
			successes: map[record.Success]bool{}, receipts: map[string]work.Receipt{}, memos: map[[2]string]string{}}
		r.Repeat(map[string]func(*rapid.T){
			"commit":   func(r *rapid.T) { modelCommit(r, b, p) },
			"claim":    func(r *rapid.T) { modelClaim(r, b, p) },
			"conflict": func(r *rapid.T) { modelConflict(r, b, p) },
			"forget":   func(r *rapid.T) { modelForget(r, b, p) },
			"restart":  func(*rapid.T) { b.restart() },
			"reopen":   func(*rapid.T) { b.must(b.Reopen(b.ctx)) },
			"":         func(r *rapid.T) { modelCompare(r, b, p) },
		})
		b.verify()
	})
}

// name draws one of few, and one begins with another, so that stories meet.
func name() *rapid.Generator[string] { return rapid.SampledFrom([]string{"web", "webshop", "a.b-c"}) }

func modelCommit(r *rapid.T, b *book, p *plainStore) {
	var c record.Commit
	last := maps.Clone(p.last)
	for range rapid.IntRange(0, 4).Draw(r, "frames") {
		n := name().Draw(r, "pipeline")
		last[n]++
		c.Frames = append(c.Frames, frame(n, last[n], rapid.SliceOfN(rapid.String(), 0, 2).Draw(r, "texts")...))
	}
	for _, n := range []string{"web", "webshop"} {
		if last[n] > 0 && rapid.Bool().Draw(r, "checkpoint") {
			s := record.Checkpoint{Pipeline: n, Seq: rapid.Uint64Range(p.checkpoints[n].Seq, last[n]).Draw(r, "of"), State: fmt.Appendf(nil, "{%q:\n1}", n)}
			if rapid.Bool().Draw(r, "due") {
				s.Due = at(rapid.IntRange(0, 9).Draw(r, "minute"))
			}
			c.Checkpoints = append(c.Checkpoints, s)
		}
		if last[n] > 0 && rapid.Bool().Draw(r, "due without a checkpoint") {
			c.Dues = append(c.Dues, record.Due{Pipeline: n, At: at(rapid.IntRange(0, 9).Draw(r, "minute"))})
		}
	}
	for range rapid.IntRange(0, 3).Draw(r, "executions") {
		n := rapid.IntRange(1, 6).Draw(r, "number")
		e := execution(name().Draw(r, "pipeline"), n, rapid.SampledFrom([]workflows.Status{workflows.StatusInProgress, workflows.StatusFailed, workflows.StatusSucceeded, workflows.StatusStopping}).Draw(r, "status"))
		e.ID = e.Pipeline + "." + e.ID
		c.Executions = append(c.Executions, e)
		if rapid.Bool().Draw(r, "success") {
			c.Successes = append(c.Successes, record.Success{Pipeline: e.Pipeline, Stage: rapid.SampledFrom([]string{"Prod", "Production"}).Draw(r, "stage"), Execution: e.ID, Number: n})
		}
	}
	for range rapid.IntRange(0, 3).Draw(r, "receipts") {
		c.Receipts = append(c.Receipts, receipt(rapid.SampledFrom([]string{"git", "github"}).Draw(r, "source"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "key"), rapid.IntRange(0, 9).Draw(r, "minute"), rapid.Bool().Draw(r, "done")))
	}
	for range rapid.IntRange(0, 3).Draw(r, "memos") {
		c.Memos = append(c.Memos, record.Memo{Owner: rapid.SampledFrom([]string{"s", "slack"}).Draw(r, "owner"), Key: rapid.SampledFrom([]string{"", "k", "k\x00", "k\x00k"}).Draw(r, "key"), Value: []byte(rapid.SampledFrom([]string{"", "v", "w"}).Draw(r, "value"))})
	}
	for range rapid.IntRange(0, 2).Draw(r, "removed") {
		c.Removed = append(c.Removed, name().Draw(r, "of")+"."+id(rapid.IntRange(1, 6).Draw(r, "number")))
	}
	b.must(b.Commit(b.ctx, &c))
	p.commit(&c)
}

func modelClaim(r *rapid.T, b *book, p *plainStore) {
	n := record.Claim{Receipt: receipt("git", rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "key"), rapid.IntRange(0, 9).Draw(r, "minute"), rapid.Bool().Draw(r, "done"))}
	if rapid.Bool().Draw(r, "of late") {
		n.Since = at(rapid.IntRange(0, 9).Draw(r, "since"))
	}
	c := record.Commit{Claims: []record.Claim{n}, Memos: []record.Memo{{Owner: "s", Key: "k", Value: []byte("claimed")}}}
	there, known := p.receipts[n.Key]
	err := b.Commit(b.ctx, &c)
	if taken := known && !there.At.Before(n.Since); errors.Is(err, record.ErrConflict) != taken || !taken && err != nil {
		r.Fatalf("a claim of %s since %v, there %v: %v", n.Key, n.Since, there.At, err)
	}
	if err == nil {
		p.commit(&c)
	}
}

func modelConflict(r *rapid.T, b *book, p *plainStore) {
	n := name().Draw(r, "pipeline")
	seq := rapid.Uint64Range(0, p.last[n]+3).Draw(r, "seq")
	if seq == p.last[n]+1 {
		seq++
	}
	c := record.Commit{Frames: []event.Frame{frame(n, seq)}, Memos: []record.Memo{{Owner: "s", Key: "k", Value: []byte("never")}}}
	if err := b.Commit(b.ctx, &c); !errors.Is(err, record.ErrConflict) {
		r.Fatalf("frame %d of %s after %d: %v", seq, n, p.last[n], err)
	}
}

func modelForget(r *rapid.T, b *book, p *plainStore) {
	before := at(rapid.IntRange(0, 10).Draw(r, "before"))
	old := 0
	for k, x := range p.receipts {
		if x.Done && x.At.Before(before) {
			delete(p.receipts, k)
			old++
		}
	}
	if n := b.forget(before, 100); n != old {
		r.Fatalf("forgot %d of %d receipts", n, old)
	}
}

func modelCompare(r *rapid.T, b *book, p *plainStore) {
	same(b, "feed", append([]event.Frame{}, b.feed(0, 10000)...), append([]event.Frame{}, p.feed...))
	heads := map[string]record.Head{}
	for _, h := range b.heads() {
		heads[h.Pipeline] = h
	}
	for _, n := range []string{"web", "webshop", "a.b-c"} {
		c, fs := b.load(n)
		same(b, "checkpoint of "+n, c, p.checkpoints[n])
		same(b, "frames of "+n, append([]event.Frame{}, fs...), p.frames(n, c.Seq))
		h := heads[n]
		if h.Last != p.last[n] || !h.Due.Equal(p.checkpoints[n].Due) {
			r.Fatalf("head of %s: %+v", n, h)
		}
		q := record.Query{Pipeline: n, Limit: rapid.IntRange(1, 4).Draw(r, "limit"), Before: rapid.IntRange(0, 7).Draw(r, "before"),
			Status:           rapid.SampledFrom([]workflows.Status{"", workflows.StatusFailed, workflows.StatusInProgress}).Draw(r, "status"),
			SucceededInStage: rapid.SampledFrom([]string{"", "Prod"}).Draw(r, "stage")}
		same(b, fmt.Sprintf("%+v", q), numbers(b.executions(q)), p.listed(q))
	}
	for id, e := range p.executions {
		same(b, "execution "+id, b.execution(id), e)
		same(b, "reference "+e.Ref(), b.resolve(e.Ref()), []string{id})
	}
	for _, source := range []string{"git", "github"} {
		got := []string{}
		for _, x := range b.pending(source) {
			same(b, "receipt "+x.Key, x, p.receipts[x.Key])
			got = append(got, x.Key)
		}
		same(b, "pending of "+source, got, p.waiting(source))
	}
	for _, owner := range []string{"s", "slack"} {
		got := map[[2]string]string{}
		for _, m := range b.list(owner, "k") {
			got[[2]string{m.Owner, m.Key}] = string(m.Value)
		}
		want := maps.Clone(p.memos)
		maps.DeleteFunc(want, func(k [2]string, _ string) bool { return k[0] != owner || !strings.HasPrefix(k[1], "k") })
		if !maps.Equal(got, want) {
			r.Fatalf("memos of %s: %q, want %q", owner, got, want)
		}
	}
}
