package bot_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Options are plain text, in which Slack has no dates: whoever opens the form
// reads them in their own time zone. The box of the lock goes with the form.
func TestTheRollbackFormIsInTheReadersTimeZone(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		cho := h.AddUser(slackfake.User{ID: "U0CHO", Name: "cho", Email: "cho@acme.example", TZ: "Asia/Tokyo"})
		h.released("1")
		h.released("2")
		h.says(cho, "rollback webshop Production")
		form := h.form(cho, "rollback")
		if text := string(form.Blocks); !strings.Contains(text, "live Jan 1 09:0") || !strings.Contains(text, "Lock Production afterwards") {
			t.Errorf("midnight is nine in the morning in Tokyo, or the box is missing:\n%s", text)
		}
		if !strings.Contains(string(form.Blocks), "initial_options") {
			t.Errorf("the box is not ticked: %s", form.Blocks)
		}
		one, err := h.engine.Execution(t.Context(), workflows.EnginePrincipal(), "webshop#1")
		if err != nil {
			t.Fatal(err)
		}
		h.submits(cho, form, map[string]string{"target": one.ID, "lock": "", "reason": "slow"})
		h.until("it is back", func() bool {
			p, err := h.engine.Pipeline(t.Context(), workflows.EnginePrincipal(), "webshop", 0)
			s, _ := p.Stage("Production")
			return err == nil && s.Running.Execution == one.ID && s.Transition.Enabled
		})
	})
}
