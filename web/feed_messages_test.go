package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

func frame(feed uint64, kinds ...event.Kind) event.Frame {
	f := event.Frame{Pipeline: "webshop", Seq: feed, Feed: feed}
	for _, k := range kinds {
		f.Events = append(f.Events, event.Event{Kind: k, Stage: "Build", Reason: &workflows.Reason{Message: "<so>"}})
	}
	return f
}

// A frame is written once for all who read along; who may see less of it has a
// text of their own, and a single reader leaves nothing behind.
func TestAFrameIsWrittenOnceForAllReaders(t *testing.T) {
	var cache messageCache
	text := func(f event.Frame) [][]byte {
		got, err := cache.frame(f)
		if err != nil || len(got) != len(f.Events) {
			t.Fatalf("%d messages (%v)", len(got), err)
		}
		return got
	}
	same := func(a, b [][]byte) bool { return &a[0][0] == &b[0][0] }
	whole, part := frame(7, event.IntentRefused, event.StageFailed), frame(7, event.StageFailed)
	first := cache.reader()
	if text(whole); len(cache.recent) > 0 {
		t.Error("a single reader leaves a text behind")
	}
	second := cache.reader()
	a := text(whole)
	if !same(a, text(whole)) {
		t.Error("the second reader's text is written again")
	}
	if got := string(text(part)[0]); !strings.HasPrefix(got, "id: 7.1\nevent: stageFailed\ndata: {") || strings.Contains(got, "intentRefused") || !strings.HasSuffix(got, "}\n\n") {
		t.Errorf("who may not see refusals is told %q", got)
	}
	if got := string(text(whole)[1]); !strings.HasPrefix(got, "id: 7.2\nevent: stageFailed\n") || !strings.Contains(got, `"summary":"Build failed: \u003cso\u003e"`) {
		t.Errorf("who may see all is told %q", got)
	}
	if got := string(text(frame(7+framesCached, event.StageEntered))[0]); !strings.Contains(got, "stageEntered") {
		t.Errorf("another frame in the same place: %q", got)
	}
	first()
	if second(); cache.recent != nil || cache.readers != 0 {
		t.Error("nobody reads along, and texts are kept")
	}
}

// flushes counts how often something is sent.
type flushes struct {
	*httptest.ResponseRecorder
	sent int
}

func (f *flushes) Flush() { f.sent++ }

// What is there is sent at once, in one piece; only a great deal is sent in several.
func TestTheFeedSendsWhatThereIsInOnePiece(t *testing.T) {
	for frames, want := range map[int]int{0: 1, 1: 2, 50: 2, 1000: 5} { // the greeting is one
		synctest.Test(t, func(t *testing.T) {
			e := &engine{}
			for i := range frames {
				e.frames = append(e.frames, frame(uint64(i)+1, event.StageEntered, event.StageFailed))
			}
			w := &flushes{ResponseRecorder: httptest.NewRecorder()}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer secret-of-ci")
			serve(e).ServeHTTP(w, r)
			if got := strings.Count(w.Body.String(), "\nevent: "); got != 2*frames || w.sent < want || frames < 1000 && w.sent > want {
				t.Errorf("%d frames: %d events in %d pieces, want %d pieces", frames, got, w.sent, want)
			}
		})
	}
}

// BenchmarkLiveFeed is one frame of a click to a number of readers: nine events.
func BenchmarkLiveFeed(b *testing.B) {
	for name, readers := range map[string]int{"readers=1": 1, "readers=8": 8} {
		b.Run(name, func(b *testing.B) {
			a := &api{Options: Options{Log: slog.New(slog.DiscardHandler), Heartbeat: time.Hour}}
			w := &flushes{ResponseRecorder: httptest.NewRecorder()}
			out := make([]*stream, readers)
			for i := range out {
				out[i] = &stream{w: w, ctl: http.NewResponseController(w)}
				defer a.messages.reader()()
			}
			e := &engine{frames: []event.Frame{frame(0, event.GateVoted, event.GateClosed, event.ActionSucceeded, event.StageSucceeded, event.StageEntered,
				event.ActionStarted, event.ActionStarted, event.ActionStarted, event.ActionTracked)}}
			a.Watcher = e
			b.ReportAllocs()
			at := uint64(0)
			for b.Loop() {
				at++
				e.frames[0].Feed = at
				for _, o := range out {
					w.Body.Reset()
					if _, err := a.feedOn(b.Context(), o, workflows.Principal{}, "", cursor{frame: at - 1}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
