package bot_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// gets waits until the last direct message to somebody holds all words, and is of that kind.
func (h *fixture) gets(u slackfake.User, kind string, words ...string) slackfake.Message {
	h.t.Helper()
	var found slackfake.Message
	h.until(u.Name+" gets "+kind+" with "+strings.Join(words, ", "), func() bool {
		for _, m := range slices.Backward(h.Direct(u.ID)) {
			if m.Metadata != nil && m.Metadata.Type == kind {
				found = m
				text := m.Text + h.Rendered(m)
				return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
			}
		}
		return false
	})
	return found
}

// Who asked for it gets an approval as a direct message too, answers it there, and
// sees there what became of it, wherever it was decided.
func TestSubscribersGetApprovalsDirectly(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ana, "notify")
		h.hears(h.ana, "Approvals do not come to you as direct messages; `/rollcall notify on` changes that.")
		for _, u := range []slackfake.User{h.ana, h.ben, h.eve} { // Ben starts it, Eve is not asked
			h.says(u, "notify on")
			h.hears(u, "From now on each approval that waits for you comes as a direct message too")
		}
		h.says(h.ana, "notify")
		h.hears(h.ana, "comes as a direct message too, since")

		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		m := h.gets(h.ana, "rollcall_gate", "webshop #1 is waiting for approval in Production", "[Approve]", "0 of 2")
		h.clicks(h.ana, m, "approve")
		h.hears(h.ana, "Approved.")
		gate := h.reads("rollcall_gate", "1", "1 of 2 approvals*: @ana")
		h.gets(h.ana, "rollcall_gate", "1 of 2 approvals*: @ana")
		h.clicks(h.cho, gate, "approve")
		m = h.gets(h.ana, "rollcall_gate", "✅ Approved by", "@cho")
		if len(m.Buttons()) != 0 || strings.Contains(h.Rendered(m), "\n") {
			t.Errorf("after the decision the copy is\n%s", h.Rendered(m))
		}
		if n := len(h.Direct(h.ana.ID)); n != 1 {
			t.Errorf("Ana has %d direct messages", n)
		}
		for _, u := range []slackfake.User{h.ben, h.cho, h.eve} {
			if all := h.Direct(u.ID); len(all) != 0 {
				t.Errorf("%s cannot answer it, or has not asked for it, and gets\n%s", u.Name, h.Rendered(all[0]))
			}
		}

		h.says(h.ana, "notify off")
		h.hears(h.ana, "No approval comes to you as a direct message any more")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "2", "0 of 2")
		h.later(time.Minute)
		if n := len(h.Direct(h.ana.ID)); n != 1 {
			t.Errorf("without wanting them Ana has %d direct messages", n)
		}
	})
}

// Of those who may answer only those are asked whom `ask` names, through their groups too.
func TestOnlyThoseWhomAGateAsksGetItDirectly(t *testing.T) {
	file := strings.Replace(shop, "required: 2", `required: 2, ask: ["group:team"]`, 1)
	story(t, file, func(t *testing.T, h *fixture) {
		h.says(h.ana, "notify on")
		h.says(h.cho, "notify on")
		h.says(h.ben, "start webshop")
		h.gets(h.cho, "rollcall_gate", "[Approve]")
		h.later(time.Minute)
		if n := len(h.Direct(h.ana.ID)); n != 0 {
			t.Errorf("Ana is not asked and has %d direct messages", n)
		}
	})
}

// What is open already comes to who subscribes now; and a decision that came by
// the API closes every copy.
func TestADecisionElsewhereClosesEveryCopy(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "1", "0 of 2")
		h.says(h.ana, "notify on")
		h.says(h.cho, "notify on")
		h.gets(h.ana, "rollcall_gate", "[Approve]")
		h.gets(h.cho, "rollcall_gate", "[Approve]")
		_, err := h.engine.Submit(t.Context(), workflows.Intent{Verb: workflows.Reject, Pipeline: "webshop", Execution: "webshop#1", Reason: "the page is blank"},
			workflows.Principal{ID: "mail:cho@acme.example", Name: "Cho", Email: "cho@acme.example", Via: "api"})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []slackfake.User{h.ana, h.cho} {
			if m := h.gets(u, "rollcall_gate", "🚫 Rejected by", "the page is blank"); len(m.Buttons()) != 0 || len(h.Direct(u.ID)) != 1 {
				t.Errorf("%s has %d direct messages, and the copy offers %v", u.Name, len(h.Direct(u.ID)), buttons(m))
			}
		}
	})
}

// Subscribers whom an override skipped hear of it in a message of its own, once.
func TestSkippedSubscribersHearOfItDirectly(t *testing.T) {
	story(t, strings.Replace(shop, "from: [ana@acme.example, cho@acme.example]", "from: [ana@acme.example, cho@acme.example, eve@acme.example]", 1), func(t *testing.T, h *fixture) {
		for _, u := range []slackfake.User{h.ana, h.cho, h.eve} {
			h.says(u, "notify on")
		}
		h.says(h.ben, "start webshop")
		for _, u := range []slackfake.User{h.ana, h.eve} {
			h.gets(u, "rollcall_gate", "0 of 2")
		}
		h.clicks(h.cho, h.gets(h.cho, "rollcall_gate", "0 of 2"), "approve")
		h.reads("rollcall_gate", "1", "1 of 2 approvals")
		h.says(h.ana, "override webshop#1 Production checkout is down")
		h.gets(h.eve, "rollcall_skipped", "@eve: 🔓 overridden by", "without 1 of 2 approvals: checkout is down")
		h.reads("rollcall_execution", "1", "#1 · in Production")
		h.later(time.Minute)
		for u, want := range map[string]int{h.ana.ID: 1, h.cho.ID: 1, h.eve.ID: 2} {
			if n := len(h.Direct(u)); n != want {
				t.Errorf("%s has %d direct messages, want %d", u, n, want)
			}
		}
	})
}

// Who cannot be reached directly is left out: the gate is asked, and nothing is undelivered.
func TestWhoCannotBeReachedDirectlyDelaysNothing(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.says(h.ana, "notify on")
		h.hears(h.ana, "From now on")
		h.later(time.Minute) // nothing is open
		h.Faults.Add(slackfake.On("conversations.open", slackfake.Refusal("missing_scope", "im:write")))
		h.says(h.ben, "start webshop")
		m := h.reads("rollcall_gate", "1", "0 of 2")
		h.later(time.Minute) // who has voted would not be asked
		h.clicks(h.ana, m, "approve")
		h.reads("rollcall_gate", "1", "1 of 2")
		h.later(time.Minute)
		if n := h.Calls("conversations.open"); n != 1 {
			t.Errorf("it was tried %d times", n)
		}
		e, err := h.engine.Execution(t.Context(), workflows.EnginePrincipal(), "webshop#1")
		if err != nil {
			t.Fatal(err)
		}
		if why := h.bot.Undelivered(t.Context(), e.ID); why != "" {
			t.Errorf("undelivered: %s", why)
		}
		h.clicks(h.cho, m, "approve")
		h.reads("rollcall_execution", "1", "#1 · in Production")
	})
}

// inviting is an engine whose gates ask everybody but Eve.
type inviting struct {
	*snapshot
	fails int // look-ups that fail before one works
}

func (a *inviting) Asks(_ context.Context, _, _ string, p workflows.Principal) (workflows.Principal, bool, error) {
	if a.fails > 0 {
		a.fails--
		return p, false, errors.New("slack cannot be reached")
	}
	return p, p.ID != "slack:U0EVE", nil
}

// withSubscribers is an outside in which three people want direct messages.
func withSubscribers() *outside {
	o := newOutside()
	o.notes["subscribers"] = []byte(`{"U0ANA":"2026-03-01T00:00:00Z","U0CHO":"2026-03-02T00:00:00Z","U0EVE":"2026-03-02T00:00:00Z"}`)
	return o
}

func TestEveryCopyIsPostedOnceWhereverTheProcessDies(t *testing.T) {
	follow := func(o *outside) {
		t.Helper()
		s := &inviting{snapshot: &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}}
		for _, st := range steps() {
			s.executions[e1] = st.execution
			for tries := 0; ; tries++ {
				err := bot.New(bot.Options{Engine: s, Chat: o, Memos: o}).Follow(t.Context(), batch(st.events...))
				if err == nil {
					break
				}
				if !errors.Is(err, errCrash) || tries > 3 {
					t.Fatal(err)
				}
			}
		}
	}
	shown := func(o *outside) (all []string) {
		for _, m := range o.messages {
			all = append(all, strings.Join([]string{m.EventType, m.Channel, m.Text}, " "))
		}
		slices.Sort(all)
		return all
	}
	whole := withSubscribers()
	follow(whole)
	if len(whole.messages) != 5 || whole.looks != 0 {
		t.Fatalf("without a crash: %d looks, %s", whole.looks, strings.Join(shown(whole), "\n"))
	}
	for at := 1; at <= whole.calls; at++ {
		for _, after := range []bool{false, true} {
			o := withSubscribers()
			o.dieAt, o.after = at, after
			follow(o)
			if got, want := shown(o), shown(whole); !slices.Equal(got, want) {
				t.Errorf("dying at call %d (after its effect: %t) shows\n%s\nwant\n%s", at, after, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// Whom a gate asks is looked up again where it could not be; the gate does not wait for it.
func TestALookUpThatFailedIsMadeAgain(t *testing.T) {
	s := &inviting{snapshot: &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}, fails: 1}
	o := withSubscribers()
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o})
	s.executions[e1] = steps()[1].execution
	for try := 1; try <= 2; try++ {
		err := b.Follow(t.Context(), batch(steps()[1].events...))
		if err != nil && !strings.Contains(err.Error(), "its turn comes") {
			t.Fatal(err)
		}
		if n := len(o.of("rollcall_gate")); n != try+1 {
			t.Errorf("after try %d there are %d messages: the gate, and copies for those who were looked up", try, n)
		}
		if (err != nil) != (try == 1) {
			t.Errorf("try %d ends with %v", try, err)
		}
	}
}

// Where nobody has asked for direct messages nobody is looked up, and memos are those of before.
func TestWithoutSubscribersNobodyIsLookedUp(t *testing.T) {
	o, s := newOutside(), &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	for _, st := range steps() { // Asks would panic
		s.executions[e1] = st.execution
		if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(st.events...)); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Contains(o.notes["execution/"+e1], []byte("copies")) {
		t.Errorf("noted: %s", o.notes["execution/"+e1])
	}
}
