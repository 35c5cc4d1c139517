package slackfake_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// withFeatures is a workspace whose app has shortcuts and a domain.
func withFeatures(t *testing.T) *office {
	t.Helper()
	a := &app{heard: make(chan heard, 100)}
	w := slackfake.New(slackfake.Options{
		BaseURL: "http://app.test", Transport: wirefake.Direct(a), UnfurlDomains: []string{"rollcall.example.com"},
		Shortcuts: []slackfake.Shortcut{{Name: "Start a pipeline", CallbackID: "start"}, {Name: "Create ticket", CallbackID: "ticket", Message: true}},
	})
	t.Cleanup(w.Close)
	o := &office{Server: w, app: a, api: client(w)}
	o.ana, o.deploys = w.AddUser(slackfake.User{Name: "ana"}), w.AddChannel(slackfake.Channel{Name: "#deploys"})
	return o
}

func TestAShortcutReachesTheApp(t *testing.T) {
	o := withFeatures(t)
	if _, err := o.Shortcut(t.Context(), o.ana.ID, "start"); err != nil {
		t.Fatal(err)
	}
	i := (<-o.app.heard).payload(t)
	if i.Type != slack.InteractionTypeShortcut || i.CallbackID != "start" || i.User.ID != o.ana.ID || i.Team.ID == "" || i.ResponseURL != "" || i.Channel.ID != "" {
		t.Errorf("the app heard %+v", i)
	}
	form := slack.ModalViewRequest{Type: slack.VTModal, Title: slack.NewTextBlockObject(slack.PlainTextType, "Start", false, false), Blocks: slack.Blocks{BlockSet: []slack.Block{section("x")}}}
	if _, err := o.api.OpenView(i.TriggerID, form); err != nil || len(o.Views(o.ana.ID)) != 1 {
		t.Errorf("the shortcut's trigger opens no form: %v", err)
	}
	if _, err := o.Shortcut(t.Context(), o.ana.ID, "ticket"); err == nil {
		t.Error("a shortcut of messages was used without one")
	}
	if _, err := o.Shortcut(t.Context(), "U0NOBODY", "start"); err == nil {
		t.Error("somebody who is not there used a shortcut")
	}
}

func TestAShortcutOnAMessage(t *testing.T) {
	o := withFeatures(t)
	if _, _, err := o.api.PostMessage("#deploys", slack.MsgOptionText("card", false), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "rollcall_execution", EventPayload: map[string]any{"execution": "x"}})); err != nil {
		t.Fatal(err)
	}
	m := o.Messages("#deploys")[0]
	if _, err := o.MessageShortcut(t.Context(), o.ana.ID, m.At(), "ticket"); err != nil {
		t.Fatal(err)
	}
	i := (<-o.app.heard).payload(t)
	if i.Type != slack.InteractionTypeMessageAction || i.CallbackID != "ticket" || i.Channel.ID != o.deploys.ID || i.MessageTs != m.TS || i.Message.Timestamp != m.TS || i.ResponseURL == "" || i.TriggerID == "" {
		t.Errorf("the app heard %+v", i)
	}
	if i.Message.Metadata.EventType != "rollcall_execution" {
		t.Errorf("the message's metadata are %+v", i.Message.Metadata)
	}
	if _, err := o.MessageShortcut(t.Context(), o.ana.ID, m.At(), "start"); err == nil {
		t.Error("a global shortcut was used on a message")
	}
	o.app.answer = func(heard) (int, string, string) { return 500, "text/plain", "" }
	if _, err := o.MessageShortcut(t.Context(), o.ana.ID, m.At(), "ticket"); err == nil || len(o.Ephemerals(o.ana.ID)) != 1 {
		t.Error("that the app failed is not said:", err)
	}
}

func TestLinksOfTheAppUnfurl(t *testing.T) {
	o := withFeatures(t)
	const link = "https://rollcall.example.com/executions/43"
	for text, want := range map[string]bool{
		"look at " + link: true, "<" + link + "|webshop #43> please": true, "https://console.rollcall.example.com/x": true,
		"https://example.com/": false, "https://rollcall.example.com.evil.test/": false, "no link": false,
	} {
		if _, err := o.Say(t.Context(), o.ana.ID, "#deploys", "", text); err != nil {
			t.Fatal(err)
		}
		if got := len(o.app.heard) == 1; got != want {
			t.Errorf("%q: the app heard of it: %v", text, got)
		}
		for len(o.app.heard) > 0 {
			<-o.app.heard
		}
	}
	m, err := o.Say(t.Context(), o.ana.ID, "#deploys", "", "again "+link)
	if err != nil {
		t.Fatal(err)
	}
	var heard struct {
		Event struct {
			Type      string
			Channel   string
			MessageTS string `json:"message_ts"`
			UnfurlID  string `json:"unfurl_id"`
			Source    string
			Links     []struct{ Domain, URL string }
		}
	}
	if err := json.Unmarshal((<-o.app.heard).body, &heard); err != nil {
		t.Fatal(err)
	}
	e := heard.Event
	if e.Type != "link_shared" || e.MessageTS != m.TS || len(e.Links) != 1 || e.Links[0].URL != link || e.Links[0].Domain != "rollcall.example.com" || e.UnfurlID == "" {
		t.Errorf("the app heard %+v", e)
	}
	show := func(address string, a slack.Attachment) error {
		return second(o.api.UnfurlMessage(o.deploys.ID, m.TS, map[string]slack.Attachment{address: a}))
	}
	if err := show("https://rollcall.example.com/other", slack.Attachment{Text: "x"}); err == nil || !strings.Contains(err.Error(), "cannot_unfurl_url") {
		t.Error("a link that is not in the message was shown:", err)
	}
	if err := show(link, slack.Attachment{Blocks: slack.Blocks{BlockSet: []slack.Block{section("webshop #43 runs")}}}); err != nil {
		t.Fatal(err)
	}
	seen := o.Messages("#deploys")
	got := seen[len(seen)-1].Unfurls
	if len(got) != 1 || got[0].URL != link || !strings.Contains(string(got[0].Blocks), "webshop #43 runs") {
		t.Errorf("shown: %+v", got)
	}
	o.Grant("chat:write")
	if err := show(link, slack.Attachment{Text: "x"}); err == nil || !strings.Contains(err.Error(), "missing_scope") {
		t.Error("it was shown without links:write:", err)
	}
}
