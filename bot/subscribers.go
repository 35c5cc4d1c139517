package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

const (
	subscribersKey = "subscribers" // of one memo: by Slack user ID, since when
	turnOn         = "on"
	turnOff        = "off"
)

// subscribers are those who asked for approvals as direct messages, by Slack user
// ID, with when they did.
func (b *Bot) subscribers(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	value, known, err := b.memos.Memo(ctx, subscribersKey)
	if err == nil && known {
		if err = json.Unmarshal(value, &all); err != nil {
			err = fmt.Errorf("who wants direct messages was noted and cannot be read: %w", err)
		}
	}
	return all, err
}

// subscribe notes that somebody wants approvals as direct messages, or wants them no
// more. One who has them keeps the date.
func (b *Bot) subscribe(ctx context.Context, user string, wants bool) error {
	done, err := b.lockPipeline(ctx, "") // no pipeline's name
	if err != nil {
		return err
	}
	defer done()
	all, err := b.subscribers(ctx)
	if err != nil {
		return err
	}
	if _, has := all[user]; has == wants {
		return nil
	}
	if delete(all, user); wants {
		all[user] = b.now().UTC()
	}
	var value []byte
	if len(all) > 0 {
		if value, err = json.Marshal(all); err != nil {
			return fmt.Errorf("note who wants direct messages: %w", err)
		}
	}
	return b.memos.Note(ctx, subscribersKey, value)
}

// notify turns direct messages on or off for the person, or says how it is.
func (b *Bot) notify(ctx context.Context, r Request, c command.Command) error {
	user := r.Reply.User
	if c.As != "" {
		if err := b.subscribe(ctx, user, c.As == turnOn); err != nil {
			return err
		}
	}
	all, err := b.subscribers(ctx)
	if err != nil {
		return err
	}
	since, has := all[user]
	verb := "`" + b.command + " notify "
	var text string
	switch {
	case c.As == turnOn:
		b.subscribed.Store(true)
		text = "From now on each approval that waits for you comes as a direct message too; " + verb + "off` ends that."
	case c.As == turnOff:
		text = "No approval comes to you as a direct message any more; those that you have still change until they are decided."
	case has:
		text = "Each approval that waits for you comes as a direct message too, since " + layout.Moment(since) + "; " + verb + "off` ends that."
	default:
		text = "Approvals do not come to you as direct messages; " + verb + "on` changes that."
	}
	return b.say(ctx, r.Reply, card.Say(text))
}
