package slack

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	sweepEvery = 30 * time.Second
	// sweepAge is more than an acknowledgement may take, so that a sweep never
	// overtakes a request that is just being taken.
	sweepAge = 10 * time.Second
)

// Run pins workspace and app, checks the app's set-up, takes up what an earlier process left undone,
// keeps the Socket Mode connection when there is an app token, and carries
// requests out. It returns when ctx has ended and what was being carried out
// is done, or has been left for the next start.
func (r *Receiver) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() {
		r.pin(ctx)
		r.examine(ctx)
	})
	parts.Go(func() { r.recover(ctx) })
	if r.c.o.AppToken != "" {
		parts.Go(func() { r.listen(ctx) })
	}
	<-ctx.Done()
	parts.Wait()
	r.carrier.end()
	return nil
}

// pin asks Slack which workspace and app this is until it knows. Requests are
// taken until then on their signature alone, and wait.
func (r *Receiver) pin(ctx context.Context) {
	retry(ctx, func() bool {
		_, err := r.c.Identity(ctx)
		var refused *bot.Refusal
		switch {
		case err == nil:
			return true
		case errors.As(err, &refused):
			if f := r.c.tokenRefused(refused); r.c.nag.due("token "+f.Code, r.c.now()) {
				r.c.log.Error("slack: "+f.What+" The service runs, and tries again.", "code", f.Code, "fix", f.Fix)
			}
		case ctx.Err() == nil:
			r.c.unreachable(err)
		}
		return false
	})
}

// unreachable says, once per minute, that Slack cannot be asked. Both ways to
// it say it here, because both fail together.
func (c *Client) unreachable(err error) {
	if c.nag.due("unreachable", c.now()) {
		c.log.Warn("slack cannot be reached; the service runs, and tries again", "address", c.o.APIURL, "error", err,
			"fix", "look at the network, the name service, a proxy that is needed (HTTPS_PROXY) and slack.apiURL")
	}
}

// recover hands over what was acknowledged and not finished, then lets work
// begin, and from then on looks whether something durable was forgotten.
func (r *Receiver) recover(ctx context.Context) {
	retry(ctx, func() bool { return r.sweep(ctx, 0) })
	r.carrier.start(ctx)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.sweep(ctx, sweepAge)
		case <-ctx.Done():
			return
		}
	}
}

// sweep takes up receipts of at least that age and says whether it could look.
func (r *Receiver) sweep(ctx context.Context, age time.Duration) bool {
	list := func() ([]work.Receipt, error) {
		pending, err := r.inbox.Pending(ctx, source)
		young := func(p work.Receipt) bool { return r.c.now().Sub(p.At) < age }
		return slices.DeleteFunc(pending, young), err
	}
	added, err := r.carrier.sweep(list, func(p work.Receipt) string {
		var in inbound
		if json.Unmarshal(p.Payload, &in) != nil {
			return ""
		}
		// A receipt that cannot be read has no line of its own; carry says what is wrong.
		req, _ := in.request(p.Key)
		return req.Reply.User
	})
	switch {
	case err != nil && ctx.Err() == nil:
		r.c.log.Error("requests that wait to be carried out cannot be read; trying again", "error", err)
	case added > 0:
		r.c.log.Info("taking up requests that were left undone", "count", added)
	}
	return err == nil
}

// retry calls f until it says that it worked, after 1 s, doubling to 60 s.
func retry(ctx context.Context, f func() bool) {
	for pause := time.Second; ctx.Err() == nil && !f(); pause = min(2*pause, time.Minute) {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}
