package slack

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// Run pins workspace and app, checks the app's set-up, takes up what an earlier process left undone,
// keeps the Socket Mode connection when there is an app token, and processes
// requests. It returns when ctx has ended and what was being processed is done,
// or has been left for the next start.
func (r *Receiver) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() {
		r.pin(ctx)
		r.checkSameApp()
		r.runCheckups(ctx)
	})
	if r.c.o.AppToken != "" {
		parts.Go(func() { r.listen(ctx) })
	}
	err := r.inbox.Run(ctx)
	parts.Wait()
	return err
}

// pin asks Slack which workspace and app this is until it knows. Requests are
// taken until then on their signature alone, and wait.
func (r *Receiver) pin(ctx context.Context) {
	wire.Backoff(ctx, time.Second, time.Minute, func() bool {
		_, err := r.c.Identity(ctx)
		var refused *bot.Refusal
		switch {
		case err == nil:
			return true
		case errors.As(err, &refused):
			if f := r.c.tokenFault(refused); r.c.logLimit.allow("token "+f.Code, r.c.now()) {
				r.c.log.Error("slack: "+f.What+" The service runs, and tries again.", "code", f.Code, "fix", f.Fix)
			}
		case ctx.Err() == nil:
			r.c.logUnreachable(err)
		}
		return false
	})
}

// logUnreachable says, once per minute, that Slack cannot be asked, or wants to be
// asked later. Both ways to it say it here, because both fail together.
func (c *Client) logUnreachable(err error) {
	if later := new(wire.Later); errors.As(err, &later) {
		if c.logLimit.allow("limited", c.now()) {
			c.log.Warn("slack limits how often it may be asked; the service runs, and asks again when Slack allows", "in", later.After.Round(time.Second),
				"fix", "nothing, if it passes; else look whether other processes use the same tokens")
		}
		return
	}
	if c.logLimit.allow("unreachable", c.now()) {
		c.log.Warn("slack cannot be reached; the service runs, and tries again", "address", c.o.APIURL, "error", err,
			"fix", "look at the network, the name service, a proxy that is needed (HTTPS_PROXY) and slack.apiURL")
	}
}
