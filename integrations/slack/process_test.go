package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestWhoCannotBeCheckedIsToldSoAndGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.Faults.Add(slackfake.On("users.info", fault.Fault{Status: 500}))
		d.command(t, d.ana, "approve")
		d.Faults.Add(slackfake.On("users.info", slackfake.Refusal("missing_scope", "users:read")))
		d.command(t, d.ben, "approve")
		time.Sleep(3 * time.Minute)
		for _, u := range []slackfake.User{d.ana, d.ben} {
			if seen := d.Ephemerals(u.ID); len(seen) != 1 || !strings.Contains(seen[0].Text, "could not check who you are") {
				t.Errorf("%s sees %+v", u.Name, seen)
			}
		}
		if _, open := d.inbox.count(); len(d.bot.handled) != 0 || open != 0 {
			t.Errorf("%d handled, %d left open", len(d.bot.handled), open)
		}
	})
}

func TestStrangersAreNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		for kind, want := range map[slackfake.Kind]string{
			slackfake.Guest: "guest", slackfake.Bot: "bot", slackfake.Connect: "connect", slackfake.Deactivated: "deactivated", slackfake.Member: "",
		} {
			u := d.AddUser(slackfake.User{Name: string(kind), Email: string(kind) + "@x.example", Kind: kind})
			d.AddChannel(slackfake.Channel{ID: d.deploys.ID, Name: "deploys"})
			d.command(t, u, "approve")
			if r := d.next(t); r.By.Stranger != want || (r.By.Email == "") != (want != "") {
				t.Errorf("%s is %+v", kind, r.By)
			}
		}
		// The payload itself names another workspace as the user's, and Slack knows nobody of that ID.
		body := url.Values{"payload": {`{"type":"block_actions","team":{"id":"T0LOCAL"},"api_app_id":"A0LOCAL","user":{"id":"U404","team_id":"T9"},"actions":[]}`}}.Encode()
		d.handler.ServeHTTP(httptest.NewRecorder(), signed("/slack/interactions", formType, body, signingSecret, time.Now()))
		if r := d.next(t); r.By.Stranger != "connect" {
			t.Errorf("of another workspace: %+v", r.By)
		}
		d.handler.ServeHTTP(httptest.NewRecorder(), signed("/slack/commands", formType, commandBody(map[string]string{"user_id": "U404"}), signingSecret, time.Now()))
		if r := d.next(t); r.By.Stranger != "unknown" {
			t.Errorf("nobody knows U404: %+v", r.By)
		}
	})
}

func TestWhatACrashLeftIsCarriedOutAfterTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer func() { leave() }()
		d.Faults.Add(slackfake.On("users.info", fault.Fault{Cut: true}))
		d.command(t, d.ana, "start webshop")
		time.Sleep(3 * time.Second)
		d.stop()
		if _, open := d.inbox.count(); open != 1 || len(d.bot.handled) != 0 {
			t.Fatalf("%d open, %d handled", open, len(d.bot.handled))
		}
		old := d.inbox.receipts[0]
		old.Key, old.At = "slack/old", old.At.Add(-13*time.Hour)
		d.inbox.receipts = append(d.inbox.receipts, old, work.Receipt{Key: "slack/broken", Source: "slack", At: old.At, Payload: []byte("{")})

		d.Faults.Set()
		d.connect()
		d.run(t)
		r := d.next(t)
		if r.Command == nil || r.Command.Text != "start webshop" || r.By.ID != "slack:"+d.ana.ID || r.Key != d.inbox.receipts[0].Key {
			t.Errorf("taken up: %+v", r)
		}
		time.Sleep(time.Second)
		if _, open := d.inbox.count(); open != 0 || len(d.bot.handled) != 0 {
			t.Errorf("%d open, %d more handled", open, len(d.bot.handled))
		}
		if seen := d.Ephemerals(d.ana.ID); len(seen) != 1 || !strings.Contains(seen[0].Text, "was not done") {
			t.Errorf("what was too old is said: %+v", seen)
		}
	})
}

func TestAReceiptThatBecameDurableTooLateIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		d.inbox.gate = make(chan struct{})
		if _, err := d.Command(t.Context(), d.ana.ID, "deploys", "start webshop"); err == nil {
			t.Fatal("acknowledged")
		}
		// The commit was slow, and arrived.
		payload, err := json.Marshal(map[string]any{"kind": "command", "body": map[string]string{"user_id": d.ana.ID, "command": "/rollcall", "text": "start webshop"}})
		if err != nil {
			t.Fatal(err)
		}
		d.inbox.mu.Lock()
		d.inbox.receipts = append(d.inbox.receipts, work.Receipt{Key: "slack/late", Source: "slack", At: time.Now(), Payload: payload})
		d.inbox.mu.Unlock()
		time.Sleep(90 * time.Second)
		if r := d.next(t); r.Key != "slack/late" || len(d.bot.handled) != 0 {
			t.Errorf("handled %+v and %d more", r, len(d.bot.handled))
		}
	})
}

func TestOnePersonsRequestsKeepTheirOrderAndWaitForNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, leave := office(t)
		defer leave()
		slow := make(chan struct{})
		var mu sync.Mutex
		var order []string
		d.bot.handle = func(_ context.Context, r bot.Request) error {
			if r.Command.Text == "0" && r.By.Name == "ana" {
				<-slow
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, r.By.Name+r.Command.Text)
			return nil
		}
		for i := range 3 {
			d.command(t, d.ana, strconv.Itoa(i))
		}
		d.command(t, d.ben, "0")
		d.next(t)
		close(slow)
		for range 3 {
			d.next(t)
		}
		if want := []string{"ben0", "ana0", "ana1", "ana2"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

func TestFailuresOfTheBotAreContained(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(tries int) error
		tries  int
		told   string
	}{
		"it works the third time":      {func(n int) error { return map[bool]error{true: errors.New("busy")}[n < 3] }, 3, ""},
		"what slack refuses, once":     {func(int) error { return &bot.Refusal{Code: "not_in_channel"} }, 1, ""},
		"a panic, once":                {func(int) error { panic("oops") }, 1, "Something went wrong inside rollcall"},
		"what never works is given up": {func(int) error { return errors.New("busy") }, 10, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, leave := office(t)
				defer leave()
				tries := 0
				keys := map[string]bool{}
				d.bot.handle = func(_ context.Context, r bot.Request) error {
					tries++
					keys[r.Key] = true
					return c.handle(tries)
				}
				d.command(t, d.ana, "start")
				time.Sleep(5 * time.Minute)
				if _, open := d.inbox.count(); tries != c.tries || len(keys) != 1 || open != 0 {
					t.Errorf("%d tries, want %d, under %d keys; %d open", tries, c.tries, len(keys), open)
				}
				seen := d.Ephemerals(d.ana.ID)
				if c.told == "" && len(seen) != 0 || c.told != "" && (len(seen) != 1 || !strings.Contains(seen[0].Text, c.told)) {
					t.Errorf("ana sees %+v", seen)
				}
				d.bot.handle = nil
				d.command(t, d.ana, "status")
				synctest.Wait()
				if len(d.bot.handled) == 0 {
					t.Error("after that, nothing is carried out any more")
				}
			})
		})
	}
}
