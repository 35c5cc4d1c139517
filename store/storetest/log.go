package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func empty(b *book) {
	c, fs := b.load("webshop")
	if c.Seq != 0 || len(c.State) != 0 || !c.Due.IsZero() || len(fs) != 0 {
		b.Errorf("Load = %+v, %v", c, fs)
	}
	if b.execution(id(1)) != nil || b.receipt("github/1") != nil || b.memo("slack", "1") != nil {
		b.Error("a row was found in an empty store")
	}
	lists := map[string]int{
		"pipelines":  len(b.heads()),
		"feed":       len(b.feed(0, 9)),
		"frames":     len(b.frames("webshop", 0, 9)),
		"executions": len(b.executions(record.Query{Pipeline: "webshop"})),
		"resolved":   len(b.resolve("webshop#1")),
		"pending":    len(b.pending("github")),
		"memos":      len(b.list("slack", "")),
		"forgotten":  b.forget(at(99), 9),
	}
	for what, n := range lists {
		if n != 0 {
			b.Errorf("%d %s in an empty store", n, what)
		}
	}
}

func chain(b *book) {
	first := b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 1, "a", "b"), frame("billing", 1, "c"), frame("webshop", 2, "d")}})
	second := b.commit(record.Commit{Frames: []event.Frame{frame("billing", 2), frame("webshop", 3, "e")}})
	all := append(first.Frames, second.Frames...)

	last := map[string]string{}
	feed := uint64(0)
	for _, f := range all {
		if f.Feed <= feed {
			b.Errorf("%s %d: feed %d after %d", f.Pipeline, f.Seq, f.Feed, feed)
		}
		if f.Prev != last[f.Pipeline] {
			b.Errorf("%s %d: prev %q, want the hash before it, %q", f.Pipeline, f.Seq, f.Prev, last[f.Pipeline])
		}
		if len(f.Hash) != 64 || f.Hash == f.Prev {
			b.Errorf("%s %d: hash %q is no SHA-256", f.Pipeline, f.Seq, f.Hash)
		}
		feed, last[f.Pipeline] = f.Feed, f.Hash
	}
	same(b, "the feed", b.feed(0, 100), all)
	same(b, "the feed's second page", b.feed(all[1].Feed, 2), all[2:4])
	same(b, "the feed after its end", len(b.feed(feed, 100)), 0)
	same(b, "the feed, limit left to the store", b.feed(0, 0), all)
	same(b, "webshop", b.frames("webshop", 0, 100), []event.Frame{all[0], all[2], all[4]})
	same(b, "webshop after 1, one", b.frames("webshop", 1, 1), all[2:3])
	same(b, "webshop after its end", len(b.frames("webshop", 3, 100)), 0)
	same(b, "a name that only begins alike", len(b.frames("web", 0, 100)), 0)
}

func conflict(b *book) {
	b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 1), frame("webshop", 2)}})
	for what, fs := range map[string][]event.Frame{
		"a repeated frame":        {frame("webshop", 2)},
		"a gap":                   {frame("webshop", 4)},
		"a gap inside a commit":   {frame("webshop", 3), frame("webshop", 5)},
		"twice the same number":   {frame("webshop", 3), frame("webshop", 3)},
		"a new pipeline not at 1": {frame("billing", 2)},
		"number 0":                {frame("billing", 0)},
	} {
		c := record.Commit{Frames: fs}
		if err := b.Commit(b.ctx, &c); !errors.Is(err, record.ErrConflict) {
			b.Errorf("%s: %v, want ErrConflict", what, err)
		}
		if c.Frames[0].Feed != 0 || c.Frames[0].Hash != "" {
			b.Errorf("%s: the refused frame was stamped", what)
		}
	}
	same(b, "frames after the conflicts", len(b.feed(0, 100)), 2)
	b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 3)}})
}

func atomic(b *book) {
	b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 1)}, Memos: []record.Memo{{Owner: "slack", Key: "k", Value: []byte("old")}}})
	full := record.Commit{
		Frames:      []event.Frame{frame("billing", 1), frame("webshop", 7)}, // the second one does not follow
		Checkpoints: []record.Checkpoint{{Pipeline: "billing", Seq: 1, State: []byte("{}"), Due: at(1)}},
		Executions:  []workflows.Execution{execution("billing", 1, workflows.StatusInProgress), execution("billing", 2, workflows.StatusFailed)},
		Successes:   []record.Success{{Pipeline: "billing", Stage: "Build", Execution: id(1), Number: 1}},
		Receipts:    []work.Receipt{receipt("github", "1", 0, false)},
		Memos:       []record.Memo{{Owner: "slack", Key: "k", Value: []byte("new")}},
	}
	nothing := func(when string) {
		b.Helper()
		if c, fs := b.load("billing"); c.Seq != 0 || len(fs) != 0 {
			b.Errorf("%s: billing has a state or frames", when)
		}
		if b.execution(id(1)) != nil || b.execution(id(2)) != nil || len(b.resolve("billing#1")) != 0 || b.receipt("github/1") != nil || len(b.pending("github")) != 0 {
			b.Errorf("%s: a row was left behind", when)
		}
		same(b, when+": memo", string(b.memo("slack", "k")), "old")
		same(b, when+": pipelines", b.heads(), []record.Head{{Pipeline: "webshop", Last: 1}})
	}
	if err := b.Commit(b.ctx, &full); !errors.Is(err, record.ErrConflict) {
		b.Fatalf("commit: %v, want ErrConflict", err)
	}
	nothing("after the conflict")
	b.restart()
	nothing("after a restart")

	full.Frames = full.Frames[:1]
	full.Checkpoints[0].Seq = 2
	if err := b.Commit(b.ctx, &full); err == nil {
		b.Fatal("a checkpoint ahead of its log was accepted")
	}
	nothing("after a checkpoint ahead of its log")
	full.Checkpoints[0].Seq = 1
	full.Memos[0].Owner = "a\x00b"
	if err := b.Commit(b.ctx, &full); err == nil {
		b.Fatal("a name that holds a NUL was accepted")
	}
	nothing("after an unusable name")
}

func load(b *book) {
	fs := b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 1), frame("webshop", 2), frame("billing", 1)}}).Frames
	c, after := b.load("webshop")
	same(b, "checkpoint before the first", c, record.Checkpoint{})
	same(b, "all frames", after, fs[:2])

	want := record.Checkpoint{Pipeline: "webshop", Seq: 2, State: []byte(`{"lines": "kept byte for byte",` + "\n" + `  "even":1}`), Due: at(5)}
	fs = b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 3, "x")}, Checkpoints: []record.Checkpoint{want}}).Frames
	c, after = b.load("webshop")
	same(b, "checkpoint", c, want)
	same(b, "state", string(c.State), string(want.State))
	same(b, "frames after it", after, fs)

	want = record.Checkpoint{Pipeline: "webshop", Seq: 3, State: []byte("{}")}
	b.commit(record.Commit{Checkpoints: []record.Checkpoint{want}})
	c, after = b.load("webshop")
	same(b, "newer checkpoint", c, want)
	same(b, "no frames after it", len(after), 0)
	same(b, "the log is whole", len(b.frames("webshop", 0, 9)), 3)
}

func listing(b *book) {
	b.commit(record.Commit{
		Frames:      []event.Frame{frame("webshop", 1), frame("billing", 1), frame("webshop", 2), frame("archive", 1)},
		Checkpoints: []record.Checkpoint{{Pipeline: "webshop", Seq: 1, State: []byte("{}"), Due: at(9)}, {Pipeline: "billing", Seq: 1, State: []byte("{}")}},
	})
	same(b, "heads", b.heads(), []record.Head{{Pipeline: "archive", Last: 1}, {Pipeline: "billing", Last: 1}, {Pipeline: "webshop", Last: 2, Due: at(9)}})
	b.commit(record.Commit{Checkpoints: []record.Checkpoint{{Pipeline: "webshop", Seq: 2, State: []byte("{}")}, {Pipeline: "billing", Seq: 1, State: []byte("{}"), Due: at(3)}}})
	b.commit(record.Commit{Frames: []event.Frame{frame("billing", 2)}})
	same(b, "heads later", b.heads(), []record.Head{{Pipeline: "archive", Last: 1}, {Pipeline: "billing", Last: 2, Due: at(3)}, {Pipeline: "webshop", Last: 2}})
	b.commit(record.Commit{Dues: []record.Due{{Pipeline: "archive", At: at(4)}, {Pipeline: "billing"}, {Pipeline: "webshop", At: at(2)}}})
	same(b, "heads with other due times", b.heads(), []record.Head{{Pipeline: "archive", Last: 1, Due: at(4)}, {Pipeline: "billing", Last: 2}, {Pipeline: "webshop", Last: 2, Due: at(2)}})
	c, fs := b.load("webshop")
	same(b, "a checkpoint that is due at another time", c, record.Checkpoint{Pipeline: "webshop", Seq: 2, State: []byte("{}"), Due: at(2)})
	same(b, "frames after it", len(fs), 0)
	c, fs = b.load("archive")
	same(b, "no checkpoint, but a due time", c, record.Checkpoint{Due: at(4)})
	same(b, "frames without a checkpoint", len(fs), 1)
}

func reload(b *book) {
	all := b.commit(record.Commit{
		Frames:      []event.Frame{frame("webshop", 1, "a"), frame("webshop", 2, "b")},
		Checkpoints: []record.Checkpoint{{Pipeline: "webshop", Seq: 1, State: []byte(`{"n":1}`), Due: at(7)}},
		Executions:  []workflows.Execution{execution("webshop", 1, workflows.StatusSucceeded), execution("webshop", 2, workflows.StatusInProgress)},
		Successes:   []record.Success{{Pipeline: "webshop", Stage: "Build", Execution: id(1), Number: 1}},
		Receipts:    []work.Receipt{receipt("github", "1", 0, false), receipt("github", "2", 1, true)},
		Memos:       []record.Memo{{Owner: "slack", Key: "k", Value: []byte("v")}},
	}).Frames
	again := func() {
		b.Helper()
		c, fs := b.load("webshop")
		same(b, "checkpoint", c, record.Checkpoint{Pipeline: "webshop", Seq: 1, State: []byte(`{"n":1}`), Due: at(7)})
		same(b, "frames", fs, all[1:])
		same(b, "feed", b.feed(0, 9), all)
		same(b, "heads", b.heads(), []record.Head{{Pipeline: "webshop", Last: 2, Due: at(7)}})
		same(b, "ended execution", b.execution(id(1)), execution("webshop", 1, workflows.StatusSucceeded))
		same(b, "live execution", b.execution(id(2)), execution("webshop", 2, workflows.StatusInProgress))
		same(b, "succeeded in Build", numbers(b.executions(record.Query{Pipeline: "webshop", SucceededInStage: "Build"})), []int{1})
		same(b, "pending", b.pending("github"), []work.Receipt{receipt("github", "1", 0, false)})
		same(b, "memo", string(b.memo("slack", "k")), "v")
	}
	again()
	b.restart()
	again()
	b.must(b.Reopen(b.ctx))
	again()
	next := b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 3)}}).Frames[0]
	if next.Prev != all[1].Hash || next.Feed <= all[1].Feed {
		b.Errorf("the log did not continue: %+v after %+v", next, all[1])
	}
}

func closed(b *book) {
	b.must(b.Close())
	b.must(b.Close())
	if err := b.Commit(b.ctx, &record.Commit{Frames: []event.Frame{frame("webshop", 1)}}); err == nil {
		b.Error("a closed store committed")
	}
	if _, err := b.Pipelines(b.ctx); err == nil || !strings.Contains(err.Error(), "closed") {
		b.Errorf("a closed store answered %v", err)
	}
	b.must(b.Reopen(b.ctx))
	same(b, "pipelines", len(b.heads()), 0)
}

func cancelled(b *book) {
	b.commit(record.Commit{Frames: []event.Frame{frame("webshop", 1)}})
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if err := b.Commit(ctx, &record.Commit{Frames: []event.Frame{frame("webshop", 2)}}); !errors.Is(err, context.Canceled) {
		b.Errorf("Commit = %v", err)
	}
	if _, err := b.Feed(ctx, 0, 9); !errors.Is(err, context.Canceled) {
		b.Errorf("Feed = %v", err)
	}
	same(b, "frames", len(b.feed(0, 9)), 1)
}

func big(b *book) {
	text := strings.Repeat("release notes, ", 1<<17) // 2 MiB
	state := []byte(`{"log":"` + strings.Repeat("x", 8<<20) + `"}`)
	memo := bytes.Repeat([]byte{0, 1, 2, 255}, 1<<18)
	e := execution("webshop", 1, workflows.StatusSucceeded)
	e.Variables["notes"] = text
	b.commit(record.Commit{
		Frames:      []event.Frame{frame("webshop", 1, text, text)},
		Checkpoints: []record.Checkpoint{{Pipeline: "webshop", Seq: 1, State: state}},
		Executions:  []workflows.Execution{e},
		Memos:       []record.Memo{{Owner: "slack", Key: "big", Value: memo}},
	})
	b.restart()
	c, _ := b.load("webshop")
	if !bytes.Equal(c.State, state) {
		b.Errorf("the state came back with %d bytes of %d", len(c.State), len(state))
	}
	if got := b.frames("webshop", 0, 1)[0].Events[1].Text; got != text {
		b.Errorf("the event's text came back with %d bytes of %d", len(got), len(text))
	}
	if got := b.execution(e.ID).Variables["notes"]; got != text {
		b.Errorf("the variable came back with %d bytes of %d", len(got), len(text))
	}
	if !bytes.Equal(b.memo("slack", "big"), memo) {
		b.Error("the memo came back changed")
	}
}

// readers: every commit holds a frame of each of two pipelines and a memo with
// their number. Whoever reads beside them sees frames of the feed in order and
// without gaps, and never a memo ahead of what the feed then shows.
func readers(b *book) {
	const commits, watchers = 200, 4
	var wg sync.WaitGroup
	trouble := make(chan string, watchers)
	for range watchers {
		wg.Go(func() {
			if what := watch(b, commits); what != "" {
				trouble <- what
			}
		})
	}
	for n := range uint64(commits) {
		b.commit(record.Commit{
			Frames: []event.Frame{frame("webshop", n+1, "w"), frame("billing", n+1, "b")},
			Memos:  []record.Memo{{Owner: "count", Key: "n", Value: strconv.AppendUint(nil, n+1, 10)}},
		})
	}
	wg.Wait()
	close(trouble)
	for what := range trouble {
		b.Error(what)
	}
}

func watch(b *book, commits int) string {
	var seen []uint64
	deadline := time.Now().Add(time.Minute)
	for len(seen) < 2*commits {
		if time.Now().After(deadline) {
			return "a watcher never saw the last commit"
		}
		value, _, err := b.Memo(b.ctx, "count", "n")
		if err != nil {
			return err.Error()
		}
		counted, _ := strconv.Atoi(string(value)) // no memo yet: 0
		after := uint64(0)
		if len(seen) > 0 {
			after = seen[len(seen)-1]
		}
		fs, err := b.Feed(b.ctx, after, 7)
		if err != nil {
			return err.Error()
		}
		for _, f := range fs {
			seen = append(seen, f.Feed)
		}
		if len(fs) < 7 && len(seen) < 2*counted {
			return "a memo was visible before the frames of its commit"
		}
	}
	if !slices.IsSorted(seen) || len(slices.Compact(seen)) != 2*commits {
		return "the feed came out of order, or with repetitions"
	}
	return ""
}
