package app

import (
	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
)

// routes are the configuration's as the bot takes them.
func routes(c *config.Config) (all []bot.Route) {
	for i := range c.Slack.Routes {
		r := &c.Slack.Routes[i]
		all = append(all, bot.Route{On: r.Fits, Kinds: r.Kinds, Channel: r.Channel, Also: r.Also, Quiet: r.Quiet})
	}
	return all
}

// digest is the configuration's as the bot takes it; nil: there is none.
func digest(c *config.Config) *bot.Digest {
	d := c.Slack.Digest
	if d == nil {
		return nil
	}
	return &bot.Digest{Channel: d.Channel, Daily: c.DigestAt(), Weekly: d.Weekly == nil || *d.Weekly, Freezes: c.Freezes()}
}
