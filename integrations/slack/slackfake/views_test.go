package slackfake_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// modal is a form with a required reason, an optional choice, and a note of who it is for.
func modal(title string) slack.ModalViewRequest {
	plain := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	if title == "" {
		title = "Reject"
	}
	target := slack.NewInputBlock("target", plain("Target"), nil, slack.NewOptionsSelectBlockElement("static_select", nil, "target",
		slack.NewOptionBlockObject("e41", plain("#41"), nil), slack.NewOptionBlockObject("e40", plain("#40"), nil)))
	target.Optional = true
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: plain(title), Submit: plain("Send"), CallbackID: "reject", PrivateMetadata: "e42",
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewInputBlock("reason", plain("Reason"), nil, slack.NewPlainTextInputBlockElement(nil, "reason").WithMaxLength(20)), target, buttonRow("more"),
		}},
	}
}

// trigger lets ana type a command and returns its trigger_id. What the app heard before is forgotten.
func (o *office) trigger(t *testing.T) string {
	t.Helper()
	for len(o.app.heard) > 0 {
		<-o.app.heard
	}
	if _, err := o.Command(t.Context(), o.ana.ID, "deploys", ""); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string((<-o.app.heard).body)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.FormValue("trigger_id")
}

// opened opens a form for ana.
func (o *office) opened(t *testing.T) slackfake.View {
	t.Helper()
	if _, err := o.api.OpenView(o.trigger(t), modal("")); err != nil {
		t.Fatal(err)
	}
	views := o.Views(o.ana.ID)
	return views[len(views)-1]
}

func TestATriggerOpensOneFormWithinThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		id := o.trigger(t)
		if _, err := o.api.OpenView(id, modal("")); err != nil {
			t.Fatal(err)
		}
		if _, err := o.api.OpenView(id, modal("")); err == nil || err.Error() != "exchanged_trigger_id" {
			t.Error("the second use:", err)
		}
		late := o.trigger(t)
		time.Sleep(4 * time.Second)
		if _, err := o.api.OpenView(late, modal("")); err == nil || err.Error() != "expired_trigger_id" {
			t.Error("after four seconds:", err)
		}
	})
}

func TestWhatTheAppAnswersToAFormIsDone(t *testing.T) {
	push, err := json.Marshal(modal("Are you sure?"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer string
		open   int
		title  string // of the form on top
		errors string // of its reason
		fails  bool
	}{
		"nothing closes it":                {"", 0, "", "", false},
		"an error keeps it open":           {`{"response_action":"errors","errors":{"reason":"say more"}}`, 1, "Reject", "say more", false},
		"an error beside no input is none": {`{"response_action":"errors","errors":{"nowhere":"?"}}`, 1, "Reject", "", true},
		"an update replaces it":            {`{"response_action":"update","view":` + string(push) + `}`, 1, "Are you sure?", "", false},
		"a push puts one on top":           {`{"response_action":"push","view":` + string(push) + `}`, 2, "Are you sure?", "", false},
		"clear closes all":                 {`{"response_action":"clear"}`, 0, "", "", false},
		"a bad answer keeps it open":       {`nonsense`, 1, "Reject", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			v := o.opened(t)
			o.app.answer = func(heard) (int, string, string) { return 200, "application/json", c.answer }
			_, err := o.Submit(t.Context(), o.ana.ID, v.ID, map[string]string{"reason": "it smells", "target": "e40"})
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			i := (<-o.app.heard).payload(t)
			if got := i.View.State.Values; got["reason"]["reason"].Value != "it smells" || got["target"]["target"].SelectedOption.Value != "e40" || i.View.PrivateMetadata != "e42" || i.View.CallbackID != "reject" {
				t.Errorf("the app hears %+v", got)
			}
			views := o.Views(o.ana.ID)
			if len(views) != c.open {
				t.Fatalf("%d forms are open, want %d", len(views), c.open)
			}
			if c.open > 0 {
				if top := views[len(views)-1]; top.Title != c.title || top.Errors["reason"] != c.errors {
					t.Errorf("on top: %q %v", top.Title, top.Errors)
				}
			}
		})
	}
}

func TestAFormIsCheckedBeforeItIsSent(t *testing.T) {
	o := open(t)
	for name, values := range map[string]map[string]string{
		"a required field is empty":   {"target": "e41"},
		"there is no such option":     {"reason": "x", "target": "e99"},
		"the text is too long":        {"reason": strings.Repeat("x", 21)},
		"the form has no such fields": {"reason": "x", "color": "red"},
	} {
		v := o.opened(t)
		if _, err := o.Submit(t.Context(), o.ana.ID, v.ID, values); err == nil {
			t.Error(name, "and it was sent")
		}
	}
	v := o.opened(t)
	if _, err := o.Submit(t.Context(), o.ben.ID, v.ID, map[string]string{"reason": "x"}); err == nil {
		t.Error("ben sent ana's form")
	}
	if len(o.app.heard) != 0 {
		t.Error("the app heard of it")
	}
}

func TestWhatWasEnteredStaysWhenTheFormChanges(t *testing.T) {
	o := open(t)
	v := o.opened(t)
	if ack, err := o.Choose(t.Context(), o.ana.ID, slackfake.Target{View: v.ID}, "target", "e41"); err != nil || ack.Status != 0 {
		t.Fatal("an input that does not dispatch tells nobody:", ack, err)
	}
	if _, err := o.Click(t.Context(), o.ana.ID, slackfake.Target{View: v.ID}, "more"); err != nil {
		t.Fatal(err)
	}
	i := (<-o.app.heard).payload(t)
	if i.View.State.Values["target"]["target"].SelectedOption.Value != "e41" || i.Container.ViewID != v.ID || i.ResponseURL != "" {
		t.Errorf("a click in a form: %+v", i)
	}
	if _, err := o.api.UpdateView(modal("Reject more"), "", "stale", v.ID); err == nil || err.Error() != "hash_conflict" {
		t.Error("a stale hash:", err)
	}
	if _, err := o.api.UpdateView(modal("Reject more"), "", i.View.Hash, v.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Submit(t.Context(), o.ana.ID, v.ID, map[string]string{"reason": "x"}); err != nil {
		t.Fatal(err)
	}
	if got := (<-o.app.heard).payload(t).View.State.Values["target"]["target"].SelectedOption.Value; got != "e41" {
		t.Errorf("the choice became %q", got)
	}
}

func TestAHomeTabIsPublishedPerUser(t *testing.T) {
	o := open(t)
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{section("nothing to do"), buttonRow("start")}}}
	if _, err := o.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: o.ana.ID, View: home}); err != nil {
		t.Fatal(err)
	}
	v, ok := o.Home(o.ana.ID)
	if !ok || o.RenderedView(v) != "nothing to do\n[START]" || len(v.Buttons()) != 1 {
		t.Errorf("ana's home: %v %q", ok, o.RenderedView(v))
	}
	if _, ok := o.Home(o.ben.ID); ok {
		t.Error("ben has a home that nobody published")
	}
	if _, err := o.Click(t.Context(), o.ana.ID, slackfake.Target{View: v.ID}, "start"); err != nil {
		t.Fatal(err)
	}
	if i := (<-o.app.heard).payload(t); i.View.Type != slack.VTHomeTab || i.TriggerID == "" {
		t.Errorf("a click on the home tab: %+v", i)
	}
}

func TestAMenuLoadsItsOptions(t *testing.T) {
	o := open(t)
	plain := slack.NewTextBlockObject(slack.PlainTextType, "Execution", false, false)
	form := modal("")
	form.Blocks.BlockSet = append(form.Blocks.BlockSet, slack.NewInputBlock("exec", plain, nil, slack.NewOptionsSelectBlockElement("external_select", plain, "exec")))
	if _, err := o.api.OpenView(o.trigger(t), form); err != nil {
		t.Fatal(err)
	}
	v := o.Views(o.ana.ID)[0]
	o.app.answer = func(h heard) (int, string, string) {
		if h.path != "/slack/options" {
			return 200, "", ""
		}
		return 200, "application/json", `{"options":[{"text":{"type":"plain_text","text":"#7"},"value":"e7"}]}`
	}
	got, err := o.Suggest(t.Context(), o.ana.ID, slackfake.Target{View: v.ID}, "exec", "7")
	if err != nil || len(got) != 1 || got[0] != (slackfake.Option{Text: "#7", Value: "e7"}) {
		t.Fatal(got, err)
	}
	if i := (<-o.app.heard).payload(t); i.Type != slack.InteractionTypeBlockSuggestion || i.Value != "7" || i.ActionID != "exec" {
		t.Errorf("the app hears %+v", i)
	}
	if _, err := o.Submit(t.Context(), o.ana.ID, v.ID, map[string]string{"reason": "x", "exec": "e7"}); err != nil {
		t.Error("what the app offered could not be chosen:", err)
	}
}
