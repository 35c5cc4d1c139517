package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// book is a store with the verbs that stories are told in. A failing step ends the story.
type book struct {
	judge
	Store
	ctx  context.Context
	open func() Store
}

// judge is what a story fails to: a test, or one round of the model.
type judge interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

func newBook(t testing.TB, open Factory) *book {
	t.Helper()
	dir := t.TempDir()
	b := &book{judge: t, ctx: context.Background(), open: lives(t, dir, open)}
	b.Store = b.open()
	t.Cleanup(func() { _ = b.Store.Close() })
	return b
}

// lives opens the store for one member after the other, as a process that is
// started again and again.
func lives(t testing.TB, dir string, f Factory) func() Store {
	life := 0
	return func() Store {
		life++
		return f.Open(t, dir, fmt.Sprint("life ", life))
	}
}

// restart closes the store and opens it again, as the next process would.
func (b *book) restart() {
	b.Helper()
	if err := b.Close(); err != nil {
		b.Fatalf("close: %v", err)
	}
	b.Store = b.open()
}

func (b *book) commit(c record.Commit) *record.Commit {
	b.Helper()
	if err := b.Commit(b.ctx, &c); err != nil {
		b.Fatalf("commit: %v", err)
	}
	return &c
}

// verify lets a store that can check itself do so.
func (b *book) verify() {
	b.Helper()
	c, ok := b.Store.(interface {
		Check(context.Context) ([]string, error)
	})
	if !ok {
		return
	}
	if problems, err := c.Check(b.ctx); err != nil || len(problems) > 0 {
		b.Errorf("the store finds itself damaged: %v %q", err, problems)
	}
}

// must ends the story when a question could not be answered.
func (b *book) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// The questions, for stories in which they can be answered.

func (b *book) load(pipeline string) (record.Checkpoint, []event.Frame) {
	b.Helper()
	c, fs, err := b.Load(b.ctx, pipeline)
	b.must(err)
	return c, fs
}

func (b *book) heads() []record.Head {
	b.Helper()
	hs, err := b.Pipelines(b.ctx)
	b.must(err)
	return hs
}

func (b *book) frames(pipeline string, after uint64, limit int) []event.Frame {
	b.Helper()
	fs, err := b.Frames(b.ctx, pipeline, after, limit)
	b.must(err)
	return fs
}

func (b *book) feed(after uint64, limit int) []event.Frame {
	b.Helper()
	fs, err := b.Feed(b.ctx, after, limit)
	b.must(err)
	return fs
}

func (b *book) execution(id string) *workflows.Execution {
	b.Helper()
	e, ok, err := b.Execution(b.ctx, id)
	b.must(err)
	if !ok {
		return nil
	}
	return &e
}

func (b *book) executions(q record.Query) []workflows.Execution {
	b.Helper()
	es, err := b.Executions(b.ctx, q)
	b.must(err)
	return es
}

func (b *book) resolve(ref string) []string {
	b.Helper()
	ids, err := b.Resolve(b.ctx, ref)
	b.must(err)
	return ids
}

func (b *book) receipt(key string) *work.Receipt {
	b.Helper()
	r, ok, err := b.Receipt(b.ctx, key)
	b.must(err)
	if !ok {
		return nil
	}
	return &r
}

func (b *book) pending(source string) []work.Receipt {
	b.Helper()
	rs, err := b.Pending(b.ctx, source)
	b.must(err)
	return rs
}

func (b *book) forget(before time.Time, limit int) int {
	b.Helper()
	n, err := b.Forget(b.ctx, before, limit)
	b.must(err)
	return n
}

func (b *book) memo(owner, key string) []byte {
	b.Helper()
	v, ok, err := b.Memo(b.ctx, owner, key)
	b.must(err)
	if ok != (len(v) > 0) {
		b.Errorf("memo %s/%s: ok = %v with %d bytes", owner, key, ok, len(v))
	}
	return v
}

func (b *book) list(owner, prefix string) []record.Memo {
	b.Helper()
	ms, err := b.List(b.ctx, owner, prefix)
	b.must(err)
	return ms
}

// same compares by what is stored: times in UTC, nil and empty alike where JSON says so.
func same(b *book, what string, got, want any) {
	b.Helper()
	if d := cmp.Diff(plain(want), plain(got)); d != "" {
		b.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func plain(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("storetest: %T does not marshal: %v", v, err))
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		panic(fmt.Sprintf("storetest: %T marshals to no JSON: %v", v, err))
	}
	return out.String()
}

// noon is when stories begin.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 987654321, time.UTC) }

func at(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }

// id is the nth execution's: rising, and different at its end.
func id(n int) string {
	return fmt.Sprintf("0195a000-%04x-7000-8000-%08x%04x", n, n*2654435761%(1<<32), n)
}

// frame is one with an event per text.
func frame(pipeline string, seq uint64, texts ...string) event.Frame {
	f := event.Frame{Pipeline: pipeline, Seq: seq}
	for _, text := range texts {
		f.Events = append(f.Events, event.Event{Kind: event.ExecutionNoted, At: at(int(seq)), By: workflows.EnginePrincipal(), Text: text})
	}
	return f
}

func execution(pipeline string, n int, status workflows.Status) workflows.Execution {
	e := workflows.Execution{
		ID: id(n), Number: n, Pipeline: pipeline, Version: 1, Type: workflows.TypeStandard, Status: status,
		Trigger:   workflows.StartedBy{Type: workflows.TriggerStart, By: workflows.Principal{ID: "slack:U1", Name: "Ana", Via: "slack"}},
		Variables: map[string]string{"canary": "10"}, StartedAt: at(n), UpdatedAt: at(n + 1), Attempt: 1,
		Stages: []workflows.StageExecution{{Name: "Build", Status: status, Actions: []workflows.ActionExecution{{Name: "Test", RunOrder: 1, Provider: "Commands", Attempt: 1}}},
			{Name: "Prod", Status: workflows.StatusNotStarted}, {Name: "Production", Status: workflows.StatusNotStarted}},
	}
	if status.Final() {
		end := at(n + 1)
		e.EndedAt = &end
	}
	return e
}

func receipt(source, key string, minute int, isDone bool) work.Receipt {
	r := work.Receipt{Key: source + "/" + key, Source: source, At: at(minute), Payload: []byte("payload of " + key), Done: isDone}
	if isDone {
		r.Payload, r.Result = nil, []byte(`{"started":[]}`)
	}
	return r
}

func numbers(es []workflows.Execution) []int {
	out := []int{}
	for _, e := range es {
		out = append(out, e.Number)
	}
	return out
}
