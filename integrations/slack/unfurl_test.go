package slack_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// linksBody is an event about links, with parts of it replaced.
func linksBody(change ...string) string {
	return strings.NewReplacer(change...).Replace(`{"type":"event_callback","token":"verification-token","team_id":"T0LOCAL","api_app_id":"A0LOCAL","event_id":"Ev1","is_ext_shared_channel":false,
	"event":{"type":"link_shared","user":"U1","channel":"C1","message_ts":"1.2","unfurl_id":"C1-1.2","source":"conversations_history",
	"links":[{"domain":"rollcall.example.com","url":"https://rollcall.example.com/executions/1"},{"domain":"rollcall.example.com","url":"https://rollcall.example.com/"}]}}`)
}

// Posted links reach the bot, once however often Slack repeats the event; nothing of
// those that may not be answered is kept.
func TestPostedLinksReachTheBotOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		send := func(body string) {
			out := httptest.NewRecorder()
			d.handler.ServeHTTP(out, signed("/slack/events", "application/json", body, signingSecret, time.Now()))
			if out.Code != 200 {
				t.Errorf("%d for %s", out.Code, body)
			}
			time.Sleep(time.Second)
		}
		for range 3 {
			send(linksBody())
		}
		r := d.next(t)
		if r.Key != "slack/Ev1" || r.Links == nil || r.Links.At.Channel != "C1" || r.Links.At.TS != "1.2" || r.Reply.User != "U1" ||
			!slices.Equal(r.Links.URLs, []string{"https://rollcall.example.com/executions/1", "https://rollcall.example.com/"}) {
			t.Errorf("the bot hears %+v of %+v", r.Links, r)
		}
		for _, body := range []string{
			linksBody("Ev1", "Ev2", `"is_ext_shared_channel":false`, `"is_ext_shared_channel":true`),
			linksBody("Ev1", "Ev3", "conversations_history", "composer"), linksBody("Ev1", "Ev4", `"C1"`, `"COMPOSER"`), linksBody("Ev1", "Ev5", `"C1"`, `"D1"`),
			linksBody("Ev1", "Ev6", `"U1"`, `""`), linksBody("Ev1", "Ev7", `"1.2"`, `""`), linksBody("Ev1", "Ev8", `"user":"U1"`, `"user":7`), linksBody(`"Ev1"`, `""`),
		} {
			send(body)
		}
		if all, open := d.inbox.count(); all != 1 || open != 0 || len(d.bot.handled) != 0 {
			t.Errorf("%d receipts, %d open, %d requests more", all, open, len(d.bot.handled))
		}
	})
}
