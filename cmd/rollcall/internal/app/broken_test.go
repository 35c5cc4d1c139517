package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// C4: the owners of a broken file hear of it, in its channel or past a channel
// that Slack refuses, once, also when Slack was away at first; and nothing that
// stands in the file speaks for us in chat.
func TestTheOwnersOfABrokenFileAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		channel  string
		away     bool // Slack does not answer at first
		directly bool // they are told by themselves
	}{
		"in the channel":            {channel: "#shop"},
		"in the service's own":      {},
		"no such channel":           {channel: "#gone", directly: true},
		"away, then in the channel": {channel: "#shop", away: true},
		"away, and no such channel": {channel: "#gone", away: true, directly: true},
	} {
		t.Run(name, func(t *testing.T) {
			slack := slackfake.New(slackfake.Options{BotToken: "xoxb-here", SigningSecret: "signing-secret-here", BaseURL: "http://127.0.0.1:0"})
			t.Cleanup(slack.Close)
			cho := slack.AddUser(slackfake.User{ID: "U0CHO", Name: "cho", Email: "cho@acme.example"})
			slack.AddChannel(slackfake.Channel{Name: "#shop"})
			slack.AddChannel(slackfake.Channel{Name: "#deploys"})
			var away atomic.Bool
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if away.Load() {
					http.Error(w, "away", http.StatusBadGateway)
					return
				}
				slack.ServeHTTP(w, r)
			}))
			t.Cleanup(s.Close)
			p := newFixture(t, fmt.Sprintf("slack: {apiURL: %q, botToken: {env: BOT_HERE}, signingSecret: {env: SIGN_HERE}, channel: \"#deploys\"}\naccess: {groups: {team: [cho@acme.example]}}\n", s.URL+"/api/"), "BOT_HERE=xoxb-here", "SIGN_HERE=signing-secret-here")
			shop := "name: shop\nowners: [group:team]\n" + strings.ReplaceAll(service[strings.Index(service, "stages:"):], "${{parameters.deploy}}", "it")
			if c.channel != "" {
				shop += fmt.Sprintf("channel: %q\n", c.channel)
			}
			p.write("shop.yaml", shop)
			p.read()
			away.Store(c.away)
			p.write("shop.yaml", shop+"\"<!channel> ```\": 1\n"+"stages: 7\n")
			p.read()
			said := func() (all []slackfake.Message) {
				for _, m := range append(append(slack.Messages("#shop"), slack.Messages("#deploys")...), slack.Direct(cho.ID)...) {
					if strings.Contains(m.Text, "The file of shop is broken and changes nothing; version 1 stays active.") {
						all = append(all, m)
					}
				}
				return all
			}
			if c.away {
				if n := len(said()); n != 0 {
					t.Fatalf("Slack is away, and %d messages came", n)
				}
				away.Store(false)
				p.reportAgain = time.Time{} // a minute goes by
				p.read()
			}
			p.reportAgain = time.Time{}
			p.read()
			all := said()
			if len(all) != 1 || (len(slack.Direct(cho.ID)) == 1) != c.directly || !strings.Contains(slack.Rendered(all[0]), "@cho") {
				t.Fatalf("told %d times, directly %d times", len(all), len(slack.Direct(cho.ID)))
			}
			if raw := fmt.Sprintf("%+v", all[0]); strings.Contains(raw, "<!channel>") || !strings.Contains(slack.Rendered(all[0]), "shop.yaml:") {
				t.Errorf("the message:\n%s", slack.Rendered(all[0]))
			}
			for _, v := range slack.Violations() {
				t.Errorf("Slack would refuse: %+v", v)
			}
		})
	}
}
