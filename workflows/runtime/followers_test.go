package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// scribe is a follower that writes down what it is given.
type scribe struct {
	name string
	do   func(ctx context.Context, b event.Batch) error // may be nil

	mu      sync.Mutex
	frames  map[string][]uint64 // accepted, by pipeline
	calls   []time.Time
	at      map[string]int // calls under way, by pipeline
	batches int
	overlap bool
}

func newScribe(name string) *scribe {
	return &scribe{name: name, frames: map[string][]uint64{}, at: map[string]int{}}
}

func (s *scribe) Name() string { return s.name }

func (s *scribe) Follow(ctx context.Context, b event.Batch) error {
	s.mu.Lock()
	s.calls = append(s.calls, time.Now())
	s.at[b.Pipeline]++
	s.overlap = s.overlap || s.at[b.Pipeline] > 1
	s.mu.Unlock()
	var err error
	if s.do != nil {
		err = s.do(ctx, b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[b.Pipeline]--
	var more *event.Unfinished
	if err == nil || errors.As(err, &more) {
		s.batches++
		for _, f := range b.Frames {
			s.frames[b.Pipeline] = append(s.frames[b.Pipeline], f.Seq)
		}
	}
	return err
}

// inOrder checks that the frames from..to of a pipeline were accepted, each once, in order.
func (s *scribe) inOrder(t *testing.T, pipeline string, from, to int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var want []uint64
	for i := from; i <= to; i++ {
		want = append(want, uint64(i))
	}
	if got := s.frames[pipeline]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s was told the frames %v of %s, want %v", s.name, got, pipeline, want)
	}
	if s.overlap {
		t.Errorf("%s was called twice at once for one pipeline", s.name)
	}
}

func (d *disk) last(pipeline string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.after(pipeline, 0))
}

func TestANewFollowerStartsAtTheHead(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.begin("web")
		old := w.disk.last("web")
		w.stop()

		s := newScribe("card")
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		pass(time.Second)
		if len(s.frames) != 0 {
			t.Errorf("it was told the past: %v", s.frames)
		}
		w.begin("web")
		pass(time.Second)
		s.inOrder(t, "web", old+1, w.disk.last("web"))
		s.frames = map[string][]uint64{}
		seen := w.disk.last("web")
		w.reboot()
		w.begin("web")
		pass(time.Second)
		s.inOrder(t, "web", seen+1, w.disk.last("web"))
	})
}

func TestFollowersCatchUpAfterACrash(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("card")
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("web"))
		w.begin("web")
		w.crash() // its position was not saved yet
		w.boot()
		pass(time.Second)
		told := map[uint64]bool{}
		for _, seq := range s.frames["web"] {
			told[seq] = true
		}
		if n := w.disk.last("web"); len(told) != n {
			t.Errorf("told of %d frames, the log has %d", len(told), n)
		}
	})
}

func TestAFailingPipelineBlocksNoOther(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("ticket")
		var mended atomic.Bool
		s.do = func(_ context.Context, b event.Batch) error {
			if b.Pipeline == "bad" && !mended.Load() {
				return errors.New("Jira says no")
			}
			return nil
		}
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("bad"), named("good"))
		w.begin("bad")
		w.begin("good")
		pass(2 * time.Second)
		s.inOrder(t, "good", 1, w.disk.last("good"))
		pass(5 * time.Minute)
		var pauses []time.Duration
		for i := len(s.calls) - 2; i > 0 && len(pauses) < 2; i-- {
			pauses = append(pauses, s.calls[i+1].Sub(s.calls[i]))
		}
		for _, p := range pauses {
			if p != 30*time.Second {
				t.Errorf("after minutes of failing it is called after %v, want 30s", pauses)
				break
			}
		}
		w.begin("bad") // more comes while it is behind
		pass(time.Second)
		w.reboot() // it is known across restarts that it is behind
		pass(time.Second)
		mended.Store(true)
		pass(time.Minute)
		s.inOrder(t, "bad", 1, w.disk.last("bad"))
		pass(5 * time.Second)
		if row := w.disk.memo("retry/ticket/bad"); row != "" {
			t.Errorf("it has caught up, and the retry row says %s", row)
		}
		w.begin("bad")
		pass(time.Second)
		s.inOrder(t, "bad", 1, w.disk.last("bad"))
	})
}

func TestABrokenFollowerSlowsNobody(t *testing.T) {
	play(t, func(w *world) {
		hangs, panics, good := newScribe("hangs"), newScribe("panics"), newScribe("good")
		hangs.do = func(ctx context.Context, _ event.Batch) error { <-ctx.Done(); return ctx.Err() }
		panics.do = func(context.Context, event.Batch) error { panic("a bug") }
		w.options.Followers = []runtime.Follower{hangs, panics, good}
		w.boot()
		for i := range 20 {
			name := fmt.Sprintf("p%d", i)
			w.define(named(name))
			w.status(w.begin(name), workflows.StatusSucceeded)
		}
		pass(time.Second)
		for i := range 20 {
			name := fmt.Sprintf("p%d", i)
			good.inOrder(t, name, 1, w.disk.last(name))
		}
		pass(5 * time.Second)
		if v := w.disk.memo("follow/good"); v != fmt.Sprint(len(w.disk.frames)) {
			t.Errorf("the good one's position is %s, the feed's end %d", v, len(w.disk.frames))
		}
		if v := w.disk.memo("follow/hangs"); v != "0" {
			t.Errorf("the one that hangs has the position %s, and has accepted nothing", v)
		}
	})
}

func TestWhatComesDuringACallIsOneBatch(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("card")
		slow := make(chan struct{})
		s.do = func(context.Context, event.Batch) error { <-slow; return nil }
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("web"))
		w.begin("web")
		w.begin("web")
		close(slow)
		synctest.Wait()
		s.inOrder(t, "web", 1, w.disk.last("web"))
		if s.batches != 2 {
			t.Errorf("%d frames came in %d batches, want 2", w.disk.last("web"), s.batches)
		}
	})
}

func TestPositionsRideAlong(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("card")
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("web"))
		w.begin("web")
		commits := w.disk.made()
		pass(time.Hour)
		if n := w.disk.made() - commits; n > 3 {
			t.Errorf("%d commits in an hour in which nothing happens", n)
		}
	})
}

func TestTheFeed(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.begin("web")
		ctx := w.t.Context()
		var at uint64
		var n int
		for n < w.disk.last("web") {
			frames, err := w.Feed(ctx, ana, at, 2)
			if err != nil {
				t.Fatal(err)
			}
			n, at = n+len(frames), frames[len(frames)-1].Feed
		}
		got := make(chan []event.Frame, 1)
		go func() {
			frames, _ := w.Feed(ctx, ana, at, 10)
			got <- frames
		}()
		synctest.Wait()
		select {
		case f := <-got:
			t.Fatalf("nothing has happened, and the feed says %v", f)
		default:
		}
		w.begin("web")
		if f := <-got; len(f) == 0 || f[0].Feed != at+1 {
			t.Errorf("got %v", f)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := w.Feed(short, ana, 1<<40, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMemosOfAnOwner(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		ctx := w.t.Context()
		n := w.MemosOf("jira")
		for _, key := range []string{"ticket/a", "ticket/b", "other"} {
			if err := n.Note(ctx, key, []byte(key)); err != nil {
				t.Fatal(err)
			}
		}
		w.crash()
		w.boot()
		n = w.MemosOf("jira")
		if v, ok, err := n.Memo(ctx, "ticket/a"); err != nil || !ok || string(v) != "ticket/a" {
			t.Errorf("got %s, %v, %v", v, ok, err)
		}
		if err := n.Note(ctx, "ticket/b", nil); err != nil {
			t.Fatal(err)
		}
		if all, err := n.List(ctx, "ticket/"); err != nil || len(all) != 1 || all[0].Key != "ticket/a" {
			t.Errorf("got %v, %v", all, err)
		}
		if _, ok, _ := w.MemosOf("slack").Memo(ctx, "other"); ok {
			t.Error("one owner reads the notes of another")
		}
	})
}

// TestWhatIsBehindSurvivesACrash: the position has moved past a pipeline that
// fails, so only its retry row knows of it.
func TestWhatIsBehindSurvivesACrash(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("ticket")
		var mended atomic.Bool
		s.do = func(_ context.Context, b event.Batch) error {
			if b.Pipeline == "bad" && !mended.Load() {
				return errors.New("Jira says no")
			}
			return nil
		}
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("bad"), named("good"))
		w.begin("bad")
		pass(10 * time.Second)
		w.begin("good")
		pass(10 * time.Second)
		if at := w.disk.memo("follow/ticket"); at != fmt.Sprint(len(w.disk.frames)) {
			t.Fatalf("the position is %s, the feed's end %d", at, len(w.disk.frames))
		}
		w.crash()
		mended.Store(true)
		w.boot()
		pass(10 * time.Second)
		s.inOrder(t, "bad", 1, w.disk.last("bad"))
		s.inOrder(t, "good", 1, w.disk.last("good"))
	})
}

// C6: what a follower cannot bring about keeps up nothing of the same pipeline;
// the follower is called again by the clock until it is done, also by the next
// process, and then no more.
func TestWhatCannotBeDoneKeepsUpNothing(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("ticket")
		var stuck, calls atomic.Int64
		s.do = func(_ context.Context, b event.Batch) error {
			if stuck.CompareAndSwap(1, 2); stuck.Load() == 2 {
				calls.Add(1)
				return &event.Unfinished{Err: errors.New("Jira says no"), After: 30 * time.Second}
			}
			return nil
		}
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("web"))
		stuck.Store(1)
		w.begin("web")
		pass(time.Second)
		w.begin("web") // and the next one comes while it is stuck
		pass(2 * time.Second)
		checkTaken := func() {
			t.Helper()
			taken, want := map[uint64]bool{}, w.disk.last("web")
			for _, seq := range s.frames["web"] {
				taken[seq] = true
			}
			if len(taken) != want {
				t.Fatalf("the follower was given %d of %d frames", len(taken), want)
			}
		}
		checkTaken()
		before := calls.Load()
		pass(5 * time.Minute)
		if n := calls.Load() - before; n < 9 || n > 11 {
			t.Errorf("%d calls in 5 minutes, want one in 30 s", n)
		}
		w.reboot()
		before = calls.Load()
		pass(time.Minute)
		if n := calls.Load() - before; n < 1 || n > 4 {
			t.Errorf("%d calls in the minute after a restart", n)
		}
		w.begin("web")
		pass(2 * time.Second)
		checkTaken()
		stuck.Store(0)
		pass(31 * time.Second)
		seen := len(s.calls)
		pass(5 * time.Minute)
		if row := w.disk.memo("retry/ticket/web"); row != "" || len(s.calls) != seen {
			t.Errorf("all is done, and the row says %q, with %d more calls", row, len(s.calls)-seen)
		}
	})
}

// What comes while a follower that had nothing to read is called again is not lost.
func TestWhatComesDuringAnEmptyCallIsBroughtToo(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("ticket")
		var stuck atomic.Bool
		var empty atomic.Int64
		s.do = func(_ context.Context, b event.Batch) error {
			switch {
			case !stuck.Load():
				return nil
			case len(b.Frames) > 0:
				return &event.Unfinished{Err: errors.New("Jira is away"), After: time.Minute}
			}
			switch empty.Add(1) {
			case 1:
				return errors.New("a note could not be written")
			case 2:
				<-time.After(10 * time.Second) // meanwhile the pipeline goes on
				stuck.Store(false)
			}
			return nil
		}
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(named("web"))
		pass(time.Second)
		stuck.Store(true)
		w.begin("web")
		pass(time.Second)
		for empty.Load() < 2 {
			pass(time.Second)
		}
		w.begin("web")
		pass(time.Minute)
		s.inOrder(t, "web", 1, w.disk.last("web"))
	})
}

// slowFeed reads the feed from the disk a while after it was asked.
type slowFeed struct {
	runtime.History
	after time.Duration
}

func (h slowFeed) Feed(ctx context.Context, after uint64, limit int) ([]event.Frame, error) {
	<-time.After(h.after)
	return h.History.Feed(ctx, after, limit)
}

// A commit is durable a moment before the engine hears so. A follower that reads
// the log in between is not given it yet: what it would look at is how things
// stood before, and nobody would call it again.
func TestAFollowerIsGivenNoFrameThatReadersDoNotKnow(t *testing.T) {
	play(t, func(w *world) {
		s := newScribe("status")
		var shown workflows.Status
		s.do = func(ctx context.Context, b event.Batch) error {
			for _, id := range b.Executions() {
				x, err := w.Execution(ctx, workflows.EnginePrincipal(), id)
				if err != nil {
					return err
				}
				shown = x.Status
			}
			return nil
		}
		w.options.Followers = []runtime.Follower{s}
		w.boot()
		w.define(shop)
		w.submit(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"})
		pass(time.Minute) // it waits for approval
		w.stop()
		w.plug = &plug{disk: w.disk, late: time.Second}
		w.options.History = slowFeed{w.plug, 2 * time.Second}
		w.start()
		pass(1500 * time.Millisecond)
		if x, err := w.Execution(w.t.Context(), ana, "webshop#1"); err != nil || x.Status.Final() {
			t.Fatalf("%s: %v", x.Status, err)
		}
		w.submit(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: "webshop#1", Abandon: true})
		pass(time.Minute)
		x, err := w.Execution(w.t.Context(), ana, "webshop#1")
		if err != nil || !x.Status.Final() || shown != x.Status {
			t.Errorf("the execution is %s, and the follower shows %s: %v", x.Status, shown, err)
		}
	})
}
