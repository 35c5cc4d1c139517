package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Refused asks Slack whether it takes the bot token: its code where the app was removed
// or the token withdrawn or over ("token_revoked"), empty where it takes it. An error
// means that nobody knows now.
func (c *Client) Refused(ctx context.Context) (code string, err error) {
	_, err = c.scopes(ctx)
	var refused *bot.Refusal
	if errors.As(err, &refused) && slices.Contains([]string{"account_inactive", "token_revoked", "token_expired", "invalid_auth"}, refused.Code) {
		return refused.Code, nil
	}
	return "", err
}

// Members are the full members of the pinned workspace that are in a group of
// Slack's ("slack-group:S…" or "slack-group:@handle") now.
func (c *Client) Members(ctx context.Context, group string) ([]workflows.Principal, error) {
	name, ok := strings.CutPrefix(group, groupPrefix)
	if !ok {
		return nil, fmt.Errorf("%q is no group of Slack's", group)
	}
	id, err := c.groupID(ctx, name)
	if err != nil {
		return nil, asProblem(err)
	}
	users, err := c.groupUsers(ctx, id)
	if err != nil {
		return nil, asProblem(err)
	}
	var members []workflows.Principal
	for _, user := range users {
		p, err := c.person(ctx, user)
		if err != nil {
			return nil, asProblem(err)
		}
		if p.Stranger == "" {
			members = append(members, p.Principal)
		}
	}
	return members, nil
}
