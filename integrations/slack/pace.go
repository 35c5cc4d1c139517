package slack

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// pacer spaces calls as Slack's rate limits ask. Each method has a bucket of its
// own, and chat.postMessage one per channel and one for the workspace, so edits of
// cards never delay a gate's question, and a busy channel never delays another.
//
// An answer to a person waits for its turn. Anything else stands in the bucket's
// line and is asked again when its turn is expected: it costs no goroutine, and
// what it shows is drawn as late as possible.
type pacer struct {
	unpaced bool // no limits but those that Slack asks for with Retry-After

	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket is how many calls of one kind Slack takes.
type bucket struct {
	limit
	tokens float64   // calls that may be made at once; below zero: answers that wait have taken them
	at     time.Time // when tokens was right
	until  time.Time // Slack asked for no calls before
	line   line
}

// limit is one of Slack's limits.
type limit struct {
	rate    float64 // calls per second; 0: no limit
	burst   float64 // calls at once after a rest
	reserve float64 // of those, what is left for questions and answers by progress; news leave half of it
}

// turn is a call that wants to be made.
type turn struct {
	method, key string      // key distinguishes the rate limits of one method
	urgency     bot.Urgency // an Answer waits …
	id          string      // … all else is known by it when it comes again
}

func newPacer(unpaced bool) *pacer { return &pacer{unpaced: unpaced, buckets: map[string]*bucket{}} }

// workspace is the key of the limit that all channels share.
const workspace = "\x00workspace"

// limitOf returns a method's limit: Slack's tiers, with room for a short burst.
func limitOf(method, key string) limit {
	perMinute := func(n float64) limit { return limit{rate: n / 60, burst: n / 2} }
	switch method {
	case "chat.postMessage":
		if key == workspace {
			return limit{rate: 5, burst: 20, reserve: 5} // Slack speaks of several hundred per minute
		}
		return limit{rate: 1, burst: 5, reserve: 2}
	case "chat.update":
		return limit{rate: 50.0 / 60, burst: 12, reserve: 4}
	case "conversations.list", "usergroups.list", "usergroups.users.list":
		return perMinute(20)
	case "conversations.history", "conversations.replies", "conversations.open", "conversations.join", "conversations.info", "chat.unfurl", "users.lookupByEmail":
		return perMinute(50)
	case "users.info", "chat.postEphemeral", "views.open", "views.update", "views.publish":
		return perMinute(100)
	}
	return limit{}
}

// bucketsOf are those that a call takes from; the first holds its line. p.mu is locked.
func (p *pacer) bucketsOf(method, key string, now time.Time) []*bucket {
	all := []*bucket{p.bucket(method, key, now)}
	if method == "chat.postMessage" {
		all = append(all, p.bucket(method, workspace, now))
	}
	return all
}

func (p *pacer) bucket(method, key string, now time.Time) *bucket {
	name := method + " " + key
	b := p.buckets[name]
	if b == nil {
		b = &bucket{}
		if !p.unpaced {
			b.limit = limitOf(method, key)
		}
		b.tokens, b.at = b.burst, now
		p.buckets[name] = b
	}
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	return b
}

// take takes the call's turn. An answer waits for it; when that would be after
// ctx ends it does not wait at all: the error is a *wire.Later. Anything else
// whose turn has not come is a *bot.Postponed.
func (p *pacer) take(ctx context.Context, c turn) error {
	if c.urgency == bot.Answer {
		return p.wait(ctx, c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	all := p.bucketsOf(c.method, c.key, now)
	ahead := all[0].line.join(c, now)
	var delay time.Duration
	for i, b := range all {
		if i > 0 {
			ahead = 0
		}
		delay = max(delay, b.delay(now, c.urgency, ahead))
	}
	if delay > 0 {
		all[0].line.expect(c.id, now.Add(delay))
		return &bot.Postponed{After: delay}
	}
	all[0].line.leave(c.id)
	for _, b := range all {
		b.tokens--
	}
	return ctx.Err()
}

// delay is how long it takes until a call has its turn that has so many ahead of it.
func (b *bucket) delay(now time.Time, u bot.Urgency, ahead int) time.Duration {
	paused := max(0, b.until.Sub(now))
	if b.rate == 0 {
		return paused
	}
	need := float64(ahead) + 1
	switch u {
	case bot.Progress:
		need += b.reserve
	case bot.News:
		need += b.reserve / 2
	}
	if b.tokens >= need {
		return paused
	}
	return max(paused, time.Duration((need-b.tokens)/b.rate*float64(time.Second))+time.Millisecond)
}

// wait waits for the turn of an answer.
func (p *pacer) wait(ctx context.Context, c turn) error {
	now := time.Now()
	p.mu.Lock()
	all := p.bucketsOf(c.method, c.key, now)
	var delay time.Duration
	for _, b := range all {
		delay = max(delay, b.delay(now, c.urgency, 0))
	}
	if end, ok := ctx.Deadline(); ok && end.Sub(now) < delay {
		p.mu.Unlock()
		return &wire.Later{After: delay}
	}
	for _, b := range all {
		b.tokens--
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
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, b := range all {
			b.tokens++
		}
		return ctx.Err()
	}
}

// pause allows no calls for as long as Slack asked.
func (p *pacer) pause(method, key string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.bucket(method, key, time.Now())
	if until := time.Now().Add(d); until.After(b.until) {
		b.until = until
	}
}
