package slackfake_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// posted posts a message.
func posted(o *office, channel string) error {
	_, _, err := o.api.PostMessage(channel, slack.MsgOptionText("x", false))
	return err
}

// A channel takes a message a second after a small burst; another channel is not
// delayed, and whoever waits as long as Slack says gets through.
func TestAChannelTakesAMessageASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		o.AddChannel(slackfake.Channel{Name: "#other"})
		post := func(channel string) error {
			return posted(o, channel)
		}
		for range 20 {
			if err := post("#deploys"); err != nil {
				t.Fatal("a limit that nobody switched on:", err)
			}
		}
		o.Enforce(slackfake.SlackBudgets())
		for range 5 {
			if err := post("#deploys"); err != nil {
				t.Fatal("the burst was refused:", err)
			}
		}
		var limited *slack.RateLimitedError
		if err := post("deploys"); !errors.As(err, &limited) || limited.RetryAfter != time.Second {
			t.Fatalf("the sixth message at once: %v", err)
		}
		if err := post("#other"); err != nil {
			t.Error("another channel was limited too:", err)
		}
		start, sent := time.Now(), 0
		for time.Since(start) < time.Minute {
			switch err := post("#deploys"); {
			case err == nil:
				sent++
			case errors.As(err, &limited):
				time.Sleep(limited.RetryAfter)
			default:
				t.Fatal(err)
			}
		}
		if sent < 59 || sent > 60 || len(o.Messages("#deploys")) != 20+5+sent {
			t.Errorf("%d messages in a minute, %d in the channel", sent, len(o.Messages("#deploys")))
		}
		if o.Limited("chat.postMessage") != o.Limited("") || o.Limited("") == 0 || o.Limited("chat.update") != 0 {
			t.Error("the calls that were turned away are counted wrong")
		}
		o.Enforce(nil)
		for range 10 {
			if err := post("#deploys"); err != nil {
				t.Error("a limit that was switched off:", err)
			}
		}
	})
}

// Every method with a budget is limited to it in the long run, and the whole
// workspace takes several hundred messages a minute however many channels it has.
func TestBudgetsOfMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		_, ts, err := o.api.PostMessage("#deploys", slack.MsgOptionText("x", false))
		if err != nil {
			t.Fatal(err)
		}
		o.Enforce(slackfake.SlackBudgets())
		perMinute := func(call func() error) (n int) {
			for start := time.Now(); time.Since(start) < 10*time.Minute; time.Sleep(50 * time.Millisecond) {
				if err := call(); err == nil {
					n++
				}
			}
			return n / 10
		}
		if n := perMinute(func() error {
			_, _, _, err := o.api.UpdateMessage(o.deploys.ID, ts, slack.MsgOptionText("y", false))
			return err
		}); n < 50 || n > 53 {
			t.Errorf("chat.update: %d a minute", n)
		}
		if n := perMinute(func() error {
			_, err := o.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: o.ana.ID, View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{section("x")}}}})
			return err
		}); n < 100 || n > 106 {
			t.Errorf("views.publish: %d a minute", n)
		}
		var channels []string
		for i := range 50 {
			channels = append(channels, o.AddChannel(slackfake.Channel{Name: fmt.Sprintf("#many-%d", i)}).ID)
		}
		i := 0
		if n := perMinute(func() error {
			i++
			return posted(o, channels[i%50])
		}); n < 300 || n > 311 {
			t.Errorf("chat.postMessage in fifty channels: %d a minute", n)
		}
	})
}

func TestAResponseURLHasABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t)
		defer o.Close()
		if _, err := o.Command(t.Context(), o.ana.ID, "deploys", ""); err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(string((<-o.app.heard).body))
		if err != nil {
			t.Fatal(err)
		}
		o.Enforce(slackfake.Budgets{slackfake.ResponseURLs: {PerMinute: 60, Burst: 1, PerChannel: true}})
		answer := func() (int, string) {
			res, err := httpClient(o.Server).Post(form.Get("response_url"), "application/json", strings.NewReader(`{"text":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			return res.StatusCode, res.Header.Get("Retry-After")
		}
		if status, _ := answer(); status != http.StatusOK {
			t.Errorf("the first answer: %d", status)
		}
		if status, after := answer(); status != http.StatusTooManyRequests || after != "1" {
			t.Errorf("the second answer at once: %d, Retry-After %q", status, after)
		}
		time.Sleep(time.Second)
		if status, _ := answer(); status != http.StatusOK {
			t.Errorf("the answer a second later: %d", status)
		}
		if got := len(o.Ephemerals(o.ana.ID)); got < 2 {
			t.Errorf("%d answers were seen", got)
		}
	})
}
