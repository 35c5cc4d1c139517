package bot_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// entry puts a condition before Production.
func entry(result string) string {
	return strings.Replace(shop, "    environment: production\n", `    environment: production
    beforeEntry: {conditions: [{result: `+result+`, rules: [{name: Calm, ruleTypeId: {category: Rule, owner: AWS, provider: VariableCheck, version: "1"}, configuration: {Variable: "#{variables.canaryPercent}", Operator: EQ, Value: "10"}}]}]}
`, 1)
}

func mode(file, mode string) string { return strings.Replace(file, "SUPERSEDED", mode, 1) }

// without fails the test when a message says a word that it must not.
func (h *fixture) without(m slackfake.Message, word string) {
	h.t.Helper()
	if text := m.Text + h.Rendered(m); strings.Contains(strings.ToLower(text), word) {
		h.t.Errorf("the message says %q:\n%s", word, text)
	}
}

func TestOverridingAGate(t *testing.T) {
	const said = "overridden by @ana without 1 of 2 approvals: checkout is down and ben sleeps"
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		h.clicks(h.cho, gate, "approve")
		gate = h.reads("rollcall_gate", "1", "1 of 2")

		// Cho may approve, and not more: the details offer her nothing else.
		h.clicks(h.cho, gate, "details")
		if text := h.RenderedView(h.sees(h.cho, "webshop #1")); strings.Contains(text, "Override") {
			t.Errorf("cho is offered to override:\n%s", text)
		}
		h.clicks(h.ana, gate, "details")
		if _, err := h.Click(t.Context(), h.ana.ID, workspacePlace(h.sees(h.ana, "[Override…]").ID), "override"); err != nil {
			t.Fatal(err)
		}
		form := h.form(h.ana, "override")
		if text := h.RenderedView(form); !strings.Contains(text, "webshop#1") || !strings.Contains(text, "Without: 1 more approval") {
			t.Errorf("the form does not say what is set aside:\n%s", text)
		}
		h.submits(h.ana, form, map[string]string{"reason": "  "})
		if form = h.form(h.ana, "override"); form.Errors["reason"] == "" {
			t.Fatal("an override without a reason passes")
		}
		h.submits(h.ana, form, map[string]string{"reason": "checkout is down and ben sleeps"})
		h.hears(h.ana, "Overridden: webshop#1 goes on in Production without 1 of 2 approvals")

		card := h.reads("rollcall_execution", "1", "#1 · in Production", said)
		closed := h.reads("rollcall_gate", "1", "is in Production", said, "@cho agreed")                                // how it stays: what it said until Production had succeeded may be skipped
		told := h.reads("rollcall_announcement", "1", "webshop #1 is in Production", strings.ReplaceAll(said, "@", "")) // posted, not edited: nobody is mentioned
		for _, m := range []slackfake.Message{card, closed, told} {
			h.without(m, "approved")
		}
		if !strings.Contains(told.Text, strings.ReplaceAll(said, "@", "")) || len(closed.Buttons()) != 0 {
			t.Errorf("the notification says %q, the gate keeps %v", told.Text, buttons(closed))
		}
		for _, text := range []string{"status webshop#1", "executions webshop"} {
			h.says(h.ben, text)
			h.without(h.hears(h.ben, said), "approved")
		}
		// Whoever comes too late hears how it was decided.
		h.says(h.cho, "approve webshop#1")
		h.hears(h.cho, "🙅")
	})
}

func TestAFailureBehindAnOverrideSaysSo(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.fails.set(true)
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		h.says(h.ana, "override webshop#1 production nobody else is awake")
		const said = "overridden by @ana without 2 of 2 approvals: nobody else is awake"
		told := h.reads("rollcall_failure", "1", "webshop #1 failed in Production", strings.ReplaceAll(said, "@", ""))
		h.without(told, "approved")
		h.reads("rollcall_execution", "1", "failed in Production", said)
		h.says(h.ana, "override webshop#1 Production again")
		h.hears(h.ana, "🙅", "can be overridden")
	})
}

func TestAnEntryConditionIsOverridden(t *testing.T) {
	story(t, entry("FAIL"), func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop canaryPercent=50")
		h.reads("rollcall_failure", "1", "webshop #1 failed in Production", "entry condition failed, so nothing ran: Calm")
		card := h.reads("rollcall_execution", "1", "failed in Production", "entry condition failed", "[Override…]")
		h.clicks(h.ana, card, "override")
		form := h.form(h.ana, "override")
		if text := h.RenderedView(form); !strings.Contains(text, "Without: entry condition, Calm") {
			t.Errorf("the form does not name the condition:\n%s", text)
		}
		h.submits(h.ana, form, map[string]string{"reason": "a half is what we want"})
		h.hears(h.ana, "Overridden: webshop#1 goes on in Production.")
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		h.reads("rollcall_execution", "1", "entry condition overridden by @ana: a half is what we want")
		h.clicks(h.ana, gate, "approve")
		h.reads("rollcall_gate", "1", "1 of 2")
		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_announcement", "1", "entry condition overridden by ana: a half is what we want")
		h.reads("rollcall_execution", "1", "#1 · in Production", "entry condition overridden by @ana")
	})
}

func TestASkippedStageSaysWhy(t *testing.T) {
	story(t, entry("SKIP"), func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop canaryPercent=50")
		h.reads("rollcall_execution", "1", "#1 · succeeded", "*Production* skipped: Calm")
		if n := h.count("rollcall_announcement"); n != 0 {
			t.Errorf("%d announcements of a stage that was skipped", n)
		}
	})
}

func TestWaitingInAQueue(t *testing.T) {
	story(t, mode(shop, "QUEUED"), func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_execution", "2", "busy with #1")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_execution", "3", "2nd in line, busy with #1")
		h.says(h.ben, "status webshop")
		h.hears(h.ben, "2 executions waiting: #2, #3")
		h.says(h.ana, "stop webshop#2")
		h.reads("rollcall_execution", "3", "busy with #1")
	})
}

func TestSeveralInOneStage(t *testing.T) {
	story(t, mode(shop, "PARALLEL"), func(t *testing.T, h *fixture) {
		for _, number := range []string{"1", "2"} {
			h.says(h.ben, "start webshop")
			h.reads("rollcall_gate", number, "0 of 2")
		}
		h.says(h.ben, "status webshop")
		h.hears(h.ben, "inside: ● #2 waiting for approval, ● #1 waiting for approval")
	})
}

func TestAnAutomaticRetry(t *testing.T) {
	file := strings.Replace(shop, "environment: production", "environment: production\n    onFailure: {result: RETRY, retryConfiguration: {retryMode: FAILED_ACTIONS}}", 1)
	story(t, file, func(t *testing.T, h *fixture) {
		h.fails.set(true)
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_failure", "1", "Failed again after an automatic retry", "exit status 1")
		h.reads("rollcall_execution", "1", "failed again after an automatic retry")
		if n := h.count("rollcall_failure"); n != 1 {
			t.Errorf("%d failure messages, want 1: the first try is no failure", n)
		}
	})
}

func TestAFreezeKeepsAReleaseOut(t *testing.T) {
	freeze := workflows.Freeze{Name: "year-end", From: time.Date(1999, 12, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2000, 1, 4, 0, 0, 0, 0, time.UTC), On: []string{"*/Production"}, MayPass: []string{"cho@acme.example"}}
	frozenStory(t, shop, []workflows.Freeze{freeze}, func(t *testing.T, h *fixture) {
		synctest.Wait() // the pipeline has the freezes of the configuration
		h.says(h.ben, "start webshop")
		card := h.reads("rollcall_execution", "1", "blocked: Production is frozen (year-end)", "frozen (year-end) until", "may bypass: cho@acme.example", "[Let only #1 in]")
		h.says(h.ben, "")
		h.hears(h.ben, "Production is frozen (year-end) until", "❄️ frozen")
		h.says(h.ben, "status webshop")
		h.hears(h.ben, "Production is frozen (year-end) until")
		h.clicks(h.ana, card, "enable")
		h.hears(h.ana, "🙅", "frozen", "cho@acme.example")
		h.clicks(h.cho, card, "enable")
		h.reads("rollcall_gate", "1", "0 of 2")
	})
}

func TestWhatWasRolledBackFromComesBackWithAWarning(t *testing.T) {
	file := strings.Replace(shop, "environment: production", "environment: production\n    rollback: {lock: never}", 1)
	story(t, file, func(t *testing.T, h *fixture) {
		h.released("1")
		h.released("2")
		h.says(h.cho, "rollback webshop Production #1 checkout is down")
		h.reads("rollcall_execution", "3", "rolled back Production to #1")
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "4", "⚠️ *Production: includes", "cho rolled back (\"checkout is down\")")
		text := h.Rendered(gate)
		if warning, press := strings.Index(text, "⚠️ *Production: includes"), strings.Index(text, "[Approve]"); warning < 0 || warning > press {
			t.Errorf("the warning does not stand above the buttons:\n%s", text)
		}
		h.reads("rollcall_execution", "4", "⚠️ *Production: includes", "cho rolled back (\"checkout is down\")")
	})
}

func TestAnEditThatWeakensAGateIsAnnounced(t *testing.T) {
	story(t, strings.Replace(shop, "channel:", "owners: [ben@acme.example]\nchannel:", 1), func(t *testing.T, h *fixture) {
		h.define(strings.Replace(shop, "required: 2", "required: 1", 1))
		var told slackfake.Message
		h.until("the edit is announced", func() bool {
			i := slices.IndexFunc(h.Messages("#webshop"), func(m slackfake.Message) bool { return m.Metadata != nil && m.Metadata.Type == "rollcall_edit" })
			if i >= 0 {
				told = h.Messages("#webshop")[i]
			}
			return i >= 0
		})
		text := h.Rendered(told)
		for _, words := range []string{"webshop now asks for less at 1 gate", "@ben", "before: 2 of ana@acme.example, cho@acme.example", "now: 1 of ana@acme.example"} {
			if !strings.Contains(text, words) {
				t.Errorf("it does not say %q:\n%s", words, text)
			}
		}
		if string(told.Metadata.Payload) != `{"pipeline":"webshop","version":2}` {
			t.Errorf("its metadata are %s", told.Metadata.Payload)
		}
		h.define(shop) // asking for more again is nobody's news
		h.released("1")
		if n := h.count("rollcall_edit"); n != 1 {
			t.Errorf("%d announcements, want one", n)
		}
	})
}
