package decider_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// While commits fail, as on a full disk, the store is tried now and then, however
// often somebody asks; whoever asks in between is refused at once. It goes on by itself.
func TestAStoreThatFailsIsNotTriedWithoutEnd(t *testing.T) {
	alone(t, func(t *testing.T, m *member) {
		m.define(t, "shop")
		m.answers(func(*record.Commit) error { return errors.New("no space left on device") })
		before, began := m.seen().asked, time.Now()
		codes := map[string]int{}
		for time.Since(began) < time.Minute {
			for range 100 {
				codes[code(m.Submit(t.Context(), start("shop")).Err)]++
				codes[code(m.Persist(t.Context(), record.Commit{Memos: []record.Memo{{Key: "k", Value: []byte("v")}}}))]++
			}
			<-time.After(10 * time.Millisecond) // of the bubble
		}
		if n := m.seen().asked - before; n < 10 || n > 60 {
			t.Errorf("the store was asked %d times in a minute", n)
		}
		if codes[workflows.CodeUnavailable] < 1000 || len(codes) != 2 || codes[workflows.CodeCommitUnknown] == 0 {
			t.Errorf("answered %v", codes)
		}
		m.answers(nil)
		pass(5 * time.Second)
		if got := m.Submit(t.Context(), start("shop")); got.Err != nil {
			t.Errorf("after the disk has room again: %v", got.Err)
		}
	})
}
