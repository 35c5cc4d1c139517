package slack

import (
	"context"
	"errors"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
)

// channel resolves "#name", and "@U1" for a direct message, to an ID; IDs stay what they are. A name that
// cannot be looked up, for want of a scope or of the channel, is passed on as
// it is: Slack's answer to the post then says what is wrong.
func (c *Client) channel(ctx context.Context, name string) (string, error) {
	if user, direct := strings.CutPrefix(name, "@"); direct {
		return c.directChannel(ctx, user)
	}
	name, named := strings.CutPrefix(name, "#")
	if !named {
		return name, nil
	}
	if id := c.channelID(name); id != "" {
		return id, nil
	}
	_, err := c.shareLookup(ctx, "channels", func(ctx context.Context) (any, error) { return nil, c.listChannels(ctx) })
	var refused *bot.Refusal
	if err != nil && !errors.As(err, &refused) {
		return "", err
	}
	if id := c.channelID(name); id != "" {
		return id, nil
	}
	if c.logLimit.allow("channel "+name, c.now()) {
		c.log.Warn("the channel is not among those that the app can list", "channel", "#"+name, "error", err)
	}
	return "#" + name, nil
}

func (c *Client) channelID(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channels[name]
}

// forgetChannel drops a name whose channel is gone, so that it is looked up again.
func (c *Client) forgetChannel(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.channels, strings.TrimPrefix(name, "#"))
}

// listChannels learns the names of all channels, of private ones where the app may see them.
func (c *Client) listChannels(ctx context.Context) error {
	err := c.listKinds(ctx, "public_channel", "private_channel")
	if code(err) == "missing_scope" {
		return c.listKinds(ctx, "public_channel")
	}
	return err
}

func (c *Client) listKinds(ctx context.Context, kinds ...string) error {
	cursor := ""
	for {
		var page []slack.Channel
		err := c.do(ctx, "conversations.list", "", func(ctx context.Context) error {
			var err error
			page, cursor, err = c.api.GetConversationsContext(ctx, &slack.GetConversationsParameters{Types: kinds, Limit: 1000, Cursor: cursor})
			return err
		})
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, ch := range page {
			// A live channel wins over an archived one of the same name.
			if _, taken := c.channels[ch.Name]; !taken || !ch.IsArchived {
				c.channels[ch.Name] = ch.ID
			}
		}
		c.mu.Unlock()
		if cursor == "" {
			return nil
		}
	}
}
