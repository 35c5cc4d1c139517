package slack_test

import (
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// A token that was withdrawn is told apart from a Slack that is away, and from one that takes it.
func TestWhetherTheBotTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := checked(t, "#deploys")
		for _, want := range []string{"", "account_inactive", "token_revoked", "token_expired"} {
			if want != "" {
				d.Faults.Add(slackfake.On("auth.test", slackfake.Refusal(want, "")))
			}
			if got, err := d.client.Refused(t.Context()); got != want || err != nil {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		d.Faults.Add(slackfake.On("auth.test", slackfake.Refusal("internal_error", "")))
		if got, err := d.client.Refused(t.Context()); got != "" || err == nil {
			t.Errorf("Slack away: %q, %v", got, err)
		}
	})
}
