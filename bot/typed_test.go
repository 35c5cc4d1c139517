package bot_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
)

// mailed is somebody of whom another surface knows the address.
func mailed(name string) workflows.Principal {
	return workflows.Principal{ID: "mail:" + name + "@acme.example", Name: name + "-dev", Email: name + "@acme.example", Via: "github"}
}

// A command typed outside chat has the same words, rights and results as in chat; what
// a form would ask for must be written, and the same key acts once.
func TestCommandsTypedOutsideChat(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		typed := bot.NewTyped(h.engine, h.client, "/rollcall")
		n := 0
		says := func(who, text string, want ...string) string {
			t.Helper()
			n++
			got, err := typed.Answer(t.Context(), "typed/"+strings.Repeat("i", n), mailed(who), text)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s said %q and heard %q, want %q", who, text, got, w)
				}
			}
			return got
		}
		says("ben", "start webshop", "webshop#1 has started.")
		again, err := typed.Answer(t.Context(), "typed/i", mailed("ben"), "start webshop")
		if err != nil || again != "webshop#1 has started." {
			t.Errorf("the same key: %q %v", again, err)
		}
		h.reads("rollcall_gate", "1")
		says("ben", "status webshop#1", "webshop#1: waiting for approval", "Production: waiting for approval")
		says("ben", "status webshop", "webshop\n", "webshop#1: ")
		says("ben", "status", "webshop: ")
		says("ben", "approve webshop#1", "Not done: ", "can't approve webshop#1")
		says("zoe", "approve webshop#1", "Not done: ") // nobody of the workspace
		says("gil", "status webshop#1", "Not done: ")  // a guest
		says("cho", "reject webshop#1", "a reason is missing", "/rollcall reject webshop#1 and why")
		says("cho", "approve webshop#9", "Not done: ")
		says("cho", "retry webshop#1", "retry cannot be asked for here", "/rollcall approve E [ACTION] [comment]")
		says("cho", "aprove webshop#1", "Did you mean approve?")
		says("cho", "rollback webshop", "needs a pipeline, a stage and an execution")
		says("cho", "help", "here it is one of: /rollcall")
		says("cho", "approve webshop#1 fine by me", "Approved. webshop#1 has 1 of")
		e, err := h.engine.Execution(t.Context(), mailed("cho"), "webshop#1")
		if err != nil {
			t.Fatal(err)
		}
		votes := 0
		for _, s := range e.Stages {
			for _, a := range s.Actions {
				if a.Approval == nil {
					continue
				}
				for _, v := range a.Approval.Votes {
					votes++
					if v.Via != "github" || v.By.Email != "cho@acme.example" || v.Comment != "fine by me" {
						t.Errorf("vote %+v", v)
					}
				}
			}
		}
		if votes != 1 {
			t.Errorf("%d votes", votes)
		}
		says("cho", "approve webshop#1", "Not done: ")
		says("ben", "start webshop", "webshop#2 has started.")
		says("eve", "rollback webshop Production webshop#1 because", "Not done: ")
		says("cho", "rollback webshop Prod webshop#1", "has no stage Prod")
	})
}
