package slackfake_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// restarted is the same office after its process ended and came back: the app
// is the same, the workspace is restored.
func (o *office) restarted(t *testing.T) *office {
	t.Helper()
	data, err := o.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	// Pages see one more change, which the snapshot does not have.
	o.AddGroup(slackfake.Group{ID: "SLATE", Handle: "late"})
	o.AddGroup(slackfake.Group{ID: "SLATE", Handle: "later"})
	o.Close()
	w := slackfake.New(slackfake.Options{BaseURL: "http://app.test", Transport: wirefake.Direct(o.app)})
	t.Cleanup(w.Close)
	if err := w.Restore(data); err != nil {
		t.Fatal(err)
	}
	next := *o
	next.Server, next.api = w, client(w)
	return &next
}

var versionField = regexp.MustCompile(`"version":\d+`)

func (b browser) unversioned() string {
	return versionField.ReplaceAllString(b.raw(), `"version":0`)
}

// In the middle of a conversation the process ends. Everybody goes on where they were.
func TestAConversationGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		o.releases(t)
		o.AddGroup(slackfake.Group{Handle: "sre", Members: []string{o.ana.ID}})
		o.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{o.ben.ID, "U0BOT"}})
		ana, ben := o.browser(t, o.ana), o.browser(t, o.ben)
		ana.do("command", body{"channel": o.deploys.ID, "text": "start"})
		command, err := url.ParseQuery(string((<-o.app.heard).body))
		if err != nil {
			t.Fatal(err)
		}
		card := ana.state().Messages[o.deploys.ID][0]
		if err := o.api.AddReaction("eyes", slack.NewRefToMessage(card.Channel, card.TS)); err != nil {
			t.Fatal(err)
		}
		ana.do("click", body{"channel": card.Channel, "ts": card.TS, "action": "reject"})
		form := ana.state().Views[0]
		ana.do("choose", body{"view": form.ID, "action": "target", "value": "e41"})
		ana.do("submit", body{"view": form.ID, "values": body{"reason": "no"}})
		home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{section("one waits")}}}
		if _, err := o.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: o.ben.ID, View: home}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.api.PostMessage(o.deploys.ID, slack.MsgOptionBlocks(buttonRow("a", "a"))); err == nil {
			t.Fatal("the blocks were taken")
		}
		unused := o.trigger(t)

		old := o
		before := map[string]string{ana.as: ana.unversioned(), ben.as: ben.unversioned()}
		o = o.restarted(t)
		o.releases(t)
		for as, was := range before {
			after := browser{t, o.Page(), as}
			if diff := cmp.Diff(was, after.unversioned()); diff != "" {
				t.Errorf("%s sees another state (-before +after):\n%s", as, diff)
			}
			if after.state().Version <= old.Version() {
				t.Error("the page would take the restored state for an old one")
			}
		}
		ana, ben = o.browser(t, o.ana), o.browser(t, o.ben)

		// The app goes on too: by its response URL, by a trigger that it has not used, by its messages' metadata.
		if err := slack.PostWebhookCustomHTTPContext(t.Context(), command.Get("response_url"), httpClient(o.Server), &slack.WebhookMessage{Text: "Still here."}); err != nil {
			t.Error("the response URL:", err)
		}
		if got := ana.state().Ephemerals; got[len(got)-1].Text != "Still here." {
			t.Errorf("ana sees %+v", got)
		}
		h, err := o.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: o.deploys.ID, IncludeAllMetadata: true})
		if err != nil || h.Messages[0].Metadata.EventPayload["execution"] != "e42" {
			t.Errorf("the card's metadata: %+v %v", h, err)
		}
		ana.do("submit", body{"view": form.ID, "values": body{"reason": "it smells"}})
		if s := ben.state(); s.Messages[o.deploys.ID][0].Text != "webshop#42 was rejected" || s.Home == nil {
			t.Errorf("ben sees %+v", s)
		}
		if _, err := o.api.OpenView(unused, modal("")); err != nil {
			t.Error("a trigger that still lives:", err)
		}
		ben.do("say", body{"channel": o.deploys.ID, "text": "hello"})
		if m := ana.state().Messages[o.deploys.ID]; m[1].TS <= m[0].TS {
			t.Errorf("timestamps do not rise: %s %s", m[0].TS, m[1].TS)
		}

		// What has ended stays ended.
		used := o.trigger(t)
		time.Sleep(4 * time.Second)
		o = o.restarted(t)
		if _, err := o.api.OpenView(used, modal("")); err == nil {
			t.Error("a trigger of four seconds ago opens a form after a restart")
		}
		o.Close()
	})
}

// The form of snapshots is fixed: this file was written once and is read for good.
func TestTheFormOfSnapshots(t *testing.T) {
	golden, err := os.ReadFile("testdata/snapshot.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	w := slackfake.New(slackfake.Options{Now: func() time.Time { return time.Date(2026, 1, 2, 15, 4, 6, 0, time.UTC) }})
	defer w.Close()
	if err := w.Restore(golden); err != nil {
		t.Fatal(err)
	}
	data, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	plain := func(b []byte) string {
		return regexp.MustCompile(`"version": \d+`).ReplaceAllString(string(b), `"version": 0`)
	}
	if diff := cmp.Diff(plain(golden), plain(got.Bytes())); diff != "" {
		t.Error("the snapshot has another form (-want +got):\n", diff)
	}
}

func TestASnapshotThatCannotBeUsedChangesNothing(t *testing.T) {
	o := open(t)
	ana := o.browser(t, o.ana)
	before := ana.raw()
	for name, c := range map[string]struct{ data, want string }{
		"nothing":           {``, "unexpected end"},
		"no snapshot":       {`{}`, "form 0"},
		"a later form":      {`{"snapshot":2}`, "form 2, this program reads form 1"},
		"an unknown field":  {`{"snapshot":1,"team":"T0LOCAL","mood":"good"}`, "mood"},
		"another workspace": {`{"snapshot":1,"team":"T9"}`, `"T9"`},
		"somebody twice":    {`{"snapshot":1,"team":"T0LOCAL","users":[{"id":"U1"},{"id":"U1"}]}`, `"U1" is there twice`},
		"a form of nobody":  {`{"snapshot":1,"team":"T0LOCAL","forms":[{"id":"V1","user":"U1"}]}`, "V1"},
	} {
		if err := o.Restore([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ana.raw() != before {
		t.Error("something has changed")
	}
}

// FuzzRestore: what is restored can be looked at, used, and saved again.
func FuzzRestore(f *testing.F) {
	golden, err := os.ReadFile("testdata/snapshot.v1.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"snapshot":1,"team":"T0LOCAL","users":[{"id":"U1"}],"forms":[{"id":"V1","user":"U1","type":"modal","blocks":null,"values":{"b":null}}],"channels":[{"id":"C1","messages":[{"blocks":null,"reactions":{"x":null}}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := slackfake.New(slackfake.Options{})
		defer w.Close()
		if w.Restore(data) != nil {
			return
		}
		for _, u := range w.Users() {
			if u.Kind == slackfake.Bot || u.Kind == slackfake.Deactivated {
				continue
			}
			b := browser{t, w.Page(), url.QueryEscape(u.ID)}
			b.raw()
			for _, v := range w.Views(u.ID) {
				for _, button := range v.Buttons() {
					_, _ = w.Choose(t.Context(), u.ID, slackfake.Target{View: v.ID}, button.ActionID, "x")
				}
			}
		}
		again, err := w.Snapshot()
		if err != nil || w.Restore(again) != nil {
			t.Fatalf("saved again: %v\n%s", err, again)
		}
	})
}
