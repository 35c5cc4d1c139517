// Package slackfake is a small Slack: one workspace that speaks Slack's
// wire protocol to an app and shows people what the app says.
//
// An app (any Slack app: rollcall, one made with Bolt or slack-go) calls the
// Web API under /api/ and is called back with signed HTTP requests or over
// Socket Mode. People are methods: [Server.Command], [Server.Click],
// [Server.Submit]; what they see are values: [Server.Messages],
// [Server.Ephemerals], [Server.Views], [Server.Home]. Whoever shows the
// workspace, or tests an app against it, waits for changes with
// [Server.Wait] or [Server.Until].
//
// [Server.Page] is the same for a page in a browser: what one person sees,
// as JSON, and what they do.
//
// Blocks are checked against Block Kit's limits with [Check], and the faults of
// a real Slack (rate limits, errors, silence) can be switched on with
// [Server.Faults], Slack's rate limits with [Server.Enforce]. Everything is in memory; [Server.Snapshot] and
// [Server.Restore] carry it over a restart.
//
// A workspace may share a server with other things, below a path:
//
//	mux.Handle("/slack-api/", http.StripPrefix("/slack-api", w)) // for the app
//	mux.Handle(slackfake.PagePath, w.Page())                     // for people
//
// The app is then told that Slack's API is at http://HOST/slack-api/api/, and
// response URLs and the Socket Mode address begin with http://HOST/slack-api too.
// Only where something between the app and the workspace rewrites paths or
// hosts, Options.PublicURL must say what they begin with.
package slackfake

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// Options describe the workspace and the one app that is installed in it.
type Options struct {
	Team          string // team ID; "T0LOCAL" when empty
	TeamName      string // "Local" when empty
	App           string // app ID; "A0LOCAL" when empty
	BotName       string // the app's bot user; "rollcall" when empty
	BotToken      string // "xoxb-local" when empty
	AppToken      string // "xapp-local" when empty
	SigningSecret string // "local-signing-secret" when empty
	Command       string // the app's slash command; "/rollcall" when empty
	UserToken     string // a user token of the app, which is no use to a bot; none when empty

	Shortcuts     []Shortcut // of the app
	UnfurlDomains []string   // "rollcall.example.com": the app hears of links there, and may show what they are

	Scopes    []string // of the bot token; every scope there is when nil
	AppScopes []string // of the app token; connections:write when nil

	// BaseURL is where the app listens ("http://127.0.0.1:8484"); requests go
	// to BaseURL + /slack/commands, /slack/interactions, /slack/options and
	// /slack/events. It may be set later with Install. While the app has a Socket
	// Mode connection, requests go there instead.
	BaseURL string
	// PublicURL is where the app reaches this workspace, for response URLs and
	// the Socket Mode address: scheme, host, and the path below which it is
	// mounted ("http://127.0.0.1:8484/slack-api"). When empty it is taken from the
	// app's own requests, also what http.StripPrefix took off them; it is not
	// known then before the app's first call of the Web API.
	PublicURL string

	// AnswerWithin is how long the app has to answer a request; 3 s when zero, as
	// Slack's apps have. Tests over real sockets, where the clock goes on while the
	// machine does something else, give more.
	AnswerWithin time.Duration

	Transport http.RoundTripper // to the app; http.DefaultTransport when nil
	Log       *slog.Logger      // discards when nil
	Now       func() time.Time  // time.Now when nil
}

// The app's bot user and bot, in every workspace.
const (
	botUser = "U0BOT"
	botID   = "B0BOT"
)

// Server is a local Slack. It is safe for use by many goroutines.
type Server struct {
	Faults fault.Switch // trouble for calls of the Web API and of response URLs; see On

	o       Options
	calling http.Handler // the Web API and response URLs, with their faults
	methods map[string]method
	ctx     context.Context // of deliveries that are repeated; ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex
	version uint64
	changed chan struct{} // closed and replaced with every change
	// The versions of the last change that concerned everybody, and one user only.
	common   uint64
	personal map[string]uint64
	lastTS   int64
	public   string

	users    map[string]*User
	people   []string // user IDs in the order they came
	channels map[string]*room
	rooms    []string
	groups   map[string]*Group
	teams    []string // group IDs in order

	ephemeral map[string][]Message // by user
	views     map[string]*View     // open forms
	stacks    map[string][]string  // user -> IDs of open forms, top last
	homes     map[string]*View
	triggers  map[string]*trigger
	hooks     map[string]*hook
	tickets   map[string]bool
	links     []*link
	socketOff bool // Socket Mode is switched off

	calls      map[string]int
	budgets    Budgets // nil: none is enforced
	spent      map[string]*rate.Limiter
	limited    map[string]int // calls turned away, by method
	violations []Violation

	refusedKinds map[string]bool // of blocks
}

// New returns a workspace with the app's bot user in it, nobody else, and no channel.
func New(o Options) *Server {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.Team, "T0LOCAL"}, {&o.TeamName, "Local"}, {&o.App, "A0LOCAL"}, {&o.BotName, "rollcall"}, {&o.BotToken, "xoxb-local"},
		{&o.AppToken, "xapp-local"}, {&o.SigningSecret, "local-signing-secret"}, {&o.Command, "/rollcall"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.Scopes == nil {
		o.Scopes = everyScope()
	}
	if o.AppScopes == nil {
		o.AppScopes = []string{"connections:write"}
	}
	if o.AnswerWithin == 0 {
		o.AnswerWithin = answerWithin
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Server{
		o: o, changed: make(chan struct{}), public: strings.TrimSuffix(o.PublicURL, "/"),
		personal: map[string]uint64{}, users: map[string]*User{}, channels: map[string]*room{}, groups: map[string]*Group{},
		ephemeral: map[string][]Message{}, views: map[string]*View{}, stacks: map[string][]string{}, homes: map[string]*View{},
		triggers: map[string]*trigger{}, hooks: map[string]*hook{}, tickets: map[string]bool{},
		calls: map[string]int{}, limited: map[string]int{},
	}
	w.methods = w.table()
	w.calling = w.Faults.Wrap(http.HandlerFunc(w.serveCall))
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.AddUser(User{ID: botUser, Name: o.BotName, Kind: Bot})
	return w
}

// Close ends Socket Mode connections and deliveries that would be repeated,
// and waits for them.
func (w *Server) Close() {
	w.cancel()
	w.mu.Lock()
	links := w.links
	w.mu.Unlock()
	for _, l := range links {
		l.disconnect()
	}
	w.work.Wait()
}

// Version counts every change that somebody could see.
func (w *Server) Version() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.version
}

// Wait returns the version as soon as it is newer than after.
func (w *Server) Wait(ctx context.Context, after uint64) (uint64, error) {
	for {
		w.mu.Lock()
		version, changed := w.version, w.changed
		w.mu.Unlock()
		if version > after {
			return version, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return version, ctx.Err()
		}
	}
}

// Until returns when the condition holds, looking again after every change.
func (w *Server) Until(ctx context.Context, holds func() bool) error {
	for {
		version := w.Version()
		if holds() {
			return nil
		}
		if _, err := w.Wait(ctx, version); err != nil {
			return fmt.Errorf("what was waited for did not happen in the workspace: %w", err)
		}
	}
}

// notifyAll wakes everybody who waits, because something has changed, which no user
// sees. The caller holds mu, here and in the touch functions.
func (w *Server) notifyAll() {
	w.version++
	close(w.changed)
	w.changed = make(chan struct{})
}

// touch notes a change that everybody could see.
func (w *Server) touch() {
	w.notifyAll()
	w.common = w.version
}

// touchUser notes a change that only one user sees.
func (w *Server) touchUser(user string) {
	w.notifyAll()
	w.personal[user] = w.version
}

// touchRoom notes a change in a channel.
func (w *Server) touchRoom(r *room) {
	w.notifyAll()
	r.version = w.version
}

// seen is the version of the last change that the user could see. The caller holds mu.
func (w *Server) seen(user string) uint64 {
	last := max(w.common, w.personal[user])
	for _, r := range w.channels {
		if r.version > last && w.sees(user, r) {
			last = r.version
		}
	}
	return last
}

// stamp is a message timestamp, unique and rising. The caller holds mu.
func (w *Server) stamp() string {
	w.lastTS = max(w.o.Now().UnixMicro(), w.lastTS+1)
	return fmt.Sprintf("%d.%06d", w.lastTS/1e6, w.lastTS%1e6)
}

// newID makes an ID of Slack's shape that nobody can guess.
func newID(prefix string) string { return prefix + rand.Text()[:10] }
