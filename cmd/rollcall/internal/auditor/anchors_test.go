package auditor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// feed is what is committed, what was noted of it, and the service's log.
type feed struct {
	mu     sync.Mutex
	more   chan struct{}
	frames []event.Frame
	memo   string
	reads  int
	log    bytes.Buffer
}

func (f *feed) Feed(ctx context.Context, _ workflows.Principal, after uint64, limit int) ([]event.Frame, error) {
	for {
		f.mu.Lock()
		f.reads++
		rest, more := f.frames[min(after, uint64(len(f.frames))):], f.more
		f.mu.Unlock()
		if len(rest) > 0 {
			return rest[:min(limit, len(rest))], nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *feed) Head(context.Context) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return uint64(len(f.frames)), nil
}

func (f *feed) readCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// Write makes it the output of a logger.
func (f *feed) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Write(line)
}

func (f *feed) Newest(_ context.Context, after uint64) (rs []record.Stored, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest := map[string]event.Frame{}
	for _, one := range f.frames {
		newest[one.Pipeline] = one
	}
	for _, name := range []string{"billing", "webshop"} {
		if one, ok := newest[name]; ok && one.Feed > after {
			rs = append(rs, record.Stored{Pipeline: name, Number: one.Seq, Hash: one.Hash, Feed: one.Feed, At: one.Events[0].At})
		}
	}
	return rs, nil
}

func (f *feed) Memo(context.Context, string) ([]byte, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []byte(f.memo), f.memo != "", nil
}

func (f *feed) Note(_ context.Context, _ string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memo = string(value)
	return nil
}

// commit adds a frame with events of these kinds.
func (f *feed) commit(pipeline string, kinds ...event.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := event.Frame{Pipeline: pipeline, Feed: uint64(len(f.frames) + 1), Seq: 1}
	for _, old := range f.frames {
		if old.Pipeline == pipeline {
			one.Seq = old.Seq + 1
		}
	}
	one.Hash = fmt.Sprintf("%064x", one.Feed)
	for _, k := range kinds {
		one.Events = append(one.Events, event.Event{Kind: k, At: noon})
	}
	f.frames = append(f.frames, one)
	close(f.more)
	f.more = make(chan struct{})
}

// anchors are those that were logged since the last call, "webshop 3".
func (f *feed) anchors(t *testing.T) string {
	t.Helper()
	synctest.Wait()
	f.mu.Lock()
	text := f.log.String()
	f.log.Reset()
	f.mu.Unlock()
	if text == "" {
		return ""
	}
	all, err := audit.Anchors([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var words []string
	for _, a := range all {
		words = append(words, fmt.Sprintf("%s %d", a.Pipeline, a.Record))
		if !a.At.Equal(noon) {
			t.Errorf("an anchor of %s", a.At)
		}
	}
	return strings.Join(words, ", ")
}

// runs tells a story while anchors are written.
func (f *feed) runs(t *testing.T, story func(expect func(want string))) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- NewAnchors(f, f, f, slog.New(slog.NewTextHandler(f, nil))).Run(ctx) }()
	synctest.Wait()
	story(func(want string) {
		t.Helper()
		if got := f.anchors(t); got != want {
			t.Errorf("anchors: %q, want %q", got, want)
		}
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAnchorsAreWrittenAtOnceWhereItMatters(t *testing.T) {
	for kind, want := range map[event.Kind]string{
		event.GateClosed: "webshop 2", event.GateOverridden: "webshop 2", event.ConditionOverridden: "webshop 2",
		event.ExecutionSucceeded: "webshop 2", event.ExecutionFailed: "webshop 2", event.ExecutionStopped: "webshop 2",
		event.GateOpened: "", event.GateVoted: "", event.ActionSucceeded: "", event.ExecutionStarted: "", event.PipelineDefined: "",
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{more: make(chan struct{})}
			f.runs(t, func(expect func(string)) {
				f.commit("webshop", event.StageEntered)
				expect("")
				f.commit("webshop", event.ActionSucceeded, kind)
				expect(want)
			})
		})
	}
}

func TestWhatMattersLessWaitsForItsHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{more: make(chan struct{})}
		f.runs(t, func(expect func(string)) {
			for range 3 {
				f.commit("billing", event.ActionSucceeded)
				expect("")
			}
			time.Sleep(firstLook)
			expect("billing 3")
			f.commit("billing", event.ActionSucceeded)
			time.Sleep(anchorEvery - time.Second)
			expect("")
			time.Sleep(time.Second)
			expect("billing 4")
			reads := f.readCount()
			time.Sleep(24 * time.Hour)
			expect("")
			if f.readCount() != reads {
				t.Error("it wakes up while nothing is new")
			}
		})
	})
}

func TestManyFramesWaitForNoHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{more: make(chan struct{})}
		f.runs(t, func(expect func(string)) {
			for range anchorFrames - 1 {
				f.commit("webshop", event.StageEntered)
			}
			expect("")
			f.commit("webshop", event.StageEntered)
			expect(fmt.Sprintf("webshop %d", anchorFrames))
			for range 5 {
				f.commit("webshop", event.StageEntered)
			}
			expect("")
			time.Sleep(anchorEvery)
			expect(fmt.Sprintf("webshop %d", anchorFrames+5))
		})
	})
}

// What was committed before a crash and has no anchor yet gets one by the next run, once.
func TestWhatARunLeftWithoutAnAnchor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{more: make(chan struct{})}
		f.runs(t, func(expect func(string)) {
			f.commit("billing", event.StageEntered)
			f.commit("webshop", event.StageEntered)
			expect("") // the process ends
		})
		f.commit("webshop", event.GateClosed) // by a run that was killed before it wrote
		f.runs(t, func(expect func(string)) {
			expect("")
			f.commit("billing", event.GateClosed)
			expect("billing 2")
			time.Sleep(firstLook)
			expect("webshop 2") // billing has a newer one
		})
		f.runs(t, func(expect func(string)) {
			time.Sleep(firstLook)
			expect("")
			if memo, _, _ := f.Memo(t.Context(), ""); string(memo) != "4" {
				t.Errorf("the anchors have come to %s of the feed", memo)
			}
		})
	})
}
