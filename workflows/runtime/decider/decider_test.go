package decider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Nobody is answered, told, or made to act before the commit.
func TestNothingHappensBeforeTheCommit(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		enter := make(chan struct{})
		m.answers(func(*record.Commit) error { <-enter; return nil })
		told := len(m.seen().told)
		answered := make(chan decider.Answer, 1)
		m.Post(start("shop"), func(got decider.Answer) { answered <- got })
		synctest.Wait()
		select {
		case got := <-answered:
			t.Fatalf("answered before the commit: %+v", got)
		default:
		}
		if last, _ := m.Last("shop"); last != 1 || len(m.seen().told) != told || len(m.seen().opened["shop"]) > 0 {
			t.Errorf("before the commit the last frame is %d, told %v, opened %v", last, m.seen().told, m.seen().opened)
		}
		close(enter)
		if got := <-answered; got.Err != nil || got.Result.Execution == nil {
			t.Errorf("got %+v", got)
		}
		synctest.Wait()
		if last, _ := m.Last("shop"); last != 2 || len(m.seen().told) != told+1 || len(m.seen().opened["shop"]) != 1 {
			t.Errorf("after the commit the last frame is %d, told %v, opened %v", last, m.seen().told, m.seen().opened)
		}
	})
}

// What a loop decides while a commit is being made is one commit, and the answers come in order.
func TestOneCommitForAllThatWaits(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "a", "b", "c")
		enter := make(chan struct{})
		m.answers(func(*record.Commit) error { <-enter; return nil })
		var order []string
		note := func(name string) func(decider.Answer) {
			return func(got decider.Answer) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if got.Err != nil {
					t.Error(got.Err)
				}
				order = append(order, name)
			}
		}
		m.Post(start("a"), note("first"))
		synctest.Wait()
		m.Post(start("a"), note("second"))
		for _, name := range []string{"b", "c"} {
			m.Post(start(name), func(decider.Answer) {})
		}
		m.Post(start("a"), note("third"))
		synctest.Wait()
		before := len(m.store.seen().commits)
		close(enter)
		pass(time.Second)
		if got := strings.Join(order, " "); got != "first second third" {
			t.Errorf("answered: %s", got)
		}
		if n := len(m.store.seen().commits) - before; n > 3 {
			t.Errorf("%d commits for 5 requests, want the one that was under way and at most one for each of the two loops", n)
		}
	})
}

// A dry run says what the answer would be, and leaves no trace.
func TestADryRunLeavesNoTrace(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		commits := len(m.store.seen().commits)
		dry := start("shop")
		dry.DryRun = true
		if got := m.Submit(t.Context(), dry); got.Err != nil {
			t.Errorf("a start would be refused: %v", got.Err)
		}
		dry.Intent = &workflows.Intent{Verb: workflows.Retry, Pipeline: "shop", Execution: "none", Stage: "Deploy"}
		if got := m.Submit(t.Context(), dry); code(got.Err) == "" {
			t.Error("what would be refused is not")
		}
		if n := len(m.store.seen().commits) - commits; n != 0 {
			t.Errorf("%d commits for dry runs", n)
		}
	})
}

// A refusal is on record with what was asked for, cut to a bounded length.
func TestARefusalIsOnRecord(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		refused := decider.Request{
			Pipeline: "shop", By: workflows.Principal{ID: "slack:U1"},
			Intent:     &workflows.Intent{Verb: workflows.Start, Pipeline: "shop", Reason: strings.Repeat("x", 5000)},
			Refusal:    workflows.Refuse(workflows.CodeAccessDenied, "ask Ben", "you may not"),
			Attachment: record.Attachment{Receipt: &record.OpenReceipt{Receipt: work.Receipt{Key: "slack/1"}}},
		}
		if got := m.Submit(t.Context(), refused); code(got.Err) != workflows.CodeAccessDenied {
			t.Fatalf("got %v", got.Err)
		}
		frames := m.store.seen().frames["shop"]
		last := frames[len(frames)-1].Events[0]
		if last.Kind != event.IntentRefused || len(last.Refused.Intent.Reason) > 300 || last.Refused.Problem.ID == "" {
			t.Errorf("on record: %+v", last.Refused)
		}
		var result record.Result
		if err := json.Unmarshal(m.store.seen().receipts["slack/1"].Result, &result); err != nil || fmt.Sprint(result.Ignored) != "[shop: you may not]" {
			t.Errorf("the receipt in the same commit: %s", m.store.seen().receipts["slack/1"].Result)
		}
	})
}

// An idle pipeline leaves memory without a commit, and is folded again from its log.
func TestAnIdlePipelineIsParked(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		if got := m.Submit(t.Context(), definition(t, "shop", "-2")); got.Err != nil {
			t.Fatal(got.Err)
		}
		asked := m.seen().asked
		if pass(time.Minute); m.seen().asked != asked {
			t.Errorf("%d commits to leave memory", m.seen().asked-asked)
		}
		state, seq, err := m.Fold(t.Context(), "shop")
		if err != nil || seq != 2 || state.Version != 2 {
			t.Errorf("folded: version %d at %d (%v)", state.Version, seq, err)
		}
	})
}

// A pipeline leaves memory 5 s after the last that happened; then nothing looks for it.
func TestWhenAPipelineLeavesMemory(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		if got := m.Submit(t.Context(), definition(t, "shop", "-2")); got.Err != nil {
			t.Fatal(got.Err)
		}
		loads := m.seen().loads
		look := func(after time.Duration) bool {
			pass(after)
			loads = m.seen().loads
			r := start("shop")
			r.DryRun = true
			m.Submit(t.Context(), r)
			return m.seen().loads > loads
		}
		if look(4 * time.Second) {
			t.Error("gone after 4 s")
		}
		if look(4500 * time.Millisecond) {
			t.Error("gone though something happened 4.5 s ago")
		}
		asked := m.seen().asked
		if !look(7*time.Second) || m.seen().asked != asked {
			t.Errorf("7 s after, after %d commits, it is still there", m.seen().asked-asked)
		}
		m.answers(func(*record.Commit) error { // while it is written down somebody asks
			m.answers(nil)
			m.Post(start("shop"), func(decider.Answer) {})
			return nil
		})
		m.Post(definition(t, "shop", "-3"), func(decider.Answer) {})
		pass(time.Hour)
		if n := m.store.count("shop", event.ExecutionStarted); n != 1 {
			t.Errorf("%d executions, want 1", n)
		}
	})
}

// Who looks before they have something decided sees what is durable, or is told
// that not all is; a fault of theirs is nobody else's, and the state is read once.
func TestWhoPeeksSeesWhatIsDurable(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		pass(time.Minute)
		loads, seen := m.seen().loads, 0
		look := func(s *machine.State) { seen = s.Count }
		if !m.Peek(t.Context(), "shop", look) || seen != 0 {
			t.Errorf("%d executions are seen", seen)
		}
		enter := make(chan struct{})
		m.answers(func(*record.Commit) error { <-enter; return nil })
		m.Post(start("shop"), func(decider.Answer) {})
		synctest.Wait()
		if m.Peek(t.Context(), "shop", look) {
			t.Error("what is being committed is shown")
		}
		close(enter)
		pass(time.Second)
		if m.Peek(t.Context(), "shop", func(*machine.State) { panic("a fault") }) {
			t.Error("a fault counts as an answer")
		}
		if !m.Peek(t.Context(), "shop", look) || seen != 1 || m.seen().loads != loads+1 {
			t.Errorf("%d executions are seen, after %d reads", seen, m.seen().loads-loads)
		}
		m.finish()
		if m.Peek(t.Context(), "shop", look) {
			t.Error("something is seen after the end")
		}
	})
}

// Whoever gives memory back is told when pipelines have left it, and not before.
func TestWhatLeavesMemoryIsTold(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "a", "b", "c")
		if pass(4 * time.Second); m.seen().releases != 0 {
			t.Errorf("told of %d pipelines that are still loaded", m.seen().releases)
		}
		if pass(time.Minute); m.seen().releases != 3 {
			t.Errorf("told of %d of 3 pipelines", m.seen().releases)
		}
	})
}

// When the last open task of a pipeline has ended, the commit says so: a restart
// need not look at it.
func TestAPipelineAtRestIsNotDue(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		lock := decider.Request{Pipeline: "shop", By: workflows.EnginePrincipal(), Intent: &workflows.Intent{Verb: workflows.Lock, Pipeline: "shop", Stage: "Deploy", Reason: "x"}}
		for _, r := range []decider.Request{lock, start("shop")} {
			if got := m.Submit(t.Context(), r); got.Err != nil {
				t.Fatal(got.Err)
			}
		}
		if due := m.store.seen().checkpoints["shop"].Due; due.IsZero() {
			t.Error("a restart would not look at a pipeline that works")
		}
		done := decider.Request{Pipeline: "shop", By: workflows.EnginePrincipal(), Outcome: &work.Outcome{Task: m.seen().opened["shop"][0], State: work.Succeeded,
			Revision: &workflows.SourceRevision{ActionName: "App", RevisionID: "c1"}, Artifacts: []workflows.Artifact{{Name: "app", Digest: "d", Size: 1}}}}
		if got := m.Submit(t.Context(), done); got.Err != nil {
			t.Fatal(got.Err)
		}
		cp := m.store.seen().checkpoints["shop"]
		state, _, err := m.Fold(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		if due, _ := state.Due(); !cp.Due.Equal(due) || len(state.Tasks()) > 0 {
			t.Errorf("its head is due %v; the state is due %v", cp.Due, due)
		}
	})
}

// After the end nothing is decided, and whoever asks is told at once.
func TestAfterTheEnd(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		m.finish()
		if got := m.Submit(t.Context(), start("shop")); code(got.Err) != workflows.CodeUnavailable {
			t.Errorf("got %+v", got)
		}
		if err := m.Persist(t.Context(), record.Commit{}); code(err) != workflows.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		<-m.Ended()
	})
}

// The heap fires each timer once, in order of time, the newest setting of a key only.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timers := decider.NewTimers(time.Now)
		began := time.Now()
		fired := make(chan string, 10)
		set := func(key string, after time.Duration) {
			timers.Set(key, began.Add(after), func() { fired <- fmt.Sprint(key, " ", time.Since(began)) })
		}
		ctx, stop := context.WithCancel(t.Context())
		var done bool
		go func() { timers.Run(ctx); done = true }()
		set("c", 3*time.Hour)
		set("b", 2*time.Hour)
		set("a", time.Hour)
		set("b", 4*time.Hour) // later than it was
		set("d", time.Hour)
		timers.Drop("d")
		timers.Drop("never set")
		synctest.Wait()
		set("now", 0)
		for _, want := range []string{"now 0s", "a 1h0m0s", "c 3h0m0s", "b 4h0m0s"} {
			if got := <-fired; got != want {
				t.Errorf("fired %q, want %q", got, want)
			}
		}
		set("e", 5*time.Hour)
		stop()
		synctest.Wait()
		if !done || len(fired) > 0 {
			t.Errorf("ended: %v, fired after the end: %d", done, len(fired))
		}
	})
}

// A pipeline's state is written now and then, whatever happens in it, so that
// few events need be folded when it is read.
func TestCheckpointsBoundWhatIsFolded(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		written := 0
		for i := range 300 {
			before := m.store.seen().checkpoints["shop"].Seq
			if got := m.Submit(t.Context(), definition(t, "shop", fmt.Sprint("-", i))); got.Err != nil {
				t.Fatal(got.Err)
			}
			if m.store.seen().checkpoints["shop"].Seq != before {
				written++
			}
			events := 0
			for _, f := range m.store.seen().frames["shop"][m.store.seen().checkpoints["shop"].Seq:] {
				events += len(f.Events)
			}
			if events > 64 {
				t.Fatalf("%d events lie behind the checkpoint", events)
			}
		}
		if written == 0 || written > 300/50 {
			t.Errorf("%d checkpoints in 300 frames", written)
		}
	})
}

// However much is decided at once, what belongs to no decision is in the very
// next commit, and that one is not long: who acknowledges a request waits for it.
func TestAReceiptNeverWaitsForAllThatIsDecided(t *testing.T) {
	const many, most = 200, 2 * 16 // two loops
	alone(t, func(t *testing.T, m *member) {
		var names []string
		for i := range many {
			names = append(names, fmt.Sprintf("p%d", i))
		}
		m.define(t, names...)
		enter := make(chan struct{})
		m.answers(func(*record.Commit) error { <-enter; return nil })
		m.Post(start("p0"), func(decider.Answer) {})
		synctest.Wait()
		under := len(m.store.seen().commits)
		for _, name := range names {
			m.Post(start(name), func(decider.Answer) {})
		}
		for i := range 10 {
			go func() {
				if err := m.Persist(t.Context(), record.Commit{Receipts: []work.Receipt{{Key: fmt.Sprint("slack/", i)}}}); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		close(enter)
		pass(time.Second)
		next := m.store.seen().commits[under+1]
		if len(next.Receipts) != 10 || len(next.Frames) > most {
			t.Errorf("the next commit has %d receipts and %d frames, want all 10 and at most %d", len(next.Receipts), len(next.Frames), most)
		}
		for _, name := range names {
			if m.store.count(name, event.ExecutionStarted) == 0 {
				t.Errorf("%s never started", name)
			}
		}
	})
}
