package following_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
)

// The newest frames come from memory, older ones from the store, and nobody who
// waits misses one: also not when the memory was emptied after an unknown commit.
func TestTheFeedReadsFromMemoryAndFromTheStore(t *testing.T) {
	f := newFixture(t)
	feed := following.NewFeed(f.options())
	read := func(after uint64) (positions string, more <-chan struct{}) {
		frames, more, err := feed.Read(t.Context(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range frames {
			positions += fmt.Sprint(one.Feed, " ")
		}
		return strings.TrimSpace(positions), more
	}
	f.add("shop") // before this process
	if at, ok := feed.Newest(); ok {
		t.Errorf("nothing was published, and the newest is %d", at)
	}
	_, more := read(1)
	feed.Publish([]event.Frame{f.add("shop"), f.add("api")})
	select {
	case <-more:
	default:
		t.Error("who waited was not woken")
	}
	before := f.reads
	if got, _ := read(1); got != "2 3" || f.reads != before {
		t.Errorf("read %q in %d reads of the store", got, f.reads-before)
	}
	if got, _ := read(0); got != "1 2 3" || f.reads != before+1 {
		t.Errorf("what is older than the memory: %q in %d reads", got, f.reads-before)
	}
	f.add("api") // committed, though the writer does not know
	f.early = true
	if got, _ := read(2); got != "3" {
		t.Errorf("before the commit is known: %q", got)
	}
	if got, _ := read(0); got != "1 2 3" {
		t.Errorf("before the commit is known, from the store: %q", got)
	}
	f.early = false
	_, more = read(3)
	feed.Forget()
	select {
	case <-more:
	default:
		t.Error("after a commit of unknown end nobody looks again")
	}
	if got, _ := read(3); got != "4" {
		t.Errorf("after a commit of unknown end: %q", got)
	}
	feed.Publish([]event.Frame{f.add("shop")})
	if got, _ := read(3); got != "4 5" {
		t.Errorf("what is committed beside the memory is left out: %q", got)
	}
}

func TestTheHeadOfTheFeed(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 63, 64, 65} {
		f := newFixture(t)
		for range n {
			f.add("shop")
		}
		if at, err := following.NewFeed(f.options()).Head(t.Context()); err != nil || at != uint64(n) {
			t.Errorf("of %d frames the head is %d (%v)", n, at, err)
		}
	}
}

// A read model is folded once and then follows the log; what is broken is read anew.
func TestReadModelsFollowTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		feed := following.NewFeed(f.options())
		models := following.NewReadModels(f.options(), feed)
		version := func() (v int, err error) {
			err = models.Read(t.Context(), "shop", func(s *machine.State) error { v = s.Version; return nil })
			return v, err
		}
		for want := 1; want < 4; want++ {
			f.add("shop")
			if v, err := version(); v != want || err != nil {
				t.Fatalf("version %d (%v), want %d", v, err, want)
			}
		}
		if f.folds != 1 {
			t.Errorf("the state was folded %d times", f.folds)
		}
		refused := errors.New("refused")
		if err := models.Read(t.Context(), "shop", func(*machine.State) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("the reader's own error comes back as %v", err)
		}
		err := models.Read(t.Context(), "shop", func(*machine.State) error { panic("a fault") })
		if !errors.Is(err, following.ErrPanicked) {
			t.Errorf("a panic comes back as %v", err)
		}
		if v, err := version(); v != 3 || err != nil || f.folds != 2 {
			t.Errorf("after a panic: version %d (%v), folded %d times", v, err, f.folds)
		}
		f.add("shop")
		f.broken = errors.New("the disk is gone")
		if _, err := version(); err == nil {
			t.Error("a state that may be old was shown")
		}
		f.broken = nil
		if v, err := version(); v != 4 || err != nil {
			t.Errorf("after the disk came back: version %d (%v)", v, err)
		}
		f.fire("read models") // a minute passes in which somebody reads
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.timers["read models"] == nil {
			t.Error("nobody looks for idle read models any more")
		}
	})
}

// A read model takes what is new from the memory of the feed, when all of it is
// there, and goes when nobody reads it; who reads all pipelines keeps none.
func TestReadModelsAreFollowedFromMemoryAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		feed := following.NewFeed(f.options())
		models := following.NewReadModels(f.options(), feed)
		version := func(read func(context.Context, string, func(*machine.State) error) error, pipeline string) (v int) {
			if err := read(t.Context(), pipeline, func(s *machine.State) error { v = s.Version; return nil }); err != nil {
				t.Error(err)
			}
			return v
		}
		f.add("shop")
		version(models.Read, "shop")
		feed.Publish([]event.Frame{f.add("shop"), f.add("api"), f.add("shop")})
		if v := version(models.Read, "shop"); v != 3 || f.folds != 1 || f.logReads != 0 {
			t.Errorf("version %d after %d folds and %d reads of the log", v, f.folds, f.logReads)
		}
		f.add("shop") // not in memory
		feed.Forget()
		feed.Publish([]event.Frame{f.add("shop")})
		if v := version(models.Read, "shop"); v != 5 || f.folds != 1 || f.logReads != 1 {
			t.Errorf("with a gap: version %d after %d folds and %d reads of the log", v, f.folds, f.logReads)
		}
		f.add("shop") // committed, and not published yet
		if v := version(models.Scan, "shop"); v != 6 || f.folds != 1 {
			t.Errorf("who reads all pipelines: version %d after %d folds", v, f.folds)
		}
		for range 2 {
			version(models.Scan, "api")
		}
		if f.folds != 3 {
			t.Errorf("who reads all pipelines keeps one: %d folds", f.folds)
		}
		time.Sleep(10 * time.Second)
		version(models.Read, "api")
		f.fire("read models") // at 15 s in the service
		time.Sleep(5 * time.Second)
		f.fire("read models")
		if version(models.Read, "api"); f.folds != 4 {
			t.Errorf("the one that was read lately is gone: %d folds", f.folds)
		}
		if version(models.Read, "shop"); f.folds != 5 {
			t.Errorf("the one that nobody read is still there: %d folds", f.folds)
		}
		time.Sleep(time.Minute)
		f.fire("read models")
		if f.timers["read models"] != nil {
			t.Error("nothing is loaded, and somebody looks for what may go")
		}
		for i := range 600 {
			f.add(fmt.Sprint(i))
			version(models.Read, fmt.Sprint(i))
		}
		if before := f.folds; version(models.Read, "599") == 0 || f.folds != before {
			t.Error("the newest of many is gone")
		}
		if before := f.folds; version(models.Read, "0") == 0 || f.folds != before+1 {
			t.Error("of many the one read longest ago is still there")
		}
	})
}

// The memory of the feed is bounded, and shrinks when nothing happens.
func TestTheFeedForgetsWhatNobodyIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		feed := following.NewFeed(f.options())
		stored := func(after uint64) bool {
			before := f.reads
			frames, _, err := feed.Read(t.Context(), after, 1)
			if err != nil || len(frames) != 1 || frames[0].Feed != after+1 {
				t.Fatalf("after %d: %v %v", after, frames, err)
			}
			return f.reads > before
		}
		for range 2048 {
			feed.Publish([]event.Frame{f.add("shop")})
		}
		if stored(0) {
			t.Error("the first of 2048 frames is not in memory")
		}
		feed.Publish([]event.Frame{f.add("shop")})
		if !stored(0) || !stored(1024) || stored(1025) {
			t.Error("of 2049 frames not the last 1024 are in memory")
		}
		time.Sleep(9 * time.Second)
		feed.Publish([]event.Frame{f.add("shop")})
		time.Sleep(time.Second)
		if f.fire("feed"); stored(1025) {
			t.Error("it shrinks although something happens")
		}
		time.Sleep(9 * time.Second)
		if f.fire("feed"); !stored(1025) || !stored(1985) || stored(1986) {
			t.Error("it does not shrink to 64 frames when nothing happens")
		}
		if f.timers["feed"] != nil {
			t.Error("nothing is left to shrink, and a timer is set")
		}
	})
}

// follow runs one follower in a bubble of synthetic time, from an empty feed.
func follow(t *testing.T, story func(f *fixture, j *journal, feed *following.Feed, all *following.Followers)) {
	synctest.Test(t, func(t *testing.T) {
		f, j := newFixture(t), &journal{}
		feed := following.NewFeed(f.options())
		all := following.NewFollowers(f.options(), feed)
		all.Add(j)
		if err := all.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		for _, run := range all.Runs() {
			f.all.Go(func() { run(ctx) })
		}
		story(f, j, feed, all)
		stop()
		f.all.Wait()
	})
}

// The position never passes a frame that its follower may still be given, and
// what the commit did not take is offered again.
func TestAPositionIsSavedWithSomebodysCommit(t *testing.T) {
	follow(t, func(f *fixture, j *journal, feed *following.Feed, all *following.Followers) {
		if got := f.memo("follow/journal"); got != "0" {
			t.Fatalf("a new follower starts at %q", got)
		}
		enter := make(chan struct{})
		j.answers(func(b event.Batch) error { <-enter; return nil })
		feed.Publish([]event.Frame{f.add("shop"), f.add("api")})
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if memos, _ := all.Positions(false); len(memos) != 0 {
			t.Errorf("saved while both frames are being given: %s %s", memos[0].Key, memos[0].Value)
		}
		close(enter)
		synctest.Wait()
		if f.fire("save/journal"); f.commits != 1 {
			t.Errorf("%d commits were asked for, though nobody else commits", f.commits)
		}
		memos, onCommit := all.Positions(false)
		if len(memos) != 1 || string(memos[0].Value) != "2" {
			t.Fatalf("saved: %v", memos)
		}
		onCommit(errors.New("unknown"))
		memos, onCommit = all.Positions(true)
		if len(memos) != 1 || string(memos[0].Value) != "2" {
			t.Fatalf("after a commit of unknown end: %v", memos)
		}
		f.write(memos)
		onCommit(nil)
		if memos, _ := all.Positions(true); len(memos) != 0 {
			t.Errorf("saved twice: %v", memos)
		}
	})
}

// A pipeline that cannot be followed is noted in a row, and the others go on.
func TestARetryRowGoesWithThePositionThatPassesIt(t *testing.T) {
	follow(t, func(f *fixture, j *journal, feed *following.Feed, all *following.Followers) {
		down := errors.New("the vendor is down")
		j.answers(func(b event.Batch) error {
			if b.Pipeline == "shop" {
				return down
			}
			return nil
		})
		feed.Publish([]event.Frame{f.add("shop"), f.add("api")})
		synctest.Wait()
		if got := j.accepted(); got != "api" {
			t.Fatalf("accepted: %s", got)
		}
		memos, onCommit := all.Positions(true)
		f.write(memos)
		onCommit(nil)
		if at, row := f.memo("follow/journal"), f.memo("retry/journal/shop"); at != "2" || row != `{"after":0,"failures":1}` {
			t.Fatalf("the position is %s, the row %s", at, row)
		}
		if pause := f.fire("follow/journal/shop"); pause != time.Second {
			t.Errorf("called again after %v", pause)
		}
		j.answers(func(b event.Batch) error { return &event.Unfinished{After: 5 * time.Second, Err: down} })
		f.fire("follow/journal/shop")
		if got := j.accepted(); got != "api shop" {
			t.Fatalf("accepted: %s", got)
		}
		j.answers(nil)
		if pause := f.fire("follow/journal/shop"); pause != 5*time.Second {
			t.Errorf("what is unfinished is called again after %v", pause)
		}
		memos, onCommit = all.Positions(true)
		f.write(memos)
		onCommit(nil)
		if row, got := f.memo("retry/journal/shop"), j.accepted(); row != "" || got != "api shop shop again" {
			t.Errorf("the row is %q after %s", row, got)
		}
	})
}

// More to do than may be done at once is no failure: the row counts none, the
// follower is called again when it asked for it, and for a new frame at once.
func TestWhatIsExpectedToTakeLongIsNoFailure(t *testing.T) {
	follow(t, func(f *fixture, j *journal, feed *following.Feed, all *following.Followers) {
		j.answers(func(event.Batch) error {
			return &event.Unfinished{After: 5 * time.Second, Err: errors.New("later"), Expected: true}
		})
		feed.Publish([]event.Frame{f.add("shop")})
		synctest.Wait()
		for range 3 {
			if pause := f.fire("follow/journal/shop"); pause != 5*time.Second {
				t.Errorf("called again after %v", pause)
			}
		}
		feed.Publish([]event.Frame{f.add("shop")})
		synctest.Wait()
		if got := j.accepted(); strings.Count(got, "again") != 3 || !strings.HasSuffix(got, " shop") {
			t.Errorf("accepted: %s", got)
		}
		memos, onCommit := all.Positions(true)
		f.write(memos)
		onCommit(nil)
		if row := f.memo("retry/journal/shop"); row != `{"after":2,"failures":0,"taken":true}` {
			t.Errorf("the row is %s", row)
		}
	})
}

// A restart reads behind from the log, not from the feed.
func TestARestartGoesOnFromTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, j := newFixture(t), &journal{}
		for range 3 {
			f.add("shop")
		}
		f.memos["runtime:follow/journal"], f.memos["runtime:retry/journal/shop"] = "3", `{"after":1,"failures":4}`
		all := following.NewFollowers(f.options(), following.NewFeed(f.options()))
		all.Add(&journal{})
		all.Add(j) // of two with one name the later one
		if err := all.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		for _, run := range all.Runs() {
			f.all.Go(func() { run(ctx) })
		}
		synctest.Wait()
		if got := j.accepted(); got != "shop shop" {
			t.Errorf("accepted: %q, want the frames 2 and 3", got)
		}
		stop()
		f.all.Wait()
	})
}

// picky is a journal to which all but one pipeline is nothing.
type picky struct{ *journal }

func (p picky) Concerns(f event.Frame) bool { return f.Pipeline == "shop" }

// A frame that is nothing to a follower is passed over without a call and without
// a commit of its own; somebody else's commit takes the position along. Of a
// pipeline in which the follower is behind nothing is passed over.
func TestWhatIsNothingToAFollowerIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, j := newFixture(t), &journal{}
		feed := following.NewFeed(f.options())
		all := following.NewFollowers(f.options(), feed)
		all.Add(picky{j})
		if err := all.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		for _, run := range all.Runs() {
			f.all.Go(func() { run(ctx) })
		}
		feed.Publish([]event.Frame{f.add("api"), f.add("api")})
		synctest.Wait()
		if f.mu.Lock(); f.timers["save/journal"] != nil {
			t.Error("a commit is going to be made for it")
		}
		f.mu.Unlock()
		time.Sleep(2 * time.Second)
		if memos, _ := all.Positions(false); len(memos) != 1 || string(memos[0].Value) != "2" {
			t.Errorf("somebody's commit takes along %v", memos)
		}
		feed.Publish([]event.Frame{f.add("shop"), f.add("api")})
		synctest.Wait()
		if got := j.accepted(); got != "shop" {
			t.Errorf("accepted: %q", got)
		}
		f.fire("save/journal")
		stop()
		f.all.Wait()
	})
}
