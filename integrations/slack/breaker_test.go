package slack_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// A method that fails is left alone but for one call now and then; others are
// not touched; when it works again everything does, within one step. The log
// says each once.
func TestAMethodThatFailsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, leave := office(t)
		defer leave()
		card := bot.Message{Channel: "#deploys", Text: "x", EventType: "rollcall_execution", Payload: map[string]any{"execution": "1"}, Urgency: bot.Progress}
		at, err := h.client.Post(t.Context(), card)
		if err != nil {
			t.Fatal(err)
		}
		h.Faults.Add(slackfake.On("chat.update", fault.Fault{Status: 503}))
		before := h.Calls("chat.update")
		for range 600 { // ten minutes
			if err := h.client.Edit(t.Context(), at, card); err == nil {
				t.Fatal("it was edited")
			}
			time.Sleep(time.Second)
		}
		if n := h.Calls("chat.update") - before; n < 20 || n > 40 {
			t.Errorf("%d calls in ten minutes", n)
		}
		var p *bot.Postponed
		if err := h.client.Edit(t.Context(), at, card); !errors.As(err, &p) || p.After > 30*time.Second {
			t.Errorf("%v", err)
		}
		answer := bot.Message{Channel: "#deploys", Text: "y"}
		if _, err := h.client.Post(t.Context(), answer); err != nil {
			t.Errorf("another method is broken too: %v", err)
		}
		h.Faults.Set()
		time.Sleep(30 * time.Second)
		if err := h.client.Edit(t.Context(), at, card); err != nil {
			t.Errorf("it is not tried again: %v", err)
		}
		if log := h.log.String(); strings.Count(log, "fails to do a method") != 1 || strings.Count(log, "does a method again") != 1 {
			t.Errorf("the log:\n%s", log)
		}
	})
}
