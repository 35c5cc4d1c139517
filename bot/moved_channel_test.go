package bot_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// C4: the channel is archived while a question waits, and the pipeline moves to
// another one: card and question stand there, and what had ended stays where it was.
func TestAQuestionLeavesAnArchivedChannelWithItsPipeline(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "2", "0 of 2")
		old := h.Channels(h.ana.ID)[0]
		left := len(h.Messages("#webshop"))
		h.AddChannel(slackfake.Channel{Name: "#releases"})
		old.Archived = true
		h.AddChannel(old)
		say := func(u slackfake.User, text string) {
			if _, err := h.Command(t.Context(), u.ID, "#releases", text); err != nil {
				t.Fatal(err)
			}
		}
		shown := func(kind string) (all []slackfake.Message) {
			for _, m := range h.Messages("#releases") {
				if m.Metadata != nil && m.Metadata.Type == kind {
					all = append(all, m)
				}
			}
			return all
		}
		two := func() string {
			e, err := h.engine.Execution(t.Context(), workflows.EnginePrincipal(), "webshop#2")
			if err != nil {
				t.Fatal(err)
			}
			return h.bot.Undelivered(t.Context(), e.ID)
		}
		say(h.ana, "approve webshop#2")
		pass(5 * time.Second)
		if why := two(); !strings.Contains(why, "is_archived") {
			t.Errorf("that nobody sees it is not known: %q", why)
		}
		h.define(strings.Replace(shop, `channel: "#webshop"`, `channel: "#releases"`, 1))
		h.until("the question stands in the new channel", func() bool {
			return len(shown("rollcall_gate")) == 1 && strings.Contains(h.Rendered(shown("rollcall_gate")[0]), "1 of 2")
		})
		h.clicks(h.cho, shown("rollcall_gate")[0], "approve")
		h.until("it is announced there", func() bool {
			return strings.Contains(h.Rendered(shown("rollcall_gate")[0]), "webshop #2 is in Production")
		})
		pass(10 * time.Minute)
		synctest.Wait()
		if cards := shown("rollcall_execution"); len(cards) != 1 || !strings.Contains(h.Rendered(cards[0]), "#2 · in Production") {
			t.Errorf("%d cards in the new channel", len(cards))
		}
		if n := len(shown("rollcall_gate")); n != 1 {
			t.Errorf("the question stands there %d times", n)
		}
		if n := len(h.Messages("#webshop")); n != left {
			t.Errorf("the archived channel got %d messages", n-left)
		}
		for _, ref := range []string{"webshop#1", "webshop#2"} {
			e, err := h.engine.Execution(t.Context(), workflows.EnginePrincipal(), ref)
			if why := h.bot.Undelivered(t.Context(), e.ID); err != nil || why != "" {
				t.Errorf("%s is called undelivered: %s, %v", ref, why, err)
			}
		}
	})
}

// C4: a question that an earlier version did not get through, and did not note
// as undelivered, is asked when this one starts.
func TestAQuestionThatWasNeverAskedIsAskedAtTheStart(t *testing.T) {
	for name, slackBack := range map[string]time.Duration{"Slack answers": 0, "Slack is back later": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
				o := newOutside()
				o.refuse = &bot.Refusal{Code: "not_in_channel"}
				for _, st := range steps()[:2] {
					s.executions[e1] = st.execution
					if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(st.events...)); err != nil {
						t.Fatal(err)
					}
				}
				delete(o.notes, "undelivered") // which that version did not know
				o.refuse, o.away = nil, slackBack > 0
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); _ = follower(s, o, &bytes.Buffer{}).Run(ctx) }()
				pass(slackBack)
				o.change(func() { o.away = false })
				pass(time.Minute)
				synctest.Wait()
				if cards, gates := o.of("rollcall_execution"), o.of("rollcall_gate"); len(cards) != 1 || len(gates) != 1 {
					t.Errorf("%d cards, %d questions", len(cards), len(gates))
				}
				cancel()
				<-ended
			})
		})
	}
}

// C4: a channel that nobody mends costs a bounded memory, bounded calls and one
// line of the log per message; what asks somebody is not what is given up.
func TestAChannelThatNobodyMendsCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 300
		s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
		s.pipeline.Definition.Owners = []string{"<@U0ANA>"}
		o, log := newOutside(), &bytes.Buffer{}
		o.refuse, o.mute = &bot.Refusal{Code: "token_revoked"}, true
		b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Channel: "#webshop", Log: slog.New(slog.NewTextHandler(log, nil))})
		id := func(i int) string { return fmt.Sprintf("%s%03d", e1[:len(e1)-3], i) }
		for i := range many {
			e := steps()[0].execution
			if i == 7 {
				e = steps()[1].execution // waits for approval
			}
			e.ID, e.Number = id(i), i
			s.executions[e.ID] = e
			ev := steps()[0].events[0]
			ev.Execution = e.ID
			if err := b.Follow(t.Context(), batch(ev)); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(o.notes["undelivered"]); n > 60_000 {
			t.Errorf("what is undelivered takes %d bytes", n)
		}
		if b.Undelivered(t.Context(), id(7)) == "" || b.Undelivered(t.Context(), id(many-1)) == "" || b.Undelivered(t.Context(), id(0)) != "" {
			t.Error("the question or the newest was given up, or the oldest was not")
		}
		lines, posts := strings.Count(log.String(), "\n"), o.refused
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_ = b.Run(ctx)
		if n := strings.Count(log.String(), "\n") - lines; n > 10 {
			t.Errorf("%d lines in an hour:\n%s", n, log.String()[len(log.String())-2000:])
		}
		if n := o.refused - posts; n > 60*3*6 {
			t.Errorf("%d messages were tried in an hour", n)
		}
		o.refuse, o.mute = nil, false
		again, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		_ = b.Run(again)
		if cards := o.of("rollcall_execution"); len(cards) != 100 || !slices.IsSorted(cards[1:]) {
			t.Errorf("%d cards, once that was mended", len(cards))
		}
	})
}
