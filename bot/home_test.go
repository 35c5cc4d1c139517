package bot_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// opens waits until somebody's App Home, opened now, holds all words.
func (h *fixture) opens(u slackfake.User, words ...string) slackfake.View {
	h.t.Helper()
	if _, err := h.OpenHome(h.t.Context(), u.ID); err != nil {
		h.t.Fatal(err)
	}
	return h.home(u, words...)
}

// home waits until somebody's App Home holds all words.
func (h *fixture) home(u slackfake.User, words ...string) slackfake.View {
	h.t.Helper()
	var found slackfake.View
	defer func() {
		if h.t.Failed() {
			h.t.Log("at home:\n" + h.RenderedView(found))
		}
	}()
	h.until(u.Name+" sees at home "+strings.Join(words, ", "), func() bool {
		v, ok := h.Home(u.ID)
		found = v
		text := h.RenderedView(v)
		return ok && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
	return found
}

func (h *fixture) pressesAtHome(u slackfake.User, v slackfake.View, action string) {
	h.t.Helper()
	if _, err := h.Click(h.t.Context(), u.ID, workspacePlace(v.ID), action); err != nil {
		h.t.Fatalf("%s presses %s at home: %v", u.Name, action, err)
	}
}

func TestAGateIsAnsweredAtHome(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		if v := h.opens(h.ben, "Nothing is waiting", "Yours in progress", "webshop#1", "waiting for approval in Production", "· card"); strings.Contains(h.RenderedView(v), "access.allowAll") {
			t.Error("somebody who can mend no setting reads about open ones")
		}
		v := h.opens(h.ana, "webshop#1", "0 of 2 approvals", "expires", "access.allowAll is on", "Nothing that you started")
		h.pressesAtHome(h.ana, v, "approve")
		h.home(h.ana, "Nothing is waiting for your approval")
		h.reads("rollcall_gate", "1", "1 of 2")

		h.pressesAtHome(h.cho, h.opens(h.cho, "webshop#1", "1 of 2 approvals"), "reject")
		h.submits(h.cho, h.form(h.cho, "reject"), map[string]string{"reason": "the login page is blank"})
		h.home(h.cho, "Nothing is waiting for your approval")
		h.reads("rollcall_gate", "1", "Rejected")
	})
}

func TestHomeShowsWhatRunsWhereAndTheWayBack(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.opens(h.cho, "*webshop* · Production: ○ nothing yet")
		h.released("1")
		h.released("2")
		v := h.opens(h.cho, "Production: ● *#2* since", "by @ben", "[Roll back Production of webshop]")
		h.pressesAtHome(h.cho, v, "rollback")
		form := h.form(h.cho, "rollback")
		h.submits(h.cho, form, map[string]string{"reason": "checkout is down"})
		h.reads("rollcall_execution", "3", "rolled back Production to #1")
		v = h.opens(h.cho, "● *#1* since", "rolled back by @cho", "Locked since", "checkout is down", "Recent rollbacks", "rolled Production back: #2 → #1", "[Unlock Production of webshop]")
		h.pressesAtHome(h.cho, v, "enable")
		h.until("the lock is gone at home", func() bool {
			v, _ := h.Home(h.cho.ID)
			return !strings.Contains(h.RenderedView(v), "Locked since")
		})
		if v := h.opens(h.eve, "● *#1* since"); strings.Contains(h.RenderedView(v), "[Roll back") || strings.Contains(h.RenderedView(v), "[Unlock") {
			t.Errorf("somebody is offered what they may not do:\n%s", h.RenderedView(v))
		}
	})
}

// Of many pipelines those that somebody uses or owns stand first; the others can be found.
func TestHomeOfManyPipelines(t *testing.T) {
	story(t, strings.Replace(shop, "name: webshop", "name: zebra", 1), func(t *testing.T, h *fixture) {
		for i := range 30 {
			h.define(strings.Replace(shop, "name: webshop", "name: shop"+string(rune('a'+i%26))+string(rune('0'+i/26)), 1))
		}
		h.define(strings.Replace(shop, "name: webshop", "owners: [cho@acme.example]\nname: yak", 1))
		h.says(h.ben, "start zebra")
		h.reads("rollcall_gate", "1", "0 of 2")
		first := func(u slackfake.User, pipeline string) {
			t.Helper()
			text := h.RenderedView(h.opens(u, "more pipelines: find one above"))
			_, all, _ := strings.Cut(text, "Environments")
			if i := strings.Index(all, "*"); !strings.HasPrefix(all[i:], "*"+pipeline+"*") {
				t.Errorf("%s stands not first for %s:\n%s", pipeline, u.Name, text)
			}
		}
		first(h.ben, "zebra")
		first(h.cho, "yak")
		first(h.eve, "shopa0")
		p := h.engine
		if names, err := p.Names(t.Context(), workflows.Principal{ID: "slack:U0EVE", Email: h.eve.Email, Via: "slack"}); err != nil || len(names) != 32 {
			t.Errorf("%d names: %v", len(names), err)
		}
	})
}
