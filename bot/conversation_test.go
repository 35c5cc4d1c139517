package bot_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

func TestTwoPeopleLetAReleaseThrough(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop canaryPercent=25")
		h.hears(h.ben, "webshop#1 has started")
		gate := h.reads("rollcall_gate", "1", "is waiting for approval in Production", "@ana", "@cho", "0 of 2")
		if !gate.Broadcast || gate.Thread == "" {
			t.Errorf("the question is no broadcast answer to the card: %+v", gate)
		}
		// A card that is posted names people and one that is edited mentions them; which this is depends on who was faster.
		h.reads("rollcall_execution", "1", "waiting for approval in Production", "canaryPercent=25", "by Dee", "Started by", "ben ·", "Show the total <!channel>")

		h.clicks(h.ana, gate, "approve")
		h.hears(h.ana, "Approved. webshop#1 has 1 of 2 approvals, 1 more needed.")
		h.reads("rollcall_gate", "1", "1 of 2 approvals*: @ana")
		h.reads("rollcall_execution", "1", "1 of 2")

		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_execution", "1", "#1 · in Production")
		closed := h.reads("rollcall_gate", "1", "approved by @ana", "and @cho")
		if len(closed.Buttons()) != 0 {
			t.Errorf("a decided gate keeps buttons: %v", buttons(closed))
		}
		h.reads("rollcall_announcement", "1", "webshop #1 is in Production")
		if cards, gates, told := h.count("rollcall_execution"), h.count("rollcall_gate"), h.count("rollcall_announcement"); cards != 1 || gates != 1 || told != 1 {
			t.Errorf("the channel shows %d cards, %d questions, %d announcements; want one each", cards, gates, told)
		}

		// Whoever presses what is still on their screen hears that it is decided.
		h.says(h.cho, "approve webshop#1")
		h.hears(h.cho, "🙅")
	})
}

// T3: a vote does not outlive its voter, for any kind of stranger; everybody reads why.
func TestAVoteOfSomebodyWhoHasLeftCountsNoMore(t *testing.T) {
	for kind, why := range map[slackfake.Kind]string{slackfake.Deactivated: "deactivated", slackfake.Guest: "a guest", slackfake.Bot: "a bot", slackfake.Connect: "of another organisation"} {
		story(t, strings.Replace(shop, "cho@acme.example]", "cho@acme.example, eve@acme.example]", 1), func(t *testing.T, h *fixture) {
			h.says(h.ben, "start webshop")
			gate := h.reads("rollcall_gate", "1", "0 of 2")
			h.clicks(h.ana, gate, "approve")
			h.hears(h.ana, "Approved. webshop#1 has 1 of 2 approvals, 1 more needed.")
			h.AddUser(slackfake.User{ID: h.ana.ID, Name: "ana", Email: h.ana.Email, Kind: kind})
			h.later(5 * time.Second)
			h.clicks(h.cho, gate, "approve")
			h.reads("rollcall_gate", "1", "1 of 2 approvals*: @cho", "ana's vote no longer counts: "+why)
			h.clicks(h.eve, gate, "approve")
			h.reads("rollcall_gate", "1", "approved by @cho", "and @eve", "ana's vote no longer counts: "+why)
			h.reads("rollcall_execution", "1", "#1 · in Production")
		})
	}
}

func TestSomebodyElseIsRefusedAlone(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		before := h.channel()
		h.clicks(h.eve, gate, "approve")
		h.hears(h.eve, "🙅", "@ana", "@cho")
		h.clicks(h.gil, gate, "approve")
		h.hears(h.gil, "only full members", "not guests")
		h.says(h.eve, "stop webshop#1")
		h.hears(h.eve, "stop", "@ana")
		h.says(h.eve, "rollback webshop Production")
		h.hears(h.eve, "rollback", "@ana")
		if after := h.channel(); after != before {
			t.Errorf("a refusal changed what everybody sees:\n%s\nbefore:\n%s", after, before)
		}
		for _, u := range []string{h.ana.ID, h.ben.ID, h.cho.ID} {
			for _, m := range h.Ephemerals(u) {
				if strings.Contains(m.Text, "🙅") {
					t.Errorf("%s hears of somebody else's refusal: %s", u, m.Text)
				}
			}
		}
	})
}

func TestRejectingNeedsAReason(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		h.clicks(h.cho, gate, "reject")
		form := h.form(h.cho, "reject")
		h.submits(h.cho, form, map[string]string{"reason": "   "})
		if form = h.form(h.cho, "reject"); form.Errors["reason"] == "" {
			t.Fatalf("a reject without a reason is not refused in the form: %+v", form.Errors)
		}
		h.submits(h.cho, form, map[string]string{"reason": "the <!channel> login page is blank"})
		h.hears(h.cho, "Rejected")
		h.reads("rollcall_execution", "1", "not approved in Production", "login page is blank")
		closed := h.reads("rollcall_gate", "1", "Rejected", "Rejected by @cho", "the <!channel> login page is blank")
		if len(closed.Buttons()) != 0 {
			t.Errorf("a rejected gate keeps buttons: %v", buttons(closed))
		}
		if h.count("rollcall_failure") != 0 {
			t.Error("what was not approved is told as a failure")
		}
	})
}

func TestWhatIsDecidedElsewhereIsShownHere(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		e, err := h.engine.Execution(t.Context(), workflows.EnginePrincipal(), "webshop#1")
		if err != nil {
			t.Fatal(err)
		}
		// Nobody moves for a while: what was drawn in Slack may be old when it is pressed.
		stale := h.reads("rollcall_gate", "1", "0 of 2")
		cho := workflows.Principal{ID: "console:cho@acme.example", Name: "Cho", Email: "cho@acme.example", Via: "console"}
		if _, err := h.engine.Submit(t.Context(), workflows.Intent{Verb: workflows.Reject, Pipeline: "webshop", Execution: e.ID, Reason: "not on a Friday"}, cho); err != nil {
			t.Fatal(err)
		}
		h.reads("rollcall_gate", "1", "Rejected", "Rejected by @cho", "console", "not on a Friday")
		card := h.reads("rollcall_execution", "1", "not approved")
		if slices.Contains(buttons(card), "approve") {
			t.Error("the card still offers to approve")
		}
		if _, err := h.Click(t.Context(), h.ana.ID, stale.At(), "approve"); err == nil {
			t.Error("a button that is gone can be pressed")
		}
	})
}

func TestRollingBack(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.released("2")
		card := h.reads("rollcall_execution", "2", "#2 · in Production")
		h.clicks(h.cho, card, "rollback")
		form := h.form(h.cho, "rollback")
		text := h.RenderedView(form)
		if !strings.Contains(text, "runs #2") || strings.Contains(text, "{running}") {
			t.Errorf("the form does not say how things stand:\n%s", text)
		}
		e, err := h.engine.Execution(t.Context(), workflows.EnginePrincipal(), "webshop#1")
		if err != nil {
			t.Fatal(err)
		}
		if _, chosen, _ := strings.Cut(string(form.Blocks), "initial_option"); !strings.Contains(chosen, e.ID) {
			t.Errorf("the last good one is not preselected: %s", form.Blocks)
		}
		h.submits(h.cho, form, map[string]string{"reason": "checkout is down"})
		h.hears(h.cho, "webshop#3 is rolling Production back to #1")
		h.reads("rollcall_execution", "3", "rolled back Production to #1", "cho rolled Production back: #2 → #1. Reason: checkout is down", "Locked until someone unlocks it.")
		h.reads("rollcall_announcement", "1", "rolled Production back: #2 → #1")
		h.reads("rollcall_execution", "2", "Rolled back to #1 by", "cho: checkout is down")

		// The lock is lifted by one click on the rollback's card.
		h.clicks(h.cho, h.reads("rollcall_execution", "3", "Unlock Production"), "enable")
		h.hears(h.cho, "Production of webshop is unlocked")
		if card := h.reads("rollcall_execution", "3", "rolled back"); !slices.Contains(buttons(card), "rollback") && len(card.Buttons()) == 0 {
			t.Error("the card lost all its buttons")
		}

		// By words with everything named it happens at once.
		h.says(h.cho, "rollback webshop production #2 it was innocent")
		h.reads("rollcall_execution", "4", "rolled back Production to #2", "it was innocent")
	})
}

func TestAskingForWhatIsMissing(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.released("2")
		h.says(h.cho, "rollback webshop checkout is down")
		form := h.form(h.cho, "rollback")
		if text := h.RenderedView(form); !strings.Contains(text, "checkout is down") || !strings.Contains(text, "webshop · Production") {
			t.Errorf("the form forgot what was typed, or chose no stage:\n%s", text)
		}
		if _, err := h.Choose(t.Context(), h.cho.ID, workspacePlace(form.ID), "rollback.place", "webshop/Staging"); err != nil {
			t.Fatal(err)
		}
		h.until("the other stage's targets", func() bool {
			v := h.form(h.cho, "rollback")
			return strings.Contains(h.RenderedView(v), "Roll back Staging")
		})
		if _, err := h.Choose(t.Context(), h.cho.ID, workspacePlace(form.ID), "rollback.place", "webshop/Production"); err != nil {
			t.Fatal(err)
		}
		h.until("the targets of production again", func() bool {
			return strings.Contains(h.RenderedView(h.form(h.cho, "rollback")), "webshop · Production* runs")
		})
		form = h.form(h.cho, "rollback")
		options := form.Options("target")
		if first, last := options[0], options[len(options)-1]; !strings.Contains(first.Text, "#2 (now)") || !strings.Contains(last.Text, "#1") {
			t.Fatalf("the targets are not newest first with the present one marked: %+v", options)
		}
		// Choosing another target shows what that one would undo, and keeps the rest.
		earlier := options[len(options)-1].Value
		if _, err := h.Choose(t.Context(), h.cho.ID, workspacePlace(form.ID), "target", earlier); err != nil {
			t.Fatal(err)
		}
		h.until("what the chosen target undoes", func() bool {
			return strings.Contains(h.form(h.cho, "rollback").PrivateMetadata, earlier)
		})
		form = h.form(h.cho, "rollback")
		if text := h.RenderedView(form); !strings.Contains(text, "checkout is down") || !strings.Contains(text, "webshop · Production* runs") {
			t.Errorf("the form forgot what was typed or chosen:\n%s", text)
		}
		h.submits(h.cho, form, map[string]string{"target": earlier})
		h.reads("rollcall_execution", "3", "rolled back Production to #1", "checkout is down")
	})
}

func TestAFailureIsToldOnce(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.fails.set(true)
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "2", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, h.reads("rollcall_gate", "2", "1 of 2"), "approve") // who came first is told below
		h.reads("rollcall_failure", "2", "webshop #2 failed in Production", "Deploy failed", "exit status 1")
		card := h.reads("rollcall_execution", "2", "failed in Production", "What runs in Production is uncertain", "last known: #1")
		if n := h.count("rollcall_failure"); n != 1 {
			t.Errorf("%d failure messages, want 1", n)
		}
		h.fails.set(false)
		h.clicks(h.cho, card, "retry")
		h.reads("rollcall_execution", "2", "#2 · in Production")
		card = h.reads("rollcall_execution", "2", "#2 · in Production")
		if strings.Contains(h.Rendered(card), "uncertain") {
			t.Error("the card still calls uncertain what is certain again")
		}
		h.reads("rollcall_announcement", "2", "webshop #2 is in Production")
		h.says(h.cho, "logs webshop#2 Deploy")
		h.hears(h.cho, "web-3 answers")
		h.says(h.eve, "logs webshop#2 Deploy")
		h.hears(h.eve, "right logs")
		h.clicks(h.eve, card, "details")
		h.sees(h.eve, "approved by @ana", "attempt 2")
	})
}

// U2, T10: a failure says why, in the channel, as far as the pipeline shows
// its logs there; a person who asks reads as much as they may.
func TestAFailureShowsTheEndOfItsLog(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		shown      bool
	}{
		{"as usual", shop, true},
		{"a channel that is shown one line", strings.Replace(shop, "channel:", "logTail: 1\nchannel:", 1), true},
		{"a channel that is shown none", strings.Replace(shop, "channel:", "logTail: 0\nchannel:", 1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			story(t, tt.file, func(t *testing.T, h *fixture) {
				h.fails.set(true)
				h.says(h.ben, "start webshop")
				gate := h.reads("rollcall_gate", "1", "0 of 2")
				h.clicks(h.ana, gate, "approve")
				h.clicks(h.cho, gate, "approve")
				told := h.reads("rollcall_failure", "1", "webshop #1 failed in Production", "exit status 1")
				card := h.reads("rollcall_execution", "1", "failed in Production", "exit status 1")
				text := told.Text + h.Rendered(told) + h.Rendered(card)
				if n := strings.Count(text, "web-3 answers (exit status 1)"); (n == 1) != tt.shown || tt.shown != strings.Contains(text, "web-3 answers") {
					t.Errorf("the notification names the cause %d times:\n%s", n, text)
				}
				if n := strings.Count(text, "```+ dist/deploy production\nweb-3 answers```"); n != map[bool]int{true: 2}[tt.file == shop] { // card and failure
					t.Errorf("the log stands in it %d times\n%s", n, text)
				}
				h.clicks(h.eve, told, "logs")
				h.hears(h.eve, "right logs")
				h.says(h.eve, "status webshop#1")
				h.clicks(h.eve, card, "details")
				if text := h.RenderedView(h.sees(h.eve, "App succeeded", "exit status 1")); strings.Contains(text, "web-3") {
					t.Errorf("who may not read logs sees them:\n%s", text)
				}
				h.hears(h.eve, "webshop #1 · failed in Production")
				for _, m := range h.Ephemerals(h.eve.ID) {
					if strings.Contains(m.Text+h.Rendered(m), "web-3") {
						t.Errorf("who may not read logs is told: %s", h.Rendered(m))
					}
				}
				h.clicks(h.cho, card, "logs")
				h.sees(h.cho, "the last 2 lines of its log", "web-3 answers")
				h.clicks(h.cho, card, "details")
				details := h.RenderedView(h.sees(h.cho, "App succeeded"))
				if strings.Contains(details, "web-3 answers") != tt.shown {
					t.Errorf("the details of who may read logs hold the log: %t\n%s", !tt.shown, details)
				}
			})
		})
	}
}

func TestACommentIsAskedForWhereItIsRequired(t *testing.T) {
	story(t, strings.Replace(shop, "required: 2", "required: 1, comment: required", 1), func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "1", "a comment is required")
		h.clicks(h.ana, gate, "approve")
		form := h.form(h.ana, "approve")
		h.submits(h.ana, form, map[string]string{"comment": " "})
		if form = h.form(h.ana, "approve"); form.Errors["comment"] == "" {
			t.Fatal("an empty comment passes")
		}
		h.submits(h.ana, form, map[string]string{"comment": "smoke tests are green"})
		h.reads("rollcall_gate", "1", "approved by", "smoke tests are green")
	})
}

func TestLookingAround(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "2", "0 of 2")
		for text, words := range map[string][]string{
			"":                           {"Waiting for you", "webshop#2", "Environments"},
			"pipelines":                  {"webshop", "Production #2 running"},
			"status webshop":             {"webshop, version 1", "Production", "runs #1"},
			"status webshop#2":           {"webshop #2", "waiting for approval"},
			"status nothing":             {"🙅"},
			"status WebShop":             {"webshop, version 1"},
			"who Webshop#2":              {"answer SignOff in Production"},
			"executions webshop":         {"#1", "#2"},
			"who webshop":                {"approve in Production", "@cho"},
			"who webshop#2":              {"answer SignOff in Production", "you can"},
			"help":                       {"/rollcall rollback [P [STAGE [E]]] [reason]", "You do not have the permission for: override, resolve", "ask one of them"},
			"link":                       {"cho@acme.example"},
			"aprove webshop#2":           {"no command “aprove”", "did you mean approve?"},
			"disable webshop Production": {"Production of webshop is locked"},
			"resolve webshop#2 Nothing again": {
				"has no action Nothing", "SignOff"},
		} {
			h.says(h.cho, text)
			h.hears(h.cho, words...)
		}
	})
}

func TestStartingWithAForm(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "status webshop")
		m := h.hears(h.ben, "webshop, version 1")
		h.clicks(h.ben, m, "start")
		form := h.form(h.ben, "start")
		h.submits(h.ben, form, map[string]string{"canaryPercent": "many"})
		h.hears(h.ben, "🙅", "canaryPercent")
		h.clicks(h.ben, m, "start")
		h.submits(h.ben, h.form(h.ben, "start"), map[string]string{"canaryPercent": "50"})
		h.reads("rollcall_execution", "1", "canaryPercent=50")
		h.says(h.ben, "start webshop colour=red")
		h.hears(h.ben, "🙅", "colour")
	})
}

func TestAnAutomaticRollbackExplainsItself(t *testing.T) {
	file := strings.Replace(shop, "environment: production", "environment: production\n    onFailure: {result: ROLLBACK}", 1)
	story(t, file, func(t *testing.T, h *fixture) {
		h.released("1")
		h.fails.only("2")
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "2", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_failure", "2", "webshop #2 failed in Production")
		h.reads("rollcall_execution", "3", "rolled back Production to #1", "webshop #3: Production back on #1, #2 failed: Deploy: web-3 answers (exit status 1)",
			"Production was rolled back automatically: #2 → #1", "#2 failed: Deploy: web-3 answers (exit status 1)", "[Logs]")
		h.clicks(h.cho, h.reads("rollcall_execution", "3"), "logs")
		h.sees(h.cho, "webshop#2 · Production · Deploy")
		h.reads("rollcall_announcement", "1", "Production was rolled back automatically: #2 → #1")
		card := h.reads("rollcall_execution", "2 failed in Production", "Rolled back to #1 automatically (#3)")
		if strings.Contains(h.Rendered(card), "uncertain") {
			t.Error("what Production runs is certain again, and the failed card says otherwise")
		}
	})
}

func TestAWaitingReleaseStepsBackForARollback(t *testing.T) {
	// Whoever belongs to the group of the configuration is mentioned, not the group's name.
	file := strings.Replace(shop, "from: [ana@acme.example, cho@acme.example]", `from: [ana@acme.example, "group:team"]`, 1)
	story(t, file, func(t *testing.T, h *fixture) {
		h.released("1")
		h.released("2")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "3", "@ana, @cho")
		h.says(h.cho, "rollback webshop Production #1 checkout is down")
		h.reads("rollcall_execution", "4", "rolled back Production to #1")
		h.reads("rollcall_gate", "3", "It left the stage")
		card := h.reads("rollcall_execution", "3", "blocked: Production is locked", "rolled back to #1 by", "cho (checkout is down)", "Let only #3 in")
		only := slices.IndexFunc(card.Buttons(), func(b slackfake.Button) bool { return strings.Contains(b.Text, "Let only #3 in") })
		h.clicks(h.cho, card, card.Buttons()[only].ActionID)
		h.reads("rollcall_execution", "3", "waiting for approval in Production")
		// #1 and #2 were asked about once, #3 twice: it entered twice.
		h.until("the second question about #3", func() bool { return h.count("rollcall_gate") == 4 })
	})
}

// U1: of several gates an answer names the one that it is for, also in words.
func TestSeveralGatesAreAnsweredOneByOne(t *testing.T) {
	two := strings.Replace(shop, "      - {name: SignOff,", "      - {name: Security, provider: Manual, approval: {from: [cho@acme.example]}}\n      - {name: SignOff,", 1)
	story(t, two, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		card := h.reads("rollcall_execution", "1", "waiting for approval", "[Approve Security]", "[Approve SignOff]", "[Reject SignOff]")
		h.says(h.cho, "reject webshop#1 it is blank")
		h.hears(h.cho, "several actions of webshop#1 are meant", "name one of Security or SignOff")
		h.clicks(h.cho, card, "approve")
		h.hears(h.cho, "Approved. webshop#1 Security has 1 of 1 approval and is waiting for approval in Production.")
		h.until("one question is left on the card", func() bool {
			return !strings.Contains(h.Rendered(h.reads("rollcall_execution", "1")), "[Approve Security]")
		})
	})
	story(t, two, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_execution", "1", "[Approve SignOff]")
		h.says(h.cho, "reject webshop#1 security it is blank")
		h.hears(h.cho, "Rejected. webshop#1 does not go into Production (Security).")
		h.reads("rollcall_execution", "1", "not approved", "it is blank")
	})
}
