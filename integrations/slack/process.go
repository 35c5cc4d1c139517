package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// tooOld is the age at which a request found at the start is dropped: the
// receipts of its repeats, which keep it from acting twice, would be forgotten soon.
const tooOld = 12 * time.Hour

// newInbox is the inbox for what people ask for: a queue for each person, so
// that nobody waits for anybody else.
func (r *Receiver) newInbox(receipts Receipts) *wire.Inbox {
	return wire.NewInbox(wire.InboxOptions{
		Source: source, Receipts: receipts, Finish: receipts.Finish, Process: r.process,
		Queue: func(receipt work.Receipt) (string, bool) {
			// One that cannot be read is nobody's; process says what is wrong with it.
			_, req, _ := readReceipt(receipt)
			return req.Reply.User, true
		},
		Workers: 16, Limit: 2000, RetryFor: 90 * time.Second, LongestPause: 15 * time.Second, TryLimit: time.Minute, Drain: 5 * time.Second,
		Final: func(err error) bool {
			_, refused := errors.AsType[*bot.Refusal](err)
			return refused
		},
		Log: r.c.log,
	})
}

// readReceipt returns the request that a receipt keeps.
func readReceipt(receipt work.Receipt) (in inbound, req bot.Request, err error) {
	if err = json.Unmarshal(receipt.Payload, &in); err == nil {
		req, err = in.request(receipt.Key)
	}
	return in, req, err
}

// process finds out who asks and hands the request to the bot. The result is
// what the receipt keeps of it; the error says that it is left for the next start.
func (r *Receiver) process(ctx context.Context, receipt work.Receipt, try wire.Try) (result []byte, err error) {
	in, req, err := readReceipt(receipt)
	if err == nil && r.c.now().Sub(receipt.At) > tooOld {
		r.reply(ctx, req, "What you asked for was not done: rollcall was away for too long. Nothing has changed; ask again if you still want it.")
		err = errors.New("it is too old")
	} else if err == nil {
		err = r.perform(ctx, in, req, try)
	}
	switch {
	case err == nil:
		return []byte(`{}`), nil
	case ctx.Err() != nil:
		return nil, err
	}
	r.c.log.Error("a request of slack's was not carried out", "key", receipt.Key, "kind", in.Kind, "user", req.Reply.User, "error", err)
	return []byte(`{"carriedOut":false}`), nil
}

// notOurs is the refusal of a request that turned out to be another workspace's.
const notOurs = "foreign"

// perform resolves the person and hands the request to the bot.
func (r *Receiver) perform(ctx context.Context, in inbound, req bot.Request, try wire.Try) error {
	err := try(ctx, func(ctx context.Context) error {
		id, err := r.c.Identity(ctx)
		if err != nil {
			return err
		}
		if in.Team != "" && !id.owns(in) { // empty: taken by an earlier version, which had looked
			return &bot.Refusal{Code: notOurs, Hint: "another workspace's or another app's request, taken before Slack said which are ours"}
		}
		req.By, req.Reply.Zone, err = r.principal(ctx, in, req.Reply.User)
		return err
	})
	if err != nil {
		if ctx.Err() == nil && code(err) != notOurs {
			r.reply(ctx, req, uncheckedText(err))
		}
		return fmt.Errorf("could not check who asks: %w", err)
	}
	err = try(ctx, func(ctx context.Context) error { return r.bot.Handle(ctx, req) })
	if _, panicked := errors.AsType[*wire.Panic](err); panicked {
		r.reply(ctx, req, "Something went wrong inside rollcall. Look before you try again; the operators find it in the log under "+short(req.Key)+".")
	}
	r.reportFaults(ctx, req)
	return err
}

// uncheckedText tells somebody why rollcall does not know who they are.
func uncheckedText(err error) string {
	var refused *bot.Refusal
	if errors.As(err, &refused) {
		return "rollcall could not check who you are: Slack refused (" + refused.Code + "). Nothing has changed. To mend it, " + refused.Hint + "."
	}
	return "rollcall could not check who you are, because Slack did not say. Nothing has changed; try again in a moment."
}

// principal is the person behind the request, and their time zone. Whoever the request itself calls
// foreign is a stranger, unless Slack says expressly that they are of this workspace.
func (r *Receiver) principal(ctx context.Context, in inbound, user string) (workflows.Principal, *time.Location, error) {
	p, err := r.c.person(ctx, user)
	if err == nil && in.Foreign && !p.member && (p.Stranger == "" || p.Stranger == "unknown") {
		p.Stranger, p.Email = "connect", ""
	}
	return p.Principal, p.zone, err
}

// reply answers the person who asked, and nobody else; that it does not work is
// only logged. Who opened App Home or posted a link did not ask.
func (r *Receiver) reply(ctx context.Context, req bot.Request, text string) {
	if req.Home != "" || req.Links != nil {
		return
	}
	if err := r.c.PostEphemeral(ctx, req.Reply, bot.Message{Text: text}); err != nil {
		r.c.log.Warn("somebody could not be notified that their request failed", "user", req.Reply.User, "error", err)
	}
}

// short is the end of a key, for people.
func short(key string) string { return key[max(0, len(key)-8):] }
