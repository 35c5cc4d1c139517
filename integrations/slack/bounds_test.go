package slack

import (
	"errors"
	"net/http"
	"testing"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire/wiretest"
)

// T4, T8: a call with the bot token. A *bot.Refusal is what is not asked again.
func TestCredentialsAndMemoryStayAtHome(t *testing.T) {
	wiretest.Bounds(t, func(t *testing.T, base string, tr http.RoundTripper) (bool, error) {
		_, err := New(Options{APIURL: base, BotToken: "xoxb-1", Transport: tr, Unpaced: true}).Identity(t.Context())
		_, final := errors.AsType[*bot.Refusal](err)
		return !final, err
	})
}
