package bot_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// full is a chat whose budget for what is less urgent than most is spent.
type full struct {
	*outside
	most    bot.Urgency
	refused []bot.Urgency
}

func (f *full) Post(ctx context.Context, m bot.Message) (bot.Place, error) {
	if m.Urgency > f.most {
		f.refused = append(f.refused, m.Urgency)
		return bot.Place{}, &bot.Postponed{After: 3 * time.Second}
	}
	return f.outside.Post(ctx, m)
}

func (f *full) Edit(ctx context.Context, at bot.Place, m bot.Message) error {
	if m.Urgency > f.most {
		f.refused = append(f.refused, m.Urgency)
		return &bot.Postponed{After: 3 * time.Second}
	}
	return f.outside.Edit(ctx, at, m)
}

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func postponing(s *snapshot, f *full, c *clock) *bot.Bot {
	return bot.New(bot.Options{Engine: s, Chat: f, Memos: f.outside, Now: c.now})
}

// unfinished is how long until the bot wants to be called again.
func unfinished(t *testing.T, err error) time.Duration {
	t.Helper()
	var more *event.Unfinished
	if !errors.As(err, &more) || !more.Expected {
		t.Fatalf("it is not known that something waits: %v", err)
	}
	return more.After
}

// While the budget is spent questions go through, also those whose card is not
// there yet; the rest is drawn and posted once, when its turn has come, also by
// another process, and what the events said of a gate is not lost.
func TestWhatWaitsForItsTurnIsMadeGood(t *testing.T) {
	for _, restart := range []bool{false, true} {
		whole := newOutside()
		walk(t, whole)
		s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
		f := &full{outside: newOutside(), most: bot.Answer}
		c := &clock{at: time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)}
		b := postponing(s, f, c)
		all := steps()
		s.executions[e1] = all[0].execution
		if after := unfinished(t, b.Follow(t.Context(), batch(all[0].events...))); after != 3*time.Second || len(f.messages) != 0 {
			t.Errorf("again after %s; %d messages", after, len(f.messages))
		}
		f.most = bot.Question
		s.executions[e1] = all[1].execution
		if err := b.Follow(t.Context(), batch(all[1].events...)); err != nil || len(f.of("rollcall_gate")) != 1 {
			t.Fatalf("the question waits: %v", err)
		}
		for _, st := range all[2:] {
			s.executions[e1] = st.execution
			unfinished(t, b.Follow(t.Context(), batch(st.events...)))
		}
		if gate := f.of("rollcall_gate")[0]; strings.Contains(gate, `"approve"`) {
			t.Errorf("the gate is not closed: %s", gate)
		}
		calls := len(f.refused)
		unfinished(t, b.Follow(t.Context(), event.Batch{Pipeline: "webshop"}))
		if len(f.refused) != calls {
			t.Error("it is tried before its turn")
		}
		if restart {
			b = postponing(s, f, c)
		}
		c.at = c.at.Add(time.Minute)
		f.most = bot.Progress
		if err := b.Follow(t.Context(), event.Batch{Pipeline: "webshop"}); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"rollcall_execution", "rollcall_gate", "rollcall_announcement"} {
			if got, want := f.of(kind), whole.of(kind); !slices.Equal(got, want) {
				t.Errorf("restart %t: %s shows\n%s\nwant\n%s", restart, kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if f.edits[0] != 1 || f.looks != 0 {
			t.Errorf("the card was edited %d times, %d looks", f.edits[0], f.looks)
		}
		if _, ok := f.notes["postponed/webshop"]; ok {
			t.Error("it is noted that something waits")
		}
		if err := postponing(s, f, c).Follow(t.Context(), event.Batch{Pipeline: "webshop"}); err != nil || f.edits[0] != 1 {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// A new attempt replaces the gate while its message waits to be closed: what
// closed it is known when its turn comes.
func TestAGateThatWaitsToBeClosedKeepsItsEnd(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	f := &full{outside: newOutside(), most: bot.Progress}
	c := &clock{at: time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)}
	b := postponing(s, f, c)
	all := steps()
	s.executions[e1] = all[1].execution
	if err := b.Follow(t.Context(), batch(append(all[0].events, all[1].events...)...)); err != nil {
		t.Fatal(err)
	}
	f.most = bot.Answer
	closed := happened(event.GateClosed)
	closed.Text, closed.At = "rejected", c.at
	s.executions[e1] = all[0].execution // the stage has not started again
	unfinished(t, b.Follow(t.Context(), batch(closed)))
	f.most, c.at = bot.Progress, c.at.Add(time.Minute)
	if err := postponing(s, f, c).Follow(t.Context(), event.Batch{Pipeline: "webshop"}); err != nil {
		t.Fatal(err)
	}
	if gate := strings.ToLower(f.of("rollcall_gate")[0]); !strings.Contains(gate, "rejected") {
		t.Errorf("the gate says %s", gate)
	}
}

// An error beside what waits is an error: the same frames come again.
func TestAnErrorBesideWhatWaitsIsOne(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[0].execution}}
	f := &full{outside: newOutside(), most: bot.Answer}
	f.dieAt = 1
	c := &clock{at: time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)}
	err := bot.New(bot.Options{Engine: s, Chat: f, Memos: f.outside, Now: c.now}).Follow(t.Context(), batch(steps()[0].events...))
	var more *event.Unfinished
	if !errors.Is(err, errCrash) || errors.As(err, &more) {
		t.Errorf("%v", err)
	}
}
