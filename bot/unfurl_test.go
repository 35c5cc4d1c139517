package bot_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

const executions = "https://rollcall.acme.example/executions/"

// posts lets somebody write into a channel and returns what is shown under it a
// minute later, by link.
func (h *fixture) posts(u slackfake.User, channel, text string) map[string]slackfake.Unfurl {
	h.t.Helper()
	m, err := h.Say(h.t.Context(), u.ID, channel, "", text)
	if err != nil {
		h.t.Fatal(err)
	}
	h.later(time.Minute)
	shown := map[string]slackfake.Unfurl{}
	for _, now := range h.Messages(channel) {
		if now.TS == m.TS {
			for _, one := range now.Unfurls {
				shown[one.URL] = one
			}
		}
	}
	return shown
}

// link is the address of webshop's execution of that number.
func (h *fixture) link(number string) string {
	h.t.Helper()
	e, err := h.engine.Execution(h.t.Context(), workflows.EnginePrincipal(), "webshop#"+number)
	if err != nil {
		h.t.Fatal(err)
	}
	return executions + e.ID
}

// A link to an execution shows its title and state, and nothing else; other
// links show nothing.
func TestALinkToAnExecutionIsUnfurled(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.says(h.ben, "start webshop")
		h.reads("rollcall_gate", "2", "0 of 2")
		one, two := h.link("1"), h.link("2")
		shown := h.posts(h.eve, "#webshop", "why is <"+two+"?tab=log|this> not like "+one+" is? See https://rollcall.acme.example/pipelines/webshop")
		for link, want := range map[string]string{one: "✅ webshop #1 · in Production", two + "?tab=log": "✋ webshop #2 · waiting for approval in Production"} {
			blocks := string(shown[link].Blocks)
			if got := h.Rendered(slackfake.Message{Blocks: shown[link].Blocks}); got != want || strings.Count(blocks, `"type":`) != 2 {
				t.Errorf("%s shows %q, %s", link, got, blocks)
			}
		}
		if len(shown) != 2 {
			t.Errorf("shown: %+v", shown)
		}
		if n := h.Calls("chat.unfurl"); n != 1 {
			t.Errorf("unfurled %d times", n)
		}
		if heard := h.Ephemerals(h.eve.ID); len(heard) != 0 {
			t.Errorf("eve hears %+v", heard)
		}
	})
}

// What is no page of an execution of this service asks Slack nothing, and neither does
// what a guest posts.
func TestOtherLinksAreIgnored(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		good := h.link("1")
		asked := h.Calls("conversations.info")
		for _, link := range []string{
			executions + "0f9b7a52-0000-4000-8000-000000000000", executions + "1", executions + "webshop%231", executions, executions + "@latest",
			good + "/logs", strings.Replace(good, "https:", "http:", 1), strings.Replace(good, "rollcall.acme.example", "rollcall.acme.example:8443", 1),
			strings.Replace(good, "https://", "https://ana@", 1), strings.Replace(good, "https://", "https://evil.", 1), strings.Replace(good, "/executions", "//executions", 1),
		} {
			if shown := h.posts(h.ana, "#webshop", "look: "+link); len(shown) != 0 {
				t.Errorf("%s shows %+v", link, shown)
			}
		}
		if shown := h.posts(h.gil, "#webshop", good); len(shown) != 0 {
			t.Errorf("a guest's link shows %+v", shown)
		}
		if h.Calls("chat.unfurl") != 0 || h.Calls("conversations.info") != asked {
			t.Error("Slack was asked about links that are not ours")
		}
		if shown := h.posts(h.ana, "#webshop", "HTTPS://Rollcall.acme.example"+strings.TrimPrefix(good, "https://rollcall.acme.example")+"/ and "+good); len(shown) != 1 || shown[good].URL == "" {
			t.Errorf("the right one shows %+v", shown)
		}
	})
}

// In a channel that others read, or of which nobody can find out who does,
// nothing is shown.
func TestLinksInSharedChannelsAreNotUnfurled(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		link := h.link("1")
		everybody := []string{"U0BOT", h.ana.ID}
		for name, c := range map[string]slackfake.Channel{
			"another company": {Name: "#partners", External: true}, "another workspace": {Name: "#group", Organisation: true},
			"not in it": {Name: "#secret", Private: true, Members: everybody[1:]}, "a direct message": {ID: "D0ANA", Direct: h.ana.ID, Members: everybody},
		} {
			room := h.AddChannel(c)
			if shown := h.posts(h.ana, room.ID, link); len(shown) != 0 || h.Calls("chat.unfurl") != 0 {
				t.Errorf("%s: shown %+v", name, shown)
			}
		}
		for _, code := range []string{"missing_scope", "channel_not_found", "internal_error"} {
			h.Faults.Add(slackfake.On("conversations.info", slackfake.Refusal(code, "channels:read")))
			if shown := h.posts(h.ana, "#webshop", link); len(shown) != 0 {
				t.Errorf("%s: shown %+v", code, shown)
			}
			h.later(5 * time.Minute)
			h.Faults.Set()
		}
		if h.Calls("chat.unfurl") != 0 {
			t.Error("unfurled where it could not be found out who reads")
		}
		private := h.AddChannel(slackfake.Channel{Name: "#mine", Private: true, Members: everybody})
		if shown := h.posts(h.ana, private.ID, link); len(shown) != 1 {
			t.Errorf("a private channel with the app: shown %+v", shown)
		}
	})
}

// The optional scopes may be missing: nothing is shown, and nothing is amiss.
func TestWithoutTheScopesNothingBreaks(t *testing.T) {
	for _, lacking := range []string{"links:read", "links:write"} {
		story(t, shop, func(t *testing.T, h *fixture) {
			h.released("1")
			var scopes []string
			for _, s := range []string{"commands", "chat:write", "chat:write.public", "channels:read", "groups:read", "im:write", "users:read", "users:read.email", "usergroups:read", "links:read", "links:write"} {
				if s != lacking {
					scopes = append(scopes, s)
				}
			}
			h.Grant(scopes...)
			if shown := h.posts(h.ana, "#webshop", h.link("1")); len(shown) != 0 {
				t.Errorf("shown %+v", shown)
			}
			if faults, err := h.client.Checkup(t.Context()); err != nil || len(faults) != 0 {
				t.Errorf("the self-test finds %+v, %v", faults, err)
			}
			h.says(h.ana, "status webshop")
			if m := h.hears(h.ana, "webshop"); strings.Contains(h.Rendered(m), lacking) {
				t.Errorf("ana hears of the scope: %s", h.Rendered(m))
			}
		})
	}
}

// five links of a message are shown, in the order in which they stand there.
func TestFiveLinksOfAMessageAreUnfurled(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		text := ""
		for i := range 7 {
			h.says(h.ben, "start webshop")
			h.reads("rollcall_execution", fmt.Sprint(i+1))
			text += h.link(fmt.Sprint(i+1)) + " "
		}
		text = h.link("1") + " " + text
		if shown := h.posts(h.ana, "#webshop", text); len(shown) != 5 || shown[h.link("5")].URL == "" || shown[h.link("6")].URL != "" {
			t.Errorf("shown %+v", shown)
		}
	})
}

// judged is an engine with access rules of its own.
type judged struct {
	*runtime.Engine
	policy *access.Policy
}

func (j judged) Verdict(_ context.Context, by workflows.Principal, v workflows.Verb, pipeline, stage string) (*workflows.Problem, []string, error) {
	verdict := j.policy.Judge(by, v, access.Resource{Pipeline: pipeline, Stage: stage}, nil)
	return verdict.Refusal(), verdict.Holders, nil
}

// What not every member of the workspace may view is shown to nobody, whoever posts it.
func TestOnlyWhatEverybodyMayViewIsUnfurled(t *testing.T) {
	view := []workflows.Verb{workflows.View}
	for name, c := range map[string]struct {
		policy access.Policy
		shown  bool
	}{
		"no rules": {access.Policy{}, true}, "all is allowed": {access.Policy{AllowAll: true}, true},
		"everyone": {access.Policy{Rules: []access.Rule{{Allow: view, On: []string{"webshop"}, To: []string{"cho@acme.example", "everyone"}}}}, true},
		"everyone, elsewhere": {access.Policy{Admins: []string{"ana@acme.example"}, Rules: []access.Rule{
			{Allow: view, On: []string{"billing"}, To: []string{"everyone"}}, {Allow: view, To: []string{"ana@acme.example"}}}}, false},
		"admins alone": {access.Policy{Admins: []string{"ana@acme.example"}, Rules: []access.Rule{{Allow: view, On: []string{"billing"}, To: []string{"everyone"}}}}, false},
	} {
		story(t, shop, func(t *testing.T, h *fixture) {
			h.released("1")
			m, err := h.Say(t.Context(), h.ana.ID, "#webshop", "", "without a link")
			if err != nil {
				t.Fatal(err)
			}
			seen := &shownLinks{}
			b := bot.New(bot.Options{Engine: judged{h.engine, &c.policy}, Chat: h.client, Memos: h.engine.MemosOf("slack"), Unfurler: seen, Address: "https://rollcall.acme.example/"})
			ana := workflows.Principal{ID: "slack:U0ANA", Name: "ana", Email: "ana@acme.example", Via: "slack"}
			at := bot.Place{Channel: m.Channel, TS: m.TS}
			if err := b.Handle(t.Context(), bot.Request{Key: "slack/Ev1", By: ana, Reply: bot.Reply{User: "U0ANA"}, Links: &bot.Links{At: at, URLs: []string{h.link("1")}}}); err != nil {
				t.Error(err)
			}
			if got := len(seen.shown) == 1; got != c.shown || got && seen.at != at {
				t.Errorf("%s: shown %+v at %+v", name, seen.shown, seen.at)
			}
		})
	}
}

// shownLinks is a Slack whose channels are nobody else's.
type shownLinks struct {
	at    bot.Place
	shown map[string]bot.Message
}

func (*shownLinks) Shared(context.Context, string) (bool, error) { return false, nil }

func (s *shownLinks) Unfurl(_ context.Context, at bot.Place, shown map[string]bot.Message) error {
	s.at, s.shown = at, shown
	return nil
}
