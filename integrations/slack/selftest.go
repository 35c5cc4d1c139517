package slack

import (
	"context"
	"errors"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// Checks is the self-test for somebody who looks once: which workspace and app
// the bot token belongs to, what [Client.Checkup] finds, and whether Slack would
// give a connection by Socket Mode. None is opened, and nothing is posted.
func (c *Client) Checks(ctx context.Context) []selftest.Result {
	id, err := c.Identity(ctx)
	var refused *bot.Refusal
	switch {
	case errors.As(err, &refused):
		f := c.tokenFault(refused)
		return []selftest.Result{failedCheck("token", f)}
	case err != nil:
		return []selftest.Result{away(err)}
	}
	app := ""
	if id.App != "" {
		app = ", app " + id.App
	}
	checks := []selftest.Result{{About: "workspace", Status: selftest.OK, Message: id.TeamName + " (" + id.Team + app + ")"},
		{About: "token", Status: selftest.OK, Message: "slack.botToken does not end: the app has no token rotation"}}
	faults, err := c.Checkup(ctx)
	if err != nil {
		return append(checks, away(err))
	}
	for _, f := range faults {
		checks = append(checks, failedCheck("app", f))
	}
	if len(faults) == 0 {
		checks = append(checks, selftest.Result{About: "app", Status: selftest.OK, Message: "has every scope that it needs"})
		for _, name := range c.postingChannels(ctx) {
			checks = append(checks, selftest.Result{About: "channel " + name, Status: selftest.OK, Message: "can be posted to"})
		}
	}
	if c.o.AppToken != "" {
		checks = append(checks, c.socketCheck(ctx))
	}
	if c.o.SigningSecret != "" {
		checks = append(checks, selftest.Result{About: "signing secret", Status: selftest.Unknown, Message: "only a request of Slack's shows whether it is right",
			Fix: []string{"type the slash command: with a wrong one Slack says that the app did not respond, and the log of the service says 401"}})
	}
	return checks
}

func failedCheck(about string, f Fault) selftest.Result {
	return selftest.Result{About: about, Status: selftest.Failed, Message: f.What, Fix: []string{f.Fix}}
}

func away(err error) selftest.Result {
	return selftest.Result{About: "workspace", Status: selftest.Failed, Message: "Slack cannot be asked: " + wire.Scrub(err).Error(), Fix: []string{"check the network, the proxy and slack.apiURL"}}
}

// socketCheck asks for a connection as the service does, and does not open it.
func (c *Client) socketCheck(ctx context.Context) selftest.Result {
	err := c.do(ctx, openSocket, "", func(ctx context.Context) error {
		_, _, err := c.api.StartSocketModeContext(ctx)
		return err
	})
	var refused *bot.Refusal
	switch {
	case errors.As(err, &refused):
		f := Fault{What: "Slack does not take slack.appToken (" + refused.Code + ").", Fix: refused.Hint}
		if kind, better := token.AppFault(c.o.AppToken); kind != "" {
			f.What, f.Fix = "slack.appToken "+kind+".", better
		}
		return failedCheck("Socket Mode", f)
	case err != nil:
		return away(err)
	}
	return selftest.Result{About: "Socket Mode", Status: selftest.OK, Message: "Slack gives connections"}
}
