package slack

import (
	"context"

	"github.com/slack-go/slack"
)

// directChannel is the ID of the conversation between the app and a user. It
// never changes, so it is looked up once.
func (c *Client) directChannel(ctx context.Context, user string) (string, error) {
	if id := c.channelID("@" + user); id != "" {
		return id, nil
	}
	var id string
	err := c.do(ctx, "conversations.open", "", func(ctx context.Context) error {
		ch, _, _, err := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
		if err == nil {
			id = ch.ID
		}
		return err
	})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channels["@"+user] = id
	return id, nil
}
