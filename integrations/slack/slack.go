// Package slack connects rollcall to a Slack workspace: it receives what people
// ask for and posts what the bot has to say.
//
// A [Client] speaks: it implements bot.Chat and answers who somebody is and
// whether they are in a user group. Its calls are paced as Slack asks, bounded
// in time, and never blindly repeated where a repetition would be seen twice.
//
// A [Receiver] takes requests over signed HTTP, over Socket Mode, or both.
// Every request takes the same way: verify, make a receipt durable,
// acknowledge, and only then find out who asked and hand it to the bot. What
// was acknowledged and not processed when the process ended is processed
// after the next start.
//
// The client is *pinned* to the one workspace and app that its bot token
// belongs to; requests of any other are turned away. People who are no full
// members of that workspace are *strangers*: they are nobody to rollcall.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/sync/singleflight"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Options say which Slack, and with which secrets.
type Options struct {
	APIURL        string // "https://slack.com/api/" when empty; a missing trailing slash is added
	BotToken      string // xoxb-…
	SigningSecret string // turns HTTP requests on
	AppToken      string // xapp-…; turns Socket Mode on

	Channel string // where pipelines without a channel of their own post, "#name" or ID; the self-test looks at it …
	// Channels are those of the pipelines in force; the self-test looks at them too. Nil: none.
	Channels func(context.Context) []string
	Command  string // the slash command that people are told about; "/rollcall" when empty

	Version string // of the program; a kind of block that the workspace refused one version is tried again by the next

	Transport http.RoundTripper // http.DefaultTransport when nil
	Unpaced   bool              // a local workspace, whose rate limits need not be kept
	Timeout   time.Duration     // longest any call may take, waiting for its turn included; 10 s when zero
	Log       *slog.Logger      // discards when nil
	Now       func() time.Time  // time.Now when nil
}

// Client speaks to Slack. It is safe for use by many goroutines.
type Client struct {
	o    Options
	api  *slack.Client
	http *http.Client
	pace *pacer
	log  *slog.Logger
	now  func() time.Time

	breakers *breakers

	pinned atomic.Pointer[Identity]
	flight singleflight.Group // one look-up at a time of each kind

	people  *cache[person]              // by user ID
	emails  *cache[workflows.Principal] // by e-mail, zero for nobody
	members *cache[[]string]            // group ID -> user IDs
	handles *cache[string]              // group handle -> group ID

	dial     func(ctx context.Context, network, address string) (net.Conn, error) // of Socket Mode; nil: the network's
	faults   faultList
	refused  refusals
	logLimit logLimiter

	mu       sync.Mutex
	channels map[string]string // channel name -> ID
}

// New returns a client. It does not call Slack: that is the receiver's Run, or
// the first call that needs to know which workspace this is.
func New(o Options) *Client {
	if o.APIURL == "" {
		o.APIURL = slack.APIURL
	}
	o.APIURL = strings.TrimSuffix(o.APIURL, "/") + "/"
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &http.Client{
		Transport: wire.Guard(o.Transport),
		Timeout:   o.Timeout,
		// Not even on the same host: the Web API has no other address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{
		o: o, http: h, pace: newPacer(o.Unpaced), breakers: newBreakers(o.Log), log: o.Log, now: o.Now, channels: map[string]string{},
		faults: faultList{faults: map[string]Fault{}, reported: map[string]string{}}, logLimit: logLimiter{last: map[string]time.Time{}},
		api:    slack.New(o.BotToken, slack.OptionAPIURL(o.APIURL), slack.OptionHTTPClient(h), slack.OptionAppLevelToken(o.AppToken)),
		people: newCache[person](memberAge, o.Now), emails: newCache[workflows.Principal](mentionAge, o.Now),
		members: newCache[[]string](memberAge, o.Now), handles: newCache[string](60*time.Second, o.Now),
	}
}

// Identity is the workspace and app that the bot token belongs to.
type Identity struct {
	Team, TeamName string
	App            string // empty when Slack would not say: then the signing secret alone tells apps apart
	User, Bot      string // the app's bot user and bot
	URL            string // of the workspace, "https://acme.slack.com/"
}

// Identity asks Slack once, and remembers, which workspace and app the bot
// token belongs to. A *bot.Refusal means that the token is no good.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	if id := c.pinned.Load(); id != nil {
		return *id, nil
	}
	v, err := c.shareLookup(ctx, "identity", func(ctx context.Context) (any, error) {
		id, err := c.identify(ctx)
		if err != nil {
			return nil, err
		}
		c.pinned.Store(&id)
		c.log.Info("connected to slack", "team", id.Team, "name", id.TeamName, "app", id.App)
		return id, nil
	})
	if err != nil {
		return Identity{}, err
	}
	return v.(Identity), nil
}

func (c *Client) identify(ctx context.Context) (Identity, error) {
	var id Identity
	err := c.do(ctx, "auth.test", "", func(ctx context.Context) error {
		a, err := c.api.AuthTestContext(ctx)
		if err == nil {
			id = Identity{Team: a.TeamID, TeamName: a.Team, User: a.UserID, Bot: a.BotID, URL: a.URL}
		}
		return err
	})
	switch {
	case err != nil:
		return id, err
	case id.Team == "":
		return id, errors.New("slack did not say which workspace the bot token belongs to")
	case id.Bot == "":
		return id, &bot.Refusal{Code: "not_allowed_token_type", Hint: token.BotFix}
	}
	err = c.do(ctx, "bots.info", "", func(ctx context.Context) error {
		b, err := c.api.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: id.Bot})
		if err == nil {
			id.App = b.AppID
		}
		return err
	})
	var refused *bot.Refusal
	if err != nil && !errors.As(err, &refused) {
		return id, err
	}
	if id.App == "" {
		c.log.Warn("slack does not say which app the bot token belongs to; requests of other apps are recognised by the signing secret alone", "error", err)
	}
	return id, nil
}

// Permalink is the address of a message, made without asking; empty while Slack
// has not said which workspace this is.
func (c *Client) Permalink(at bot.Place) string {
	id := c.pinned.Load()
	if id == nil || id.URL == "" || at.Channel == "" || at.TS == "" {
		return ""
	}
	return strings.TrimRight(id.URL, "/") + "/archives/" + at.Channel + "/p" + strings.ReplaceAll(at.TS, ".", "")
}

// shareLookup joins callers who want the same look-up at the same time. The look-up
// goes on when the caller who began it gives up, for the others and for the
// cache; every caller waits only as long as its own context.
func (c *Client) shareLookup(ctx context.Context, key string, look func(context.Context) (any, error)) (any, error) {
	done := c.flight.DoChan(key, func() (v any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("looking up %s: %v", key, r)
			}
		}()
		return look(context.WithoutCancel(ctx))
	})
	select {
	case r := <-done:
		return r.Val, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
