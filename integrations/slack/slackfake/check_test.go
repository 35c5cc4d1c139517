package slackfake_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

func TestCheckKnowsBlockKitsLimits(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	option := func(v int) string {
		return fmt.Sprintf(`{"text":{"type":"plain_text","text":"o"},"value":"%d"}`, v)
	}
	options := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, option(i))
		}
		return strings.Join(all, ",")
	}
	button := func(rest string) string {
		return `{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"b"}` + rest + `}]}`
	}
	for name, c := range map[string]struct{ blocks, path string }{
		"all is well":            {`[{"type":"section","text":{"type":"mrkdwn","text":"` + x(3000) + `"}},{"type":"divider"},` + button(`,"style":"danger"`) + `]`, ""},
		"51 blocks":              {`[` + many(51, `{"type":"divider"}`) + `]`, "/blocks"},
		"no list":                {`{}`, "/blocks"},
		"no object":              {`[1]`, "/blocks/0"},
		"unknown block":          {`[{"type":"sektion"}]`, "/blocks/0/type"},
		"block_id twice":         {`[{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}]`, "/blocks/1/block_id"},
		"long section":           {`[{"type":"section","text":{"type":"mrkdwn","text":"` + x(3001) + `"}}]`, "/blocks/0/text/text"},
		"empty text":             {`[{"type":"section","text":{"type":"mrkdwn","text":""}}]`, "/blocks/0/text/text"},
		"empty section":          {`[{"type":"section"}]`, "/blocks/0"},
		"11 fields":              {`[{"type":"section","fields":[` + many(11, `{"type":"mrkdwn","text":"f"}`) + `]}]`, "/blocks/0/fields"},
		"long header":            {`[{"type":"header","text":{"type":"plain_text","text":"` + x(151) + `"}}]`, "/blocks/0/text/text"},
		"mrkdwn header":          {`[{"type":"header","text":{"type":"mrkdwn","text":"h"}}]`, "/blocks/0/text/type"},
		"11 context elements":    {`[{"type":"context","elements":[` + many(11, `{"type":"mrkdwn","text":"f"}`) + `]}]`, "/blocks/0/elements"},
		"26 buttons":             {`[{"type":"actions","elements":[` + many(26, `{"type":"button","text":{"type":"plain_text","text":"b"}}`) + `]}]`, "/blocks/0/elements"},
		"action_id twice":        {`[{"type":"actions","elements":[` + many(2, `{"type":"button","action_id":"a","text":{"type":"plain_text","text":"b"}}`) + `]}]`, "/blocks/0/elements/1/action_id"},
		"no buttons":             {`[{"type":"actions","elements":[]}]`, "/blocks/0/elements"},
		"long button text":       {`[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"` + x(76) + `"}}]}]`, "/blocks/0/elements/0/text/text"},
		"long button value":      {`[` + button(`,"value":"`+x(2001)+`"`) + `]`, "/blocks/0/elements/0/value"},
		"odd button style":       {`[` + button(`,"style":"blue"`) + `]`, "/blocks/0/elements/0/style"},
		"long confirm":           {`[` + button(`,"confirm":{"title":{"type":"plain_text","text":"t"},"text":{"type":"mrkdwn","text":"`+x(301)+`"},"confirm":{"type":"plain_text","text":"y"},"deny":{"type":"plain_text","text":"n"}}`) + `]`, "/blocks/0/elements/0/confirm/text/text"},
		"101 options":            {`[{"type":"actions","elements":[{"type":"static_select","options":[` + options(101) + `]}]}]`, "/blocks/0/elements/0/options"},
		"same option twice":      {`[{"type":"actions","elements":[{"type":"radio_buttons","options":[` + many(2, option(1)) + `]}]}]`, "/blocks/0/elements/0/options/1/value"},
		"6 in overflow":          {`[{"type":"section","text":{"type":"mrkdwn","text":"s"},"accessory":{"type":"overflow","options":[` + options(6) + `]}}]`, "/blocks/0/accessory/options"},
		"image without alt_text": {`[{"type":"image","image_url":"https://x.test/a.png"}]`, "/blocks/0/alt_text"},
		"too much text":          {`[` + many(5, `{"type":"section","text":{"type":"mrkdwn","text":"`+x(2900)+`"}}`) + `]`, "/blocks"},
		"101 table rows":         {`[{"type":"table","rows":[` + many(101, `[{"type":"raw_text","text":"a"}]`) + `]}]`, "/blocks/0/rows"},
	} {
		t.Run(name, func(t *testing.T) {
			got := slackfake.Check([]byte(c.blocks))
			if c.path == "" && len(got) > 0 || c.path != "" && (len(got) != 1 || got[0].Path != c.path) {
				t.Errorf("found %v, want one at %q", got, c.path)
			}
		})
	}
}

func TestCheckViewKnowsTheLimitsOfForms(t *testing.T) {
	title := `"title":{"type":"plain_text","text":"T"}`
	input := `{"type":"input","label":{"type":"plain_text","text":"L"},"element":{"type":"plain_text_input"}}`
	for name, c := range map[string]struct{ view, path string }{
		"all is well":          {`{"type":"modal",` + title + `,"submit":{"type":"plain_text","text":"Go"},"blocks":[` + input + `]}`, ""},
		"no title":             {`{"type":"modal","blocks":[]}`, "/view/title"},
		"long title":           {`{"type":"modal","title":{"type":"plain_text","text":"` + strings.Repeat("x", 25) + `"},"blocks":[]}`, "/view/title/text"},
		"input without submit": {`{"type":"modal",` + title + `,"blocks":[` + input + `]}`, "/view/submit"},
		"long metadata":        {`{"type":"modal",` + title + `,"private_metadata":"` + strings.Repeat("x", 3001) + `","blocks":[]}`, "/view/private_metadata"},
		"no blocks":            {`{"type":"home"}`, "/view/blocks"},
		"home with an image":   {`{"type":"home","blocks":[{"type":"image","alt_text":"a"}]}`, "/view/blocks/0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := slackfake.CheckView([]byte(c.view))
			if c.path == "" && len(got) > 0 || c.path != "" && (len(got) != 1 || got[0].Path != c.path) {
				t.Errorf("found %v, want one at %q", got, c.path)
			}
		})
	}
}

// FuzzWebAPI: whatever an app sends, the workspace answers and goes on.
func FuzzWebAPI(f *testing.F) {
	f.Add("chat.postMessage", `{"channel":"#deploys","text":"x","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"<@U1|x> <!here>"}}],"metadata":{"event_type":"a","event_payload":{}}}`)
	f.Add("views.publish", `{"user_id":"U1","view":{"type":"home","blocks":[{"type":"actions","elements":[{"type":"static_select","action_id":"a","options":[{}]}]}]}}`)
	f.Add("chat.postMessage", `{"channel":"#deploys","text":"x","blocks":[{"type":"container","title":{"type":"plain_text","text":"t"},"child_blocks":[{"type":"divider"}]},{"type":"data_table","caption":"c","rows":[[{"type":"raw_text","text":"a"}],[{"type":"action_cell","element":{"type":"button","action_id":"a","text":{"type":"plain_text","text":"b"}}}]]},{"type":"data_visualization","title":"t","chart":{"type":"pie","segments":[{"label":"a","value":1}]}}]}`)
	f.Add("conversations.history", `{"channel":"C1","cursor":"at:-4","limit":"-1"}`)
	f.Fuzz(func(t *testing.T, method, body string) {
		w := slackfake.New(slackfake.Options{})
		defer w.Close()
		w.AddUser(slackfake.User{ID: "U1", Name: "ana"})
		w.AddChannel(slackfake.Channel{ID: "C1", Name: "deploys"})
		r := httptest.NewRequest(http.MethodPost, "http://slack.test/", strings.NewReader(body))
		r.URL.Path = "/api/" + method
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer xoxb-local")
		out := httptest.NewRecorder()
		w.ServeHTTP(out, r)
		if out.Code != http.StatusOK {
			t.Fatalf("status %d", out.Code)
		}
		for _, m := range w.Messages("deploys") {
			w.Rendered(m)
			m.Buttons()
		}
		if v, ok := w.Home("U1"); ok {
			w.RenderedView(v)
		}
	})
}
