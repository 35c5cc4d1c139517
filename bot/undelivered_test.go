package bot_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// C4: whatever keeps a question from being asked, it is asked within a minute
// after somebody has mended that, without any event, and across a restart; until
// then those who can mend it know.
func TestAQuestionIsAskedOnceTheCauseIsGone(t *testing.T) {
	mended := func(code string) *bot.Refusal { return &bot.Refusal{Code: code, Hint: "mend " + code} }
	for _, code := range []string{"not_in_channel", "channel_not_found", "is_archived", "missing_scope", "token_revoked", "account_inactive", "invalid_auth",
		"restricted_action", "restricted_action_read_only_channel", "ekm_access_denied", "http_404", "something_new"} {
		for _, restarted := range []bool{false, true} {
			for _, owned := range []bool{true, false} {
				name := code + map[bool]string{true: ", restarted"}[restarted] + map[bool]string{false: ", without owners"}[owned]
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
						if owned {
							s.pipeline.Definition.Owners = []string{"<@U0ANA>"}
						}
						o, log := newOutside(), &bytes.Buffer{}
						o.refuse = mended(code)
						start := func() (b *bot.Bot, stop func()) {
							b = bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Channel: "#rollcall"})
							ctx, cancel := context.WithCancel(t.Context())
							ended := make(chan struct{})
							go func() { defer close(ended); _ = b.Run(ctx) }()
							synctest.Wait() // it has looked once, and waits for its time
							return b, func() { cancel(); <-ended }
						}
						b, stop := start()
						for _, st := range steps()[:2] {
							s.executions[e1] = st.execution
							if err := b.Follow(t.Context(), batch(st.events...)); err != nil {
								t.Fatalf("a refusal holds the follower up: %v", err)
							}
						}
						pass(5 * time.Minute)
						synctest.Wait()
						told := o.ephemerals
						if !owned {
							told = o.of("")
						}
						if len(told) != 1 || !strings.Contains(told[0], "waiting for approval in Production") || !strings.Contains(told[0], "mend "+code) {
							t.Errorf("told: %v %s", told, log)
						}
						if why := b.Undelivered(t.Context(), e1); !strings.Contains(why, code) || !strings.Contains(why, "#webshop") {
							t.Errorf("undelivered: %q", why)
						}
						if restarted {
							stop()
							b, stop = start()
						}
						defer func() { stop() }()
						o.change(func() { o.refuse = nil })
						pass(time.Minute)
						synctest.Wait()
						if cards, gates := o.of("rollcall_execution"), o.of("rollcall_gate"); len(cards) != 1 || len(gates) != 1 || !strings.Contains(gates[0], `"approve"`) {
							t.Errorf("a minute later: %d cards, questions %v", len(cards), gates)
						}
						if why := b.Undelivered(t.Context(), e1); why != "" {
							t.Errorf("still undelivered: %q", why)
						}
						calls := o.calls
						pass(time.Hour)
						if synctest.Wait(); o.calls != calls {
							t.Errorf("%d calls after everything was delivered", o.calls-calls)
						}
					})
				})
			}
		}
	}
}

// C4: blocks that Slack will never take do not keep the words from people, and
// are not tried again.
func TestContentThatSlackNeverTakesIsSaidInWords(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o, log := newOutside(), &bytes.Buffer{}
	o.refuse, o.picky = &bot.Refusal{Code: "invalid_blocks", Never: true}, true
	b := follower(s, o, log)
	for range 2 {
		for _, st := range steps()[:2] {
			s.executions[e1] = st.execution
			if err := b.Follow(t.Context(), batch(st.events...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cards, gates := o.of("rollcall_execution"), o.of("rollcall_gate"); len(cards) != 1 || len(gates) != 1 || !strings.Contains(gates[0], "approval") {
		t.Errorf("%d cards, questions %v", len(cards), gates)
	}
	if b.Undelivered(t.Context(), e1) != "" {
		t.Error("what was said is called undelivered")
	}
}

// C4, in a whole service: the app is not in the private channel, a gate waits,
// somebody invites the app.
func TestTheInvitationBringsCardAndQuestion(t *testing.T) {
	story(t, strings.Replace(shop, "\nchannel:", "\nowners: [cho@acme.example]\nchannel:", 1), func(t *testing.T, h *fixture) {
		room := h.Channels(h.ana.ID)[0]
		room.Private, room.Members = true, []string{h.ana.ID, h.ben.ID, h.cho.ID}
		h.AddChannel(room)
		h.says(h.ben, "start webshop")
		direct := func(words string) bool {
			return slices.ContainsFunc(h.Direct(h.cho.ID), func(m slackfake.Message) bool { return strings.Contains(m.Text, words) })
		}
		h.until("the owner is told", func() bool { return direct("waiting for approval in Production") && direct("/invite @rollcall") })
		h.says(h.cho, "status webshop#1")
		h.hears(h.cho, "Not shown in the channel", "/invite @rollcall")
		pass(30 * time.Minute)
		if n := len(h.Direct(h.cho.ID)); n != 1 {
			t.Errorf("the owner is told %d times", n)
		}
		if _, err := h.OpenHome(t.Context(), h.cho.ID); err != nil {
			t.Fatal(err)
		}
		h.until("App Home names it", func() bool {
			home, ok := h.Home(h.cho.ID)
			return ok && strings.Contains(h.RenderedView(home), "Not delivered")
		})
		room.Members = append(room.Members, h.Users()[0].ID)
		h.AddChannel(room)
		h.reads("rollcall_gate", "1", "is waiting for approval in Production", "@ana", "0 of 2")
		if h.count("rollcall_execution") != 1 || h.count("rollcall_gate") != 1 {
			t.Error("more than one card and one question")
		}
	})
}

// C19b: what was deleted by hand or by retention and still matters comes again,
// in the thread that was there, as long as there is one.
func TestADeletedCardIsPostedAnew(t *testing.T) {
	for name, question := range map[string]bool{"the card": false, "the card and the question": true} {
		t.Run(name, func(t *testing.T) {
			story(t, shop, func(t *testing.T, h *fixture) {
				h.says(h.ben, "start webshop")
				gate := h.reads("rollcall_gate", "1", "0 of 2")
				first := h.reads("rollcall_execution", "1", "waiting for approval")
				gone := []string{first.TS}
				if question {
					gone = append(gone, gate.TS)
				}
				api := slack.New("xoxb-local", slack.OptionAPIURL("http://slack.test/api/"), slack.OptionHTTPClient(&http.Client{Transport: wirefake.Direct(h.Server)}))
				for _, ts := range gone {
					if _, _, err := api.DeleteMessage(first.Channel, ts); err != nil {
						t.Fatal(err)
					}
				}
				h.says(h.ana, "approve webshop#1")
				card := h.reads("rollcall_execution", "1", "1 of 2")
				asked := h.reads("rollcall_gate", "1", "1 of 2", map[bool]string{false: "1 of 2 approvals*: @ana", true: "1 of 2 approvals*: ana"}[question]) // posted anew, it mentions nobody
				root := first.TS
				if question {
					root = card.TS
				}
				if card.TS == first.TS || !question && (card.Thread != root || !card.Broadcast || asked.TS != gate.TS) || asked.Thread != root {
					t.Errorf("the thread %s, the new card %s in %s, the question %s in %s", root, card.TS, card.Thread, asked.TS, asked.Thread)
				}
				h.clicks(h.cho, asked, "approve")
				h.reads("rollcall_execution", "1", "#1 · in Production")
				if told := h.reads("rollcall_announcement", "1"); told.Thread != root {
					t.Errorf("the announcement hangs in %s, the thread is %s", told.Thread, root)
				}
				if h.count("rollcall_execution") != 1 || h.count("rollcall_gate") != 1 {
					t.Errorf("%d cards, %d questions", h.count("rollcall_execution"), h.count("rollcall_gate"))
				}
			})
		})
	}
}

// C19h: a click that says nothing is answered with the sentence that a garbled one gets.
func TestAClickThatSaysNothingIsAnswered(t *testing.T) {
	garbled := []*slack.BlockAction{{ActionID: "approve", Type: "button", Value: "{broken"}}
	for name, actions := range map[string][]*slack.BlockAction{
		"garbled": garbled, "no value": {{ActionID: "approve", Type: "button"}}, "no value and no type": {{ActionID: "rollback"}},
		"an unknown button": {{ActionID: "dance", Type: "button"}}, "no action": {}, "nothing": {nil},
	} {
		o := newOutside()
		r := bot.Request{Key: "k", By: workflows.Principal{ID: "slack:U0ANA", Name: "Ana"}, Reply: bot.Reply{User: "U0ANA"},
			Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeBlockActions, ActionCallback: slack.ActionCallbacks{BlockActions: actions}}}
		if err := follower(&snapshot{}, o, &bytes.Buffer{}).Handle(t.Context(), r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(o.ephemerals) != 1 || !strings.Contains(o.ephemerals[0], "this button cannot be read any more") && !strings.Contains(o.ephemerals[0], "This button cannot be read any more") {
			t.Errorf("%s: %v", name, o.ephemerals)
		}
	}
}

// C4: news of a pipeline as such are told once; when the channel refuses them,
// the owners hear them directly, and not twice.
func TestNewsThatAChannelRefusesReachTheOwners(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	s.pipeline.Definition.Owners = []string{"<@U0ANA>"}
	o := newOutside()
	o.refuse = &bot.Refusal{Code: "is_archived", Hint: "unarchive it"}
	b := follower(s, o, &bytes.Buffer{})
	edit := batch(defined(2, "#webshop", []string{"<@U0ANA>"}, "1 of group:team"))
	for range 3 {
		if err := b.Follow(t.Context(), edit); err != nil {
			t.Fatal(err)
		}
	}
	if len(o.ephemerals) != 1 || !strings.HasPrefix(o.ephemerals[0], "U0ANA: ") {
		t.Errorf("told: %v", o.ephemerals)
	}
}
