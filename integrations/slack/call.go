package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// do makes a call when its turn has come, and again after a 429. Whether any
// other failure may be repeated only the caller knows. It takes at most
// Options.Timeout. key distinguishes the rate limits of one method.
func (c *Client) do(ctx context.Context, method, key string, call func(context.Context) error) error {
	return c.doWithin(ctx, c.o.Timeout, method, key, call)
}

func (c *Client) doWithin(ctx context.Context, limit time.Duration, method, key string, call func(context.Context) error) error {
	return c.inTurn(ctx, limit, turn{method: method, key: key}, call)
}

// inTurn is do for a call that may be less urgent than an answer: then a turn
// that has not come, also because Slack says so, is a *bot.Postponed, and so is a
// method that Slack does not do at present.
func (c *Client) inTurn(ctx context.Context, limit time.Duration, t turn, call func(context.Context) error) error {
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if err := c.breakers.allow(t.method, t.urgency, time.Now()); err != nil {
			return postponed(t, err)
		}
		if err := c.pace.take(ctx, t); err != nil {
			c.breakers.forget(t.method)
			return fmt.Errorf("slack %s: %w", t.method, err)
		}
		err := call(ctx)
		c.breakers.end(asked, t.method, err, time.Now())
		after, limited := rateLimited(err)
		if !limited {
			if t.method != openSocket { // that is the app token's
				c.noteMissingScope(err)
			}
			return explain(t.method, err)
		}
		c.log.Info("slack asks to slow down", "method", t.method, "for", after)
		c.pace.pause(t.method, t.key, after)
	}
}

// postponed is the error of a call that was not made because its method fails at present.
func postponed(t turn, err error) error {
	b := new(broken)
	if t.urgency != bot.Answer && errors.As(err, &b) {
		return &bot.Postponed{After: b.after}
	}
	return err
}

// noteMissingScope notes the scope that Slack misses, whichever call it was.
func (c *Client) noteMissingScope(err error) {
	var answered slack.SlackErrorResponse
	if !errors.As(err, &answered) || answered.Err != "missing_scope" || answered.Needed == "" {
		return
	}
	for scope := range strings.SplitSeq(answered.Needed, ",") {
		if !optional(scope) {
			c.faults.add("scope/"+scope, c.scopeFault(scope))
		}
	}
}

// rateLimited says whether Slack turned the call away for now, and for how long.
func rateLimited(err error) (time.Duration, bool) {
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		return max(limited.RetryAfter, time.Second), true
	}
	var status slack.StatusCodeError
	if errors.As(err, &status) && status.Code == http.StatusTooManyRequests || code(err) == "ratelimited" {
		return time.Second, true
	}
	return 0, false
}

// code is Slack's error code, empty for errors that are not an answer of Slack's.
func code(err error) string {
	var answered slack.SlackErrorResponse
	if errors.As(err, &answered) {
		return answered.Err
	}
	var refused *bot.Refusal
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// refusalKind is what becomes of a call that Slack refuses.
type refusalKind int

const (
	fixable   refusalKind = iota // works once somebody has mended the cause; so does whatever we do not know
	transient                    // works by itself, later
	never                        // is about the content: not this message, wherever and whenever
	gone                         // the message, thread or form is not there any more
)

// refusalKinds has the kind of every error code of Slack's that no person can
// mend. No other place decides on codes.
var refusalKinds = map[string]refusalKind{
	"internal_error": transient, "fatal_error": transient, "service_unavailable": transient, "request_timeout": transient, "team_added_to_org": transient,
	"hash_conflict": transient, "ratelimited": transient, "rate_limited": transient, "external_channel_migrating": transient, "message_limit_exceeded": transient,

	"invalid_blocks": never, "invalid_blocks_format": never, "invalid_arguments": never, "invalid_arg_name": never, "invalid_array_arg": never, "invalid_charset": never,
	"invalid_form_data": never, "invalid_post_type": never, "missing_post_type": never, "msg_blocks_too_long": never, "msg_too_long": never,
	"no_text": never, "too_many_attachments": never, "markdown_text_conflict": never, "block_mismatch": never,
	"invalid_metadata_format": never, "invalid_metadata_schema": never, "metadata_must_be_sent_from_app": never, "metadata_too_large": never,
	"view_too_large": never, "cant_update_message": never, "edit_window_closed": never, "duplicate_message_not_found": never,

	"message_not_found": gone, "thread_not_found": gone, "cannot_reply_to_message": gone, "not_found": gone, "view_not_found": gone,
}

// explain turns a call's error into one for people: a *bot.Refusal when it
// does not pass by itself. Addresses are left out, because those of response
// URLs and of Socket Mode are secrets.
func explain(method string, err error) error {
	if err == nil {
		return nil
	}
	var answered slack.SlackErrorResponse
	if errors.As(err, &answered) {
		s := refusalKinds[answered.Err]
		if s == transient {
			return fmt.Errorf("slack could not do %s just now: %s", method, answered.Err)
		}
		return &bot.Refusal{Code: answered.Err, Hint: hint(method, answered), Never: s == never, Gone: s == gone}
	}
	var status slack.StatusCodeError
	if errors.As(err, &status) {
		if status.Code >= 400 && status.Code < 500 && status.Code != http.StatusRequestTimeout {
			return &bot.Refusal{Code: fmt.Sprintf("http_%d", status.Code), Hint: "is slack.apiURL the address of Slack's Web API?"}
		}
		return fmt.Errorf("slack answered %s with HTTP status %d", method, status.Code)
	}
	if wire.Final(err) {
		return &bot.Refusal{Code: "unusable_answer", Hint: withoutAddress(err).Error()}
	}
	return fmt.Errorf("slack %s: %w", method, withoutAddress(err))
}

// withoutAddress is the cause inside net/http's error, which would show the address.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() && !errors.Is(u.Err, context.DeadlineExceeded) {
			return context.DeadlineExceeded
		}
		return u.Err
	}
	return err
}

// hint says what to do about an error of Slack's.
func hint(method string, e slack.SlackErrorResponse) string {
	switch e.Err {
	case "channel_not_found":
		return "check the channel's name; a private channel needs the app in it: type /invite @rollcall there"
	case "not_in_channel":
		return "type /invite @rollcall in the channel, or give the app the scope chat:write.public"
	case "is_archived":
		return "the channel is archived: unarchive it, or name another one"
	case "missing_scope":
		if method == openSocket {
			return "the app token lacks connections:write: " + token.AppFix
		}
		return fmt.Sprintf("give the app the scope %s under OAuth & Permissions and install it again", e.Needed)
	case "invalid_auth", "not_authed", "not_allowed_token_type":
		if method == openSocket {
			return token.AppFix
		}
		return token.BotFix
	case "account_inactive", "token_revoked":
		return "the app was removed from the workspace, or the token withdrawn: install the app again and take the new token"
	case "token_expired":
		return "the app has token rotation switched on: create the app anew from " + manifestIs + ", where it is off"
	case "org_login_required", "team_access_not_granted", "enterprise_is_restricted":
		return "an admin of the organisation must let the app into this workspace"
	case "invalid_blocks", "invalid_blocks_format", "invalid_arguments", "msg_blocks_too_long", "view_too_large":
		return "this is a fault of rollcall's, please report it: " + strings.Join(append(e.ResponseMetadata.Messages, method), "; ")
	case "msg_too_long", "no_text", "invalid_metadata_format", "invalid_metadata_schema":
		return "this is a fault of rollcall's, please report it: " + method
	case "message_not_found", "thread_not_found":
		return "the message has been deleted"
	case "cant_update_message", "edit_window_closed":
		return "the message cannot be edited any more"
	case "expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "invalid_trigger", "trigger_expired":
		return "the form could not be opened in time: press the button again"
	case "not_found", "view_not_found":
		return "the form has been closed"
	case "user_not_in_channel", "cannot_dm_bot", "user_disabled", "user_not_found", "users_not_found":
		return "that person cannot be reached there"
	case "messages_tab_disabled":
		return "turn on the Messages Tab under App Home in the app's settings"
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel", "ekm_access_denied", "access_denied":
		return "a setting of the workspace or channel forbids it: ask an admin of the workspace"
	case "no_such_subteam":
		return "the user group does not exist or is disabled: check its ID"
	}
	if method == openSocket {
		return "look whether Socket Mode is switched on for the app; " + token.AppFix
	}
	return "see https://api.slack.com/methods/" + method
}
