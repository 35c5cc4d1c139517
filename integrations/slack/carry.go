package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	waitingLimit = 2000             // requests that wait to be carried out; more are not taken
	atOnce       = 16               // requests that are carried out at the same time
	persistence  = 90 * time.Second // how long a request is tried while Slack or the store does not answer
	handleLimit  = time.Minute      // of one try
	drainLimit   = 5 * time.Second  // of what is being carried out when the process ends
	tooOld       = 12 * time.Hour   // requests found at the start that are dropped; their tokens would be forgotten soon
)

// carrier carries accepted requests out in the background: those of one person
// one after the other, those of different people side by side. What it has not
// finished when it ends is found in the inbox at the next start.
type carrier struct {
	do    func(ctx context.Context, r work.Receipt) // returns when the request is done or left for the next start
	slots chan struct{}
	work  sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context // nil until start
	closed  bool            // no line begins any more
	known   map[string]bool // keys in lines
	ended   map[string]bool // keys that left the lines during a sweep; nil when there is none
	lines   map[string][]work.Receipt
	waiting int
}

func newCarrier(do func(context.Context, work.Receipt)) *carrier {
	return &carrier{do: do, slots: make(chan struct{}, atOnce), known: map[string]bool{}, lines: map[string][]work.Receipt{}}
}

func (c *carrier) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting >= waitingLimit
}

// add puts a durable request at the end of its person's line.
func (c *carrier) add(r work.Receipt, user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(r, user)
}

func (c *carrier) put(r work.Receipt, user string) {
	if c.known[r.Key] {
		return
	}
	c.known[r.Key] = true
	c.waiting++
	c.lines[user] = append(c.lines[user], r)
	if c.ctx != nil && !c.closed && len(c.lines[user]) == 1 {
		c.work.Go(func() { c.line(user) })
	}
}

// sweep adds what is durable and in no line: what an earlier process left, and
// what became durable although the inbox could not say so in time. list reads
// the inbox; what ends while it does is not taken up again.
func (c *carrier) sweep(list func() ([]work.Receipt, error), user func(work.Receipt) string) (added int, err error) {
	c.mu.Lock()
	c.ended = map[string]bool{}
	c.mu.Unlock()
	receipts, err := list()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range receipts {
		if !c.known[r.Key] && !c.ended[r.Key] {
			c.put(r, user(r))
			added++
		}
	}
	c.ended = nil
	return added, err
}

// start begins to work, and goes on until ctx ends.
func (c *carrier) start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
	for user := range c.lines {
		c.work.Go(func() { c.line(user) })
	}
}

// end waits for what is being carried out; what is added from now on waits in
// the inbox. The flag is set under the lock that begins lines, so that none
// begins while they are waited for.
func (c *carrier) end() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.work.Wait()
}

// line carries one person's requests out until there are none.
func (c *carrier) line(user string) {
	for {
		c.mu.Lock()
		line := c.lines[user]
		if len(line) == 0 || c.ctx.Err() != nil {
			if len(line) == 0 {
				delete(c.lines, user)
			}
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		c.do(c.ctx, line[0])
		c.mu.Lock()
		c.lines[user] = c.lines[user][1:]
		c.waiting--
		delete(c.known, line[0].Key)
		if c.ended != nil {
			c.ended[line[0].Key] = true
		}
		c.mu.Unlock()
	}
}

// slot runs f when fewer than atOnce others run.
func (c *carrier) slot(ctx context.Context, f func() error) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.slots }()
	return f()
}

// carry carries one request out: find out who asks, hand it to the bot, note
// that it is done. When ctx ends first, it stays in the inbox.
func (r *Receiver) carry(ctx context.Context, receipt work.Receipt) {
	log := r.c.log.With("key", receipt.Key)
	var in inbound
	err := json.Unmarshal(receipt.Payload, &in)
	var req bot.Request
	if err == nil {
		req, err = in.request(receipt.Key)
	}
	if err == nil && r.c.now().Sub(receipt.At) > tooOld {
		r.tell(ctx, req, "What you asked for was not done: rollcall was away for too long. Nothing has changed; ask again if you still want it.")
		err = errors.New("it is too old")
	} else if err == nil {
		err = r.perform(ctx, in, req)
	}
	if ctx.Err() != nil && err != nil {
		log.Info("a request is left for the next start")
		return
	}
	result := []byte(`{}`)
	if err != nil {
		log.Error("a request of slack's was not carried out", "kind", in.Kind, "user", req.Reply.User, "error", err)
		result = []byte(`{"carriedOut":false}`)
	}
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	if err := r.inbox.Finish(done, receipt.Key, result); err != nil {
		log.Error("a request was carried out, but that could not be noted; it will be handed over again and act no second time", "error", err)
	}
}

// notOurs is the refusal of a request that turned out to be another workspace's.
const notOurs = "foreign"

// perform resolves the person and hands the request to the bot.
func (r *Receiver) perform(ctx context.Context, in inbound, req bot.Request) error {
	err := r.persist(ctx, func(ctx context.Context) error {
		id, err := r.c.Identity(ctx)
		if err != nil {
			return err
		}
		if in.Team != "" && !id.owns(in) { // empty: taken by an earlier version, which had looked
			return &bot.Refusal{Code: notOurs, Hint: "another workspace's or another app's request, taken before Slack said which are ours"}
		}
		req.By, err = r.who(ctx, in, req.Reply.User)
		return err
	})
	if err != nil {
		if ctx.Err() == nil && code(err) != notOurs {
			r.tell(ctx, req, unchecked(err))
		}
		return fmt.Errorf("could not check who asks: %w", err)
	}
	err = r.persist(ctx, func(ctx context.Context) error { return r.bot.Handle(ctx, req) })
	var broken *panicked
	if errors.As(err, &broken) {
		r.tell(ctx, req, "Something went wrong inside rollcall. Look before you try again; the operators find it in the log under "+short(req.Key)+".")
	}
	r.mention(ctx, req)
	return err
}

// unchecked tells somebody why rollcall does not know who they are.
func unchecked(err error) string {
	var refused *bot.Refusal
	if errors.As(err, &refused) {
		return "rollcall could not check who you are: Slack refused (" + refused.Code + "). Nothing has changed. To mend it, " + refused.Hint + "."
	}
	return "rollcall could not check who you are, because Slack did not say. Nothing has changed; try again in a moment."
}

// who is the person behind the request. Whoever the request itself calls
// foreign is a stranger, unless Slack says expressly that they are of this workspace.
func (r *Receiver) who(ctx context.Context, in inbound, user string) (workflows.Principal, error) {
	p, err := r.c.person(ctx, user)
	if err == nil && in.Foreign && !p.here && (p.Stranger == "" || p.Stranger == "unknown") {
		p.Stranger, p.Email = "connect", ""
	}
	return p.Principal, err
}

// panicked is a panic of the bot's.
type panicked struct{ value any }

// Error says what was thrown.
func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// persist tries again, after 1 s, doubling to 15 s, until it works, is refused,
// panics, has been tried for long enough, or ctx ends.
func (r *Receiver) persist(ctx context.Context, f func(context.Context) error) error {
	end := time.Now().Add(persistence)
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		err := r.carrier.slot(ctx, func() error { return r.try(ctx, f) })
		var refused *bot.Refusal
		var broken *panicked
		if err == nil || errors.As(err, &refused) || errors.As(err, &broken) || time.Now().Add(pause).After(end) {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// try runs f once, bounded in time. When ctx ends meanwhile, f gets a moment
// to finish what it is doing.
func (r *Receiver) try(ctx context.Context, f func(context.Context) error) (err error) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleLimit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(drainLimit)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-work.Done():
		}
	})
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			r.c.log.Error("a request made the bot panic", "panic", p, "stack", string(debug.Stack()))
			err = &panicked{p}
		}
	}()
	return f(work)
}

// tell whispers to the person who asked; that it does not work is only logged.
func (r *Receiver) tell(ctx context.Context, req bot.Request, text string) {
	if req.Home != "" {
		return
	}
	if err := r.c.Whisper(ctx, req.Reply, bot.Message{Text: text}); err != nil {
		r.c.log.Warn("somebody could not be told that their request failed", "user", req.Reply.User, "error", err)
	}
}

// short is the end of a key, for people.
func short(key string) string { return key[max(0, len(key)-8):] }
