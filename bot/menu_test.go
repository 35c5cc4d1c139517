package bot_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// choices are what the menu of a message offers, by what people read.
func choices(m slackfake.Message) (all map[string]string) {
	all = map[string]string{}
	rest := string(m.Blocks)
	for {
		_, after, found := strings.Cut(rest, `"value":"`)
		if !found {
			return all
		}
		value, _, _ := strings.Cut(after, `"`)
		rest = after
		if verb, _, _ := strings.Cut(value, " "); verb == "stop" || verb == "rollback" {
			all[verb] = value
		}
	}
}

// While people are asked, Approve and Reject stand alone on the card: stopping is in
// its menu, and asks before it acts.
func TestStoppingFromTheMenuOfACard(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		m := h.reads("rollcall_execution", "1", "waiting for approval in Production")
		if ids := buttons(m); slices.Contains(ids, "stop") || !slices.Contains(ids, "approve") {
			t.Errorf("the card has the buttons %v", ids)
		}
		stop := choices(m)["stop"]
		if stop == "" {
			t.Fatalf("nothing stops it: %s", m.Blocks)
		}
		choose := func(u slackfake.User) {
			t.Helper()
			if _, err := h.Choose(t.Context(), u.ID, m.At(), "more", stop); err != nil {
				t.Fatal(err)
			}
		}
		choose(h.eve)
		h.hears(h.eve, "🙅", "stop")
		if n := len(h.Views(h.eve.ID)); n != 0 {
			t.Errorf("eve, who may not stop it, has %d forms", n)
		}
		choose(h.cho)
		h.submits(h.cho, h.form(h.cho, "stop"), map[string]string{"reason": "wrong branch"})
		h.reads("rollcall_execution", "1", "stopping in Production", "Stop requested by @cho: wrong branch")
	})
}
