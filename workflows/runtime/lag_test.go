package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// away is a follower whose other side is away, or does not come back from a call.
type away struct {
	name  string
	block bool
}

func (a away) Name() string { return a.name }

func (a away) Follow(ctx context.Context, _ event.Batch) error {
	if a.block {
		<-ctx.Done()
	}
	return errors.New("away")
}

// What monitoring reads: how many gates wait and since when, and who is behind.
func TestWhatIsBehindIsSeen(t *testing.T) {
	play(t, func(w *world) {
		w.options.Followers = []runtime.Follower{away{name: "failing"}, away{name: "hanging", block: true}}
		w.boot()
		w.define(shop)
		opened := time.Now()
		id := w.begin("webshop")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, oldest, err := w.OpenGates(w.t.Context()); err != nil || n != 1 || !oldest.Equal(opened) {
			w.t.Errorf("%v: %d gates, the oldest since %v, want one since %v", err, n, oldest, opened)
		}
		lags, err := w.FollowerLag(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if got := lags["failing"]; got.Behind != 1 || got.Commits != 0 {
			w.t.Errorf("a follower that fails: %+v", got)
		}
		if got := lags["hanging"]; got.Behind != 0 || got.Commits == 0 {
			w.t.Errorf("a follower that does not come back: %+v", got)
		}
		w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		if n, oldest, err := w.OpenGates(w.t.Context()); err != nil || n != 0 || !oldest.IsZero() {
			w.t.Errorf("%v: %d gates, the oldest since %v, want none", err, n, oldest)
		}
	})
}
