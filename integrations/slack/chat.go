package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

const (
	lookPages  = 5   // how far back a message is looked for, in pages …
	lookPage   = 200 // … of so many messages
	formWithin = 3 * time.Second
	clockSkew  = 10 * time.Minute // between Slack's clock and ours, at most
)

// Post implements bot.Chat. A connection that breaks while posting is an
// error: the message may have arrived, so the next try says Look. A look that
// Slack refuses for good does not stop the post: one message too many is
// better than a question nobody sees.
func (c *Client) Post(ctx context.Context, m bot.Message) (bot.Place, error) {
	channel, err := c.channel(ctx, m.Channel)
	if err != nil {
		return bot.Place{}, err
	}
	if m.Look {
		at, found, err := c.findPosted(ctx, channel, m)
		var refused *bot.Refusal
		switch {
		case errors.As(err, &refused):
			c.log.Warn("cannot look for an earlier copy of a message, posting it", "channel", m.Channel, "error", err)
		case err != nil:
			return bot.Place{}, fmt.Errorf("looking for an earlier copy of the message: %w", err)
		case found:
			return at, nil
		}
	}
	var unready error
	begun := false
	opts := []slack.MsgOption{slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
	if m.Thread != "" {
		opts = append(opts, slack.MsgOptionTS(m.Thread))
		if m.Broadcast {
			opts = append(opts, slack.MsgOptionBroadcast())
		}
	}
	var at bot.Place
	err = c.drawn(ctx, m.Blocks, c.inLine(ctx, turn{"chat.postMessage", channel, m.Urgency, identity(m)}), func(ctx context.Context, blocks []slack.Block) error {
		if !begun { // not again after a 429
			if unready = m.Begin(ctx); unready != nil {
				return nil
			}
			begun = true
		}
		var err error
		at.Channel, at.TS, err = c.api.PostMessageContext(ctx, channel, append(content(m, blocks), opts...)...)
		return err
	})
	if err := cmp.Or(unready, err); err != nil {
		c.unposted(m.Channel, err)
		return bot.Place{}, err
	}
	c.faults.remove(channelFault(m.Channel))
	return at, nil
}

// unposted remembers why nothing arrives in a channel, to tell people who ask.
func (c *Client) unposted(channel string, err error) {
	if strings.HasPrefix(channel, "@") { // a direct message: it concerns nobody else
		c.forgetChannel(channel)
		return
	}
	switch code := code(err); code {
	case "channel_not_found":
		c.forgetChannel(channel)
		fallthrough
	case "not_in_channel", "is_archived", "restricted_action", "restricted_action_read_only_channel":
		c.faults.add(channelFault(channel), c.postFault(channel, code))
	}
}

// content is what posting and editing have in common. Blocks are always said,
// so that an edit without blocks removes the old ones.
func content(m bot.Message, blocks []slack.Block) []slack.MsgOption {
	opts := []slack.MsgOption{slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(blocks...)}
	if m.EventType != "" {
		opts = append(opts, slack.MsgOptionMetadata(slack.SlackMetadata{EventType: m.EventType, EventPayload: payload(m)}))
	}
	return opts
}

// payload is the metadata that identify a message, and beside them its anchor.
func payload(m bot.Message) map[string]any {
	a := m.Anchor
	if a == nil {
		return m.Payload
	}
	p := maps.Clone(m.Payload)
	p["pipeline"], p["record"], p["hash"], p["at"] = a.Pipeline, a.Record, a.Hash, a.At
	return p
}

// identity is what a message is known by while it waits for its turn.
func identity(m bot.Message) string {
	payload, err := json.Marshal(m.Payload)
	if err != nil {
		return m.EventType
	}
	return m.EventType + string(payload)
}

// Edit implements bot.Chat.
func (c *Client) Edit(ctx context.Context, at bot.Place, m bot.Message) error {
	return c.drawn(ctx, m.Blocks, c.inLine(ctx, turn{"chat.update", "", m.Urgency, at.Channel + at.TS}), func(ctx context.Context, blocks []slack.Block) error {
		_, _, _, err := c.api.UpdateMessageContext(ctx, at.Channel, at.TS, content(m, blocks)...)
		return err
	})
}

// findPosted searches the channel, or the thread, for a message of ours with the
// same payload, newest first.
func (c *Client) findPosted(ctx context.Context, channel string, m bot.Message) (bot.Place, bool, error) {
	want, err := json.Marshal(m.Payload)
	if err != nil {
		return bot.Place{}, false, fmt.Errorf("writing the metadata: %w", err)
	}
	id, err := c.Identity(ctx)
	if err != nil {
		return bot.Place{}, false, err
	}
	joined := false
	cursor := ""
	for range lookPages {
		page, next, err := c.page(ctx, channel, m, cursor)
		if code(err) == "not_in_channel" && !joined {
			joined = true
			if err = c.join(ctx, channel); err == nil {
				page, next, err = c.page(ctx, channel, m, cursor)
			}
		}
		if err != nil {
			return bot.Place{}, false, err
		}
		for _, old := range page {
			ours := old.User == id.User || old.BotID != "" && old.BotID == id.Bot || old.User == "" && old.BotID == ""
			have, err := json.Marshal(identifying(old.Metadata.EventPayload, m.Payload))
			if err == nil && ours && old.Metadata.EventType == m.EventType && m.EventType != "" && string(have) == string(want) {
				return bot.Place{Channel: channel, TS: old.Timestamp}, true, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return bot.Place{}, false, nil
}

// identifying are the metadata of a message that some payload has too: what is
// beside them, an anchor, identifies nothing.
func identifying(have, want map[string]any) map[string]any {
	same := map[string]any{}
	for key, value := range have {
		if _, ok := want[key]; ok {
			same[key] = value
		}
	}
	return same
}

// page reads messages with their metadata: of the channel or thread in which m
// would be, none older than the first try of it.
func (c *Client) page(ctx context.Context, channel string, m bot.Message, cursor string) (page []slack.Message, next string, err error) {
	oldest := ""
	if !m.Since.IsZero() {
		oldest = fmt.Sprintf("%d.000000", m.Since.Add(-clockSkew).Unix())
	}
	if m.Thread != "" {
		err = c.do(ctx, "conversations.replies", "", func(ctx context.Context) error {
			var err error
			page, _, next, err = c.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: channel, Timestamp: m.Thread, Oldest: oldest, Cursor: cursor, Limit: lookPage, IncludeAllMetadata: true,
			})
			return err
		})
		return page, next, err
	}
	err = c.do(ctx, "conversations.history", "", func(ctx context.Context) error {
		h, err := c.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: lookPage, IncludeAllMetadata: true,
		})
		if err == nil {
			page, next = h.Messages, h.ResponseMetaData.NextCursor
		}
		return err
	})
	return page, next, err
}

// join enters a public channel, so that it can be read.
func (c *Client) join(ctx context.Context, channel string) error {
	return c.do(ctx, "conversations.join", "", func(ctx context.Context) error {
		_, _, _, err := c.api.JoinConversationContext(ctx, channel)
		return err
	})
}

// PostEphemeral implements bot.Chat. Where neither the response URL nor the channel
// reaches the person, it is a direct message.
func (c *Client) PostEphemeral(ctx context.Context, to bot.Reply, m bot.Message) error {
	wire.Release(ctx)
	if to.ResponseURL != "" && !c.answerable(to.ResponseURL) {
		c.log.Warn("a response URL is not one of Slack's; posting an ephemeral message in the channel", "user", to.User)
	} else if to.ResponseURL != "" {
		direct := func(call func(context.Context) error) error { return call(ctx) }
		err := c.drawn(ctx, m.Blocks, direct, func(ctx context.Context, blocks []slack.Block) error {
			m := m
			m.Blocks = blocks
			return c.respond(ctx, to, m)
		})
		if err == nil {
			return nil
		}
		c.log.Debug("a response URL did not work, posting an ephemeral message in the channel", "user", to.User, "error", err)
	}
	if to.Channel != "" {
		var thread []slack.MsgOption
		if to.Thread != "" {
			thread = append(thread, slack.MsgOptionTS(to.Thread))
		}
		err := c.drawn(ctx, m.Blocks, c.paced(ctx, c.o.Timeout, "chat.postEphemeral", ""), func(ctx context.Context, blocks []slack.Block) error {
			_, err := c.api.PostEphemeralContext(ctx, to.Channel, to.User, append(content(m, blocks), thread...)...)
			return err
		})
		if !notReachedThere(err) {
			return err
		}
	}
	direct, err := c.directChannel(ctx, to.User)
	if err != nil {
		return err
	}
	return c.drawn(ctx, m.Blocks, c.paced(ctx, c.o.Timeout, "chat.postMessage", direct), func(ctx context.Context, blocks []slack.Block) error {
		_, _, err := c.api.PostMessageContext(ctx, direct, content(m, blocks)...)
		return err
	})
}

// notReachedThere says whether the person, or the bot, is not in the channel, so that another way is left.
func notReachedThere(err error) bool {
	switch code(err) {
	case "user_not_in_channel", "channel_not_found", "not_in_channel", "is_archived", "restricted_action":
		return true
	}
	return false
}

// answerable says whether an address that a request brought along is Slack's:
// its own host for answers, or the host and scheme of Options.APIURL.
func (c *Client) answerable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	api, err := url.Parse(c.o.APIURL)
	return u.Scheme == "https" && u.Host == "hooks.slack.com" || err == nil && u.Scheme == api.Scheme && u.Host == api.Host
}

// respond posts to the request's response URL: only the person sees it. The
// library would take an answer that says ok:false for a success.
func (c *Client) respond(ctx context.Context, to bot.Reply, m bot.Message) error {
	msg := slack.WebhookMessage{Text: m.Text, ResponseType: slack.ResponseTypeEphemeral, ThreadTimestamp: to.Thread}
	if len(m.Blocks) > 0 {
		msg.Blocks = &slack.Blocks{BlockSet: m.Blocks}
	}
	body, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("writing the ephemeral message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.ResponseURL, bytes.NewReader(body))
	if err != nil {
		return explain("response_url", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return explain("response_url", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return explain("response_url", err)
	}
	var refused struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	isJSON := json.Unmarshal(answer, &refused) == nil && refused.OK != nil
	switch {
	case isJSON && !*refused.OK || string(answer) == "invalid_blocks":
		return slack.SlackErrorResponse{Err: cmp.Or(refused.Error, string(answer))}
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("the response URL answered with HTTP status %d; it works five times within 30 minutes", resp.StatusCode)
	}
	return nil
}

// Open implements bot.Chat. A form that should be replaced and has been closed
// is opened anew while the request's trigger lasts; not so one that Reply.External names.
func (c *Client) Open(ctx context.Context, to bot.Reply, form slack.ModalViewRequest) error {
	wire.Release(ctx)
	if form.Type == slack.VTHomeTab {
		return c.publish(ctx, to.User, form)
	}
	if to.View != "" || to.External != "" {
		err := c.drawn(ctx, form.Blocks.BlockSet, c.paced(ctx, formWithin, "views.update", ""), func(ctx context.Context, blocks []slack.Block) error {
			form := form
			form.Blocks.BlockSet = blocks
			_, err := c.api.UpdateViewContext(ctx, form, to.External, "", to.View)
			return err
		})
		if to.Trigger == "" || to.External != "" || !strings.Contains(code(err), "not_found") {
			return err
		}
	}
	return c.drawn(ctx, form.Blocks.BlockSet, c.paced(ctx, formWithin, "views.open", ""), func(ctx context.Context, blocks []slack.Block) error {
		form := form
		form.Blocks.BlockSet = blocks
		_, err := c.api.OpenViewContext(ctx, to.Trigger, form)
		return err
	})
}

// publish puts a home tab in front of a user.
func (c *Client) publish(ctx context.Context, user string, form slack.ModalViewRequest) error {
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: form.Blocks, PrivateMetadata: form.PrivateMetadata, CallbackID: form.CallbackID}
	return c.drawn(ctx, form.Blocks.BlockSet, c.paced(ctx, c.o.Timeout, "views.publish", ""), func(ctx context.Context, blocks []slack.Block) error {
		home := home
		home.Blocks.BlockSet = blocks
		_, err := c.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: home})
		return err
	})
}
