package runtime_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func push(commit string) []work.Change {
	return []work.Change{{
		Provider: "Git", Event: "push", Repository: "https://git.example/shop.git", Branch: "main", Commit: commit, Summary: "Fix the basket",
		Author: &workflows.Author{Name: "Dora", Email: "dora@acme.example"}, By: workflows.Principal{ID: "github:dora", Name: "dora", Via: "github"},
	}}
}

type told struct{ Started, Ignored []string }

// receive delivers and returns what the sender is told.
func (w *world) receive(key string, changes []work.Change) (told, bool) {
	w.t.Helper()
	return w.receivePrinted(key, "", changes)
}

// receivePrinted is receive for a delivery whose signed body has that fingerprint.
func (w *world) receivePrinted(key, print string, changes []work.Change) (told, bool) {
	w.t.Helper()
	r, fresh, err := w.Receive(w.t.Context(), work.Receipt{Key: key, Source: "github", Print: print}, changes)
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	var got told
	if err := json.Unmarshal(r.Result, &got); err != nil || got.Started == nil || got.Ignored == nil || !r.Done {
		w.t.Fatalf("%s: result %s, done %v: %v", key, r.Result, r.Done, err)
	}
	return got, fresh
}

func TestAPushStartsWhatFollowsIt(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("one"), strings.Replace(named("two"), "BranchName: main", "BranchName: dev", 1), strings.Replace(named("far"), "shop.git", "far.git", 1))
		got, fresh := w.receive("github/1", push("c7"))
		synctest.Wait()
		for _, c := range w.disk.shapes {
			if c.receipts > 0 && c.frames != 1 {
				t.Errorf("the receipt was written with %d frames, want it in the commit of the one decision", c.frames)
			}
		}
		if !fresh || len(got.Started) != 1 || len(got.Ignored) != 1 || !strings.HasPrefix(got.Ignored[0], "two: ") {
			t.Fatalf("got %+v", got)
		}
		x := w.execution(got.Started[0])
		if x.Pipeline != "one" || x.Trigger.Type != workflows.TriggerWebhook || x.Trigger.By.ID != "github:dora" {
			t.Errorf("%s was started by %+v", x.Ref(), x.Trigger)
		}
		synctest.Wait()
		if x = w.execution(x.ID); x.SourceRevisions[0].RevisionID != "c7" || x.SourceRevisions[0].RevisionSummary != "Fix the basket" {
			t.Errorf("it runs %+v, not the pushed commit", x.SourceRevisions)
		}

		again, fresh := w.receive("github/1", push("c7"))
		if fresh || !slices.Equal(again.Started, got.Started) {
			t.Errorf("the same delivery: fresh %v, %+v", fresh, again)
		}
		other, fresh := w.receive("github/2", push("c7"))
		if fresh || !slices.Equal(other.Started, got.Started) || !strings.Contains(other.Ignored[len(other.Ignored)-1], "github/1") {
			t.Errorf("the same push under another key: fresh %v, %+v", fresh, other)
		}
		if n := w.disk.count(event.ExecutionStarted); n != 1 {
			t.Errorf("%d executions", n)
		}
		pass(11 * time.Minute)
		if later, fresh := w.receive("github/3", push("c7")); !fresh || len(later.Started) != 1 || later.Started[0] == got.Started[0] {
			t.Errorf("the same push after eleven minutes: fresh %v, %+v", fresh, later)
		}
	})
}

func TestAPushThatNobodyFollows(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("one"))
		changes := push("c1")
		changes[0].Repository = "https://git.example/unknown.git"
		got, _ := w.receive("github/1", changes)
		if len(got.Started) != 0 || len(got.Ignored) != 1 {
			t.Errorf("got %+v", got)
		}
		changes = push("c2")
		changes[0].Deleted = true
		if got, _ = w.receive("github/2", changes); len(got.Started) != 0 || len(got.Ignored) != 1 {
			t.Errorf("a deleted branch: %+v", got)
		}
	})
}

func TestRepeatsAtTheSameMomentStartOnce(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("one"), named("two"))
		w.plug.slower(time.Millisecond)
		var all sync.WaitGroup
		var mu sync.Mutex
		fresh := 0
		for range 10 {
			all.Go(func() {
				if _, first := w.receive("github/1", push("c1")); first {
					mu.Lock()
					fresh++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if n := w.disk.count(event.ExecutionStarted); n != 2 || fresh != 1 {
			t.Errorf("%d executions, %d fresh receipts", n, fresh)
		}
	})
}

// TestADeliveryIsFinishedAfterACrash ends the process at each commit of a
// delivery that starts two pipelines.
func TestADeliveryIsFinishedAfterACrash(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for at := 1; at <= 4; at++ {
			play(t, func(w *world) {
				w.boot()
				w.define(named("one"), named("two"))
				written := false
				w.plug.fail(func(n int) string {
					if n < at {
						written = true
						return ""
					}
					written = written || when == "after"
					w.plug.kill()
					return when
				})
				go w.Receive(w.t.Context(), work.Receipt{Key: "github/1", Source: "github"}, push("c1"))
				pass(time.Second)
				w.crash()
				w.boot()
				pass(10 * time.Second)
				want := 2
				if !written {
					want = 0
				}
				if n := w.disk.count(event.ExecutionStarted); n != want {
					t.Errorf("%s commit %d: %d executions after the restart, want %d", when, at, n, want)
				}
				if got, fresh := w.receive("github/1", push("c1")); fresh == written || len(got.Started) != 2 {
					t.Errorf("%s commit %d: the repeat is fresh: %v, %+v", when, at, fresh, got)
				}
				if n := w.disk.count(event.ExecutionStarted); n != 2 {
					t.Errorf("%s commit %d: %d executions in the end", when, at, n)
				}
			})
		}
	}
}

func TestADeliveryOutlivesAnUnknownCommit(t *testing.T) {
	for _, files := range [][]string{{named("one")}, {named("one"), named("two")}} {
		for _, when := range []string{"before", "after"} {
			play(t, func(w *world) {
				w.boot()
				w.define(files...)
				w.plug.fail(func(n int) string {
					if n == 1 {
						return when
					}
					return ""
				})
				if got, fresh := w.receive("github/1", push("c1")); !fresh || len(got.Started) != len(files) {
					t.Errorf("%s: fresh %v, %+v", when, fresh, got)
				}
				if n := w.disk.count(event.ExecutionStarted); n != len(files) {
					t.Errorf("%s: %d executions", when, n)
				}
			})
		}
	}
}

// halfDone has a delivery that starts two pipelines accepted, and neither start
// saved: the store takes no commit after the first one.
func (w *world) halfDone(key string) {
	w.t.Helper()
	w.plug.fail(func(n int) string {
		if n == 1 {
			return ""
		}
		return "before"
	})
	_, _, err := w.Receive(w.t.Context(), work.Receipt{Key: key, Source: "github"}, push("c1"))
	var p *workflows.Problem
	if !errors.As(err, &p) || p.Code != workflows.CodeCommitUnknown {
		w.t.Fatalf("%s: %v", key, err)
	}
}

// open are the deliveries that the disk says must be finished.
func (w *world) open() []runtime.Memo {
	w.t.Helper()
	left, err := w.plug.List(w.t.Context(), "runtime", "delivery/")
	if err != nil {
		w.t.Fatal(err)
	}
	return left
}

// The sender was told to try again and does not: what was accepted is carried
// out all the same, by the process that accepted it.
func TestADeliveryIsFinishedWhenTheStoreAnswersAgain(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("one"), named("two"))
		pass(time.Second) // the start has looked for such deliveries
		w.halfDone("github/1")
		pass(time.Minute)
		w.plug.work()
		pass(2 * time.Minute)
		if n := w.disk.count(event.ExecutionStarted); n != 2 || len(w.open()) > 0 {
			t.Errorf("%d executions, open are %v", n, w.open())
		}
		if got, fresh := w.receive("github/1", push("c1")); fresh || len(got.Started) != 2 {
			t.Errorf("the repeat is fresh: %v, %+v", fresh, got)
		}
	})
}

// While a delivery waits to be finished its push becomes a new one, and comes
// again: the later delivery does the work, and the earlier one is over too.
func TestADeliveryWhosePushCameAgainIsOver(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("one"), named("two"))
		pass(time.Second) // the start has looked for such deliveries
		w.halfDone("github/1")
		pass(11 * time.Minute)
		w.plug.work()
		if got, fresh := w.receive("github/2", push("c1")); !fresh || len(got.Started) != 2 {
			t.Errorf("the push is fresh: %v, %+v", fresh, got)
		}
		pass(2 * time.Minute)
		if left := w.open(); len(left) > 0 {
			t.Errorf("still open: %s", left[0].Key)
		}
		if got, fresh := w.receive("github/1", push("c1")); fresh || len(got.Started) != 2 {
			t.Errorf("the repeat is fresh: %v, %+v", fresh, got)
		}
		if n := w.disk.count(event.ExecutionStarted); n != 2 {
			t.Errorf("%d executions", n)
		}
	})
}

func TestAcceptAndFinish(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		ctx := w.t.Context()
		r := work.Receipt{Key: "slack/sig", Source: "slack", Payload: []byte("click")}
		if _, fresh, err := w.Accept(ctx, r); err != nil || !fresh {
			t.Fatalf("fresh %v: %v", fresh, err)
		}
		if prior, fresh, err := w.Accept(ctx, r); err != nil || fresh || prior.Done {
			t.Errorf("again: fresh %v, %+v: %v", fresh, prior, err)
		}
		w.crash()
		w.boot()
		pending, err := w.Pending(ctx, "slack")
		if err != nil || len(pending) != 1 || string(pending[0].Payload) != "click" {
			t.Fatalf("pending after a crash: %+v, %v", pending, err)
		}
		if err := w.Finish(ctx, r.Key, []byte("done")); err != nil {
			t.Fatal(err)
		}
		if pending, _ = w.Pending(ctx, "slack"); len(pending) != 0 {
			t.Errorf("still pending: %+v", pending)
		}
		prior, fresh, _ := w.Accept(ctx, r)
		if fresh || !prior.Done || string(prior.Result) != "done" || prior.Payload != nil {
			t.Errorf("a repeat is told %+v", prior)
		}
		if err := w.Finish(ctx, "slack/never", nil); err == nil {
			t.Error("a receipt was finished that nobody accepted")
		}
		w.receive("github/1", push("c1"))
		pass(8 * 24 * time.Hour)
		for key := range w.disk.memos {
			if strings.Contains(key, "push/") {
				t.Errorf("%q is still remembered after a week", key)
			}
		}
		if _, fresh, _ := w.Accept(ctx, r); !fresh {
			t.Error("receipts are kept for more than a week")
		}
	})
}

func TestNothingIsAcceptedBeforeItIsDurable(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.plug.fail(func(int) string { return "before" })
		_, _, err := w.Accept(w.t.Context(), work.Receipt{Key: "slack/1", Source: "slack"})
		var p *workflows.Problem
		if !errors.As(err, &p) || p.Code != workflows.CodeCommitUnknown {
			t.Errorf("got %v", err)
		}
		w.plug.work()
	})
}
