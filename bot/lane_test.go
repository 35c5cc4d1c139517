package bot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// stumbling is a Slack that never takes a message about one execution.
type stumbling struct {
	*outside
	over string
}

func (s *stumbling) Post(ctx context.Context, m bot.Message) (bot.Place, error) {
	if strings.Contains(fmt.Sprint(m.Payload), s.over) {
		return bot.Place{}, errors.New("slack answers 500")
	}
	return s.outside.Post(ctx, m)
}

// C6, in the lane of cards: the card of one execution can never be posted, and
// the next one's is, in the same step.
func TestACardThatCannotBePostedKeepsUpNoOther(t *testing.T) {
	const e2 = "0192f000-0000-7000-8000-000000000002"
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o := &stumbling{newOutside(), e1}
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Log: slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))})
	one := steps()[0].execution
	two := one
	two.ID, two.Number = e2, 2
	s.executions[e1], s.executions[e2] = one, two
	err := b.Follow(t.Context(), batch(event.Event{Kind: event.ExecutionStarted, Execution: e1}, event.Event{Kind: event.ExecutionStarted, Execution: e2}))
	if err == nil {
		t.Error("the card that is missing is not tried again")
	}
	if cards := o.of("rollcall_execution"); len(cards) != 1 || !strings.Contains(cards[0], "#2") {
		t.Errorf("cards %v, want that of the next execution", cards)
	}
}
