package slackfake_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// browser is the page, as one person has it open.
type browser struct {
	t    testing.TB
	page http.Handler
	as   string
}

// body is what the page posts; its person is added.
type body map[string]any

// seen is the state as the page reads it.
type seen struct {
	Version  uint64
	Team     struct{ ID, Name string }
	App      struct{ Name, Command, User string }
	Me       string
	Users    []struct{ ID, Name, Real, Kind, Email string }
	Channels []struct {
		ID, Name string
		Private  bool
		Direct   string
	}
	Messages   map[string][]message
	Ephemerals []message
	Views      []view
	Home       *view
	Violations []struct{ Where, Channel, Message string }
}

type message struct {
	Channel, TS, Thread string
	Broadcast           bool
	User, Only, Text    string
	Blocks              []map[string]any
	Metadata            *struct {
		Type string `json:"event_type"`
	}
	Edits     int
	Reactions map[string][]string
}

type view struct {
	ID, Type, CallbackID, Title, Submit, Close string
	Blocks                                     []map[string]any
	Errors                                     map[string]string
	Values                                     map[string]map[string]struct {
		Value    string
		Selected *struct{ Value string } `json:"selected_option"`
	}
	Hash string
}

func (b browser) send(call, contentType, text string) (int, string) {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodPost, slackfake.PagePath+call, strings.NewReader(text))
	r.Header.Set("Content-Type", contentType)
	rec := httptest.NewRecorder()
	b.page.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// post does something, and returns what Slack would tell the user when it fails.
func (b browser) post(call string, in body) (wrong string, options []slackfake.Option) {
	b.t.Helper()
	in["as"] = b.as
	text, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	status, answer := b.send(call, "application/json", string(text))
	var out struct {
		OK      bool
		Error   string
		Options []slackfake.Option
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil || status != http.StatusOK || out.OK != (out.Error == "") {
		b.t.Fatalf("%s %s: %d %s %v", call, text, status, answer, err)
	}
	return out.Error, out.Options
}

// do does something that works.
func (b browser) do(call string, in body) {
	b.t.Helper()
	if wrong, _ := b.post(call, in); wrong != "" {
		b.t.Fatalf("%s %v: %s", call, in, wrong)
	}
}

func (b browser) raw() string {
	b.t.Helper()
	rec := httptest.NewRecorder()
	b.page.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, slackfake.PagePath+"state?as="+b.as, nil))
	if rec.Code != http.StatusOK {
		b.t.Fatalf("the state of %s: %d %s", b.as, rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func (b browser) state() seen {
	b.t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(b.raw()), &s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (o *office) browser(t testing.TB, u slackfake.User) browser {
	return browser{t, o.Page(), u.ID}
}

// releases is an app: "/rollcall start" posts a card, whose Reject button opens
// a form that wants a good reason.
func (o *office) releases(t *testing.T) {
	o.app.answer = func(h heard) (int, string, string) {
		if h.path == "/slack/commands" {
			form, _ := url.ParseQuery(string(h.body))
			if form.Get("text") != "start" {
				return 200, "text/plain", "I know only start."
			}
			_, _, err := o.api.PostMessage(form.Get("channel_id"), slack.MsgOptionText("webshop#42 waits", false), slack.MsgOptionBlocks(section("webshop#42 waits"), buttonRow("approve", "reject")),
				slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"execution": "e42"}}))
			if err != nil {
				t.Error(err)
			}
			return 200, "text/plain", "Started."
		}
		if h.path != "/slack/interactions" {
			return 200, "", ""
		}
		i := h.payload(t)
		switch i.Type {
		case slack.InteractionTypeBlockActions:
			form := modal("Reject webshop#42")
			form.PrivateMetadata = i.Channel.ID + " " + i.Container.MessageTs
			if _, err := o.api.OpenView(i.TriggerID, form); err != nil {
				t.Error(err)
			}
		case slack.InteractionTypeViewSubmission:
			if reason := i.View.State.Values["reason"]["reason"].Value; len(reason) < 5 {
				return 200, "application/json", `{"response_action":"errors","errors":{"reason":"Say more."}}`
			}
			channel, ts, _ := strings.Cut(i.View.PrivateMetadata, " ")
			if _, _, _, err := o.api.UpdateMessage(channel, ts, slack.MsgOptionText("webshop#42 was rejected", false), slack.MsgOptionBlocks(section("webshop#42 was rejected"))); err != nil {
				t.Error(err)
			}
		}
		return 200, "", ""
	}
}

// A whole conversation through the page, as the page has it.
func TestAConversationThroughThePage(t *testing.T) {
	o := open(t)
	o.releases(t)
	secret := o.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{o.ben.ID, "U0BOT"}})
	ana, ben := o.browser(t, o.ana), o.browser(t, o.ben)

	s := ana.state()
	if s.Me != o.ana.ID || s.Team.ID != "T0LOCAL" || s.App.Command != "/rollcall" || len(s.Users) != 3 || len(s.Channels) != 1 || s.Channels[0].Name != "deploys" {
		t.Fatalf("ana sees %+v", s)
	}
	if raw := ana.raw(); strings.Contains(raw, "null,") && !strings.Contains(raw, `"home":null,`) || strings.Contains(raw, secret.ID) {
		t.Errorf("ana is given a list that is null, or ben's channel: %s", raw)
	}

	// The command: the card is for everybody, the answer for ana.
	ana.do("command", body{"channel": o.deploys.ID, "text": "start"})
	s = ana.state()
	card := s.Messages[o.deploys.ID][0]
	if card.Text != "webshop#42 waits" || card.User != s.App.User || card.Metadata.Type != "card" || len(card.Blocks) != 2 || card.Blocks[1]["block_id"] == "" {
		t.Errorf("the card: %+v", card)
	}
	if len(s.Ephemerals) != 1 || s.Ephemerals[0].Text != "Started." || s.Ephemerals[0].Only != o.ana.ID || s.Ephemerals[0].Channel != o.deploys.ID {
		t.Errorf("only ana is answered: %+v", s.Ephemerals)
	}

	// The click opens a form for ana, not for ben.
	ana.do("click", body{"channel": card.Channel, "ts": card.TS, "action": "reject"})
	s = ana.state()
	if len(s.Views) != 1 || s.Views[0].Title != "Reject webshop#42" || s.Views[0].Submit != "Send" || s.Views[0].CallbackID != "reject" {
		t.Fatalf("ana's forms: %+v", s.Views)
	}
	form := s.Views[0]
	if b := ben.state(); len(b.Views) != 0 || len(b.Ephemerals) != 0 || len(b.Messages[o.deploys.ID]) != 1 || len(b.Channels) != 2 {
		t.Errorf("ben sees what is ana's, or not what is his: %+v", b)
	}
	if wrong, _ := ben.post("submit", body{"view": form.ID, "values": body{"reason": "mine now"}}); !strings.Contains(wrong, "ben has no view") {
		t.Errorf("ben sends ana's form: %q", wrong)
	}

	// What the page itself knows to be wrong is beside its field, and what was entered stays.
	ana.do("choose", body{"view": form.ID, "action": "target", "value": "e40"})
	ana.do("choose", body{"view": form.ID, "action": "reason", "value": "a better one"})
	if wrong, _ := ana.post("choose", body{"view": form.ID, "action": "target", "value": "e99"}); !strings.Contains(wrong, `no option "e99"`) {
		t.Errorf("an option that is not there: %q", wrong)
	}
	ana.do("choose", body{"view": form.ID, "action": "target", "value": ""})
	if chosen := ana.state().Views[0].Values["target"]["target"].Selected; chosen != nil {
		t.Errorf("after taking the choice back: %+v", chosen)
	}
	ana.do("choose", body{"view": form.ID, "action": "target", "value": "e41"})
	if wrong, _ := ana.post("submit", body{"view": form.ID, "values": body{"reason": ""}}); wrong != "Reason: please complete this required field" {
		t.Errorf("an empty reason: %q", wrong)
	}
	form = ana.state().Views[0]
	if form.Errors["reason"] != "please complete this required field" || form.Values["target"]["target"].Selected.Value != "e41" {
		t.Errorf("the form after it: %+v", form)
	}

	ana.do("choose", body{"view": form.ID, "action": "reason", "value": "because"})
	if form = ana.state().Views[0]; len(form.Errors) != 0 {
		t.Errorf("errors stay beside a field that was filled in: %v", form.Errors)
	}

	// What the app finds wrong is there too; the call itself went well.
	ana.do("submit", body{"view": form.ID, "values": body{"reason": "no"}})
	form = ana.state().Views[0]
	if diff := cmp.Diff(map[string]string{"reason": "Say more."}, form.Errors); diff != "" || form.Values["reason"]["reason"].Value != "no" {
		t.Errorf("the form after the app's answer: %+v", form)
	}

	ana.do("submit", body{"view": form.ID, "values": body{"reason": "it smells"}})
	s = ana.state()
	if card = s.Messages[o.deploys.ID][0]; len(s.Views) != 0 || card.Text != "webshop#42 was rejected" || card.Edits != 1 {
		t.Errorf("in the end: %+v, %d forms", card, len(s.Views))
	}

	// People talk too, also below the card.
	ben.do("say", body{"channel": o.deploys.ID, "thread": card.TS, "text": "why?"})
	if m := ana.state().Messages[o.deploys.ID]; len(m) != 2 || m[1].Thread != card.TS || m[1].User != o.ben.ID || m[1].Text != "why?" {
		t.Errorf("the thread: %+v", m)
	}
	ana.do("home", body{})
	if s := ana.state(); len(s.Channels) != 2 || s.Channels[1].Direct != o.ana.ID || len(ben.state().Channels) != 2 {
		t.Errorf("opening the home tab begins a conversation with the app: %+v", s.Channels)
	}
}

// What somebody did is done, also when their page is closed before the app answered.
func TestAPageThatGoesAwayTakesNothingBack(t *testing.T) {
	o := open(t)
	o.releases(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, slackfake.PagePath+"command", strings.NewReader(`{"as":"`+o.ana.ID+`","channel":"deploys","text":"start"}`))
	r.Header.Set("Content-Type", "application/json")
	o.Page().ServeHTTP(httptest.NewRecorder(), r)
	if s := o.browser(t, o.ana).state(); len(s.Messages[o.deploys.ID]) != 1 || s.Ephemerals[0].Text != "Started." {
		t.Errorf("ana sees %+v %+v", s.Messages, s.Ephemerals)
	}
}

func TestTheHomeTabAndMenusThroughThePage(t *testing.T) {
	o := open(t)
	ana := o.browser(t, o.ana)
	plain := slack.NewTextBlockObject(slack.PlainTextType, "Execution", false, false)
	o.app.answer = func(h heard) (int, string, string) {
		if h.path == "/slack/options" {
			return 200, "application/json", `{"options":[{"text":{"type":"plain_text","text":"#7"},"value":"e7"}]}`
		}
		return 200, "", ""
	}
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{
		section("nothing to do"), slack.NewActionBlock("one", slack.NewButtonBlockElement("go", "1", plain)), slack.NewActionBlock("two", slack.NewButtonBlockElement("go", "2", plain)),
	}}}
	if _, err := o.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: o.ana.ID, View: home}); err != nil {
		t.Fatal(err)
	}
	tab := ana.state().Home
	if tab == nil || tab.Type != "home" || len(tab.Blocks) != 3 {
		t.Fatalf("ana's home tab: %+v", tab)
	}
	ana.do("click", body{"view": tab.ID, "block": "two", "action": "go"})
	if i := (<-o.app.heard).payload(t); i.ActionCallback.BlockActions[0].Value != "2" {
		t.Errorf("blocks that share an action_id: %+v", i.ActionCallback.BlockActions[0])
	}

	// A menu that loads its options, in a message.
	_, ts, err := o.api.PostMessage(o.deploys.ID, slack.MsgOptionText("which?", false), slack.MsgOptionBlocks(slack.NewActionBlock("menu", slack.NewOptionsSelectBlockElement("external_select", plain, "exec"))))
	if err != nil {
		t.Fatal(err)
	}
	at := body{"channel": o.deploys.ID, "ts": ts, "action": "exec", "typed": "7"}
	if _, options := ana.post("suggest", at); len(options) != 1 || options[0] != (slackfake.Option{Text: "#7", Value: "e7"}) {
		t.Fatalf("options: %+v", options)
	}
	<-o.app.heard
	delete(at, "typed")
	at["value"] = "e7"
	ana.do("choose", at)
	if i := (<-o.app.heard).payload(t); i.ActionCallback.BlockActions[0].SelectedOption.Value != "e7" {
		t.Errorf("the choice: %+v", i.ActionCallback.BlockActions[0])
	}
}

// What Slack tells the user when the app does not take what they do.
func TestThePageSaysWhyNothingHappened(t *testing.T) {
	for name, c := range map[string]struct {
		status int // the app's answer; 0: none
		want   string
	}{
		"silence":  {0, "rollcall did not answer within 3 seconds (operation_timeout)"},
		"an error": {500, "rollcall could not be reached, or answered with an error (dispatch_failed)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := open(t)
				defer o.Close()
				ana, form := o.browser(t, o.ana), o.opened(t)
				_, ts, err := o.api.PostMessage(o.deploys.ID, slack.MsgOptionText("x", false), slack.MsgOptionBlocks(buttonRow("approve")))
				if err != nil {
					t.Fatal(err)
				}
				gone := make(chan struct{})
				defer close(gone)
				o.app.answer = func(heard) (int, string, string) {
					if c.status == 0 {
						<-gone
					}
					return max(c.status, 200), "", ""
				}
				start := time.Now()
				for call, in := range map[string]body{
					"command": {"channel": "deploys", "text": "status"}, "click": {"channel": o.deploys.ID, "ts": ts, "action": "approve"},
					"submit": {"view": form.ID, "values": body{"reason": "x"}}, "home": {},
				} {
					want := c.want
					if call == "command" {
						want = "/rollcall failed: " + want
					}
					if wrong, _ := ana.post(call, in); wrong != want {
						t.Errorf("%s: %q, want %q", call, wrong, want)
					}
				}
				if took := time.Since(start); c.status == 0 && took != 12*time.Second {
					t.Errorf("four times three seconds took %v", took)
				}
				s := ana.state()
				if len(s.Ephemerals) != 2 || s.Ephemerals[0].Channel != o.deploys.ID || len(s.Views) != 1 || !strings.HasSuffix(s.Views[0].Errors[""], c.want) {
					t.Errorf("ana sees %+v %+v", s.Ephemerals, s.Views)
				}
				ana.do("dismiss", body{"view": form.ID})
				if len(ana.state().Views) != 0 {
					t.Error("a form stays open")
				}
			})
		})
	}
}

func TestThePageShowsBlocksThatSlackWouldRefuse(t *testing.T) {
	o := open(t)
	secret := o.AddChannel(slackfake.Channel{Name: "secret", Private: true, Members: []string{o.ben.ID, "U0BOT"}})
	for _, channel := range []string{o.deploys.ID, o.deploys.ID, secret.ID} {
		if _, _, err := o.api.PostMessage(channel, slack.MsgOptionBlocks(buttonRow("a", "a"))); err == nil {
			t.Fatal("it was taken")
		}
	}
	if _, err := o.api.OpenView(o.trigger(t), slack.ModalViewRequest{Type: slack.VTModal, Title: slack.NewTextBlockObject(slack.PlainTextType, strings.Repeat("x", 25), false, false), Blocks: slack.Blocks{BlockSet: []slack.Block{section("x")}}}); err == nil {
		t.Fatal("the form was taken")
	}
	wheres := func(u slackfake.User) (all []string) {
		for _, v := range o.browser(t, u).state().Violations {
			all = append(all, v.Where+": "+v.Message)
		}
		return all
	}
	public := `chat.postMessage #deploys /blocks/0/elements/1/action_id: "a" is there twice in this block`
	if diff := cmp.Diff([]string{public, "views.open /view/title/text: has 25 characters, at most 24"}, wheres(o.ana)); diff != "" {
		t.Error("ana (-want +got):\n", diff)
	}
	if diff := cmp.Diff([]string{public, strings.ReplaceAll(public, "deploys", "secret")}, wheres(o.ben)); diff != "" {
		t.Error("ben (-want +got):\n", diff)
	}
}

func TestThePageRefusesWhatItDoesNotKnow(t *testing.T) {
	o := open(t)
	o.AddUser(slackfake.User{ID: "UGONE", Name: "gone", Kind: slackfake.Deactivated})
	ana := o.browser(t, o.ana)
	good := `{"as":"` + o.ana.ID + `","channel":"deploys","thread":"","text":"hi"}`
	for name, c := range map[string]struct {
		call, kind, body string
		status           int
		want             string
	}{
		"an unknown field":     {"say", "application/json", `{"as":"U1","channel":"deploys","loud":true}`, 400, "loud"},
		"another call's field": {"home", "application/json", `{"as":"U1","channel":"deploys"}`, 400, "channel"},
		"no JSON":              {"say", "application/json", `as=U1`, 400, "a JSON object is wanted"},
		"a list":               {"say", "application/json", `[]`, 400, "a JSON object is wanted"},
		"half of it":           {"say", "application/json", `{"as":`, 400, "unexpected EOF"},
		"more after it":        {"say", "application/json", good + `{}`, 400, "something after"},
		"another type":         {"say", "application/json", `{"as":1}`, 400, "cannot unmarshal"},
		"a form of elsewhere":  {"say", "text/plain", good, 400, "application/json"},
		"too much":             {"say", "application/json", `{"as":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "1048576"},
		"an unknown call":      {"shout", "application/json", `{}`, 404, "no POST"},
		"nobody":               {"say", "application/json", `{"channel":"deploys"}`, 200, `there is no user \"\"`},
		"the app":              {"say", "application/json", `{"as":"U0BOT","channel":"deploys"}`, 200, "only people"},
		"somebody who left":    {"say", "application/json", `{"as":"UGONE","channel":"deploys"}`, 200, "has left"},
		"no thread":            {"say", "application/json", strings.Replace(good, `"thread":""`, `"thread":"1.1"`, 1), 200, "no message 1.1"},
		"no text":              {"say", "application/json", strings.Replace(good, "hi", " ", 1), 200, "text is empty"},
	} {
		status, answer := ana.send(c.call, c.kind, c.body)
		if status != c.status || !strings.Contains(answer, c.want) || !strings.HasPrefix(answer, `{"error":`) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if len(ana.state().Messages[o.deploys.ID]) != 0 {
		t.Error("something was said")
	}
	for _, as := range []string{"", "U0BOT", "UGONE", "U404"} {
		for _, what := range []string{"state", "events"} {
			rec := httptest.NewRecorder()
			o.Page().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, slackfake.PagePath+what+"?as="+as, nil))
			if body, _ := io.ReadAll(rec.Body); rec.Code != 404 || !strings.Contains(string(body), `"ok":false`) {
				t.Errorf("%s of %q: %d %s", what, as, rec.Code, body)
			}
		}
	}
}

// FuzzPageBodies: whatever is posted, the answer is JSON, and everybody can still look.
func FuzzPageBodies(f *testing.F) {
	calls := []string{"command", "click", "choose", "submit", "dismiss", "suggest", "home", "say"}
	f.Add(uint8(7), `{"as":"UANA","channel":"deploys","text":"hi <@U0BOT>","thread":""}`)
	f.Add(uint8(0), `{"as":"UANA","channel":"deploys","text":"status"}`)
	f.Add(uint8(2), `{"as":"UANA","view":"VIEW","action":"target","value":"e41"}`)
	f.Add(uint8(2), `{"as":"UANA","view":"VIEW","action":"day","value":"1e9"}`)
	f.Add(uint8(3), `{"as":"UANA","view":"VIEW","values":{"reason":"x","many":"a,b,,b","day":"7"}}`)
	f.Add(uint8(5), `{"as":"UANA","view":"VIEW","action":"exec","typed":"4"}`)
	f.Add(uint8(1), `{"as":"UANA","channel":null,"view":"VIEW","block":"","action":"more"}`)
	f.Add(uint8(4), `{"as":"UANA","view":"VIEW"}`)
	app := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slack/options" {
			_, _ = io.WriteString(rw, `{"options":[{"text":{"text":"#7"},"value":"e7"}]}`)
		}
	})
	saved := map[string]any{"snapshot": 1, "team": "T0LOCAL", "users": []any{map[string]any{"id": "UANA", "name": "ana", "kind": "member"}},
		"channels": []any{map[string]any{"id": "C1", "name": "deploys"}},
		"forms": []any{map[string]any{"id": "VIEW", "type": "modal", "user": "UANA", "blocks": json.RawMessage(`[
			{"type":"input","block_id":"reason","label":{"text":"Reason"},"element":{"type":"plain_text_input","action_id":"reason","max_length":20}},
			{"type":"input","block_id":"many","optional":true,"element":{"type":"checkboxes","action_id":"many","options":[{"value":"a"},{"value":"b"}]}},
			{"type":"input","block_id":"day","optional":true,"element":{"type":"datetimepicker","action_id":"day"}},
			{"type":"input","block_id":"people","optional":true,"element":{"type":"multi_users_select","action_id":"people"}},
			{"type":"actions","block_id":"row","elements":[{"type":"button","action_id":"more"},{"type":"external_select","action_id":"exec"}]}]`)}},
	}
	snapshot, err := json.Marshal(saved)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, call uint8, text string) {
		w := slackfake.New(slackfake.Options{BaseURL: "http://app.test", Transport: wirefake.Direct(app)})
		defer w.Close()
		if err := w.Restore(snapshot); err != nil {
			t.Fatal(err)
		}
		b := browser{t, w.Page(), "UANA"}
		status, answer := b.send(calls[int(call)%len(calls)], "application/json", text)
		if !json.Valid([]byte(answer)) || status != 200 && status != 400 {
			t.Fatalf("%d %s", status, answer)
		}
		b.state()
		if data, err := w.Snapshot(); err != nil || w.Restore(data) != nil {
			t.Fatalf("what is there now cannot be saved and restored: %v\n%s", err, data)
		}
		b.state()
	})
}
