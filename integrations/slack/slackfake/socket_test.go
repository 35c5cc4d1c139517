package slackfake_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// connected runs slack-go's Socket Mode client against a workspace until the test ends.
// An app has so long to acknowledge a request; zero: as long as Slack gives it.
func connected(t *testing.T, within time.Duration, hear func(*socketmode.Client, socketmode.Event)) (*slackfake.Server, slackfake.User) {
	t.Helper()
	w := slackfake.New(slackfake.Options{AnswerWithin: within})
	server := httptest.NewServer(w)
	ana := w.AddUser(slackfake.User{Name: "ana"})
	w.AddChannel(slackfake.Channel{Name: "deploys"})
	c := socketmode.New(slack.New("xoxb-local", slack.OptionAPIURL(server.URL+"/api/"), slack.OptionAppLevelToken("xapp-local")))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.RunContext(ctx) }()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for {
			select {
			case e := <-c.Events:
				hear(c, e)
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		<-heard
		w.Close()
		server.Close()
	})
	return w, ana
}

func TestSocketModeCarriesRequestsAndAnswers(t *testing.T) {
	w, ana := connected(t, time.Minute, func(c *socketmode.Client, e socketmode.Event) {
		if cmd, ok := e.Data.(slack.SlashCommand); ok {
			_ = c.Ack(*e.Request, map[string]any{"text": "you said " + cmd.Text})
		}
	})
	ack, err := w.Command(t.Context(), ana.ID, "deploys", "status")
	if err != nil || ack.Status != 200 || len(w.Ephemerals(ana.ID)) != 1 || w.Ephemerals(ana.ID)[0].Text != "you said status" {
		t.Fatal(ack, err, texts(w.Ephemerals(ana.ID)))
	}

	// Slack asks for a new connection every few hours; it may also just break.
	for _, end := range []func(){func() { w.Refresh("refresh_requested") }, w.Cut} {
		end()
		deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := w.Until(deadline, func() bool { return w.Connected() == 1 })
		if err != nil {
			t.Fatal("the app did not come back:", err)
		}
		if _, err := w.Command(t.Context(), ana.ID, "deploys", "again"); err != nil {
			t.Error("after coming back:", err)
		}
	}
}

func TestSocketModeWaitsThreeSecondsForAnAcknowledgement(t *testing.T) {
	w, ana := connected(t, 0, func(*socketmode.Client, socketmode.Event) {})
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.Until(deadline, func() bool { return w.Connected() == 1 }); err != nil {
		t.Fatal(err)
	}
	_, err := w.Command(t.Context(), ana.ID, "deploys", "")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(w.Ephemerals(ana.ID)[0].Text, "operation_timeout") {
		t.Error(err, texts(w.Ephemerals(ana.ID)))
	}
}
