package bot_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// The card of an execution with an environment carries the newest record that it
// shows; one without has nothing to prove, and gates and announcements carry none.
func TestCardsOfProductionCarryAnAnchor(t *testing.T) {
	at := time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)
	for environment, want := range map[string][]uint64{"production": {7, 8, 9, 10}, "": {0, 0, 0, 0}} {
		o, view := newOutside(), webshop()
		view.Definition.Stages[0].Environment = environment
		s := &snapshot{pipeline: view, executions: map[string]workflows.Execution{}}
		b := follower(s, o, &bytes.Buffer{})
		for i, st := range steps() {
			s.executions[e1] = st.execution
			st.events[0].At = at
			news := batch(st.events...)
			news.Frames = append([]event.Frame{{Pipeline: "webshop", Seq: uint64(i + 6)}}, news.Frames...)
			news.Frames[1].Seq, news.Frames[1].Hash = uint64(i+7), strings.Repeat("0f", 32)
			if err := b.Follow(t.Context(), news); err != nil {
				t.Fatal(err)
			}
			for _, m := range o.messages {
				if m.EventType != "rollcall_execution" {
					if m.Anchor != nil {
						t.Errorf("a %s carries %+v", m.EventType, m.Anchor)
					}
					continue
				}
				if got := anchored(m); got != want[i] {
					t.Errorf("environment %q, step %d: the card's anchor is of record %d, want %d", environment, i, got, want[i])
				}
				if a := m.Anchor; a != nil && (a.Pipeline != "webshop" || a.Hash != news.Frames[1].Hash || !a.At.Equal(at)) {
					t.Errorf("the anchor is %+v", a)
				}
			}
		}
		// What is looked at again without anything new shows no other card, and no edit takes the anchor away.
		if err := b.Follow(t.Context(), event.Batch{Pipeline: "webshop"}); err != nil || anchored(o.messages[0]) != want[3] {
			t.Errorf("afterwards: record %d, %v", anchored(o.messages[0]), err)
		}
	}
}

func anchored(m bot.Message) uint64 {
	if m.Anchor == nil {
		return 0
	}
	return m.Anchor.Record
}
