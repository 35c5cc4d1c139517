package slack

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
)

// posted is what a receipt keeps of a message with links to us.
type posted struct {
	User    string   `json:"user"`
	Channel string   `json:"channel"`
	TS      string   `json:"ts"`
	URLs    []string `json:"urls"`
}

// readLinks returns a link_shared event as a posted. A link that somebody is
// still writing (source composer) is ignored: Slack does not say to which
// channel it goes, so nobody knows who would read the answer.
func readLinks(event json.RawMessage) (kind string, body json.RawMessage, err error) {
	var shared struct {
		User    string `json:"user"`
		Channel string `json:"channel"`
		TS      string `json:"message_ts"`
		Source  string `json:"source"`
		Links   []struct {
			URL string `json:"url"`
		} `json:"links"`
	}
	if json.Unmarshal(event, &shared) != nil || shared.Source == "composer" || !isChannel(shared.Channel) || shared.User == "" || shared.TS == "" || len(shared.Links) == 0 {
		return kindIgnored, nil, nil
	}
	p := posted{User: shared.User, Channel: shared.Channel, TS: shared.TS}
	for _, l := range shared.Links {
		p.URLs = append(p.URLs, l.URL)
	}
	body, err = json.Marshal(p)
	return kindLinks, body, err
}

// isChannel says whether an ID is a channel's. Of direct messages ("D1") and of the
// composer ("COMPOSER") nobody could find out who reads there.
func isChannel(id string) bool {
	return id != "COMPOSER" && (strings.HasPrefix(id, "C") || strings.HasPrefix(id, "G"))
}

// Shared implements bot.Unfurler. A channel to which another organisation has
// been invited counts as shared. A scope that is missing for it is no fault of
// the app's: nothing but unfurling needs it.
func (c *Client) Shared(ctx context.Context, channel string) (bool, error) {
	var ch *slack.Channel
	var lacking error
	err := c.do(ctx, "conversations.info", "", func(ctx context.Context) error {
		var err error
		ch, err = c.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
		if code(err) == "missing_scope" {
			lacking, err = explain("conversations.info", err), nil
		}
		return err
	})
	switch {
	case err != nil:
		return true, err
	case lacking != nil:
		return true, lacking
	}
	return ch.IsShared || ch.IsExtShared || ch.IsOrgShared || ch.IsGlobalShared || ch.IsPendingExtShared || len(ch.PendingShared) > 0, nil
}

// Unfurl implements bot.Unfurler.
func (c *Client) Unfurl(ctx context.Context, at bot.Place, shown map[string]bot.Message) error {
	unfurls := map[string]slack.Attachment{}
	for link, m := range shown {
		unfurls[link] = slack.Attachment{Fallback: m.Text, Blocks: slack.Blocks{BlockSet: m.Blocks}}
	}
	return c.do(ctx, "chat.unfurl", "", func(ctx context.Context) error {
		_, _, _, err := c.api.UnfurlMessageContext(ctx, at.Channel, at.TS, unfurls)
		return err
	})
}
