package bot_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/hours"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// routed walks through the steps with routes and at some time, and returns what is where.
func routed(t *testing.T, environment string, at time.Time, quiet hours.Quiet, routes ...bot.Route) (o *outside, err error) {
	t.Helper()
	view := webshop()
	view.Definition.Stages[0].Environment = environment
	s := &snapshot{pipeline: view, executions: map[string]workflows.Execution{}}
	o = newOutside()
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Routes: routes, Quiet: quiet, Now: (&clock{at: at}).now})
	for _, st := range steps() {
		s.executions[e1] = st.execution
		err = b.Follow(t.Context(), batch(st.events...))
	}
	return o, err
}

// places lists the messages of a kind as CHANNEL, with "thread" or "seen" where they hang below a card.
func (o *outside) places(kind string) (all []string) {
	for _, m := range o.messages {
		if m.EventType != kind {
			continue
		}
		where := m.Channel
		switch {
		case m.Broadcast:
			where += " seen"
		case m.Thread != "":
			where += " thread"
		}
		all = append(all, where)
	}
	return all
}

func TestRoutes(t *testing.T) {
	noon := time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)
	success := []string{bot.RouteSuccess}
	for _, tt := range []struct {
		name       string
		routes     []bot.Route
		card, news []string
	}{
		{"as usual", nil, []string{"#webshop"}, []string{"C1 thread"}},
		{"success off", []bot.Route{{Kinds: success, Channel: bot.RouteOff}}, []string{"#webshop"}, nil},
		{"success elsewhere", []bot.Route{{Kinds: success, Channel: "#live"}}, []string{"#webshop"}, []string{"C1 thread", "#live"}},
		{"success also elsewhere", []bot.Route{{Kinds: success, Also: "#live"}}, []string{"#webshop"}, []string{"C1 thread", "#live"}},
		{"cards elsewhere", []bot.Route{{Kinds: []string{bot.RouteStart}, Channel: "#quiet"}}, []string{"#quiet"}, []string{"C1 thread"}},
		{"no cards, but somebody is asked", []bot.Route{{Kinds: []string{bot.RouteStart}, Channel: bot.RouteOff}}, []string{"#webshop"}, []string{"C1 thread"}},
		{"the first that fits", []bot.Route{{Kinds: success, On: func(string, string) bool { return false }, Channel: bot.RouteOff}, {Kinds: success, Also: "#live"}, {Channel: bot.RouteOff}}, []string{"#webshop"}, []string{"C1 thread", "#live"}},
	} {
		o, err := routed(t, "production", noon, hours.Quiet{}, tt.routes...)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := o.places("rollcall_execution"); !slices.Equal(got, tt.card) {
			t.Errorf("%s: cards %v", tt.name, got)
		}
		if got := o.places("rollcall_announcement"); !slices.Equal(got, tt.news) {
			t.Errorf("%s: announcements %v, want %v", tt.name, got, tt.news)
		}
	}
}

// A failure goes to a second channel, and a card that is off comes for it.
func TestAFailureGoesToASecondChannel(t *testing.T) {
	e := steps()[0].execution
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: e}}
	o := newOutside()
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Routes: []bot.Route{{Kinds: []string{bot.RouteFailure}, Also: "#oncall"}, {Kinds: []string{bot.RouteStart}, Channel: bot.RouteOff}}})
	if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted))); err != nil || len(o.messages) != 0 {
		t.Fatalf("%d messages, %v", len(o.messages), err)
	}
	e.Status = workflows.StatusFailed
	e.Stages = []workflows.StageExecution{{Name: "Production", Status: workflows.StatusFailed}}
	s.executions[e1] = e
	for range 2 {
		if err := b.Follow(t.Context(), batch(happened(event.ExecutionFailed))); err != nil {
			t.Fatal(err)
		}
	}
	if card, failure := o.places("rollcall_execution"), o.places("rollcall_failure"); !slices.Equal(card, []string{"#webshop"}) || !slices.Equal(failure, []string{"C1 seen", "#oncall"}) {
		t.Errorf("cards %v, failures %v", card, failure)
	}
}

// At night announcements wait, but not those of production, and no question.
func TestQuietHoursHoldBackWhatIsNotAboutProduction(t *testing.T) {
	night := time.Date(2026, 3, 12, 23, 0, 0, 0, time.UTC)
	quiet := hours.Quiet{From: 20 * 60, To: 7 * 60}
	o, err := routed(t, "production", night, quiet)
	if err != nil || len(o.places("rollcall_announcement")) != 1 {
		t.Errorf("production: %v", err)
	}
	o, err = routed(t, "staging", night, quiet)
	if after := unfinished(t, err); after != 8*time.Hour || len(o.places("rollcall_announcement")) != 0 || len(o.places("rollcall_gate")) != 1 {
		t.Errorf("staging: again after %s", after)
	}
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[3].execution}}
	s.pipeline.Definition.Stages[0].Environment = "staging"
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Quiet: quiet, Now: (&clock{at: night.Add(9 * time.Hour)}).now})
	if err := b.Follow(t.Context(), event.Batch{Pipeline: "webshop"}); err != nil || len(o.places("rollcall_announcement")) != 1 {
		t.Errorf("in the morning: %v", err)
	}
}

// The digest is posted once per nominal time, wherever the process dies; when it
// was missed by six hours, or nothing has happened, there is none.
func TestTheDigestIsPostedOnce(t *testing.T) {
	monday := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	e := steps()[3].execution
	went := monday.Add(-20 * time.Hour)
	e.Stages[0].Since = &went
	s := &listed{snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: e}}}
	d := &bot.Digest{Channel: "#deploys", Weekly: true, Daily: hours.Daily{At: 9 * 60, Days: [7]bool{1: true, 2: true, 3: true, 4: true, 5: true}}}
	post := func(o *outside, at time.Time) error {
		return bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Digest: d, Now: (&clock{at: at}).now}).PostDigests(t.Context())
	}
	whole := newOutside()
	if err := post(whole, monday.Add(time.Minute)); err != nil || len(whole.of("rollcall_digest")) != 2 {
		t.Fatalf("%d digests, %v", len(whole.messages), err)
	}
	if text := whole.messages[0].Text; !strings.Contains(text, "1 went live") {
		t.Errorf("the digest says %s", text)
	}
	for at := 1; at <= whole.calls; at++ {
		for _, after := range []bool{false, true} {
			o := newOutside()
			o.dieAt, o.after = at, after
			for range 4 {
				_ = post(o, monday.Add(time.Hour))
			}
			if n := len(o.of("rollcall_digest")); n != 2 {
				t.Errorf("dying at call %d (after: %t): %d digests", at, after, n)
			}
		}
	}
	for at, want := range map[time.Duration]int{-time.Minute: 0, 5 * time.Hour: 2, 7 * time.Hour: 0} {
		o := newOutside()
		if err := post(o, monday.Add(at)); err != nil || len(o.messages) != want {
			t.Errorf("%s after nine: %d digests, %v", at, len(o.messages), err)
		}
	}
	o := newOutside()
	if err := post(o, monday.AddDate(0, 0, 2)); err != nil || len(o.messages) != 0 {
		t.Errorf("a day without anything has %d digests, %v", len(o.messages), err)
	}
}

// listed is a snapshot that lists its pipeline.
type listed struct{ snapshot }

func (s *listed) Pipelines(context.Context, workflows.Principal) ([]workflows.PipelineView, error) {
	return []workflows.PipelineView{s.pipeline}, nil
}
