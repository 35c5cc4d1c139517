package bot_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// tooFew is what a gate's message says when not enough people can answer it.
const tooFew = "Only 1 person can approve, 2 are required"

// Where fewer people can approve than are needed the gate says so at once, with the
// ways out; who asked for it is not among them. Votes change it.
func TestAGateThatTooFewCanApproveSaysSo(t *testing.T) {
	file := strings.Replace(shop, "from: [ana@acme.example, cho@acme.example]", `from: [ana@acme.example, "group:team"]`, 1)
	story(t, file, func(t *testing.T, h *fixture) {
		h.says(h.ana, "start webshop")
		m := h.reads("rollcall_gate", "1", tooFew, "add somebody to team", "let the requester approve (`requesterMayApprove`)",
			"an admin overrides with `/rollcall override webshop#1 Production REASON`", "Approvers: @ana, @cho (team)")
		h.clicks(h.cho, m, "approve")
		h.reads("rollcall_gate", "1", "1 of 2 approvals*: @cho", "Nobody can approve, 1 is required")
		h.says(h.ben, "start webshop")
		m = h.reads("rollcall_gate", "1", "#2 is waiting behind")
		h.clicks(h.ana, m, "approve")
		h.hears(h.ana, "you started it")
	})
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		if m := h.reads("rollcall_gate", "1", "0 of 2"); strings.Contains(h.Rendered(m), "can approve") {
			t.Errorf("two can approve, and it says\n%s", h.Rendered(m))
		}
	})
}

// Who waits behind an open gate is asked for instead by one click; the right
// is that to stop. (What was seen must still be so: stop-and-ask-for-the-next.txt.)
func TestTheNextExecutionIsAskedForInstead(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		first := h.reads("rollcall_gate", "1", "0 of 2")
		if slices.Contains(buttons(first), "stop") {
			t.Fatal("nobody waits behind")
		}
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "#2 is waiting behind", "Stop #1 and ask for #2")
		h.says(h.ben, "start webshop")
		fresh := h.reads("rollcall_gate", "1", "#3 is waiting behind", "Stop #1 and ask for #3")
		h.clicks(h.eve, fresh, "stop")
		h.hears(h.eve, "does not have the right stop")

		h.clicks(h.cho, fresh, "stop")
		h.hears(h.cho, "Stopped webshop#1: webshop#3 is asked for instead.")
		h.reads("rollcall_gate", "1", "⏹️ Stopped by @cho", "webshop#3 is asked for instead")
		h.reads("rollcall_gate", "3", "0 of 2")
		h.reads("rollcall_execution", "2", "superseded")
	})
}

// An expired gate is asked again by its message; a later attempt has a message of its own.
func TestAnExpiredGateIsAskedAgain(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		h.later(601 * time.Minute)
		m := h.reads("rollcall_gate", "1", "⌛ Expired", "with 0 of 2 approvals", "[Ask again]")
		h.clicks(h.eve, m, "retry")
		h.hears(h.eve, "does not have the right retry")
		h.clicks(h.cho, m, "retry")
		h.hears(h.cho, "webshop#1 runs what failed in ")
		again := h.reads("rollcall_gate", "1", "0 of 2", "[Approve]")
		if again.TS == m.TS {
			t.Error("the old message is asked again: a new attempt has a new gate")
		}
		h.until("the old message offers nothing", func() bool {
			for _, old := range h.Messages("#webshop") {
				if old.TS == m.TS {
					return len(old.Buttons()) == 0 && strings.Contains(h.Rendered(old), "Expired")
				}
			}
			return false
		})
		h.clicks(h.ana, again, "approve")
		h.clicks(h.cho, again, "approve")
		h.reads("rollcall_execution", "1", "#1 · in Production")
	})
}

// What another one overtook is not asked again.
func TestAnOvertakenGateIsNotAskedAgain(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		h.later(601 * time.Minute)
		m := h.reads("rollcall_gate", "1", "[Ask again]")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "2", "0 of 2")
		h.until("the first offers nothing", func() bool {
			for _, old := range h.Messages("#webshop") {
				if old.TS == m.TS {
					return len(old.Buttons()) == 0
				}
			}
			return false
		})
	})
}

// Two people click in the same millisecond, ten times: one decision, and the other is told.
func TestTwoClicksAtOnceAreOneDecision(t *testing.T) {
	one := strings.Replace(shop, ", required: 2", "", 1)
	story(t, one, func(t *testing.T, h *fixture) {
		for n := range 10 {
			number := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}[n]
			h.says(h.ben, "start webshop")
			m := h.reads("rollcall_gate", number, "0 of 1", "[Approve]")
			var both sync.WaitGroup
			begin := make(chan struct{})
			for i, u := range []slackfake.User{h.ana, h.cho} {
				verb := "approve"
				if i == 1 && n%2 == 1 {
					verb = "reject"
				}
				both.Go(func() {
					<-begin
					if verb == "reject" {
						if _, err := h.Command(t.Context(), u.ID, "#webshop", "reject webshop#"+number+" not now"); err != nil {
							t.Error(err)
						}
						return
					}
					if _, err := h.Click(t.Context(), u.ID, m.At(), verb); err != nil {
						t.Error(err)
					}
				})
			}
			close(begin)
			both.Wait()
			var e workflows.Execution
			h.until("it is decided", func() bool {
				var err error
				e, err = h.engine.Execution(t.Context(), workflows.EnginePrincipal(), "webshop#"+number)
				return err == nil && e.Status.Final()
			})
			votes := 0
			for _, a := range e.Stages[2].Actions {
				if a.Approval != nil {
					votes += len(a.Approval.Votes)
				}
			}
			if votes != 1 {
				t.Errorf("#%s has %d votes", number, votes)
			}
			h.until("one hears that they decided, the other that it was decided", func() bool {
				done, late := 0, 0
				for _, u := range []slackfake.User{h.ana, h.cho} {
					for _, said := range h.Ephemerals(u.ID) {
						text := said.Text
						switch {
						case !strings.Contains(text, "webshop#"+number+" ") && !strings.Contains(text, "webshop#"+number+"."):
						case strings.HasPrefix(text, "Approved.") || strings.HasPrefix(text, "Rejected."):
							done++
						case strings.Contains(text, " was approved by ") || strings.Contains(text, " was rejected by "):
							late++
						}
					}
				}
				return done == 1 && late == 1
			})
		}
	})
}

// Who opens a gate by their right does not do it unseen: everybody who was asked and
// had not answered is mentioned, once.
func TestSkippedApproversAreTold(t *testing.T) {
	story(t, strings.Replace(shop, "from: [ana@acme.example, cho@acme.example]", "from: [ana@acme.example, cho@acme.example, eve@acme.example]", 1), func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		m := h.reads("rollcall_gate", "1", "0 of 2")
		h.clicks(h.cho, m, "approve")
		h.reads("rollcall_gate", "1", "1 of 2 approvals")
		h.says(h.ana, "override webshop#1 Production checkout is down")
		told := h.reads("rollcall_skipped", "1", "@eve: 🔓 overridden by", "without 1 of 2 approvals: checkout is down")
		if text := h.Rendered(told); strings.Contains(text, "@cho") || !strings.HasPrefix(text, "@eve") || told.Broadcast || told.Thread == "" {
			t.Errorf("it says, in the thread %q:\n%s", told.Thread, text)
		}
		h.reads("rollcall_execution", "1", "#1 · in Production")
		if n := h.count("rollcall_skipped"); n != 1 {
			t.Errorf("%d are told", n)
		}
	})
}
