package decider_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// code is the code of a refusal; empty: it is none.
func code(err error) string {
	var p *workflows.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// together has requests decided at the same time, so that one commit holds them.
func (m *member) together(t *testing.T, requests ...decider.Request) []decider.Answer {
	answers := make([]decider.Answer, len(requests))
	var all sync.WaitGroup
	for i, r := range requests {
		all.Go(func() { answers[i] = m.Submit(t.Context(), r) })
	}
	all.Wait()
	return answers
}

// Somebody else wrote to the pipeline: nothing was written here, so the
// decision is made again on what is there now, and nobody hears of it.
func TestAConflictIsNotUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		one, other := join(t, s), join(t, s)
		one.define(t, "shop")
		for range 3 { // each has the pipeline loaded, as it was before the other wrote
			for _, m := range []*member{one, other} {
				if got := m.Submit(t.Context(), start("shop")); got.Err != nil || got.Result.Execution == nil {
					t.Fatalf("got %+v", got)
				}
			}
		}
		synctest.Wait()
		if n := s.count("shop", event.ExecutionStarted); n != 6 {
			t.Errorf("%d executions were started, want 6: %s", n, s.log("shop"))
		}
		for name, m := range map[string]*member{"the first": one, "the other": other} {
			if m.seen().opens > 0 || len(m.seen().unstarted) > 0 {
				t.Errorf("%s took a conflict for an unknown end: opened again %d times, not started: %v", name, m.seen().opens, m.seen().unstarted)
			}
			if m.seen().reloads == 0 {
				t.Errorf("%s did not say that others have written", name)
			}
		}
		if last, _ := other.Last("shop"); last != uint64(len(s.frames["shop"])) {
			t.Errorf("the other knows frame %d as the last of %d", last, len(s.frames["shop"]))
		}
		one.finish()
		other.finish()
	})
}

// Who claims what somebody else has hears that nothing was changed, and of the
// same commit everything else is written: also of the same pipeline.
func TestAConflictOfOneRefusesNothingOfOthers(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop", "api")
		m.store.mu.Lock()
		m.store.receipts["github/1"] = work.Receipt{Key: "github/1"}
		m.store.mu.Unlock()
		claims := start("shop")
		claims.Attachment.Claims = []record.Claim{{Receipt: work.Receipt{Key: "github/1"}}}
		m.mu.Lock()
		m.positions = []record.Memo{{Owner: "runtime", Key: "follow/journal", Value: []byte("7")}}
		m.asked = 0
		m.mu.Unlock()
		got := m.together(t, claims, start("shop"), start("api"))
		if err := got[0].Err; code(err) != workflows.CodeUnavailable || !errors.Is(err, record.ErrConflict) {
			t.Errorf("who claims what is taken hears %v", err)
		}
		if got[1].Err != nil || got[2].Err != nil {
			t.Errorf("others hear %v and %v", got[1].Err, got[2].Err)
		}
		if shop, api := m.store.count("shop", event.ExecutionStarted), m.store.count("api", event.ExecutionStarted); shop != 1 || api != 1 {
			t.Errorf("%d and %d executions were started, want 1 and 1", shop, api)
		}
		synctest.Wait()
		if m.store.seen().memos["follow/journal"] != "7" || len(m.seen().saved) != 1 || m.seen().saved[0] != nil {
			t.Errorf("the position is %q (%v)", m.store.seen().memos["follow/journal"], m.seen().saved)
		}
		if m.seen().opens > 0 {
			t.Error("the store was opened again, as after an unknown end")
		}
	})
}

// Rows without a decision are refused alone, too.
func TestAClaimWithoutADecision(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		claim := record.Commit{Claims: []record.Claim{{Receipt: work.Receipt{Key: "slack/1"}}}}
		if err := m.Persist(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
		if err := m.Persist(t.Context(), claim); code(err) != workflows.CodeUnavailable || !errors.Is(err, record.ErrConflict) {
			t.Errorf("the second claim of a key: %v", err)
		}
		m.define(t, "shop") // goes on
	})
}

// A store that refuses again and again is not asked for ever.
func TestADecisionIsRepeatedOnce(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		before := m.store.log("shop")
		m.answers(func(c *record.Commit) error {
			if len(c.Frames) > 0 {
				return record.ErrConflict
			}
			return nil
		})
		if err := m.Submit(t.Context(), start("shop")).Err; !errors.Is(err, record.ErrConflict) {
			t.Errorf("got %v", err)
		}
		m.answers(nil)
		if after := m.store.log("shop"); after != before {
			t.Errorf("written: %s", after)
		}
		if got := m.Submit(t.Context(), start("shop")); got.Err != nil {
			t.Errorf("afterwards: %v", got.Err)
		}
	})
}

// Another process has taken over: nothing was written, and nothing is tried again.
func TestAFencedCommitEndsTheDecider(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop", "api")
		before := m.store.log("shop")
		m.answers(func(*record.Commit) error { return record.ErrFenced })
		got := m.together(t, start("shop"), start("api"))
		for _, one := range got {
			if code(one.Err) != workflows.CodeUnavailable || !errors.Is(one.Err, record.ErrFenced) {
				t.Errorf("got %v, want that nothing was changed", one.Err)
			}
		}
		select {
		case <-m.Fenced():
		default:
			t.Fatal("nobody hears that another process has taken over")
		}
		if !errors.Is(m.Err(), record.ErrFenced) {
			t.Errorf("the reason is %v", m.Err())
		}
		synctest.Wait()
		asked := m.seen().asked
		m.answers(nil) // even if the store took it now
		if err := m.Submit(t.Context(), start("shop")).Err; !errors.Is(err, record.ErrFenced) {
			t.Errorf("afterwards: %v", err)
		}
		if err := m.Persist(t.Context(), record.Commit{Memos: []record.Memo{{Key: "k", Value: []byte("v")}}}); !errors.Is(err, record.ErrFenced) {
			t.Errorf("afterwards, without a decision: %v", err)
		}
		if m.seen().asked != asked || m.seen().opens > 0 || m.store.log("shop") != before {
			t.Errorf("%d more commits, opened again %d times, written %s", m.seen().asked-asked, m.seen().opens, m.store.log("shop"))
		}
	})
}

// Any other error leaves open whether it was written: everybody is told so, and
// all state is read anew.
func TestAnyOtherErrorIsUnknown(t *testing.T) {
	for _, written := range []bool{false, true} {
		alone(t, func(t *testing.T, m *member) {
			m.define(t, "shop", "api")
			power := errors.New("the power went out")
			m.answers(func(c *record.Commit) error {
				if written {
					_ = m.store.write(c)
				}
				return power
			})
			if err := m.Submit(t.Context(), start("shop")).Err; code(err) != workflows.CodeCommitUnknown {
				t.Errorf("got %v", err)
			}
			synctest.Wait()
			m.answers(nil)
			if m.seen().opens == 0 || m.seen().reloads == 0 {
				t.Errorf("opened again %d times, read anew %d times", m.seen().opens, m.seen().reloads)
			}
			if got := m.Submit(t.Context(), start("shop")); got.Err != nil {
				t.Fatal(got.Err)
			}
			want := 1
			if written {
				want = 2
			}
			if n := m.store.count("shop", event.ExecutionStarted); n != want {
				t.Errorf("%d executions were started, want %d", n, want)
			}
		})
	}
}
