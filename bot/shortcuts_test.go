package bot_test

import (
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/bot/card"
)

// onMessage is a shortcut that Ana uses on a message.
func onMessage(callback string, m slack.Message) bot.Request {
	return bot.Request{Key: "slack/sig-1", By: person(), Reply: bot.Reply{User: "U1", Channel: "C1", Trigger: "t"},
		Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeMessageAction, CallbackID: callback, Message: m}}
}

// A message of ours leads to the form of its stage, by its metadata or by its
// buttons; any other says what to do.
func TestRollBackThisDeploy(t *testing.T) {
	of := func(kind string, payload map[string]any) slack.Message {
		var m slack.Message
		m.Metadata = slack.SlackMetadata{EventType: kind, EventPayload: payload}
		return m
	}
	var pressed slack.Message
	pressed.Blocks.BlockSet = []slack.Block{slack.NewActionBlock("", slack.NewButtonBlockElement("details", card.Subject{Pipeline: "webshop", Execution: e1}.String(), nil))}
	for name, m := range map[string]slack.Message{
		"card": of("rollcall_execution", map[string]any{"execution": e1}), "gate": of("rollcall_gate", map[string]any{"execution": e1, "stage": "Production"}),
		"announcement": of("rollcall_announcement", map[string]any{"execution": e1, "stage": "Production"}), "buttons alone": pressed,
	} {
		c, e := newClerk(), &chatFake{}
		if err := bot.New(bot.Options{Engine: c, Memos: newOutside(), Chat: e}).Handle(t.Context(), onMessage("rollback", m)); err != nil {
			t.Fatal(err)
		}
		if len(e.forms) != 1 || e.forms[0].CallbackID != "rollback" || !strings.Contains(e.forms[0].PrivateMetadata, `"s":"Production"`) {
			t.Errorf("%s: forms %+v, heard %v", name, e.forms, e.heard)
		}
	}
	e := &chatFake{}
	if err := bot.New(bot.Options{Engine: newClerk(), Memos: newOutside(), Chat: e}).Handle(t.Context(), onMessage("rollback", slack.Message{})); err != nil {
		t.Fatal(err)
	}
	if len(e.forms) != 0 || len(e.heard) != 1 || !strings.Contains(e.heard[0], "use the shortcut on a card") {
		t.Errorf("a message of somebody's opens %v and says %v", e.forms, e.heard)
	}
}

func TestStartingFromAMenuOfPipelines(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.define(strings.Replace(shop, "name: webshop", "name: api", 1))
		h.pressesAtHome(h.ben, h.opens(h.ben, "[Start a pipeline]"), "start")
		form := h.form(h.ben, "start")
		at := workspacePlace(form.ID)
		for typed, want := range map[string]int{"": 2, "SHOP": 1, "nothing": 0} {
			if options, err := h.Suggest(t.Context(), h.ben.ID, at, "start.pipeline", typed); err != nil || len(options) != want {
				t.Errorf("%q offers %v, %v", typed, options, err)
			}
		}
		if _, err := h.Suggest(t.Context(), h.ben.ID, at, "start.pipeline", "web"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Choose(t.Context(), h.ben.ID, at, "start.pipeline", "webshop"); err != nil {
			t.Fatal(err)
		}
		h.until("the variables", func() bool {
			views := h.Views(h.ben.ID)
			return len(views) == 1 && strings.Contains(h.RenderedView(views[0]), "canaryPercent")
		})
		h.submits(h.ben, h.form(h.ben, "start"), map[string]string{"canaryPercent": "50"})
		h.reads("rollcall_execution", "1", "canaryPercent=50")
		h.home(h.ben, "Yours in progress", "webshop#1")
	})
}

// A menu offers only what the person may see, and strangers nothing.
func TestAMenuOffersStrangersNothing(t *testing.T) {
	r := bot.Request{By: person(), Interaction: &slack.InteractionCallback{Type: slack.InteractionTypeBlockSuggestion, ActionID: "start.pipeline"}}
	b := bot.New(bot.Options{Engine: newClerk(), Memos: newOutside(), Chat: &chatFake{}})
	if got, err := b.Suggest(t.Context(), r); err != nil || len(got.Options) != 1 {
		t.Errorf("a member is offered %v, %v", got.Options, err)
	}
	r.By.Stranger = "guest"
	if got, err := b.Suggest(t.Context(), r); err != nil || len(got.Options) != 0 {
		t.Errorf("a guest is offered %v, %v", got.Options, err)
	}
}
