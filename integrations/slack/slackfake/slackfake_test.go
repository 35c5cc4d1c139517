package slackfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// office is a workspace with people, and slack-go as the app's client. No socket is needed.
type office struct {
	*slackfake.Server
	api      *slack.Client
	ana, ben slackfake.User
	deploys  slackfake.Channel
	app      *app
}

// app is a Slack app over HTTP: it keeps what it heard and answers what the test says.
type app struct {
	heard  chan heard
	answer func(h heard) (status int, contentType, body string)
}

type heard struct {
	path   string
	header http.Header
	body   []byte
}

// payload is an interaction's payload.
func (h heard) payload(t *testing.T) slack.InteractionCallback {
	t.Helper()
	var i slack.InteractionCallback
	r := httptest.NewRequest(http.MethodPost, h.path, strings.NewReader(string(h.body)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := json.Unmarshal([]byte(r.FormValue("payload")), &i); err != nil {
		t.Fatalf("slack-go cannot read the interaction: %v\n%s", err, r.FormValue("payload"))
	}
	return i
}

func (a *app) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := heard{r.URL.Path, r.Header.Clone(), body}
	a.heard <- h
	if a.answer == nil {
		return
	}
	status, kind, text := a.answer(h)
	rw.Header().Set("Content-Type", kind)
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, text)
}

func open(t *testing.T) *office {
	t.Helper()
	a := &app{heard: make(chan heard, 100)}
	w := slackfake.New(slackfake.Options{BaseURL: "http://app.test", Transport: wirefake.Direct(a)})
	t.Cleanup(w.Close)
	o := &office{Server: w, app: a, api: client(w)}
	o.ana = w.AddUser(slackfake.User{Name: "ana", Real: "Ana Ruiz", Email: "ana@acme.example"})
	o.ben = w.AddUser(slackfake.User{Name: "ben", Email: "ben@acme.example"})
	o.deploys = w.AddChannel(slackfake.Channel{Name: "#deploys"})
	if _, err := o.api.AuthTest(); err != nil {
		t.Fatal(err)
	}
	return o
}

func client(w *slackfake.Server) *slack.Client {
	return slack.New("xoxb-local", slack.OptionAPIURL("http://slack.test/api/"), slack.OptionHTTPClient(httpClient(w)))
}

func httpClient(w *slackfake.Server) *http.Client {
	return &http.Client{Transport: wirefake.Direct(w)}
}

func texts(messages []slackfake.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return all
}

func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, false), nil, nil)
}

func buttonRow(ids ...string) slack.Block {
	var all []slack.BlockElement
	for _, id := range ids {
		all = append(all, slack.NewButtonBlockElement(id, "v-"+id, slack.NewTextBlockObject(slack.PlainTextType, strings.ToUpper(id), false, false)))
	}
	return slack.NewActionBlock("", all...)
}

func TestWhatAnAppPostsIsWhatPeopleRead(t *testing.T) {
	o := open(t)
	channel, card, err := o.api.PostMessage("#deploys", slack.MsgOptionText("webshop#42", false), slack.MsgOptionBlocks(
		slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, "webshop#42", false, false)),
		section("started by <@"+o.ana.ID+">, <https://x.test|the commit> a &lt;b&gt;"), buttonRow("approve", "reject")),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"execution": "e1"}}))
	if err != nil {
		t.Fatal(err)
	}
	_, gate, err := o.api.PostMessage(channel, slack.MsgOptionText("who says yes?", false), slack.MsgOptionTS(card), slack.MsgOptionBroadcast())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.api.PostMessage(channel, slack.MsgOptionText("detail", false), slack.MsgOptionTS(gate)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := o.api.UpdateMessage(channel, gate, slack.MsgOptionText("approved", false), slack.MsgOptionBlocks()); err != nil {
		t.Fatal(err)
	}

	got := o.Messages("#deploys")
	if diff := cmp.Diff([]string{"webshop#42", "approved"}, texts(got)); diff != "" {
		t.Error("the channel shows (-want +got):\n", diff)
	}
	if diff := cmp.Diff([]string{"webshop#42", "approved", "detail"}, texts(o.Thread("deploys", card))); diff != "" {
		t.Error("the thread shows (-want +got):\n", diff)
	}
	if want := "# webshop#42\nstarted by @ana, the commit a <b>\n[APPROVE] [REJECT]"; o.Rendered(got[0]) != want {
		t.Errorf("people read:\n%s\nwant:\n%s", o.Rendered(got[0]), want)
	}

	h, err := o.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel, IncludeAllMetadata: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Messages) != 2 || h.Messages[1].Metadata.EventPayload["execution"] != "e1" || h.Messages[1].ReplyCount != 2 || h.Messages[0].SubType != "thread_broadcast" {
		t.Errorf("history, newest first: %+v", h.Messages)
	}
	h, err = o.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel, Limit: 1})
	if err != nil || !h.HasMore || h.Messages[0].Metadata.EventType != "" {
		t.Errorf("one page without metadata: %+v %v", h, err)
	}
	if _, _, err := o.api.DeleteMessage(channel, gate); err != nil || len(o.Messages("deploys")) != 1 {
		t.Errorf("after deleting: %v %v", texts(o.Messages("deploys")), err)
	}
}

func TestTheWebAPIRefusesWhatSlackRefuses(t *testing.T) {
	o := open(t)
	secret := o.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{o.ana.ID}})
	old := o.AddChannel(slackfake.Channel{Name: "old", Archived: true})
	quiet := o.AddChannel(slackfake.Channel{Name: "quiet", Members: []string{o.ana.ID}})
	said, err := o.Say(t.Context(), o.ana.ID, "deploys", "", "hello")
	if err != nil {
		t.Fatal(err)
	}
	post := func(channel string, opts ...slack.MsgOption) error {
		_, _, err := o.api.PostMessage(channel, opts...)
		return err
	}
	hi := slack.MsgOptionText("hi", false)
	for want, err := range map[string]error{
		"channel_not_found":   post("#nowhere", hi),
		"channel_not_found ":  post(secret.ID, hi),
		"is_archived":         post(old.ID, hi),
		"no_text":             post("#deploys"),
		"thread_not_found":    post("#deploys", hi, slack.MsgOptionTS("1.1")),
		"invalid_blocks":      post("#deploys", slack.MsgOptionBlocks(buttonRow("a", "a"))),
		"message_not_found":   second(o.api.UpdateMessage(o.deploys.ID, "1.1", hi)),
		"cant_update_message": second(o.api.UpdateMessage(o.deploys.ID, said.TS, hi)),
		"user_not_found":      last(o.api.GetUserInfo("U404")),
		"users_not_found":     last(o.api.GetUserByEmail("nobody@acme.example")),
		"no_such_subteam":     last(o.api.GetUserGroupMembers("S404")),
		"not_in_channel":      last(o.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: quiet.ID})),
		"invalid_trigger_id":  last(o.api.OpenView("nope", modal(""))),
		"invalid_auth": last(slack.New("xoxb-wrong", slack.OptionAPIURL("http://slack.test/api/"),
			slack.OptionHTTPClient(&http.Client{Transport: wirefake.Direct(o.Server)})).AuthTest()),
	} {
		if err == nil || err.Error() != strings.TrimSpace(want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var e slack.SlackErrorResponse
	if err := post("#deploys", slack.MsgOptionBlocks(buttonRow("a", "a"))); !errors.As(err, &e) || len(e.ResponseMetadata.Messages) != 1 || len(o.Violations()) != 2 {
		t.Errorf("what is wrong with the blocks is said and kept: %+v %v", e, o.Violations())
	}
	if _, _, _, err := o.api.JoinConversation(quiet.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: quiet.ID}); err != nil {
		t.Errorf("after joining it can be read: %v", err)
	}
}

func last[T any](_ T, err error) error { return err }

func second(_, _, _ string, err error) error { return err }

func TestTheDirectoryTellsPeopleApart(t *testing.T) {
	o := open(t)
	sre := o.AddGroup(slackfake.Group{Handle: "sre", Members: []string{o.ana.ID}})
	for kind, is := range map[slackfake.Kind]func(*slack.User) bool{
		slackfake.Guest: func(u *slack.User) bool { return u.IsRestricted }, slackfake.Deactivated: func(u *slack.User) bool { return u.Deleted },
		slackfake.Bot:     func(u *slack.User) bool { return u.IsBot },
		slackfake.Connect: func(u *slack.User) bool { return u.IsStranger && u.TeamID != "T0LOCAL" && u.Profile.Email == "" },
	} {
		u := o.AddUser(slackfake.User{Name: string(kind), Email: string(kind) + "@x.example", Kind: kind})
		if got, err := o.api.GetUserInfo(u.ID); err != nil || !is(got) {
			t.Errorf("%s: %+v %v", kind, got, err)
		}
	}
	if u, err := o.api.GetUserByEmail("ANA@acme.example"); err != nil || u.ID != o.ana.ID || u.RealName != "Ana Ruiz" {
		t.Errorf("by e-mail: %+v %v", u, err)
	}
	if groups, err := o.api.GetUserGroups(slack.GetUserGroupsOptionIncludeUsers(true)); err != nil || groups[0].Handle != "sre" || !slices.Equal(groups[0].Users, []string{o.ana.ID}) {
		t.Errorf("groups: %+v %v", groups, err)
	}
	if users, err := o.api.GetUserGroupMembers(sre.ID); err != nil || !slices.Equal(users, []string{o.ana.ID}) {
		t.Errorf("members: %v %v", users, err)
	}
	if bot, err := o.api.GetBotInfo(slack.GetBotInfoParameters{Bot: "B0BOT"}); err != nil || bot.AppID != "A0LOCAL" {
		t.Errorf("bot: %+v %v", bot, err)
	}
	if dm, _, _, err := o.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{o.ana.ID}, ReturnIM: true}); err != nil || !dm.IsIM {
		t.Errorf("direct messages: %+v %v", dm, err)
	}
	if all, _, err := o.api.GetConversations(&slack.GetConversationsParameters{Types: []string{"public_channel"}}); err != nil || len(all) != 1 || all[0].Name != "deploys" {
		t.Errorf("channels: %+v %v", all, err)
	}
	if users, err := o.api.GetUsers(); err != nil || len(users) != 7 {
		t.Errorf("users: %d %v", len(users), err)
	}
}

func TestACommandIsSignedAndAnswered(t *testing.T) {
	o := open(t)
	o.app.answer = func(heard) (int, string, string) { return 200, "text/plain", "on it" }
	ack, err := o.Command(t.Context(), o.ana.ID, "#deploys", "status webshop")
	if err != nil || ack.Status != 200 {
		t.Fatal(ack, err)
	}
	h := <-o.app.heard
	verifier, err := slack.NewSecretsVerifier(h.header, "local-signing-secret")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = verifier.Write(h.body)
	if err := verifier.Ensure(); err != nil {
		t.Error("slack-go does not take the signature:", err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(h.body)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	cmd, err := slack.SlashCommandParse(r)
	if err != nil || cmd.Text != "status webshop" || cmd.UserID != o.ana.ID || cmd.ChannelID != o.deploys.ID || cmd.APIAppID != "A0LOCAL" || cmd.TeamID != "T0LOCAL" {
		t.Errorf("command: %+v %v", cmd, err)
	}
	if err := slack.PostWebhookCustomHTTPContext(t.Context(), cmd.ResponseURL, &http.Client{Transport: wirefake.Direct(o.Server)}, &slack.WebhookMessage{Text: "later"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"on it", "later"}, texts(o.Ephemerals(o.ana.ID))); diff != "" || len(o.Ephemerals(o.ben.ID)) != 0 || len(o.Messages("deploys")) != 0 {
		t.Error("only ana sees the answers (-want +got):\n", diff)
	}
	o.app.answer = func(heard) (int, string, string) { return 500, "text/plain", "" }
	if _, err := o.Command(t.Context(), o.ben.ID, "#deploys", ""); err == nil || !strings.Contains(o.Ephemerals(o.ben.ID)[0].Text, "dispatch_failed") {
		t.Error("a failing app is told to ben:", err, texts(o.Ephemerals(o.ben.ID)))
	}
}

func TestAResponseURLWorksFiveTimesInHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		post := func(url string) error {
			return slack.PostWebhookCustomHTTPContext(t.Context(), url, &http.Client{Transport: wirefake.Direct(o.Server)}, &slack.WebhookMessage{Text: "x"})
		}
		url := func() string {
			if _, err := o.Command(t.Context(), o.ana.ID, "deploys", ""); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string((<-o.app.heard).body)))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r.FormValue("response_url")
		}
		first := url()
		for range 5 {
			if err := post(first); err != nil {
				t.Fatal(err)
			}
		}
		if err := post(first); err == nil {
			t.Error("a sixth post worked")
		}
		late := url()
		time.Sleep(31 * time.Minute)
		if err := post(late); err == nil {
			t.Error("a post after 31 minutes worked")
		}
	})
}

func TestAClickCarriesTheMessageAndMayReplaceIt(t *testing.T) {
	o := open(t)
	channel, ts, err := o.api.PostMessage("#deploys", slack.MsgOptionText("gate", false), slack.MsgOptionBlocks(section("gate"), buttonRow("approve", "reject")))
	if err != nil {
		t.Fatal(err)
	}
	m := o.Messages("deploys")[0]
	if got := m.Buttons(); len(got) != 2 || got[1].ActionID != "reject" || got[1].Text != "REJECT" || got[1].Value != "v-reject" {
		t.Errorf("buttons: %+v", got)
	}
	if _, err := o.Click(t.Context(), o.ana.ID, m.At(), "reject"); err != nil {
		t.Fatal(err)
	}
	i := (<-o.app.heard).payload(t)
	if a := i.ActionCallback.BlockActions; len(a) != 1 || a[0].ActionID != "reject" || a[0].Value != "v-reject" || a[0].BlockID == "" {
		t.Errorf("actions: %+v", i.ActionCallback)
	}
	if i.Type != slack.InteractionTypeBlockActions || i.User.ID != o.ana.ID || i.Container.MessageTs != ts || i.Channel.ID != channel || len(i.Message.Blocks.BlockSet) != 2 {
		t.Errorf("interaction: %+v", i)
	}
	err = slack.PostWebhookCustomHTTPContext(t.Context(), i.ResponseURL, &http.Client{Transport: wirefake.Direct(o.Server)}, &slack.WebhookMessage{Text: "done", ReplaceOriginal: true, Blocks: &slack.Blocks{}})
	if err != nil || o.Messages("deploys")[0].Text != "done" || len(o.Messages("deploys")[0].Buttons()) != 0 {
		t.Errorf("after replacing: %+v %v", o.Messages("deploys"), err)
	}
	if _, err := o.Click(t.Context(), o.ana.ID, m.At(), "approve"); err == nil {
		t.Error("a button that is gone could be pressed")
	}
	if _, err := o.api.PostEphemeral(channel, o.ben.ID, slack.MsgOptionText("only you", false), slack.MsgOptionBlocks(buttonRow("retry"))); err != nil {
		t.Fatal(err)
	}
	only := o.Ephemerals(o.ben.ID)[0]
	if _, err := o.Click(t.Context(), o.ana.ID, only.At(), "retry"); err == nil {
		t.Error("ana pressed what only ben sees")
	}
	if _, err := o.Click(t.Context(), o.ben.ID, only.At(), "retry"); err != nil || !(<-o.app.heard).payload(t).Container.IsEphemeral {
		t.Error(err)
	}
}

func TestEventsAreRepeatedUntilTheAppTakesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		o.app.answer = func(h heard) (int, string, string) {
			if h.header.Get("X-Slack-Retry-Num") == "2" {
				return 200, "", ""
			}
			return 500, "", ""
		}
		start := time.Now()
		if _, err := o.OpenHome(t.Context(), o.ana.ID); err == nil {
			t.Fatal("the first try failed, and nobody said so")
		}
		var ids []string
		for range 3 {
			h := <-o.app.heard
			var e struct {
				ID    string `json:"event_id"`
				Event struct{ Type, User, Tab string }
			}
			if err := json.Unmarshal(h.body, &e); err != nil || e.Event.Type != "app_home_opened" || e.Event.User != o.ana.ID || e.Event.Tab != "home" {
				t.Errorf("event: %+v %v", e, err)
			}
			ids = append(ids, e.ID)
		}
		if time.Since(start) != time.Minute || ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("the third try came after %v, IDs %v", time.Since(start), ids)
		}
	})
}

func TestInstallingTriesTheAddress(t *testing.T) {
	o := open(t)
	o.app.answer = func(h heard) (int, string, string) {
		var v struct{ Challenge string }
		_ = json.Unmarshal(h.body, &v)
		return 200, "text/plain", v.Challenge
	}
	if err := o.Install(t.Context(), "http://app.test"); err != nil {
		t.Error(err)
	}
	<-o.app.heard
	if h := <-o.app.heard; h.header.Get("X-Slack-Signature") != "" || !strings.Contains(string(h.body), "ssl_check=1") {
		t.Errorf("the ssl_check is not signed: %s", h.body)
	}
	o.app.answer = func(heard) (int, string, string) { return 200, "text/plain", "what?" }
	if err := o.Install(t.Context(), "http://app.test"); err == nil || !strings.Contains(err.Error(), "challenge") {
		t.Error("a wrong challenge was taken:", err)
	}
}

func TestFaults(t *testing.T) {
	refused := slackfake.Refusal("missing_scope", "chat:write")
	refused.Times = 1
	for name, c := range map[string]struct {
		fault  fault.Fault
		want   string // of the error
		posted int
		took   time.Duration
	}{
		"rate limit": {fault.Fault{Status: 429, RetryAfter: 7 * time.Second, Times: 1}, "retry after 7s", 0, 0},
		"status":     {fault.Fault{Status: 500, Times: 1}, "Internal Server Error", 0, 0},
		"error":      {refused, "missing_scope", 0, 0},
		"down":       {fault.Fault{Cut: true, Times: 1}, "closed without an answer", 0, 0},
		"lost":       {fault.Fault{Cut: true, After: true, Times: 1}, "closed without an answer", 1, 0},
		"garbage":    {fault.Fault{Status: 200, Body: "<!doctype html><title>Slack</title>", Times: 1}, "invalid character", 0, 0},
		"hang":       {fault.Fault{Delay: time.Hour, Times: 1}, "deadline exceeded", 0, 10 * time.Second},
		"slow":       {fault.Fault{Delay: 4 * time.Second, Times: 1}, "", 1, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := open(t)
				defer o.Close()
				o.Faults.Add(slackfake.On("chat.postMessage", c.fault))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				_, _, err := o.api.PostMessageContext(ctx, "#deploys", slack.MsgOptionText("x", false))
				if took := time.Since(start); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || took != c.took {
					t.Errorf("after %v: %v", took, err)
				}
				if got := len(o.Messages("deploys")); got != c.posted || o.Calls("chat.postMessage") != 1 {
					t.Errorf("%d messages, %d calls", got, o.Calls("chat.postMessage"))
				}
				if _, _, err := o.api.PostMessage("#deploys", slack.MsgOptionText("x", false)); err != nil {
					t.Error("one time was asked for, the next call failed too:", err)
				}
			})
		})
	}
}

// A server whose answers hang can be closed as soon as its callers have gone.
func TestAHangEndsWhenTheCallerGoes(t *testing.T) {
	w := slackfake.New(slackfake.Options{})
	defer w.Close()
	server := httptest.NewServer(w)
	w.Faults.Add(slackfake.On("", fault.Fault{Delay: time.Hour}))
	transport := &http.Transport{}
	api := slack.New("xoxb-local", slack.OptionAPIURL(server.URL+"/api/"), slack.OptionHTTPClient(&http.Client{Transport: transport}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := api.AuthTestContext(ctx); err == nil {
		t.Error("an answer came")
	}
	closed := make(chan struct{})
	go func() {
		server.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("the server still answers somebody who has gone")
	}
}

func TestUntilWakesUpWithTheChange(t *testing.T) {
	o := open(t)
	done := make(chan error, 1)
	go func() {
		done <- o.Until(t.Context(), func() bool { return len(o.Messages("deploys")) == 1 })
	}()
	if _, _, err := o.api.PostMessage("#deploys", slack.MsgOptionText("x", false)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Until(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
