package slackfake_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
)

// A workspace shares a server with its page and other things, below a path.
// What it tells the app to call leads back to it.
func TestAWorkspaceBelowAPath(t *testing.T) {
	for name, public := range map[string]string{"found out": "", "said": "/slack-api/"} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			server := httptest.NewServer(mux)
			defer server.Close()
			a := &app{heard: make(chan heard, 10)}
			o := slackfake.Options{BaseURL: "http://app.test", Transport: wirefake.Direct(a)}
			if public != "" {
				o.PublicURL = server.URL + public
			}
			w := slackfake.New(o)
			defer w.Close()
			mux.Handle("/slack-api/", http.StripPrefix("/slack-api", w))
			mux.Handle(slackfake.PagePath, w.Page())
			ana := w.AddUser(slackfake.User{Name: "ana"})
			w.AddChannel(slackfake.Channel{Name: "deploys"})

			api := slack.New("xoxb-local", slack.OptionAPIURL(server.URL+"/slack-api/api/"), slack.OptionAppLevelToken("xapp-local"))
			if who, err := api.AuthTest(); err != nil || who.URL != server.URL+"/slack-api/" {
				t.Fatal(who, err)
			}
			if _, err := w.Command(t.Context(), ana.ID, "deploys", ""); err != nil {
				t.Fatal(err)
			}
			form, err := url.ParseQuery(string((<-a.heard).body))
			if err != nil || !strings.HasPrefix(form.Get("response_url"), server.URL+"/slack-api/response/") {
				t.Fatal(form, err)
			}
			if err := slack.PostWebhookContext(t.Context(), form.Get("response_url"), &slack.WebhookMessage{Text: "later"}); err != nil {
				t.Error(err)
			}
			if s := (browser{t, mux, ana.ID}).state(); len(s.Ephemerals) != 1 || s.Ephemerals[0].Text != "later" {
				t.Errorf("ana sees %+v", s.Ephemerals)
			}

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			socket, ended := socketmode.New(api), make(chan error, 1)
			go func() { ended <- socket.RunContext(ctx) }()
			if err := w.Until(ctx, func() bool { return w.Connected() == 1 }); err != nil {
				t.Error("Socket Mode:", err)
			}
			cancel()
			<-ended
		})
	}
}
