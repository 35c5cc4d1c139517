package bot_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// delayed is an engine whose code host, or whose store, takes its time.
type delayed struct {
	bot.Engine
	host, store atomic.Int64 // nanoseconds: until targets are known, until an execution is read
	down        atomic.Bool  // what takes its time fails in the end
}

func (s *delayed) wait(d *atomic.Int64) error {
	pass(time.Duration(d.Load()))
	if s.down.Load() {
		return errors.New("the disk is gone")
	}
	return nil
}

func (s *delayed) Targets(ctx context.Context, by workflows.Principal, pipeline, stage string) ([]ledger.Target, error) {
	if err := s.wait(&s.host); err != nil {
		return nil, err
	}
	return s.Engine.Targets(ctx, by, pipeline, stage)
}

func (s *delayed) Execution(ctx context.Context, by workflows.Principal, ref string) (workflows.Execution, error) {
	if d := s.store.Load(); d > 0 {
		pass(time.Duration(d))
	}
	return s.Engine.Execution(ctx, by, ref)
}

// calls are how many views were opened, and how many replaced.
func (h *fixture) calls() [2]int { return [2]int{h.Calls("views.open"), h.Calls("views.update")} }

// A form whose facts take longer than a trigger lives opens as a loading view at
// once, and becomes the form; one whose facts are there opens as itself.
func TestFormsOpenWithinTheLifeOfTheirTrigger(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.released("2")
		live := h.reads("rollcall_gate", "2", "is in Production")
		before := h.calls()
		open := func(opened, replaced int) {
			t.Helper()
			h.until("the views are answered", func() bool { return h.calls() == [2]int{before[0] + opened, before[1] + replaced} })
			before = h.calls()
		}

		h.clicks(h.cho, live, "rollback")
		h.form(h.cho, "rollback")
		open(1, 0)
		h.later(5 * time.Second)
		if got := h.calls(); got != before {
			t.Errorf("a form that opened in time: views opened and replaced %v, before %v", got, before)
		}

		h.slow.host.Store(int64(4 * time.Second))
		h.clicks(h.ana, live, "rollback")
		if v := h.form(h.ana, "loading"); v.Title != "Roll back Production" || v.Submit != "" {
			t.Errorf("the loading view: %q with %q", v.Title, v.Submit)
		}
		open(1, 0)
		ready := h.form(h.ana, "rollback")
		open(0, 1)
		h.slow.host.Store(0)
		h.submits(h.ana, ready, map[string]string{"reason": "checkout is down"})
		h.reads("rollcall_execution", "3", "rolled back Production to #1")

		// Whoever closed the loading view is not shown the form any more.
		h.slow.host.Store(int64(4 * time.Second))
		h.says(h.cho, "rollback webshop Production")
		h.closes(h.cho, h.form(h.cho, "loading"))
		h.later(5 * time.Second)
		open(1, 1)
		if views := h.Views(h.cho.ID); len(views) != 0 {
			t.Errorf("%s opened again", views[0].CallbackID)
		}

		// What goes wrong, and what is refused, stands where the loading view was.
		h.slow.down.Store(true)
		h.says(h.cho, "rollback webshop Production")
		h.form(h.cho, "loading")
		h.sees(h.cho, "something went wrong inside rollcall")
		h.slow.down.Store(false)
		before = h.calls()
		h.slow.host.Store(0)
		h.slow.store.Store(int64(4 * time.Second))
		h.clicks(h.ben, h.reads("rollcall_execution", "2"), "details")
		h.form(h.ben, "loading")
		h.sees(h.ben, "webshop #2")
		h.slow.store.Store(0)
		open(1, 1)
	})
}

// An answer of Slack's that is lost leaves open whether the loading view is there: the
// form takes its place all the same.
func TestALoadingViewWhoseAnswerIsLost(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.released("2")
		live := h.reads("rollcall_gate", "2", "is in Production")
		h.Faults.Add(slackfake.On("views.open", fault.Fault{Cut: true, After: true, Times: 1}))
		h.slow.host.Store(int64(4 * time.Second))
		h.clicks(h.cho, live, "rollback")
		h.form(h.cho, "loading")
		h.form(h.cho, "rollback")
	})
}

func (h *fixture) closes(u slackfake.User, v slackfake.View) {
	h.t.Helper()
	if _, err := h.Dismiss(h.t.Context(), u.ID, v.ID); err != nil {
		h.t.Fatal(err)
	}
}
