package slack

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// pacer spaces calls as Slack's rate limits ask. Each method has a bucket of its
// own, and chat.postMessage one per channel, so edits of cards never delay a
// gate's question, and a busy channel never delays another.
type pacer struct {
	unpaced bool // no limits but those that Slack asks for with Retry-After

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	until   time.Time // Slack asked for no calls before
}

func newPacer(unpaced bool) *pacer { return &pacer{unpaced: unpaced, buckets: map[string]*bucket{}} }

// limits returns a method's rate: Slack's tiers, with room for a short burst.
func limits(method string) *rate.Limiter {
	perMinute := func(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(float64(n)/60), n/2) }
	switch method {
	case "chat.postMessage":
		return rate.NewLimiter(1, 4)
	case "conversations.list", "usergroups.list", "usergroups.users.list":
		return perMinute(20)
	case "chat.update", "conversations.history", "conversations.replies", "conversations.open", "conversations.join", "users.lookupByEmail":
		return perMinute(50)
	case "users.info", "chat.postEphemeral", "views.open", "views.update", "views.publish":
		return perMinute(100)
	}
	return rate.NewLimiter(rate.Inf, 1)
}

func (p *pacer) bucket(method, key string) *bucket {
	name := method + " " + key
	l := p.buckets[name]
	if l == nil {
		l = &bucket{limiter: rate.NewLimiter(rate.Inf, 1)}
		if !p.unpaced {
			l.limiter = limits(method)
		}
		p.buckets[name] = l
	}
	return l
}

// wait waits for the call's turn. When that would be after ctx ends it does
// not wait at all: the error is a *wire.Later.
func (p *pacer) wait(ctx context.Context, method, key string) error {
	now := time.Now()
	p.mu.Lock()
	l := p.bucket(method, key)
	turn := l.limiter.ReserveN(now, 1)
	delay := max(turn.DelayFrom(now), l.until.Sub(now))
	if end, ok := ctx.Deadline(); ok && end.Sub(now) < delay {
		turn.CancelAt(now)
		p.mu.Unlock()
		return &wire.Later{After: delay}
	}
	p.mu.Unlock()
	if delay <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause allows no calls for as long as Slack asked.
func (p *pacer) pause(method, key string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.bucket(method, key)
	if until := time.Now().Add(d); until.After(l.until) {
		l.until = until
	}
}
