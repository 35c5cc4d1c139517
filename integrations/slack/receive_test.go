package slack_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

func TestACommandIsCarriedOutForWhoTypedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.bot.handle = func(ctx context.Context, r bot.Request) error {
			return d.client.PostEphemeral(ctx, r.Reply, bot.Message{Text: "started webshop#42"})
		}
		d.command(t, d.ana, "start webshop")
		r := d.next(t)
		if r.Command.Text != "start webshop" || r.By.ID != "slack:"+d.ana.ID || r.By.Email != "ana@acme.example" || r.By.Stranger != "" || r.By.Via != "slack" || r.By.Name != "ana" {
			t.Errorf("the bot hears %+v of %+v", r.Command, r.By)
		}
		if r.Key == "" || r.Reply.User != d.ana.ID || r.Reply.Channel != d.deploys.ID || r.Reply.Trigger == "" {
			t.Errorf("key %q, reply %+v", r.Key, r.Reply)
		}
		synctest.Wait()
		if seen := d.Ephemerals(d.ana.ID); len(seen) != 1 || seen[0].Text != "started webshop#42" {
			t.Errorf("ana sees %+v", seen)
		}
		if all, open := d.inbox.count(); all != 1 || open != 0 {
			t.Errorf("%d receipts, %d open", all, open)
		}
		if strings.Contains(string(d.inbox.receipts[0].Payload), "verification-token") {
			t.Error("the receipt keeps slack's verification token")
		}
	})
}

// signed is a request as Slack would sign it.
func signed(path, contentType, body, secret string, at time.Time) *http.Request {
	ts := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", ts, body)
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Slack-Request-Timestamp", ts)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

const formType = "application/x-www-form-urlencoded"

func commandBody(change map[string]string) string {
	form := url.Values{"team_id": {"T0LOCAL"}, "api_app_id": {"A0LOCAL"}, "user_id": {"U1"}, "channel_id": {"C1"}, "command": {"/rollcall"}, "text": {"status"}}
	for k, v := range change {
		form.Set(k, v)
	}
	return form.Encode()
}

func interactionBody(team, app string) string {
	return url.Values{"payload": {`{"type":"block_actions","team":{"id":"` + team + `"},"api_app_id":"` + app + `","user":{"id":"U1"},"actions":[{"type":"button","block_id":"b","action_id":"approve"}]}`}}.Encode()
}

func eventBody(team, kind, id string) string {
	return `{"type":"event_callback","team_id":"` + team + `","api_app_id":"A0LOCAL","event_id":"` + id + `","event":{"type":"` + kind + `","user":"U1","tab":"home"}}`
}

func TestOnlyRequestsOfOurSlackAreTaken(t *testing.T) {
	command := commandBody(nil)
	good := func(path, kind, body string) func(time.Time) *http.Request {
		return func(now time.Time) *http.Request { return signed(path, kind, body, signingSecret, now) }
	}
	at := func(d time.Duration) func(time.Time) *http.Request {
		return func(now time.Time) *http.Request {
			return signed("/slack/commands", formType, command, signingSecret, now.Add(d))
		}
	}
	with := func(change func(*http.Request)) func(time.Time) *http.Request {
		return func(now time.Time) *http.Request {
			r := good("/slack/commands", formType, command)(now)
			change(r)
			return r
		}
	}
	for name, c := range map[string]struct {
		request func(time.Time) *http.Request
		status  int
		taken   int // receipts
		body    string
	}{
		"a command":                  {good("/slack/commands", formType, command), 200, 1, ""},
		"a click":                    {good("/slack/interactions", formType, interactionBody("T0LOCAL", "A0LOCAL")), 200, 1, ""},
		"app home":                   {good("/slack/events", "application/json", eventBody("T0LOCAL", "app_home_opened", "Ev1")), 200, 1, ""},
		"an event nobody listens to": {good("/slack/events", "application/json", eventBody("T0LOCAL", "brand_new", "Ev1")), 200, 0, ""},
		"an event of an odd shape":   {good("/slack/events", "application/json", `{"type":"event_callback","team_id":"T0LOCAL","api_app_id":"A0LOCAL","event_id":"Ev1","event":{"type":7}}`), 200, 0, ""},
		"slack tries the address":    {good("/slack/events", "application/json", `{"type":"url_verification","challenge":"abc"}`), 200, 0, "abc"},
		"ssl_check is not signed":    {func(time.Time) *http.Request { return unsigned("ssl_check=1&command=/rollcall&user_id=U1") }, 200, 0, ""},
		"almost five minutes old":    {at(-299 * time.Second), 200, 1, ""},
		"older than five minutes":    {at(-301 * time.Second), 401, 0, ""},
		"from the future":            {at(301 * time.Second), 401, 0, ""},
		"not signed":                 {func(time.Time) *http.Request { return unsigned(command) }, 401, 0, ""},
		"signed with another secret": {func(now time.Time) *http.Request { return signed("/slack/commands", formType, command, "other", now) }, 401, 0, ""},
		"signed with no secret":      {func(now time.Time) *http.Request { return signed("/slack/commands", formType, command, "", now) }, 401, 0, ""},
		"the body was changed":       {with(func(r *http.Request) { r.Body = http.NoBody }), 401, 0, ""},
		"the time was changed": {with(func(r *http.Request) {
			r.Header.Set("X-Slack-Request-Timestamp", "1"+r.Header.Get("X-Slack-Request-Timestamp"))
		}), 401, 0, ""},
		"the signature lacks its prefix": {with(func(r *http.Request) { r.Header.Set("X-Slack-Signature", r.Header.Get("X-Slack-Signature")[3:]) }), 401, 0, ""},
		"the signature is no hex":        {with(func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0=zz") }), 401, 0, ""},
		"no time":                        {with(func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }), 401, 0, ""},
		"another team's command":         {good("/slack/commands", formType, commandBody(map[string]string{"team_id": "T9"})), 401, 0, ""},
		"another app's command":          {good("/slack/commands", formType, commandBody(map[string]string{"api_app_id": "A9"})), 401, 0, ""},
		"no team's command":              {good("/slack/commands", formType, commandBody(map[string]string{"team_id": ""})), 401, 0, ""},
		"another team's click":           {good("/slack/interactions", formType, interactionBody("T9", "A0LOCAL")), 401, 0, ""},
		"another app's click":            {good("/slack/interactions", formType, interactionBody("T0LOCAL", "A9")), 401, 0, ""},
		"another team's event":           {good("/slack/events", "application/json", eventBody("T9", "app_home_opened", "Ev1")), 401, 0, ""},
		"a click that is no JSON":        {good("/slack/interactions", formType, "payload=%7B"), 400, 0, ""},
		"an event that is no JSON":       {good("/slack/events", "application/json", "{"), 400, 0, ""},
		"a command without a user":       {good("/slack/commands", formType, commandBody(map[string]string{"user_id": ""})), 400, 0, ""},
		"a body of 10 MiB":               {good("/slack/commands", formType, strings.Repeat("x", 10<<20)), 413, 0, ""},
		"a GET":                          {func(time.Time) *http.Request { return httptest.NewRequest(http.MethodGet, "/slack/commands", nil) }, 405, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, leave := office(t)
				defer leave()
				out := httptest.NewRecorder()
				d.handler.ServeHTTP(out, c.request(time.Now()))
				if all, _ := d.inbox.count(); out.Code != c.status || all != c.taken || out.Code == 200 && out.Body.String() != c.body {
					t.Errorf("status %d, %d receipts, body %q; want %d, %d, %q", out.Code, all, out.Body, c.status, c.taken, c.body)
				}
			})
		})
	}
}

func unsigned(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/slack/commands", strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	return r
}

func TestEachSignatureIsTakenOnce(t *testing.T) {
	for name, c := range map[string]struct {
		path, kind, body string
	}{
		"command":         {"/slack/commands", formType, commandBody(nil)},
		"click":           {"/slack/interactions", formType, interactionBody("T0LOCAL", "A0LOCAL")},
		"event":           {"/slack/events", "application/json", eventBody("T0LOCAL", "app_home_opened", "Ev1")},
		"ignored event":   {"/slack/events", "application/json", eventBody("T0LOCAL", "brand_new", "Ev1")},
		"loading options": {"/slack/options", formType, url.Values{"payload": {`{"type":"block_suggestion","team":{"id":"T0LOCAL"},"api_app_id":"A0LOCAL","user":{"id":"U1"}}`}}.Encode()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, leave := office(t)
				defer leave()
				now := time.Now()
				send := func() int {
					out := httptest.NewRecorder()
					d.handler.ServeHTTP(out, signed(c.path, c.kind, c.body, signingSecret, now))
					return out.Code
				}
				if first, again := send(), send(); first != 200 || again != 401 {
					t.Errorf("first %d, again %d", first, again)
				}
				all, _ := d.inbox.count()
				d.stop()
				d.connect()
				d.run(t)
				switch after := send(); {
				case strings.HasPrefix(c.path, "/slack/c") || strings.HasPrefix(c.path, "/slack/i"):
					if after != 401 {
						t.Errorf("after a restart: %d", after)
					}
				case after != 200:
					t.Errorf("after a restart what changes nothing is taken again: %d", after)
				}
				if now, _ := d.inbox.count(); now != all {
					t.Errorf("%d receipts became %d", all, now)
				}
			})
		})
	}
}

func TestAnEventThatSlackRepeatsIsCarriedOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		for i := range 3 {
			out := httptest.NewRecorder()
			d.handler.ServeHTTP(out, signed("/slack/events", "application/json", eventBody("T0LOCAL", "app_home_opened", "Ev1"), signingSecret, time.Now()))
			if out.Code != 200 {
				t.Errorf("time %d: %d", i, out.Code)
			}
			time.Sleep(time.Second)
		}
		if r := d.next(t); r.Home != "U1" || r.Key != "slack/Ev1" || len(d.bot.handled) != 0 {
			t.Errorf("handled %+v and %d more", r, len(d.bot.handled))
		}
	})
}

func TestNothingIsAcknowledgedBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.inbox.broken = errors.New("disk full")
		if ack, err := d.Command(t.Context(), d.ana.ID, "deploys", "start"); err == nil || ack.Status != 503 {
			t.Errorf("with a broken inbox: %+v %v", ack, err)
		}
		d.inbox.broken = nil
		d.inbox.gate = make(chan struct{})
		acked := make(chan slackfake.Ack, 1)
		go func() {
			ack, _ := d.Command(t.Context(), d.ana.ID, "deploys", "start")
			acked <- ack
		}()
		synctest.Wait()
		if len(acked) != 0 {
			t.Fatal("acknowledged while the receipt was still being written")
		}
		close(d.inbox.gate)
		if ack := <-acked; ack.Status != 200 {
			t.Errorf("ack %+v", ack)
		}
		d.next(t)
		if len(d.bot.handled) != 0 {
			t.Error("what was not acknowledged was carried out")
		}
	})
}

// A service that starts while Slack is away takes what is signed, and does it
// once Slack says whose requests are ours.
func TestUntilTheWorkspaceIsKnownSignedRequestsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.Close()
		d.Faults.Add(slackfake.On("auth.test", fault.Fault{Cut: true}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.receiver.Run(ctx) }()
		synctest.Wait()
		if ack, err := d.Command(t.Context(), d.ana.ID, "deploys", "start"); err != nil || ack.Status != 200 || ack.Took > time.Second {
			t.Errorf("before: %+v %v", ack, err)
		}
		foreign := httptest.NewRecorder()
		d.receiver.Handler().ServeHTTP(foreign, signed("/slack/commands", formType, commandBody(map[string]string{"team_id": "T9"}), signingSecret, time.Now()))
		if foreign.Code != 200 {
			t.Errorf("another team's, before anybody can tell: %d", foreign.Code)
		}
		if len(d.bot.handled) != 0 {
			t.Error("the bot acts although nobody knows whose request it is")
		}
		d.Faults.Set()
		if r := d.next(t); r.Command == nil || r.Command.Text != "start" {
			t.Errorf("after: %+v", r)
		}
		time.Sleep(time.Minute)
		if _, open := d.inbox.count(); open != 0 || len(d.bot.handled) != 0 {
			t.Errorf("another team's request is still open (%d), or was carried out (%d)", open, len(d.bot.handled))
		}
		cancel()
		<-ended
	})
}

func TestASilentSlackDelaysNoAcknowledgementAndLosesNothing(t *testing.T) {
	for name, trouble := range map[string]fault.Fault{
		"hangs": {Delay: time.Hour}, "down": {Cut: true}, "500": {Status: 500}, "429": {Status: 429, RetryAfter: 20 * time.Second}, "garbage": {Status: 200, Body: "<!doctype html><title>Slack</title>"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, leave := office(t)
				defer leave()
				d.Faults.Add(slackfake.On("", trouble))
				d.command(t, d.ana, "approve")
				d.command(t, d.ben, "approve")
				time.Sleep(25 * time.Second) // not at the moment of a try, which is after 30 s
				if len(d.bot.handled) != 0 {
					t.Fatal("the bot acts for somebody unknown")
				}
				d.Faults.Set()
				time.Sleep(30 * time.Second)
				if len(d.bot.handled) != 2 {
					t.Errorf("%d requests were carried out", len(d.bot.handled))
				}
			})
		})
	}
}
