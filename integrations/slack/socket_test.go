package slack_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// patient is how long requests over real sockets may take.
const patient = time.Minute

// wired is a desk that is connected by Socket Mode, over real sockets, and by
// nothing else; it has so long to acknowledge a request.
func wired(t *testing.T, within time.Duration) *desk {
	t.Helper()
	d := &desk{inbox: &inbox{}, bot: &robot{handled: make(chan bot.Request, 100)}, log: &logbook{}}
	d.Server = slackfake.New(slackfake.Options{BotToken: botToken, AppToken: appToken, AnswerWithin: within})
	d.Grant(names()...)
	server := httptest.NewServer(d.Server)
	d.ana = d.AddUser(slackfake.User{Name: "ana", Email: "ana@acme.example"})
	d.deploys = d.AddChannel(slackfake.Channel{Name: "deploys"})
	d.client = slack.New(slack.Options{APIURL: server.URL + "/api/", BotToken: botToken, AppToken: appToken, Log: slog.New(slog.NewTextHandler(d.log, nil))})
	d.receiver = d.client.Receive(d.inbox, d.bot)
	d.run(t)
	t.Cleanup(func() {
		d.stop()
		d.Close()
		server.Close()
	})
	d.connected(t)
	return d
}

// connected waits for the Socket Mode connection.
func (d *desk) connected(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.Until(ctx, func() bool { return d.Connected() == 1 }); err != nil {
		t.Fatal("no socket mode connection:", err, d.log)
	}
}

func TestSocketModeTakesTheSameWay(t *testing.T) {
	d := wired(t, patient)
	d.bot.handle = func(ctx context.Context, r bot.Request) error {
		if r.Command != nil && r.Command.Text == "reject" {
			return d.client.Open(ctx, r.Reply, reasonForm())
		}
		return nil
	}
	d.bot.answer = func(r bot.Request) any {
		if r.Interaction != nil && r.Interaction.Type == goslack.InteractionTypeViewSubmission && len(r.Interaction.View.State.Values["reason"]["reason"].Value) < 5 {
			return goslack.NewErrorsViewSubmissionResponse(map[string]string{"reason": "say more"})
		}
		return nil
	}

	d.types(t, "status webshop")
	if r := d.next(t); r.Command.Text != "status webshop" || r.By.ID != "slack:"+d.ana.ID || r.By.Email != "ana@acme.example" || !strings.HasPrefix(r.Key, "slack/") {
		t.Errorf("command: %+v by %+v", r.Command, r.By)
	}

	at, err := d.client.Post(t.Context(), bot.Message{Channel: "#deploys", Text: "x", Blocks: []goslack.Block{row("approve")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Click(t.Context(), d.ana.ID, slackfake.Target{Channel: at.Channel, TS: at.TS}, "approve"); err != nil {
		t.Fatal(err)
	}
	if r := d.next(t); r.Interaction.ActionCallback.BlockActions[0].ActionID != "approve" || r.Reply.ResponseURL == "" {
		t.Errorf("click: %+v", r)
	}

	asked := 0
	for len(d.Views(d.ana.ID)) == 0 { // a form must be open three seconds after it was asked for
		asked++
		d.types(t, "reject")
		d.next(t)
	}
	form := d.Views(d.ana.ID)[0]
	if _, err := d.Submit(t.Context(), d.ana.ID, form.ID, map[string]string{"reason": "no"}); err != nil || d.Views(d.ana.ID)[0].Errors["reason"] != "say more" {
		t.Error("errors of a form come in the acknowledgement:", err)
	}
	if _, err := d.Submit(t.Context(), d.ana.ID, form.ID, map[string]string{"reason": "it smells"}); err != nil || len(d.Views(d.ana.ID)) != 0 {
		t.Error(err)
	}
	if r := d.next(t); r.Interaction.View.CallbackID != "reject" {
		t.Errorf("form: %+v", r)
	}

	if _, err := d.OpenHome(t.Context(), d.ana.ID); err != nil {
		t.Error(err)
	}
	if r := d.next(t); r.Home != d.ana.ID {
		t.Errorf("home: %+v", r)
	}
	if _, err := d.Emit(t.Context(), map[string]any{"type": "link_shared", "user": d.ana.ID, "channel": d.deploys.ID, "message_ts": "1.2", "source": "conversations_history",
		"links": []map[string]string{{"domain": "rollcall.test", "url": "https://rollcall.test/executions/1"}}}); err != nil {
		t.Error(err)
	}
	if r := d.next(t); r.Links == nil || r.Links.At.Channel != d.deploys.ID || len(r.Links.URLs) != 1 {
		t.Errorf("links: %+v", r.Links)
	}
	// slack-go cannot parse this one, and acknowledges nothing by itself.
	if ack, err := d.Emit(t.Context(), map[string]any{"type": "brand_new", "user": d.ana.ID}); err != nil || ack.Status != 200 {
		t.Error("an event of an unknown kind was not acknowledged:", ack, err)
	}
	eventually(t, func() bool {
		all, open := d.inbox.count()
		return all == 5+asked && open == 0
	})
}

// types lets Ana type a command, which is acknowledged.
func (d *desk) types(t *testing.T, text string) {
	t.Helper()
	if _, err := d.Command(t.Context(), d.ana.ID, "deploys", text); err != nil {
		t.Fatal("the command was not acknowledged:", err)
	}
}

// eventually waits for what happens behind a socket.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen within a minute")
		}
	}
}

func TestSocketModeAcknowledgesNothingThatIsNotDurable(t *testing.T) {
	d := wired(t, time.Second)
	d.inbox.mu.Lock()
	d.inbox.broken = errors.New("disk full")
	d.inbox.mu.Unlock()
	if _, err := d.Command(t.Context(), d.ana.ID, "deploys", "start"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("acknowledged:", err)
	}
	if len(d.bot.handled) != 0 {
		t.Error("handled")
	}
}

func TestSocketModeComesBack(t *testing.T) {
	d := wired(t, patient)
	for name, end := range map[string]func(){"asked to": func() { d.Refresh("refresh_requested") }, "cut off": d.Cut} {
		end()
		d.connected(t)
		d.types(t, name)
		if r := d.next(t); r.Command.Text != name {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if log := d.log.String(); strings.Contains(log, "very-secret") || strings.Contains(log, "ticket=") {
		t.Error("the log holds a secret:", log)
	}
}

func TestSocketModeDropsOtherTeamsAndApps(t *testing.T) {
	d := &desk{inbox: &inbox{}, bot: &robot{handled: make(chan bot.Request, 100)}, log: &logbook{}}
	d.Server = slackfake.New(slackfake.Options{BotToken: botToken, AppToken: appToken})
	// The connection belongs to another workspace than the bot token.
	other := slackfake.New(slackfake.Options{BotToken: botToken, AppToken: appToken, Team: "T9", App: "A9", AnswerWithin: patient})
	here, there := httptest.NewServer(d.Server), httptest.NewServer(other)
	defer here.Close()
	defer there.Close()
	d.client = slack.New(slack.Options{
		APIURL: here.URL + "/api/", BotToken: botToken, AppToken: appToken, Log: slog.New(slog.NewTextHandler(d.log, nil)),
		Transport: elsewhere{"/api/apps.connections.open", there.URL},
	})
	d.receiver = d.client.Receive(d.inbox, d.bot)
	d.run(t)
	defer func() {
		d.stop()
		d.Close()
		other.Close()
	}()
	ana := other.AddUser(slackfake.User{Name: "ana"})
	other.AddChannel(slackfake.Channel{Name: "deploys"})
	if ack, err := other.Command(t.Context(), ana.ID, "deploys", "start"); err != nil || ack.Status != 200 {
		t.Error("it is acknowledged, so that slack does not repeat it:", ack, err)
	}
	if all, _ := d.inbox.count(); all != 0 || len(d.bot.handled) != 0 || !strings.Contains(d.log.String(), "another workspace or app") {
		t.Errorf("%d receipts, log %s", all, d.log)
	}
}
