package slack_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

func TestFormsAreAnsweredAtOnceAndHandledAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.bot.handle = func(ctx context.Context, r bot.Request) error {
			if r.Command == nil {
				return nil
			}
			return d.client.Open(ctx, r.Reply, reasonForm())
		}
		d.bot.answer = func(r bot.Request) any {
			if r.Interaction != nil && r.Interaction.Type == goslack.InteractionTypeViewSubmission && len(r.Interaction.View.State.Values["reason"]["reason"].Value) < 5 {
				return goslack.NewErrorsViewSubmissionResponse(map[string]string{"reason": "say more"})
			}
			return nil
		}
		d.command(t, d.ana, "reject webshop#42")
		d.next(t)
		form := d.Views(d.ana.ID)[0]
		if _, err := d.Submit(t.Context(), d.ana.ID, form.ID, map[string]string{"reason": "no"}); err != nil {
			t.Fatal(err)
		}
		if v := d.Views(d.ana.ID); len(v) != 1 || v[0].Errors["reason"] != "say more" {
			t.Errorf("the form shows %+v", v)
		}
		if all, _ := d.inbox.count(); all != 1 {
			t.Error("a form with errors left a receipt")
		}
		if _, err := d.Submit(t.Context(), d.ana.ID, form.ID, map[string]string{"reason": "it smells"}); err != nil {
			t.Fatal(err)
		}
		r := d.next(t)
		if i := r.Interaction; i == nil || i.View.CallbackID != "reject" || i.View.PrivateMetadata != "webshop#42" || i.View.State.Values["reason"]["reason"].Value != "it smells" || r.Reply.View != form.ID {
			t.Errorf("the bot hears %+v", r)
		}
		if len(d.Views(d.ana.ID)) != 0 || len(d.bot.handled) != 0 {
			t.Error("the form is still open, or was handled twice")
		}
	})
}

// C1: a form that somebody sends twice, because the first answer was late, is
// done once; when it has been shown anew meanwhile, it is another one.
func TestAFormSentTwiceIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		for i, hash := range []string{"1.a", "1.a", "1.b"} {
			body := url.Values{"payload": {`{"type":"view_submission","team":{"id":"T0LOCAL"},"api_app_id":"A0LOCAL","user":{"id":"U1"},"trigger_id":"t` + fmt.Sprint(i) + `","view":{"id":"V1","hash":"` + hash + `","type":"modal","callback_id":"start"}}`}}.Encode()
			out := httptest.NewRecorder()
			d.handler.ServeHTTP(out, signed("/slack/interactions", formType, body, signingSecret, time.Now()))
			if out.Code != 200 {
				t.Errorf("time %d: %d", i, out.Code)
			}
			time.Sleep(time.Second)
		}
		if all, _ := d.inbox.count(); all != 2 {
			t.Errorf("%d receipts of two forms", all)
		}
	})
}

func TestMenusLoadOptionsWithoutAReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		body := url.Values{"payload": {`{"type":"block_suggestion","team":{"id":"T0LOCAL"},"api_app_id":"A0LOCAL","user":{"id":"U1"},"action_id":"target","block_id":"target","value":"4"}`}}.Encode()
		ask := func() string {
			time.Sleep(time.Second)
			out := httptest.NewRecorder()
			d.handler.ServeHTTP(out, signed("/slack/options", formType, body, signingSecret, time.Now()))
			return out.Body.String()
		}
		if got := ask(); got != `{"options":[]}` {
			t.Errorf("no answer is an empty list: %s", got)
		}
		d.bot.answer = func(r bot.Request) any {
			plain := goslack.NewTextBlockObject(goslack.PlainTextType, "#"+r.Interaction.Value, false, false)
			return goslack.OptionsResponse{Options: []*goslack.OptionBlockObject{goslack.NewOptionBlockObject("e4", plain, nil)}}
		}
		if got := ask(); !strings.Contains(got, `"value":"e4"`) {
			t.Errorf("answer %s", got)
		}
		if all, _ := d.inbox.count(); all != 0 {
			t.Errorf("%d receipts", all)
		}
	})
}

func TestAClickSaysWhereItHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		row := goslack.NewActionBlock("", goslack.NewButtonBlockElement("approve", "v", goslack.NewTextBlockObject(goslack.PlainTextType, "Approve", false, false)))
		card, err := d.client.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "card", Blocks: []goslack.Block{row}})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			message bot.Message
			thread  string
		}{
			"in the channel":          {bot.Message{Channel: "#deploys", Text: "x", Blocks: []goslack.Block{row}}, ""},
			"in a thread":             {bot.Message{Channel: "#deploys", Text: "x", Blocks: []goslack.Block{row}, Thread: card.TS}, card.TS},
			"in a thread and channel": {bot.Message{Channel: "#deploys", Text: "x", Blocks: []goslack.Block{row}, Thread: card.TS, Broadcast: true}, ""},
		} {
			at, err := d.client.Post(t.Context(), c.message)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Click(t.Context(), d.ana.ID, slackfake.Target{Channel: at.Channel, TS: at.TS}, "approve"); err != nil {
				t.Fatal(err)
			}
			r := d.next(t)
			if r.Reply.Channel != d.deploys.ID || r.Reply.Thread != c.thread || r.Reply.View != "" || r.Interaction.Message.Timestamp != at.TS || r.Interaction.ActionCallback.BlockActions[0].Value != "v" {
				t.Errorf("%s: %+v", name, r.Reply)
			}
		}
	})
}

func TestWithoutASigningSecretNothingIsServed(t *testing.T) {
	d := newDesk(t)
	defer d.Close()
	out := httptest.NewRecorder()
	receiverWithout(d).ServeHTTP(out, signed("/slack/commands", formType, commandBody(nil), "", time.Now()))
	if out.Code != http.StatusNotFound {
		t.Errorf("status %d", out.Code)
	}
	if bytes.Contains(out.Body.Bytes(), []byte("secret")) {
		t.Error(out.Body)
	}
}

// reasonForm is a form with one required text.
func reasonForm() goslack.ModalViewRequest {
	plain := func(s string) *goslack.TextBlockObject {
		return goslack.NewTextBlockObject(goslack.PlainTextType, s, false, false)
	}
	return goslack.ModalViewRequest{Type: goslack.VTModal, Title: plain("Reject"), Submit: plain("Reject"), CallbackID: "reject", PrivateMetadata: "webshop#42", Blocks: goslack.Blocks{BlockSet: []goslack.Block{
		goslack.NewInputBlock("reason", plain("Reason"), nil, goslack.NewPlainTextInputBlockElement(nil, "reason")),
	}}}
}
